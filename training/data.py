"""MNIST and its relatives as one tensor, and noise to put on it.

A data folder is laid out as torchvision does it: `MNIST/raw/`, `FashionMNIST/raw/` or `KMNIST/raw/` hold the four IDX
files, plain or .gz. MNIST itself comes with the project: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of
handwritten digits", licence CC BY-SA 3.0.
"""

from __future__ import annotations

import gzip
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sae_model.errors import UserError

BUNDLED = Path(__file__).parent / "data"
VALIDATION_IMAGES = 5_000

Part = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Dataset:
    """All that is known about a data set; another one of the same form is one more entry in `DATASETS`."""

    source: str
    """Its class in `torchvision.datasets`, and its folder."""
    title: str
    """What people call it."""
    credit: str
    """Who made it, and its licence."""
    classes: tuple[str, ...]
    """What the labels stand for."""
    hub: str | None = None
    """Its repo on the Hub."""


DATASETS = {
    "mnist": Dataset(
        "MNIST",
        "MNIST",
        "MNIST: Y. LeCun, C. Cortes and C. J. C. Burges, CC BY-SA 3.0.",
        tuple("0123456789"),
        "ylecun/mnist",
    ),
    "fashion-mnist": Dataset(
        "FashionMNIST",
        "Fashion-MNIST",
        "Fashion-MNIST: H. Xiao, K. Rasul and R. Vollgraf (2017), MIT.",
        ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        "zalando-datasets/fashion_mnist",
    ),
    "kmnist": Dataset(
        "KMNIST",
        "Kuzushiji-MNIST",
        "Kuzushiji-MNIST: T. Clanuwat et al. (2018), CC BY-SA 4.0.",
        ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    ),
}


class DataError(UserError):
    """Images could not be had. The message names the file and says what to do."""


class Split(NamedTuple):
    """A part of a data set: images (n, 1, 28, 28) as bytes, labels (n,) from 0 to 9."""

    images: Tensor
    labels: Tensor


def load_split(dataset: str, part: Part, data_dir: Path = BUNDLED, limit: int | None = None) -> Split:
    """Read a part of a data set. Files are read where they are; nothing is unpacked on disk.

    Where none of the data set's files are in `data_dir`, they are downloaded to it once.

    Args:
        dataset: a name in `DATASETS`.
        part: "test", the 10,000 test images; "validation", the last 5,000 training images; "train", those before them.
        data_dir: the folder that holds `MNIST/raw/` and its like.
        limit: take the first so many images only.

    Raises:
        DataError: a missing, truncated or foreign file, no way to download, or a limit below 1.
    """
    if limit is not None and limit < 1:
        raise DataError(f"A limit of {limit} leaves no image to train on: give at least 1.")
    half = "t10k" if part == "test" else "train"
    raw = _raw_folder(dataset, data_dir, half)
    images = _read(raw, f"{half}-images-idx3-ubyte", dimensions=3)
    labels = _read(raw, f"{half}-labels-idx1-ubyte", dimensions=1)
    if images.shape[1:] != (28, 28) or len(images) == 0:
        raise DataError(
            f"{raw}/{half}-images-idx3-ubyte holds images of {tuple(images.shape)}; 28 x 28 pixels are needed."
        )
    if len(labels) != len(images):
        raise DataError(f"{raw} has {len(images)} {half} images and {len(labels)} labels: they do not belong together.")
    kept = len(images)
    if part != "test":
        kept = len(images) - min(VALIDATION_IMAGES, len(images) // 12)
    chosen = slice(kept, None) if part == "validation" else slice(None, kept)
    return Split(images.unsqueeze(1)[chosen][:limit], labels.long()[chosen][:limit])


def as_floats(images: Tensor) -> Tensor:
    """Images as floats in [0, 1]: bytes are divided by 255, floats are passed on."""
    return images if images.is_floating_point() else images.float() / 255


def add_noise(images: Tensor, sigma: float | Tensor, generator: torch.Generator) -> Tensor:
    """Images plus Gaussian noise of standard deviation sigma (one, or one an image), not clipped to [0, 1]."""
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    return images + torch.as_tensor(sigma, device=images.device).reshape(-1, 1, 1, 1) * noise


def _raw_folder(dataset: str, data_dir: Path, half: str) -> Path:
    """The folder of a data set's files, in which those of one half are."""
    data_dir = Path(data_dir).expanduser()
    if not data_dir.is_dir():
        raise DataError(f"There is no folder {data_dir} to read {dataset} from: check --data-dir.")
    raw = data_dir / DATASETS[dataset].source / "raw"
    names = [f"{of}-{what}" for of in ("train", "t10k") for what in ("images-idx3-ubyte", "labels-idx1-ubyte")]
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


def _download(dataset: str, data_dir: Path, raw: Path) -> None:
    """Fetch a data set into `raw`, all its files or none."""
    from training.torchvision_import import datasets  # a second to import, and nothing else needs it

    try:
        with tempfile.TemporaryDirectory(dir=data_dir, prefix=".download-") as stage:
            fetched = Path(getattr(datasets, DATASETS[dataset].source)(stage, download=True).raw_folder)
            raw.mkdir(parents=True, exist_ok=True)
            for archive in fetched.glob("*.gz"):
                archive.replace(raw / archive.name)
    except (RuntimeError, OSError) as error:  # OSError covers an unwritable folder and urllib's URLError
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise DataError(
            f"{dataset} is not in {raw} and could not be downloaded ({reason}): "
            "put its four files there, or name the folder that has them with --data-dir."
        ) from error


def _read(raw: Path, name: str, dimensions: int) -> Tensor:
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
    except (OSError, EOFError, zlib.error, ValueError, TypeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the system's word: no permission, no space left
        raise DataError(f"{path} is not a whole IDX file of images or labels: fetch it again.") from error
