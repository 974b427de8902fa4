"""A file of arrays as a data set: .npz or .safetensors with `images` and, if there are any, `labels` and others; or
.npy, with images alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from sae_model.storage import LFS_ADVICE, is_lfs_pointer

from .image_store import SEED, Piece, halves, held_out_groups, stored
from .images import DataError, Half, Places, Split, called, resized

ENDINGS = (".npy", ".npz", ".safetensors")
BATCH = 1000
MOST_CLASSES = 10_000
WHOLE = {"labels": "labels are whole numbers from 0", "groups": "groups are whole numbers"}
MOST_CHANNELS = 4  # of images; a last axis that is no longer, after two that are, holds channels


HELD_OUT = 0.1
VALIDATION = 1 / 12
MOST_VALIDATION = 5_000


@dataclass(frozen=True)
class Arrays:
    """What a file holds, checked."""

    images: Tensor
    """(n, channels, height, width) or (n, length), bytes or floats."""
    labels: Tensor | None = None
    """(n,), whole numbers from 0."""
    groups: Tensor | None = None
    """(n,), whole numbers: rows of one group are held out together."""
    positions: Tensor | None = None
    """(n, 2): row and column of each row in its group, where rows are patches; not checked yet."""


def read_arrays(
    path: Path, image_size: int | None = None, grey: bool = False, bounded: bool = True
) -> tuple[tuple[str, ...], dict[Half, Split], int | None]:
    """The classes and the two halves of a file, and its number of validation images (None leaves that to others).

    It has `images`, (n, channels, height, width) or vectors (n, length), bytes or floats. It may have `labels` (n,),
    whole numbers; and `groups` (n,), whole numbers, such as the number of the image that a patch is from.

    `test_images`, and `test_labels` where there are labels, are its test split. Without them a seeded tenth of each
    class is held out to measure on; where there are groups, a tenth in whole groups, and the validation split too.

    Raises:
        DataError: no such arrays; another shape or type; NaN; values or labels out of range.
    """
    stat = path.stat()
    train, test = _arrays(path)
    labels = [part.labels for part in (train, test) if part is not None and part.labels is not None]
    count = max((int(of_part.max()) + 1 for of_part in labels), default=1)
    classes = (path.stem,) if not labels else tuple(map(str, range(count)))
    rows, validation = _rows_of_halves(path, train, test, classes)
    images = [train.images, *([] if test is None else [test.images])]
    labels = labels or [torch.zeros(len(part), dtype=torch.long) for part in images]
    contents, parts = stored(
        f"{path.resolve()} {image_size} {grey}",
        (stat.st_size, stat.st_mtime_ns),
        partial(_pieces, path, images, labels, rows, image_size, grey),
    )
    if bounded and contents.dtype != "uint8" and not 0 <= contents.lowest <= contents.highest <= 1:
        raise DataError(
            f"The rows in {path} have values from {contents.lowest:.3g} to {contents.highest:.3g}; floats lie in "
            "[0, 1]. Scale them, or allow any range: --loss mse, in Python bounded=False."
        )
    return classes, parts, validation


def read_places(path: Path) -> Places | None:
    """Where the rows of the test half of a file are from, in their order; None where the file does not say.

    `groups` (n,) and, if there are any, `positions` (n, 2) say it; of a file with its own test split `test_groups` and
    `test_positions`.

    Raises:
        DataError: positions that are not two whole numbers of at least 0 for each row.
    """
    train, test = _arrays(path)
    found = train if test is None else test
    if found.groups is None:
        return None
    rows = _rows_of_halves(path, train, test, ("",), quiet=True)[0]["test"]
    at = found.positions
    if at is not None and (at.shape != (len(found.groups), 2) or at.is_floating_point() or at.min() < 0):
        raise DataError(f"`positions` of {path} are the row and the column of each patch in its image, (n, 2), from 0.")
    return Places(found.groups[rows], None if at is None else at[rows].long())


def _rows_of_halves(
    path: Path, train: Arrays, test: Arrays | None, classes: tuple[str, ...], quiet: bool = False
) -> tuple[dict[Half, Tensor], int | None]:
    """The rows of both halves (of the file's own test split, where it has one), and how many are for validation."""
    every = torch.zeros(len(train.images), dtype=torch.long) if train.labels is None else train.labels
    if train.groups is None:
        if test is None:
            return halves(every, classes, str(path), called(train.images)), None
        order = torch.randperm(len(every), generator=torch.Generator().manual_seed(SEED))
        return {"train": order, "test": torch.arange(len(test.images))}, None
    rest, groups = torch.arange(len(every)), train.groups
    if test is None:
        rest, held_out = held_out_groups(groups, HELD_OUT)
        if not quiet:
            print(
                f"{path} has no test half: {len(held_out):,} of its {len(every):,} {called(train.images)}, whole "
                "groups chosen by seed, are held out to measure on.",
                file=sys.stderr,
            )
    else:
        held_out = torch.arange(len(test.images))
    learned, checked = held_out_groups(groups[rest], min(VALIDATION, MOST_VALIDATION / len(rest)))
    return {"train": rest[torch.cat([learned, checked])], "test": held_out}, len(checked)


def _pieces(
    path: Path,
    images: list[Tensor],
    labels: list[Tensor],
    rows: dict[Half, Tensor],
    image_size: int | None,
    grey: bool,
) -> Iterator[Piece]:
    """The rows of both halves. Where there are two arrays, the second one is the test half."""
    for name, part in zip(("images", "test_images"), images, strict=False):
        _check_finite(path, name, part)
    for half, of_half in rows.items():
        which = -1 if half == "test" else 0
        for some in of_half.split(BATCH):
            chosen = images[which][some]
            if chosen.ndim == 4:
                chosen = resized(chosen, image_size, grey)
            yield Piece(half, chosen.float() if chosen.dtype == torch.float64 else chosen, labels[which][some])


def _check_finite(path: Path, name: str, images: Tensor) -> None:
    is_finite = torch.cat([batch.isfinite().flatten(1).all(1) for batch in images.split(BATCH)])
    wrong = (~is_finite).nonzero().flatten().tolist()
    if wrong:
        raise DataError(
            f"`{name}` of {path} holds NaN or infinity in {len(wrong):,} row(s), first in {name}[{wrong[0]}]: leave "
            "such rows out."
        )


NAMES = tuple(f"{half}{name}" for half in ("", "test_") for name in ("images", "labels", "groups", "positions"))


def _arrays(path: Path) -> tuple[Arrays, Arrays | None]:
    """The arrays of a file, of the right shapes and types, and those of its test split, where it has one.

    Those of .safetensors stay on disk.
    """
    if is_lfs_pointer(path):
        raise DataError(f"{path} is {LFS_ADVICE}.")
    try:
        if path.suffix == ".npy":
            found = {"images": _as_tensor(path, "images", {"images": np.load(path, "c", allow_pickle=False)})}
        elif path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                found = {name: _as_tensor(path, name, file) for name in NAMES if name in file}
        else:
            with safe_open(path, "pt") as file:
                found = {name: file.get_tensor(name) for name in NAMES if name in file.keys()}  # noqa: SIM118
    except DataError:
        raise
    except Exception as error:  # of numpy, zip, zlib, Python's own parser: anybody may have written the file
        raise DataError(
            f"{path} is not a complete {path.suffix} file of numbers ({str(error)[:80]}): write it again."
        ) from error
    if "images" not in found:
        raise DataError(f"{path} has no array `images`: it needs one of (n, channels, height, width) or (n, length).")
    train = _checked(path, found, "")
    if train.labels is not None:
        _check_classes(path, train.labels)
    if "test_images" not in found:
        return train, None
    test = _checked(path, found, "test_")
    if test.images.shape[1:] != train.images.shape[1:] or test.images.dtype != train.images.dtype:
        raise DataError(
            f"`test_images` of {path} are {tuple(test.images.shape[1:])} of {_type(test.images)}, and `images` are "
            f"{tuple(train.images.shape[1:])} of {_type(train.images)}: store both alike."
        )
    if (train.labels is None) != (test.labels is None):
        raise DataError(f"{path} has labels for one of `images` and `test_images`: it needs them for both, or none.")
    if test.labels is not None and train.labels is not None and int(test.labels.max()) > int(train.labels.max()):
        raise DataError(f"`test_labels` of {path} name classes that `labels` do not: number the classes of both alike.")
    return train, test


def _checked(path: Path, found: dict[str, Tensor], prefix: str) -> Arrays:
    images = _checked_images(path, f"{prefix}images", found[f"{prefix}images"])
    labels, groups = (
        _checked_whole(path, f"{prefix}{name}", found.get(f"{prefix}{name}"), len(images)) for name in WHOLE
    )
    return Arrays(images, labels, groups, found.get(f"{prefix}positions"))


def _checked_images(path: Path, name: str, images: Tensor) -> Tensor:
    if images.ndim not in (2, 4) or images.numel() == 0:
        raise DataError(
            f"`{name}` of {path} has the shape {tuple(images.shape)}; it comes as (n, channels, height, width), and "
            "vectors as (n, length)."
        )
    if images.ndim == 4 and images.shape[3] <= MOST_CHANNELS < min(images.shape[1:3]):
        n, height, width, channels = images.shape
        raise DataError(
            f"`{name}` of {path} has the shape {(n, height, width, channels)}, channels last; it comes as "
            f"(n, channels, height, width): store {name}.transpose(0, 3, 1, 2). If channels are first, and images so "
            f"narrow, turn them: {name}.transpose(0, 1, 3, 2)."
        )
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise DataError(f"`{name}` of {path} is of {_type(images)}; it holds bytes (uint8), or floats in [0, 1].")
    return images


def _as_tensor(path: Path, name: str, file: Mapping[str, np.ndarray]) -> Tensor:
    """Read an array of an .npz file; the caller may close the file then."""
    kind = name.removeprefix("test_")
    what = WHOLE.get(kind, "images are bytes or floats")
    number = f": np.unique({name}, return_inverse=True)[1] numbers them" if kind in WHOLE else ""
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
            f"`{name}` of {path} is of {array.dtype.name} in the byte order of other CPUs: store "
            f'{name}.astype("{array.dtype.name}").'
        )
    return torch.from_numpy(array)


