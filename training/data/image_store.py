"""Images of a user's own data set, on disk as one tensor.

Images of any number are decoded once, and written as they come to one file in the cache of huggingface_hub. Torch maps
that file into memory as one tensor: the system reads what is asked for, and drops it again where memory runs short. So
data that fits and data that does not are read by the same code, give the same bits, and take no memory of the
process; no workers have to feed the training, and the second run on the same data begins at once.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from array import array
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from huggingface_hub import cached_assets_path
from torch import Tensor

from .images import DataError, Half, Part, Split

SEED = 0
"""Of the order of the images, and of the choice of those that are held out."""
HELD_OUT = 0.1
"""The share of the rows that is measured on, where there is no test half."""
IMAGES_NAME, CONTENTS_NAME = "images.bin", "contents.json"


class Piece(NamedTuple):
    """Some images of a part, as they are written: images (n, channels, height, width) and labels (n,)."""

    part: Part
    images: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Contents:
    """What a stored file holds: the images of the parts `train`, `validation` (if it has one) and `test`, in order."""

    shape: tuple[int, ...]
    """Of one image: (channels, height, width); of a vector: (length,)."""
    dtype: str
    """uint8, float16, bfloat16 or float32."""
    labels: dict[Part, list[int]]
    repeated: int
    """Test images whose pixels are those of an image of the training half."""


def held_out_groups(groups: Tensor, share: float, seed: int = SEED) -> tuple[Tensor, Tensor]:
    """Hold out whole groups, chosen by a seed, until they are a share of all rows.

    Args:
        groups: (n,), whole numbers; rows of one number stay together.
        share: of the rows, between 0 and 1.

    Returns:
        The rows of all other groups, and those that are held out; in random order, but those of a group together.

    Raises:
        DataError: all rows are of one group.
    """
    _, members = groups.unique(return_inverse=True)
    sizes = members.bincount()
    if len(sizes) < 2:
        raise DataError("All rows are of one group, so none can be held out: at least two groups are needed.")
    order = shuffled(len(sizes), seed)
    before = sizes[order].cumsum(0) - sizes[order]
    count = min(len(sizes) - 1, max(1, int((before < share * len(groups)).sum())))
    rows = shuffled(len(groups), seed)
    rows = rows[order.argsort()[members[rows]].argsort(stable=True)]
    end = int(sizes[order[:count]].sum())
    return rows[end:], rows[:end]


def halves(
    labels: Tensor, classes: tuple[str, ...], where: str, rows_are: str = "images", groups: Tensor | None = None
) -> dict[Half, Tensor]:
    """Hold out a seeded tenth as the test half, and say so; the rows of both halves.

    It is a tenth of each class, at least one image; where there are groups, a tenth of all in whole groups. In random
    order, because the first or last images of a part are used in several places: of a data set that is sorted they
    would all be of one class.

    Raises:
        DataError: a class has fewer than two images; or all are of one group.
    """
    if groups is not None:
        chosen, (rest, test) = "whole groups chosen", held_out_groups(groups, HELD_OUT)
    else:
        chosen, order = "a tenth of each class chosen", shuffled(len(labels))
        held_out = torch.zeros(len(labels), dtype=torch.bool)
        for label, name in enumerate(classes):
            rows = order[labels[order] == label]
            if len(rows) < 2:
                raise DataError(
                    f"{where} has {len(rows)} {rows_are[:-1]}(s) of the class {name!r:.60}; at least two are "
                    "needed, one to train on and one to measure on."
                )
            held_out[rows[: max(1, round(len(rows) * HELD_OUT))]] = True
        rest, test = order[~held_out[order]], order[held_out[order]]
    print(
        f"{where} has no test half: {len(test):,} of its {len(labels):,} {rows_are}, {chosen} by seed, are held out to "
        "measure on.",
        file=sys.stderr,
    )
    return {"train": rest, "test": test}


def shuffled(count: int, seed: int = SEED) -> Tensor:
    """Numbers below `count`, (count,), in a seeded random order."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))


