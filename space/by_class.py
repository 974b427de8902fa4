"""The third tab: which latents belong to a class, in two models side by side."""

from __future__ import annotations

from dataclasses import replace
from html import escape

import gradio as gr
import torch

from space.bench import Bench
from space.drawing import ACTIVATION_COLOURS, colour_bar, image_of
from space.errors import InputError
from space.lab import SAMPLE, Lab, Stop
from space.latent_card import atom_image, latent_map
from space.parts import Page, Part, class_choice
from space.terms import term
from training.data import as_floats
from training.words import say

KEY = "classes"
RANKED = 8


def build(page: Page) -> None:
    """Lay out the tab inside the current Blocks, and let it follow the bench."""
    lab = page.lab
    gr.Markdown(say("classes.intro"))
    with gr.Row(elem_id="classes-row"):
        with gr.Column(scale=3, min_width=180):
            label = class_choice(lab, int(lab.labels[page.first.digit]), say("controls.class"), "class")
        others = [stop.title for stop in lab.places]  # the first model without penalty leads
        beside = gr.Dropdown(
            others, value=others[0], label=say("classes.beside"), elem_id="beside", scale=1, min_width=180
        )
    ranks = page.html("ranks")
    page.add(Part([ranks], lambda bench, label, beside: [_two(lab, bench, label, beside)], [label, beside], KEY))


def _two(lab: Lab, bench: Bench, label: str, beside: str) -> str:
    places = {stop.title: place for stop, place in lab.places.items()}
    if beside not in places:
        raise InputError(say("errors.variant", name=beside, names=", ".join(places)))
    if label not in map(str, range(len(lab.classes))):
        raise InputError(say("errors.empty_class", name=label))
    method, position = places[beside]
    other = replace(bench, method=method, position=position)
    return f'<div class="sae"><div class="two">{"".join(_one(lab, b, int(label)) for b in (other, bench))}</div></div>'


@torch.inference_mode()
def _one(lab: Lab, bench: Bench, label: int) -> str:
    """One model: its map for the class, and its latents ranked."""
    stop, name = bench.stop(lab), lab.classes[label]
    model, statistics = lab.model(stop), lab.statistics(stop)
    means = statistics.class_means
    excess = means[label] - means.mean(0)
    order = excess.argsort(descending=True)[:RANKED].tolist()
    typical = _typical(lab, stop, label)
    rows = ""
    for place, latent in enumerate(order, 1):
        latents = typical.repeat(2, 1)
        latents[0, latent], latents[1, latent] = 0, statistics.peak[latent]
        without, with_it = model.decode(latents)
        share = means[label, latent] / means[:, latent].sum().clamp_min(1e-9)
        rows += (
            f'<tr><th scope="row">{place}</th><td>{atom_image(lab, stop, latent, with_words=False)}</td>'
            f"<td>{image_of(lab.picture(without), say('classes.off_alt', name=name, latent=latent))}</td>"
            f"<td>{image_of(lab.picture(with_it), say('classes.largest_alt', name=name, latent=latent))}</td>"
            f"<td>{means[label, latent]:.3f}</td><td>{share:.0%}</td></tr>"
        )
    highest = max(means.max().item(), 1e-6)
    return (
        f'<section><h2>{escape(stop.title)}</h2><div class="class-map"><div>'
        f"{latent_map(lab, bench, means[label] / highest, {})}{colour_bar(ACTIVATION_COLOURS, '0', f'{highest:.2f}')}"
        f"</div><div>{image_of(lab.picture(model.decode(typical)[0]), say('classes.typical_alt', name=name))}"
        f'<p class="muted">{say("classes.typical", name=escape(name))}</p></div></div>'
        f'<table class="ranks"><thead><tr><td></td><th scope="col">{term("atom", say("classes.atom"))}</th>'
        f'<th scope="col">{say("classes.off")}</th>'
        f'<th scope="col">{say("classes.largest")}</th><th scope="col">{say("classes.mean", name=escape(name))}</th>'
        f'<th scope="col">{say("classes.share")}</th></tr></thead><tbody>{rows}</tbody></table></section>'
    )


def _typical(lab: Lab, stop: Stop, label: int) -> torch.Tensor:
    """The mean latents of the images of a class, (1, latent_dim)."""
    images = lab.images[:SAMPLE][lab.labels[:SAMPLE] == label]
    return lab.model(stop).encode(as_floats(images), **stop.arguments).mean(0, keepdim=True)
