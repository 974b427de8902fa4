"""The second tab: which latents are on for which class, and what is known about one latent."""

from __future__ import annotations

from html import escape

import gradio as gr
import torch
from torch import Tensor

from sae_model import SparseAutoencoder
from space.drawing import (
    ACTIVATION_COLOURS,
    SIGNED_COLOURS,
    activation_image,
    colour_bar,
    digit_image,
    map_side,
    signed_image,
)
from space.errors import with_error_message
from space.lab import CLASSES, Lab, Stop
from space.parts import BARE, LIVE, SPEAK_CHANGES, Choice
from space.view import card
from training.data import as_floats
from training.latent_statistics import LatentStatistics

INTRO = """
## Which latents are on for which class
Each square shows all latents of the chosen model, a cell for each (900 of them as 30 x 30), and how strongly they are
on for one class on average. **Click a cell** to choose that latent.
"""

# A click on a map gives the position of a latent.
PICK = """
element.addEventListener('click', event => {
  const map = event.target.closest('.maps img');
  if (!map) return;
  const box = map.getBoundingClientRect(), side = Number(map.closest('.maps').dataset.side);
  const cell = part => Math.max(0, Math.min(side - 1, Math.floor(side * part)));
  const row = cell((event.clientY - box.top) / box.height), column = cell((event.clientX - box.left) / box.width);
  trigger('click', {latent: side * row + column});
});
"""


def build(lab: Lab, choice: Choice, tab: gr.Tab) -> None:
    """Lay out the tab inside the current Blocks and wire it."""
    gr.Markdown(INTRO)
    with gr.Row():
        with gr.Column(scale=3, min_width=320):
            maps = gr.HTML("", elem_id="maps", js_on_load=PICK, **BARE)
        with gr.Column(scale=2, min_width=300):
            latent = _number(0, 900)
            about = gr.HTML("", elem_id="about", js_on_load=SPEAK_CHANGES, **BARE)

    @with_error_message
    def enter(method: str, stop: int) -> tuple[object, str, str]:
        latent = _clearest(lab.statistics(lab.stop_at(method, stop)))
        return pick_latent(latent, method, stop)

    @with_error_message
    def pick(method: str, stop: int, event: gr.EventData) -> tuple[object, str, str]:
        return pick_latent(int(event.latent), method, stop)

    def pick_latent(latent: int, method: str, stop: int) -> tuple[object, str, str]:
        latents = lab.model(lab.stop_at(method, stop)).latent_dim
        latent = min(max(latent, 0), latents - 1)
        return _number(latent, latents), *show(latent, method, stop)

    @with_error_message
    def show(latent: int | None, method: str, stop: int) -> tuple[str, str]:
        chosen = lab.stop_at(method, stop)
        latent = min(max(latent or 0, 0), lab.model(chosen).latent_dim - 1)
        return _maps(lab.statistics(chosen), chosen, latent), about_latent(lab, chosen, latent)

    chosen = [choice.method, choice.stop]
    tab.select(enter, chosen, [latent, maps, about], **LIVE)
    maps.click(pick, chosen, [latent, maps, about], **LIVE)
    latent.input(show, [latent, *chosen], [maps, about], trigger_mode="always_last", **LIVE)


def _number(latent: int, latents: int) -> gr.Number:
    info = f"Row by row from the top left, 0 to {latents - 1}"
    return gr.Number(latent, label="Latent", info=info, precision=0, minimum=0, maximum=latents - 1, elem_id="latent")


def _clearest(statistics: LatentStatistics) -> int:
    """The latent to show first: of the hundred that are on most, the one that is most on for one class alone."""
    means = statistics.class_means
    often = means.mean(0).topk(min(100, means.shape[1])).indices
    return often[(means.max(0).values / means.mean(0).clamp_min(1e-9))[often].argmax()].item()


