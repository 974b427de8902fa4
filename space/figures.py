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
from space.memory import trim
from space.parts import LONG, Page, Part
from training.words import language, say, speaking

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KEY = "figures"


def build(page: Page) -> None:
    """Lay out the tab inside the current Blocks, and let it follow the bench."""
    lab = page.lab
    gr.Markdown(say("figures.intro"))
    report = gr.HTML("", elem_id="report", apply_default_css=False)  # with a container: it shows that it works

    def draw(bench: Bench) -> list[str]:
        stop = bench.stop(lab)
        report = _report(lab, stop, lab.model(stop), language())
        trim()
        return [report]

    page.add(Part([report], draw, tab=KEY, when=LONG))


@lru_cache(maxsize=4)
def _report(lab: Lab, stop: Stop, model: SparseAutoencoder, code: str) -> str:
    """The figures in a language."""
    from training.draw.figures import draw_report  # with it comes matplotlib, which no other tab needs

    about = lab.dataset.about
    with speaking(code):
        drawn = draw_report(model, lab.evaluation(stop), lab.test, about, **stop.arguments)
        return f'<div class="sae report">{"".join(_figure(stop.title, about.title, *figure) for figure in drawn)}</div>'


def _figure(model: str, dataset: str, name: str, figure: str | Figure) -> str:
    words = escape(f"{model}: {say(f'figures.{name}', title=dataset)}")
    if isinstance(figure, str):
        kind, data = "svg+xml", figure.encode()
    else:
        file = io.BytesIO()
        figure.savefig(file, format="png")
        kind, data = "png", file.getvalue()
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return f'<figure><img src="{source}" alt="{words}"><figcaption>{words}</figcaption></figure>'
