"""The last tab: the same figures that `python -m training report` draws, for lectures and papers."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING

import gradio as gr

from space.errors import with_error_message
from space.lab import CLASSES, Lab
from space.parts import Choice

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INTRO = """
## Figures for lectures and papers
Those of the chosen model, as `python -m training report` draws them. They take a few seconds.
"""


def build(lab: Lab, choice: Choice, tab: gr.Tab) -> None:
    """Lay out the tab inside the current Blocks and wire it."""
    gr.Markdown(INTRO)
    report = gr.HTML("", elem_id="report", apply_default_css=False)  # with a container: it shows that it works

    @with_error_message
    def enter(method: str, stop: int) -> str:
        from training.figures import draw_report  # with it comes matplotlib, which no other tab needs

        chosen = lab.stop_at(method, stop)
        drawn = draw_report(lab.model(chosen), lab.evaluation(chosen), lab.test, CLASSES, chosen.k)
        return f'<div class="sae report">{"".join(_figure(chosen.title, *figure) for figure in drawn)}</div>'

    tab.select(enter, [choice.method, choice.stop], report, concurrency_limit=1, api_visibility="private")


def _figure(title: str, name: str, figure: str | Figure) -> str:
    words = escape(f"{title}: {name.replace('-', ' ')}")
    if isinstance(figure, str):
        kind, data = "svg+xml", figure.encode()
    else:
        file = io.BytesIO()
        figure.savefig(file, format="png")
        kind, data = "png", file.getvalue()
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return f'<figure><img src="{source}" alt="{words}"><figcaption>{words}</figcaption></figure>'
