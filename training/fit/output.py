"""The folder that a run writes: checked before the training, and kept from other runs until it is done."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from sae_model.errors import UserError
from sae_model.hub import as_folder
from sae_model.storage import PARTIAL

from . import parallel

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # on Windows two runs on one output are not kept apart
    fcntl = None

LONGEST_NAME = 230  # bytes of an output's name; files beside it have longer names, and systems allow 255


class OutputError(UserError):
    """A run cannot write to its output. The message says why."""


def check_place(output: Path) -> None:
    """Refuse a path at which no folder can be made.

    Raises:
        OutputError: it lies in a file, or its name is too long.
    """
    nearest = next(place for place in (output, *output.absolute().parents) if place.exists())
    if not nearest.is_dir():
        raise OutputError(f"{nearest} is a file, so no model can be written to {output}: name another --output.")
    if len(os.fsencode(output.resolve().name)) > LONGEST_NAME:
        raise OutputError(
            f"The name of {output} is too long for the files beside it: it has at most {LONGEST_NAME} bytes."
        )


def check_empty(output: Path) -> None:
    """Refuse, before the training, an output that the run would overwrite.

    Raises:
        OutputError: no folder can be made of it, or it holds something.
    """
    check_place(output)
    if output.is_dir() and any(path.name != PARTIAL for path in output.iterdir()):
        raise OutputError(f"{output} is not empty, and nothing is overwritten: name another --output, or remove it.")


def check_outside(output: Path, dataset: str) -> None:
    """Refuse a place inside the folder of a data set: what is written there would become part of it.

    Raises:
        OutputError: it lies there.
    """
    folder = as_folder(dataset)
    if folder is not None and output.resolve().is_relative_to(folder.resolve()):
        raise OutputError(
            f"{output} lies in the data set {dataset}, and would become a part of it: name another --output."
        )


@contextmanager
def locked(output: Path) -> Iterator[None]:
    """Keep other runs from writing to an output folder, for the time of the block.

    The lock is the system's, on the file `.NAME.lock` beside the folder: it ends with the process, however that ends.
    Of several processes of one run the first one holds it.

    Raises:
        OutputError: no folder can be made of it, or another run holds it; the message says which.
    """
    check_place(output)
    if parallel.rank() > 0:
        yield
        return
    path = sibling(output, ".", ".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("a+", encoding="utf-8") as file:
            try:
                if fcntl is not None:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise OutputError(
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


def sibling(output: Path, before: str, after: str) -> Path:
    """A file beside the output folder, which has a name even where it is called "."."""
    place = output.resolve()
    return place.with_name(before + place.name + after)
