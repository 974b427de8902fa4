"""What the page shows, without the page."""

from __future__ import annotations

import math

import pytest
import torch

from sae_model import list_variants
from space.lab import InputError, Lab
from training.data import as_floats


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab()


def test_a_look_is_what_the_model_says(lab: Lab) -> None:
    clean = as_floats(lab.images[42:43])
    for name, look in lab.look(42, 0.0, 0, list(lab.variants)).items():
        reconstruction, latents, activations = lab.variants[name](clean)
        assert torch.equal(look.clean, clean[0, 0])
        assert torch.equal(look.noisy, clean[0, 0])
        torch.testing.assert_close(look.reconstruction, reconstruction[0, 0])
        torch.testing.assert_close(look.activations, activations[0])
        assert look.mse == pytest.approx(((reconstruction - clean) ** 2).mean().item())
        assert look.psnr == pytest.approx(-10 * math.log10(look.mse))
        assert look.l0 == int((latents != 0).sum())


def test_only_sigma_changes_when_sigma_changes(lab: Lab) -> None:
    name = list_variants()[0]
    noise = {}
    for sigma in (0.2, 0.8):
        look = lab.look(3, sigma, 7, [name])[name]
        noise[sigma] = look.noisy - look.clean
    torch.testing.assert_close(noise[0.8], 4 * noise[0.2], atol=1e-5, rtol=1e-4)
    other = lab.look(3, 0.2, 8, [name])[name]
    assert not torch.equal(other.noisy - other.clean, noise[0.2])


def test_random_digits_are_of_the_class_and_never_the_same_twice(lab: Lab) -> None:
    index = lab.random_digit(4)
    for _ in range(20):
        following = lab.random_digit(4, other_than=index)
        assert lab.labels[following] == 4
        assert following != index
        index = following


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"index": -1}, "digit_index is a whole number from 0 to 9999"),
        ({"index": 10_000}, "digit_index"),
        ({"index": 1.5}, "digit_index"),
        ({"index": True}, "digit_index"),
        ({"index": None}, "digit_index"),
        ({"sigma": -0.1}, "sigma is a number from 0 to 1"),
        ({"sigma": 1.1}, "sigma"),
        ({"sigma": math.nan}, "sigma"),
        ({"sigma": "0.3"}, "sigma"),
        ({"seed": -1}, "seed is a whole number"),
        ({"seed": 2**40}, "seed"),
        ({"names": ["l1-none"]}, "There is no variant 'l1-none'; there are: dense"),
    ],
)
def test_nonsense_is_refused_in_a_sentence(lab: Lab, change: dict, words: str) -> None:
    arguments = {"index": 0, "sigma": 0.3, "seed": 0, "names": ["dense"]} | change
    with pytest.raises(InputError, match=words):
        lab.look(**arguments)
