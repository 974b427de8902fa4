"""How a model did while it was trained: a few metrics on the validation split, once an epoch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import Tensor

from sae_model import SparseAutoencoder

from .evaluation import evaluating, metrics

HISTORY_NAME = "history.json"
MOST_IMAGES = 2_000
"""Of the validation split; one pass over them takes a fraction of a second."""


@dataclass(frozen=True)
class Epoch:
    """Metrics after an epoch, as `training.measure.evaluation.Evaluation` defines them."""

    epoch: int
    """From 1."""
    bce: float | None
    fvu: float | None
    """None where the images are all alike."""
    effective_l0: float
    dead_fraction: float

    def __str__(self) -> str:
        bce = "" if self.bce is None else f"bce {self.bce:.4f}, "
        fvu = "" if self.fvu is None else f"fvu {self.fvu:.4f}, "
        return f"{bce}{fvu}effective L0 {self.effective_l0:.1f}, dead {self.dead_fraction:.1%}"


def measure_epoch(model: SparseAutoencoder, images: Tensor, epoch: int) -> Epoch:
    """Measure a model between two steps of its training, on the first 2,000 images of the validation split.

    Its training flag is left as it was found.
    """
    with evaluating(model):
        found = metrics(model, images[:MOST_IMAGES], sigmas=(), tops=())
    return Epoch(epoch, found.bce, found.fvu, found.effective_l0, found.dead_fraction)


def write_history(folder: Path, history: Sequence[Epoch]) -> None:
    """Write history.json to a folder."""
    epochs = [asdict(epoch) for epoch in history]
    (folder / HISTORY_NAME).write_text(json.dumps(epochs, indent=2) + "\n", encoding="utf-8")


def read_history(folder: str | Path) -> list[Epoch]:
    """Read what `write_history` wrote; nothing where there is no such file, or none that can be read."""
    try:
        return [Epoch(**epoch) for epoch in json.loads((Path(folder) / HISTORY_NAME).read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []
