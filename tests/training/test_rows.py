"""Data wherever they are: every kind of source gives the rows that it holds, in the precision that it has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from training.data import DataError, as_images

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


class WholeSlices(OnlySlices):
    """A source that needs both ends of a slice."""

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self.values[list(range(rows.start, min(rows.stop, len(self.values))))]


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
    "whole slices": lambda values, _: WholeSlices(values),
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
