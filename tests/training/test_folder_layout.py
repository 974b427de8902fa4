"""Which files of a folder are read, for which part and class: as their names say, or an error message."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.data import DataError
from training.data.folder_layout import find_images


def fill(root: Path, *places: str, count: int = 3) -> Path:
    """Empty files a.png, b.png, ... in each of the places."""
    for place in places:
        (root / place).mkdir(parents=True, exist_ok=True)
        for letter in "abcdefghij"[:count]:
            (root / place / f"{letter}.png").touch()
    return root


def found(root: Path) -> dict[str, dict[str, set[str]]]:
    """Part -> class -> its files, as paths from the root."""
    classes, parts = find_images(root)
    return {
        part: {
            name: {str(Path(path).relative_to(root)) for path, of in files if of == label}
            for label, name in enumerate(classes)
        }
        for part, files in parts.items()
    }


def refused(root: Path, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        find_images(root)
    assert "\n" not in str(caught.value)
    assert "..." not in str(caught.value), "its middle is lost"


def of_place(place: str) -> dict[str, set[str]]:
    return {name: {str(Path(place, name, f"{letter}.png")) for letter in "abc"} for name in ("cat", "dog")}


TESTS = [("train", "test"), ("training", "testing"), ("Train", "Test"), ("TRAIN", "TEST"), ("train", "eval")]
DEEPER = [("data/train", "data/test"), ("a/B/Training", "a/B/Evaluation")]
VALIDATIONS = [("train", "val"), ("train", "valid"), ("train", "Validation"), ("train", "dev")]


@pytest.mark.parametrize(
    ("train", "other", "part"),
    [*((*names, "test") for names in TESTS + DEEPER), *((*names, "validation") for names in VALIDATIONS)],
)
def test_names_of_parts_are_known_in_any_case_and_one_folder_deeper(
    tmp_path: Path, train: str, other: str, part: str
) -> None:
    fill(tmp_path, *(f"{half}/{name}" for half in (train, other) for name in ("dog", "cat")))
    assert found(tmp_path) == {"train": of_place(train), part: of_place(other)}


def test_classes_may_stand_beside_a_test_half_and_one_may_be_alone(tmp_path: Path) -> None:
    assert found(fill(tmp_path / "one", "cat")) == {"train": {"cat": of_place(".")["cat"]}}
    beside = found(fill(tmp_path / "two", "cat", "dog", "test/cat", "test/dog"))
    assert beside == {"train": of_place("."), "test": of_place("test")}


def test_a_lone_folder_that_holds_the_classes_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, "pets/images/cat", "pets/images/dog")
    assert found(tmp_path) == {"train": of_place("pets/images")}
    assert f"{tmp_path} holds the folder pets/images alone, which is read.\n" == capsys.readouterr().err
    fill(tmp_path / "halves", "train/pictures/cat", "train/pictures/dog", "test/cat", "test/dog")
    assert found(tmp_path / "halves") == {"train": of_place("train/pictures"), "test": of_place("test")}


def test_a_folder_without_images_beside_halves_is_passed_over(tmp_path: Path) -> None:
    fill(tmp_path, "train/cat", "train/dog", "test/cat", "test/dog")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "read me.txt").touch()
    assert found(tmp_path) == {"train": of_place("train"), "test": of_place("test")}


@pytest.mark.parametrize(
    ("places", "words"),
    {
        "no training half": (("validation/a", "test/a"), "has no folder called train"),
        "two of one part": (("train/a", "Training/a"), "has the folder train, which may be a part .* each once"),
        "longer names": (("training_set/a", "test_set/a"), "has the folder test_set, which may be a part"),
        "with years": (("train2017", "val2017"), "has the folder train2017, which may be a part"),
        "written together": (("trainset/a", "testset/a"), "has the folder testset, which may be a part"),
        "in camel case": (("TrainImages/a", "TestImages/a"), "has the folder TestImages, which may be a part"),
        "one of them longer": (("train/a", "test-1/a"), "has the folder test-1, which may be a part"),
        "a class beside a half": (("train/a", "test/a", "b"), "has the folder b, which may be a part"),
        "halves within classes": (
            ("cat/train", "cat/test", "dog/train", "dog/test"),
            "has the folder cat/test, which may be a part",
        ),
        "halves beside something": (
            ("data/train/a", "data/test/a", "more/b"),
            "has the folder data/test, which may be a part",
        ),
        "a class of one half": (("Train/a", "Train/b", "Test/a"), "Test has no images of the class 'b', which Train/"),
        "of the other half": (("train/a", "test/a", "test/b"), "train has no images of the class 'b', which test/"),
        "images beside their classes": (("train", "train/a"), "both directly in it .* and in folders"),
    }.values(),
)
def test_what_looks_like_parts_and_cannot_be_used_is_refused(
    tmp_path: Path, places: tuple[str, ...], words: str
) -> None:
    refused(fill(tmp_path, *places), words)


def test_a_class_or_a_part_without_images_is_refused(tmp_path: Path) -> None:
    """It would be left out without a word."""
    for name, *places in (("dog", "cat"), ("train/dog", "train/cat", "test/cat"), ("test", "train/cat", "train/dog")):
        root = fill(tmp_path / name.replace("/", "-"), *places)
        (root / name).mkdir(parents=True)
        (root / name / "1.tif").touch()
        refused(root, f"{root / name} holds no images that can be read")


def test_classes_may_have_any_name_within_a_half_and_most_names_without(tmp_path: Path) -> None:
    names = {"train", "test", "val", "test_set"}
    fill(tmp_path / "vehicles", *(f"train/{name}" for name in names))
    assert found(tmp_path / "vehicles")["train"].keys() == names
    names = {"trainer", "contest", "evaluated", "device", "valley"}
    assert found(fill(tmp_path / "words", *names))["train"].keys() == names
    assert found(fill(tmp_path / "deep", "cat/test_2021", "dog"))["train"].keys() == {"cat", "dog"}


def test_hidden_files_and_what_systems_leave_are_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, "cat", "dog")
    before = found(tmp_path)
    for place in ("cat", "cat/deeper", "dog", "."):
        hidden = (".ipynb_checkpoints", ".trash/old", "__MACOSX/cat", "@eaDir/a.png", "Thumbnails")
        fill(tmp_path, *(f"{place}/{name}" for name in hidden))
        (tmp_path / place / "._a.png").touch()
        (tmp_path / place / ".hidden.gif").touch()
    assert found(tmp_path) == before
    assert capsys.readouterr().err == ""


def test_linked_folders_are_read_and_circles_end(tmp_path: Path) -> None:
    fill(tmp_path / "set", "cat", "dog")
    fill(tmp_path, "elsewhere/more")
    (tmp_path / "set" / "cat" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set" / "cat" / "again").symlink_to(tmp_path / "set" / "cat")
    (tmp_path / "set" / "cat" / "all").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "bird").symlink_to(tmp_path / "elsewhere")
    classes = found(tmp_path / "set")["train"]
    assert classes["cat"] == {f"cat/{place}{letter}.png" for place in ("", "linked/more/") for letter in "abc"}
    assert classes["bird"] == {f"bird/more/{letter}.png" for letter in "abc"}


def test_classes_are_in_the_order_in_which_people_count(tmp_path: Path) -> None:
    names = ["0", "1", "2", "10", "11", "x1", "x2", "x10", "x10y2", "x10y10"]
    assert list(found(fill(tmp_path / "a", *reversed(names)))["train"]) == names
    assert list(found(fill(tmp_path / "b", "01", "1", "001"))["train"]) == ["001", "01", "1"]


def test_what_is_left_out_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, "train/cat", "train/dog")
    for name in ("train/cat/a.gif", "train/cat/b.GIF", "train/dog/a.tif", "train/a.ppm", "a.png", "a.txt"):
        (tmp_path / name).touch()
    find_images(tmp_path)
    formats, beside = capsys.readouterr().err.splitlines()
    assert formats.startswith(f"{tmp_path}: 2 .gif files, 1 .ppm files, 1 .tif files are left out")
    assert beside == f"{tmp_path}: 1 images beside the folders of its parts are left out."


def test_a_folder_without_images_is_refused_by_the_name_of_other_formats_in_it(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    refused(tmp_path, r"holds no images: it needs files ending in \.png")
    (tmp_path / "cat" / "a.gif").touch()
    refused(tmp_path, r"holds no images but 1 \.gif files: it needs files ending in \.png")
