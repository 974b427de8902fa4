"""What a rate costs, and what sparsity costs over all models, as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

import torch
from torch import Tensor

from sae_model import bernoulli_kl
from sae_model.bundle import BUNDLE
from sae_model.sparsity import RATE_MARGIN

from ..fit.bundle import FAMILIES, RECIPES, family_title
from ..fit.recipe import DEFAULT_ARCHITECTURE, Recipe
from ..measure.evaluation import Evaluation, known, read_by
from ..words import say
from .charts import (
    LETTERS,
    STYLES,
    WIDE,
    Axis,
    Chart,
    Drawing,
    Frame,
    Key,
    Place,
    curve_keys,
    place_words,
    svg_text,
)


def cost_keys() -> list[Key]:
    """What the curves of `cost_chart` are."""
    return curve_keys([say(f"charts.{cost}") for cost in ("kl", "absolute", "squared", "l1")])


def cost_chart(target: float, measured: tuple[str, float] | None = None, frame: Frame = WIDE) -> Drawing:
    """Three costs of missing a target rate in (0, 1), and that of L1, against the actual rate.

    `measured` is what has been measured, such as a model's name, and its rate.
    """
    frame = replace(frame, top=44)  # room for two words above it
    chart = Chart(
        Axis(say("charts.rate"), 0, 1, (0, 0.2, 0.4, 0.6, 0.8, 1)),
        Axis(say("charts.cost"), 0, 1, (0, 0.25, 0.5, 0.75, 1)),
        frame,
    )
    # The divergence is steep at both ends, where there are more points; and all but L1 have their least at the target.
    rates = (1 - torch.cos(math.pi * torch.linspace(0, 1, 120, dtype=torch.float64))) / 2
    rates = torch.cat([rates, rates.new_tensor([target])]).sort().values
    costs = [bernoulli_kl(target, rates), (rates - target).abs(), (rates - target).square(), rates]
    inside = "".join(chart.curve(list(_up_to_one(rates, cost)), style) for style, cost in enumerate(costs))
    inside += chart.upright(target, say("charts.target", target=target), "target")
    note = cost_note(target)
    if measured is None:
        return chart.drawing(inside, say("charts.cost_spoken", target=target, note=note))
    name, rate = measured
    inside += chart.upright(rate, f"{name}: {rate:.3f}", "mean", line=1)
    return chart.drawing(inside, say("charts.cost_spoken_rate", target=target, note=note, name=name, rate=rate))


def _up_to_one(rates: Tensor, cost: Tensor) -> Iterator[tuple[float, float]]:
    """The part of a curve that lies below a cost of 1, to where it crosses that."""
    points = list(zip(rates.tolist(), cost.tolist(), strict=True))
    for i, (rate, c) in enumerate(points):
        if c <= 1:
            yield rate, c
        for a, ca in points[i + 1 : i + 2]:
            if (c <= 1) != (ca <= 1):
                yield rate + (a - rate) * (1 - c) / (ca - c), 1.0


def cost_note(target: float) -> str:
    """What the curves do at both ends, in words."""
    low, high = bernoulli_kl(target, torch.tensor([0.0, 1.0], dtype=torch.float64)).tolist()
    ends = [
        say("charts.cost_end_above" if cost > 1 else "charts.cost_end", cost=cost, rate=rate)
        for rate, cost in ((0, low), (1, high))
    ]
    return say("charts.cost_note", margin=RATE_MARGIN, low=ends[0], high=ends[1])


SHAPES = (
    '<circle r="7"/>',
    '<rect x="-6" y="-6" width="12" height="12"/>',
    '<path d="M0-8 8 0 0 8-8 0Z"/>',
    '<path d="M0-8 8 6H-8Z"/>',
    '<path d="M0 8-8-6H8Z"/>',
    '<path d="M-7-3h4v-4h6v4h4v6h-4v4h-6v-4h-4Z"/>',
    '<path d="M-7 0-3.5-7h7L7 0 3.5 7h-7Z"/>',
    '<path d="M0-3.5 4.5-8 8-4.5 3.5 0 8 4.5 4.5 8 0 3.5-4.5 8-8 4.5-3.5 0-8-4.5-4.5-8Z"/>',
)
STAR = '<path d="M0-10 2.4-3.2 9.5-3.1 3.8 1.2 5.9 8.1 0 4-5.9 8.1-3.8 1.2-9.5-3.1-2.4-3.2Z"/>'


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
    attributes: str = ""
    """Of its SVG element."""
    apart: bool = False
    """Whether no curve goes through it, though it is of a family."""

    @property
    def style(self) -> str:
        """Its class in style.css."""
        return "user" if self.family is None else f"style{_style(self.family)}"

    @property
    def shape(self) -> str:
        """Its mark, as SVG."""
        return STAR if self.family is None else SHAPES[_style(self.family)]

    @property
    def spoken(self) -> str:
        """Its numbers, in words."""
        return say("charts.frontier_point", **vars(self))


def _style(family: str) -> int:
    return FAMILIES.index(family) % STYLES


def point_label(name: str, recipe: Recipe, at: float | None = None) -> str:
    """What tells a model from the others on its curve, such as ".05"; or the k or beta at which it was measured."""
    if at is not None:
        return short_number(at)
    if recipe.noise:
        return f"{replace(recipe, noise=0.0).name}, {recipe.noise:g}"
    return value_label(name, recipe)


def value_label(name: str, recipe: Recipe) -> str:
    """The value of a model's hyperparameter as short as it can be, such as ".05"; its name where there is none."""
    if recipe.architecture != DEFAULT_ARCHITECTURE or recipe.sparsity.value is None:
        return name
    return short_number(recipe.sparsity.value)


