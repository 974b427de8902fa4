"""Line charts and scatter charts as SVG."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

STYLES = 8  # of style.css
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 400, 58, 14, 16, 46


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

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The place of a point, in the units of the SVG."""
        across = LEFT + self.x.part(x) * (WIDTH - LEFT - RIGHT)
        return across, TOP + (1 - self.y.part(y)) * (HEIGHT - TOP - BOTTOM)

    def curve(self, points: list[tuple[float, float]], style: int) -> str:
        """A line through points; `STYLES` styles differ in colour and in dashes."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (self.at(*point) for point in points))
        return f'<polyline class="curve style{style % STYLES}" points="{path}"/>'

    def upright(self, x: float, text: str, css_class: str, line: int = 0) -> str:
        """A vertical line across the chart with a word at its top, the words of several on different lines."""
        place, _ = self.at(x, self.y.low)
        anchor, shift = ("start", 5) if self.x.part(x) < 0.75 else ("end", -5)
        return (
            f'<line class="{css_class}" x1="{place:.1f}" x2="{place:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
            f'<text class="{css_class}-label" x="{place + shift:.1f}" y="{TOP + 14 + 19 * line}" '
            f'text-anchor="{anchor}">{escape(text)}</text>'
        )

    def svg(self, inside: str, spoken: str, role: str = "img") -> str:
        """The whole chart; `spoken` says in words what it shows."""
        grid = "".join(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>'
            for tick in self.y.ticks
            for _, y in [self.at(self.x.low, tick)]
        ) + "".join(
            f'<line class="grid" y1="{TOP}" y2="{HEIGHT - BOTTOM}" x1="{x:.1f}" x2="{x:.1f}"/>'
            f'<text class="tick" x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{tick:g}</text>'
            for tick in self.x.ticks
            for x, _ in [self.at(tick, self.y.low)]
        )
        middle = (TOP + HEIGHT - BOTTOM) / 2
        return (
            f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="{role}" aria-label="{escape(spoken)}">{grid}'
            f'<text class="axis" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">'
            f"{escape(self.x.label)}</text>"
            f'<text class="axis" transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">'
            f"{escape(self.y.label)}</text>{inside}</svg>"
        )


def place_words(
    points: list[tuple[float, float, float]], words: list[str], size: float
) -> list[tuple[float, float, str] | None]:
    """Find room for words beside their points, so that none stands on a point, on another word or outside the frame.

    Args:
        points: (x, y, radius) of the marks, in the units of the SVG.
        words: one for each point; those that come first have the first choice.
        size: of the letters.

    Returns:
        For each point (right, down, text-anchor) of its word as seen from it, or None where there is no room.
    """
    taken = [(x - r, y - r, x + r, y + r) for x, y, r in points]
    places: list[tuple[float, float, str] | None] = []
    for (x, y, r), word in zip(points, words, strict=True):
        aside, up, down = r + 2, -0.4 * r, 0.4 * r + 0.7 * size
        beside = [(aside, up, "start"), (-aside, down, "end"), (aside, down, "start"), (-aside, up, "end")]
        stacked = [(0.0, -r - 2, "middle"), (0.0, r + 2 + 0.75 * size, "middle")]
        for right, below, anchor in beside + stacked:
            width = (0.62 * len(word) + 0.3) * size
            left = x + right - {"start": 0, "middle": 0.5, "end": 1}[anchor] * width
            box = (left, y + below - 0.75 * size, left + width, y + below)
            inside = box[0] >= LEFT and box[1] >= 0 and box[2] <= WIDTH and box[3] <= HEIGHT - BOTTOM
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                places.append((right, below, anchor))
                break
        else:
            places.append(None)
    return places


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def legend(words: list[str]) -> str:
    """What the curves of style 0, 1, 2 ... are."""
    return (
        '<div class="legend">'
        + "".join(
            f'<span><svg viewBox="0 0 30 8" aria-hidden="true"><line class="curve style{style}" x1="0" x2="30" y1="4" '
            f'y2="4"/></svg>{escape(word)}</span>'
            for style, word in enumerate(words)
        )
        + "</div>"
    )
