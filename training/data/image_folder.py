"""A folder of image files as a data set: its files, as `folder_layout` finds them, decoded.

Where there is no test half, a seeded tenth of each class is held out.
"""

from __future__ import annotations

import hashlib
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from training.data.folder_layout import Files, find_images
from training.data.image_store import Contents, Piece, halves, shuffled, stored
from training.data.images import DataError, Half, Part, Split, resized

BATCH = 256
FILES_A_WORKER = 2_000  # starting one takes about as long as reading so many small files
GREY_MODES = ("1", "L", "LA", "I", "I;16", "I;16L", "I;16B")


def read_folder(
    folder: Path, image_size: int | None = None, grey: bool = False, skip_broken: bool = False
) -> tuple[tuple[str, ...], dict[Half, Split], int | None]:
    """The classes and the two halves of a folder of image files, as bytes; and its number of validation images.

    Those are the last ones of the training half; None where the folder has none of its own. Images are grey,
    (n, 1, height, width), where all of them are or `grey` is set, and (n, 3, height, width) otherwise.

    Raises:
        DataError: no images; a class without images in one half; a file that cannot be read; images of
            different sizes where no size is given.
    """
    classes, order = _ordered(folder)
    version = hashlib.sha256()
    for part, files in order.items():
        for path, label in files:
            stat = os.stat(path, follow_symlinks=os.path.exists(path))  # noqa: PTH110, PTH116
            version.update(f"{part} {label} {stat.st_size} {stat.st_mtime_ns} ".encode() + os.fsencode(path))
    contents, parts = stored(
        f"{folder.resolve()} {image_size} {grey} {skip_broken}",
        version.hexdigest(),
        partial(_pieces, order, image_size, grey, skip_broken),
    )
    _check_no_class_is_lost(contents, order, classes, folder)
    return classes, parts, len(contents.labels["validation"]) or None


def _ordered(folder: Path) -> tuple[tuple[str, ...], dict[Part, Files]]:
    """The classes of a folder, and the files of its parts in the seeded order in which they are stored."""
    classes, found = find_images(folder)
    order = {part: [files[row] for row in shuffled(len(files))] for part, files in found.items()}
    if "test" not in found:
        rows = halves(torch.tensor([label for _, label in found["train"]]), classes, str(folder))
        order |= {half: [found["train"][row] for row in of_half.tolist()] for half, of_half in rows.items()}
    if "validation" in found:
        print(f"{folder} has a validation split of its own, {len(found['validation']):,} images.", file=sys.stderr)
    return classes, {part: order[part] for part in get_args(Part) if part in order}


def _check_no_class_is_lost(contents: Contents, parts: Iterable[Part], classes: tuple[str, ...], folder: Path) -> None:
    for part in parts:
        for label in set(range(len(classes))) - set(contents.labels[part]):
            raise DataError(f"No file of the class {classes[label]!r:.60} in the {part} half of {folder} can be read.")


def _pieces(order: dict[Part, Files], image_size: int | None, grey: bool, skip_broken: bool) -> Iterator[Piece]:
    """Decode all files, by workers where there are many."""
    everything = [file for files in order.values() for file in files]
    unreadable, in_colour = _look_at_all(everything, skip_broken, image_size is None)
    decode = partial(_decode, in_colour=in_colour and not grey, image_size=image_size)
    for part, files in order.items():
        readable = [(path, label) for path, label in files if path not in unreadable]
        for batch in _worked(readable, decode, f"{part} images read"):
            bad = {path: why for path, _, why in batch if isinstance(why, str)}
            _check_broken(bad, skip_broken)
            unreadable |= bad
            good = [(image, label) for path, label, image in batch if path not in bad]
            if good:
                images, labels = zip(*good, strict=True)
                yield Piece(part, torch.stack(images), torch.tensor(labels))
    if unreadable:
        path, why = next(iter(unreadable.items()))
        print(f"Left out {len(unreadable):,} files that cannot be read, such as {path} ({why}).", file=sys.stderr)


def _look_at_all(files: Files, skip_broken: bool, one_size: bool) -> tuple[dict[str, str], bool]:
    """Which files cannot be read, and why; and whether any of the others is in colour.

    Raises:
        DataError: a file that cannot be read and may not be skipped; images of different sizes, where one is needed.
    """
    unreadable, in_colour, first, other = {}, False, None, None
    for path, _, look in (found for batch in _worked(files, _look, "looked at") for found in batch):
        if isinstance(look, str):
            unreadable[path] = look
            continue
        size, is_grey = look
        in_colour |= not is_grey
        first = first or (path, size)
        if size != first[1]:
            other = other or (path, size)
    _check_broken(unreadable, skip_broken)
    if one_size and other:
        (one, (w, h)), (path, (v, g)) = first, other
        raise DataError(
            f"Images have different sizes: {one} has {w} x {h} pixels, {path} has {v} x {g}. Bring all to one by "
            "--image-size N."
        )
    return unreadable, in_colour


def _worked(files: Files, work: Callable[[Image.Image], object], words: str) -> Iterator[list[tuple[str, int, object]]]:
    """Path, label and what `work` makes of each image, a list for each batch, in order; done by workers where many."""
    workers = min(os.cpu_count() or 1, len(files) // FILES_A_WORKER)
    loader = DataLoader(files, BATCH, num_workers=workers, collate_fn=partial(_each, work))
    with tqdm(total=len(files), desc=words, unit=" files", disable=None if workers else True) as bar:
        for batch in loader:
            yield batch
            bar.update(len(batch))


def _each(work: Callable[[Image.Image], object], files: Files) -> list[tuple[str, int, object]]:
    return [(path, label, _tried(work, path)) for path, label in files]


def _tried(work: Callable[[Image.Image], object], path: str) -> object:
    """What `work` makes of an image as a camera meant it to be seen; or, as text, why it cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)  # PIL's limit: 90 million pixels
            image = Image.open(path)
        with image:
            ImageOps.exif_transpose(image, in_place=True)
            return work(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return f"it has more than {Image.MAX_IMAGE_PIXELS:,} pixels"
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # SyntaxError is PIL's word for a broken PNG
        return getattr(error, "strerror", None) or "it is no whole image"


def _look(image: Image.Image) -> tuple[tuple[int, int], bool]:
    """Width and height, and whether it is grey; its pixels are not decoded."""
    return image.size, image.mode in GREY_MODES


def _decode(image: Image.Image, in_colour: bool, image_size: int | None) -> Tensor:
    """An image as bytes (1 or 3, height, width)."""
    if image.mode.startswith("I"):  # 16 bits a pixel
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    pixels = torch.from_numpy(np.array(image.convert("RGB" if in_colour else "L")))
    pixels = pixels.permute(2, 0, 1) if in_colour else pixels.unsqueeze(0)
    return resized(pixels.unsqueeze(0), image_size, grey=False)[0]


def _check_broken(broken: dict[str, str], skip_broken: bool) -> None:
    if broken and not skip_broken:
        path, why = next(iter(broken.items()))
        more = f" ({len(broken):,} such files)" if len(broken) > 1 else ""
        raise DataError(
            f"{path} cannot be read: {why}{more}. Mend or remove it, or leave such files out by --skip-broken."
        )
