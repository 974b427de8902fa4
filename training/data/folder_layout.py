"""Which files of a folder are images, and their part and class: `train/CLASS/*` and `test/CLASS/*`.

Parts are named as in the Hub's `imagefolder` layout, in upper or lower case. Without a training folder the
folder itself is the training half. Image files that lie in a part directly are one class.
"""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Container, Iterator
from pathlib import Path

from .images import DataError, Part

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
_NEEDED = f"files ending in {', '.join(ENDINGS)}"
NOT_READ = (
    *(".avif", ".dcm", ".exr", ".gif", ".heic", ".heif", ".ico", ".jfif", ".jp2", ".npy"),
    *(".pbm", ".pgm", ".pnm", ".ppm", ".svg", ".tga", ".tif", ".tiff"),
)
"""Endings of images in formats that are left out, and counted."""
PARTS: dict[str, Part] = {
    "train": "train",
    "training": "train",
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
"""Name of a folder -> the part of the data set in it."""
LIKE_A_PART = re.compile(rf"(?<![^\W\d_])({'|'.join(PARTS)})(set)?(?![^\W\d_])")
"""A word of `PARTS` in a longer name, such as `test_set` or `train2017`."""
CLUTTER = ("__macosx", "@eadir", "thumbnails")
"""Folders in which systems keep copies of images, beside hidden ones."""

Files = list[tuple[str, int]]
"""The path of each image file, and its label."""
Folders = dict[tuple[str, ...], list[str]]
"""Where a folder is, seen from another, as the names on the way -> the names of the image files directly in it."""


def find_images(folder: Path) -> tuple[tuple[str, ...], dict[Part, Files]]:
    """The classes of a folder, and the image files of each part; says which files are left out.

    Raises:
        DataError: no images; a class without images in one part; folders that may be parts or classes.
        OSError: a folder that may not be read.
    """
    images: Folders = {}
    others = Counter[str]()
    for way, name in _walk(folder):
        ending = Path(name).suffix.lower()
        if ending in ENDINGS:
            images.setdefault(way, []).append(name)
        others[ending] += ending in NOT_READ
    left_out = ", ".join(f"{count:,} {ending} files" for ending, count in sorted(others.items()) if count)
    if not images:
        raise DataError(f"{folder} holds no images{' but ' * bool(left_out)}{left_out}: it needs {_NEEDED}.")
    if left_out:
        print(f"{folder}: {left_out} are left out; it takes {_NEEDED}.", file=sys.stderr)
    places = _parts(*_unwrapped(folder, images, PARTS))
    found = {part: _by_class(*_unwrapped(*place), title(folder)) for part, place in places.items()}
    classes = tuple(found["train"])
    for part, of_class in found.items():
        for name in sorted({*classes} ^ {*of_class}):
            have, lack = (places["train"][0], places[part][0])[:: 1 if name in classes else -1]
            raise DataError(f"{lack} has no images of the class {name!r:.60}, which {have.name}/ has: add some.")
    return classes, {
        part: [(path, label) for label, name in enumerate(classes) for path in of_class[name]]
        for part, of_class in found.items()
    }


def title(folder: Path) -> str:
    """Its name, with a replacement character for each byte that is not Unicode."""
    return os.fsencode(folder.name).decode(errors="replace")


def _walk(
    folder: Path, way: tuple[str, ...] = (), above: frozenset[Path] = frozenset()
) -> Iterator[tuple[tuple[str, ...], str]]:
    """The way to each visible file below a folder, and its name; in linked folders too, but in none within itself."""
    real = folder.resolve()
    with os.scandir(folder) as entries:
        for entry in entries if real not in above else ():
            if not _is_visible(entry.name):
                continue
            if entry.is_dir():
                yield from _walk(folder / entry.name, (*way, entry.name), above | {real})
            else:
                yield way, entry.name


def _unwrapped(folder: Path, images: Folders, stop_at: Container[str] = ()) -> tuple[Path, Folders]:
    """The folder within a folder that alone holds all images, in folders of its own; and the images as seen there."""
    top = tuple(filter(None, os.path.commonpath(["/".join(way) for way in images]).split("/")))
    if top in images:  # which is the only class
        top = top[:-1]
    top = top[: next((at for at, name in enumerate(top) if name.casefold() in stop_at), None)]
    if top:
        print(f"{folder} holds the folder {'/'.join(top)} alone, which is read.", file=sys.stderr)
    return folder.joinpath(*top), {way[len(top) :]: names for way, names in images.items()}


def _parts(root: Path, images: Folders) -> dict[Part, tuple[Path, Folders]]:
    """The place and the images of each part; those of the training half are in `root`, where it has no such folder."""
    parts: dict[Part, tuple[Path, Folders]] = {}
    rest: Folders = {}
    unclear = []
    _check_filled(root, images, lambda name: name.casefold() in PARTS)
    for way, names in sorted(images.items()):
        part = PARTS.get(way[0].casefold()) if way else None
        if part is not None and parts.setdefault(part, (root / way[0], {}))[0].name == way[0]:
            parts[part][1][way[1:]] = names
            continue
        rest[way] = names
        words = [re.sub("(?<=[a-z])(?=[A-Z])", " ", name).casefold() for name in way]
        if words and LIKE_A_PART.search(words[0]):
            unclear.append(way[0])
        unclear += ["/".join(way[: at + 1]) for at, name in enumerate(words) if name in PARTS]
    if "train" in parts:
        unclear += [way[0] for way in rest if way]
    if unclear:
        raise DataError(
            f"{root} has the folder {unclear[0]}, which may be a part of the data or a class. Call parts train, "
            "validation and test, each once, and put the classes into them; or name the folder that holds the parts."
        )
    if "train" not in parts and not rest:
        raise DataError(f"{root} has no folder called train: put the images to train on into a folder train.")
    if "train" in parts and rest:
        print(f"{root}: {len(rest[()]):,} images beside the folders of its parts are left out.", file=sys.stderr)
    parts.setdefault("train", (root, rest))
    return parts


def _by_class(place: Path, images: Folders, name_of_one: str) -> dict[str, list[str]]:
    """Class -> its image files: those of each class folder, or, as one class, those in the folder itself."""
    if () in images and len(images) > 1:
        folder = next(way[0] for way in images if way)
        raise DataError(
            f"{place} has image files both directly in it ({images[()][0]}) and in folders ({folder}): put each into "
            "the folder of its class, or all of them directly in it."
        )
    if () not in images:
        _check_filled(place, images, lambda name: name.casefold() not in PARTS)
    of_class: dict[str, list[str]] = {}
    for way, names in sorted(images.items(), key=lambda item: (_naturally(item[0][:1]), item[0])):
        paths = of_class.setdefault(title(place / way[0]) if way else name_of_one, [])
        paths += [str(place.joinpath(*way, name)) for name in names]
    return {name: sorted(paths) for name, paths in of_class.items()}


def _check_filled(place: Path, images: Folders, is_meant: Callable[[str], bool]) -> None:
    """Refuse a folder of a part, or of a class, without images: it would be left out without a word."""
    filled = {way[0] for way in images if way}
    for folder in sorted(place.iterdir()):
        name = folder.name
        if name not in filled and _is_visible(name) and is_meant(name) and folder.is_dir():
            raise DataError(f"{folder} holds no images that can be read ({_NEEDED}): fill it or remove it.")


def _is_visible(name: str) -> bool:
    return not name.startswith(".") and name.casefold() not in CLUTTER


def _naturally(way: tuple[str, ...]) -> list[str | int]:
    """As a person sorts names: 2 before 10."""
    return [int(part) if part.isdecimal() else part for name in way for part in re.split(r"(\d+)", name)]
