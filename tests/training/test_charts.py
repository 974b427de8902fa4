"""Charts show the numbers that they were given, and nothing in them lies on anything else."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sae_model import list_variants
from training.draw.charts import NARROW, WIDE, Frame, place_words
from training.draw.histograms import (
    HISTOGRAM_WIDTH,
    Histogram,
    activation_charts,
    histogram_chart,
    histogram_of,
    linear_histogram,
    percent,
)
from training.draw.model_charts import (
    Point,
    bundled_points,
    cost_chart,
    cost_keys,
    cost_note,
    frontier_chart,
    frontier_keys,
)
from training.draw.svg_file import standalone
from training.fit.bundle import FAMILIES, RECIPES


def elements(inside: str, tag: str, css_class: str | None = None) -> list[ET.Element]:
    found = ET.fromstring(f"<g>{inside}</g>").iter(tag)
    return [element for element in found if css_class in (None, element.get("class"))]


def numbers(element: ET.Element, *names: str) -> list[float]:
    return [float(element.get(name)) for name in names]


def test_values_are_counted_where_they_lie() -> None:
    values = torch.tensor([[0, 0, 1e-9, 0.0009], [0.0017, 0.5, 0.9999, 1]])
    h = histogram_of(values)
    assert h.zero == 2
    assert h.log == (3, *[0] * 9, 1, 2)  # 0.5 lies in [10^-0.5, 10^-0.25)
    assert h.linear == (5, 0, 0, 0, 0, 1, 0, 0, 0, 2)
    assert h.mean == pytest.approx(values.mean().item())
    assert h.zero_share == 0.25


@given(st.lists(st.one_of(st.just(0.0), st.floats(0, 1, width=32)), min_size=1, max_size=50))
def test_every_value_is_counted_once(values: list[float]) -> None:
    h = histogram_of(torch.tensor(values))
    assert h.zero + sum(h.log) == sum(h.linear) == len(values)
    for draw in (histogram_chart, linear_histogram):
        ET.fromstring(draw(h, "t", "x", "y").svg())


def test_the_bar_of_zeros_is_of_all_and_the_other_bars_are_of_the_rest() -> None:
    values = torch.tensor([0.0] * 6 + [0.002] + [0.5] * 3)
    svg = histogram_chart(histogram_of(values), "t", "x", "y").svg()
    (track,), (zero,) = elements(svg, "rect", "track"), elements(svg, "rect", "zero")
    assert float(zero.get("height")) == pytest.approx(0.6 * float(track.get("height")), abs=0.1)
    heights = [float(bar.get("height")) for bar in elements(svg, "rect", "bar")]
    assert np.allclose(np.array(heights) / sum(heights), [0, 0.25, *[0] * 8, 0.75, 0], atol=0.01)
    assert "Exactly 0: 60.0% (y). The rest, by x: 0.0018 to 0.0032: 25%" in svg


@pytest.mark.parametrize("mean", [0.0, 0.001, 0.02, 0.3, 1.0])
def test_the_mean_stands_where_it_is_and_its_word_above_all_bars(mean: float) -> None:
    svg = histogram_chart(histogram_of(torch.full((10,), mean)), "t", "x", "y").svg()
    (line,), (label,) = elements(svg, "line", "mean"), elements(svg, "text", "mean-label")
    bars = elements(svg, "rect", "bar")
    left, right = float(bars[0].get("x")) - 1, sum(numbers(bars[-1], "x", "width")) + 1
    part = 0 if mean < 0.001 else 1 + math.log10(mean) / 3
    assert float(line.get("x1")) == pytest.approx(left + part * (right - left), abs=0.2)
    assert all(float(label.get("y")) < float(bar.get("y")) for bar in bars)
    x, width = float(label.get("x")), 110  # of "overall mean 0.0001"
    assert 0 < (x if label.get("text-anchor") == "start" else x - width) < HISTOGRAM_WIDTH - width


def test_linear_bars_are_as_high_as_their_shares_and_the_mean_stands_where_it_is() -> None:
    shares = [0.5, 0.25, 0.25, 0, 0, 0, 0, 0, 0, 0]
    svg = linear_histogram(Histogram(0, (), tuple(100 * s for s in shares), 0.4), "t", "x", "y").svg()
    bars = elements(svg, "rect", "bar")
    heights = [float(bar.get("height")) for bar in bars]
    assert np.allclose(np.array(heights) / heights[0] * 0.5, shares, atol=0.01)
    middles = [x + width / 2 for x, width in (numbers(bar, "x", "width") for bar in bars)]
    (mean,) = elements(svg, "path", "mean")
    at = float(re.match(r"M([\d.]+) ", mean.get("d"))[1])
    assert at == pytest.approx((middles[3] + middles[4]) / 2, abs=0.2)  # the edge of the fourth and fifth bin
    assert "0.0 to 0.1: 50%" in svg


def test_the_line_of_the_mean_leaves_out_a_number_in_its_way() -> None:
    svg = linear_histogram(Histogram(0, (), (0, 1, 1, *[0] * 7), 0.25), "t", "x", "y").svg()
    (path,) = elements(svg, "path", "mean")
    top, end, again, base = (float(y) for y in re.findall(r"[V ]([\d.]+)", path.get("d")))
    number = float(elements(svg, "text", "share")[2].get("y"))
    assert top < end <= number - 9  # the letters are 9.5 high
    assert number < again < base


def test_the_lectures_two_histograms_share_the_overall_mean() -> None:
    activations = torch.rand(20, 30)
    for linear in (False, True):
        everything, latents = activation_charts(histogram_of(activations), histogram_of(activations.mean(0)), linear)
        overall = f"overall mean {activations.mean():.3g}"
        assert overall in everything.inside
        assert overall in latents.inside


LARGE_SHARES = {1: "100%", 0.9999: ">99.9%", 0.9946: "99.5%", 0.974: "97%"}
SMALL_SHARES = {0: "0", 0.000001: "<.1%", 0.0032: "0.3%", 0.024: "2.4%", 0.0999: "10%"}


@pytest.mark.parametrize(("share", "text"), (LARGE_SHARES | SMALL_SHARES).items())
def test_shares_are_short_percentages(share: float, text: str) -> None:
    assert percent(share) == text


def curves(inside: str, frame: Frame, low: float = 44) -> list[Tensor]:
    """The points of all curves of a cost chart, as rates and costs."""
    pairs = [re.findall(r"([\d.]+),([\d.]+)", line.get("points")) for line in elements(inside, "polyline")]
    places = [torch.tensor([[float(x), float(y)] for x, y in line]) for line in pairs]
    width, height = frame.width - frame.left - frame.right, frame.height - low - frame.bottom
    return [torch.stack([(line[:, 0] - frame.left) / width, 1 - (line[:, 1] - low) / height], 1) for line in places]


@pytest.mark.parametrize("frame", [WIDE, NARROW])
@pytest.mark.parametrize("target", [0.01, 0.1, 0.5, 0.99])
def test_costs_are_least_at_the_target_and_that_of_l1_is_the_rate(target: float, frame: Frame) -> None:
    drawn = cost_chart(target, ("mine", 0.35), frame)
    *missed, l1 = curves(drawn.inside, frame)
    for line in missed:
        least = line[line[:, 1].argmin()]
        assert least[1] == pytest.approx(0, abs=1e-3)
        assert line[(line[:, 1] < 1e-4)][:, 0].sub(target).abs().min() < 2e-3
    torch.testing.assert_close(l1[:, 0], l1[:, 1], rtol=0, atol=1e-3)
    assert "mine: 0.350" in drawn.inside
    assert f"target {target:g}" in drawn.inside


def test_the_divergence_is_drawn_to_where_it_is_clamped_or_to_the_top() -> None:
    divergence = curves(cost_chart(0.05).inside, WIDE)[0]
    assert divergence[0].tolist() == pytest.approx([0, 0.05 * math.log(0.05e6) + 0.95 * math.log(0.95)], abs=2e-3)
    assert divergence[-1, 1] == pytest.approx(1, abs=1e-3)
    assert "ends at 0.49 at a rate of 0 and at 12.93 at a rate of 1 (above the frame)" in cost_note(0.05)
    half = curves(cost_chart(0.5).inside, WIDE)[0]
    assert half[[0, -1], 1].tolist() == pytest.approx([1, 1], abs=1e-3)


@given(
    st.lists(st.tuples(st.floats(0, 640), st.floats(0, 400), st.sampled_from([8, 15])), max_size=30),
    st.sampled_from([12, 17]),
)
def test_words_stand_beside_their_points_and_nowhere_on_anything(points: list, size: int) -> None:
    def box(i: int) -> tuple[float, float, float, float]:
        x, y = points[i][0] + places[i][0], points[i][1] + places[i][1]
        width = 0.6 * size * 3
        left = x - {"start": 0, "middle": width / 2, "end": width}[places[i][2]]
        return left, y - 0.7 * size, left + width, y

    places = place_words(points, ["0.5"] * len(points), size)
    placed = [i for i, place in enumerate(places) if place]
    boxes = {i: box(i) for i in placed}
    for i, (left, top, right, bottom) in boxes.items():
        assert left >= 0
        assert top >= 0
        assert right <= 640
        for x, y, r in points:
            assert x + r <= left or x - r >= right or y + r <= top or y - r >= bottom
        for j in placed[: placed.index(i)]:
            a = boxes[j]
            assert a[2] <= left or right <= a[0] or a[3] <= top or bottom <= a[1]
        x, y, r = points[i]
        assert max(left - x, x - right, top - y, y - bottom) <= r + 1.5 * size  # near its own point


def test_of_two_points_side_by_side_with_the_same_word_only_one_has_it() -> None:
    points = [(300.0, 200.0, 8.0), (320.0, 200.0, 8.0), (400.0, 200.0, 8.0)]
    places = place_words(points, ["10", "10", "10"], 12)
    assert [place is not None for place in places] == [True, False, True]
    assert place_words(points, ["10", "25", "10"], 12)[1]


@pytest.mark.parametrize("frame", [WIDE, NARROW])
def test_the_frontier_holds_every_variant_and_rings_and_names_the_chosen_one(frame: Frame) -> None:
    bundled = bundled_points()
    assert {point.title.partition(",")[0] for point in bundled} == set(list_variants())
    mine = Point("mine", "mine", 45.6, 0.123)
    points = [*bundled, mine]
    for chosen in (len(bundled), *range(0, len(bundled), 5)):
        drawn = frontier_chart(points, chosen, frame).inside
        marks = [g for g in elements(drawn, "g") if (g.get("class") or "").startswith("point")]
        assert {g.get("aria-label") for g in marks} == {point.spoken for point in points}
        (ring,) = elements(drawn, "circle", "ringed")
        (named,) = [g for g in marks if g.find("text") is not None and g.find("text").get("class") == "named"]
        assert named.get("aria-label") == points[chosen].spoken
        assert named.get("transform") == f"translate({ring.get('cx')} {ring.get('cy')})"


def test_the_frontier_joins_the_variants_of_one_family() -> None:
    points = bundled_points()
    lines = elements(frontier_chart(points, 0).inside, "polyline")
    assert len(lines) == len(FAMILIES)
    for line, family in zip(lines, dict.fromkeys(recipe.family for recipe in RECIPES), strict=True):
        assert line.get("class") == f"curve style{FAMILIES.index(family)}"
        xs = [float(x) for x, _ in re.findall(r"([\d.]+),([\d.]+)", line.get("points"))]
        assert len(xs) == sum(point.family == family and not point.apart for point in points)
        assert xs == sorted(xs)


def test_a_file_holds_its_charts_legend_and_note_inside_its_frame() -> None:
    note = "word " * 60
    keys = [*cost_keys(), *frontier_keys(bundled_points(), "mine")]
    root = ET.fromstring(standalone("A & B", [cost_chart(0.1), cost_chart(0.2)], keys, note))
    space = "{http://www.w3.org/2000/svg}"
    left, top, width, height = (float(part) for part in root.get("viewBox").split())
    own = [text for text in root.findall(f"{space}text") if text.get("class") in ("key", "note", "heading")]
    assert len(own) == 1 + len(keys) + sum(text.get("class") == "note" for text in own)
    for text in own:
        x, y = numbers(text, "x", "y")
        assert left <= x
        assert x + 6 * len(text.text) <= left + width
        assert top <= y <= top + height
    assert root.find(f"{space}title").text == "A & B"
    assert replace(cost_chart(0.1), role="group").svg().startswith('<svg class="chart wide" viewBox="0 0 640 400"')
