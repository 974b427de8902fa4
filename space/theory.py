"""The fourth tab: what a rate costs, and why the mean activation alone proves nothing."""

from __future__ import annotations

from html import escape

import gradio as gr
import torch

from sae_model import effective_l0, unit_activation
from space.bench import Bench
from space.lab import Lab, Stop
from space.parts import Page, Part
from space.stop_slider import ClampedSlider
from training.data import as_floats
from training.draw import model_charts
from training.draw.charts import Axis, Chart, Drawing, Frame, curve_keys, legend, responsive
from training.draw.model_charts import cost_keys, cost_note
from training.words import say

KEY = "rates"
SAMPLE = 500
LOW, HIGH = 0.01, 0.99


def build(page: Page) -> None:
    """Lay out the tab inside the current Blocks, and let it follow the bench."""
    lab = page.lab
    with gr.Row():
        with gr.Column(min_width=320):
            gr.Markdown(say("rates.rate"))
            target = ClampedSlider(LOW, HIGH, 0.1, step=0.01, label=say("rates.target"), elem_id="target")
            costs = page.html("costs", cost_chart(0.1, None))
        with gr.Column(min_width=320):
            gr.Markdown(say("rates.scale"))
            scales = page.html("scales")

    drawn = gr.State("")  # the key of the stop that the charts are of

    def draw(bench: Bench, target: float, drawn: str) -> list[object]:
        stop = bench.stop(lab)
        is_new = stop.key != drawn
        stated = getattr(lab.model(stop).sparsity, "target", None) if is_new else None
        costs = cost_chart(stated or target, (stop.title, lab.evaluation(stop).mean_activation))
        scaled = scale_chart(lab, stop) if is_new or stop.is_users else gr.skip()
        return [min(max(stated, LOW), HIGH) if stated else gr.skip(), costs, scaled, stop.key]

    page.add(Part([target, costs, scales, drawn], draw, [target, drawn], KEY))


def cost_chart(target: float, measured: tuple[str, float] | None) -> str:
    """What a rate costs, for a target; `measured` is a model's name and its rate."""
    drawing = responsive(lambda frame: model_charts.cost_chart(target, measured, frame))
    return f'<div class="sae">{drawing}{legend(cost_keys())}<p class="note">{cost_note(target)}</p></div>'


def scale_chart(lab: Lab, stop: Stop) -> str:
    """Mean activation and effective L0 when all latents are scaled, relative to what they are now."""
    with torch.inference_mode():
        latents = lab.model(stop).encode(as_floats(lab.images[:SAMPLE]), **stop.arguments)
    scales = torch.logspace(-3, 0, 31).tolist()
    rates = [unit_activation(s * latents).mean().item() for s in scales]
    carried = [effective_l0(s * latents).mean().item() for s in scales]
    words = [
        say(f"rates.{name}", one=values[-1], least=values[0], scale=scales[0])
        for name, values in (("mean_activation", rates), ("effective_l0", carried))
    ]
    spoken = say("rates.spoken", title=stop.title, sample=SAMPLE, mean_activation=words[0], effective_l0=words[1])

    title = say("rates.of", title=escape(stop.title), sample=SAMPLE)

    def draw(frame: Frame) -> Drawing:
        chart = Chart(
            Axis(say("rates.x"), 0.001, 1, (0.001, 0.01, 0.1, 1), log=True),
            Axis(say("rates.y"), 0, 1.1, (0, 0.25, 0.5, 0.75, 1)),
            frame,
        )
        curves = (
            chart.curve([(s, value / max(values[-1], 1e-12)) for s, value in zip(scales, values, strict=True)], style)
            for style, values in enumerate((rates, carried))
        )
        return chart.drawing("".join(curves), spoken)

    return f'<div class="sae"><h2>{title}</h2>{responsive(draw)}{legend(curve_keys(words))}</div>'
