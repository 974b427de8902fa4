"""All charts: histograms of activations, what a rate costs, what sparsity costs over all models, how a training went.

Figures are made without pyplot, so that threads can draw at once and nothing piles up.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import fill
from typing import Any

import torch
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter

from sae_model import bernoulli_kl
from sae_model.bundle import BUNDLE
from sae_model.sparsity import RATE_MARGIN
from sae_model.storage import write_file

from ..fit.bundled_recipes import FAMILIES, RECIPES, family_title, short_number, value_label
from ..measure.evaluation import Evaluation, known, read_by
from ..measure.histogram import EDGES, LINEAR_BINS, LOWEST, Histogram, percent
from ..measure.history import Epoch
from ..words import say

# Those of space/web/charts.css: each is dark enough to be read on white.
COLOURS = ("#1d4ed8", "#b45309", "#047857", "#86198f", "#be123c", "#0e7490", "#4d7c0f", "#52525b")
DASHES = ("-", (0, (5, 3)), ":", "-.", (0, (3, 2)), (0, (8, 3)), (0, (6, 2, 1, 2)), (0, (1, 3)))
MARKS = ("o", "s", "D", "^", "v", "P", "h", "X")
GREY = "#52525b"
NEAR = 22
"""Pixels between two points that both have words beside them."""
COSTS = ("kl", "absolute", "squared", "l1")
OF_HISTORY = {
    "bce": "bce (nats per pixel)",
    "fvu": "variance lost (FVU)",
    "effective_l0": "effective L0",
    "dead_fraction": "share of dead latents",
}
"""Metric of an epoch -> the title of its chart."""


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


def cost_figure(target: float, name: str, rate: float) -> Figure:
    """Three costs of missing a target rate in (0, 1), and that of L1, against the actual rate.

    A line stands at the rate of the model that is called `name`.
    """
    # The divergence is steep at both ends, where there are more points; and all but L1 have their least at the target.
    rates = (1 - torch.cos(math.pi * torch.linspace(0, 1, 120, dtype=torch.float64))) / 2
    rates = torch.cat([rates, rates.new_tensor([target])]).sort().values
    costs = [bernoulli_kl(target, rates), (rates - target).abs(), (rates - target).square(), rates]
    figure = new_figure(say("figures.cost-of-a-rate"), 9, 5)
    ax = figure.subplots()
    for cost, values, colour, dashes in zip(COSTS, costs, COLOURS, DASHES, strict=False):
        ax.plot(rates, values, color=colour, linestyle=dashes, label=say(f"charts.{cost}"))
    ax.axvline(target, color="black", linewidth=1, label=say("charts.target", target=target))
    ax.axvline(rate, color=GREY, linestyle="--", label=f"{name}: {rate:.3f}")
    ax.set(xlim=(0, 1), ylim=(0, 1), xlabel=say("charts.rate"), ylabel=say("charts.cost"))
    figure.legend(loc="outside right upper")
    figure.supxlabel(fill(cost_note(target), 100), fontsize="small")
    return figure


def cost_note(target: float) -> str:
    """What the curves do at both ends, in words."""
    low, high = bernoulli_kl(target, torch.tensor([0.0, 1.0], dtype=torch.float64)).tolist()
    ends = [
        say("charts.cost_end_above" if cost > 1 else "charts.cost_end", cost=cost, rate=rate)
        for rate, cost in ((0, low), (1, high))
    ]
    return say("charts.cost_note", margin=RATE_MARGIN, low=ends[0], high=ends[1])


@dataclass(frozen=True)
class Point:
    """One model on the frontier."""

    title: str
    label: str
    """What stands beside it."""
    effective_l0: float
    fvu: float
    family: str | None = None
    """As `Recipe.family` tells it; None for a model that is not bundled."""
    apart: bool = False
    """Whether no curve goes through it, though it is of a family."""


def bundled_points() -> list[Point]:
    """Every bundled model, at each k or beta where it has several; not recipes of a method that was added since."""
    points = []
    for recipe in RECIPES:
        folder, name = BUNDLE / recipe.name, recipe.name
        if not (folder / "evaluation.json").is_file():
            continue
        found = {
            (f"{name}, {argument} = {at:g}", short_number(at)): e
            for argument in recipe.sparsity.measured_at
            for at, e in read_by(folder, argument).items()
        }
        if not found:
            own = f"{replace(recipe, noise=0.0).name}, {recipe.noise:g}" if recipe.noise else value_label(name, recipe)
            found = {(name, own): Evaluation.read(folder / "evaluation.json")}
        points += [
            Point(*words, e.effective_l0, known(e.fvu), recipe.family, apart=recipe.sparsity.follows is not None)
            for words, e in found.items()
        ]
    return points


def frontier_figure(points: Sequence[Point], chosen: int, title: str, note: str = "") -> Figure:
    """FVU against effective L0, a curve through the models of each family, and a ring around the one at `chosen`."""
    figure = new_figure(title, 9, 6.5)
    ax = figure.subplots()
    for family in [*FAMILIES, None]:
        own = sorted((p for p in points if p.family == family), key=lambda p: p.effective_l0)
        if not own:
            continue
        colour, dashes, mark = _style(family)
        joined, size = [p for p in own if not p.apart], 7 if family else 11
        label = family_title(family) if family else say("families.this")
        ax.plot([p.effective_l0 for p in joined], [p.fvu for p in joined], color=colour, linestyle=dashes)
        (marks,) = ax.plot([p.effective_l0 for p in own], [p.fvu for p in own], color=colour, linestyle="none")
        marks.set(marker=mark, markersize=size, label=label)
    ax.set(xscale="log", yscale="log", xlabel=say("charts.frontier_x"), ylabel=say("charts.frontier_y"))
    ax.margins(0.1)
    ring = points[chosen]
    placed: list[Any] = []
    for point in sorted(points, key=lambda point: point is not ring):
        at = ax.transData.transform((point.effective_l0, point.fvu))
        if any(math.dist(at, other) <= NEAR for other in placed):
            continue
        placed.append(at)
        chosen_one = point is ring
        ax.annotate(
            point.title if chosen_one else point.label,
            (point.effective_l0, point.fvu),
            (14, 10) if chosen_one else (7, 3),
            textcoords="offset points",
            color=_style(point.family)[0],
            weight="bold" if chosen_one else "normal",
            fontsize="medium" if chosen_one else "small",
            parse_math=False,
            zorder=5,
        )
    ax.scatter(ring.effective_l0, ring.fvu, s=260, facecolors="none", edgecolors="black", linewidths=2.5, zorder=4)
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.grid(color="#e4e4e7")
    figure.legend(loc="outside right upper")
    figure.supxlabel(note, fontsize="small")
    return figure


def _style(family: str | None) -> tuple[str, Any, str]:
    """The colour, dashes and mark of a family; None is a model that is not bundled."""
    if family is None:
        return "black", "none", "*"
    at = FAMILIES.index(family) % len(COLOURS)
    return COLOURS[at], DASHES[at], MARKS[at]


def history_figure(history: Sequence[Epoch], title: str) -> Figure:
    """A chart for each metric that was measured, over epochs."""
    measured = {
        name: [value for epoch in history if (value := epoch[name]) is not None]
        for name in OF_HISTORY
        if history[0][name] is not None
    }
    figure = new_figure(title, 3 * len(measured), 3)
    for ax, (name, values) in zip(figure.subplots(1, len(measured), squeeze=False)[0], measured.items(), strict=True):
        ax.plot([epoch["epoch"] for epoch in history], values, "o-", color=COLOURS[0], markersize=4)
        ax.set(title=OF_HISTORY[name], xlabel="epoch")
        ax.set_ylim(0, 1.1 * max(values) or 1)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
    return figure
