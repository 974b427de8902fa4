"""What all charts are made of, as SVG. The page draws them in its own style; `svg_file` makes files of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

STYLES = 8  # of space/style.css and of svg_file.STYLE
Key = tuple[str, str]
"""An entry of a legend: its mark, as SVG around (0, 0), and what it stands for."""
Place = tuple[float, float, str]
"""Where a word stands beside its point: so far to the right of it, so far down, and its text-anchor."""


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


def svg_text(words: str, css_class: str, x: float, y: float, anchor: str = "start") -> str:
    return f'<text class="{css_class}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def svg_line(css_class: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{css_class}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def svg_turned(words: str, x: float, y: float) -> str:
    return (
        f'<text class="axis" transform="translate({x} {y:.1f}) rotate(-90)" text-anchor="middle">{escape(words)}</text>'
    )


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

    def place(self, x: float, y: float) -> tuple[float, float]:
        """The place of a point, in the units of the SVG."""
        f = self.frame
        across = f.left + self.x.part(x) * (f.width - f.left - f.right)
        return across, f.top + (1 - self.y.part(y)) * (f.height - f.top - f.bottom)

    def curve(self, points: Sequence[tuple[float, float]], style: int) -> str:
        """A line through points; `STYLES` styles differ in colour and in dashes."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (self.place(*point) for point in points))
        return f'<polyline class="curve style{style % STYLES}" points="{path}"/>'

    def upright(self, x: float, words: str, css_class: str, line: int = 0) -> str:
        """A vertical line, and what it is above the frame, where no curve is; those of several on different lines."""
        place, f = self.place(x, self.y.low)[0], self.frame
        letters = int(f.width / (0.66 * LETTERS)) - 2
        words = words if len(words) <= letters else f"…{words[1 - letters :]}"
        left = min(place - 4, f.width - 0.66 * LETTERS * len(words))
        return svg_line(css_class, place, f.top - 4, place, f.height - f.bottom) + svg_text(
            words, f"{css_class}-label", max(left, 2), f.top - 10 - 17 * line
        )

    def drawing(self, inside: str, spoken: str, role: str = "img") -> Drawing:
        """The whole chart; `spoken` says in words what it shows."""
        f = self.frame
        parts = []
        for tick in self.y.ticks:
            _, y = self.place(self.x.low, tick)
            parts.append(
                svg_line("grid", f.left, y, f.width - f.right, y)
                + svg_text(f"{tick:g}", "tick", f.left - 6, y + 4, "end")
            )
        for tick in self.x.ticks:
            x, base = self.place(tick, self.y.low)
            parts.append(svg_line("grid", x, f.top, x, base) + svg_text(f"{tick:g}", "tick", x, base + 16, "middle"))
        parts += [
            svg_text(self.x.label, "axis", (f.left + f.width - f.right) / 2, f.height - 8, "middle"),
            svg_turned(self.y.label, 14, (f.top + f.height - f.bottom) / 2),
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


def _free(
    x: float,
    y: float,
    r: float,
    width: float,
    size: float,
    taken: list[tuple[float, float, float, float]],
    frame: Frame,
) -> Place | None:
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
    return [(svg_line(f"curve style{i}", -15, 0, 15, 0), word) for i, word in enumerate(words)]


def legend(keys: Sequence[Key]) -> str:
    """A legend below a chart, as HTML."""
    entries = (
        f'<span><svg viewBox="-16 -10 32 20" aria-hidden="true">{mark}</svg>{escape(word)}</span>'
        for mark, word in keys
    )
    return f'<div class="legend">{"".join(entries)}</div>'
