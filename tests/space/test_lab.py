"""What the page shows, without the page."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import gradio as gr
import pytest
import torch

from sae_model import L1, list_variants, load_variant, unit_activation
from space.errors import InputError, with_error_message
from space.lab import Lab, Stop
from space.view import view
from tests.space.server import ROOT
from training.data import as_floats
from training.zoo import FAMILIES


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab()


def test_a_look_is_what_the_model_says(lab: Lab) -> None:
    clean = as_floats(lab.images[42:43])
    stops = [stop for stops in lab.families.values() for stop in stops]
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


def test_models_of_the_page_answer_as_loaded_ones(lab: Lab) -> None:
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


def test_random_images_are_of_the_class_and_never_the_same_twice(lab: Lab) -> None:
    index = lab.random_image(4)
    for _ in range(20):
        following = lab.random_image(4, other_than=index)
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
def test_wrong_arguments_end_in_an_error_message(lab: Lab, change: dict, words: str) -> None:
    arguments = {"index": 0, "sigma": 0.3, "seed": 0, "stops": [Stop("dense", "0")]} | change
    with pytest.raises(InputError, match=words):
        lab.look(**arguments)


def test_every_variant_has_a_stop_and_every_family_a_slider(lab: Lab) -> None:
    assert list(lab.families) == [family for family in FAMILIES if family != "lecture"]
    assert {stop.variant for stops in lab.families.values() for stop in stops} == set(list_variants())
    assert all(len(stops) >= 2 for stops in lab.families.values())
    assert [stop.label for stop in lab.families["kl-image"]] == [".02", ".05", ".1", ".2"]
    betas = [f"{values['beta']:g}".removeprefix("0") for values in L1.bundled]
    assert [stop.label for stop in lab.families["l1"]] == ["dense", *betas, "lecture"]
    assert [stop.label for stop in lab.families["noise"]] == ["no noise", "up to 0.6"] * 2
    before_and_after = [stop.variant for stop in lab.families["noise"]]
    assert before_and_after[1::2] == [f"{name}-noise-0.6" for name in before_and_after[::2]]


def test_every_slider_starts_where_the_error_with_noise_is_lowest_and_says_so(lab: Lab) -> None:
    for family, stops in lab.families.items():
        start = lab.first_position(family)
        errors = [lab.evaluation(stop).denoise_mse["0.3"] for stop in stops if stop.variant != "lecture"]
        assert errors[start] == min(errors)
        _, html, *_ = view(lab, 0, 0, 0.3, family, start)
        assert f"<b><span>{min(errors):.4f} at " in html
        assert f"{errors[0]:.4f} at " in html
        assert f"{errors[-1]:.4f} at " in html


def test_the_summary_gives_the_metrics_of_the_stop(lab: Lab) -> None:
    for position, stop in enumerate(lab.families["l1"]):
        e = lab.evaluation(stop)
        _, _, summary, _, _ = view(lab, 0, 0, 0.3, "l1", position)
        assert f"mean activation {e.mean_activation:.3f}, effective L0 {e.effective_l0:.0f};" in summary
        assert f"{e.mse:.4f} without noise, {e.denoise_mse['0.3']:.4f} with noise of sigma 0.3" in summary


NEW_METHOD = """
import sys
from dataclasses import dataclass
from pathlib import Path
import sae_model.zoo
from sae_model.methods import Sparsity, method

@method
@dataclass(frozen=True)
class Shout(Sparsity):
    loudness: float = 0.5
    kind = "shout"
    title = "Shout <loud>"
    label = "Loudness"
    ends = ("quiet", "loud")
    asks_for = "latents that shout"
    hyperparameter = "loudness"
    bundled = ({"loudness": 0.25}, {"loudness": 0.5}, {"loudness": 4})

sae_model.zoo.ZOO = Path(sys.argv[1])  # before anything else imports it

from space.app import build_app
from space.frontier import frontier_chart
from space.lab import Lab
from space.view import view
from training.data import load_split
from training.evaluation import evaluate
from training.zoo import RECIPES

test = load_split("mnist", "test", limit=100)
for recipe in RECIPES:
    if recipe.family in ("shout", "l1") and recipe.name != "shout-4":  # that one is not bundled
        model = recipe.new_model(test.images)
        model.save_pretrained(sae_model.zoo.ZOO / recipe.name)
        (sae_model.zoo.ZOO / recipe.name / "evaluation.json").write_text(evaluate(model, test).to_json())
lab = Lab()
config = build_app(lab).get_config_file()
(choices,) = [part["props"]["choices"] for part in config["components"] if part["props"].get("elem_id") == "method"]
description, stops, *_ = view(lab, 0, 0, 0.3, "shout", 1)
assert [tuple(choice) for choice in choices] == [("L1 penalty", "l1"), ("Shout <loud>", "shout")], choices
assert [stop.label for stop in lab.stops("shout")] == [".25", ".5"]
assert lab.slider_label("shout") == "Loudness"
assert "<b>Shout &lt;loud&gt;</b> asks for latents that shout." in description
assert ">quiet<" in stops and ">loud<" in stops
assert "shout-0.5: effective L0" in frontier_chart(lab, "shout", 1, [])
print("shown")
"""


def test_a_new_sparsity_method_appears_on_the_page_by_itself(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NEW_METHOD, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "shown\n", done.stderr


def test_stops_of_the_model_for_every_k_keep_that_many(lab: Lab) -> None:
    stops = lab.families["adaptive-topk"]
    assert stops[0].k == 1
    assert stops[-1].k == 900
    for stop, look in zip(stops, lab.look(5, 0.0, 0, stops), strict=True):
        assert look.l0 <= stop.k
        assert lab.evaluation(stop).l0 <= stop.k


def test_latent_statistics_say_which_latents_are_on_for_which_class(lab: Lab) -> None:
    stop = Stop("l1-0.3", ".3")
    statistics = lab.statistics(stop)
    with torch.no_grad():
        activations = unit_activation(lab.variants["l1-0.3"].encode(as_floats(lab.images)))
    for label in (0, 7):
        torch.testing.assert_close(statistics.class_means[label], activations[lab.labels == label].mean(0))
    latent = int(activations.mean(0).argmax())
    assert statistics.top_images[latent].tolist() == activations[:, latent].topk(12).indices.tolist()
    assert unit_activation(statistics.peak[latent]).item() == pytest.approx(
        activations[:, latent].max().item(), abs=1e-5
    )


@pytest.mark.parametrize(
    ("family", "position"),
    [("l7", 0), ("l1", -1), ("l1", 99), ("l1", 1.5), ("l1", None), ("l1", math.nan), ("l1", True)],
)
def test_a_stop_that_is_not_there_ends_in_an_error_message(lab: Lab, family: str, position: object) -> None:
    with pytest.raises(InputError, match=r"There is no sparsity method|A stop is a whole number"):
        lab.stop_at(family, position)


@pytest.mark.parametrize(
    "wrong",
    [{"stop": None}, {"stop": math.nan}, {"method": "l7"}, {"method": ["l1"]}, {"sigma": math.nan}, {"index": -1}],
)
def test_what_no_control_can_send_is_answered_with_an_error_message(lab: Lab, wrong: dict) -> None:
    arguments = {"index": 0, "seed": 0, "sigma": 0.3, "method": "l1", "stop": 2} | wrong
    with pytest.raises(gr.Error, match=r"That cannot be shown: .*; (got|there are)"):
        with_error_message(view)(lab, **arguments)
