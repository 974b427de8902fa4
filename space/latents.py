"""The second tab: which latents fire for which class, and what one latent is for."""

from __future__ import annotations

import gradio as gr
import torch
from torch import Tensor

from space.drawing import activation_image, digit_image
from space.explore import BARE, LIVE, Choice, colour_bar, figure
from space.lab import Lab, Stop
from training.atlas import Atlas
from training.data import as_floats

INTRO = """
## Who fires for what
Each square shows all 900 latents of the chosen network as 30 x 30 cells, and how strongly they are on for one class on
average. **Click a cell** to meet that latent. Latents of a sparse network differ from class to class; those of a dense
one hardly do.
"""

# A click on a map, or Enter on its number below, tells the position of a latent.
PICK = """
element.addEventListener('click', event => {
  const map = event.target.closest('.maps img');
  if (!map) return;
  const box = map.getBoundingClientRect();
  const cell = side => Math.max(0, Math.min(29, Math.floor(30 * side)));
  const row = cell((event.clientY - box.top) / box.height), column = cell((event.clientX - box.left) / box.width);
  trigger('click', {latent: 30 * row + column});
});
"""


def build(lab: Lab, choice: Choice, tab: gr.Tab) -> None:
    """Lay out the tab inside the current Blocks and wire it."""
    gr.Markdown(INTRO)
    with gr.Row():
        with gr.Column(scale=3, min_width=320):
            maps = gr.HTML("", elem_id="maps", js_on_load=PICK, **BARE)
        with gr.Column(scale=2, min_width=300):
            latent = gr.Number(
                0,
                label="Latent",
                info="Row by row from the top left, 0 to 899",
                precision=0,
                minimum=0,
                maximum=899,
                elem_id="latent",
            )
            about = gr.HTML("", elem_id="about", js_on_load="element.setAttribute('aria-live', 'polite');", **BARE)

    def enter(way: str, stop: int) -> tuple[int, str, str]:
        chosen = lab.stop_at(way, stop)
        atlas = lab.atlas(chosen)
        clearest = _clearest(atlas)
        return clearest, _maps(atlas, chosen, clearest), _about(lab, atlas, chosen, clearest)

    def pick(way: str, stop: int, event: gr.EventData) -> tuple[int, str, str]:
        latent = min(max(int(event.latent), 0), 899)
        return latent, *meet(latent, way, stop)

    def meet(latent: int | None, way: str, stop: int) -> tuple[str, str]:
        latent = min(max(latent or 0, 0), 899)
        chosen = lab.stop_at(way, stop)
        atlas = lab.atlas(chosen)
        return _maps(atlas, chosen, latent), _about(lab, atlas, chosen, latent)

    chosen = [choice.way, choice.stop]
    tab.select(enter, chosen, [latent, maps, about], **LIVE)
    maps.click(pick, chosen, [latent, maps, about], **LIVE)
    latent.input(meet, [latent, *chosen], [maps, about], trigger_mode="always_last", **LIVE)


def _clearest(atlas: Atlas) -> int:
    """A latent worth meeting first: of the hundred that are on most, the one that answers most to one class."""
    means = atlas.class_means
    often = means.mean(0).topk(100).indices
    return often[(means.max(0).values / means.mean(0).clamp_min(1e-9))[often].argmax()].item()


def _maps(atlas: Atlas, stop: Stop, latent: int) -> str:
    highest = max(atlas.class_means.max().item(), 1e-6)
    column, row = latent % 30, latent // 30
    ring = f'<span class="ring" style="left: {column / 0.3:.2f}%; top: {row / 0.3:.2f}%"></span>'
    cards = "".join(
        f'<figure><div class="map">{activation_image(means / highest, f"Mean activations for a {label}")}{ring}'
        f"</div><figcaption><b>{label}</b></figcaption></figure>"
        for label, means in enumerate(atlas.class_means)
    )
    return (
        f'<div class="sae"><h2>{stop.title}: mean activation for each class</h2><div class="maps">{cards}</div>'
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
    model = lab.variants[stop.variant]
    latents = torch.zeros(2, model.latent_dim)
    latents[0, latent] = value
    alone, nothing = model.decode(latents)[:, 0]
    return alone, nothing
