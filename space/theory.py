"""The fourth tab: what a rate costs, and why the mean activation alone proves nothing."""

from __future__ import annotations

from html import escape

import gradio as gr
import torch

from sae_model import effective_l0, unit_activation
from space.bench import Bench
from space.lab import Lab, Stop
from space.parts import Page, Part
from training import model_charts
from training.charts import Axis, Chart, Drawing, Frame, curve_keys, legend, responsive
from training.data import as_floats
from training.model_charts import COST_KEYS, cost_note

KEY, TITLE = "rates", "Rates"
RATE_INTRO = """
## Stating the rate
L1 adds beta times the actual rate p̂ (the mean activation) to the loss: a straight line through the origin, least at a
rate of 0. It has no target; which rate comes out depends on beta. To ask for a target rate p, such as 0.05, one takes
the Kullback-Leibler divergence KL(p ‖ p̂) of two Bernoulli distributions: p log(p / p̂) + (1 − p) log((1 − p) / (1 − p̂)).
Like the absolute and the squared error it is 0 at the target and grows on both sides. Its slope is
(p̂ − p) / (p̂ (1 − p̂)), which is unbounded near 0 and 1. The absolute error has the slope −1 below the target and 1
above it; the squared error has the slope 2 (p̂ − p). **Move the target.**
"""
SCALE_INTRO = """
## Why the mean activation proves nothing by itself
Multiply every latent by s, and every atom by 1/s. The product of both, and so every image, stays the same. For s below
1 the atoms become longer and the mean activation becomes lower; it goes to 0 as s does. The effective L0,
(Σ|z|)² / Σz², the number of latents that carry an image, does not change. So it stands beside the mean activation
everywhere here. A dictionary here has atoms of one fixed length, so its training cannot lower the mean activation in
this way. The lecture's network has no such limit.
"""
SAMPLE = 500


def build(page: Page) -> None:
    """Lay out the tab inside the current Blocks, and let it follow the bench."""
    lab = page.lab
    with gr.Row():
        with gr.Column(min_width=320):
            gr.Markdown(RATE_INTRO)
            target = gr.Slider(0.01, 0.99, 0.1, step=0.01, label="Target rate (p)", elem_id="target")
            costs = page.html("costs", cost_chart(0.1, None))
        with gr.Column(min_width=320):
            gr.Markdown(SCALE_INTRO)
            scales = page.html("scales")

    def of_model(bench: Bench, target: float) -> list[object]:
        stated = getattr(lab.model(bench.stop(lab)).sparsity, "target", None)
        return [stated or gr.skip(), *of_target(bench, stated or target)]

    def of_target(bench: Bench, target: float) -> list[str]:
        stop = bench.stop(lab)
        return [cost_chart(target, (stop.title, lab.evaluation(stop).mean_activation))]

    page.add(Part([target, costs], of_model, [target], KEY), own=False)
    page.add(Part([costs], of_target, [target], KEY), bench=False)
    page.add(Part([scales], lambda bench: [scale_chart(lab, bench.stop(lab))], tab=KEY))


def cost_chart(target: float, measured: tuple[str, float] | None) -> str:
    """What a rate costs, for a target; `measured` is a model's name and its rate."""
    drawing = responsive(lambda frame: model_charts.cost_chart(target, measured, frame))
    return f'<div class="sae">{drawing}{legend(COST_KEYS)}<p class="note">{cost_note(target)}</p></div>'


def scale_chart(lab: Lab, stop: Stop) -> str:
    """Mean activation and effective L0 when all latents are scaled, relative to what they are now."""
    with torch.inference_mode():
        latents = lab.model(stop).encode(as_floats(lab.images[:SAMPLE]), stop.k)
    scales = torch.logspace(-3, 0, 31).tolist()
    rates = [unit_activation(s * latents).mean().item() for s in scales]
    carried = [effective_l0(s * latents).mean().item() for s in scales]
    words = [
        f"mean activation ({rates[-1]:.3f} at s = 1, {rates[0]:.1g} at s = {scales[0]:g})",
        f"effective L0 ({carried[-1]:.0f} at s = 1, {carried[0]:.0f} at s = {scales[0]:g})",
    ]
    spoken = f"Latents of {stop.title}, scaled by s on {SAMPLE} test images: {'; '.join(words)}."

    def draw(frame: Frame) -> Drawing:
        chart = Chart(
            Axis("scale of the latents, s", 0.001, 1, (0.001, 0.01, 0.1, 1), log=True),
            Axis("relative to s = 1", 0, 1.1, (0, 0.25, 0.5, 0.75, 1)),
            frame,
        )
        curves = (
            chart.curve([(s, value / max(values[-1], 1e-12)) for s, value in zip(scales, values, strict=True)], style)
            for style, values in enumerate((rates, carried))
        )
        return chart.drawing("".join(curves), spoken)

    return f'<div class="sae"><h2>{escape(stop.title)}</h2>{responsive(draw)}{legend(curve_keys(words))}</div>'
