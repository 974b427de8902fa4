"""The fourth tab: what sparsity costs, over all networks; a click chooses one."""

from __future__ import annotations

import gradio as gr

from space.charts import Axis, Chart
from space.explore import BARE, LIVE, Choice
from space.lab import KNOBS, TITLES, Lab, Stop

INTRO = """
## What sparsity costs
Every network has 900 latents. To the left, few latents carry a picture; at the bottom, little of the picture is lost.
The best are at the bottom left. **Click a point** (or reach it with Tab and press Enter) to choose that network in all
tabs.
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

# Where the words stand beside the points of a way: neighbours on the chart would write over each other otherwise.
WORDS_AT = (("end", -9, 17), ("start", 9, 17), ("start", 10, -7), ("end", -9, 17), ("start", 10, -7), ("start", 10, -7))
SHAPES = (
    '<circle r="7"/>',
    '<rect x="-6" y="-6" width="12" height="12"/>',
    '<path d="M0-8 8 0 0 8-8 0Z"/>',
    '<path d="M0-8 8 6H-8Z"/>',
    '<path d="M0 8-8-6H8Z"/>',
    '<path d="M-7-3h4v-4h6v4h4v6h-4v4h-6v-4h-4Z"/>',
)


def build(lab: Lab, choice: Choice, tab: gr.Tab) -> None:
    """Lay out the tab inside the current Blocks and wire it."""
    gr.Markdown(INTRO)
    chart = gr.HTML("", elem_id="frontier", js_on_load=PICK, **BARE)

    def enter(way: str, stop: int) -> str:
        return frontier_chart(lab, way, stop)

    def pick(picks: int, event: gr.EventData) -> tuple[object, ...]:
        way, stop = event.way, event.stop
        slider = gr.Slider(maximum=len(lab.ways[way]) - 1, value=stop, label=KNOBS[way])
        return way, slider, picks + 1, frontier_chart(lab, way, stop)

    tab.select(enter, [choice.way, choice.stop], chart, **LIVE)
    chart.click(pick, choice.picks, [choice.way, choice.stop, choice.picks, chart], **LIVE)


def frontier_chart(lab: Lab, way: str, stop: int) -> str:
    """Variance lost against effective L0 of every stop of every way, the chosen one ringed."""
    chart = Chart(
        Axis("effective L0: latents that carry a picture", 0.9, 700, (1, 2, 5, 10, 20, 50, 100, 200, 500), log=True),
        Axis("variance lost (FVU)", 0.015, 0.7, (0.02, 0.05, 0.1, 0.2, 0.5), log=True),
    )
    chosen = lab.stop_at(way, stop)
    e = lab.evaluation(chosen)
    x, y = chart.at(e.effective_l0, e.fvu)
    inside = f'<circle class="ringed" cx="{x:.1f}" cy="{y:.1f}" r="13"/>'
    for style, (kind, stops) in enumerate(lab.ways.items()):
        points = [(lab.evaluation(each).effective_l0, lab.evaluation(each).fvu) for each in stops]
        inside += chart.curve(sorted(points), style)
        inside += "".join(
            _point(chart, kind, i, each, point, style)
            for i, (each, point) in enumerate(zip(stops, points, strict=True))
        )
    key = "".join(
        f'<span><svg viewBox="-10 -10 20 20" aria-hidden="true"><g class="point style{style}">{SHAPES[style]}</g></svg>'
        f"{TITLES[kind]}</span>"
        for style, kind in enumerate(lab.ways)
    )
    spoken = "All networks, variance lost against effective L0"
    return (
        f'<div class="sae frontier"><p class="now"><b>{chosen.title}</b> is chosen: {e.effective_l0:.0f} latents carry '
        f"a picture, {e.fvu:.1%} of the variance is lost, {e.dead_fraction:.1%} of the latents are dead.</p>"
        f'{chart.svg(inside, spoken, role="group")}<div class="legend">{key}</div></div>'
    )


def _point(chart: Chart, kind: str, position: int, stop: Stop, place: tuple[float, float], style: int) -> str:
    x, y = chart.at(*place)
    anchor, right, down = WORDS_AT[style]
    words = f"{stop.title}: effective L0 {place[0]:.0f}, variance lost {place[1]:.1%}"
    return (
        f'<g class="point style{style}" transform="translate({x:.1f} {y:.1f})" tabindex="0" role="button" '
        f'aria-label="{words}" data-way="{kind}" data-stop="{position}"><title>{words}</title>'
        f'<circle class="target-area" r="9"/>{SHAPES[style]}'
        f'<text x="{right}" y="{down}" text-anchor="{anchor}">{stop.label}</text></g>'
    )
