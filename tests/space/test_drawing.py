"""Small images, read back."""

from __future__ import annotations

import base64
import io
import re

import matplotlib
import numpy as np
import torch
from PIL import Image

from space.drawing import ACTIVATION_COLOURS, SIGNED_COLOURS, activation_image, image_of, signed_image, wall


def read_back(img: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(re.search(r"base64,([^\"]+)", img)[1]))))


def test_a_digit_keeps_all_its_levels_and_is_clipped() -> None:
    levels = torch.arange(784).reshape(28, 28) % 256
    assert np.array_equal(read_back(image_of(levels[None] / 255, "x")), levels.numpy())
    assert np.array_equal(read_back(image_of(torch.tensor([[[-3.0, 5.0]]]), "x")), [[0, 255]])
    colours = torch.randint(0, 256, (3, 5, 7))
    assert np.array_equal(read_back(image_of(colours / 255, "x")), colours.permute(1, 2, 0).numpy())


def test_more_activation_is_lighter() -> None:
    colours = read_back(activation_image(torch.linspace(0, 1, 900), "x")).reshape(900, 3)
    lightness = colours @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(lightness) > -1).all()  # whole levels of red, green and blue: rounding
    assert lightness[-1] - lightness[0] > 200


def test_signed_values_are_blue_below_zero_and_orange_above_and_lighter_towards_zero() -> None:
    values = torch.linspace(-2, 2, 255).reshape(1, 1, 255)
    colours = read_back(signed_image(values, 2.0, "x")).reshape(255, 3).astype(int)
    lightness = colours @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(lightness[:128]) > -1).all()
    assert (np.diff(lightness[127:]) < 1).all()
    assert (colours[127] > 250).all()
    assert (colours[:100, 2] > colours[:100, 0]).all()
    assert (colours[-100:, 2] < colours[-100:, 0]).all()


def test_signed_values_of_any_shape_are_seen() -> None:
    in_colour = torch.stack([torch.full((2, 2), value) for value in (-1.0, 0.0, 1.0)])
    assert read_back(signed_image(in_colour, 1.0, "x"))[0, 0].tolist() == [0, 128, 255]
    vector = read_back(signed_image(torch.tensor([1.0, -1.0, 0.5]).reshape(3, 1, 1), 1.0, "x"))
    assert vector[0].tolist() == SIGNED_COLOURS[[255, 0]].tolist()
    assert vector[1, 1].min() > 250  # no value: white
    two = torch.stack([torch.eye(3), -5 * torch.eye(3)]).unsqueeze(1)
    sheet = read_back(wall(two, 2, "x"))
    assert sheet.shape == (4, 8, 3)
    assert (sheet[0, 0].tolist(), sheet[0, 4].tolist()) == (SIGNED_COLOURS[255].tolist(), SIGNED_COLOURS[0].tolist())


def test_words_in_alt_texts_are_escaped() -> None:
    assert 'alt="&lt;b&gt; &quot;x&quot;"' in image_of(torch.zeros(1, 2, 2), '<b> "x"')


def test_colours_are_those_of_matplotlib_within_rounding() -> None:
    inferno = matplotlib.colormaps["inferno"](np.arange(256))[:, :3] * 255
    assert np.abs(ACTIVATION_COLOURS - inferno).max() < 7
    assert SIGNED_COLOURS[[0, 255]].tolist() == [[0x1D, 0x4E, 0xD8], [0xB4, 0x53, 0x09]]
