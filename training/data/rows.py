"""Images or vectors wherever they are: a tensor, an array, a file that is mapped into memory, anything with slices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .images import DataError

KINDS = "fiub"
"""Of numpy's numbers: floats, whole numbers and truth values."""
TAKEN = "a tensor, an array, or anything with a length and slices, of the shape (n, length) or (n, channels, h, w)"


class Rows:
    """Rows that stay where they are, and are read when they are asked for.

    It has what the loop and the metrics use of a tensor: `len`, `shape`, `device`, `split`, and `rows[...]` with a
    slice or whole numbers (n,). What comes back are tensors on the CPU, bytes or floats of the precision of the source.

    Args:
        source: anything with a length and slices, which are tensors, arrays or lists of numbers. A file that numpy
            mapped into memory may be larger than the memory: the system drops what was read where memory runs short.

    Raises:
        DataError: the source has no length, no slices, no rows, or rows that are neither images nor vectors.
    """

    def __init__(self, source: Any) -> None:
        self._source = source
        self.device = torch.device("cpu")
        try:
            first = as_tensor(source[0:1])
            self.shape = torch.Size((len(source), *first.shape[1:]))
        except (TypeError, KeyError, ValueError, IndexError, AttributeError) as error:
            raise DataError(f"Data come as {TAKEN}; got {type(source).__name__} ({error}).") from error
        self.ndim, self.dtype = first.ndim, first.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | Tensor) -> Tensor:
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            return as_tensor(self._source[start:stop])[::step]
        if isinstance(self._source, np.ndarray):
            return as_tensor(self._source[rows.numpy()])
        return torch.cat([self[row : row + 1] for row in rows.tolist()])

    def split(self, size: int) -> Iterator[Tensor]:
        """Yield the rows in order, in batches."""
        return (self[start : start + size] for start in range(0, len(self), size))


Images = Tensor | Rows
"""Images or vectors as the loop and the metrics take them: (n, channels, height, width) or (n, length)."""


def as_images(data: Any) -> Images:
    """Data as a tensor, without a copy where they are in memory, or as `Rows`.

    Args:
        data: a tensor; a numpy array, mapped into memory or not; or anything with a length and slices. Images (n,
            channels, height, width) or vectors (n, length), bytes or floats of any precision.

    Raises:
        DataError: another shape or type, or no rows.
    """
    if type(data) is np.ndarray and data.dtype.kind in KINDS and data.flags.writeable:
        data = as_tensor(data)
    images = data if isinstance(data, Tensor | Rows) else Rows(data)
    if images.ndim not in (2, 4) or 0 in images.shape:
        raise DataError(f"Data come as {TAKEN}; got the shape {tuple(images.shape)}.")
    if images.dtype != torch.uint8 and not images.dtype.is_floating_point:
        kind = str(images.dtype).removeprefix("torch.")
        raise DataError(f"Data are bytes (uint8) or floats; got {kind}: convert them, such as data.astype('float32').")
    return images.detach() if isinstance(images, Tensor) else images


def as_tensor(values: Any) -> Tensor:
    """A tensor on the CPU of an array, of whatever byte order, or of what a slice gave.

    Raises:
        TypeError: it holds no numbers.
    """
    if isinstance(values, Tensor):
        return values.cpu()
    if isinstance(values, list) and values and isinstance(values[0], Tensor):
        return torch.stack(values).cpu()
    array = np.asarray(values)
    if array.dtype.name == "bfloat16":  # a type that numpy has from elsewhere
        return torch.from_numpy(np.ascontiguousarray(array).view(np.int16)).view(torch.bfloat16)
    if array.dtype.kind not in KINDS:
        raise TypeError(f"{array.dtype} is no type of numbers")
    array = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="), copy=False))
    return torch.from_numpy(array if array.flags.writeable else array.copy())