def stored(source: str, version: object, pieces: Callable[[], Iterable[Piece]]) -> tuple[Contents, dict[Half, Split]]:
    """The images of a source, from the cache, where they are written first if they are not there.

    Args:
        source: what is read, and how: one name for all its versions; only the latest is kept.
        version: anything whose `repr` changes when the source does.
        pieces: reads the source, all of `train` before `validation`, if there is one, and that before `test`.

    Raises:
        DataError: there are no images.
        OSError: the cache cannot be written.
    """
    shelf = cached_assets_path("sae-model", "data", _digest(source))
    place = shelf / _digest(repr(version))
    contents = _read(place)
    if contents is None:
        shutil.rmtree(place, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=shelf, prefix=".writing-") as stage:
            contents = _write(Path(stage), pieces())
            outdated = [path for path in shelf.iterdir() if not path.name.startswith(".")]
            if not place.is_dir():  # two runs may have begun at once: each has its own, and the first one's stays
                Path(stage).rename(place)
            for path in outdated:
                shutil.rmtree(path, ignore_errors=True)  # a run that reads it goes on: its file is open
    if contents.repeated:
        rows, alike = ("rows", "values as a row") if len(contents.shape) == 1 else ("images", "pixels as an image")
        print(
            f"{contents.repeated:,} of the {len(contents.labels['test']):,} test {rows} "
            f"{'has' if contents.repeated == 1 else 'have'} the same {alike} of the training half, so metrics will "
            "look better than they are.",
            file=sys.stderr,
        )
    return contents, _mapped(place / IMAGES_NAME, contents)


def _read(place: Path) -> Contents | None:
    """What a folder of the cache holds; None where it is not there or not whole."""
    try:
        contents = Contents(**json.loads((place / CONTENTS_NAME).read_text(encoding="utf-8")))
        values = sum(map(len, contents.labels.values())) * torch.Size(contents.shape).numel()
        size = values * getattr(torch, contents.dtype).itemsize
        return contents if (place / IMAGES_NAME).stat().st_size == size else None
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def _digest(words: str) -> str:
    return hashlib.sha256(os.fsencode(words)).hexdigest()[:24]


def _write(folder: Path, pieces: Iterable[Piece]) -> Contents:
    """Write images one after another, and what they are."""
    labels: dict[Part, list[int]] = {"train": [], "validation": [], "test": []}
    shape, dtype = None, None
    hashes = {"train": array("q"), "test": array("q")}
    with (folder / IMAGES_NAME).open("wb") as file:
        for part, images, its_labels in pieces:
            shape, dtype = tuple(images.shape[1:]), str(images.dtype).removeprefix("torch.")
            labels[part] += its_labels.tolist()
            values = images.contiguous().flatten(1).view(torch.uint8).numpy()
            file.write(values.data)
            hashes["test" if part == "test" else "train"].extend(hash(image.tobytes()) for image in values)
    if shape is None or dtype is None:
        raise DataError("None of the images can be read.")
    repeated = int(np.isin(np.frombuffer(hashes["test"], "q"), np.frombuffer(hashes["train"], "q")).sum())
    contents = Contents(shape, dtype, labels, repeated)
    (folder / CONTENTS_NAME).write_text(json.dumps(asdict(contents)), encoding="utf-8")
    return contents


def _mapped(path: Path, contents: Contents) -> dict[Half, Split]:
    """The two halves of a stored file, mapped into memory; the images of the validation split end the training half.

    Writing to these tensors does not change the file.
    """
    labels = torch.tensor([label for of_part in contents.labels.values() for label in of_part], dtype=torch.long)
    train = len(labels) - len(contents.labels["test"])
    pixels = torch.Size(contents.shape).numel()
    flat = torch.from_file(str(path), False, len(labels) * pixels, dtype=getattr(torch, contents.dtype))
    images = flat.reshape(len(labels), *contents.shape)
    return {"train": Split(images[:train], labels[:train]), "test": Split(images[train:], labels[train:])}
