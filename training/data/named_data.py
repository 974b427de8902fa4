"""The data sets that have a name: named.toml. MNIST comes with the project, the others are downloaded once.

A data folder is laid out as torchvision does it. `MNIST/raw/`, `FashionMNIST/raw/` or `KMNIST/raw/` hold the four IDX
files, plain or .gz; they are read here, where they are, and nothing is unpacked. All others are read by torchvision.
"""

from __future__ import annotations

import gzip
import sys
import tempfile
import tomllib
import zlib
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .images import DataError, Half, Split

UNKNOWN = "unknown"


@dataclass(frozen=True)
class About:
    """What is known about a data set."""

    title: str
    """What people call it."""
    classes: tuple[str, ...]
    """What the labels stand for; one class where there are none."""
    licence: str = UNKNOWN
    """Of the images."""
    credit: str = ""
    """Who made it."""
    hub: str | None = None
    """Its repo on the Hub."""

    @property
    def attribution(self) -> str:
        """Its title, who made it and its licence, as one sentence."""
        licence = "licence unknown" if self.licence == UNKNOWN else self.licence
        return f"{self.title}: {', '.join(filter(None, (self.credit, licence)))}."


@dataclass(frozen=True)
class Named:
    """A data set that has a name; another one is one more entry in named.toml."""

    about: About
    """What is known about it."""
    read: Callable[[Path, Half], Split]
    """Reads a half of it from a data folder, where it is put first if it is not there."""


def _read_idx(source: str, data_dir: Path, half: Half) -> Split:
    """Read a half of a data set in IDX files; `source` is its class in `torchvision.datasets`, and its folder."""
    prefix, raw = "t10k" if half == "test" else "train", data_dir / source / "raw"
    if not any(raw.glob("*-ubyte*")):
        with tempfile.TemporaryDirectory(dir=data_dir, prefix=".download-") as stage:  # all its files or none
            fetched = _of_torchvision(source, stage, raw)
            raw.mkdir(parents=True, exist_ok=True)
            for archive in Path(fetched.raw_folder).glob("*.gz"):
                archive.replace(raw / archive.name)
    images = _idx_file(raw, f"{prefix}-images-idx3-ubyte", dimensions=3)
    labels = _idx_file(raw, f"{prefix}-labels-idx1-ubyte", dimensions=1)
    return Split(images.unsqueeze(1), labels.long())


def _idx_file(raw: Path, name: str, dimensions: int) -> Tensor:
    """An IDX file of bytes: out of its .gz where there is one (it carries a checksum), else plain.

    The format: two zero bytes, 8 for bytes, the number of dimensions, each dimension as four bytes, then the values.
    """
    packed = raw / f"{name}.gz"
    path = packed if packed.is_file() else raw / name
    try:
        content = gzip.decompress(path.read_bytes()) if path == packed else path.read_bytes()
        start = 4 + 4 * dimensions
        shape = np.frombuffer(content[4:start], ">u4").tolist()
        values = np.frombuffer(content, np.uint8, offset=start)
        if content[:4] != bytes((0, 0, 8, dimensions)) or len(values) != np.prod(shape):
            raise ValueError("not what the first bytes say")
        return torch.from_numpy(values.copy()).reshape(shape)
    except FileNotFoundError as error:
        raise DataError(
            f"{packed} is missing (the plain file would do): put it there, or name another --data-dir."
        ) from error
    except (OSError, EOFError, zlib.error, ValueError, TypeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the system's word: no permission, no space left
        raise DataError(f"{path} is not a whole IDX file of images or labels: fetch it again.") from error


def _read_torchvision(
    source: str,
    data_dir: Path,
    half: Half,
    axes: Sequence[int],
    first_label: int = 0,
    half_is: str = "train",
    **options: str,
) -> Split:
    """A half of a data set that torchvision downloads, checks and reads.

    Args:
        source: its class in `torchvision.datasets`, which takes the `options`.
        axes: those of its images in the order (n, channels, height, width), or (n, height, width).
        first_label: the label of its first class.
        half_is: what the class calls the half: "train", true or false, or "split", a name.
    """
    which = {half_is: half == "train" if half_is == "train" else half}
    found = _of_torchvision(source, data_dir, data_dir, **which, **options)
    images = torch.as_tensor(np.asarray(found.data)).permute(*axes).contiguous()
    labels = found.labels if hasattr(found, "labels") else found.targets
    labels = torch.as_tensor(np.asarray(labels)).long() - first_label
    return Split(images if images.ndim == 4 else images.unsqueeze(1), labels)


def _of_torchvision(source: str, folder: str | Path, place: Path, **options: Any) -> Any:
    """A data set of torchvision's, downloaded to a folder where it is not there; `place` is what messages name."""
    from .torchvision_import import datasets  # a second to import, and MNIST does not need it

    try:
        with redirect_stdout(sys.stderr):
            return getattr(datasets, source)(folder, download=True, **options)
    except ImportError as error:
        raise DataError(f"{source} is read with the help of {error.name}: `pip install {error.name}`.") from error
    except (RuntimeError, OSError, ValueError, AssertionError, EOFError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[-1][:100]
        raise DataError(
            f"{source} is not whole in {place} and could not be downloaded ({why}): put its files there as torchvision "
            "lays them out, or name the folder that has them with --data-dir."
        ) from error


def _named(
    title: str, classes: Sequence[str], credit: str, licence: str = UNKNOWN, hub: str | None = None, **read: Any
) -> Named:
    """An entry of the table."""
    idx = read.pop("idx", None)
    how = partial(_read_torchvision, read.pop("torchvision"), **read) if idx is None else partial(_read_idx, idx)
    return Named(About(title, tuple(classes), licence, credit, hub), how)


with Path(__file__).with_name("named.toml").open("rb") as table:
    DATASETS = {name: _named(**entry) for name, entry in tomllib.load(table).items()}
