"""What all charts share: the colours, dashes and marks of models and curves, and how a figure becomes a file.

Figures are made without pyplot, so that threads can draw at once and nothing piles up.
"""

from __future__ import annotations

import io
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from sae_model.storage import write_file

# Those of space/web/charts.css: each is dark enough to be read on white.
COLOURS = ("#1d4ed8", "#b45309", "#047857", "#86198f", "#be123c", "#0e7490", "#4d7c0f", "#52525b")
DASHES = ("-", (0, (5, 3)), ":", "-.", (0, (3, 2)), (0, (8, 3)), (0, (6, 2, 1, 2)), (0, (1, 3)))
MARKS = ("o", "s", "D", "^", "v", "P", "h", "X")
GREY = "#52525b"


def new_figure(title: str, width: float, height: float) -> Figure:
    """An empty figure of `width` x `height` inches, with a title."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title, parse_math=False)
    return figure


def save(figure: Figure, path: Path, endings: tuple[str, ...] = ("svg", "png")) -> None:
    """Write a figure as `path` with each of the endings; an SVG file keeps its words as words."""
    for ending in endings:
        file = io.BytesIO()
        metadata = {"Title": figure.get_suptitle()} | ({"Date": None} if ending == "svg" else {})
        with rc_context({"svg.fonttype": "none", "svg.hashsalt": path.name}):
            figure.savefig(file, format=ending, dpi=150, metadata=metadata)
        figure.set_layout_engine("none")  # it has been laid out, which takes most of the time
        write_file(path.with_name(f"{path.name}.{ending}"), file.getvalue())