def _checked_whole(path: Path, name: str, numbers: Tensor | None, count: int) -> Tensor | None:
    """Labels or groups as whole numbers of at least 0, one for each image."""
    if numbers is None:
        return None
    if numbers.is_floating_point() or numbers.is_complex() or numbers.dtype == torch.bool:
        raise DataError(f"`{name}` of {path} is of {_type(numbers)}; {WHOLE.get(name, WHOLE['labels'])}.")
    if numbers.shape != (count,):
        raise DataError(
            f"`{name}` of {path} has the shape {tuple(numbers.shape)} for {count} rows; it needs ({count},)."
        )
    numbers = numbers.long()
    if name == "test_labels" and int(numbers.min()) < 0:
        raise DataError(f"`{name}` of {path} go from {int(numbers.min())}; they are whole numbers from 0.")
    return numbers


def _check_classes(path: Path, labels: Tensor) -> None:
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < 0 or highest >= MOST_CLASSES:
        raise DataError(
            f"`labels` of {path} go from {lowest} to {highest}; they are whole numbers from 0, one for each class."
        )
    missing = (labels.bincount() == 0).nonzero().flatten()
    if len(missing):
        raise DataError(
            f"`labels` of {path} go up to {highest}, and no row has the label {int(missing[0])}: number classes from "
            "0 without gaps."
        )


def _type(values: Tensor) -> str:
    return str(values.dtype).removeprefix("torch.")
