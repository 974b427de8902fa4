"""What the page shows, without the page."""

from __future__ import annotations

import math

import gradio as gr
import pytest
import torch

from sae_model import list_variants, load_variant, unit_activation
from space.errors import InputError, in_sentences
from space.lab import TITLES, Lab, Stop
from space.view import view
from training.data import as_floats


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab()


def test_a_look_is_what_the_model_says(lab: Lab) -> None:
    clean = as_floats(lab.images[42:43])
    stops = [stop for stops in lab.ways.values() for stop in stops]
    for stop, look in zip(stops, lab.look(42, 0.0, 0, stops), strict=True):
        model = lab.variants[stop.variant]
        latents = model.encode(clean, stop.k)
        reconstruction, activations = model.decode(latents), unit_activation(latents)
        assert torch.equal(look.clean, clean[0, 0])
        assert torch.equal(look.noisy, clean[0, 0])
        torch.testing.assert_close(look.reconstruction, reconstruction[0, 0])
        torch.testing.assert_close(look.activations, activations[0])
        assert look.mse == pytest.approx(((reconstruction - clean) ** 2).mean().item())
        assert look.psnr == pytest.approx(-10 * math.log10(look.mse))
        assert look.l0 == int((latents != 0).sum())


def test_networks_of_the_page_answer_as_loaded_ones(lab: Lab) -> None:
    images = as_floats(lab.images[:20])
    for name in list_variants():
        for here, loaded in zip(lab.variants[name](images), load_variant(name)(images), strict=True):
            torch.testing.assert_close(here, loaded, atol=1e-6, rtol=1e-5)


def test_only_sigma_changes_when_sigma_changes(lab: Lab) -> None:
    stop = Stop("dense", "0")
    noise = {}
    for sigma in (0.2, 0.8):
        (look,) = lab.look(3, sigma, 7, [stop])
        noise[sigma] = look.noisy - look.clean
    torch.testing.assert_close(noise[0.8], 4 * noise[0.2], atol=1e-5, rtol=1e-4)
    (other,) = lab.look(3, 0.2, 8, [stop])
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
        ({"stops": [Stop("l1-none", "?")]}, "There is no variant 'l1-none'; there are: dense"),
    ],
)
def test_nonsense_is_refused_in_a_sentence(lab: Lab, change: dict, words: str) -> None:
    arguments = {"index": 0, "sigma": 0.3, "seed": 0, "stops": [Stop("dense", "0")]} | change
    with pytest.raises(InputError, match=words):
        lab.look(**arguments)


def test_every_variant_has_a_stop_and_every_way_a_slider(lab: Lab) -> None:
    assert set(lab.ways) == set(TITLES)
    assert {stop.variant for stops in lab.ways.values() for stop in stops} == set(list_variants())
    assert all(len(stops) >= 2 for stops in lab.ways.values())
    assert [stop.label for stop in lab.ways["kl-image"]] == [".02", ".05", ".1", ".2"]
    assert lab.ways["l1"][0].variant == "dense"


def test_stops_of_the_network_for_every_k_keep_that_many(lab: Lab) -> None:
    stops = lab.ways["adaptive-topk"]
    assert stops[0].k == 1
    assert stops[-1].k == 900
    for stop, look in zip(stops, lab.look(5, 0.0, 0, stops), strict=True):
        assert look.l0 <= stop.k
        assert lab.evaluation(stop).l0 <= stop.k


def test_an_atlas_says_who_fires_for_what(lab: Lab) -> None:
    stop = Stop("l1-0.3", ".3")
    atlas = lab.atlas(stop)
    with torch.no_grad():
        activations = unit_activation(lab.variants["l1-0.3"].encode(as_floats(lab.images)))
    for label in (0, 7):
        torch.testing.assert_close(atlas.class_means[label], activations[lab.labels == label].mean(0))
    latent = int(activations.mean(0).argmax())
    assert atlas.exciting[latent].tolist() == activations[:, latent].topk(12).indices.tolist()
    assert unit_activation(atlas.peak[latent]).item() == pytest.approx(activations[:, latent].max().item(), abs=1e-5)


@pytest.mark.parametrize(
    ("kind", "position"), [("l7", 0), ("l1", -1), ("l1", 99), ("l1", 1.5), ("l1", None), ("l1", math.nan), ("l1", True)]
)
def test_a_stop_that_is_not_there_is_refused_in_a_sentence(lab: Lab, kind: str, position: object) -> None:
    with pytest.raises(InputError, match=r"There is no way|A stop is a whole number"):
        lab.stop_at(kind, position)


@pytest.mark.parametrize(
    "wrong", [{"stop": None}, {"stop": math.nan}, {"way": "l7"}, {"way": ["l1"]}, {"sigma": math.nan}, {"index": -1}]
)
def test_what_no_control_can_send_is_answered_with_a_sentence(lab: Lab, wrong: dict) -> None:
    arguments = {"index": 0, "seed": 0, "sigma": 0.3, "way": "l1", "stop": 2} | wrong
    with pytest.raises(gr.Error, match=r"That cannot be shown: .*; (got|there are)"):
        in_sentences(view)(lab, **arguments)
