"""Images as tensors: a part of a data set, and what is done to images before a model sees them."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from sae_model.errors import UserError

Half = Literal["train", "test"]
Part = Literal["train", "validation", "test"]
LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in a grey image (ITU-R BT.601)."""
BATCH = 1000


class DataError(UserError):
    """Images could not be had. The message names the file and says what to do."""


class Split(NamedTuple):
    """A part of a data set: images (n, channels, height, width), or vectors (n, length), and labels (n,) from 0.

    Values are bytes or floats.
    """

    images: Tensor
    labels: Tensor


class Places(NamedTuple):
    """Where rows that are patches are from: the number of the image, (n,), and their row and column in it, (n, 2)."""

    groups: Tensor
    positions: Tensor | None


def called(images: Tensor) -> str:
    """What messages call the rows of a data set: images, or rows where they are vectors."""
    return "images" if images.ndim == 4 else "rows"


def as_floats(images: Tensor) -> Tensor:
    """Images as floats in single precision: bytes are divided by 255, floats keep their values."""
    return images.float() if images.is_floating_point() else images.float() / 255


def wrong_values(images: Tensor, bounded: bool) -> str | None:
    """What is wrong with the values of images: NaN, infinity, or floats outside of [0, 1] where they are bounded."""
    if not images.is_floating_point() or images.numel() == 0:
        return None
    low, high = (value.item() for value in images.aminmax())
    if not math.isfinite(low) or not math.isfinite(high):
        return "The data hold NaN or infinity, so the loss is not finite: leave such rows out."
    if bounded and not 0 <= low <= high <= 1:
        return (
            f"The data have values from {low:.3g} to {high:.3g}, and the cross-entropy is for values in [0, 1]: scale "
            'them, or train with the squared error (loss="mse", or --loss mse).'
        )
    return None


def add_noise(images: Tensor, sigma: float | Tensor, generator: torch.Generator) -> Tensor:
    """Images plus Gaussian noise of standard deviation sigma (one, or one an image), not clipped to [0, 1]."""
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    of_each = torch.as_tensor(sigma, device=images.device).reshape(-1, *[1] * (images.ndim - 1))
    return images + of_each * noise


def resized(images: Tensor, size: int | None, grey: bool) -> Tensor:
    """Images (n, channels, height, width), bytes or floats, with their middle square scaled to size x size pixels.

    None leaves their size; `grey` makes one channel of three.
    """
    grey = grey and images.shape[1] == 3
    if not grey and (size is None or tuple(images.shape[2:]) == (size, size)):
        return images
    return torch.cat([_resized(batch, size, grey) for batch in images.split(BATCH)])


def _resized(images: Tensor, size: int | None, grey: bool) -> Tensor:
    values = images.float()
    if grey:
        values = torch.einsum("nchw,c->nhw", values, torch.tensor(LUMA)).unsqueeze(1)
    if size is not None and tuple(values.shape[2:]) != (size, size):
        side = min(values.shape[2:])
        top, left = ((length - side) // 2 for length in values.shape[2:])
        square = values[..., top : top + side, left : left + side]
        scaled = F.interpolate(square, (size, size), mode="bilinear", antialias=True)
        values = scaled.clamp(square.min(), square.max())  # rounding would leave [0, 1]
    return (values if images.is_floating_point() else values.round()).to(images.dtype)
