"""Opening a data set: whatever `--dataset` names, as two halves of images and what is known about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from huggingface_hub import cached_assets_path, snapshot_download

from sae_model.errors import first_line
from sae_model.hub import why_not_read

from . import array_file, folder_layout, image_folder
from .images import DataError, Half, Part, Split, called, resized
from .named_data import DATASETS, About

HERE = Path(__file__).parent
DATA_DIR = HERE if (HERE / "MNIST").is_dir() else cached_assets_path("sae-model", "data-sets")
"""The folder of the data sets that have a name: that of a clone, which has MNIST; or one of the Hub's cache."""
VALIDATION_IMAGES = 5_000
FEWEST: dict[Half, int] = {"train": 100, "test": 12}
HUB = "hub:"
BATCH = 1000


@dataclass(frozen=True)
class Dataset:
    """A data set: what is known about it, and its images."""

    about: About
    """Title, classes, licence, credit, repo on the Hub."""
    half: Callable[[Half], Split]
    """Reads all training images, including the validation split, or all test images."""
    validation: int | None = None
    """How many of the last training images are its own validation split; None takes a twelfth, at most 5,000."""

    @property
    def classes(self) -> tuple[str, ...]:
        """What the labels stand for; one class where there are none."""
        return self.about.classes

    def check(self, half: Half) -> None:
        """See that a model can be trained or measured on a half.

        Raises:
            DataError: it has too few images, or test images that are all alike; or they cannot be had.
        """
        images = self.half(half).images
        count = len(images) - (self.validation or 0) * (half == "train")
        if count < FEWEST[half]:
            raise DataError(
                f"{self.about.title} has {count} {called(images)} in the {half} half: it takes {FEWEST['train']} to "
                f"train on and {FEWEST['test']} to measure on."
            )
        if half == "test" and all(bool((batch == images[0]).all()) for batch in images.split(BATCH)):
            raise DataError(
                f"The test {called(images)} of {self.about.title} are all alike: nothing can be measured on them."
            )

    def split(self, part: Part, limit: int | None = None) -> Split:
        """A part of the data set, or the first `limit` images of it.

        "test" is its test half; "validation" its own validation split, or else the last 5,000 training images, or a
        twelfth if that is less; "train" all training images before those.

        Raises:
            DataError: images that cannot be had, labels that do not fit them or the classes, or a limit below 1.
        """
        images, labels = self.half("test" if part == "test" else "train")
        wrong = labels[(labels < 0) | (labels >= len(self.classes))].tolist()
        if wrong or len(labels) != len(images) or not len(labels):
            raise DataError(
                f"{self.about.title} has {len(images):,} images, {len(labels):,} labels"
                f"{f' ({wrong[0]} is one)' if wrong else ''} and {len(self.classes)} classes, numbered from 0: its "
                "files do not belong together. Fetch them again."
            )
        if limit is not None and limit < 1:
            raise DataError(f"A limit of {limit} leaves no row: give at least 1.")
        kept = len(images)
        if part != "test":
            kept -= self.validation or min(VALIDATION_IMAGES, len(images) // 12)
        chosen = slice(kept, None) if part == "validation" else slice(None, kept)
        return Split(images[chosen][:limit], labels[chosen][:limit])


def open_dataset(
    name: str,
    data_dir: Path = DATA_DIR,
    image_size: int | None = None,
    grey: bool = False,
    skip_broken: bool = False,
    bounded: bool = True,
    licence: str | None = None,
    credit: str | None = None,
) -> Dataset:
    """A data set by its name.

    Args:
        name: one in `DATASETS`; a folder of image files; a .npy, .npz or .safetensors file; or
            `hub:OWNER/NAME[@REVISION]`, a repo of image files.
        data_dir: the folder that holds those in `DATASETS`, or to which they are downloaded once.
        image_size: the middle square of each image is scaled to this many pixels a side.
        grey: turn images in colour grey.
        skip_broken: leave out image files that cannot be read.
        bounded: whether floats must lie in [0, 1], as for every model whose reconstruction does.
        licence: of the images, where it is not known.
        credit: who made them, where that is not known.

    Raises:
        DataError: there is no such data set, or its images cannot be had.
    """
    if image_size is not None and image_size < 1:
        raise DataError(f"An image has at least 1 pixel a side; got --image-size {image_size}.")
    with _errors_of(name):
        about, half, validation = _read(name, Path(data_dir).expanduser(), image_size, grey, skip_broken, bounded)
    about = replace(about, licence=licence or about.licence, credit=credit or about.credit)
    return Dataset(about, half, validation)


@contextmanager
def _errors_of(name: str) -> Iterator[None]:
    """Turn a failure to read a data set into a DataError; errors of the system stay what they are."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the system's word: no permission, no space left
        raise DataError(f"{name} cannot be read ({first_line(error)[:100]}).") from error


def load_split(dataset: str, part: Part, data_dir: Path = DATA_DIR, limit: int | None = None) -> Split:
    """Load a part of a data set by its name; see `open_dataset` and `Dataset.split`."""
    return open_dataset(dataset, data_dir).split(part, limit)


def _read(
    name: str, data_dir: Path, image_size: int | None, grey: bool, skip_broken: bool, bounded: bool
) -> tuple[About, Callable[[Half], Split], int | None]:
    """What is known about a data set, a function that reads a half of it, and its own number of validation images."""
    if name in DATASETS:
        if not data_dir.is_dir():
            raise DataError(f"There is no folder {data_dir} to read {name} from: check --data-dir.")
        known = DATASETS[name]

        def read_half(half: Half) -> Split:
            with _errors_of(name):
                images, labels = known.read(data_dir, half)
                return Split(resized(images, image_size, grey), labels)

        return known.about, cache(read_half), None
    path, hub, validation = Path(name).expanduser(), None, None
    if name.startswith(HUB):
        hub, _, revision = name.removeprefix(HUB).partition("@")
        path = _fetch(hub, revision or None)
    if path.is_dir():
        classes, halves, validation = image_folder.read_folder(path, image_size, grey, skip_broken)
    elif path.suffix in array_file.ENDINGS and path.is_file():
        classes, halves, validation = array_file.read_arrays(path, image_size, grey, bounded)
    elif path.suffix in array_file.ENDINGS:
        raise DataError(f"There is no file {path}: check the path (--dataset).")
    else:
        raise DataError(
            f"Unknown data set {name!r:.80}. Known ones: {', '.join(DATASETS)}; a folder of images, a file ending in "
            f"{', '.join(array_file.ENDINGS)}, or {HUB}OWNER/NAME."
        )
    place = path.resolve()
    title = hub.rpartition("/")[2] if hub else folder_layout.title(place) if place.is_dir() else place.stem
    return About(title, classes, hub=hub), halves.__getitem__, validation


def _fetch(repo_id: str, revision: str | None) -> Path:
    """Fetch the image files of a data set's repo on the Hub, or find them in the cache; returns their folder."""
    where = f"The data set {repo_id} on the Hub"
    patterns = [f"*{case}" for ending in folder_layout.ENDINGS for case in (ending, ending.upper())]
    try:
        folder = Path(snapshot_download(repo_id, repo_type="dataset", revision=revision, allow_patterns=patterns))
    except Exception as error:  # the Hub's answers may be anything
        raise DataError(f"{where} {why_not_read(error, revision)}") from error
    if not folder.is_dir() or not any(folder.iterdir()):
        raise DataError(f"{where} holds no image files ({', '.join(folder_layout.ENDINGS)}): only such repos are read.")
    return folder
