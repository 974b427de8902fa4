"""The map of latents, and the card that page.js opens for a cell of it: one latent, large; where one may change it."""

from __future__ import annotations

import json
from dataclasses import asdict
from html import escape

from torch import Tensor

from sae_model import unit_activation
from space.bench import Bench
from space.drawing import GREYS, SIGNED_COLOURS, activation_image, colour_bar, image_of, map_side, ring, signed_image
from space.errors import InputError
from space.lab import SAMPLE, Lab, Stop
from space.terms import term
from training.data import as_floats
from training.words import say

TOP_IMAGES = 5


def latent_map(lab: Lab, bench: Bench, activations: Tensor, edits: dict[int, float]) -> str:
    """A map whose cells page.js lets one hover, focus and click."""
    stop, latents = bench.stop(lab), len(activations)
    words = say("latent.map", latents=latents, title=stop.title, mean=activations.mean().item())
    rings = "".join(ring(latent, latents, "edited") for latent in edits if latent < latents)
    return (
        f'<div class="latent-map" tabindex="0" role="application" aria-label="{escape(words)}" '
        f'data-side="{map_side(latents)}" data-latents="{latents}" data-stop="{escape(stop.key)}" '
        f'data-bench="{escape(json.dumps(asdict(bench)))}">{activation_image(activations, words)}{rings}</div>'
    )


def latent_card(lab: Lab, request: str) -> str:
    """One latent as HTML.

    Args:
        request: JSON: {"bench": what a map holds as data-bench, "latent": its position, "open": whether it is to be
            changed}.

    Raises:
        InputError: the page does not write such a request.
    """
    try:
        wanted = json.loads(request)
        bench, latent, is_open = Bench(**wanted["bench"]), wanted["latent"], wanted["open"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise InputError(say("errors.no_latent")) from None
    stop = bench.stop(lab)
    latents = bench.look(lab).latents
    if not isinstance(latent, int) or isinstance(latent, bool) or not 0 <= latent < len(latents):
        raise InputError(say("errors.latent", title=stop.title, last=len(latents) - 1))
    encoded, edits = latents[latent].item(), bench.edits_of(stop)
    value = edits.get(latent, encoded)
    facts = say(
        "latent.encoded" if latent in edits else "latent.share",
        sign=say("latent.off" if value == 0 else "latent.on" if value > 0 else "latent.negative"),
        value=value,
        term=term("activation"),
        activation=unit_activation(latents.new_tensor(value)).item(),
        encoded=encoded,
        share=abs(encoded) / max(latents.abs().sum().item(), 1e-9),
    )
    below = _controls(lab, stop, latent, value) if is_open else f'<p class="muted">{say("latent.hint")}</p>'
    return (
        f"<h2>{say('latent.title', latent=latent, title=escape(stop.title))}</h2>"
        f'<div class="card-body"><div>{atom_image(lab, stop, latent)}</div><div><p class="facts">{facts}</p>'
        f"{_profile(lab, stop, latent)}</div></div>{_top_images(lab, stop, latent)}{below}"
    )


def atom_image(lab: Lab, stop: Stop, latent: int, with_words: bool = True) -> str:
    """The atom of a latent as an image, with what its colours mean."""
    atom = lab.atom(stop, latent)
    largest = max(atom.abs().max().item(), 1e-6)
    in_colour = len(atom) == 3 and not lab.draws_vectors
    key = "latent.atom_alt_colour" if in_colour else "latent.atom_alt"
    image = signed_image(atom, largest, say(key, latent=latent, low=atom.min().item(), high=atom.max().item()))
    colours = GREYS if in_colour else SIGNED_COLOURS
    bar = colour_bar(colours, f"−{largest:.2g}", "0", f"+{largest:.2g}")
    name = term("atom", say("latent.atom")) if lab.model(stop).is_linear else say("latent.alone")
    return f'{image}{bar}<p class="muted">{name}</p>' if with_words else image


def _profile(lab: Lab, stop: Stop, latent: int) -> str:
    means = lab.statistics(stop).class_means[:, latent]
    largest = max(means.max().item(), 1e-9)
    bars = "".join(
        f'<div class="class-bar"><span>{escape(name)}</span><i style="width: {mean / largest:.0%}"></i>'
        f"<span>{mean:.3f}</span></div>"
        for name, mean in zip(lab.classes, means.tolist(), strict=True)
    )
    return f'<div class="profile"><p class="muted">{say("latent.profile", sample=SAMPLE)}</p>{bars}</div>'


def _top_images(lab: Lab, stop: Stop, latent: int) -> str:
    statistics = lab.statistics(stop)
    if statistics.peak[latent] == 0:
        return f'<p class="muted">{say("latent.never", sample=SAMPLE)}</p>'
    images = "".join(
        image_of(lab.picture(as_floats(lab.images[i])), say("latent.large", name=lab.name(int(i))))
        for i in statistics.top_images[latent, :TOP_IMAGES]
    )
    return f'<div class="top-images">{images}</div><p class="muted">{say("latent.top")}</p>'


def _controls(lab: Lab, stop: Stop, latent: int, value: float) -> str:
    """A slider and two buttons; what they do stands in page.js."""
    peak = abs(lab.statistics(stop).peak[latent].item())
    high = max(1.25 * peak, value, 1.0)
    low = 0 if lab.model(stop).is_linear else -high
    return (
        f'<label class="set">{say("latent.set")} <input type="range" min="{low:.2f}" max="{high:.2f}" step="any" '
        f'value="{value:.4f}" '
        f'aria-label="{escape(say("latent.set_aria", latent=latent))}"><output>{value:.2f}</output></label>'
        '<div class="buttons">'
        f'<button type="button" class="off">{say("latent.switch_off")}</button>'
        f'<button type="button" class="back">{say("latent.as_encoded")}</button>'
        f'<button type="button" class="close">{say("latent.close")}</button></div>'
    )
