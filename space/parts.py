"""What the tabs share."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from space.guests import title
from space.lab import GUEST, KNOBS, TITLES, Lab

BARE = {"apply_default_css": False, "container": False}
# A fast drag sends only its latest position; pictures replace each other without a spinner. Two answers of a kind are
# computed at once: more would only wait for each other on the two cores of a small Space.
LIVE = {"show_progress": "hidden", "concurrency_limit": 2, "api_visibility": "private"}
SPEAK_CHANGES = "element.setAttribute('aria-live', 'polite');"


@dataclass(frozen=True)
class Choice:
    """The components that hold which network is chosen; the other tabs read them, and the frontier sets them."""

    way: gr.Radio
    stop: gr.Slider
    picks: gr.State
    """Counts choices that were made in another tab; the page follows each."""
    guests: gr.State
    """Names of the guests that this visitor brought."""


def way_choices(lab: Lab, guests: list[str]) -> list[tuple[str, str]]:
    """What the radio offers, as (title, way): the bundled ways, and the guests of a visitor."""
    return [(TITLES[kind], kind) for kind in lab.ways] + [(title(name), GUEST + name) for name in guests]


def stop_slider(lab: Lab, way: str, position: int) -> gr.Slider:
    """The slider as it is to be for a way of being sparse."""
    label = KNOBS[lab.kind(way)] + ", then the guest" * way.startswith(GUEST)
    return gr.Slider(0, len(lab.stops(way)) - 1, position, step=1, label=label, elem_id="beta")
