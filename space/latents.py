"""The second tab: which latents fire for which class, and what one latent is for."""

from __future__ import annotations

from html import escape

import gradio as gr
import torch
from torch import Tensor

from space.drawing import activation_image, digit_image, map_side
from space.errors import in_sentences
from space.lab import Lab, Stop
from space.parts import BARE, LIVE, Choice
from space.view import colour_bar, figure
from training.atlas import Atlas
from training.data import as_floats

INTRO = """
## Who fires for what
Each square shows all latents of the chosen network, a cell for each (900 of them as 30 x 30), and how strongly they are
on for one class on average. **Click a cell** to meet that latent. Latents of a sparse network differ from class to
class; those of a dense one hardly do.
"""

# A click on a map, or Enter on its number below, tells the position of a latent.
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
            about = gr.HTML("", elem_id="about", js_on_load="element.setAttribute('aria-live', 'polite');", **BARE)

    @in_sentences
    def enter(way: str, stop: int) -> tuple[object, str, str]:
        latent = _clearest(lab.atlas(lab.stop_at(way, stop)))
        return pick_latent(latent, way, stop)

    @in_sentences
    def pick(way: str, stop: int, event: gr.EventData) -> tuple[object, str, str]:
        return pick_latent(int(event.latent), way, stop)

    def pick_latent(latent: int, way: str, stop: int) -> tuple[object, str, str]:
        latents = lab.model(lab.stop_at(way, stop)).latent_dim
        latent = min(max(latent, 0), latents - 1)
        return _number(latent, latents), *meet(latent, way, stop)

    @in_sentences
    def meet(latent: int | None, way: str, stop: int) -> tuple[str, str]:
        chosen = lab.stop_at(way, stop)
        latent = min(max(latent or 0, 0), lab.model(chosen).latent_dim - 1)
        atlas = lab.atlas(chosen)
        return _maps(atlas, chosen, latent), _about(lab, atlas, chosen, latent)

    chosen = [choice.way, choice.stop]
    tab.select(enter, chosen, [latent, maps, about], **LIVE)
    maps.click(pick, chosen, [latent, maps, about], **LIVE)
    latent.input(meet, [latent, *chosen], [maps, about], trigger_mode="always_last", **LIVE)


def _number(latent: int, latents: int) -> gr.Number:
    info = f"Row by row from the top left, 0 to {latents - 1}"
    return gr.Number(latent, label="Latent", info=info, precision=0, minimum=0, maximum=latents - 1, elem_id="latent")


def _clearest(atlas: Atlas) -> int:
    """A latent worth meeting first: of the hundred that are on most, the one that answers most to one class."""
    means = atlas.class_means
    often = means.mean(0).topk(min(100, means.shape[1])).indices
    return often[(means.max(0).values / means.mean(0).clamp_min(1e-9))[often].argmax()].item()


def _maps(atlas: Atlas, stop: Stop, latent: int) -> str:
    highest = max(atlas.class_means.max().item(), 1e-6)
    side = map_side(atlas.class_means.shape[1])
    cell = 100 / side
    row, column = divmod(latent, side)
    place = f"left: {column * cell:.2f}%; top: {row * cell:.2f}%; width: {cell:.2f}%; height: {cell:.2f}%"
    ring = f'<span class="ring" style="{place}"></span>'
    cards = "".join(
        f'<figure><div class="map">{activation_image(means / highest, f"Mean activations for a {label}")}{ring}'
        f"</div><figcaption><b>{label}</b></figcaption></figure>"
        for label, means in enumerate(atlas.class_means)
    )
    return (
        f'<div class="sae"><h2>{escape(stop.title)}: mean activation for each class</h2>'
        f'<div class="maps" data-side="{side}">{cards}</div>'
        f"{colour_bar('0', f'{highest:.2f}')}</div>"
    )


def _about(lab: Lab, atlas: Atlas, stop: Stop, latent: int) -> str:
    means = atlas.class_means[:, latent]
    if atlas.peak[latent] == 0:
        return f'<div class="sae"><h2>Latent {latent}</h2><p>It is off for every one of the test pictures.</p></div>'
    share = means / means.sum().clamp_min(1e-9)
    best = means.argmax().item()
    bars = "".join(
        f'<div class="class-bar"><span>{label}</span><i style="width: {value / share.max().item():.0%}"></i>'
        f"<span>{means[label]:.3f}</span></div>"
        for label, value in enumerate(share.tolist())
    )
    exciting = atlas.exciting[latent]
    digits = "".join(
        digit_image(as_floats(lab.images[i, 0]), f"A {lab.labels[i].item()} that excites this latent") for i in exciting
    )
    alone, nothing = _alone(lab, stop, latent, atlas.peak[latent])
    return (
        f'<div class="sae"><h2>Latent {latent} answers most to {best}</h2><p class="muted">Its mean activation for '
        f"each class; {share[best]:.0%} of all its activation goes to the class {best}.</p>{bars}"
        f'<h2 class="next">The test digits that excite it most</h2><div class="exciting">{digits}</div>'
        f'<h2 class="next">What it draws</h2><div class="draws">'
        + figure(digit_image(alone, f"The picture when only latent {latent} is on"), "Alone", "only this latent is on")
        + figure(digit_image(nothing, "The picture when every latent is off"), "Nothing", "every latent is off")
        + "</div></div>"
    )


@torch.inference_mode()
def _alone(lab: Lab, stop: Stop, latent: int, value: Tensor) -> tuple[Tensor, Tensor]:
    """What the decoder draws when one latent alone has a value, and when none has."""
    model = lab.model(stop)
    latents = torch.zeros(2, model.latent_dim)
    latents[0, latent] = value
    alone, nothing = model.decode(latents)[:, 0]
    return alone, nothing
