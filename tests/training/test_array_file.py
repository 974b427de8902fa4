"""Files of arrays: read as numpy and safetensors read them, or an error message that says what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from training.data import DataError, open_dataset
from training.data.images import resized


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of its own."""
    monkeypatch.setattr("huggingface_hub.utils._cache_assets.HF_ASSETS_CACHE", str(tmp_path / "cache"))


def write(path: Path, **arrays: np.ndarray) -> str:
    if path.suffix == ".npz":
        np.savez_compressed(path, **arrays)
    else:
        save_file({name: torch.from_numpy(array) for name, array in arrays.items()}, path)
    return str(path)


def numbered(count: int, shape: tuple[int, ...] = (3, 4, 5)) -> np.ndarray:
    """Bytes whose first value is the image's number."""
    images = np.random.default_rng(0).integers(0, 256, (count, *shape)).astype(np.uint8)
    images[:, 0, 0, 0] = np.arange(count)
    return images


@pytest.mark.parametrize(("ending", "kind"), [(".npz", "<u2"), (".npz", ">i8"), (".safetensors", "<i4")])
def test_every_image_is_there_once_with_its_label(
    tmp_path: Path, ending: str, kind: str, capsys: pytest.CaptureFixture
) -> None:
    images, labels = numbered(200), np.repeat(np.arange(4), 50).astype(kind)
    dataset = open_dataset(write(tmp_path / f"all{ending}", images=images, labels=labels))
    assert "20 of its 200 images, a tenth of each class" in capsys.readouterr().err
    assert (dataset.about.title, dataset.classes) == ("all", tuple("0123"))
    halves = [dataset.half(half) for half in ("train", "test")]
    assert [half.labels.bincount().tolist() for half in halves] == [[45] * 4, [5] * 4]
    seen = []
    for half in halves:
        for image, label in zip(half.images, half.labels, strict=True):
            seen.append(int(image[0, 0, 0]))
            assert np.array_equal(image.numpy(), images[seen[-1]])
            assert label == labels[seen[-1]]
    assert sorted(seen) == list(range(200))
    assert len(dataset.split("validation").labels.unique()) > 1  # not the last class alone


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, ">f4"])
def test_floats_stay_floats(tmp_path: Path, kind: type | str) -> None:
    images = (numbered(150) / 255).astype(kind)
    dataset = open_dataset(write(tmp_path / "floats.npz", images=images))
    assert dataset.classes == ("floats",)
    train = dataset.half("train").images
    kept = np.float16 if kind == np.float16 else np.float32  # half precision takes half the place
    rows = {image.tobytes() for image in images.astype(kept)}
    assert all(image.numpy().dtype == kept and image.numpy().tobytes() in rows for image in train)


def test_images_are_scaled_and_turned_grey(tmp_path: Path) -> None:
    images = numbered(150, (3, 6, 6))
    both = open_dataset(write(tmp_path / "a.npz", images=images), image_size=3, grey=True)
    plain = open_dataset(str(tmp_path / "a.npz"))
    assert torch.equal(both.half("test").images, resized(plain.half("test").images, 3, grey=True))
    assert resized(plain.half("test").images, 6, grey=False) is plain.half("test").images  # no copy
    assert both.half("test").images.shape == (15, 1, 3, 3)


def bad(**arrays: np.ndarray) -> dict[str, np.ndarray]:
    return {"images": numbered(150), "labels": np.arange(150) % 3, **arrays}


def with_nan(value: float) -> np.ndarray:
    images = np.zeros((150, 1, 2, 2), np.float32)
    images[77, 0, 1, 1] = value
    return images


