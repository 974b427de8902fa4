"""Runs that can be killed at any moment and taken up again.

A run that writes to `my-model` keeps one file beside it, `my-model.checkpoint`, and replaces it, whole, on a steady
beat. It is gone when the model is there. While the run lasts, nobody else writes to `my-model`.
"""

from __future__ import annotations

import hashlib
import io
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

from sae_model.errors import UserError
from sae_model.storage import PARTIAL, write_file

from ..data import Images
from .loop import Snapshot
from .recipe import Recipe

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # on Windows two runs on one output are not kept apart
    fcntl = None

STEPS_PER_CHECKPOINT = 500
BATCH = 1000


class CheckpointError(UserError):
    """A checkpoint cannot be used, or the output is another run's. The message says why."""


class Checkpoint:
    """The checkpoint of one run: of one recipe, on these images, for this output folder."""

    def __init__(self, output: Path, recipe: Recipe, images: Images) -> None:
        self.path = checkpoint_path(output)
        digest = hashlib.sha256(recipe.to_json().encode())
        digest.update(repr((tuple(images.shape), images.dtype)).encode())
        for batch in _looked_at(images):
            digest.update(batch.cpu().contiguous().flatten(1).view(torch.uint8).numpy().data)
        self.run = digest.hexdigest()

    def write(self, snapshot: Snapshot) -> None:
        """Replace the checkpoint, whole.

        Raises:
            OSError: it cannot be written. The one before is untouched.
        """
        content = io.BytesIO()  # a few megabytes; written by ourselves, so that errors are those of the disk
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
            raise CheckpointError(f"{self.path} is no whole checkpoint: remove it, and begin anew.") from error
        if run != self.run:
            raise CheckpointError(
                f"{self.path} was left by a run of another recipe or other images: repeat that command with --resume "
                "(that call with resume=), or remove the file."
            )
        return snapshot


def _looked_at(images: Images) -> Iterator[Tensor]:
    """What tells images from others: all of a tensor, and some of what may be larger than the memory."""
    if isinstance(images, Tensor):
        yield from images.split(BATCH)
    else:
        yield images[torch.linspace(0, len(images) - 1, BATCH).long().unique()]


def checkpoint_path(output: Path) -> Path:
    """Where the checkpoint of a run for this output folder is."""
    return _beside(output, "", ".checkpoint")


def remove_checkpoint(output: Path) -> None:
    """Remove what is left of a run that is done."""
    checkpoint_path(output).unlink(missing_ok=True)
    _beside(output, ".", f".checkpoint{PARTIAL}").unlink(missing_ok=True)


def _beside(output: Path, before: str, after: str) -> Path:
    """A file beside the output folder, which has a name even where it is called "."."""
    place = output.resolve()
    return place.with_name(before + place.name + after)


@contextmanager
def locked(output: Path) -> Iterator[None]:
    """Keep other runs from writing to an output folder, for the time of the block.

    The lock is the system's, on the file `.NAME.lock` beside the folder: it ends with the process, however that ends.

    Raises:
        CheckpointError: another run holds it; the message says which.
    """
    path = _beside(output, ".", ".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("a+", encoding="utf-8") as file:
            try:
                if fcntl is not None:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise CheckpointError(
                    f"{output} is being written by another run ({file.read(100) or 'which just began'}): "
                    "wait until it is done, or name another output."
                ) from None
            if not path.exists() or not os.path.samestat(path.stat(), os.fstat(file.fileno())):
                continue  # the run that held it was done, and removed it, just now
            file.truncate(0)
            file.write(f"process {os.getpid()} on {platform.node()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}")
            file.flush()
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return
