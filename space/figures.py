"""The last tab: the same figures that `python -m training report` draws, for lectures and papers."""

from __future__ import annotations

import base64
import io
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING

import gradio as gr

from sae_model import SparseAutoencoder
from space.bench import Bench
from space.lab import Lab, Stop
from space.parts import LONG, Page, Part

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KEY, TITLE = "figures", "Figures"
INTRO = """
## Figures for lectures and papers
Those of the chosen model, as `python -m training report` draws them. They take a few seconds.
"""


def build(page: Page) -> None:
    """Lay out the tab inside the current Blocks, and let it follow the bench."""
    lab = page.lab
    gr.Markdown(INTRO)
    report = gr.HTML("", elem_id="report", apply_default_css=False)  # with a container: it shows that it works

    def draw(bench: Bench) -> list[str]:
        stop = bench.stop(lab)
        return [_report(lab, stop, lab.model(stop))]

    page.add(Part([report], draw, tab=KEY, when=LONG))


@lru_cache(maxsize=4)
def _report(lab: Lab, stop: Stop, model: SparseAutoencoder) -> str:
    from training.figures import draw_report  # with it comes matplotlib, which no other tab needs

    drawn = draw_report(model, lab.evaluation(stop), lab.test, lab.dataset.about, k=stop.k)
    return f'<div class="sae report">{"".join(_figure(stop.title, *figure) for figure in drawn)}</div>'


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
