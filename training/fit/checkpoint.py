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

import torch
from torch import Tensor

from sae_model.errors import UserError
from sae_model.storage import PARTIAL, write_file

from ..data import Images
from .loop import Snapshot
from .output import sibling
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
        for batch in _to_be_hashed(images):
            digest.update(batch.cpu().contiguous().flatten(1).view(torch.uint8).numpy().data)
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
            run, snapshot = content["run"], content["snapshot"]
        except Exception as error:  # of whatever is in the file
            raise CheckpointError(f"{self.path} is not a complete checkpoint: remove it, and start again.") from error
        if run != self.run:
            raise CheckpointError(
                f"{self.path} was left by a run of another recipe or other images: repeat that command with --resume "
                "(that call with resume=), or remove the file."
            )
        return snapshot


def _to_be_hashed(images: Images) -> Iterator[Tensor]:
    """Yield the images by which a checkpoint knows its data: all of a tensor, or a sample of what may exceed memory."""
    if isinstance(images, Tensor):
        yield from images.split(BATCH)
    else:
        yield images[torch.linspace(0, len(images) - 1, BATCH).long().unique()]


def checkpoint_path(output: Path) -> Path:
    """Where the checkpoint of a run for this output folder is."""
    return sibling(output, "", ".checkpoint")


def remove_checkpoint(output: Path) -> None:
    """Remove what is left of a run that is done."""
    checkpoint_path(output).unlink(missing_ok=True)
    sibling(output, ".", f".checkpoint{PARTIAL}").unlink(missing_ok=True)
