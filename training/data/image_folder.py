"""A folder of image files as a data set: its files, as `folder_layout` finds them, decoded.

Where there is no test half, a seeded tenth of each class is held out.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar, get_args

import numpy as np
import torch
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError
from torch import Tensor
from tqdm import tqdm

from sae_model.errors import first_line
from sae_model.storage import LFS_ADVICE, is_lfs_pointer

from .folder_layout import Files, find_images
from .image_store import Piece, halves, shuffled, stored
from .images import DataError, Half, Part, Split, resized

BATCH = 256
MANY = 2_000
BACKGROUND = "white"
"""What lies behind transparent pixels."""
DEPTHS = (8, 10, 12, 14, 16)
"""How many bits the values of grey images with 16 bits may have."""
SIXTEEN_BITS = "I;16"
"""What PIL calls grey values of 16 bits; of the other images with 16 bits a channel it gives the upper 8."""

Found = TypeVar("Found")


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
    classes, found = find_images(folder)
    order = {part: [files[row] for row in shuffled(len(files)).tolist()] for part, files in found.items()}
    if "test" not in found:
        rows = halves(torch.tensor([label for _, label in found["train"]]), classes, str(folder))
        order |= {half: [found["train"][row] for row in of_half.tolist()] for half, of_half in rows.items()}
    if "validation" in found:
        print(f"{folder} has a validation split of its own, {len(found['validation']):,} images.", file=sys.stderr)
    order = {part: order[part] for part in get_args(Part) if part in order}  # as they are stored
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
    for part in order:
        for label in set(range(len(classes))) - set(contents.labels[part]):
            raise DataError(f"No file of the class {classes[label]!r:.60} in the {part} part of {folder} can be read.")
    return classes, parts, len(contents.labels["validation"]) or None


def _pieces(order: dict[Part, Files], image_size: int | None, grey: bool, skip_broken: bool) -> Iterator[Piece]:
    """Decode all files."""
    everything = [file for files in order.values() for file in files]
    unreadable: dict[str, str] | None = {} if skip_broken else None
    in_colour, bits = _look_at_all(everything, unreadable, image_size is None)
    decode = partial(_decode, in_colour=in_colour and not grey, image_size=image_size, bits=bits)
    for part, files in order.items():
        readable = [(path, label) for path, label in files if path not in (unreadable or ())]
        for batch in _over_files(readable, decode, f"{part} images read", unreadable):
            if batch:
                _, labels, images = zip(*batch, strict=True)
                yield Piece(part, torch.stack(images), torch.tensor(labels))
    if unreadable:
        path, why = next(iter(unreadable.items()))
        print(f"Left out {len(unreadable):,} files that cannot be read, such as {path} ({why}).", file=sys.stderr)


def _look_at_all(files: Files, unreadable: dict[str, str] | None, one_size: bool) -> tuple[bool, int]:
    """Whether any image is in colour; the bits that those with 16 use.

    Raises:
        DataError: images of different sizes, where one is needed; or as for `_over_files`.
    """
    in_colour, highest = False, 0
    sizes: dict[tuple[int, int], str] = {}
    for batch in _over_files(files, _look, "looked at", unreadable):
        for path, _, (size, is_grey, its_highest) in batch:
            in_colour |= not is_grey
            highest = max(highest, its_highest)
            sizes.setdefault(size, path)
    if one_size and len(sizes) > 1:
        ((w, h), one), ((v, g), other), *_ = sizes.items()
        raise DataError(
            f"Images have different sizes: {one} has {w} x {h} pixels, {other} has {v} x {g}. Resize them "
            "with --image-size N."
        )
    bits = next(bits for bits in DEPTHS if highest < 2**bits)
    if highest and bits < 16:
        print(f"The grey images with 16 bits have values up to {highest:,}: {bits} bits are used.", file=sys.stderr)
    return in_colour, bits


def _over_files(
    files: Files, work: Callable[[ImageFile.ImageFile], Found], words: str, unreadable: dict[str, str] | None
) -> Iterator[list[tuple[str, int, Found]]]:
    """Path, label and what `work` makes of each image, in order, a list a batch; by a thread a core.

    Args:
        unreadable: takes the paths of those that cannot be read, and why; None makes each an error.

    Raises:
        DataError: a file that cannot be read, and may not be left out.
    """
    few = True if len(files) < MANY else None  # which takes a moment, so that no bar is needed; None: on a terminal
    with ThreadPoolExecutor(os.cpu_count()) as pool, tqdm(total=len(files), desc=words, disable=few) as bar:
        for start in range(0, len(files), BATCH):
            some = files[start : start + BATCH]
            done = []
            for (path, label), found in zip(some, pool.map(partial(_tried, work), some), strict=True):
                if not isinstance(found, str):
                    done.append((path, label, found))
                elif unreadable is not None:
                    unreadable[path] = found
                else:
                    raise DataError(
                        f"{path} cannot be read: {found}. Repair or remove it, or leave such files out with "
                        "--skip-broken."
                    )
            yield done
            bar.update(len(some))


def _tried(work: Callable[[ImageFile.ImageFile], Found], file: tuple[str, int]) -> Found | str:
    """What `work` makes of an image; or, as text, why it cannot be read."""
    path, _ = file
    try:
        with Image.open(path) as image:
            return work(image)
    except Image.DecompressionBombError as error:  # PIL's limit: 180 million pixels
        return first_line(error)
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # SyntaxError is PIL's word for a broken PNG
        if isinstance(error, UnidentifiedImageError) and is_lfs_pointer(Path(path)):
            return f"it is {LFS_ADVICE}"
        return getattr(error, "strerror", None) or "it is not a complete image"


def _look(image: ImageFile.ImageFile) -> tuple[tuple[int, int], bool, int]:
    """Its width and height, whether it is grey, and its highest value where it is grey with 16 bits, else 0."""
    is_grey_with_alpha = bool(image.tile) and image.tile[0][-1] == "LA;16B"  # which PIL gives as RGBA
    seen, highest = _upright(image, 16), 0
    if image.mode == SIXTEEN_BITS:
        values = np.asarray(image)
        highest = int(values[values != image.info.get("transparency", -1)].max(initial=0))
    is_grey = seen.mode in ("1", "L", "LA") or is_grey_with_alpha
    if seen.mode == "P":  # of whose colours those count that are seen
        colours = np.asarray(_opaque(seen).convert("RGB"))
        is_grey = bool((colours == colours[..., :1]).all())
    return seen.size, is_grey, highest


def _decode(image: ImageFile.ImageFile, in_colour: bool, image_size: int | None, bits: int) -> Tensor:
    """An image as bytes (1 or 3, height, width), as one sees it; of grey ones with 16 bits the lowest `bits` count."""
    seen = _opaque(_upright(image, bits))
    pixels = torch.from_numpy(np.array(seen.convert("RGB" if in_colour else "L")))
    pixels = pixels.permute(2, 0, 1) if in_colour else pixels.unsqueeze(0)
    return resized(pixels.unsqueeze(0), image_size, grey=False)[0]


def _upright(image: Image.Image, bits: int) -> Image.Image:
    """An image of 8 bits a channel, as the camera was held.

    Of grey values with 16 bits the lowest `bits` are used.
    """
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode != SIXTEEN_BITS:
        return image
    values = np.asarray(image)
    alpha = 255 * (values != image.info.get("transparency", -1))
    return Image.fromarray(np.stack([values >> (bits - 8), alpha], -1).astype(np.uint8))


def _opaque(image: Image.Image) -> Image.Image:
    """Put an image in front of the ground, where parts of it are transparent."""
    if not image.has_transparency_data:
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, BACKGROUND), image.convert("RGBA"))
