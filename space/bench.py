"""The page as two Gradio components: the bench, whose value is its state, and the answers that the server gives it.

Both have empty templates: what they show is made by web/gradio.js and the modules that it imports. Neither value is
ever drawn as HTML.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from typing import Any

import gradio as gr
import numpy as np
import torch
from gradio.events import Dependency, EventListener
from torch import Tensor

from space.errors import InputError
from space.files import WEB, Files
from space.lab import Lab, Specimen
from space.languages import CATALOGS
from space.state import State, opening, read
from training.data import as_floats

CARRIED_ATOMS = 6
ENTRIES = ("gradio.js", "static.js")
MOST_CARRIED = 60_000
"""Letters of what the page carries for its first image."""
BARE: dict[str, Any] = {"html_template": "", "apply_default_css": False, "container": False}


class Bench(gr.HTML):
    """The page below Gradio's own parts. Its value is the state as JSON text, which is checked when it comes in."""

    is_template = True  # to a browser it is an HTML component as any other

    def __init__(self, lab: Lab, files: Files) -> None:
        self._lab = lab
        super().__init__(
            json.dumps(asdict(opening(lab))),
            elem_id="bench",
            js_on_load=_calls(files, "start(element, props, trigger)"),
            **host(lab),
            **BARE,
        )

    def preprocess(self, payload: Any) -> State:  # type: ignore[override]
        try:
            return read(payload, self._lab)
        except InputError as error:
            raise gr.Error(html.escape(str(error)), print_exception=False) from error

    def on(self, event: str, answer: Callable[..., Any], **options: Any) -> Dependency:
        """Let a function answer what the page asks by an event."""
        return EventListener(event).listener(self, answer, **options)


class Answers(gr.HTML):
    """What the server says, as JSON text: {"about": event, ...}. The browser sends nothing in it."""

    is_template = True

    def __init__(self, files: Files) -> None:
        super().__init__("", elem_id="answers", js_on_load=_calls(files, "hear(props, watch)"), **BARE)


def _calls(files: Files, call: str) -> str:
    """What loads a component: one function of web/gradio.js."""
    return f'import(new URL("files/{files.web}/gradio.js", document.baseURI)).then((page) => page.{call});'


def host(lab: Lab) -> dict[str, Any]:
    """What the page needs of its host before it fetches anything."""
    languages = [{"code": code, "name": words["language"]} for code, words in CATALOGS.items()]
    return {"languages": languages, "opening": carried(lab)}


@cache
def head(files: Files, entry: str) -> str:
    """What a browser may fetch before it is asked for, as elements of the page's head.

    `entry` is the module that starts the page: one of `ENTRIES`.
    """
    styles = [name for name in files.table if name.startswith("web/") and name.endswith(".css")]
    modules = [f"{files.web}/{name}" for name in sorted(needed(entry))]
    # Not the weights: they would take the line from what the first image needs.
    fetched = ["lab.json", *(f"words/{code}.json" for code in CATALOGS)]
    return "".join(
        [
            *(f'<link rel="stylesheet" href="files/{name}">' for name in styles),
            *(f'<link rel="modulepreload" href="files/{name}">' for name in modules),
            *(
                f'<link rel="preload" as="fetch" crossorigin="anonymous" href="files/{html.escape(name)}">'
                for name in fetched
            ),
        ]
    )


def needed(entry: str) -> set[str]:
    """A module and those that it imports before it runs."""
    found, open_ = set(), {entry}
    while open_:
        found |= open_
        code = "".join((WEB / name).read_text(encoding="utf-8") for name in open_)
        open_ = set(re.findall(r'from "\./([\w-]+\.js)"', code)) - found
    return found


def carried(lab: Lab) -> dict[str, Any] | None:
    """What the first image is drawn from before any weights are there, or None where that would be too much.

    {"clean": image, "looks": {key of a stop: {"latents", "reconstruction", "bias", "atoms": {latent: image}}}}, for
    the stop that the page opens with and the one beside it. All are base64 of float16; the atoms are those that add
    most, in logits, as the bias is.
    """
    state = opening(lab)
    clean = as_floats(lab.images[state.digit : state.digit + 1])[0]
    looks = {stop: _carried_look(lab, state.specimen, stop) for stop in (state.stop, state.beside)}
    content = {"clean": to_base64(clean), "looks": looks}
    return content if len(json.dumps(content)) <= MOST_CARRIED else None


@torch.inference_mode()
def _carried_look(lab: Lab, specimen: Specimen, stop: str) -> dict[str, Any]:
    look, model = lab.look(specimen, stop), lab.model(lab.stop(stop).model)
    content: dict[str, Any] = {name: to_base64(getattr(look, name)) for name in ("latents", "reconstruction")}
    if model.is_linear:
        largest = look.latents.abs().topk(min(CARRIED_ATOMS, len(look.latents))).indices.tolist()
        content["bias"] = to_base64(model.logits(torch.zeros(1, model.latent_dim))[0])
        content["atoms"] = {str(latent): to_base64(model.dictionary[latent]) for latent in largest}
    return content


def to_base64(numbers: Tensor) -> str:
    """Numbers as base64 of float16."""
    return base64.b64encode(numbers.numpy().astype(np.float16).tobytes()).decode()
