"""A visitor's own digit: made to look as MNIST's digits do, and as text that is short enough for a link.

Images here are grey floats in [0, 1], ink bright on dark.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from space.errors import InputError
from training.words import say

SIDE = 28
"""Pixels of a side of an MNIST image."""
CANVAS = 112
"""Pixels of a side of the canvas on which visitors draw."""
LONGEST_TEXT = 1000
"""Characters; a drawing has about 250, and never more than 540."""
BOX = 20
"""Into a square of so many pixels LeCun et al. (1998) scaled each digit."""
LEVELS = 16
LEAST_CONTRAST = 0.05
"""What is not so much brighter than its border shows nothing."""
LEAST_INK = 0.05
"""A pixel with less than this share of the brightest one's ink is dust, and no part of the digit's box."""


def as_mnist(ink: Tensor) -> Tensor:
    """An image scaled and centred as those of MNIST are (LeCun et al. 1998).

    The box around the ink is scaled to fit 20 x 20 pixels, its aspect kept, and put where the ink's centre of mass is
    that of the image, to the pixel; but no ink is pushed out of the image.

    Args:
        ink: (height, width) in [0, 1]; a grey background counts as none.

    Returns:
        (28, 28), the brightest pixel 1, as in MNIST.

    Raises:
        InputError: the image is empty, that is of one shade.
    """
    ink = _without_background(ink)
    box = ink > LEAST_INK * ink.max()
    rows, columns = box.any(dim=1).nonzero().flatten(), box.any(dim=0).nonzero().flatten()
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    digit = _scaled(cut, BOX / max(cut.shape))
    image = torch.zeros(SIDE, SIDE)
    top, left = (_start(digit.sum(dim=1 - axis)) for axis in (0, 1))
    image[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return image


def to_text(image: Tensor) -> str:
    """An image (28, 28) in [0, 1] as text for a link, in 16 levels: about 250 letters, digits, "-" and "_"."""
    levels = (image * (LEVELS - 1)).round().int().flatten()
    pairs = levels[::2] * LEVELS + levels[1::2]
    return base64.urlsafe_b64encode(zlib.compress(bytes(pairs.tolist()), 9)).decode().rstrip("=")


def from_text(text: str) -> Tensor:
    """The image (28, 28) of a text that `to_text` made, in 16 levels.

    Raises:
        InputError: any other text, or no text.
    """
    if not isinstance(text, str) or not re.fullmatch("[A-Za-z0-9_-]+", text):
        raise InputError(say("draw.letters"))
    if len(text) > LONGEST_TEXT:
        raise InputError(say("draw.longest", most=LONGEST_TEXT, count=len(text)))
    size = SIDE * SIDE // 2
    inflater = zlib.decompressobj()
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        pairs = inflater.decompress(packed, size + 1)  # so much and no more, whatever it would unpack to
    except (binascii.Error, zlib.error):
        raise InputError(say("draw.broken")) from None
    if len(pairs) != size or not inflater.eof or inflater.unused_data:
        raise InputError(say("draw.pixels", side=SIDE))
    levels = [level for pair in pairs for level in divmod(pair, LEVELS)]
    return torch.tensor(levels).reshape(SIDE, SIDE) / (LEVELS - 1)


def _without_background(ink: Tensor) -> Tensor:
    """Ink above the level of the border.

    That level is the border's lower quartile: a stroke may run along much of the border.
    """
    border = torch.cat([ink[0], ink[-1], ink[:, 0], ink[:, -1]])
    ink = (ink - border.quantile(0.25)).clamp(min=0)
    if ink.max() < LEAST_CONTRAST:
        raise InputError(say("draw.empty"))
    return ink


def _scaled(cut: Tensor, scale: float) -> Tensor:
    """An image (height, width) scaled, each pixel the mean of what it covers.

    It is then stretched to a brightest pixel of 1: a thin line becomes thin, not faint.
    """
    height, width = (max(1, round(side * scale)) for side in cut.shape)
    scaled = Image.fromarray(cut.numpy().astype(np.float32)).resize((width, height), Image.Resampling.BOX)
    digit = torch.from_numpy(np.array(scaled)).clamp(min=0)
    return digit / digit.max()


def _start(profile: Tensor) -> int:
    """Where a digit, with so much ink in each of its rows (or columns), starts in the image."""
    # In MNIST the centre of mass of every digit is at pixel 14 of 0 to 27, when rounded.
    centre = (profile * torch.arange(len(profile))).sum() / profile.sum()
    return min(max(round(SIDE / 2 - centre.item()), 0), SIDE - len(profile))
