"""Images as small strings of HTML, which a browser redraws fast and sharp."""

from __future__ import annotations

import base64
import io
import math
from html import escape

import numpy as np
from PIL import Image
from torch import Tensor


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


def digit_image(pixels: Tensor, alt: str) -> str:
    """An `<img>` of an image (height, width), white ink on black; values outside [0, 1] are clipped."""
    levels = (pixels.clamp(0, 1) * 255).round().byte().numpy()
    return _img(Image.fromarray(levels), alt)


def activation_image(activations: Tensor, alt: str) -> str:
    """An `<img>` of activations (latent_dim,) in [0, 1] as a square map, 900 of them as 30 x 30."""
    side = map_side(len(activations))
    levels = np.zeros(side * side, np.uint8)
    levels[: len(activations)] = (activations * 255).round().byte().numpy()
    return _img(Image.fromarray(ACTIVATION_COLOURS[levels].reshape(side, side, 3)), alt)


def signed_image(values: Tensor, largest: float, alt: str) -> str:
    """An `<img>` of signed values (height, width): -largest is blue, 0 white, largest orange."""
    levels = (127.5 + 127.5 * (values / largest).clamp(-1, 1)).round().byte().numpy()
    return _img(Image.fromarray(SIGNED_COLOURS[levels]), alt)


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
    """An `<img>` of signed images (n, height, width) side by side, each in the full range of colours."""
    n, height, width = images.shape
    scaled = images / images.abs().amax((1, 2), keepdim=True).clamp_min(1e-6)
    levels = (127.5 + 127.5 * scaled).round().byte().numpy()
    rows = -(-n // columns)
    sheet = np.full((rows * (height + 1), columns * (width + 1)), 127, np.uint8)
    for i, cell in enumerate(levels):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        sheet[top : top + height, left : left + width] = cell
    return _img(Image.fromarray(SIGNED_COLOURS[sheet]), alt)
