"""Images and charts as small strings of HTML and SVG, which a browser redraws fast and sharp."""

from __future__ import annotations

import base64
import io
import math
from html import escape

import matplotlib
import numpy as np
from matplotlib.colors import Colormap, LinearSegmentedColormap
from PIL import Image
from torch import Tensor


def _table(colours: Colormap) -> np.ndarray:
    return (colours(np.arange(256))[:, :3] * 255).round().astype(np.uint8)


# 256 colours each, to be told apart with every kind of colour vision: from black (off) to pale yellow (on), and from
# blue (negative) by white to orange (positive).
ACTIVATION_COLOURS = _table(matplotlib.colormaps["inferno"])
SIGNED_COLOURS = _table(LinearSegmentedColormap.from_list("signed", ["#1d4ed8", "#ffffff", "#b45309"]))


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


def histogram(shares: list[float], mean: float, title: str, x_label: str, y_label: str) -> str:
    """An SVG of the shares of ten equal bins of [0, 1], with the overall mean as a dashed line.

    Each bar carries its share as a number, since most are too low to be seen.
    """
    width, height, left, right, top, bottom = 360, 216, 44, 8, 32, 38
    plot_width, plot_height = width - left - right, height - top - bottom

    def x(value: float) -> float:
        return left + value * plot_width

    def y(share: float) -> float:
        return top + (1 - share) * plot_height

    step = 1 / len(shares)
    grid = "".join(
        f'<line class="grid" x1="{left}" x2="{width - right}" y1="{y(share):.1f}" y2="{y(share):.1f}"/>'
        f'<text class="tick" x="{left - 5}" y="{y(share) + 3.5:.1f}" text-anchor="end">{share:.0%}</text>'
        for share in (0, 0.5, 1)
    )
    bars = "".join(
        f'<rect class="bar" x="{x(i * step + 0.1 * step):.1f}" y="{y(share):.1f}" '
        f'width="{0.8 * step * plot_width:.1f}" height="{share * plot_height:.1f}"/>'
        f'<text class="share" x="{x((i + 0.5) * step):.1f}" y="{y(share) - 4:.1f}" '
        f'text-anchor="middle">{escape(percent(share))}</text>'
        for i, share in enumerate(shares)
    )
    ticks = "".join(
        f'<text class="tick" x="{x(value):.1f}" y="{height - bottom + 13}" text-anchor="middle">{value:g}</text>'
        for value in (0, 0.2, 0.4, 0.6, 0.8, 1)
    )
    bar = int(mean / step)  # the words stand clear of the bar on which the line stands
    beside, anchor = (x((bar + 1) * step) + 4, "start") if mean < 0.7 else (x(bar * step) - 4, "end")
    mean_line = (
        f'<line class="mean" x1="{x(mean):.1f}" x2="{x(mean):.1f}" y1="{top}" y2="{y(0):.1f}"/>'
        f'<text class="mean-label" x="{beside:.1f}" y="{top + 22}" text-anchor="{anchor}">'
        f"mean {mean:.3f}</text>"
    )
    spoken = "; ".join(f"{i * step:.1f} to {(i + 1) * step:.1f}: {percent(s)}" for i, s in enumerate(shares) if s)
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(f"{title}. {y_label} by {x_label}: {spoken}. Overall mean {mean:.3f}.")}">'
        f'<text class="title" x="{left}" y="14">{escape(title)}</text>{grid}{bars}{mean_line}{ticks}'
        f'<text class="axis" x="{left + plot_width / 2}" y="{height - 6}" text-anchor="middle">{escape(x_label)}</text>'
        f'<text class="axis" transform="translate(11 {top + plot_height / 2}) rotate(-90)" '
        f'text-anchor="middle">{escape(y_label)}</text></svg>'
    )


def percent(share: float) -> str:
    """A share as a short percentage: "97%", "2.4%", "0.3%", "0"."""
    if share == 0:
        return "0"
    if share < 0.0005:
        return "<.1%"
    return f"{share:.0%}" if share >= 0.0995 else f"{share:.1%}"
