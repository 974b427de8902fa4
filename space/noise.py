"""Noise in which number i depends on the seed and i alone, the same as in web/noise.js: a seed means one picture."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Words = NDArray[np.uint32]


def _mixed(x: Words) -> Words:
    """Mix the bits of each number; the constants are from github.com/skeeto/hash-prospector."""
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x21F0AAAD)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x735A2D97)
    return x ^ (x >> np.uint32(15))


def bits(seed: int, counters: Words) -> Words:
    """Random bits by seed, from 0 to 2**32 - 1, and position; in the shape of the positions."""
    # The sums keep 0 from being mixed to 0.
    return _mixed(
        _mixed(np.array([seed], np.uint32) + np.uint32(0x9E3779B9)) ^ _mixed(counters + np.uint32(0x85EBCA6B))
    )


def noise(seed: int, shape: tuple[int, ...]) -> Tensor:
    """Standard normal numbers in double precision (Box and Muller 1958).

    Args:
        seed: from 0 to 2**32 - 1.
        shape: of the result; the last axis runs fastest.
    """
    uniform = (bits(seed, np.arange(2 * math.prod(shape), dtype=np.uint32)) + 0.5) / 2**32  # in (0, 1)
    u, v = uniform[::2], uniform[1::2]
    return torch.from_numpy(np.sqrt(-2 * np.log(u)) * np.cos(2 * math.pi * v)).reshape(shape)
