"""How a model did while it was trained: a few metrics on the validation split, once an epoch."""

from __future__ import annotations

import json
from pathlib import Path

from torch import Tensor

from sae_model import SparseAutoencoder
from sae_model.errors import is_number

from .evaluation import evaluating, metrics

HISTORY_NAME = "history.json"
MOST_IMAGES = 2_000
"""Of the validation split; one pass over them takes a fraction of a second."""
MEASURED = ("bce", "fvu", "effective_l0", "dead_fraction")
Epoch = dict[str, float | None]
"""`epoch`, from 1, and the metrics after it by the names of `MEASURED`, as `Evaluation` defines them; None where there
is none."""


def measure_epoch(model: SparseAutoencoder, images: Tensor, epoch: int) -> Epoch:
    """Measure a model between two steps of its training, on the first 2,000 images of the validation split.

    Its training flag is left as it was found.
    """
    with evaluating(model):
        found = metrics(model, images[:MOST_IMAGES], sigmas=(), tops=())
    return {"epoch": epoch, **{name: getattr(found, name) for name in MEASURED}}


def read_history(folder: str | Path) -> list[Epoch]:
    """Read the history.json of a folder; nothing where there is no such file, or none that can be read."""
    try:
        history = json.loads((Path(folder) / HISTORY_NAME).read_text(encoding="utf-8"))
        epochs = [{name: epoch[name] for name in ("epoch", *MEASURED)} for epoch in history]
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return []
    return epochs if all(value is None or is_number(value) for epoch in epochs for value in epoch.values()) else []
