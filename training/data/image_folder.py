"""A folder of image files as a data set: `train/CLASS/*` and `test/CLASS/*`, the Hub's `imagefolder` layout.

Without `train/` the folder itself is the training half. Where there is no `test/`, a seeded tenth of each class is
held out. Image files that lie in a half directly are one class.
"""

from __future__ import annotations

import hashlib
import os
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from training.data.image_store import Contents, Piece, check_enough, halves, shuffled, stored
from training.data.images import DataError, Half, Split, resized

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
BATCH = 256
FILES_A_WORKER = 2_000  # starting one takes about as long as reading so many small files
GREY_MODES = ("1", "L", "LA", "I", "I;16", "I;16L", "I;16B")


@dataclass(frozen=True)
class Files:
    """The image files of one half, and the class of each."""

    classes: tuple[str, ...]
    paths: list[str]
    labels: list[int]


class Look(NamedTuple):
    """What the head of an image file says, or why the file cannot be read."""

    size: tuple[int, int] = (0, 0)
    """(width, height)."""
    is_grey: bool = True
    broken: str | None = None


def read_folder(
    folder: Path, image_size: int | None = None, grey: bool = False, skip_broken: bool = False
) -> tuple[tuple[str, ...], dict[Half, Split]]:
    """The classes and the two halves of a folder of image files, as bytes.

    Images are grey, (n, 1, height, width), where all of them are or `grey` is set, and (n, 3, height, width) otherwise.

    Args:
        folder: the folder.
        image_size: the middle square of each image is scaled to this many pixels a side.
        grey: turn images in colour grey.
        skip_broken: leave out files that cannot be read, and say how many.

    Raises:
        DataError: no images, or too few; a class without images in one half; a file that cannot be read; images of
            different sizes where no size is given.
    """
    train = _files(folder / "train" if (folder / "train").is_dir() else folder)
    test = _files(folder / "test") if (folder / "test").is_dir() else None
    if test is None:
        rows = halves(torch.tensor(train.labels), train.classes, str(folder))
        order = {
            half: [(train.paths[row], train.labels[row]) for row in of_half]
            for half, of_half in (("train", rows.train), ("test", rows.test))
        }
        print(
            f"{folder} has no test half: {len(rows.test):,} of its {len(train.paths):,} images, a tenth of each class "
            f"chosen by seed, are held out to measure on.",
            file=sys.stderr,
        )
    else:
        _check_same_classes(folder, train, test)
        order = {
            half: [(files.paths[row], files.labels[row]) for row in shuffled(len(files.paths))]
            for half, files in (("train", train), ("test", test))
        }
    version = hashlib.sha256()
    for half, files in order.items():
        for path, label in files:
            stat = Path(path).stat()
            version.update(f"{half} {path} {label} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    contents, parts = stored(
        f"{folder.resolve()} {image_size} {grey} {skip_broken}",
        version.hexdigest(),
        partial(_pieces, order, image_size, grey, skip_broken),
    )
    _check_no_class_is_lost(contents, train.classes, folder)
    check_enough(contents, str(folder))
    return train.classes, parts


