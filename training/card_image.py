"""The image on a model's card: what the model makes of ten test images, clean and with noise."""

from __future__ import annotations

import io

import torch
from PIL import Image
from torch import Tensor

from sae_model import SparseAutoencoder
from training.data import Split, add_noise, as_floats

SIGMA = 0.3
SCALE, GAP = 2, 4  # each pixel is drawn as 2 x 2; 4 such pixels lie between two images


def one_of_each(test: Split) -> Tensor:
    """The first image of every class, (classes, channels, height, width)."""
    return torch.stack([test.images[test.labels == label][0] for label in test.labels.unique().tolist()])


@torch.no_grad()
def card_image(model: SparseAutoencoder, images: Tensor) -> bytes:
    """A WebP file (noise fills a PNG) with four rows: images, reconstructions, noisy images, their reconstructions.

    Args:
        model: the model.
        images: (n, 1 or 3, height, width), bytes or floats in [0, 1].
    """
    device = next(model.parameters()).device
    clean = as_floats(images)
    noisy = add_noise(clean, SIGMA, torch.Generator().manual_seed(0))
    rows = [clean, model(clean.to(device)).reconstruction.cpu(), noisy, model(noisy.to(device)).reconstruction.cpu()]
    cells = torch.nn.functional.pad(torch.stack(rows).clamp(0, 1), (GAP, 0, GAP, 0), value=1.0)
    sheet = cells.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)  # (rows * height, n * width, channels)
    levels = (sheet * 255).round().byte()
    sheet_image = Image.fromarray((levels[..., 0] if levels.shape[-1] == 1 else levels).numpy())
    large = sheet_image.resize((SCALE * sheet_image.width, SCALE * sheet_image.height), Image.Resampling.NEAREST)
    file = io.BytesIO()
    large.save(file, "WEBP", quality=40, method=6)
    return file.getvalue()
