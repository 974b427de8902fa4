"""Small images and charts, read back."""

from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from space.charts import place_words
from space.drawing import activation_image, digit_image, histogram, percent, signed_image


def read_back(img: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(re.search(r"base64,([^\"]+)", img)[1]))))


def test_a_digit_keeps_all_its_levels_and_is_clipped() -> None:
    levels = torch.arange(784).reshape(28, 28) % 256
    assert np.array_equal(read_back(digit_image(levels / 255, "x")), levels.numpy())
    assert np.array_equal(read_back(digit_image(torch.tensor([[-3.0, 5.0]]), "x")), [[0, 255]])


def test_more_activation_is_lighter() -> None:
    colours = read_back(activation_image(torch.linspace(0, 1, 900), "x")).reshape(900, 3)
    lightness = colours @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(lightness) > -1).all()  # whole levels of red, green and blue: rounding
    assert lightness[-1] - lightness[0] > 200


def test_signed_values_are_blue_below_zero_and_orange_above_and_lighter_towards_zero() -> None:
    colours = read_back(signed_image(torch.linspace(-2, 2, 255).reshape(1, 255), 2.0, "x")).reshape(255, 3).astype(int)
    lightness = colours @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(lightness[:128]) > -1).all()
    assert (np.diff(lightness[127:]) < 1).all()
    assert (colours[127] > 250).all()
    assert (colours[:100, 2] > colours[:100, 0]).all()
    assert (colours[-100:, 2] < colours[-100:, 0]).all()


def test_words_in_alt_texts_are_escaped() -> None:
    assert 'alt="&lt;b&gt; &quot;x&quot;"' in digit_image(torch.zeros(2, 2), '<b> "x"')


def test_bars_are_as_high_as_their_shares_and_the_mean_stands_where_it_is() -> None:
    shares = [0.5, 0.25, 0.25, 0, 0, 0, 0, 0, 0, 0]
    svg = ET.fromstring(histogram(shares, 0.4, "t", "x", "y"))
    heights = [float(bar.get("height")) for bar in svg.iter("rect")]
    assert np.allclose(np.array(heights) / heights[0] * 0.5, shares, atol=0.01)
    bars = [float(bar.get("x")) + float(bar.get("width")) / 2 for bar in svg.iter("rect")]
    (mean,) = [float(line.get("x1")) for line in svg.iter("line") if line.get("class") == "mean"]
    assert mean == pytest.approx((bars[3] + bars[4]) / 2, abs=0.2)  # 0.4 is the edge of the fourth and fifth bin
    assert "0.0 to 0.1: 50%" in svg.get("aria-label")


@pytest.mark.parametrize("mean", [0, 0.014, 0.5, 0.69, 0.75, 0.98, 1])
def test_the_mean_is_named_inside_the_chart(mean: float) -> None:
    svg = ET.fromstring(histogram([0.1] * 10, mean, "t", "x", "y"))
    (label,) = [text for text in svg.iter("text") if text.get("class") == "mean-label"]
    end = float(label.get("x")) + {"start": 70, "end": -70}[label.get("text-anchor")]  # letters of 11 pixels
    assert 0 <= end <= 360


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


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0"), (1, "100%"), (0.974, "97%"), (0.024, "2.4%"), (0.0032, "0.3%"), (0.0999, "10%"), (0.000001, "<.1%")],
)
def test_shares_are_short_percentages(share: float, text: str) -> None:
    assert percent(share) == text
