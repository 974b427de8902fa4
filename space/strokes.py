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
from space.see import edited, edits_of, name_of
from space.stop_slider import ClampedSlider
from space.terms import term
from training.words import say

KEY = "strokes"
MOST = 60
"""So many latents can be added one by one; the slider's last stop adds all others at once."""


def build(page: Page) -> None:
    """Lay out the tab inside the current Blocks, and let it follow the bench."""
    lab = page.lab
    intro = page.html("strokes-intro")
    with gr.Row(elem_id="reveal-row"):
        reveal = ClampedSlider(0, MOST, 5, step=1, label=say("strokes.reveal"), elem_id="reveal", scale=4)
        gr.Button(say("strokes.play"), elem_id="play", scale=0, min_width=110)
    built = page.html("built")
    atoms = page.html("atoms")
    page.add(Part([built], lambda bench, k: [_built(lab, bench, k)], [reveal], KEY, QUICK))
    page.add(Part([intro, atoms], lambda bench: [_intro(lab, bench), _atoms(lab, bench)], tab=KEY))


def _intro(lab: Lab, bench: Bench) -> str:
    terms = {name: term(name) for name in ("atom", "logits", "dictionary")}
    words = say("strokes.intro" if lab.model(bench.stop(lab)).is_linear else "strokes.intro_deep", **terms)
    return f'<div class="sae"><p class="intro">{words}</p></div>'


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
            image_of(lab.picture(look.noisy), say("strokes.given_alt", name=name)),
            say("strokes.given"),
            say("strokes.noise", sigma=bench.sigma),
        ),
        card(
            image_of(lab.picture(partial), say("strokes.largest_alt", count=added, name=name)),
            say("strokes.largest", count=added),
            say("strokes.share", PSNR=term("PSNR"), psnr=look.psnr_of(mse), share=share),
            "main",
        ),
        card(
            image_of(lab.picture(look.reconstruction), say("strokes.all_alt", name=name)),
            say("strokes.all", count=look.l0),
            say("see.psnr", PSNR=term("PSNR"), psnr=look.psnr),
        ),
        card(
            image_of(lab.picture(look.clean), say("see.clean_alt", name=name)), say("see.clean"), say("strokes.wanted")
        ),
    ]
    words = edits_of(lab, bench)
    return (
        f'<div class="sae">{f"<p>{words}</p>" if words else ""}'
        f'<div class="built" data-k="{added}">{"".join(images)}</div></div>'
    )


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
    words = say("strokes.atoms" if lab.model(stop).is_linear else "strokes.alone", title=escape(stop.title))
    return f'<div class="sae"><h2>{words}</h2><div class="atoms">{cards}</div></div>'
