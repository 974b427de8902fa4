"""The page as two Gradio components: the bench, whose value is its state, and the answers that the server gives it.

Both have empty templates: what they show is made by web/gradio.js and the modules that it imports. Neither value is
ever drawn as HTML.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import gradio as gr
from gradio.events import Dependency, EventListener

from space.errors import InputError
from space.lab import Lab
from space.state import State, opening, read

BARE: dict[str, Any] = {"html_template": "", "apply_default_css": False, "container": False}
CONNECTS = 'import("web/gradio.js").then((page) => page.connect(element, props, trigger));'
HEARS = 'import("web/gradio.js").then((page) => page.hear(props, watch));'


class Bench(gr.HTML):
    """The page below Gradio's own parts. Its value is the state as JSON text, which is checked when it comes in."""

    is_template = True  # to a browser it is an HTML component as any other

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        super().__init__(json.dumps(asdict(opening(lab))), elem_id="bench", js_on_load=CONNECTS, **BARE)

    def preprocess(self, payload: Any) -> State:  # type: ignore[override]
        try:
            return read(payload, self._lab)
        except InputError as error:
            raise gr.Error(html.escape(str(error)), print_exception=False) from error

    def on(self, event: str, answer: Callable[..., Any], **options: Any) -> Dependency:
        """Let a function answer what the page asks by an event; it gets the state."""
        quiet: dict[str, Any] = {"inputs": self, "api_visibility": "private", "show_progress": "hidden"}
        return EventListener(event).listener(self, answer, **quiet, **options)


def answers() -> gr.HTML:
    """What the server says, as JSON text: {"about": event, ...}. The browser sends nothing in it."""
    return gr.HTML("", elem_id="answers", js_on_load=HEARS, **BARE)
