"""The page's sliders; in a file of their own, since Gradio writes a .pyi beside each component."""

from __future__ import annotations

from typing import Any

import gradio as gr

from sae_model.errors import is_number
from space.lab import Lab


class ClampedSlider(gr.Slider):
    """A slider that takes what is typed into its field as the browser then shows it; Gradio has an error for it.

    What is no number is its lowest value.
    """

    is_template = True  # to a browser it is a slider as any other

    def preprocess(self, payload: Any) -> float:
        return min(max(payload if is_number(payload) else self.minimum, self.minimum), self.maximum)


class StopSlider(gr.Slider):
    """A slider over the stops of a choice. Its value may lie beyond its end while the choice changes: see `Bench.stop`.

    Gradio would answer such a value with an error, and then draw nothing until the next change.
    """

    is_template = True

    def preprocess(self, payload: float) -> float:
        return payload


def stop_slider(lab: Lab, choice: str, position: int) -> StopSlider:
    """The slider as it is to be for a choice."""
    last = len(lab.stops(choice)) - 1
    # Gradio has no slider with one place; of such a one there is nothing to move.
    return StopSlider(
        0, max(last, 1), position, step=1, label=lab.slider_label(choice), elem_id="beta", interactive=last > 0
    )
