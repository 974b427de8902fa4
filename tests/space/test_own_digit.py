"""A visitor's own digit comes out as MNIST's digits are, and its text is the image and nothing else."""

from __future__ import annotations

import base64
import tracemalloc
import zlib
from contextlib import suppress

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from sae_model import load_variant
from space.errors import InputError
from space.own_digit import CANVAS, SIDE, as_mnist, from_text, to_text
from training.data import Split


@pytest.fixture(scope="module")
def some(digits: Split) -> Tensor:
    """200 test digits (200, 28, 28) in [0, 1]."""
    return digits.images[:200].squeeze(1).float() / 255


def on_canvas(digit: Tensor, top: int, left: int, times: float = 3, mode: str = "bilinear") -> Tensor:
    """A digit drawn so many times as large on the canvas."""
    large = F.interpolate(digit[None, None], scale_factor=times, mode=mode)[0, 0]
    canvas = torch.zeros(CANVAS, CANVAS)
    canvas[top : top + large.shape[0], left : left + large.shape[1]] = large.clamp(0, 1)
    return canvas


def centre(image: Tensor) -> tuple[float, float]:
    """Row and column of the centre of mass."""
    places = torch.arange(len(image), dtype=torch.float)
    return tuple(((image.sum(dim=1 - axis) * places).sum() / image.sum()).item() for axis in (0, 1))


def box(image: Tensor) -> list[int]:
    """Height and width of what is not black."""
    return [int((line := image.any(dim=1 - axis).nonzero()).max() - line.min()) + 1 for axis in (0, 1)]


def packed(image: bytes) -> str:
    """Bytes as a text such as `to_text` makes."""
    return base64.urlsafe_b64encode(zlib.compress(image, 9)).decode().rstrip("=")


def test_a_digit_of_mnist_is_left_as_it_is(some: Tensor) -> None:
    for digit in some:
        assert (as_mnist(digit) - digit).abs().mean() < 0.002


@pytest.mark.parametrize(("mode", "close"), [("nearest", 0.002), ("bicubic", 0.035), ("bilinear", 0.035)])
def test_a_digit_drawn_large_comes_back(some: Tensor, mode: str, close: float) -> None:
    """Blurred edges widen its box a little, and may move its centre of mass across the edge of a pixel."""
    shifts = [(down, right) for down in (0, -1, 1) for right in (0, -1, 1)]
    for number, digit in enumerate(some):
        back = as_mnist(on_canvas(digit, number % 29, number * 7 % 29, mode=mode))
        assert min((back.roll(shift, (0, 1)) - digit).abs().mean() for shift in shifts) < 2 * close
    back = torch.stack([as_mnist(on_canvas(digit, 5, 20, mode=mode)) for digit in some])
    assert (back - some).abs().mean() < close


@pytest.mark.parametrize(("mode", "worse"), [("nearest", 1.05), ("bicubic", 1.15), ("bilinear", 1.6)])
@torch.inference_mode()
def test_a_model_reconstructs_drawn_digits_about_as_well(some: Tensor, mode: str, worse: float) -> None:
    """Its error is 0.0012, and 0.0018 where bilinear blurred the edges: a fiftieth of the variance of the pixels."""
    model = load_variant("l1-1")
    drawn = torch.stack([from_text(to_text(as_mnist(on_canvas(digit, 10, 3, mode=mode)))) for digit in some])
    errors = [(model(images[:, None])[0][:, 0] - images).square().mean().item() for images in (some, drawn)]
    assert errors[1] < worse * errors[0]


def test_where_and_how_bright_a_digit_is_drawn_does_not_matter(some: Tensor) -> None:
    for digit in some[:30]:
        first = as_mnist(on_canvas(digit, 0, 0))
        for top, left in ((28, 0), (0, 28), (13, 17)):
            assert torch.equal(as_mnist(on_canvas(digit, top, left)), first)
        assert torch.allclose(as_mnist(0.3 * on_canvas(digit, 13, 17)), first, atol=1e-5)
        assert torch.allclose(as_mnist(0.2 + 0.5 * on_canvas(digit, 13, 17)), first, atol=1e-4)


def test_how_large_a_digit_is_drawn_matters_little(some: Tensor) -> None:
    for digit in some[:30]:
        first = as_mnist(on_canvas(digit, 0, 0, 3, "nearest"))
        for times in (1, 2, 4):
            assert (as_mnist(on_canvas(digit, 0, 0, times, "nearest")) - first).abs().mean() < 0.005


def test_ink_fits_the_box_and_is_centred(some: Tensor) -> None:
    for digit in some:
        image = as_mnist(on_canvas(digit, 0, 28, 2.6))
        assert image.shape == (SIDE, SIDE)
        assert (image.min(), image.max()) == (0, 1)
        assert max(box(image)) == 20
        assert all(13.4 < place < 14.6 for place in centre(image))


