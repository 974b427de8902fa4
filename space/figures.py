"""The last tab: the same figures that `python -m training report` draws, for lectures and papers."""

from __future__ import annotations

import gradio as gr
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from space.errors import with_error_message
from space.lab import CLASSES, Lab
from space.parts import Choice
from training.figures import draw_report

INTRO = """
## Figures for lectures and papers
Those of the chosen model, as `python -m training report` draws them. They take a few seconds.
"""


def build(lab: Lab, choice: Choice, tab: gr.Tab) -> None:
    """Lay out the tab inside the current Blocks and wire it."""
    gr.Markdown(INTRO)
    gallery = gr.Gallery(
        label="Figures of this model", columns=2, format="png", height="auto", object_fit="contain", elem_id="report"
    )

    @with_error_message
    def enter(method: str, stop: int) -> list[tuple[np.ndarray, str]]:
        chosen = lab.stop_at(method, stop)
        report = draw_report(lab.model(chosen), lab.evaluation(chosen), lab.test, CLASSES, chosen.k)
        return [(_pixels(figure), f"{chosen.title}: {name.replace('-', ' ')}") for name, figure in report]

    tab.select(enter, [choice.method, choice.stop], gallery, concurrency_limit=1, api_visibility="private")


def _pixels(figure: Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]
