"""How a model did while it was trained: a few metrics on the validation split, once an epoch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from sae_model import SparseAutoencoder, effective_l0, keep_top_k
from training.data import as_floats
from training.measure.evaluation import BATCH, DEAD_AFTER

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


@torch.no_grad()
def measure_epoch(model: SparseAutoencoder, images: Tensor, epoch: int) -> Epoch:
    """Measure a model between two steps of its training; its training flag is left as it was found.

    Args:
        model: the model.
        images: (n, channels, height, width), of the validation split; the first 2,000 count.
        epoch: how many passes it has done.
    """
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    clean = as_floats(images[:MOST_IMAGES])
    mean, dead_after = clean.mean(0), min(model.sparsity.default_k or DEAD_AFTER, model.latent_dim)
    bce = error = carried = 0.0
    alive = torch.zeros(model.latent_dim, dtype=torch.bool, device=device)
    for batch in clean.to(device).split(BATCH):
        latents = model.encode(batch)
        reconstruction = model.decode(latents)
        if model.output == "sigmoid":
            bce += F.binary_cross_entropy(reconstruction, batch, reduction="sum").item()
        error += (reconstruction - batch).square().sum().item()
        carried += effective_l0(latents).sum().item()
        alive |= (keep_top_k(latents, dead_after) != 0).any(0)
    model.train(was_training)
    variance = (clean - mean).square().sum().item()
    return Epoch(
        epoch=epoch,
        bce=bce / clean.numel() if model.output == "sigmoid" else None,
        fvu=error / variance if variance else None,
        effective_l0=carried / len(clean),
        dead_fraction=1 - alive.float().mean().item(),
    )


def write_history(folder: Path, history: Sequence[Epoch]) -> None:
    """Write history.json to a folder."""
    epochs = [asdict(epoch) for epoch in history]
    (folder / HISTORY_NAME).write_text(json.dumps(epochs, indent=2) + "\n", encoding="utf-8")


def read_history(folder: str | Path) -> list[Epoch]:
    """What `write_history` wrote; nothing where there is no such file, or none that can be read."""
    path = Path(folder) / HISTORY_NAME
    try:
        return [Epoch(**epoch) for epoch in json.loads(path.read_text(encoding="utf-8"))] if path.is_file() else []
    except (OSError, ValueError, TypeError):
        return []
