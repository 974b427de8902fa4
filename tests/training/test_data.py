"""Reading data sets: right, or an error message that names the file; and nothing left on disk."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from tests.idx import write_idx
from training.data import DATA_DIR, DATASETS, DataError, add_noise, as_floats, load_split, open_dataset
from training.data.torchvision_import import datasets

RAW = DATA_DIR / "MNIST" / "raw"
NAMES = [path.name for path in sorted(RAW.glob("*.gz"))]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A small data folder of four small, whole files."""
    generator = np.random.default_rng(0)
    for half, count in {"train": 20, "t10k": 10}.items():
        images, labels = generator.integers(0, 256, (count, 28, 28)), generator.integers(0, 10, count)
        write_idx(tmp_path / "MNIST" / "raw", half, images, labels)
    return tmp_path


def unpack(raw: Path) -> None:
    for path in raw.glob("*.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def bundled(half: str) -> tuple[np.ndarray, np.ndarray]:
    """All images and labels of a half, out of its files by hand."""
    content = gzip.decompress((RAW / f"{half}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((RAW / f"{half}-labels-idx1-ubyte.gz").read_bytes())
    return np.frombuffer(content, np.uint8, offset=16).reshape(-1, 1, 28, 28), np.frombuffer(labels, np.uint8, offset=8)


@pytest.mark.parametrize(
    ("part", "first", "count"), [("train", 0, 55_000), ("validation", 55_000, 5_000), ("test", 0, 10_000)]
)
def test_the_parts_of_mnist_are_those_of_its_files(part: str, first: int, count: int) -> None:
    images, labels = bundled("t10k" if part == "test" else "train")
    split = load_split("mnist", part)
    assert np.array_equal(split.images.numpy(), images[first : first + count])
    assert np.array_equal(split.labels.numpy(), labels[first : first + count])
    assert (len(split.images), split.labels.dtype) == (count, torch.long)


@pytest.mark.parametrize(("images", "held_back"), [(20, 1), (24, 2), (11, 0), (1200, 100)])
def test_a_small_data_set_holds_a_twelfth_back(tmp_path: Path, images: int, held_back: int) -> None:
    for half in ("train", "t10k"):
        marks = np.arange(images) % 10
        write_idx(tmp_path / "MNIST" / "raw", half, np.broadcast_to(marks[:, None, None], (images, 28, 28)), marks)
    train, validation = (load_split("mnist", part, tmp_path) for part in ("train", "validation"))
    assert len(validation.images) == len(validation.labels) == held_back
    marks = torch.cat([train.labels, validation.labels])
    assert marks.tolist() == [number % 10 for number in range(images)]
    assert torch.equal(torch.cat([train.images, validation.images])[:, 0, 0, 0].long(), marks)
    assert len(load_split("mnist", "test", tmp_path).images) == images


def test_bundled_files_are_the_canonical_ones() -> None:
    from torchvision.datasets.utils import check_integrity

    for name, md5 in datasets.MNIST.resources:
        assert check_integrity(str(RAW / name), md5), name


def test_plain_files_do_as_well_as_packed_ones_beside_which_they_are_not_read(data_dir: Path) -> None:
    raw = data_dir / "MNIST" / "raw"
    packed = load_split("mnist", "test", data_dir=data_dir)
    (raw / "t10k-images-idx3-ubyte").write_bytes(b"\0\0\10\3half")  # as a killed program leaves it
    before = files_below(data_dir)
    assert torch.equal(load_split("mnist", "test", data_dir=data_dir).images, packed.images)
    assert files_below(data_dir) == before
    unpack(raw)
    plain = load_split("mnist", "test", data_dir=data_dir)
    assert torch.equal(packed.images, plain.images)
    assert torch.equal(packed.labels, plain.labels)


@pytest.mark.parametrize(("dataset", "folder"), [("fashion-mnist", "FashionMNIST"), ("kmnist", "KMNIST")])
def test_relatives_are_read_from_their_own_folders(data_dir: Path, dataset: str, folder: str) -> None:
    (data_dir / "MNIST").rename(data_dir / folder)
    assert load_split(dataset, "train", data_dir=data_dir).images.shape == (19, 1, 28, 28)


def test_a_limit_takes_the_first_images(data_dir: Path) -> None:
    limited = load_split("mnist", "train", data_dir=data_dir, limit=3)
    assert torch.equal(limited.images, load_split("mnist", "train", data_dir=data_dir).images[:3])
    assert len(limited.labels) == 3
    with pytest.raises(DataError, match="give at least 1"):
        load_split("mnist", "train", data_dir=data_dir, limit=0)


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "a web page": lambda _: b"<html>404</html>",
    "cut short": lambda content: gzip.compress(content)[:-30],
    "a byte changed": lambda content: gzip.compress(content)[:40] + b"?" + gzip.compress(content)[41:],
    "cut short within": lambda content: gzip.compress(content[:-3]),
    "nothing within": lambda _: gzip.compress(b""),
    "a header alone": lambda content: gzip.compress(content[:6]),
    "four-byte values": lambda content: gzip.compress(b"\0\0\14\3" + content[4:]),
    "more than it says": lambda content: gzip.compress(content + b"\0"),
}
"""What it holds, unpacked -> the broken file."""


@pytest.mark.parametrize("name", [NAMES[0], NAMES[1]])
@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_file_is_named_on_one_line(data_dir: Path, name: str, broken: str) -> None:
    path = data_dir / "MNIST" / "raw" / name
    path.write_bytes(BROKEN[broken](gzip.decompress(path.read_bytes())))
    before = files_below(data_dir)
    with pytest.raises(DataError, match=f"{name} is not a whole IDX file") as caught:
        load_split("mnist", "test", data_dir=data_dir)
    assert "\n" not in str(caught.value)
    assert files_below(data_dir) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_named_on_one_line_and_the_other_half_is_read(data_dir: Path, name: str) -> None:
    (data_dir / "MNIST" / "raw" / name).unlink()
    needs_it = name.startswith("train")
    parts = {True: "train", False: "test"}
    with pytest.raises(DataError, match=f"{name} is missing"):
        load_split("mnist", parts[needs_it], data_dir)
    assert len(load_split("mnist", parts[not needs_it], data_dir).images) > 0


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no folder"):
        load_split("mnist", "test", data_dir=tmp_path / "typo")
    assert not (tmp_path / "typo").exists()


def test_a_failed_download_is_one_line_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.KMNIST, "mirrors", ["http://127.0.0.1:9/"])  # nothing listens on this port
    said = r"KMNIST is not whole in .* and could not be downloaded .*--data-dir"
    with pytest.raises(DataError, match=said) as caught:
        load_split("kmnist", "test", data_dir=tmp_path)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_download_is_fetched_once_and_then_read(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torchvision's own downloader, against a mirror on loopback that is gone afterwards."""
    handler = partial(SimpleHTTPRequestHandler, directory=data_dir / "MNIST" / "raw")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as mirror:
        Thread(target=mirror.serve_forever, daemon=True).start()
        monkeypatch.setattr(datasets.KMNIST, "mirrors", [f"http://127.0.0.1:{mirror.server_port}/"])
        monkeypatch.setattr(datasets.KMNIST, "resources", [(name, None) for name in NAMES])
        home = tmp_path / "home"
        home.mkdir()
        split = load_split("kmnist", "train", data_dir=home)
        mirror.shutdown()
    assert torch.equal(split.images, load_split("mnist", "train", data_dir=data_dir).images)
    assert files_below(home) == sorted(f"KMNIST/raw/{name}" for name in NAMES)
    assert torch.equal(load_split("kmnist", "train", data_dir=home).images, split.images)


def test_noise_has_the_sigma_that_was_asked_for_and_follows_its_seed() -> None:
    images = torch.rand(400, 1, 28, 28)
    noise = add_noise(images, 0.3, torch.Generator().manual_seed(5)) - images
    assert noise.std().item() == pytest.approx(0.3, rel=0.01)
    assert noise.mean().item() == pytest.approx(0, abs=0.01)
    doubled = add_noise(images, 0.6, torch.Generator().manual_seed(5)) - images
    torch.testing.assert_close(doubled, 2 * noise, atol=1e-6, rtol=1e-4)
    of_each = add_noise(images, torch.arange(400) % 2 * 0.3, torch.Generator().manual_seed(5)) - images
    torch.testing.assert_close(of_each, noise * (torch.arange(400) % 2).reshape(-1, 1, 1, 1))


def test_bytes_become_floats_and_floats_stay() -> None:
    assert as_floats(torch.tensor([0, 51, 255], dtype=torch.uint8)).tolist() == pytest.approx([0, 0.2, 1])
    floats = torch.rand(3)
    assert as_floats(floats) is floats


def test_classes_have_names() -> None:
    for name, dataset in DATASETS.items():
        assert len(dataset.about.classes) == len(set(dataset.about.classes)) == (26 if name == "emnist-letters" else 10)
        assert dataset.about.attribution.startswith(f"{dataset.about.title}: {dataset.about.credit}, ")
    assert DATASETS["mnist"].about.attribution == "MNIST: Y. LeCun, C. Cortes and C. J. C. Burges, CC BY-SA 3.0."


def test_emnist_is_turned_upright_and_counted_from_0(tmp_path: Path) -> None:
    """EMNIST's files hold images on their side, and its letters are labelled from 1."""
    generator = np.random.default_rng(0)
    images, labels = generator.integers(0, 256, (30, 28, 28)), np.arange(30) % 26 + 1
    raw = tmp_path / "EMNIST" / "raw"
    for half in ("train", "test"):
        write_idx(raw, f"emnist-letters-{half}", images, labels)
    unpack(raw)
    for half, first in (("train", slice(28)), ("test", slice(30))):
        split = load_split("emnist-letters", half, tmp_path)
        assert split.labels.tolist() == (labels[first] - 1).tolist()
        assert np.array_equal(split.images[:, 0].numpy(), images.transpose(0, 2, 1)[first])
    (raw / "emnist-letters-test-labels-idx1-ubyte").write_bytes(b"\0\0\10\1half")
    with pytest.raises(DataError, match=r"EMNIST is not whole in .*--data-dir"):
        load_split("emnist-letters", "test", tmp_path)


@pytest.mark.parametrize(
    ("name", "source", "half_is"), [("cifar10", "CIFAR10", {"train": False}), ("svhn", "SVHN", {"split": "test"})]
)
def test_what_torchvision_reads_comes_in_colour_and_may_be_scaled_and_grey(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, source: str, half_is: dict[str, object]
) -> None:
    """CIFAR-10 has its channels last. SVHN is read by SciPy, which the project does not need for anything else."""
    images = np.random.default_rng(0).integers(0, 256, (20, 3, 32, 32)).astype(np.uint8)
    held = {"data": images, "labels": np.arange(20) % 10}
    if name == "cifar10":
        held = {"data": images.transpose(0, 2, 3, 1), "targets": [number % 10 for number in range(20)]}
    read = Mock(return_value=SimpleNamespace(**held))
    monkeypatch.setattr(datasets, source, read)
    test = load_split(name, "test", tmp_path)
    assert np.array_equal(test.images.numpy(), images)
    assert test.labels.tolist() == [*range(10)] * 2
    read.assert_called_once_with(tmp_path, download=True, **half_is)
    assert open_dataset(name, tmp_path, image_size=16, grey=True).split("test").images.shape == (20, 1, 16, 16)
    read.side_effect = ModuleNotFoundError("No module named 'scipy'", name="scipy")
    with pytest.raises(DataError, match=f"{source} is read with the help of scipy: `pip install scipy`"):
        load_split(name, "test", tmp_path)


@pytest.mark.parametrize(
    ("count", "labels", "words"),
    [
        (10, [10] * 10, r"10 images, 10 labels \(10 is one\) and 10 classes, numbered from 0"),
        (10, [3] * 9, "10 images, 9 labels and 10 classes"),
        (0, [], "0 images, 0 labels"),
    ],
)
def test_files_that_do_not_belong_together_are_noticed(
    data_dir: Path, count: int, labels: list[int], words: str
) -> None:
    write_idx(data_dir / "MNIST" / "raw", "t10k", np.zeros((count, 28, 28)), np.array(labels))
    with pytest.raises(DataError, match=f"MNIST has {words}"):
        load_split("mnist", "test", data_dir)


def test_a_torchvision_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.delitem(sys.modules, "training.data.torchvision_import")
    with pytest.raises(DataError, match="is not installed: pip install torchvision"):
        import_module("training.data.torchvision_import")
