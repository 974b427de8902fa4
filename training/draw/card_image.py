"""The image on a model's card: what the model makes of ten test images, clean and with noise."""

from __future__ import annotations

import io
import math

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from sae_model import SparseAutoencoder

from ..data import Split, add_noise, as_floats

SIGMA = 0.3
COUNT = 10
HEIGHT, GAP = 56, 4  # each image is drawn about so high, by whole pixels; 4 pixels of an image lie between two
LARGEST = 512
"""Pixels of a side of an image; larger ones are drawn smaller."""
WIDEST = 16_383
"""Pixels of a side of a WebP file."""


def examples(test: Split) -> Tensor:
    """The first image of each of the first ten classes, and then as many others as make it ten, (10, *image_shape)."""
    firsts = [int((test.labels == label).nonzero()[0]) for label in test.labels.unique().tolist()][:COUNT]
    others = [row for row in range(COUNT) if row not in firsts]
    return test.images[(firsts + others)[:COUNT]]


def value_range(output: str, images: Tensor) -> tuple[float, float]:
    """What is drawn black and white: 0 and 1, or the lowest and highest of the images where the output is linear."""
    return (0.0, 1.0) if output == "sigmoid" else (images.min().item(), images.max().item())


def squares(rows: Tensor, fill: float) -> Tensor:
    """Rows of values (n, length) as the smallest squares that hold them, (n, side, side), padded with `fill`."""
    side = math.isqrt(rows.shape[1] - 1) + 1
    return F.pad(rows, (0, side * side - rows.shape[1]), value=fill).unflatten(1, (side, side))


def as_pictures(images: Tensor, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Images of any shape (n, channels, height, width) as (n, 1 or 3, height, width) in [0, 1], to be drawn.

    `low` is drawn as 0 and `high` as 1. Vectors, (n, length) too, become squares, row by row and padded with `low`; of
    other numbers of channels the mean is drawn.
    """
    if images.ndim == 2 or images.shape[2:] == (1, 1):
        images = squares(images.flatten(1), low).unsqueeze(1)
    elif images.shape[1] not in (1, 3):
        images = images.mean(1, keepdim=True)
    return ((images - low) / max(high - low, 1e-12)).clamp(0, 1)


def as_sheet(pictures: Tensor, columns: int) -> Image.Image:
    """Pictures (n, 1 or 3, height, width) in [0, 1] side by side, so many in a row; black where the last row ends."""
    rows = -(-len(pictures) // columns)
    padded = F.pad(pictures, (0, 0, 0, 0, 0, 0, 0, rows * columns - len(pictures)))
    sheet = padded.unflatten(0, (rows, columns)).permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
    levels = (255 * sheet).round().byte().numpy()
    return Image.fromarray(levels[..., 0] if levels.shape[-1] == 1 else levels)


def _reduced(pictures: Tensor) -> Tensor:
    """Pictures (n, channels, height, width) whose longer side has at most 512 pixels, each the mean of its place."""
    height, width = pictures.shape[2:]
    ratio = max(1, height / LARGEST, width / LARGEST)
    return F.adaptive_avg_pool2d(pictures, (max(1, round(height / ratio)), max(1, round(width / ratio))))


@torch.no_grad()
def card_image(model: SparseAutoencoder, images: Tensor) -> bytes:
    """A WebP file (noise fills a PNG) with four rows: images, reconstructions, noisy images, their reconstructions."""
    device = next(model.parameters()).device
    clean = as_floats(images)
    noisy = add_noise(clean, SIGMA, torch.Generator().manual_seed(0))
    rows = [clean, model(clean.to(device)).reconstruction.cpu(), noisy, model(noisy.to(device)).reconstruction.cpu()]
    drawn = torch.stack([_reduced(as_pictures(row, *value_range(model.output, clean))) for row in rows])
    sheet = as_sheet(F.pad(drawn, (GAP, 0, GAP, 0), value=1.0).flatten(0, 1), len(images))
    scale = max(1, min(round(HEIGHT / drawn.shape[-2]), WIDEST // sheet.width))
    file = io.BytesIO()
    sheet.resize((scale * sheet.width, scale * sheet.height), Image.Resampling.NEAREST).save(
        file, "WEBP", quality=40, method=6
    )
    return file.getvalue()
