"""MNIST and its relatives as one tensor, and noise to put on it.

A data folder is laid out as torchvision does it: `MNIST/raw/`, `FashionMNIST/raw/` or `KMNIST/raw/` hold the four IDX
files, plain or .gz. MNIST itself comes with the project: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of
handwritten digits", licence CC BY-SA 3.0.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from training.torchvision_import import datasets

Dataset = Literal["mnist", "fashion-mnist", "kmnist"]
DATASETS = {"mnist": datasets.MNIST, "fashion-mnist": datasets.FashionMNIST, "kmnist": datasets.KMNIST}
BUNDLED = Path(__file__).parent / "data"


class DataError(Exception):
    """Images could not be had. The message is a sentence that names the file and says what to do."""


class Split(NamedTuple):
    """One half of a data set: images (n, 1, 28, 28) as bytes, labels (n,) from 0 to 9."""

    images: Tensor
    labels: Tensor


def load_split(dataset: Dataset, train: bool, data_dir: Path = BUNDLED, limit: int | None = None) -> Split:
    """Read the training or the test half of a data set. Files are read where they are; nothing is unpacked on disk.

    Where none of the data set's files are in `data_dir`, they are downloaded to it once.

    Args:
        dataset: which one.
        train: the 60,000 images to train on, or the 10,000 to test on.
        data_dir: the folder that holds `MNIST/raw/` and its like.
        limit: take the first so many images only.

    Raises:
        DataError: a missing, truncated or foreign file, no way to download, or a limit below 1.
    """
    if limit is not None and limit < 1:
        raise DataError(f"A limit of {limit} leaves no image to train on: give at least 1.")
    half = "train" if train else "t10k"
    raw = _raw_folder(dataset, data_dir, half)
    images = _read(raw, f"{half}-images-idx3-ubyte", datasets.mnist.read_image_file)
    labels = _read(raw, f"{half}-labels-idx1-ubyte", datasets.mnist.read_label_file)
    if images.shape[1:] != (28, 28) or len(images) == 0:
        raise DataError(
            f"{raw}/{half}-images-idx3-ubyte holds images of {tuple(images.shape)}; 28 x 28 pixels are needed."
        )
    if len(labels) != len(images):
        raise DataError(f"{raw} has {len(images)} {half} images and {len(labels)} labels: they do not belong together.")
    return Split(images.unsqueeze(1)[:limit], labels[:limit])


def class_names(dataset: Dataset) -> list[str]:
    """What the ten labels stand for: "0" ... "9", or for instance "Trouser"."""
    return [name.partition(" - ")[0] for name in DATASETS[dataset].classes]


def as_floats(images: Tensor) -> Tensor:
    """Images as floats in [0, 1]: bytes are divided by 255, floats are passed on."""
    return images if images.is_floating_point() else images.float() / 255


def add_noise(images: Tensor, sigma: float | Tensor, generator: torch.Generator) -> Tensor:
    """Images plus Gaussian noise of standard deviation sigma (one, or one an image), not clipped to [0, 1]."""
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    return images + torch.as_tensor(sigma, device=images.device).reshape(-1, 1, 1, 1) * noise


def _raw_folder(dataset: Dataset, data_dir: Path, half: str) -> Path:
    """The folder of a data set's files, in which those of one half are."""
    data_dir = Path(data_dir).expanduser()
    if not data_dir.is_dir():
        raise DataError(f"There is no folder {data_dir} to read {dataset} from: check --data-dir.")
    source = DATASETS[dataset]
    raw = data_dir / source.__name__ / "raw"
    names = [name.removesuffix(".gz") for name, _md5 in source.resources]
    missing = [name for name in names if not any((raw / f"{name}{end}").is_file() for end in (".gz", ""))]
    if len(missing) == len(names):
        _download(dataset, data_dir, raw)
        return raw
    for name in missing:
        if name.startswith(half):
            raise DataError(
                f"{raw / name}.gz is missing (the plain file would do): put it there, or name another --data-dir."
            )
    return raw


def _download(dataset: Dataset, data_dir: Path, raw: Path) -> None:
    """Fetch a data set into `raw`, all its files or none."""
    try:
        with tempfile.TemporaryDirectory(dir=data_dir, prefix=".download-") as stage:
            fetched = Path(DATASETS[dataset](stage, download=True).raw_folder)
            raw.mkdir(parents=True, exist_ok=True)
            for archive in fetched.glob("*.gz"):
                archive.replace(raw / archive.name)
    except (RuntimeError, OSError) as error:  # OSError covers an unwritable folder and urllib's URLError
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise DataError(
            f"{dataset} is not in {raw} and could not be downloaded ({reason}): "
            "put its four files there, or name the folder that has them with --data-dir."
        ) from error


def _read(raw: Path, name: str, read_idx: Callable[[str], Tensor]) -> Tensor:
    """Read an IDX file with torchvision, out of its .gz where there is one (it carries a checksum), else plain."""
    packed = raw / f"{name}.gz"
    try:
        if not packed.is_file():
            return read_idx(str(raw / name))
        with tempfile.TemporaryDirectory() as scratch, gzip.open(packed) as source:
            plain = Path(scratch) / name
            with plain.open("wb") as target:
                shutil.copyfileobj(source, target)
            return read_idx(str(plain))
    except (OSError, EOFError, zlib.error, AssertionError, ValueError, TypeError, KeyError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the system's word: no permission, no space left
        path = packed if packed.is_file() else raw / name
        raise DataError(f"{path} is not a whole IDX file of images or labels: fetch it again.") from error
