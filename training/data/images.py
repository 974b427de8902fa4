"""Images as tensors: a part of a data set, and what is done to images before a model sees them."""

from __future__ import annotations

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
    """A part of a data set: images (n, channels, height, width), bytes or floats, and labels (n,) from 0."""

    images: Tensor
    labels: Tensor


def as_floats(images: Tensor) -> Tensor:
    """Images as floats in [0, 1]: bytes are divided by 255, floats are passed on."""
    return images if images.is_floating_point() else images.float() / 255


def add_noise(images: Tensor, sigma: float | Tensor, generator: torch.Generator) -> Tensor:
    """Images plus Gaussian noise of standard deviation sigma (one, or one an image), not clipped to [0, 1]."""
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    return images + torch.as_tensor(sigma, device=images.device).reshape(-1, 1, 1, 1) * noise


def resized(images: Tensor, size: int | None, grey: bool) -> Tensor:
    """Images (n, channels, height, width), bytes or floats, with their middle square scaled to size x size pixels.

    None leaves their size; `grey` makes one channel of three.
    """
    return torch.cat([_resized(batch, size, grey) for batch in images.split(BATCH)])


def _resized(images: Tensor, size: int | None, grey: bool) -> Tensor:
    height, width = images.shape[2:]
    if grey and images.shape[1] == 3:
        mixed = torch.einsum("nchw,c->nhw", images.float(), torch.tensor(LUMA)).unsqueeze(1)
        images = mixed if images.is_floating_point() else mixed.round().byte()
    if size is None or (height, width) == (size, size):
        return images
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = images[..., top : top + side, left : left + side]
    if not square.is_floating_point():
        return F.interpolate(square, (size, size), mode="bilinear", antialias=True)
    scaled = F.interpolate(square.float(), (size, size), mode="bilinear", antialias=True)
    return scaled.clamp(square.min(), square.max())  # rounding would leave [0, 1]
