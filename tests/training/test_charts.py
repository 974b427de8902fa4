"""Charts show the numbers that they were given."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from sae_model import list_variants
from training.draw.model_charts import (
    Point,
    bundled_points,
    cost_figure,
    cost_note,
    frontier_figure,
    histogram_figure,
    history_figure,
    save,
)
from training.fit.bundled_recipes import FAMILIES, RECIPES, family_title
from training.measure.histogram import EDGES, Histogram, histogram_of, percent
from training.measure.history import Epoch


def test_values_are_counted_where_they_lie() -> None:
    values = torch.tensor([[0, 0, 1e-9, 0.0009], [0.0017, 0.5, 0.9999, 1]])
    h = histogram_of(values)
    assert h.zero == 2
    assert h.log == (3, *[0] * 9, 1, 2)  # 0.5 lies in [10^-0.5, 10^-0.25)
    assert h.linear == (5, 0, 0, 0, 0, 1, 0, 0, 0, 2)
    assert h.mean == pytest.approx(values.mean().item())
    assert h.zero_share == 0.25


def axes_of(figure: Figure, label: str) -> list:
    """The axes with this label below or beside them."""
    return [
        ax for ax in figure.findobj(lambda o: hasattr(o, "get_xlabel")) if label in (ax.get_xlabel(), ax.get_ylabel())
    ]


def test_the_bar_of_zeros_is_of_all_and_the_other_bars_are_of_the_rest() -> None:
    values = histogram_of(torch.tensor([0.0] * 6 + [0.002] + [0.5] * 3))
    figure = histogram_figure(values, values)
    (zero,) = axes_of(figure, "share of activations")
    (rest,) = axes_of(figure, "activation")
    assert zero.patches[0].get_height() == pytest.approx(0.6)
    assert [words.get_text() for words in zero.texts] == ["60.0%"]
    heights, edges, _ = rest.patches[0].get_data()
    assert np.allclose(heights, [0, 0.25, *[0] * 8, 0.75, 0])
    assert np.allclose(edges, EDGES)
    assert [words.get_text() for words in rest.get_xticklabels()] == ["≤0.001", "0.01", "0.1", "1"]


@pytest.mark.parametrize("linear", [False, True])
def test_a_line_stands_at_the_overall_mean(linear: bool) -> None:
    activations = torch.rand(20, 30)
    figure = histogram_figure(histogram_of(activations), histogram_of(activations.mean(0)), linear)
    for label in ("activation", "mean activation of a latent"):
        (ax,) = axes_of(figure, label)
        assert ax.lines[0].get_xdata()[0] == pytest.approx(activations.mean().item(), abs=1e-6)
        assert [words.get_text() for words in ax.get_legend().texts] == [f"overall mean {activations.mean():.3g}"]


def test_equal_bins_are_as_high_as_their_shares() -> None:
    shares = [0.5, 0.25, 0.25, 0, 0, 0, 0, 0, 0, 0]
    histogram = Histogram(0, (), tuple(int(100 * share) for share in shares), 0.4)
    (ax,) = axes_of(histogram_figure(histogram, histogram, linear=True), "activation")
    assert [bar.get_height() for bar in ax.patches] == shares
    assert [bar.get_x() + bar.get_width() / 2 for bar in ax.patches] == pytest.approx(
        [0.05 + i / 10 for i in range(10)]
    )
    assert [words.get_text() for words in ax.texts] == [percent(share) for share in shares]


LARGE_SHARES = {1: "100%", 0.9999: ">99.9%", 0.9946: "99.5%", 0.974: "97%"}
SMALL_SHARES = {0: "0", 0.000001: "<.1%", 0.0032: "0.3%", 0.024: "2.4%", 0.0999: "10%"}


@pytest.mark.parametrize(("share", "text"), (LARGE_SHARES | SMALL_SHARES).items())
def test_shares_are_short_percentages(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize("target", [0.01, 0.1, 0.5, 0.99])
def test_costs_are_least_at_the_target_and_that_of_l1_is_the_rate(target: float) -> None:
    *missed, l1, at, mine = cost_figure(target, "mine", 0.35).axes[0].lines
    for line in missed:
        assert line.get_ydata().min() == pytest.approx(0, abs=1e-9)
        assert line.get_xdata()[line.get_ydata().argmin()] == pytest.approx(target)
    assert np.array_equal(l1.get_xdata(), l1.get_ydata())
    assert (at.get_xdata()[0], at.get_label()) == (target, f"target {target:g}")
    assert (mine.get_xdata()[0], mine.get_label()) == (0.35, "mine: 0.350")
    assert "ends at 0.49 at a rate of 0 and at 12.93 at a rate of 1 (above the frame)" in cost_note(0.05)


def test_the_frontier_holds_every_variant_and_rings_and_names_the_chosen_one() -> None:
    bundled = bundled_points()
    assert {point.title.partition(",")[0] for point in bundled} == set(list_variants())
    points = [*bundled, Point("mine", "", 45.6, 0.123)]
    for chosen in (len(bundled), 0, 7):
        ax = frontier_figure(points, chosen, "title").axes[0]
        drawn = {tuple(at) for line in ax.lines if line.get_marker() != "None" for at in line.get_xydata()}
        assert drawn == {(point.effective_l0, point.fvu) for point in points}
        here = (points[chosen].effective_l0, points[chosen].fvu)
        assert ax.collections[0].get_offsets().tolist() == [pytest.approx(here)]
        (named,) = [words for words in ax.texts if words.get_weight() == "bold"]
        assert (named.get_text(), named.xy) == (points[chosen].title, here)


def test_the_frontier_joins_the_variants_of_one_family() -> None:
    points = bundled_points()
    figure = frontier_figure(points, 0, "title", note="said below")
    curves = [line for line in figure.axes[0].lines if line.get_linestyle() != "None"]
    assert len(curves) == len(FAMILIES)
    for curve, family in zip(curves, dict.fromkeys(recipe.family for recipe in RECIPES), strict=True):
        xs = curve.get_xdata().tolist()
        assert xs == sorted(point.effective_l0 for point in points if point.family == family and not point.apart)
    assert [words.get_text() for words in figure.legends[0].texts] == [family_title(family) for family in FAMILIES]
    assert figure.get_supxlabel() == "said below"


def at_epoch(number: int, bce: float | None) -> Epoch:
    return {"epoch": number, "bce": bce, "fvu": 0.5 / number, "effective_l0": 100 / number, "dead_fraction": 0.0}


def test_a_history_has_a_chart_for_each_metric_that_was_measured() -> None:
    history = [at_epoch(number, 0.2 / number) for number in range(1, 31)]
    axes = history_figure(history, "Training").axes
    titles = ["bce (nats per pixel)", "variance lost (FVU)", "effective L0", "share of dead latents"]
    assert [ax.get_title() for ax in axes] == titles
    assert axes[1].lines[0].get_ydata().tolist() == [epoch["fvu"] for epoch in history]
    for ax in axes:  # no mark is cut at the upper edge
        assert ax.get_ylim()[1] > 1.05 * max(ax.lines[0].get_ydata())
    assert len(history_figure([at_epoch(1, None)], "Training").axes) == 3


def test_a_file_has_its_title_and_its_words_as_words(tmp_path: Path) -> None:
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        save(frontier_figure(bundled_points(), 0, "A & B, $1 {"), tmp_path / folder / "frontier")
    root = ET.parse(tmp_path / "one" / "frontier.svg").getroot()
    assert root.find("{http://www.w3.org/2000/svg}title").text == "A & B, $1 {"
    words = {text.text for text in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"A & B, $1 {", "matryoshka", *map(family_title, FAMILIES)} <= words
    for name in ("frontier.svg", "frontier.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
