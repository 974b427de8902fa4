"""A file of arrays as a data set: .npz or .safetensors with `images` and, if there are any, `labels` and others; or
.npy, with images alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from sae_model.errors import first_line
from sae_model.storage import LFS_ADVICE, is_lfs_pointer

from .image_store import HELD_OUT, Piece, halves, held_out_groups, shuffled, stored
from .images import DataError, Half, Places, Split, called, resized, wrong_values
from .rows import as_tensor

ENDINGS = (".npy", ".npz", ".safetensors")
NAMES = tuple(f"{half}{name}" for half in ("", "test_") for name in ("images", "labels", "groups", "positions"))
BATCH = 1000
MOST_CLASSES = 10_000
MOST_CHANNELS = 4  # of images; a last axis that is no longer, after two that are, holds channels
VALIDATION = 1 / 12
MOST_VALIDATION = 5_000


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
    found = _arrays(path)
    classes = tuple(map(str, range(int(found["labels"].max()) + 1))) if "labels" in found else (path.stem,)
    rows, validation = _rows_of_halves(path, found, classes)
    _, parts = stored(
        f"{path.resolve()} {image_size} {grey} {bounded}",
        (stat.st_size, stat.st_mtime_ns),
        partial(_pieces, path, found, rows, image_size, grey, bounded),
    )
    return classes, parts, validation


def read_places(name: str) -> Places | None:
    """Where the rows of the test half of a data set are from, in their order; None where it is no file that says so.

    `groups` (n,) and, if there are any, `positions` (n, 2) say it; of a file with its own test split `test_groups` and
    `test_positions`.

    Raises:
        DataError: positions that are not two whole numbers of at least 0 for each row.
    """
    path = Path(name).expanduser()
    found = _arrays(path) if path.suffix in ENDINGS and path.is_file() else {}
    own = "test_" if "test_images" in found else ""
    groups, positions = found.get(f"{own}groups"), found.get(f"{own}positions")
    if groups is None:
        return None
    rows = torch.arange(len(groups)) if own else held_out_groups(groups, HELD_OUT)[1]
    if positions is None:
        return Places(groups[rows], None)
    if positions.shape != (len(groups), 2) or positions.is_floating_point() or positions.min() < 0:
        raise DataError(f"`positions` of {path} are the row and the column of each patch in its image, (n, 2), from 0.")
    return Places(groups[rows], positions[rows].long())


def _rows_of_halves(
    path: Path, found: dict[str, Tensor], classes: tuple[str, ...]
) -> tuple[dict[Half, Tensor], int | None]:
    """The rows of both halves (of the file's own test split, where it has one), and how many are for validation."""
    count, groups = len(found["images"]), found.get("groups")
    if "test_images" in found:
        order = shuffled(count) if groups is None else torch.arange(count)
        rows: dict[Half, Tensor] = {"train": order, "test": torch.arange(len(found["test_images"]))}
    else:
        labels = found.get("labels", torch.zeros(count, dtype=torch.long))
        rows = halves(labels, classes, str(path), called(found["images"]), groups)
    if groups is None:
        return rows, None
    rest = rows["train"]
    learned, checked = held_out_groups(groups[rest], min(VALIDATION, MOST_VALIDATION / len(rest)))
    return rows | {"train": rest[torch.cat([learned, checked])]}, len(checked)


def _pieces(
    path: Path, found: dict[str, Tensor], rows: dict[Half, Tensor], image_size: int | None, grey: bool, bounded: bool
) -> Iterator[Piece]:
    """The rows of both halves."""
    for half, of_half in rows.items():
        own = "test_" if half == "test" and "test_images" in found else ""
        for some in of_half.split(BATCH):
            images = found[f"{own}images"][some]
            wrong = wrong_values(images, bounded)
            if wrong:
                bad = some[~images.flatten(1).isfinite().all(1)].tolist()
                raise DataError(f"{path}: {f'{own}images[{min(bad)}]: ' if bad else ''}{wrong}")
            if images.ndim == 4:
                images = resized(images, image_size, grey)
            labels = found[f"{own}labels"][some] if "labels" in found else torch.zeros_like(some)
            yield Piece(half, images.float() if images.dtype == torch.float64 else images, labels)


def _arrays(path: Path) -> dict[str, Tensor]:
    """The arrays of a file by their `NAMES`, of the right shapes and types.

    Those of .npy and .safetensors stay on disk.
    """
    if is_lfs_pointer(path):
        raise DataError(f"{path} is {LFS_ADVICE}.")
    try:
        if path.suffix == ".safetensors":
            read = load_file(path)
        else:
            loaded = np.load(path, "c", allow_pickle=False)
            read = {"images": loaded} if path.suffix == ".npy" else loaded
        found = {name: as_tensor(read[name]) for name in NAMES if name in read}
    except Exception as error:  # of numpy, zip, zlib, Python's own parser: anybody may have written the file
        raise DataError(
            f"{path} is not a complete {path.suffix} file of numbers ({first_line(error)[:80]}): write it again. (If "
            "labels are text, np.unique(labels, return_inverse=True)[1] numbers them.)"
        ) from error
    if "images" not in found:
        raise DataError(f"{path} has no array `images`: it needs one of (n, channels, height, width) or (n, length).")
    if "test_images" not in found:
        found = {name: values for name, values in found.items() if not name.startswith("test_")}
    for name, values in found.items():
        half = "test_" if name.startswith("test_") else ""
        if name.endswith("images"):
            _check_images(path, name, values)
        elif not name.endswith("positions"):
            found[name] = _whole(path, name, values, len(found[f"{half}images"]))
    images, test_images = found["images"], found.get("test_images", found["images"])
    if test_images.shape[1:] != images.shape[1:] or test_images.dtype != images.dtype:
        raise DataError(
            f"`test_images` of {path} are {tuple(test_images.shape[1:])} of {test_images.dtype}, and `images` are "
            f"{tuple(images.shape[1:])} of {images.dtype}: store both alike."
        )
    if "test_images" in found and ("labels" in found) != ("test_labels" in found):
        raise DataError(f"{path} has labels for one of `images` and `test_images`: it needs them for both, or none.")
    if "labels" in found:
        _check_classes(path, found["labels"], found.get("test_labels", found["labels"]))
    return found


def _check_images(path: Path, name: str, images: Tensor) -> None:
    if images.ndim not in (2, 4) or images.numel() == 0:
        raise DataError(
            f"`{name}` of {path} has the shape {tuple(images.shape)}; it comes as (n, channels, height, width), and "
            "vectors as (n, length)."
        )
    if images.ndim == 4 and images.shape[3] <= MOST_CHANNELS < min(images.shape[1:3]):
        raise DataError(
            f"`{name}` of {path} has the shape {tuple(images.shape)}, channels last; it comes as "
            f"(n, channels, height, width): store {name}.transpose(0, 3, 1, 2). If channels are first, and images so "
            f"narrow, turn them: {name}.transpose(0, 1, 3, 2)."
        )
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise DataError(f"`{name}` of {path} is of {images.dtype}; it holds bytes (uint8), or floats in [0, 1].")


def _whole(path: Path, name: str, numbers: Tensor, count: int) -> Tensor:
    """Labels or groups as whole numbers, one for each image."""
    if numbers.dtype == torch.bool or numbers.is_floating_point() or numbers.shape != (count,):
        raise DataError(
            f"`{name}` of {path} is {tuple(numbers.shape)} of {numbers.dtype}; it holds whole numbers, ({count},), one "
            "for each row."
        )
    numbers = numbers.long()
    if name.endswith("labels") and not 0 <= int(numbers.min()) <= int(numbers.max()) < MOST_CLASSES:
        raise DataError(
            f"`{name}` of {path} go from {int(numbers.min())} to {int(numbers.max())}; they are whole numbers from 0, "
            "one for each class."
        )
    return numbers


def _check_classes(path: Path, labels: Tensor, test_labels: Tensor) -> None:
    highest = int(max(labels.max(), test_labels.max()))
    missing = (labels.bincount(minlength=highest + 1) == 0).nonzero().flatten().tolist()
    if missing:
        raise DataError(
            f"The labels of {path} go up to {highest}, and no row of `images` has the label {missing[0]}: number "
            "classes from 0 without gaps."
        )
