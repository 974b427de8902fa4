"""The last tab: the same pictures that `python -m training report` draws, for lectures and papers."""

from __future__ import annotations

import gradio as gr
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from space.errors import in_sentences
from space.lab import DATASET, Lab
from space.parts import Choice
from training.data import Split, class_names
from training.figures import draw_report

INTRO = """
## For print
The pictures of the chosen network, as `python -m training report` draws them. They take a few seconds.
"""


def build(lab: Lab, choice: Choice, tab: gr.Tab) -> None:
    """Lay out the tab inside the current Blocks and wire it."""
    gr.Markdown(INTRO)
    gallery = gr.Gallery(
        label="Pictures of this network", columns=2, format="png", height="auto", object_fit="contain", elem_id="prints"
    )

    @in_sentences
    def enter(way: str, stop: int) -> list[tuple[np.ndarray, str]]:
        chosen = lab.stop_at(way, stop)
        test = Split(lab.images, lab.labels)
        report = draw_report(lab.model(chosen), lab.evaluation(chosen), test, class_names(DATASET), chosen.k)
        return [(_pixels(figure), f"{chosen.title}: {name.replace('-', ' ')}") for name, figure in report]

    tab.select(enter, [choice.way, choice.stop], gallery, concurrency_limit=1, api_visibility="private")


def _pixels(figure: Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]
