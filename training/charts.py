"""Every chart, as SVG: the page draws them with its own style, and `standalone` makes files of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from textwrap import wrap

import torch
from torch import Tensor

from sae_model import bernoulli_kl
from sae_model.sparsity import RATE_MARGIN
from sae_model.zoo import ZOO
from training.evaluation import Evaluation, read_by_k
from training.recipe import DEFAULT_ARCHITECTURE, Recipe
from training.zoo import FAMILIES, RECIPES

STYLES = 8  # of space/style.css and of STYLE
Key = tuple[str, str]
"""An entry of a legend: its mark, as SVG around (0, 0), and what it stands for."""
Place = tuple[float, float, str]


@dataclass(frozen=True)
class Drawing:
    """A drawing, in units that are pixels where it is shown at its own width."""

    width: int
    height: int
    spoken: str
    """What it shows, in words."""
    inside: str
    """SVG."""
    css_class: str
    role: str = "img"

    def svg(self) -> str:
        """To be put into a page."""
        return (
            f'<svg class="{self.css_class}" viewBox="0 0 {self.width} {self.height}" role="{self.role}" '
            f'aria-label="{escape(self.spoken)}">{self.inside}</svg>'
        )


def _text(words: str, css_class: str, x: float, y: float, anchor: str = "start") -> str:
    return f'<text class="{css_class}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _line(css_class: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{css_class}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _turned(words: str, x: float, y: float) -> str:
    return (
        f'<text class="axis" transform="translate({x} {y:.1f}) rotate(-90)" text-anchor="middle">{escape(words)}</text>'
    )


# Histograms

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


def activation_charts(activations: Tensor | tuple[Histogram, Histogram], linear: bool = False) -> list[Drawing]:
    """The lecture's two histograms: of all activations, and of the mean of each latent; both with the overall mean.

    Args:
        activations: (images, latent_dim) in [0, 1]; or `histogram_of` them and of their mean over images.
        linear: with ten equal bins, as in the lecture, in place of logarithmic ones.
    """
    if isinstance(activations, Tensor):
        activations = histogram_of(activations), histogram_of(activations.mean(0))
    return [
        histogram_chart(activations[0], "All activations", "activation", "share of activations", linear),
        histogram_chart(
            activations[1], "Mean of each latent", "mean activation of a latent", "share of latents", linear
        ),
    ]


def histogram_svg(h: Histogram, title: str, x_label: str, y_label: str, linear: bool = False) -> str:
    """`histogram_chart`, to be put into a page."""
    return histogram_chart(h, title, x_label, y_label, linear).svg()


def histogram_chart(h: Histogram, title: str, x_label: str, y_label: str, linear: bool = False) -> Drawing:
    """A bar for the values that are exactly 0, and a histogram of the others over logarithmic bins.

    Args:
        h: what is drawn.
        title: stands above it.
        x_label: what the values are.
        y_label: the share of what, such as "share of activations".
        linear: ten equal bins of all values, the share above each, in place of that.
    """
    if linear:
        total = max(sum(h.linear), 1)
        return linear_histogram([count / total for count in h.linear], h.mean, title, x_label, y_label)
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
        _text(title, "title", 8, 14),
        f'<rect class="track" x="{middle - 22}" y="{top}" width="44" height="{base - top}"/>',
        f'<rect class="zero" x="{middle - 22}" y="{base - zero:.1f}" width="44" height="{zero:.1f}"/>',
        _text(zeros, "number", middle, top - 6, "middle"),
        _text("exactly 0", "tick", middle, base + 13, "middle"),
        _turned(y_label, 13, (top + base) / 2),
        _turned("share of the rest", left - 34, (top + base) / 2),
    ]
    for i in range(round((base - top) / scale / step) + 1):
        y = base - i * step * scale
        parts += [
            _line("grid", left, y, HISTOGRAM_WIDTH - right, y),
            _text(f"{i * step:.0%}", "tick", left - 4, y + 3.5, "end"),
        ]
    width = plot / LOG_BINS
    parts += [
        f'<rect class="bar" x="{left + i * width + 1:.1f}" y="{base - share * scale:.1f}" width="{width - 2:.1f}" '
        f'height="{share * scale:.1f}"/>'
        for i, share in enumerate(shares)
    ]
    parts += [
        _text(words, "tick", x(value), base + 13, anchor)
        for value, words, anchor in (
            (0.001, "≤0.001", "start"),
            (0.01, "0.01", "middle"),
            (0.1, "0.1", "middle"),
            (1, "1", "end"),
        )
    ]
    # Above the frame, the word for the mean crosses no bar.
    parts += [
        _line("mean", x(h.mean), top - 4, x(h.mean), base),
        _mean_label(h.mean, x(h.mean), left, top),
        _text(x_label, "axis", left + plot / 2, HISTOGRAM_HEIGHT - 6, "middle"),
    ]
    edges = ["0", *(f"{edge:.2g}" for edge in EDGES[1:].tolist())]
    spread = "; ".join(
        f"{a} to {b}: {percent(share)}" for a, b, share in zip(edges, edges[1:], shares, strict=False) if share
    )
    spoken = f"{title}. Exactly 0: {zeros} ({y_label}). The rest, by {x_label}: "
    spoken += f"{spread or 'none'}. Overall mean {h.mean:.3g}."
    return Drawing(HISTOGRAM_WIDTH, HISTOGRAM_HEIGHT, spoken, "".join(parts), "histogram")


def linear_histogram(shares: list[float], mean: float, title: str, x_label: str, y_label: str) -> Drawing:
    """The shares of equal bins of [0, 1], with the mean of all values as a dashed line.

    Each bar carries its share as a number, since most are too low to be seen.
    """
    left, right, top, base = 54, 10, 44, HISTOGRAM_HEIGHT - 34
    plot, step = HISTOGRAM_WIDTH - left - right, 1 / len(shares)
    parts = [_text(title, "title", 8, 14)]

    def x(value: float) -> float:
        return left + value * plot

    def y(share: float) -> float:
        return base - share * (base - top - 10)  # 10 units for the number above a bar of 100%

    for share in (0, 0.5, 1):
        parts += [
            _line("grid", left, y(share), HISTOGRAM_WIDTH - right, y(share)),
            _text(f"{share:.0%}", "tick", left - 5, y(share) + 3.5, "end"),
        ]
    for i, share in enumerate(shares):
        parts += [
            f'<rect class="bar" x="{x((i + 0.1) * step):.1f}" y="{y(share):.1f}" width="{0.8 * step * plot:.1f}" '
            f'height="{share * (base - top - 10):.1f}"/>',
            _text(percent(share), "share", x((i + 0.5) * step), y(share) - 4, "middle"),
        ]
    parts += [_text(f"{value:g}", "tick", x(value), base + 13, "middle") for value in (0, 0.2, 0.4, 0.6, 0.8, 1)]
    # The line leaves out the number that it would cross; its word stands above all of them.
    i = min(int(mean / step), len(shares) - 1)
    high, line = y(shares[i]), f"M{x(mean):.1f} {top - 4}"
    if abs(x(mean) - x((i + 0.5) * step)) < 3 * len(percent(shares[i])) + 2:
        line += f"V{max(high - 14, top - 4):.1f}M{x(mean):.1f} {high - 1:.1f}"
    parts += [
        f'<path class="mean" d="{line}V{base}"/>',
        _mean_label(mean, x(mean), left, top),
        _text(x_label, "axis", left + plot / 2, HISTOGRAM_HEIGHT - 6, "middle"),
        _turned(y_label, 13, (top + base) / 2),
    ]
    spread = "; ".join(f"{i * step:.1f} to {(i + 1) * step:.1f}: {percent(s)}" for i, s in enumerate(shares) if s)
    spoken = f"{title}. {y_label} by {x_label}: {spread}. Overall mean {mean:.3g}."
    return Drawing(HISTOGRAM_WIDTH, HISTOGRAM_HEIGHT, spoken, "".join(parts), "histogram")


def _mean_label(mean: float, x: float, left: int, top: int) -> str:
    half = 52  # of its width
    place = min(max(x, left + half), HISTOGRAM_WIDTH - 4 - half)
    return _text(f"overall mean {mean:.3g}", "mean-label", place, top - 9, "middle")


def percent(share: float, exact: bool = False) -> str:
    """A share as a short percentage, never rounded to all or nothing: "97%" (exact: "97.2%"), "2.4%", "<.1%", "0"."""
    if share == 0:
        return "0"
    if share < 0.0005:
        return "<.1%"
    if 0.9995 <= share < 1:
        return ">99.9%"
    return f"{share:.0%}" if share == 1 or (0.0995 <= share < 0.9895 and not exact) else f"{share:.1%}"


# Line charts


@dataclass(frozen=True)
class Frame:
    """The size of a chart, its margins, and what fits into it."""

    name: str
    """Its class in style.css, which shows one of two frames."""
    width: int
    height: int
    mark: float
    """Scale of marks."""
    steps: tuple[int, ...]
    """At which multiples of powers of ten a logarithmic axis has a number."""
    left: int = 58
    right: int = 14
    top: int = 16
    bottom: int = 46


# Letters have one size in both, so that they can be read on a narrow screen.
WIDE = Frame("wide", 640, 400, 1, (1, 2, 5))
NARROW = Frame("narrow", 360, 420, 0.75, (1, 3), left=52, right=12)
LETTERS = 12


def responsive(draw: Callable[[Frame], Drawing]) -> str:
    """A chart drawn for wide and for narrow screens; style.css shows one of them."""
    return "".join(draw(frame).svg() for frame in (WIDE, NARROW))


@dataclass(frozen=True)
class Axis:
    """One axis: its range, the values that get a number, whether it is logarithmic, and what it measures."""

    label: str
    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False

    def part(self, value: float) -> float:
        """Where a value lies between low (0) and high (1), kept inside."""
        low, high, value = (math.log(max(v, 1e-12)) if self.log else v for v in (self.low, self.high, value))
        return min(max((value - low) / (high - low), 0), 1)


@dataclass(frozen=True)
class Chart:
    """A frame with two axes, into which curves and marks are drawn."""

    x: Axis
    y: Axis
    frame: Frame = WIDE

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The place of a point, in the units of the SVG."""
        f = self.frame
        across = f.left + self.x.part(x) * (f.width - f.left - f.right)
        return across, f.top + (1 - self.y.part(y)) * (f.height - f.top - f.bottom)

    def curve(self, points: Sequence[tuple[float, float]], style: int) -> str:
        """A line through points; `STYLES` styles differ in colour and in dashes."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (self.at(*point) for point in points))
        return f'<polyline class="curve style{style % STYLES}" points="{path}"/>'

    def upright(self, x: float, words: str, css_class: str, line: int = 0) -> str:
        """A vertical line, and what it is above the frame, where no curve is; those of several on different lines."""
        place, f = self.at(x, self.y.low)[0], self.frame
        letters = int(f.width / (0.66 * LETTERS)) - 2
        words = words if len(words) <= letters else f"…{words[1 - letters :]}"
        left = min(place - 4, f.width - 0.66 * LETTERS * len(words))
        return _line(css_class, place, f.top - 4, place, f.height - f.bottom) + _text(
            words, f"{css_class}-label", max(left, 2), f.top - 10 - 17 * line
        )

    def drawing(self, inside: str, spoken: str, role: str = "img") -> Drawing:
        """The whole chart; `spoken` says in words what it shows."""
        f = self.frame
        parts = []
        for tick in self.y.ticks:
            _, y = self.at(self.x.low, tick)
            parts.append(
                _line("grid", f.left, y, f.width - f.right, y) + _text(f"{tick:g}", "tick", f.left - 6, y + 4, "end")
            )
        for tick in self.x.ticks:
            x, base = self.at(tick, self.y.low)
            parts.append(_line("grid", x, f.top, x, base) + _text(f"{tick:g}", "tick", x, base + 16, "middle"))
        parts += [
            _text(self.x.label, "axis", (f.left + f.width - f.right) / 2, f.height - 8, "middle"),
            _turned(self.y.label, 14, (f.top + f.height - f.bottom) / 2),
        ]
        return Drawing(f.width, f.height, spoken, "".join(parts) + inside, f"chart {f.name}", role)


def place_words(
    points: list[tuple[float, float, float]], words: list[str], size: float, frame: Frame = WIDE
) -> list[Place | None]:
    """Find room for words beside their points, so that none stands on a point, on another word or outside the frame.

    Args:
        points: (x, y, radius) of the marks, in the units of the SVG.
        words: one for each point; those that come first have the first choice.
        size: of the letters.
        frame: of the chart.

    Returns:
        For each point (right, down, text-anchor) of its word as seen from it, or None where there is no room, or where
        the same word stands so near that one could not tell whose it is.
    """
    taken = [(x - r, y - r, x + r, y + r) for x, y, r in points]
    placed: list[tuple[str, float, float]] = []
    places: list[Place | None] = []
    for (x, y, r), word in zip(points, words, strict=True):
        place = None
        if not any(word == other and math.hypot(x - a, y - b) < 2.5 * size for other, a, b in placed):
            place = _free(x, y, r, (0.62 * len(word) + 0.3) * size, size, taken, frame)
        if place:
            placed.append((word, x, y))
        places.append(place)
    return places


def _free(x: float, y: float, r: float, width: float, size: float, taken: list, frame: Frame) -> Place | None:
    """The first free place of a word; its box is added to those that are taken."""
    aside, up, down = r + 2, -0.4 * r, 0.4 * r + 0.7 * size
    beside = [(aside, up, "start"), (-aside, down, "end"), (aside, down, "start"), (-aside, up, "end")]
    above, beneath = -r - 2, r + 2 + 0.75 * size
    stacked = [
        (shift, below, anchor)
        for shift, anchor in ((0.0, "middle"), (-r, "start"), (r, "end"), (aside, "start"), (-aside, "end"))
        for below in (above, beneath)
    ]
    for right, below, anchor in beside + stacked:
        left = x + right - {"start": 0, "middle": 0.5, "end": 1}[anchor] * width
        box = (left, y + below - 0.75 * size, left + width, y + below)
        inside = (
            box[0] >= frame.left and box[1] >= 0 and box[2] <= frame.width and box[3] <= frame.height - frame.bottom
        )
        if inside and not any(_overlap(box, other) for other in taken):
            taken.append(box)
            return right, below, anchor
    return None


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def curve_keys(words: Sequence[str]) -> list[Key]:
    """What the curves of style 0, 1, 2 ... are."""
    return [(_line(f"curve style{i}", -15, 0, 15, 0), word) for i, word in enumerate(words)]


def legend(keys: Sequence[Key]) -> str:
    """A legend below a chart, as HTML."""
    entries = (
        f'<span><svg viewBox="-16 -10 32 20" aria-hidden="true">{mark}</svg>{escape(word)}</span>'
        for mark, word in keys
    )
    return f'<div class="legend">{"".join(entries)}</div>'


# What a rate costs

COST_KEYS = curve_keys(["KL divergence (nats)", "absolute error", "squared error", "L1: the rate itself (beta 1)"])


def cost_chart(target: float, measured: tuple[str, float] | None = None, frame: Frame = WIDE) -> Drawing:
    """Three costs of missing a target rate, and that of L1, against the actual rate.

    Args:
        target: the rate that is asked for, in (0, 1).
        measured: what has been measured, such as a model's name, and its rate.
        frame: where it is drawn.
    """
    frame = replace(frame, top=44)  # room for two words above it
    chart = Chart(
        Axis("actual rate (mean activation)", 0, 1, (0, 0.2, 0.4, 0.6, 0.8, 1)),
        Axis("cost", 0, 1, (0, 0.25, 0.5, 0.75, 1)),
        frame,
    )
    # The divergence is steep at both ends, where there are more points; and all but L1 have their least at the target.
    rates = (1 - torch.cos(math.pi * torch.linspace(0, 1, 120, dtype=torch.float64))) / 2
    rates = torch.cat([rates, rates.new_tensor([target])]).sort().values
    costs = [bernoulli_kl(target, rates), (rates - target).abs(), (rates - target).square(), rates]
    inside = "".join(chart.curve(list(_up_to_one(rates, cost)), style) for style, cost in enumerate(costs))
    inside += chart.upright(target, f"target {target:g}", "target")
    spoken = f"Cost against the actual rate for a target of {target:g}. {cost_note(target)}"
    if measured:
        name, rate = measured
        inside += chart.upright(rate, f"{name}: {rate:.3f}", "mean", line=1)
        spoken += f" The rate of {name} is {rate:.3f}."
    return chart.drawing(inside, spoken)


def _up_to_one(rates: Tensor, cost: Tensor) -> Iterator[tuple[float, float]]:
    """The part of a curve that lies below a cost of 1, to where it crosses that."""
    points = list(zip(rates.tolist(), cost.tolist(), strict=True))
    for i, (rate, c) in enumerate(points):
        if c <= 1:
            yield rate, c
        for a, ca in points[i + 1 : i + 2]:
            if (c <= 1) != (ca <= 1):
                yield rate + (a - rate) * (1 - c) / (ca - c), 1.0


def cost_note(target: float) -> str:
    """What the curves do at both ends, in words."""
    low, high = bernoulli_kl(target, torch.tensor([0.0, 1.0], dtype=torch.float64)).tolist()
    ends = [
        f"{cost:.2f} at a rate of {rate}" + " (above the frame)" * (cost > 1) for rate, cost in ((0, low), (1, high))
    ]
    return (
        f"KL, the absolute and the squared error are 0 at the target; L1 is 0 at a rate of 0. KL is computed with the "
        f"rate kept {RATE_MARGIN:f} away from 0 and 1, so its curve ends at {' and at '.join(ends)}."
    )


# What sparsity costs

SHAPES = (
    '<circle r="7"/>',
    '<rect x="-6" y="-6" width="12" height="12"/>',
    '<path d="M0-8 8 0 0 8-8 0Z"/>',
    '<path d="M0-8 8 6H-8Z"/>',
    '<path d="M0 8-8-6H8Z"/>',
    '<path d="M-7-3h4v-4h6v4h4v6h-4v4h-6v-4h-4Z"/>',
    '<path d="M-7 0-3.5-7h7L7 0 3.5 7h-7Z"/>',
    '<path d="M0-3.5 4.5-8 8-4.5 3.5 0 8 4.5 4.5 8 0 3.5-4.5 8-8 4.5-3.5 0-8-4.5-4.5-8Z"/>',
)
STAR = '<path d="M0-10 2.4-3.2 9.5-3.1 3.8 1.2 5.9 8.1 0 4-5.9 8.1-3.8 1.2-9.5-3.1-2.4-3.2Z"/>'


@dataclass(frozen=True)
class Point:
    """One model on the frontier."""

    title: str
    label: str
    """What stands beside it."""
    effective_l0: float
    fvu: float
    family: str | None = None
    """As `Recipe.family` tells it; None for a model that is not bundled."""
    attributes: str = ""
    """Of its SVG element."""

    @property
    def style(self) -> str:
        """Its class in style.css."""
        return "user" if self.family is None else f"style{_style(self.family)}"

    @property
    def shape(self) -> str:
        """Its mark, as SVG."""
        return STAR if self.family is None else SHAPES[_style(self.family)]

    @property
    def spoken(self) -> str:
        """Its numbers, in words."""
        return f"{self.title}: effective L0 {self.effective_l0:.0f}, variance lost {self.fvu:.1%}"


def _style(family: str) -> int:
    return list(FAMILIES).index(family) % STYLES


def point_label(recipe: Recipe, k: int | None = None) -> str:
    """What tells a bundled model from the others on its curve, such as ".05", or its penalty."""
    if k is not None:
        return str(k)
    if recipe.noise:
        return replace(recipe, noise=0.0).name
    if recipe.architecture != DEFAULT_ARCHITECTURE or recipe.sparsity.value is None:
        return recipe.name
    return f"{recipe.sparsity.value:g}".removeprefix("0") or "0"


def bundled_points() -> list[Point]:
    """Every bundled model, at each k where it has several. Recipes of a method that was added since are left out."""
    return [
        Point(recipe.name + f", k = {k}" * bool(k), point_label(recipe, k), e.effective_l0, e.fvu, recipe.family)
        for recipe in RECIPES
        if (ZOO / recipe.name / "evaluation.json").is_file()
        for k, e in (
            read_by_k(ZOO / recipe.name) or {None: Evaluation.read(ZOO / recipe.name / "evaluation.json")}
        ).items()
    ]


def frontier_chart(points: Sequence[Point], chosen: int, frame: Frame = WIDE) -> Drawing:
    """FVU against effective L0, a curve through the models of each family, and a ring around the chosen one.

    Args:
        points: the models.
        chosen: position of the one that is ringed; it is called by its title, or by its label where there is no room.
        frame: where it is drawn.
    """
    chart = Chart(
        _log_axis("effective L0: latents that carry an image", [point.effective_l0 for point in points], frame),
        _log_axis("variance lost (FVU)", [point.fvu for point in points], frame),
        frame,
    )
    curves = "".join(
        chart.curve(sorted((p.effective_l0, p.fvu) for p in points if p.family == family), _style(family))
        for family in dict.fromkeys(point.family for point in points)
        if family is not None
    )
    order = sorted(range(len(points)), key=lambda i: i != chosen)  # the chosen one has the first choice of a place
    at = {i: chart.at(points[i].effective_l0, points[i].fvu) for i in order}
    marks = [(*at[i], frame.mark * (15 if i == chosen else 8)) for i in order]
    for words in (
        [points[i].title if i == chosen else points[i].label for i in order],
        [points[i].label for i in order],
    ):
        places = dict(zip(order, zip(words, place_words(marks, words, LETTERS, frame), strict=True), strict=True))
        if places[chosen][1]:
            break
    ring = f'<circle class="ringed" cx="{at[chosen][0]:.1f}" cy="{at[chosen][1]:.1f}" r="{13 * frame.mark:.1f}"/>'
    drawn = "".join(
        _mark(points[i], *at[i], frame.mark, *places[i], i == chosen) for i in [*order[1:], chosen]
    )  # the chosen one last, above all others
    spoken = f"Variance lost against effective L0 of {len(points)} models; {points[chosen].spoken}, ringed"
    return chart.drawing(curves + ring + drawn, spoken, role="group")


def _mark(point: Point, x: float, y: float, scale: float, word: str, place: Place | None, chosen: bool) -> str:
    named = _text(word, "named" * chosen, *place) if place else ""
    return (
        f'<g class="point {point.style}" transform="translate({x:.1f} {y:.1f})" {point.attributes} '
        f'aria-label="{escape(point.spoken)}"><title>{escape(point.spoken)}</title><circle class="target-area" r="9"/>'
        f'<g transform="scale({scale})">{point.shape}</g>{named}</g>'
    )


def _log_axis(label: str, values: list[float], frame: Frame) -> Axis:
    """A logarithmic axis that holds values above 0, with room on both sides."""
    low, high = 0.75 * max(min(values), 1e-4), 1.4 * max(values)
    ticks = (step * 10.0**power for power in range(-4, 4) for step in frame.steps)
    return Axis(label, low, high, tuple(tick for tick in ticks if low <= tick <= high), log=True)


def frontier_keys(points: Sequence[Point], own: str) -> list[Key]:
    """What the marks are; `own` says what those without a family are."""
    one_of_each = {point.family: point for point in points}
    return [
        (f'<g class="point {point.style}">{point.shape}</g>', FAMILIES.get(family, own))
        for family in [*FAMILIES, None]
        if (point := one_of_each.get(family))
    ]


# Files

# The light colours of space/style.css. Not every program knows variables, or a border that is painted below letters.
STYLE = """
text { font-family: Arial, Helvetica, sans-serif; font-size: 12px; fill: #18181b; }
.heading { font-size: 16px; font-weight: bold; }
.title { font-size: 12px; font-weight: bold; }
.histogram text { font-size: 10px; }
.histogram .title { font-size: 12px; }
.histogram .number { font-size: 12px; font-weight: bold; }
.grid { stroke: #e4e4e7; }
.bar { fill: #1d4ed8; }
.track { fill: #e4e4e7; }
.zero { fill: #52525b; }
.mean { fill: none; stroke: #b45309; stroke-width: 2; stroke-dasharray: 5 4; }
.mean-label { fill: #b45309; font-weight: bold; }
.target { stroke: #18181b; stroke-width: 1.5; }
.curve { fill: none; stroke-width: 2.2; }
.ringed { fill: none; stroke: #18181b; stroke-width: 3; }
.target-area { fill: none; }
.named { font-weight: bold; }
"""
COLOURS = ("#1d4ed8", "#b45309", "#047857", "#86198f", "#be123c", "#52525b", "#0e7490", "#4d7c0f")
DASHES = ("none", "7 4", "2 3", "10 3 2 3", "4 2", "1 4", "6 3 1 3", "3 6")
STYLE += "".join(
    f".curve.style{i} {{ stroke: {colour}; stroke-dasharray: {dashes}; }}\n"
    f".point.style{i}, .point.style{i} text {{ fill: {colour}; }}\n"
    for i, (colour, dashes) in enumerate(zip(COLOURS, DASHES, strict=True))
)


def standalone(title: str, drawings: Sequence[Drawing], keys: Sequence[Key] = (), note: str = "") -> str:
    """An SVG file that needs no other: drawings side by side, a title above them, a legend and a note below."""
    gap, margin, line = 24, 16, 22
    width = sum(drawing.width for drawing in drawings) + gap * (len(drawings) - 1)
    parts, x, top = [], 0, 34
    for drawing in drawings:
        parts.append(f'<g class="{drawing.css_class}" transform="translate({x} {top})">{drawing.inside}</g>')
        x += drawing.width + gap
    x, y = 0, top + max(drawing.height for drawing in drawings) + 18
    for mark, word in keys:
        room = 40 + 7 * len(word)
        if x and x + room > width:
            x, y = 0, y + line
        parts.append(f'<g transform="translate({x + 16} {y})">{mark}</g>' + _text(word, "key", x + 38, y + 4))
        x += room + 10
    y += line if keys else -14
    for words in wrap(note, width // 6):
        parts.append(_text(words, "note", 0, y + 4))
        y += 17
    spoken = escape(" ".join([f"{title}.", *(drawing.spoken for drawing in drawings)]))
    box = f"{-margin} {-margin} {width + 2 * margin} {y + 2 * margin}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" width="{width + 2 * margin}" '
        f'height="{y + 2 * margin}" role="img" aria-label="{spoken}"><title>{escape(title)}</title>'
        f'<style>{STYLE}</style><rect x="{-margin}" y="{-margin}" width="100%" height="100%" fill="#ffffff"/>'
        f"{_text(title, 'heading', 0, 12)}{''.join(parts)}</svg>\n"
    )