WRONG = {
    "labels below 0": (bad(labels=np.arange(150) % 3 - 1), "go from -1 to 1; they are whole numbers from 0"),
    "labels far above": (bad(labels=np.full(150, 10**9)), "go from 1000000000 to 1000000000"),
    "labels with a gap": (
        bad(labels=np.arange(150) % 3 * 2),
        "go up to 4, and no row of `images` has the label 1: number classes from 0 without gaps",
    ),
    "labels of the test split alone": (
        bad(test_images=numbered(20), test_labels=np.full(20, 3)),
        "go up to 3, and no row of `images` has the label 3",
    ),
    "labels that are floats": (bad(labels=np.zeros(150, np.float32)), "of torch.float32; it holds whole numbers"),
    "too few labels": (bad(labels=np.zeros(149, int)), r"is \(149,\) of .*; it holds whole numbers, \(150,\)"),
    "a class of one": (bad(labels=np.append(np.zeros(149, int), 1)), "has 1 image.* of the class '1'; at least two"),
    "whole numbers": (bad(images=numbered(150).astype(np.int64)), "is of torch.int64; it holds bytes"),
    "no channels": (
        bad(images=numbered(150)[:, 0].copy()),
        r"shape \(150, 4, 5\); it comes as \(n, channels, height, width\)",
    ),
    "no images": (bad(images=numbered(0), labels=np.zeros(0, int)), r"has the shape \(0, 3, 4, 5\)"),
    "no array": ({"pictures": numbered(150)}, "has no array `images`"),
    "infinity": ({"images": with_nan(-np.inf)}, r"images\[77\]: The data hold NaN or infinity"),
    "NaN": ({"images": with_nan(np.nan)}, r"images\[77\]: The data hold NaN or infinity"),
    "channels last": (bad(images=numbered(150, (28, 28, 3))), r"\(150, 28, 28, 3\).*images.transpose\(0, 3, 1, 2\)"),
    "values above 1": (
        {"images": with_nan(1.5)},
        "have values from 0 to 1.5, .*--loss mse",
    ),
}


ONLY_NUMPY_STORES = {
    "text": bad(labels=np.array(list("abc"))[np.arange(150) % 3]),
    "objects": bad(labels=np.array(["a"] * 150, object)),
    "objects for images": {"images": np.array([{"a": 1}], dtype=object)},
}
WORDS = r"is not a complete \.npz file of numbers .*np.unique\(labels, return_inverse=True\)\[1\] numbers them"


@pytest.mark.parametrize(
    ("arrays", "words", "ending"),
    [
        *((*WRONG[wrong], ending) for wrong in WRONG for ending in (".npz", ".safetensors")),
        *((arrays, WORDS, ".npz") for arrays in ONLY_NUMPY_STORES.values()),
    ],
)
def test_what_is_wrong_is_said_on_one_line(
    tmp_path: Path, arrays: dict[str, np.ndarray], words: str, ending: str
) -> None:
    with pytest.raises(DataError, match=words) as caught:
        open_dataset(write(tmp_path / f"a{ending}", **arrays))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(3, 20, 3), (3, 3, 20), (1, 30, 1), (64, 3, 3), (512, 1, 1), (30, 1, 9), (1, 1, 1)])
def test_shapes_that_may_have_channels_first_are_read(tmp_path: Path, shape: tuple[int, ...]) -> None:
    assert open_dataset(write(tmp_path / "a.npz", images=numbered(150, shape))).half("train").images.shape[1:] == shape


