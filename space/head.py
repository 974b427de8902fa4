"""What the page carries in its head, so that its first image needs no other file but two small ones.

The modules of web/ and the style sheets stand in the page itself: 60 files over six connections would take ten round
trips. An import map gives each module, as it lies in its file, a name of its own: "web/dom.js".
"""

from __future__ import annotations

import base64
import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import torch
from torch import Tensor

from space.lab import Lab, Specimen
from space.languages import CATALOGS
from space.state import opening
from training.data import as_floats

WEB = Path(__file__).with_name("web")
FETCHED = ("lab.json", *(f"words/{code}.json" for code in CATALOGS))
"""What the browser fetches at once. Not the weights: they would take the line from the first image."""
ENTRIES = ("gradio.js", "static.js")
CARRIED_ATOMS = 6
MOST_CARRIED = 60_000
"""Letters of what the page carries for its first image."""
PLAIN = "".join(map(chr, range(33, 127))).translate(str.maketrans("", "", '"#%<>\\')) + " "
"""Characters that stand for themselves in a data address within JSON within HTML."""


@cache
def head(lab: Lab, entry: str) -> tuple[str, str]:
    """The elements that come first and last in the head, for a page that a module of web/ starts.

    The modules come before the host's scripts, which would delay them; the style sheets come after.

    Args:
        entry: one of `ENTRIES`.
    """
    fetched = (f'<link rel="preload" as="fetch" crossorigin="anonymous" href="files/{name}">' for name in FETCHED)
    styles = "".join(path.read_text(encoding="utf-8") for path in sorted(WEB.glob("*.css")))
    modules = [path for path in sorted(WEB.glob("*.js")) if path.name == entry or path.name not in ENTRIES]
    imports = json.dumps({"imports": {f"web/{path.name}": _address(path) for path in modules}})
    languages = [{"code": code, "name": words["language"]} for code, words in CATALOGS.items()]
    host = json.dumps({"languages": languages, "opening": carried(lab)}).replace("<", "\\u003c")
    first = [
        *fetched,
        f'<script type="importmap">{imports}</script>',
        f'<script type="application/json" id="host">{host}</script>',
        f'<script type="module">import "web/{entry}";</script>',
    ]
    return "".join(first), f"<style>{styles}</style>"


def _address(path: Path) -> str:
    """A module as a data address, with its imports by the names of the import map."""
    code = re.sub(r'\b(from|import) "\./([\w-]+\.js)"', r'\1 "web/\2"', path.read_text(encoding="utf-8"))
    return f"data:text/javascript;charset=utf-8,{quote(f'{code}//# sourceURL=web/{path.name}', safe=PLAIN)}"


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
    """Numbers as base64 of float16; those beyond its range as its largest ones."""
    largest = torch.finfo(torch.float16).max
    return base64.b64encode(numbers.clamp(-largest, largest).half().numpy().tobytes()).decode()
