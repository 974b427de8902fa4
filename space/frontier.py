"""The fourth tab: what sparsity costs, over all models; a click chooses one."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import gradio as gr

from space.charts import STYLES, Axis, Chart, place_words
from space.errors import with_error_message
from space.lab import USER, Lab, Stop
from space.parts import BARE, LIVE, Choice, stop_slider
from training.zoo import FAMILIES

INTRO = """
## What sparsity costs
Every bundled model has 900 latents. To the left, few latents carry an image; at the bottom, little of the image is
lost. The best are at the bottom left. **Click a point** (or reach it with Tab and press Enter) to choose that model in
all tabs.
"""

PICK = """
function pick(event) {
  const point = event.target.closest('[data-method]');
  if (!point || (event.type === 'keydown' && event.key !== 'Enter' && event.key !== ' ')) return;
  event.preventDefault();
  trigger('click', {method: point.dataset.method, stop: Number(point.dataset.stop)});
}
element.addEventListener('click', pick);
element.addEventListener('keydown', pick);
"""

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
STAR = '<path d="M0-10 2.4-3.2 9.5-3.1 3.8 1.2 5.9 8.1 0 4-5.9 8.1-3.8 1.2-9.5-3.1-2.4-3.2Z"/>'  # users' models
# Letters and points are larger, in the units of the chart, where the screen is narrow: there is room for fewer words.
SIZES = {"wide": (12, 8), "narrow": (17, 11)}


@dataclass(frozen=True)
class Point:
    """One model on the chart."""

    method: str
    """A choice, as `Lab` explains."""
    position: int
    """On its slider."""
    stop: Stop
    effective_l0: float
    fvu: float
    family: str | None
    """As `Recipe.family` tells it; None for a user's model."""

    @property
    def style(self) -> str:
        """Its class in style.css."""
        return "user" if self.family is None else f"style{_style(self.family)}"

    @property
    def shape(self) -> str:
        """Its mark, as SVG."""
        return STAR if self.family is None else SHAPES[_style(self.family)]


def _style(family: str) -> int:
    return list(FAMILIES).index(family) % STYLES


def build(lab: Lab, choice: Choice, tab: gr.Tab) -> None:
    """Lay out the tab inside the current Blocks and wire it."""
    gr.Markdown(INTRO)
    chart = gr.HTML("", elem_id="frontier", js_on_load=PICK, **BARE)

    @with_error_message
    def enter(method: str, stop: int, user_models: list[str]) -> str:
        return frontier_chart(lab, method, stop, user_models)

    @with_error_message
    def pick(picks: int, user_models: list[str], event: gr.EventData) -> tuple[object, ...]:
        method, stop = event.method, event.stop
        redrawn = frontier_chart(lab, method, stop, user_models)
        return method, stop_slider(lab, method, stop), picks + 1, redrawn

    tab.select(enter, [choice.method, choice.stop, choice.user_models], chart, **LIVE)
    outputs = [choice.method, choice.stop, choice.picks, chart]
    chart.click(pick, [choice.picks, choice.user_models], outputs, **LIVE)


def frontier_chart(lab: Lab, method: str, position: int, user_models: list[str]) -> str:
    """Variance lost against effective L0 of every bundled model and of some users' models, the chosen one ringed."""
    chosen = lab.stop_at(method, position)
    points = _points(lab, [name for name in user_models if name in lab.user_models])
    chart = Chart(
        _axis("effective L0: latents that carry an image", [point.effective_l0 for point in points]),
        _axis("variance lost (FVU)", [point.fvu for point in points]),
    )
    e = lab.evaluation(chosen)
    x, y = chart.at(e.effective_l0, e.fvu)
    one_of_each = {point.family: point for point in points}
    families = [family for family in FAMILIES if family in one_of_each]
    curves = "".join(
        chart.curve(sorted((p.effective_l0, p.fvu) for p in points if p.family == family), _style(family))
        for family in families
    )
    ring = f'<circle class="ringed" cx="{x:.1f}" cy="{y:.1f}" r="13"/>'
    key = "".join(
        f'<span><svg viewBox="-10 -10 20 20" aria-hidden="true"><g class="point {point.style}">{point.shape}</g></svg>'
        f"{escape(FAMILIES.get(family, 'Your own models'))}</span>"
        for family in [*families, *[None] * (None in one_of_each)]
        for point in [one_of_each[family]]
    )
    now = (
        f"<b>{escape(chosen.title)}</b> is chosen: {e.effective_l0:.0f} latents carry an image, {e.fvu:.1%} of the "
        f"variance is lost, {e.dead_fraction:.1%} of the latents are dead."
    )
    spoken = "All models, variance lost against effective L0"
    drawing = chart.svg(curves + ring + _marks(chart, points, chosen), spoken, role="group")
    return f'<div class="sae frontier"><p class="now">{now}</p>{drawing}<div class="legend">{key}</div></div>'


def _axis(label: str, values: list[float]) -> Axis:
    """A logarithmic axis that holds values above 0, with room on both sides."""
    low, high = 0.75 * max(min(values), 1e-4), 1.4 * max(values)
    ticks = (step * 10.0**power for power in range(-4, 4) for step in (1, 2, 5))
    return Axis(label, low, high, tuple(tick for tick in ticks if low <= tick <= high), log=True)


def _points(lab: Lab, user_models: list[str]) -> list[Point]:
    """Every bundled model once (at each k where it has several), and some users' models."""
    placed: dict[tuple[str, int | None], tuple[str, int, Stop]] = {}
    for method, stops in lab.families.items():
        for position, stop in enumerate(stops):
            placed.setdefault((stop.variant, stop.k), (method, position, stop))
    for method in (USER + name for name in user_models):
        stops = lab.stops(method)
        placed[method, None] = (method, len(stops) - 1, stops[-1])
    return [
        Point(*place, e.effective_l0, e.fvu, None if stop.is_users else lab.recipes[stop.variant].family)
        for place in placed.values()
        for stop in [place[-1]]
        for e in [lab.evaluation(stop)]
    ]


def _marks(chart: Chart, points: list[Point], chosen: Stop) -> str:
    at = [chart.at(point.effective_l0, point.fvu) for point in points]
    ringed = [(point.stop.variant, point.stop.k) == (chosen.variant, chosen.k) for point in points]
    words = [point.stop.title if point.stop.is_users else point.stop.label for point in points]
    places = {
        width: place_words([(*xy, 15 if ring else r) for xy, ring in zip(at, ringed, strict=True)], words, letters)
        for width, (letters, r) in SIZES.items()
    }
    return "".join(
        _mark(point, *at[i], words[i], {width: found[i] for width, found in places.items()})
        for i, point in enumerate(points)
    )


def _mark(point: Point, x: float, y: float, word: str, places: dict[str, tuple[float, float, str] | None]) -> str:
    spoken = escape(f"{point.stop.title}: effective L0 {point.effective_l0:.0f}, variance lost {point.fvu:.1%}")
    named = "".join(
        f'<text class="{width}" x="{right:.1f}" y="{down:.1f}" text-anchor="{anchor}">{escape(word)}</text>'
        for width, place in places.items()
        if place is not None
        for right, down, anchor in [place]
    )
    return (
        f'<g class="point {point.style}" transform="translate({x:.1f} {y:.1f})" tabindex="0" role="button" '
        f'aria-label="{spoken}" data-method="{escape(point.method)}" data-stop="{point.position}">'
        f'<title>{spoken}</title><circle class="target-area" r="9"/>{point.shape}{named}</g>'
    )
