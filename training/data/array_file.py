"""A file of arrays as a data set: .npz or .safetensors with `images` and, if there are any, `labels`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from sae_model.storage import LFS_ADVICE, is_lfs_pointer
from training.data.image_store import Piece, halves, stored
from training.data.images import DataError, Half, Split, resized

ENDINGS = (".npz", ".safetensors")
BATCH = 1000
MOST_CLASSES = 10_000
MOST_CHANNELS = 4  # of images; a last axis that is no longer, after two that are, holds channels


def read_arrays(
    path: Path, image_size: int | None = None, grey: bool = False, bounded: bool = True
) -> tuple[tuple[str, ...], dict[Half, Split]]:
    """The classes and the two halves of a file: a seeded tenth of each class is held out to measure on.

    It has `images` (n, channels, height, width), bytes or floats, and may have `labels` (n,), whole numbers.

    Raises:
        DataError: no such arrays; another shape or type; NaN; values or labels out of range.
    """
    stat = path.stat()
    images, labels = _arrays(path)
    classes = (path.stem,) if labels is None else tuple(map(str, range(int(labels.max()) + 1)))
    labels = torch.zeros(len(images), dtype=torch.long) if labels is None else labels
    rows = halves(labels, classes, str(path))
    contents, parts = stored(
        f"{path.resolve()} {image_size} {grey}",
        (stat.st_size, stat.st_mtime_ns),
        partial(_pieces, path, images, labels, rows, image_size, grey),
    )
    if bounded and contents.dtype != "uint8" and not 0 <= contents.lowest <= contents.highest <= 1:
        raise DataError(
            f"The images in {path} have values from {contents.lowest:.3g} to {contents.highest:.3g}; floats lie in "
            "[0, 1]. Scale them, or train on values of any range with --loss mse."
        )
    return classes, parts


def _pieces(
    path: Path, images: Tensor, labels: Tensor, rows: dict[Half, Tensor], image_size: int | None, grey: bool
) -> Iterator[Piece]:
    _check_finite(path, images)
    for half, of_half in rows.items():
        for some in of_half.split(BATCH):
            chosen = resized(images[some], image_size, grey)
            yield Piece(half, chosen.float() if chosen.is_floating_point() else chosen, labels[some])


def _check_finite(path: Path, images: Tensor) -> None:
    is_finite = torch.cat([batch.isfinite().flatten(1).all(1) for batch in images.split(BATCH)])
    wrong = (~is_finite).nonzero().flatten().tolist()
    if wrong:
        raise DataError(
            f"`images` of {path} holds NaN or infinity in {len(wrong):,} image(s), first in images[{wrong[0]}]: leave "
            "such images out."
        )


def _arrays(path: Path) -> tuple[Tensor, Tensor | None]:
    """`images` and `labels` of a file, of the right shapes and types. Those of .safetensors stay on disk."""
    if is_lfs_pointer(path):
        raise DataError(f"{path} is {LFS_ADVICE}.")
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                found = {name: _as_tensor(path, name, file) for name in ("images", "labels") if name in file}
        else:
            with safe_open(path, "pt") as file:
                found = {name: file.get_tensor(name) for name in ("images", "labels") if name in file.keys()}  # noqa: SIM118
    except DataError:
        raise
    except Exception as error:  # of numpy, zip, zlib, Python's own parser: anybody may have written the file
        raise DataError(
            f"{path} is no whole {path.suffix} file of numbers ({str(error)[:80]}): write it again."
        ) from error
    if "images" not in found:
        raise DataError(f"{path} has no array `images`: it needs one of (n, channels, height, width).")
    images, labels = found["images"], found.get("labels")
    if images.ndim != 4 or images.numel() == 0:
        raise DataError(
            f"`images` of {path} has the shape {tuple(images.shape)}; it comes as (n, channels, height, width), and "
            "vectors as (n, length, 1, 1)."
        )
    if images.shape[3] <= MOST_CHANNELS < min(images.shape[1:3]):
        n, height, width, channels = images.shape
        raise DataError(
            f"`images` of {path} has the shape {(n, height, width, channels)}, channels last; it comes as "
            "(n, channels, height, width): store images.transpose(0, 3, 1, 2). If channels are first, and images so "
            "narrow, turn them: images.transpose(0, 1, 3, 2)."
        )
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise DataError(f"`images` of {path} is of {_type(images)}; it holds bytes (uint8), or floats in [0, 1].")
    if labels is not None:
        _check_labels(path, labels, len(images))
        labels = labels.long()
    return images, labels


def _as_tensor(path: Path, name: str, file: Mapping[str, np.ndarray]) -> Tensor:
    """An array of an .npz file; the file is closed after it."""
    what = "labels are whole numbers from 0" if name == "labels" else "images are bytes or floats"
    number = ": np.unique(labels, return_inverse=True)[1] numbers them" if name == "labels" else ""
    try:
        array = file[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise DataError(f"`{name}` of {path} holds Python objects, such as text; {what}{number}.") from error
    if array.dtype.kind in "US":
        raise DataError(f"`{name}` of {path} holds text; {what}{number}.")
    if not array.dtype.isnative:
        raise DataError(
            f"`{name}` of {path} is of {array.dtype.name} in the byte order of other processors: store "
            f'{name}.astype("{array.dtype.name}").'
        )
    return torch.from_numpy(array)


def _check_labels(path: Path, labels: Tensor, count: int) -> None:
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise DataError(f"`labels` of {path} is of {_type(labels)}; labels are whole numbers from 0.")
    if labels.shape != (count,):
        raise DataError(
            f"`labels` of {path} has the shape {tuple(labels.shape)} for {count} images; it needs ({count},)."
        )
    labels = labels.long()
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < 0 or highest >= MOST_CLASSES:
        raise DataError(
            f"`labels` of {path} go from {lowest} to {highest}; they are whole numbers from 0, one for each class."
        )
    missing = (labels.bincount() == 0).nonzero().flatten()
    if len(missing):
        raise DataError(
            f"`labels` of {path} go up to {highest}, and no image has the label {int(missing[0])}: number classes from "
            "0 without gaps."
        )


def _type(values: Tensor) -> str:
    return str(values.dtype).removeprefix("torch.")