@pytest.mark.parametrize(
    ("rows", "columns", "size"),
    [
        (slice(20, 100), slice(50, 51), [20, 1]),
        (slice(20, 100), slice(50, 59), [20, 2]),
        (slice(50, 51), slice(3, 104), [1, 20]),
        (slice(50, 51), slice(50, 51), [20, 20]),
        (slice(0, 112), slice(0, 60), [20, 11]),
    ],
    ids=["thin line", "stroke", "flat line", "dot", "half"],
)
def test_plain_shapes_fill_the_box(rows: slice, columns: slice, size: list[int]) -> None:
    canvas = torch.zeros(CANVAS, CANVAS)
    canvas[rows, columns] = 1
    image = as_mnist(canvas)
    assert box(image) == size
    assert image.max() == 1


def test_dust_does_not_widen_the_box(some: Tensor) -> None:
    canvas = on_canvas(some[0], 10, 10)
    noise = 0.03 * torch.rand(CANVAS, CANVAS, generator=torch.Generator().manual_seed(0))
    assert (as_mnist((canvas + noise).clamp(0, 1)) - as_mnist(canvas)).abs().mean() < 0.03


def test_no_ink_is_pushed_out_where_the_centre_of_mass_lies_far_off() -> None:
    canvas = torch.zeros(CANVAS, CANVAS)
    canvas[90:110, 10:110] = 1
    canvas[10:90, 10] = 1
    assert box(as_mnist(canvas)) == [20, 20]


@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (1, 1024), (1024, 1), (3, 5), (200, 31), (1024, 1024)])
def test_any_size_and_aspect_will_do(shape: tuple[int, int]) -> None:
    ink = torch.zeros(shape)
    ink[0, 0] = 1
    assert as_mnist(ink).sum() > 0
    ink = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    assert as_mnist(ink).isfinite().all()


@pytest.mark.parametrize("ink", [torch.zeros(1, 1), torch.ones(1, 1), torch.zeros(CANVAS, CANVAS), torch.ones(64, 9)])
def test_an_image_of_one_shade_is_empty(ink: Tensor) -> None:
    with pytest.raises(InputError, match=r"^The drawing is empty: "):
        as_mnist(ink)


@settings(max_examples=100)
@given(st.binary(min_size=784, max_size=784), st.integers(1, 16))
def test_a_text_is_the_image_in_16_levels(pixels: bytes, step: int) -> None:
    image = torch.tensor([value // step * step for value in pixels]).reshape(SIDE, SIDE) / 255
    text = to_text(image)
    back = from_text(text)
    assert (back - image).abs().max() <= 1 / 30 + 1e-6
    assert torch.equal(from_text(to_text(back)), back)
    assert to_text(back) == text
    assert len(text) <= 540


def test_the_text_of_a_digit_is_short(some: Tensor) -> None:
    texts = [to_text(as_mnist(digit)) for digit in some]
    assert max(map(len, texts)) < 400
    assert sum(map(len, texts)) / len(texts) < 300


GOOD = to_text(torch.eye(SIDE))
BAD = {
    "nothing": "",
    "none": None,
    "bytes": GOOD.encode(),
    "number": 7,
    "list": [GOOD],
    "space": GOOD + " ",
    "new line": GOOD + "\n",
    "padding": GOOD + "=",
    "plain base64": "+/" + GOOD,
    "letters": "ä" + GOOD,
    "words": "hello",
    "one character": "x",
    "cut": GOOD[:-8],
    "changed": GOOD[:12] + ("A" if GOOD[12] != "A" else "B") + GOOD[13:],
    "tail": packed(bytes(392))[:-2] + "AAAAAAAA",
    "more behind": base64.urlsafe_b64encode(zlib.compress(bytes(392)) + b"more").decode().rstrip("="),
    "too few pixels": packed(bytes(391)),
    "too many pixels": packed(bytes(393)),
    "no pixels": packed(b""),
    "too long": "A" * 1001,
    "much too long": "A" * 10_000_000,
    "bomb": packed(bytes(400_000)),
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_any_other_text_is_an_error_of_one_line(text: object) -> None:
    with pytest.raises(InputError) as error:
        from_text(text)
    assert str(error.value).startswith("This is no drawing's text: ")
    assert len(str(error.value)) < 100
    assert "\n" not in str(error.value)


@given(st.text("ABCxyz019-_ =é", max_size=60) | st.binary(max_size=400).map(packed))
def test_no_text_raises_anything_else(text: str) -> None:
    with suppress(InputError):
        assert from_text(text).shape == (SIDE, SIDE)


def test_a_bomb_is_not_unpacked() -> None:
    bomb = packed(bytes(700_000))  # as much as fits the longest text
    assert 800 < len(bomb) <= 1000
    tracemalloc.start()
    with pytest.raises(InputError):
        from_text(bomb)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 100_000
