"""Which files of a folder are images, and their part and class: `train/CLASS/*` and `test/CLASS/*`.

Parts are named as in the Hub's `imagefolder` layout, in upper or lower case. Without a training folder the
folder itself is the training half. Image files that lie in a part directly are one class.
"""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Container, Iterator
from pathlib import Path

from .images import DataError, Part

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
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


def find_images(folder: Path) -> tuple[tuple[str, ...], dict[Part, Files]]:
    """The classes of a folder, and the image files of each part; says which files are left out.

    Raises:
        DataError: no images; a class without images in one part; folders that may be parts or classes.
    """
    root = _unwrapped(folder, stop_at=PARTS)
    places = _parts(root)
    images = {part: _by_class(place, set(places.values()), title(folder)) for part, place in places.items()}
    classes = tuple(images["train"])
    for part, of_class in images.items():
        for name in sorted({*classes} ^ {*of_class}):
            both = places["train"], places[part]
            have, lack = both if name in classes else both[::-1]
            raise DataError(f"{lack} has no images of the class {name!r:.60}, which {have.name}/ has: add some.")
    left_out = _other_formats(root)
    if places["train"] != root and (beside := _own_images(root)):
        left_out.append(f"{len(beside):,} images beside the folders of its parts")
    if left_out:
        print(f"{root}: {', '.join(left_out)} are left out; {', '.join(ENDINGS)} are read.", file=sys.stderr)
    return classes, {
        part: [(path, label) for label, name in enumerate(classes) for path in of_class[name]]
        for part, of_class in images.items()
    }


def title(folder: Path) -> str:
    """Its name, with a replacement character for each byte that is not Unicode."""
    return os.fsencode(folder.name).decode(errors="replace")


def _parts(root: Path) -> dict[Part, Path]:
    """The folder of each part; of the training half it is `root` itself, where no folder in it is called so."""
    places: dict[Part, Path] = {}
    others = []
    for path in _folders(root):
        part = PARTS.get(path.name.casefold())
        if part is None:
            others += [path] * any(map(_is_image, _walk(path)))
        elif part in places:
            raise DataError(f"{root} has both {places[part].name}/ and {path.name}/, the same part: keep one.")
        else:
            places[part] = path
    unclear = _like_parts(others) or (others if "train" in places else [])
    if unclear:
        raise DataError(
            f"{root} has the folder {unclear[0].relative_to(root)}, which may be a part of the data or a class. Call "
            "parts train, validation and test, and put the classes into them; or name the folder that holds the parts."
        )
    if "train" not in places and places and not others and not _own_images(root):
        found = " and ".join(path.name for path in places.values())
        raise DataError(
            f"{root} holds {found}, and no folder called train: put the images to train on into a folder train."
        )
    places.setdefault("train", root)
    return places


def _like_parts(classes: list[Path]) -> list[Path]:
    """Those of the folders with a name like that of a part; or the folders of images in them that are called so."""
    words = {path: re.sub("(?<=[a-z])(?=[A-Z])", " ", path.name).casefold() for path in classes}
    inner: set[Path] = set()
    for of_class in classes:
        for place in {path.parent for path in _walk(of_class) if _is_image(path)}:
            below = [folder for folder in (place, *place.parents) if of_class in folder.parents]
            inner.update(folder for folder in below if folder.name.casefold() in PARTS)
    return [path for path in classes if LIKE_A_PART.search(words[path])] or sorted(inner)


def _by_class(place: Path, parts: set[Path], name_of_one: str) -> dict[str, list[str]]:
    """Class -> its image files: those of each class folder, or, as one class, those in the folder itself."""
    place = _unwrapped(place)
    own = _own_images(place)
    folders = [path for path in _folders(place) if path not in parts]
    of_class = {title(path): sorted(map(str, filter(_is_image, _walk(path)))) for path in folders}
    lost = [name for name, paths in of_class.items() if paths]
    if own and lost:
        raise DataError(
            f"{place} has image files both directly in it ({Path(own[0]).name}) and in folders ({lost[0]}): put each "
            "into the folder of its class, or all of them directly in it."
        )
    if own:
        return {name_of_one: own}
    for path in folders if lost else [place]:
        if not of_class.get(title(path)):
            others = _other_formats(path)
            raise DataError(
                f"{path} holds no images{' but ' * bool(others)}{', '.join(others)}: it needs files ending in "
                f"{', '.join(ENDINGS)}, as does each class. Fill or remove it."
            )
    return of_class


def _other_formats(folder: Path) -> list[str]:
    """How many files of each format are left out, as words."""
    endings = Counter(path.suffix.lower() for path in _walk(folder) if path.suffix.lower() in NOT_READ)
    return [f"{count:,} {ending} files" for ending, count in sorted(endings.items())]


def _unwrapped(folder: Path, stop_at: Container[str] = ()) -> Path:
    """The folder; or the only one in it, where that holds nothing but folders; and so on."""
    place = folder
    while not _own_images(place) and len(inside := _folders(place)) == 1:
        (only,) = inside
        if only.name.casefold() in stop_at or _own_images(only) or not _folders(only):
            break
        place = only
    if place != folder:
        print(f"{folder} holds the folder {place.relative_to(folder)} alone, which is read.", file=sys.stderr)
    return place


def _own_images(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.iterdir() if _is_image(path) and not path.is_dir())


def _folders(folder: Path) -> list[Path]:
    """The visible folders directly in a folder, as a person sorts them: 2 before 10."""
    folders = [path for path in folder.iterdir() if _is_visible(path.name) and path.is_dir()]
    return sorted(folders, key=lambda path: (_naturally(path.name), path.name))


def _naturally(name: str) -> list[str | int]:
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def _walk(folder: Path) -> Iterator[Path]:
    """The visible files below a folder, in linked folders too; each folder once, for links may form a circle.

    Raises:
        OSError: a folder that may not be read.
    """
    seen = set()
    for place, folders, files in os.walk(folder, followlinks=True, onerror=_raise):
        real = os.path.realpath(place)
        folders[:] = [] if real in seen else filter(_is_visible, folders)
        if real not in seen:
            yield from (Path(place, name) for name in files if _is_visible(name))
        seen.add(real)


def _raise(error: OSError) -> None:
    raise error


def _is_visible(name: str) -> bool:
    return not name.startswith(".") and name.casefold() not in CLUTTER


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS and _is_visible(path.name)