def short_number(value: float) -> str:
    """A number as short as it can be, such as ".05"."""
    return f"{value:g}".removeprefix("0") or "0"


def bundled_points() -> list[Point]:
    """Every bundled model, at each k or beta where it has several; not recipes of a method that was added since."""
    return [
        Point(
            name + words,
            point_label(name, recipe, at),
            e.effective_l0,
            known(e.fvu),
            recipe.family,
            apart=recipe.sparsity.follows is not None,
        )
        for name, recipe in ((recipe.name, recipe) for recipe in RECIPES)
        if (BUNDLE / name / "evaluation.json").is_file()
        for words, at, e in _measured(BUNDLE / name, recipe)
    ]


def _measured(folder: Path, recipe: Recipe) -> Iterator[tuple[str, float | None, Evaluation]]:
    """Each measurement of a model: at which k or beta, in words and as a number, and what was found."""
    for argument in recipe.sparsity.measured_at:
        for at, evaluation in read_by(folder, argument).items():
            yield f", {argument} = {at:g}", at, evaluation
    if not recipe.sparsity.measured_at:
        yield "", None, Evaluation.read(folder / "evaluation.json")


def frontier_chart(points: Sequence[Point], chosen: int, frame: Frame = WIDE) -> Drawing:
    """FVU against effective L0, a curve through the models of each family, and a ring around the one at `chosen`.

    That one is called by its title, or by its label where there is no room.
    """
    chart = Chart(
        _log_axis(say("charts.frontier_x"), [point.effective_l0 for point in points], frame),
        _log_axis(say("charts.frontier_y"), [point.fvu for point in points], frame),
        frame,
    )
    curves = "".join(
        chart.curve(
            sorted((p.effective_l0, p.fvu) for p in points if p.family == family and not p.apart), _style(family)
        )
        for family in dict.fromkeys(point.family for point in points)
        if family is not None
    )
    order = sorted(range(len(points)), key=lambda i: i != chosen)  # the chosen one has the first choice of a place
    at = {i: chart.place(points[i].effective_l0, points[i].fvu) for i in order}
    marks = [(*at[i], frame.mark * (15 if i == chosen else 8)) for i in order]
    for words in (
        [points[i].title if i == chosen else points[i].label for i in order],
        [points[i].label for i in order],
    ):
        places = dict(zip(order, zip(words, place_words(marks, words, LETTERS, frame), strict=True), strict=True))
        if places[chosen][1]:
            break
    ring = f'<circle class="ringed" cx="{at[chosen][0]:.1f}" cy="{at[chosen][1]:.1f}" r="{13 * frame.mark:.1f}"/>'
    drawn = "".join(
        _mark(points[i], *at[i], frame.mark, *places[i], i == chosen) for i in [*order[1:], chosen]
    )  # the chosen one last, above all others
    spoken = say("charts.frontier_spoken", count=len(points), chosen=points[chosen].spoken)
    return chart.drawing(curves + ring + drawn, spoken, role="group")


def _mark(point: Point, x: float, y: float, scale: float, word: str, place: Place | None, chosen: bool) -> str:
    named = svg_text(word, "named" * chosen, *place) if place else ""
    return (
        f'<g class="point {point.style}" transform="translate({x:.1f} {y:.1f})" {point.attributes} '
        f'aria-label="{escape(point.spoken)}"><title>{escape(point.spoken)}</title><circle class="target-area" r="9"/>'
        f'<g transform="scale({scale})">{point.shape}</g>{named}</g>'
    )


def _log_axis(label: str, values: list[float], frame: Frame) -> Axis:
    """A logarithmic axis that holds values above 0, with room on both sides."""
    low, high = 0.75 * max(min(values), 1e-4), 1.4 * max(values)
    ticks = (step * 10.0**power for power in range(-4, 4) for step in frame.steps)
    return Axis(label, low, high, tuple(tick for tick in ticks if low <= tick <= high), log=True)


def frontier_keys(points: Sequence[Point], own: str) -> list[Key]:
    """What the marks are; `own` says what those without a family are."""
    one_of_each = {point.family: point for point in points}
    return [
        (f'<g class="point {point.style}">{point.shape}</g>', own if family is None else family_title(family))
        for family in [*FAMILIES, None]
        if (point := one_of_each.get(family))
    ]