def _files(root: Path) -> Files:
    """The image files below a folder: those of each class folder, or those in the folder itself."""
    own = sorted(str(path) for path in root.iterdir() if path.is_file() and _is_image(path))
    folders = [path for path in sorted(root.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    if root.name != "train" and not own:
        folders = [path for path in folders if path.name != "test"]
    of_class = {path.name: sorted(map(str, filter(_is_image, path.rglob("*")))) for path in folders}
    if own and any(of_class.values()):
        lost = next(name for name, paths in of_class.items() if paths)
        raise DataError(
            f"{root} has image files both directly in it ({Path(own[0]).name}) and in folders ({lost}): put each into "
            "the folder of its class, or all of them directly in it."
        )
    if own:
        return Files((root.name,), own, [0] * len(own))
    if not any(of_class.values()):
        raise DataError(f"{root} holds no images: it needs files ending in {', '.join(ENDINGS)}, in a folder a class.")
    for name, paths in of_class.items():
        if not paths:
            raise DataError(f"{root} has the folder {name}, a class, without any image: fill it, or remove it.")
    labelled = [(path, label) for label, paths in enumerate(of_class.values()) for path in paths]
    return Files(tuple(of_class), *map(list, zip(*labelled, strict=True)))


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS and not path.name.startswith(".")


def _check_same_classes(folder: Path, train: Files, test: Files) -> None:
    if len(train.classes) == len(test.classes) == 1:  # files without class folders bear the names of the halves
        return
    for have, lack, of in (("train", "test", (train, test)), ("test", "train", (test, train))):
        missing = sorted(set(of[0].classes) - set(of[1].classes))
        if missing:
            raise DataError(
                f"{folder / lack} has no images of the class {missing[0]!r:.60}, which {have}/ has: add some."
            )


def _check_no_class_is_lost(contents: Contents, classes: tuple[str, ...], folder: Path) -> None:
    for half, labels in contents.labels.items():
        for label in set(range(len(classes))) - set(labels):
            raise DataError(f"No file of the class {classes[label]!r:.60} in the {half} half of {folder} can be read.")


def _pieces(
    order: dict[Half, list[tuple[str, int]]], image_size: int | None, grey: bool, skip_broken: bool
) -> Iterator[Piece]:
    """Decode all files, by workers where there are many."""
    everything = [path for files in order.values() for path, _ in files]
    unreadable, in_colour = _look_at_all(everything, skip_broken, image_size is None)
    decode = partial(_decode, in_colour=in_colour and not grey, image_size=image_size)
    for half, files in order.items():
        kept = [(path, label) for path, label in files if path not in unreadable]
        position = 0
        for batch in _worked([path for path, _ in kept], decode, f"{half} images read"):
            some = kept[position : position + len(batch)]
            position += len(batch)
            bad = {path: found for (path, _), found in zip(some, batch, strict=True) if isinstance(found, str)}
            _check_broken(bad, skip_broken)
            unreadable |= bad
            good = [(found, label) for found, (_, label) in zip(batch, some, strict=True) if not isinstance(found, str)]
            if good:
                images, labels = zip(*good, strict=True)
                yield Piece(half, torch.stack(images), torch.tensor(labels))
    if unreadable:
        path, why = next(iter(unreadable.items()))
        print(f"Left out {len(unreadable):,} files that cannot be read, such as {path} ({why}).", file=sys.stderr)


def _look_at_all(paths: list[str], skip_broken: bool, one_size: bool) -> tuple[dict[str, str], bool]:
    """Which files cannot be read, and why; and whether any of the others is in colour.

    Raises:
        DataError: a file that cannot be read and may not be skipped; images of different sizes, where one is needed.
    """
    unreadable, in_colour, first, other = {}, False, None, None
    looks = (look for batch in _worked(paths, _look, "looked at") for look in batch)
    for path, look in zip(paths, looks, strict=True):
        if look.broken:
            unreadable[path] = look.broken
            continue
        in_colour |= not look.is_grey
        first = first or (path, look.size)
        if look.size != first[1]:
            other = other or (path, look.size)
    _check_broken(unreadable, skip_broken)
    if one_size and other:
        (one, (w, h)), (path, (v, g)) = first, other
        raise DataError(
            f"Images have different sizes: {one} has {w} x {h} pixels, {path} has {v} x {g}. Bring all to one by "
            "--image-size N."
        )
    return unreadable, in_colour


def _worked(paths: list[str], work: partial, words: str) -> Iterator[list]:
    """What `work` makes of each file, a list for each batch, in order; done by a DataLoader's workers."""
    workers = min(os.cpu_count() or 1, len(paths) // FILES_A_WORKER)
    loader = DataLoader(_Work(paths, work), BATCH, num_workers=workers, collate_fn=list)
    with tqdm(total=len(paths), desc=words, unit=" files", disable=None if workers else True) as bar:
        for batch in loader:
            yield batch
            bar.update(len(batch))


@dataclass(frozen=True)
class _Work:
    """Files as what a DataLoader takes."""

    paths: list[str]
    work: partial

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int) -> object:
        return self.work(self.paths[i])


def _open(path: str) -> Image.Image:
    """An image as a camera meant it to be seen. It is decoded when its pixels are asked for.

    Raises:
        UnidentifiedImageError, OSError, ...: see `UNREADABLE`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)  # PIL's limit: 90 million pixels
        image = Image.open(path)
    ImageOps.exif_transpose(image, in_place=True)
    return image


UNREADABLE = (
    UnidentifiedImageError,
    OSError,
    SyntaxError,  # PIL's word for a broken PNG
    ValueError,
    EOFError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


def _why(error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"it has more than {Image.MAX_IMAGE_PIXELS:,} pixels"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "it is no whole image"


def _look(path: str) -> Look:
    try:
        with _open(path) as image:
            return Look(image.size, image.mode in GREY_MODES)
    except UNREADABLE as error:
        return Look(broken=_why(error))


def _decode(path: str, in_colour: bool, image_size: int | None) -> Tensor | str:
    """An image file as bytes (1 or 3, height, width), or why it cannot be read."""
    try:
        with _open(path) as image:
            if image.mode.startswith("I"):  # 16 bits a pixel
                image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
            pixels = np.array(image.convert("RGB" if in_colour else "L"))
    except UNREADABLE as error:
        return _why(error)
    tensor = torch.from_numpy(pixels)
    tensor = tensor.permute(2, 0, 1) if in_colour else tensor.unsqueeze(0)
    return resized(tensor.unsqueeze(0), image_size, grey=False)[0]


def _check_broken(broken: dict[str, str], skip_broken: bool) -> None:
    if broken and not skip_broken:
        path, why = next(iter(broken.items()))
        more = f" ({len(broken):,} such files)" if len(broken) > 1 else ""
        raise DataError(
            f"{path} cannot be read: {why}{more}. Mend or remove it, or leave such files out by --skip-broken."
        )
