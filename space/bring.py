"""A network of the visitor's own beside the bundled ones: where to type its address, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from urllib.parse import urlencode

import gradio as gr

from space.errors import InputError
from space.guests import title
from space.lab import GUEST, Lab
from space.parts import BARE, LIVE, SPEAK_CHANGES, Choice, stop_slider, way_choices
from space.view import view

# A link to the page may name a guest, as in /?model=owner/name. Pages without one ask the server nothing.
READ_LINK = "() => { const model = new URLSearchParams(location.search).get('model') ?? ''; return [model, model]; }"


@dataclass(frozen=True)
class Box:
    """Where a guest is asked for."""

    address: gr.Textbox
    load: gr.Button
    said: gr.HTML
    linked: gr.Textbox
    """The address in the link with which the page was opened."""


def lay_out(lab: Lab) -> Box:
    """Place the box into the current layout."""
    places = "A repo on the Hub, owner/name or owner/name@revision" + ", or a folder here" * (not lab.guests.hosted)
    with gr.Row(elem_id="guest"):
        address = gr.Textbox(label="Bring your own network", info=places, placeholder="owner/name", max_lines=1)
        load = gr.Button("Load and measure it", scale=0, min_width=200)
    said = gr.HTML("", elem_id="said", js_on_load=SPEAK_CHANGES, **BARE)
    linked = gr.Textbox(visible="hidden")
    return Box(address, load, said, linked)


def wire(
    page: gr.Blocks, lab: Lab, box: Box, choice: Choice, controls: list[gr.Component], shown: list[gr.HTML]
) -> None:
    """Let the box load guests. `controls` are index, seed and sigma; `shown` is what `view` fills."""
    outputs = [box.said, choice.guests, choice.way, choice.stop, *shown]
    stay = [gr.skip()] * (len(outputs) - 1)

    def bring(text: str, mine: list[str], index: int, seed: int, sigma: float) -> Iterator[tuple[object, ...]]:
        try:
            name = (text or "").strip()
            if name in lab.variants:
                way = next(kind for kind, stops in lab.ways.items() if name in {stop.variant for stop in stops})
                position = lab.position(way, name)
                words = f"<b>{name}</b> is one of the bundled networks; it is chosen now."
            else:
                address = lab.guests.address(name)
                for step in lab.guests.admit(address):
                    yield _said(escape(step)), *stay
                name, way = address.name, GUEST + address.name
                mine = [*(other for other in mine if other in lab.guests and other != name), name]
                position = len(lab.stops(way)) - 1
                words = _welcome(lab, name)
            pictures = view(lab, index, seed, sigma, way, position)
            radio = gr.Radio(way_choices(lab, mine), value=way)
            yield _said(words), mine, radio, stop_slider(lab, way, position), *pictures
        except InputError as error:
            yield _said(escape(str(error)), "sorry"), *stay
        except gr.Error as error:  # ZeroGPU has no time left for this visitor
            yield _said(escape(error.message), "sorry"), *stay

    inputs = [choice.guests, *controls]
    # Fetching and measuring take seconds, and wait in a line of their own: all else goes on.
    slow = LIVE | {"concurrency_id": "guests"}
    gr.on([box.load.click, box.address.submit], bring, [box.address, *inputs], outputs, trigger_mode="once", **slow)
    box.linked.change(bring, [box.linked, *inputs], outputs, **slow)
    page.load(None, None, [box.address, box.linked], js=READ_LINK)


def _welcome(lab: Lab, name: str) -> str:
    model = lab.guests.find(name).model
    words = (
        f"<b>{escape(title(name))}</b>, {model.latent_dim:,} latents, trained as {escape(model.sparsity.name)}, is the "
        f"last stop now, beside the bundled networks of its kind. Its figures were measured here."
    )
    if lab.guests.is_repo(name):
        words += f' <a href="?{escape(urlencode({"model": name}))}">Link to this page with it</a>.'
    return words


def _said(words: str, css_class: str = "") -> str:
    return f'<div class="sae {css_class}"><p>{words}</p></div>'
