"""The lecture's two histograms: of all activations, and of the mean of each latent."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import PercentFormatter

from ..measure.histogram import EDGES, LINEAR_BINS, LOWEST, Histogram, percent
from ..words import say
from .charts import COLOURS, GREY, new_figure


def histogram_figure(activations: Histogram, means: Histogram, linear: bool = False) -> Figure:
    """The lecture's two histograms: of all activations of some images, and of the mean of each latent over them.

    The bins are logarithmic, beside a bar for what is exactly 0; or ten `linear` ones, as in the lecture.
    """
    figure = new_figure(say(f"figures.activation-histograms{'-linear' * linear}"), 11, 3.6)
    grid = figure.add_gridspec(1, 2)
    for column, (name, histogram) in enumerate((("all", activations), ("means", means))):
        part = figure.add_subfigure(grid[column])
        part.suptitle(say(f"charts.{name}"), fontsize="medium")
        axes = _draw_linear(part, histogram) if linear else _draw_logarithmic(part, histogram)
        axes[0].set_ylabel(say(f"charts.{name}_y"))
        axes[-1].set_xlabel(say(f"charts.{name}_x"))
        mean = say("charts.mean", mean=histogram.mean)
        axes[-1].axvline(max(histogram.mean, 0 if linear else LOWEST), color=COLOURS[1], linestyle="--", label=mean)
        axes[-1].legend()
        for ax in axes:
            ax.yaxis.set_major_formatter(PercentFormatter(1))
    return figure


def _draw_logarithmic(part: SubFigure, h: Histogram) -> list[Axes]:
    zero, rest = part.subplots(1, 2, width_ratios=(1, 6))
    bar = zero.bar([say("charts.zero")], [h.zero_share], color=GREY)
    zero.bar_label(bar, [percent(h.zero_share, exact=True)])
    zero.set(ylim=(0, 1.1))
    rest.stairs([count / max(sum(h.log), 1) for count in h.log], EDGES.tolist(), fill=True, color=COLOURS[0])
    rest.set(xscale="log", xlim=(LOWEST, 1), ylabel=say("charts.rest"))
    rest.set_xticks([LOWEST, 0.01, 0.1, 1], [f"≤{LOWEST:g}", "0.01", "0.1", "1"])  # the first bin takes all below it
    return [zero, rest]


def _draw_linear(part: SubFigure, h: Histogram) -> list[Axes]:
    ax = part.subplots()
    shares = [count / max(sum(h.linear), 1) for count in h.linear]
    bars = ax.bar([(i + 0.5) / LINEAR_BINS for i in range(LINEAR_BINS)], shares, 0.8 / LINEAR_BINS, color=COLOURS[0])
    ax.bar_label(bars, [percent(share) for share in shares], fontsize="small")
    ax.set(xlim=(0, 1), ylim=(0, 1.1))
    return [ax]
