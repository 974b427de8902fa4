"""The image on a card, of images in any shape."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from sae_model import SparseAutoencoder
from training.draw.card_image import COUNT, GAP, card_image


@pytest.mark.parametrize(
    ("shape", "drawn"),
    {
        "a row": ((1, 1, 20_000), (1, 512)),
        "a column": ((1, 20_000, 1), (512, 1)),
        "wide": ((3, 40, 2_000), (10, 512)),
        "two rows": ((3, 2, 60), (2, 60)),
        "one pixel": ((1, 1, 1), (1, 1)),
        "large": ((1, 600, 300), (512, 256)),
        "a vector": ((20_000, 1, 1), (142, 142)),
        "as mnist": ((1, 28, 28), (28, 28)),
    }.values(),
)
def test_images_of_any_shape_fit_a_webp_file(shape: tuple[int, int, int], drawn: tuple[int, int]) -> None:
    images = torch.full((COUNT, *shape), 0.2)
    images[3:] = 0.8  # brighter from the fourth on
    model = SparseAutoencoder(20, image_shape=shape).eval()
    sheet = Image.open(io.BytesIO(card_image(model, images))).convert("L")
    assert max(sheet.size) <= 16_383
    height, width = (side + GAP for side in drawn)
    scale = sheet.height // (4 * height)
    assert sheet.size == (COUNT * width * scale, 4 * height * scale)
    cells = np.asarray(sheet)[: height * scale].reshape(height * scale, COUNT, width * scale)
    pictures = cells[GAP * scale :, :, GAP * scale :]  # the gap is above and on the left
    assert np.median(pictures, (0, 2)) / 255 == pytest.approx([0.2] * 3 + [0.8] * 7, abs=0.1)
