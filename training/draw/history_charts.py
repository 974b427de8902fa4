"""How the metrics on the validation split went from epoch to epoch."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..measure.history import Epoch
from .charts import COLOURS, new_figure

METRICS = {
    "bce": "bce (nats per pixel)",
    "fvu": "variance lost (FVU)",
    "effective_l0": "effective L0",
    "dead_fraction": "share of dead latents",
}


def history_figure(history: Sequence[Epoch], title: str) -> Figure:
    """A chart for each metric that was measured, over epochs."""
    measured = {name: [getattr(epoch, name) for epoch in history] for name in METRICS}
    measured = {name: values for name, values in measured.items() if None not in values}
    figure = new_figure(title, 3 * len(measured), 3)
    for ax, (name, values) in zip(figure.subplots(1, len(measured), squeeze=False)[0], measured.items(), strict=True):
        ax.plot([epoch.epoch for epoch in history], values, "o-", color=COLOURS[0], markersize=4)
        ax.set(title=METRICS[name], xlabel="epoch")
        ax.set_ylim(bottom=0)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
    return figure