def _maps(statistics: LatentStatistics, stop: Stop, latent: int) -> str:
    highest = max(statistics.class_means.max().item(), 1e-6)
    side = map_side(statistics.class_means.shape[1])
    cell = 100 / side
    row, column = divmod(latent, side)
    place = f"left: {column * cell:.2f}%; top: {row * cell:.2f}%; width: {cell:.2f}%; height: {cell:.2f}%"
    ring = f'<span class="ring" style="{place}"></span>'
    cards = "".join(
        f'<figure><div class="map">{activation_image(means / highest, f"Mean activations for a {name}")}{ring}'
        f"</div><figcaption><b>{escape(name)}</b></figcaption></figure>"
        for name, means in zip(CLASSES, statistics.class_means, strict=True)
    )
    return (
        f'<div class="sae"><h2>{escape(stop.title)}: mean activation for each class</h2>'
        f'<div class="maps" data-side="{side}">{cards}</div>'
        f"{colour_bar(ACTIVATION_COLOURS, '0', f'{highest:.2f}')}</div>"
    )


def about_latent(lab: Lab, stop: Stop, latent: int) -> str:
    """One latent of a stop's model as HTML: for which classes and images it is on, and what the decoder makes of it."""
    statistics = lab.statistics(stop)
    means = statistics.class_means[:, latent]
    share = means / means.sum().clamp_min(1e-9)
    best = means.argmax().item()
    if statistics.peak[latent] == 0:
        about = f"<h2>Latent {latent}</h2><p>It is off for every one of the test images.</p>"
    else:
        bars = "".join(
            f'<div class="class-bar"><span>{escape(name)}</span><i style="width: {value / share.max().item():.0%}"></i>'
            f"<span>{mean:.3f}</span></div>"
            for name, value, mean in zip(CLASSES, share.tolist(), means.tolist(), strict=True)
        )
        largest = "".join(
            digit_image(as_floats(lab.images[i, 0]), f"A {CLASSES[lab.labels[i]]} for which this latent is large")
            for i in statistics.top_images[latent]
        )
        about = (
            f'<h2>Latent {latent} is on most for {escape(CLASSES[best])}</h2><p class="muted">Its mean activation for '
            f"each class; {share[best]:.0%} of all its activation is in the class {escape(CLASSES[best])}.</p>{bars}"
            f'<h2 class="next">The test images with its largest activations</h2><div class="top-images">{largest}</div>'
        )
    model = lab.model(stop)
    effect = _atom(model.dictionary[latent, 0], latent) if model.is_linear else _alone(model, statistics, latent)
    return f'<div class="sae">{about}{effect}</div>'


def _atom(atom: Tensor, latent: int) -> str:
    largest = max(atom.abs().max().item(), 1e-6)
    alt = f"Atom of latent {latent}: values from {atom.min():.2f}, blue, to {atom.max():.2f}, orange; white is 0"
    bar = colour_bar(SIGNED_COLOURS, f"−{largest:.2f}", "0", f"+{largest:.2f}")
    return (
        f'<h2 class="next">Its atom</h2><div class="effect"><div>{signed_image(atom, largest, alt)}{bar}</div>'
        '<p class="muted">Times the value of the latent, this is what it adds to the logits of every image: orange '
        "pixels become lighter, blue ones darker.</p></div>"
    )


@torch.inference_mode()
def _alone(model: SparseAutoencoder, statistics: LatentStatistics, latent: int) -> str:
    """For a decoder that is not linear: what it gives when one latent alone has its largest value, and when none is."""
    latents = torch.zeros(2, model.latent_dim)
    latents[0, latent] = statistics.peak[latent]
    alone, none = model.decode(latents)[:, 0]
    return (
        '<h2 class="next">What the decoder gives</h2><div class="effect">'
        + card(digit_image(alone, f"The image when only latent {latent} is on"), "Alone", "only this latent is on")
        + card(digit_image(none, "The image when every latent is off"), "None", "every latent is off")
        + "</div>"
    )
