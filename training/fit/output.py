"""The folder that a run writes: checked before the training, and kept from other runs until it is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from sae_model.errors import UserError
from sae_model.hub import as_folder
from sae_model.storage import PARTIAL

from . import parallel


class OutputError(UserError):
    """A run cannot write to its output. The message says why."""


def check_place(output: Path) -> None:
    """Refuse an output that cannot become a folder.

    Raises:
        OutputError: it lies in a file.
    """
    nearest = next(place for place in (output, *output.absolute().parents) if place.exists())
    if not nearest.is_dir():
        raise OutputError(f"{nearest} is a file, so nothing can be written to {output}: name another --output.")


def check_empty(output: Path) -> None:
    """Refuse, before the training, an output that the run would overwrite.

    Raises:
        OutputError: it lies in a file, or it holds something.
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

    The lock is the system's, on a file beside the folder: it ends with the process, however that ends. Of several
    processes of one run the first one holds it.

    Raises:
        OutputError: another run holds it, or the output lies in a file.
    """
    if parallel.rank() > 0:
        yield
        return
    check_place(output)
    place = output.resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    path = place.with_name(f".{place.name}.lock")
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise OutputError(
            f"{output} is being written by another run: wait until it is done, or name another output."
        ) from None
    try:
        yield
    finally:
        with suppress(OSError):  # of Windows, which keeps a file that is open
            path.unlink()
        lock.release()
