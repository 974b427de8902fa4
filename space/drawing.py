"""Images as small strings of HTML, which a browser redraws fast and sharp."""

from __future__ import annotations

import base64
import io
import math
from html import escape

import numpy as np
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from training.draw.card_image import as_pictures


def _table(anchors: str) -> np.ndarray:
    """256 colours between equidistant ones, which are given in hexadecimal."""
    colours = np.array([list(bytes.fromhex(anchor)) for anchor in anchors.split()])
    places = np.linspace(0, 255, len(colours))
    return np.stack([np.interp(np.arange(256), places, channel) for channel in colours.T], 1).round().astype(np.uint8)


# 256 colours each, to be told apart with every kind of colour vision: from black (off) to pale yellow (on), which is
# matplotlib's inferno within 6 of 255 levels; and from blue (negative) by white to orange (positive).
ACTIVATION_COLOURS = _table(
    "000004 0c0826 240c4f 420a68 5d126e 781c6d 932667 ae305c c73e4c dd513a ed6925 f8850f fca50a fac62d f2e661 fcffa4"
)
SIGNED_COLOURS = _table("1d4ed8 ffffff b45309")
GREYS = _table("000000 ffffff")


def image_of(pixels: Tensor, alt: str) -> str:
    """An `<img>` of an image (1 or 3, height, width); values outside [0, 1] are clipped."""
    levels = (pixels.clamp(0, 1) * 255).round().byte()
    return _img(Image.fromarray((levels[0] if len(levels) == 1 else levels.permute(1, 2, 0)).numpy()), alt)


def activation_image(activations: Tensor, alt: str) -> str:
    """An `<img>` of activations (latent_dim,) in [0, 1] as a square map, 900 of them as 30 x 30."""
    side = map_side(len(activations))
    levels = np.zeros(side * side, np.uint8)
    levels[: len(activations)] = (activations * 255).round().byte().numpy()
    return _img(Image.fromarray(ACTIVATION_COLOURS[levels].reshape(side, side, 3)), alt)


def signed_image(values: Tensor, largest: float, alt: str) -> str:
    """An `<img>` of signed values (channels, height, width), as `_signed` colours them."""
    return _img(Image.fromarray(_signed(values[None] / largest)[0]), alt)


def _signed(images: Tensor) -> np.ndarray:
    """Signed images (n, channels, height, width) in colours (n, height, width, 3).

    -1 is blue, 0 white and 1 orange; of three channels each is a colour by itself, and 0 is grey.
    """
    if images.shape[2:] == (1, 1):  # vectors, as squares
        side = map_side(images.shape[1])
        images = F.pad(images.flatten(1), (0, side * side - images.shape[1])).reshape(-1, 1, side, side)
    levels = (as_pictures(images, -1, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    return levels if levels.shape[-1] == 3 else SIGNED_COLOURS[levels[..., 0]]


def colour_bar(colours: np.ndarray, *words: str) -> str:
    """What the colours (256, 3) of an image mean, with words below that are spread from the lowest to the highest."""
    shades = ", ".join(f"rgb({r} {g} {b})" for r, g, b in colours[:: 255 // 5])
    return (
        f'<div class="scale" style="background: linear-gradient(90deg, {shades})" aria-hidden="true"></div>'
        f'<div class="scale-ends">{"".join(f"<span>{word}</span>" for word in words)}</div>'
    )


def map_side(latents: int) -> int:
    """How many cells a map of so many latents has in a row: the smallest square that holds them."""
    return math.isqrt(latents - 1) + 1


def _img(image: Image.Image, alt: str) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img src="data:image/png;base64,{data}" alt="{escape(alt)}" decoding="sync">'


def card(image: str, title: str, caption: str, css_class: str = "") -> str:
    """An image with a title and a line below it; all are HTML."""
    return f'<figure class="{css_class}">{image}<figcaption><b>{title}</b> {caption}</figcaption></figure>'


def ring(latent: int, latents: int, css_class: str) -> str:
    """A frame around the cell of one latent, to be put into a map of so many."""
    side = map_side(latents)
    row, column = divmod(latent, side)
    cell = 100 / side
    place = f"left: {column * cell:.2f}%; top: {row * cell:.2f}%; width: {cell:.2f}%; height: {cell:.2f}%"
    return f'<span class="ring {css_class}" style="{place}"></span>'


def wall(images: Tensor, columns: int, alt: str) -> str:
    """An `<img>` of signed images (n, channels, height, width) side by side, each in the full range of colours."""
    cells = _signed(images / images.abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-6))
    n, height, width, _ = cells.shape
    rows = -(-n // columns)
    sheet = np.full((rows * (height + 1), columns * (width + 1), 3), 255, np.uint8)
    for i, cell in enumerate(cells):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        sheet[top : top + height, left : left + width] = cell
    return _img(Image.fromarray(sheet), alt)
