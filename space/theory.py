"""The third tab: what a rate costs, and why the mean activation alone proves nothing."""

from __future__ import annotations

from html import escape

import gradio as gr
import torch

from sae_model import bernoulli_kl, effective_l0, unit_activation
from space.charts import Axis, Chart, legend
from space.errors import with_error_message
from space.lab import Lab, Stop
from space.parts import BARE, LIVE, Choice
from training.data import as_floats

RATE_INTRO = """
## Stating the rate
An L1 penalty asks for *less*; how much less depends on beta. To ask for a rate, such as *5% on average*, one takes the
Kullback-Leibler divergence between two coins that show "on" with the target rate p and with the actual rate p̂:
p log(p / p̂) + (1 − p) log((1 − p) / (1 − p̂)). Like the absolute and the squared error it is zero at the target. Its
slope is (p̂ − p) / (p̂ (1 − p̂)), which grows without bound towards 0 and 1, while the absolute error has the slope ±1 and
the squared error 2 (p̂ − p). (The code keeps p̂ a millionth away from 0 and 1, so that the cost stays finite.) **Move the
target.**
"""
SCALE_INTRO = """
## Why the mean activation proves nothing by itself
Scale every latent by s < 1 and the atoms by 1/s: the images stay exactly as they are, and the mean activation falls as
low as you like. The number of latents that carry an image, the effective L0 (Σ|z|)² / Σz², stays. So it stands beside
the mean activation everywhere here. The atoms of a dictionary here all have one fixed length, so that training cannot
scale them.
"""
SAMPLE = 500


def build(lab: Lab, choice: Choice, tab: gr.Tab) -> None:
    """Lay out the tab inside the current Blocks and wire it."""
    with gr.Row():
        with gr.Column(min_width=320):
            gr.Markdown(RATE_INTRO)
            target = gr.Slider(0.01, 0.99, 0.1, step=0.01, label="Target rate (p)", elem_id="target")
            costs = gr.HTML(cost_chart(0.1, None), elem_id="costs", **BARE)
        with gr.Column(min_width=320):
            gr.Markdown(SCALE_INTRO)
            scales = gr.HTML("", elem_id="scales", **BARE)

    @with_error_message
    def enter(method: str, stop: int) -> tuple[object, str, str]:
        chosen = lab.stop_at(method, stop)
        rate = lab.evaluation(chosen).mean_activation
        stated = getattr(lab.model(chosen).sparsity, "target", None)
        p = stated or 0.1
        return gr.Slider(value=p), cost_chart(p, (chosen.title, rate)), scale_chart(lab, chosen)

    @with_error_message
    def move(target: float, method: str, stop: int) -> str:
        chosen = lab.stop_at(method, stop)
        return cost_chart(target, (chosen.title, lab.evaluation(chosen).mean_activation))

    tab.select(enter, [choice.method, choice.stop], [target, costs, scales], **LIVE)
    target.change(move, [target, choice.method, choice.stop], costs, trigger_mode="always_last", **LIVE)


def cost_chart(target: float, measured: tuple[str, float] | None) -> str:
    """KL, absolute and squared error against the actual rate; `measured` is a model's name and its rate."""
    chart = Chart(
        Axis("actual rate (mean activation)", 0, 1, (0, 0.2, 0.4, 0.6, 0.8, 1)),
        Axis("cost", 0, 1, (0, 0.25, 0.5, 0.75, 1)),
    )
    rates = torch.linspace(0, 1, 501, dtype=torch.float64)
    curves = [bernoulli_kl(target, rates), (rates - target).abs(), (rates - target).square()]
    inside = "".join(
        chart.curve([(r, c) for r, c in zip(rates.tolist(), cost.tolist(), strict=True) if c <= 1], style)
        for style, cost in enumerate(curves)
    )
    inside += chart.upright(target, f"target {target:g}", "target")
    spoken = f"Cost against the actual rate for a target of {target:g}: all three are zero at the target."
    if measured:
        name, rate = measured
        inside += chart.upright(rate, f"{name}: {rate:.3f}", "mean", line=1)
        spoken += f" The rate of {name} is {rate:.3f}."
    words = ["KL divergence (nats)", "absolute error", "squared error"]
    return f'<div class="sae">{chart.svg(inside, spoken)}{legend(words)}</div>'


def scale_chart(lab: Lab, stop: Stop) -> str:
    """Mean activation and effective L0, as parts of what they are now, when all latents are scaled."""
    with torch.inference_mode():
        latents = lab.model(stop).encode(as_floats(lab.images[:SAMPLE]), stop.k)
    scales = torch.logspace(-3, 0, 31).tolist()
    rates = [unit_activation(s * latents).mean().item() for s in scales]
    carried = [effective_l0(s * latents).mean().item() for s in scales]
    chart = Chart(
        Axis("scale of the latents, s", 0.001, 1, (0.001, 0.01, 0.1, 1), log=True),
        Axis("part of what it was", 0, 1.1, (0, 0.25, 0.5, 0.75, 1)),
    )
    inside = "".join(
        chart.curve([(s, value / max(values[-1], 1e-12)) for s, value in zip(scales, values, strict=True)], style)
        for style, values in enumerate((rates, carried))
    )
    words = [
        f"mean activation ({rates[-1]:.3f} at s = 1, {rates[0]:.1g} at s = {scales[0]:g})",
        f"effective L0 ({carried[-1]:.0f} at s = 1, {carried[0]:.0f} at s = {scales[0]:g})",
    ]
    spoken = f"Latents of {stop.title}, scaled by s on {SAMPLE} test images: {'; '.join(words)}."
    return f'<div class="sae"><h2>{escape(stop.title)}</h2>{chart.svg(inside, spoken)}{legend(words)}</div>'
