"""The lecture's two histograms, as SVG: of all activations, and of the mean of each latent."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..words import say
from .charts import Drawing, svg_line, svg_text, svg_turned

LOWEST, LOG_BINS, LINEAR_BINS = 1e-3, 12, 10
EDGES = torch.logspace(math.log10(LOWEST), 0, LOG_BINS + 1)
HISTOGRAM_WIDTH, HISTOGRAM_HEIGHT = 360, 190


@dataclass(frozen=True)
class Histogram:
    """How values in [0, 1] are spread, as counts."""

    zero: int
    """How many are exactly 0."""
    log: tuple[int, ...]
    """How many of those above 0 lie in each of 12 logarithmic bins of [0.001, 1]; the first takes all below."""
    linear: tuple[int, ...]
    """How many of all lie in each of ten equal bins of [0, 1]."""
    mean: float
    """Of all."""

    @property
    def zero_share(self) -> float:
        """Of all values, in [0, 1]."""
        return self.zero / max(sum(self.linear), 1)


def histogram_of(values: Tensor) -> Histogram:
    """Count values of any shape in [0, 1], such as the activations (latent_dim,) of an image or those of many."""
    values = values.detach().float().flatten().cpu()
    zero = int((values == 0).sum())
    log = torch.bucketize(values, EDGES[1:-1], right=True).bincount(minlength=LOG_BINS)
    log[0] -= zero
    linear = torch.histc(values, LINEAR_BINS, 0, 1).long()
    return Histogram(zero, tuple(log.tolist()), tuple(linear.tolist()), values.mean(dtype=torch.float64).item())


def activation_charts(activations: Histogram, means: Histogram, linear: bool = False) -> list[Drawing]:
    """The lecture's two histograms: of all activations of some images, and of the mean of each latent over them.

    The bins are logarithmic, or ten `linear` ones, as in the lecture.
    """
    draw = linear_histogram if linear else histogram_chart
    return [
        draw(of, say(f"charts.{name}"), say(f"charts.{name}_x"), say(f"charts.{name}_y"))
        for name, of in (("all", activations), ("means", means))
    ]


def histogram_chart(h: Histogram, title: str, x_label: str, y_label: str) -> Drawing:
    """A bar for the values that are exactly 0, and a histogram of the others over logarithmic bins."""
    left, right, top, base = 132, 10, 42, HISTOGRAM_HEIGHT - 34
    plot, rest = HISTOGRAM_WIDTH - left - right, sum(h.log)
    shares = [count / max(rest, 1) for count in h.log]
    highest = max(shares) or 1
    step = next(step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5) if highest <= 4 * step)
    scale = (base - top) / (max(math.ceil(highest / step - 1e-9), 1) * step)

    def x(value: float) -> float:
        return left + max(0.0, 1 - math.log(max(value, 1e-12)) / math.log(LOWEST)) * plot

    zero = h.zero_share * (base - top)
    zeros = percent(h.zero_share, exact=True)
    middle = 50
    parts = [
        svg_text(title, "title", 8, 14),
        f'<rect class="track" x="{middle - 22}" y="{top}" width="44" height="{base - top}"/>',
        f'<rect class="zero" x="{middle - 22}" y="{base - zero:.1f}" width="44" height="{zero:.1f}"/>',
        svg_text(zeros, "number", middle, top - 6, "middle"),
        svg_text(say("charts.zero"), "tick", middle, base + 13, "middle"),
        svg_turned(y_label, 13, (top + base) / 2),
        svg_turned(say("charts.rest"), left - 34, (top + base) / 2),
    ]
    for i in range(round((base - top) / scale / step) + 1):
        y = base - i * step * scale
        parts += [
            svg_line("grid", left, y, HISTOGRAM_WIDTH - right, y),
            svg_text(f"{i * step:.0%}", "tick", left - 4, y + 3.5, "end"),
        ]
    width = plot / LOG_BINS
    parts += [
        f'<rect class="bar" x="{left + i * width + 1:.1f}" y="{base - share * scale:.1f}" width="{width - 2:.1f}" '
        f'height="{share * scale:.1f}"/>'
        for i, share in enumerate(shares)
    ]
    parts += [
        svg_text(words, "tick", x(value), base + 13, anchor)
        for value, words, anchor in (
            (0.001, "≤0.001", "start"),
            (0.01, "0.01", "middle"),
            (0.1, "0.1", "middle"),
            (1, "1", "end"),
        )
    ]
    # Above the frame, the word for the mean crosses no bar.
    parts += [
        svg_line("mean", x(h.mean), top - 4, x(h.mean), base),
        _mean_label(h.mean, x(h.mean), top),
        svg_text(x_label, "axis", left + plot / 2, HISTOGRAM_HEIGHT - 6, "middle"),
    ]
    edges = ["0", *(f"{edge:.2g}" for edge in EDGES[1:].tolist())]
    spread = "; ".join(
        say("charts.bin", low=a, high=b, share=percent(share))
        for a, b, share in zip(edges, edges[1:], shares, strict=False)
        if share
    )
    spread = spread or say("charts.none")
    spoken = say("charts.spoken", title=title, zeros=zeros, y=y_label, x=x_label, spread=spread, mean=h.mean)
    return Drawing(HISTOGRAM_WIDTH, HISTOGRAM_HEIGHT, spoken, "".join(parts), "histogram")


def linear_histogram(h: Histogram, title: str, x_label: str, y_label: str) -> Drawing:
    """The shares of equal bins of [0, 1]; each bar carries its share as a number, since most are too low to be seen."""
    left, right, top, base = 54, 10, 44, HISTOGRAM_HEIGHT - 34
    plot, step = HISTOGRAM_WIDTH - left - right, 1 / len(h.linear)
    mean, shares = h.mean, [count / max(sum(h.linear), 1) for count in h.linear]
    parts = [svg_text(title, "title", 8, 14)]

    def x(value: float) -> float:
        return left + value * plot

    def y(share: float) -> float:
        return base - share * (base - top - 10)  # 10 units for the number above a bar of 100%

    for share in (0, 0.5, 1):
        parts += [
            svg_line("grid", left, y(share), HISTOGRAM_WIDTH - right, y(share)),
            svg_text(f"{share:.0%}", "tick", left - 5, y(share) + 3.5, "end"),
        ]
    for i, share in enumerate(shares):
        parts += [
            f'<rect class="bar" x="{x((i + 0.1) * step):.1f}" y="{y(share):.1f}" width="{0.8 * step * plot:.1f}" '
            f'height="{share * (base - top - 10):.1f}"/>',
            svg_text(percent(share), "share", x((i + 0.5) * step), y(share) - 4, "middle"),
        ]
    parts += [svg_text(f"{value:g}", "tick", x(value), base + 13, "middle") for value in (0, 0.2, 0.4, 0.6, 0.8, 1)]
    # The line leaves out the number that it would cross; its word stands above all of them.
    i = min(int(mean / step), len(shares) - 1)
    high, line = y(shares[i]), f"M{x(mean):.1f} {top - 4}"
    if abs(x(mean) - x((i + 0.5) * step)) < 3 * len(percent(shares[i])) + 2:
        line += f"V{max(high - 14, top - 4):.1f}M{x(mean):.1f} {high - 1:.1f}"
    parts += [
        f'<path class="mean" d="{line}V{base}"/>',
        _mean_label(mean, x(mean), top),
        svg_text(x_label, "axis", left + plot / 2, HISTOGRAM_HEIGHT - 6, "middle"),
        svg_turned(y_label, 13, (top + base) / 2),
    ]
    spread = "; ".join(
        say("charts.bin", low=f"{i * step:.1f}", high=f"{(i + 1) * step:.1f}", share=percent(s))
        for i, s in enumerate(shares)
        if s
    )
    spoken = say("charts.spoken_equal", title=title, y=y_label, x=x_label, spread=spread, mean=mean)
    return Drawing(HISTOGRAM_WIDTH, HISTOGRAM_HEIGHT, spoken, "".join(parts), "histogram")


def _mean_label(mean: float, x: float, top: int) -> str:
    anchor = "start" if x < HISTOGRAM_WIDTH - 120 else "end"  # it is 110 wide
    return svg_text(say("charts.mean", mean=mean), "mean-label", x, top - 9, anchor)


def percent(share: float, exact: bool = False) -> str:
    """A share as a short percentage, never rounded to all or nothing: "97%" (exact: "97.2%"), "2.4%", "<.1%", "0"."""
    if share == 0:
        return "0"
    if share < 0.0005:
        return "<.1%"
    if 0.9995 <= share < 1:
        return ">99.9%"
    return f"{share:.0%}" if share == 1 or (0.0995 <= share < 0.9895 and not exact) else f"{share:.1%}"
