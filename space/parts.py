"""What the tabs share."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from space.lab import USER, Lab
from space.user_models import title
from training.zoo import FAMILIES

BARE = {"apply_default_css": False, "container": False}
# A fast drag sends only its latest position; images replace each other without a spinner. Two answers of a kind are
# computed at once: more would only wait for each other on the two cores of a small Space.
LIVE = {"show_progress": "hidden", "concurrency_limit": 2, "api_visibility": "private"}
SPEAK_CHANGES = "element.setAttribute('aria-live', 'polite');"


@dataclass(frozen=True)
class Choice:
    """The components that hold which model is chosen; the other tabs read them, and the frontier sets them."""

    method: gr.Radio
    """Its value is a choice, as `Lab` explains."""
    stop: gr.Slider
    picks: gr.State
    """Counts choices that were made in another tab; the page follows each."""
    user_models: gr.State
    """Names of the models that this visitor loaded."""


def method_choices(lab: Lab, user_models: list[str]) -> list[tuple[str, str]]:
    """What the radio offers, as (title, choice): the bundled families, and the models of a visitor."""
    families = [(FAMILIES[family], family) for family in lab.families]
    return families + [(title(name), USER + name) for name in user_models]


def stop_slider(lab: Lab, choice: str, position: int) -> gr.Slider:
    """The slider as it is to be for a choice."""
    last = len(lab.stops(choice)) - 1
    return gr.Slider(0, last, position, step=1, label=lab.slider_label(choice), elem_id="beta")
