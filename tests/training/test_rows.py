"""Data wherever they are: every kind of source gives the rows that it holds, in the precision that it has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from training.data import DataError, Rows, as_images

VECTORS = np.random.default_rng(0).normal(size=(300, 7)).astype(np.float32)


class OnlySlices:
    """Something with a length and slices, and nothing else."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.asked = values, 0

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: slice) -> np.ndarray:
        if not isinstance(rows, slice):
            raise TypeError("only slices")
        self.asked += 1
        return self.values[rows]


def mapped(folder: Path, values: np.ndarray) -> np.memmap:
    np.save(folder / "rows.npy", values)
    return np.load(folder / "rows.npy", mmap_mode="r")


SOURCES = {
    "tensor": lambda values, _: torch.from_numpy(values),
    "array": lambda values, _: values,
    "turned around": lambda values, _: values[::-1].copy()[::-1],
    "memmap": lambda values, folder: mapped(folder, values),
    "a part of a memmap": lambda values, folder: mapped(folder, np.concatenate([values, values]))[: len(values)],
    "slices": lambda values, _: OnlySlices(values),
    "list": lambda values, _: list(values),
    "list of tensors": lambda values, _: list(torch.from_numpy(values)),
    "of another byte order": lambda values, _: OnlySlices(values.astype(values.dtype.newbyteorder(">"))),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.uint8])
@pytest.mark.parametrize("kind", SOURCES)
def test_rows_are_those_of_the_source_in_its_precision(kind: str, dtype: type, tmp_path: Path) -> None:
    values = np.abs(VECTORS * 40).astype(dtype)
    images = as_images(SOURCES[kind](values, tmp_path))
    assert (len(images), tuple(images.shape), images.ndim) == (300, (300, 7), 2)
    chosen = torch.tensor([5, 299, 0, 5, 17])
    for got, expected in (
        (images[chosen], values[[5, 299, 0, 5, 17]]),
        (images[10:20], values[10:20]),
        (images[:1000], values),
        (torch.cat(list(images.split(128))), values),
    ):
        assert got.numpy().dtype == dtype
        assert np.array_equal(got.numpy(), expected)


def test_a_tensor_and_an_array_are_not_copied() -> None:
    vectors = torch.from_numpy(VECTORS.copy())
    assert as_images(vectors).data_ptr() == vectors.data_ptr()
    assert as_images(vectors.numpy()).data_ptr() == vectors.data_ptr()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_a_mapped_file_is_read_without_its_map(tmp_path: Path) -> None:
    """Also a part of it; its pages do not come into the memory of the process."""

    def in_memory() -> int:
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return int(status["RssFile"].split()[0])

    whole = np.lib.format.open_memmap(tmp_path / "rows.npy", "w+", np.float16, (60_000, 256))
    whole[:] = np.arange(60_000)[:, None] % 2048
    del whole
    rows = Rows(np.load(tmp_path / "rows.npy", mmap_mode="r")[1_000:])
    before = in_memory()
    for chosen in torch.randperm(59_000).split(1_000):
        assert torch.equal(rows[chosen][:, 255], ((chosen + 1_000) % 2048).half())
    assert in_memory() - before < 8_000  # kilobytes, of 30,000


def test_a_file_that_is_not_what_was_mapped_is_not_read(tmp_path: Path) -> None:
    source = mapped(tmp_path, VECTORS)
    (tmp_path / "rows.npy").rename(tmp_path / "old.npy")
    assert torch.equal(Rows(source)[:9], torch.from_numpy(VECTORS[:9]))
    np.save(tmp_path / "rows.npy", VECTORS + 1)
    assert torch.equal(Rows(source)[:9], torch.from_numpy(VECTORS[:9]))


def test_what_was_written_to_a_copy_of_a_mapped_file_is_read(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", VECTORS)
    source = np.load(tmp_path / "rows.npy", mmap_mode="c")
    source[17] = 4  # in memory alone; the first and the last row are as in the file
    assert np.array_equal(Rows(source)[10:20].numpy(), source[10:20])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (5, r"Data come as a tensor, an array, or anything with a length and slices.*; got int"),
        ({"a": 1}, "got dict"),
        ("words", "got str"),
        (np.zeros((4, 3), dtype=np.int64), r"Data are bytes \(uint8\) or floats; got int64: convert them"),
        (np.zeros((4, 3), dtype=object), "object is no type of numbers|got the shape"),
        (np.zeros((4, 3, 2)), r"got the shape \(4, 3, 2\)"),
        (torch.zeros(0, 3), r"got the shape \(0, 3\)"),
        ([], r"Data come as"),
    ],
)
def test_what_is_no_data_is_refused_with_what_is(data: object, words: str) -> None:
    with pytest.raises(DataError, match=words):
        as_images(data)
