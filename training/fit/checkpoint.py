"""Runs that can be killed at any moment and taken up again.

A run that writes to `my-model` keeps one file beside it, `my-model.checkpoint`, and replaces it, whole, at regular
intervals. It is gone when the model is there.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from sae_model import SparseAutoencoder
from sae_model.errors import UserError
from sae_model.storage import PARTIAL, write_file

from ..data import Images
from . import parallel
from .loop import Progress, Snapshot, fit
from .recipe import Recipe

STEPS_PER_CHECKPOINT = 500
BATCH = 1000


class CheckpointError(UserError):
    """A checkpoint cannot be used. The message says why."""


class Checkpoint:
    """The checkpoint of one run: of one recipe, on these images, for this output folder."""

    def __init__(self, output: Path, recipe: Recipe, images: Images) -> None:
        self.path = checkpoint_path(output)
        digest = hashlib.sha256(json.dumps(recipe.to_dict(), indent=2).encode())
        digest.update(repr((tuple(images.shape), images.dtype)).encode())
        for some in _to_be_hashed(images):
            digest.update(some.cpu().contiguous().flatten(1).view(torch.uint8).numpy().data)
        self.run = digest.hexdigest()

    def write(self, snapshot: Snapshot) -> None:
        """Replace the checkpoint, whole.

        Raises:
            OSError: it cannot be written. The one before is untouched.
        """
        content = io.BytesIO()  # a few megabytes; written by `write_file`, so that its errors are the disk's
        torch.save({"run": self.run, "snapshot": snapshot}, content)
        write_file(self.path, content.getvalue())

    def read(self) -> Snapshot:
        """The snapshot that was written last.

        Raises:
            CheckpointError: it is of another run, or no checkpoint at all.
        """
        try:
            content = torch.load(self.path, map_location="cpu", weights_only=True)
            if content["run"] != self.run:
                raise ValueError("of another run")
            return content["snapshot"]
        except Exception as error:  # of whatever is in the file
            raise CheckpointError(
                f"{self.path} is no complete checkpoint of this recipe and these images: repeat the command that left "
                "it with --resume (that call with resume=), or remove the file."
            ) from error


def _to_be_hashed(images: Images) -> Iterator[Tensor]:
    """Yield the images by which a checkpoint knows its data: all of a tensor, or a sample of what may exceed memory."""
    if isinstance(images, Tensor):
        yield from images.split(BATCH)
    else:
        yield images[torch.linspace(0, len(images) - 1, BATCH, dtype=torch.float64).long().unique()]


def checkpoint_path(output: Path) -> Path:
    """Where the checkpoint of a run for this output folder is: beside it, which has a name even where it is "."."""
    return Path(f"{output.resolve()}.checkpoint")


def remove_checkpoint(output: Path) -> None:
    """Remove what is left of a run that is done."""
    path = checkpoint_path(output)
    for left in (path, path.with_name(f".{path.name}{PARTIAL}")):
        left.unlink(missing_ok=True)


def run(
    model: SparseAutoencoder,
    images: Images,
    recipe: Recipe,
    checkpoint: Checkpoint | None = None,
    kept: dict[str, Any] | None = None,
    after_epochs: bool = False,
) -> Iterator[Progress]:
    """Take the steps of `fit`, from the checkpoint on if there is one; a bar says how it goes.

    Args:
        kept: what the checkpoints hold besides; it is updated from the one that was there.

    Raises:
        CheckpointError, TrainingError, OSError: as for `Checkpoint` and `fit`.
    """
    snapshot, kept = None, {} if kept is None else kept
    if checkpoint is not None and checkpoint.path.exists():
        snapshot = checkpoint.read()
        kept |= {name: snapshot[name] for name in kept}
    leads = parallel.rank() == 0
    with tqdm(desc=recipe.name, unit=" steps", dynamic_ncols=True, disable=not leads) as bar:
        for progress in fit(model, images, recipe, snapshot, after_epochs=after_epochs):
            bar.total = progress.steps
            bar.set_postfix_str(
                f"{recipe.loss} {progress.reconstruction_loss:.4f}, penalty {progress.penalty:.4f}, "
                f"L0 {progress.l0:.1f}, dead {progress.dead_fraction:.1%}, "
                f"mean activation {progress.mean_activation:.4f}, {progress.images_per_second:,.0f} rows/s",
                refresh=False,
            )
            bar.update(progress.step - bar.n)
            yield progress
            is_due = progress.step % STEPS_PER_CHECKPOINT == 0 or progress.step == progress.steps
            if checkpoint is not None and leads and is_due:
                checkpoint.write(progress.snapshot() | kept)
