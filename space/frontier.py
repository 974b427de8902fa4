"""The fourth tab: what sparsity costs, over all networks; a click chooses one."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import gradio as gr

from space.charts import Axis, Chart, place_words
from space.errors import in_sentences
from space.lab import GUEST, TITLES, Lab, Stop
from space.parts import BARE, LIVE, Choice, stop_slider

INTRO = """
## What sparsity costs
Every bundled network has 900 latents. To the left, few latents carry a picture; at the bottom, little of the picture is
lost. The best are at the bottom left. **Click a point** (or reach it with Tab and press Enter) to choose that network
in all tabs.
"""

PICK = """
function pick(event) {
  const point = event.target.closest('[data-way]');
  if (!point || (event.type === 'keydown' && event.key !== 'Enter' && event.key !== ' ')) return;
  event.preventDefault();
  trigger('click', {way: point.dataset.way, stop: Number(point.dataset.stop)});
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
    '<path d="M0-10 2.4-3.2 9.5-3.1 3.8 1.2 5.9 8.1 0 4-5.9 8.1-3.8 1.2-9.5-3.1-2.4-3.2Z"/>',  # guests: a star
)
# Letters and points are larger, in the units of the chart, where the screen is narrow: there is room for fewer words.
SIZES = {"wide": (12, 8), "narrow": (17, 11)}


@dataclass(frozen=True)
class Point:
    """One network on the chart."""

    way: str
    position: int
    stop: Stop
    effective_l0: float
    fvu: float
    style: int


def build(lab: Lab, choice: Choice, tab: gr.Tab) -> None:
    """Lay out the tab inside the current Blocks and wire it."""
    gr.Markdown(INTRO)
    chart = gr.HTML("", elem_id="frontier", js_on_load=PICK, **BARE)

    @in_sentences
    def enter(way: str, stop: int, guests: list[str]) -> str:
        return frontier_chart(lab, way, stop, guests)

    @in_sentences
    def pick(picks: int, guests: list[str], event: gr.EventData) -> tuple[object, ...]:
        way, stop = event.way, event.stop
        redrawn = frontier_chart(lab, way, stop, guests)
        return way, stop_slider(lab, way, stop), picks + 1, redrawn

    tab.select(enter, [choice.way, choice.stop, choice.guests], chart, **LIVE)
    outputs = [choice.way, choice.stop, choice.picks, chart]
    chart.click(pick, [choice.picks, choice.guests], outputs, **LIVE)


def frontier_chart(lab: Lab, way: str, position: int, guests: list[str]) -> str:
    """Variance lost against effective L0 of every stop of every way and of some guests, the chosen one ringed."""
    chart = Chart(
        Axis("effective L0: latents that carry a picture", 0.9, 700, (1, 2, 5, 10, 20, 50, 100, 200, 500), log=True),
        Axis("variance lost (FVU)", 0.015, 0.7, (0.02, 0.05, 0.1, 0.2, 0.5), log=True),
    )
    chosen = lab.stop_at(way, position)
    points = _points(lab, [name for name in guests if name in lab.guests])
    e = lab.evaluation(chosen)
    x, y = chart.at(e.effective_l0, e.fvu)
    curves = "".join(
        chart.curve(sorted((p.effective_l0, p.fvu) for p in points if p.style == style), style)
        for style in range(len(lab.ways))
    )
    ring = f'<circle class="ringed" cx="{x:.1f}" cy="{y:.1f}" r="13"/>'
    titles = [TITLES[kind] for kind in lab.ways] + ["Brought here"] * (points[-1].style == len(lab.ways))
    key = "".join(
        f'<span><svg viewBox="-10 -10 20 20" aria-hidden="true"><g class="point style{style}">{SHAPES[style]}</g></svg>'
        f"{title}</span>"
        for style, title in enumerate(titles)
    )
    now = (
        f"<b>{escape(chosen.title)}</b> is chosen: {e.effective_l0:.0f} latents carry a picture, {e.fvu:.1%} of the "
        f"variance is lost, {e.dead_fraction:.1%} of the latents are dead."
    )
    spoken = "All networks, variance lost against effective L0"
    drawing = chart.svg(curves + ring + _marks(chart, points, chosen), spoken, role="group")
    return f'<div class="sae frontier"><p class="now">{now}</p>{drawing}<div class="legend">{key}</div></div>'


def _points(lab: Lab, guests: list[str]) -> list[Point]:
    """Every stop of every bundled way, and the guests."""
    placed = [(way, i, stop) for way, stops in lab.ways.items() for i, stop in enumerate(stops)]
    placed += [(GUEST + name, len(stops) - 1, stops[-1]) for name in guests for stops in [lab.stops(GUEST + name)]]
    styles = {way: style for style, way in enumerate(lab.ways)}
    return [
        Point(way, i, stop, e.effective_l0, e.fvu, styles.get(way, len(styles)))
        for way, i, stop in placed
        for e in [lab.evaluation(stop)]
    ]


def _marks(chart: Chart, points: list[Point], chosen: Stop) -> str:
    at = [chart.at(point.effective_l0, point.fvu) for point in points]
    ringed = [(point.stop.variant, point.stop.k) == (chosen.variant, chosen.k) for point in points]
    words = [point.stop.title if point.stop.guest else point.stop.label for point in points]
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
        f'<g class="point style{point.style}" transform="translate({x:.1f} {y:.1f})" tabindex="0" role="button" '
        f'aria-label="{spoken}" data-way="{escape(point.way)}" data-stop="{point.position}"><title>{spoken}</title>'
        f'<circle class="target-area" r="9"/>{SHAPES[point.style]}{named}</g>'
    )
