"""Runs that can be killed at any moment and taken up again.

A run that writes to `my-model` keeps one file beside it, `my-model.checkpoint`, and replaces it on a steady beat; the
next one is written to `my-model.checkpoint.new` first, so there is always a whole one. Both are gone when the model is
there.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from pathlib import Path

import torch
from torch import Tensor

from training.loop import Snapshot
from training.recipe import Recipe

STEPS_PER_CHECKPOINT = 500


class CheckpointError(Exception):
    """A checkpoint cannot be used. The message says why."""


class Checkpoint:
    """The checkpoint of one run: of one recipe, on these images, for this output folder."""

    def __init__(self, output: Path, recipe: Recipe, images: Tensor) -> None:
        self.path, self.next_path = checkpoint_paths(output)
        digest = hashlib.sha256(recipe.to_json().encode())
        digest.update(images.numpy())
        self.run = digest.hexdigest()

    def exists(self) -> bool:
        return self.path.exists()

    def write(self, snapshot: Snapshot) -> None:
        """Replace the checkpoint, whole.

        Raises:
            OSError: it cannot be written. The one before is untouched.
        """
        content = io.BytesIO()  # a few megabytes; written by ourselves, so that errors are those of the disk
        torch.save({"run": self.run, "snapshot": snapshot}, content)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self.next_path.open("wb") as file:
                file.write(content.getbuffer())
                file.flush()
                os.fsync(file.fileno())
            self.next_path.replace(self.path)
        except OSError:
            self.next_path.unlink(missing_ok=True)
            raise

    def read(self) -> Snapshot:
        """The snapshot that was written last.

        Raises:
            CheckpointError: it is of another run, or no checkpoint at all.
        """
        try:
            content = torch.load(self.path, map_location="cpu", weights_only=True)
            run, snapshot = content["run"], content["snapshot"]
        except (OSError, RuntimeError, EOFError, KeyError, TypeError, ValueError, pickle.UnpicklingError) as error:
            raise CheckpointError(f"{self.path} is no whole checkpoint: remove it, and begin anew.") from error
        if run != self.run:
            raise CheckpointError(
                f"{self.path} was left by a run of another recipe or other images: repeat that command with --resume, "
                "or remove the file."
            )
        return snapshot


def checkpoint_paths(output: Path) -> tuple[Path, Path]:
    """Where the checkpoint of a run for this output folder is, and where the next one is written."""
    return output.with_name(f"{output.name}.checkpoint"), output.with_name(f"{output.name}.checkpoint.new")


def remove_checkpoint(output: Path) -> None:
    """Remove what is left of a run that is done."""
    for path in checkpoint_paths(output):
        path.unlink(missing_ok=True)
