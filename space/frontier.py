"""The fifth tab: what sparsity costs, over all models; a click chooses one."""

from __future__ import annotations

from html import escape

import gradio as gr

from space.bench import Bench
from space.errors import with_error_message
from space.lab import USER, Lab, Stop
from space.parts import Page, Part
from space.stop_slider import stop_slider
from training.draw import model_charts
from training.draw.charts import legend, responsive
from training.draw.model_charts import Point, frontier_keys, point_label
from training.words import say

KEY = "frontier"

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


def build(page: Page) -> None:
    """Lay out the tab inside the current Blocks, and let it follow the bench."""
    lab = page.lab
    gr.Markdown(say("frontier.intro", latents=", ".join(map(str, lab.sizes))))
    chart = page.html("frontier", js_on_load=PICK)

    def draw(bench: Bench, user_models: list[str]) -> list[str]:
        return [frontier_chart(lab, bench.method, bench.stop(lab), user_models)]

    @with_error_message
    def pick(event: gr.EventData) -> tuple[object, ...]:
        picked = event._data if isinstance(event._data, dict) else {}
        method, position = picked.get("method"), picked.get("stop")
        lab.stop_at(method, position)  # or an error
        return method, stop_slider(lab, method, position)

    page.add(Part([chart], draw, [page.user_models], KEY))
    page.follow(chart.click(pick, None, page.choice, **page.live))


def frontier_chart(lab: Lab, method: str, chosen: Stop, user_models: list[str]) -> str:
    """Variance lost against effective L0 of every bundled model and of some users' models, the chosen one ringed."""
    choices = [USER + name for name in user_models if name in lab.user_models] + [method] * chosen.is_users
    places = lab.places | {lab.stops(choice)[-1]: (choice, lab.first_position(choice)) for choice in choices}
    points = [_point(lab, stop, *place) for stop, place in places.items()]
    index = list(places).index(lab.measured(chosen))
    e = lab.evaluation(chosen)
    title = escape(chosen.title)
    now = say("frontier.chosen", title=title, effective_l0=e.effective_l0, fvu=e.fvu, dead=e.dead_fraction)
    drawing = responsive(lambda frame: model_charts.frontier_chart(points, index, frame))
    key = legend(frontier_keys(points, say("families.own")))
    return f'<div class="sae frontier"><p class="now">{now}</p>{drawing}{key}</div>'


def _point(lab: Lab, stop: Stop, method: str, position: int) -> Point:
    e, recipe = lab.evaluation(stop), None if stop.is_users else lab.recipes[stop.variant]
    at = stop.value if stop.arguments else None
    return Point(
        stop.title,
        point_label(stop.variant, recipe, at) if recipe else stop.title.rpartition("/")[2],
        e.effective_l0,
        e.fvu,
        recipe and recipe.family,
        f'tabindex="0" role="button" data-method="{escape(method)}" data-stop="{position}"',
        recipe is not None and recipe.sparsity.follows is not None,
    )