@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
def test_a_broken_file_is_named(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    write(path, images=numbered(150))
    whole = path.read_bytes()
    for content, words in (
        (b"", f"not a complete {ending} file of numbers"),
        (b"nothing", "not a complete"),
        (whole[:-2000], "not a complete"),
        (whole[:60] + bytes(40) + whole[100:], "not a complete"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", "a pointer of Git LFS.*lfs pull"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=f"a{ending} is {words}") as caught:
            open_dataset(str(path))
        assert "\n" not in str(caught.value)


def test_floats_stay_within_their_range_when_they_are_scaled() -> None:
    images = torch.ones(200, 1, 28, 28)
    images[::2, :, :14] = 0
    for size in (11, 12, 13, 64):
        scaled = resized(images, size, grey=False)
        assert 0 <= scaled.min() <= scaled.max() <= 1


def test_one_array_alone_is_images_without_labels(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(300, 7)).astype(np.float16)
    np.save(tmp_path / "rows.npy", rows)
    dataset = open_dataset(str(tmp_path / "rows.npy"), bounded=False)
    found = torch.cat([dataset.half("train").images, dataset.half("test").images])
    assert dataset.classes == ("rows",)
    assert (found.dtype, found.shape) == (torch.float16, (300, 7))
    assert sorted(map(tuple, found.tolist())) == sorted(map(tuple, rows.tolist()))


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"There is no file .*none\.npz: check the path \(--dataset\)"):
        open_dataset(str(tmp_path / "none.npz"))


def test_what_is_said_of_vectors_calls_them_rows(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    vectors = np.random.default_rng(0).normal(size=(150, 9))
    vectors[149] = vectors[0]
    open_dataset(write(tmp_path / "own.npz", images=vectors, test_images=vectors[100:120]), bounded=False)
    open_dataset(write(tmp_path / "few.npz", images=vectors[:40]), bounded=False)
    said = capsys.readouterr().err
    assert "20 of the 20 test rows have the same values as a row of the training half" in said
    assert "has no test half: 4 of its 40 rows" in said
    with pytest.raises(DataError, match="few has 36 rows in the train half"):
        open_dataset(str(tmp_path / "few.npz"), bounded=False).check("train")


def test_half_precision_of_every_kind_is_kept(tmp_path: Path) -> None:
    images = torch.rand(150, 1, 3, 3).bfloat16()
    save_file({"images": images}, tmp_path / "half.safetensors")
    train = open_dataset(str(tmp_path / "half.safetensors")).half("train").images
    assert train.dtype == torch.bfloat16
    assert {tuple(image.flatten().tolist()) for image in train} <= {tuple(i.flatten().tolist()) for i in images}


@pytest.mark.parametrize("own_test", [False, True])
def test_groups_stay_whole_in_every_part(tmp_path: Path, own_test: bool, capsys: pytest.CaptureFixture) -> None:
    groups = np.random.default_rng(1).integers(0, 40, 240)
    images = np.zeros((240, 1, 2, 2), dtype=np.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = groups, np.arange(240)
    arrays = {"images": images, "groups": groups}
    if own_test:
        arrays["test_images"] = 255 - images[:20]
    dataset = open_dataset(write(tmp_path / "patches.npz", **arrays))
    assert ("whole groups" in capsys.readouterr().err) != own_test
    parts = {part: dataset.split(part).images[:, 0, 0] for part in ("train", "validation", "test")}
    if own_test:
        assert torch.equal(parts.pop("test")[:, 1], 255 - torch.arange(20, dtype=torch.uint8))
    seen = [set(rows[:, 0].tolist()) for rows in parts.values()]
    assert all(seen)
    assert len(set.union(*seen)) == sum(map(len, seen)) == 40
    assert sorted(torch.cat([rows[:, 1] for rows in parts.values()]).tolist()) == list(range(240))


def test_at_most_5000_of_many_rows_with_groups_are_for_validation(tmp_path: Path) -> None:
    groups = np.arange(72_000) // 4
    dataset = open_dataset(
        write(tmp_path / "many.npz", images=groups[:, None].astype(np.float32), groups=groups), bounded=False
    )
    assert len(dataset.half("test").images) == 7_200
    assert len(dataset.split("validation").images) == 5_000


def test_a_file_may_bring_its_own_test_split(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    images, labels = numbered(200), np.repeat(np.arange(4), 50)
    arrays = {"images": images[:150], "labels": labels[:150], "test_images": images[150:], "test_labels": labels[150:]}
    arrays["labels"][:5] = 3
    dataset = open_dataset(write(tmp_path / "own.npz", **arrays))
    assert "no test half" not in capsys.readouterr().err
    assert torch.equal(dataset.half("test").images, torch.from_numpy(images[150:]))
    assert dataset.half("test").labels.tolist() == labels[150:].tolist()
    assert sorted(dataset.half("train").images[:, 0, 0, 0].tolist()) == list(range(150))
    assert len(dataset.split("validation").labels.unique()) > 1  # not the last class alone
    for lacking in ("labels", "test_labels"):
        some = {name: array for name, array in arrays.items() if name != lacking}
        with pytest.raises(DataError, match="has labels for one of `images` and `test_images`"):
            open_dataset(write(tmp_path / "own.npz", **some))
    arrays["test_images"] = images[150:, :2]
    with pytest.raises(DataError, match=r"`test_images` of .* are \(2, 4, 5\) of .*, and `images` are \(3, 4, 5\)"):
        open_dataset(write(tmp_path / "own.npz", images=images[:150], test_images=images[150:, :2]))
    with pytest.raises(DataError, match=r"`groups` of .* of torch.float64; it holds whole numbers"):
        open_dataset(write(tmp_path / "own.npz", images=images, groups=np.linspace(0, 1, 200)))
