"""The second tab: the image built from its largest latents, one atom after the other."""

from __future__ import annotations

from html import escape

import gradio as gr
import torch

from space.bench import Bench
from space.drawing import card, image_of
from space.lab import Lab
from space.latent_card import atom_image
from space.parts import QUICK, Page, Part
from space.see import edited, name_of
from space.terms import term

KEY, TITLE = "strokes", "Strokes"
MOST = 60
"""So many latents can be added one by one; the slider's last stop adds all others at once."""
INTRO = f"""
The latents of this image, largest first. Each adds its value times its {term("atom")} to the {term("logits")}; with
none of them on, the decoder shows its bias. Move the slider, or play it.
"""


def build(page: Page) -> None:
    """Lay out the tab inside the current Blocks, and let it follow the bench."""
    lab = page.lab
    gr.HTML(f'<div class="sae"><p class="intro">{INTRO}</p></div>', apply_default_css=False, container=False)
    with gr.Row(elem_id="reveal-row"):
        reveal = gr.Slider(0, MOST, 5, step=1, label="Largest latents that are added", elem_id="reveal", scale=4)
        gr.Button("Play", elem_id="play", scale=0, min_width=110)
    built = page.html("built")
    atoms = page.html("atoms")
    page.add(Part([built], lambda bench, k: [_built(lab, bench, k)], [reveal], KEY, QUICK))
    page.add(Part([atoms], lambda bench: [_atoms(lab, bench)], tab=KEY))


@torch.inference_mode()
def _built(lab: Lab, bench: Bench, k: int) -> str:
    stop, (_, look) = bench.stop(lab), edited(lab, bench)
    order = look.latents.abs().argsort(descending=True, stable=True)
    kept = look.latents.clone()
    kept[order[_added(k, look.l0) :]] = 0
    partial = lab.model(stop).decode(kept[None])[0]
    mse, added, name = (partial - look.clean).square().mean().item(), _added(k, look.l0), name_of(lab, bench)
    share = kept.abs().sum().item() / max(look.latents.abs().sum().item(), 1e-9)
    images = [
        card(
            image_of(lab.picture(look.noisy), f"The {name} that the model was given"), "Given", f"noise {bench.sigma:g}"
        ),
        card(
            image_of(lab.picture(partial), f"The {name} as built from the {added} largest latents"),
            f"{added} largest",
            f"{term('PSNR')} <b>{look.psnr_of(mse):.1f} dB</b>; {share:.0%} of the sum of latents",
            "main",
        ),
        card(
            image_of(lab.picture(look.reconstruction), f"The {name} as reconstructed from all its latents"),
            f"All {look.l0}",
            f"{term('PSNR')} {look.psnr:.1f} dB",
        ),
        card(image_of(lab.picture(look.clean), f"The clean {name}"), "Clean", "what is wanted"),
    ]
    return f'<div class="sae"><div class="built" data-k="{added}">{"".join(images)}</div></div>'


def _added(k: int, l0: int) -> int:
    """How many latents a position of the slider adds; its last one adds all."""
    return l0 if k >= MOST else min(int(k), l0)


def _atoms(lab: Lab, bench: Bench) -> str:
    stop, (_, look) = bench.stop(lab), edited(lab, bench)
    total = max(look.latents.abs().sum().item(), 1e-9)
    order = look.latents.abs().argsort(descending=True, stable=True)[: min(MOST, look.l0)].tolist()
    cards = "".join(
        card(atom_image(lab, stop, latent, with_words=False), str(place), f"{look.latents[latent].abs() / total:.1%}")
        for place, latent in enumerate(order, 1)
    )
    return (
        f'<div class="sae"><h2>Atoms of {escape(stop.title)} in this image, with their share of the sum of latents '
        f'<span class="muted">orange adds light, blue takes it away</span></h2><div class="atoms">{cards}</div></div>'
    )
