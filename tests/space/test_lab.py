"""What the page shows, without the page."""

from __future__ import annotations

import itertools
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sae_model import L1, list_variants, load_variant, unit_activation
from space import controls, see
from space.bench import Bench, opening
from space.errors import InputError
from space.lab import SAMPLE, SEVERAL, Lab, Specimen, Stop, noise_of
from tests.space.server import ROOT
from training.data import add_noise, as_floats
from training.fit.zoo import FAMILIES


def on_bench(lab: Lab, method: str, position: int) -> Bench:
    return replace(opening(lab), method=method, position=position)


def test_a_look_is_what_the_model_says(lab: Lab) -> None:
    clean = as_floats(lab.images[42:43])
    stops = [stop for stops in lab.families.values() for stop in stops]
    for stop in stops:
        look, model = lab.look(Specimen(42, 0.0), stop), load_variant(stop.variant)
        latents = model.encode(clean, **stop.arguments)
        reconstruction, activations = model.decode(latents), unit_activation(latents)
        assert torch.equal(look.clean, clean[0])
        assert torch.equal(look.noisy, clean[0])
        torch.testing.assert_close(look.reconstruction, reconstruction[0])
        torch.testing.assert_close(look.activations, activations[0])
        assert look.mse == pytest.approx(((reconstruction - clean) ** 2).mean().item())
        assert look.psnr == pytest.approx(-10 * math.log10(look.mse))
        assert look.l0 == int((latents != 0).sum())


def test_models_of_the_page_answer_as_loaded_ones(lab: Lab) -> None:
    images = as_floats(lab.images[:20])
    for name in list_variants():
        for here, loaded in zip(lab.model(Stop(name, name))(images), load_variant(name)(images), strict=True):
            torch.testing.assert_close(here, loaded, atol=1e-6, rtol=1e-5)


def test_only_sigma_changes_when_sigma_changes(lab: Lab) -> None:
    stop = Stop("dense", "0")
    noise = {}
    for sigma in (0.2, 0.8):
        look = lab.look(Specimen(3, sigma, 7), stop)
        noise[sigma] = look.noisy - look.clean
    torch.testing.assert_close(noise[0.8], 4 * noise[0.2], atol=1e-5, rtol=1e-4)
    other = lab.look(Specimen(3, 0.2, 8), stop)
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
        ({"digit": -1}, "digit_index is a whole number from 0 to 9999"),
        ({"digit": 10_000}, "digit_index"),
        ({"digit": 1.5}, "digit_index"),
        ({"digit": True}, "digit_index"),
        ({"digit": None}, "digit_index"),
        ({"sigma": -0.1}, "sigma is a number from 0 to 1"),
        ({"sigma": 1.1}, "sigma"),
        ({"sigma": math.nan}, "sigma"),
        ({"sigma": "0.3"}, "sigma"),
        ({"seed": -1}, "seed is a whole number"),
        ({"seed": 2**40}, "seed"),
        ({"stop": Stop("l1-none", "?")}, "There is no variant 'l1-none'; there are: dense"),
        ({"stop": Stop(["dense"], "?")}, "There is no variant"),
    ],
)
def test_wrong_arguments_end_in_an_error_message(lab: Lab, change: dict, words: str) -> None:
    arguments = {"digit": 0, "sigma": 0.3, "seed": 0, "stop": Stop("dense", "0")} | change
    lab.look(Specimen(1, 0.3), Stop("dense", "0"))  # what is kept of this is no answer to True
    stop = arguments.pop("stop")
    with pytest.raises(InputError, match=words):
        lab.look(Specimen(**arguments), stop)


def test_every_variant_has_a_stop_and_every_family_a_slider(lab: Lab) -> None:
    assert list(lab.families) == [family for family in FAMILIES if family != "lecture"]
    assert {stop.variant for stops in lab.families.values() for stop in stops} == set(list_variants())
    assert all(len(stops) >= 2 for stops in lab.families.values())
    assert [stop.label for stop in lab.families["topk"]] == ["10", "25", "50", "batch", "jump", "nested"]
    assert [stop.variant for stop in lab.compared("topk")] == ["topk-10", "topk-25", "topk-50"]
    assert [stop.label for stop in lab.families["kl-image"]] == [".02", ".05", ".1", ".2"]
    betas = [f"{values['beta']:g}".removeprefix("0") for values in L1.bundled]
    assert [stop.label for stop in lab.families["l1"]] == ["dense", *betas, "lecture"]
    assert [stop.label for stop in lab.families["noise"]] == ["l1-0.1", "+0.6"]
    before_and_after = [stop.variant for stop in lab.families["noise"]]
    assert before_and_after[1::2] == [f"{name}-noise-0.6" for name in before_and_after[::2]]


def test_every_slider_starts_where_the_error_with_noise_is_lowest_and_says_so(lab: Lab) -> None:
    for family, stops in lab.families.items():
        start = lab.first_position(family)
        errors = [lab.evaluation(stop).denoise_mse["0.3"] for stop in lab.compared(family)]
        assert lab.evaluation(stops[start]).denoise_mse["0.3"] == min(errors)
        html = controls._stops(lab, on_bench(lab, family, start))
        assert f"<b><span>{min(errors):.4f} at " in html
        assert f"{errors[0]:.4f} at " in html
        assert f"{errors[-1]:.4f} at " in html


def test_the_table_gives_the_metrics_of_the_stop(lab: Lab) -> None:
    for position, stop in enumerate(lab.families["l1"]):
        e, bench = lab.evaluation(stop), on_bench(lab, "l1", position)
        table = re.findall("<td>([^<]*)</td>", see._metrics(lab, bench))
        assert table[1::2] == [
            f"{e.mse:.4f}", f"{e.denoise_mse['0.3']:.4f}", f"{e.fvu:.1%}", f"{e.mean_activation:.3f}",
            f"{e.effective_l0:.0f}", f"{e.l0:.0f}", f"{e.dead_fraction:.1%}",
        ]  # fmt: skip
        look = lab.look(bench.specimen, stop)
        assert table[0] == f"{look.mse:.4f}"
        assert table[8] == f"{look.effective_l0:.0f}"


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
from space.controls import _description, _stops
from dataclasses import replace
from space.bench import opening
from training.data import load_split
from training.measure.evaluation import evaluate
from training.publish.record import Record
from training.fit.zoo import RECIPES

test = load_split("mnist", "test", limit=100)
for recipe in RECIPES:
    if recipe.family in ("shout", "l1") and recipe.name != "shout-4":  # that one is not bundled
        model = recipe.new_model(test.images)
        model.save_pretrained(sae_model.zoo.ZOO / recipe.name)
        Record(recipe, {}, 100, evaluate(model, test)).write(sae_model.zoo.ZOO / recipe.name)
lab = Lab()
config = build_app(lab).get_config_file()
methods = [part["props"]["choices"] for part in config["components"] if part["props"].get("elem_id") == "method"]
choices, *in_other_languages = methods
assert in_other_languages
assert all(("Shout <loud>", "shout") in map(tuple, there) for there in in_other_languages)  # without words of their own
bench = replace(opening(lab), method="shout", position=1)
description, stops = _description(lab, bench.stop(lab)), _stops(lab, bench)
assert [tuple(choice) for choice in choices] == [("L1 penalty", "l1"), ("Shout <loud>", "shout")], choices
assert [stop.label for stop in lab.stops("shout")] == [".25", ".5"]
assert lab.slider_label("shout") == "Loudness"
assert "<b>Shout &lt;loud&gt;</b> asks for latents that shout." in description
assert ">quiet<" in stops and ">loud<" in stops
assert "shout-0.5: effective L0" in frontier_chart(lab, "shout", lab.stop_at("shout", 1), [])
print("shown")
"""


def test_a_new_sparsity_method_appears_on_the_page_by_itself(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NEW_METHOD, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "shown\n", done.stderr


def test_stops_of_the_model_for_every_k_keep_that_many(lab: Lab) -> None:
    stops = lab.families["adaptive-topk"]
    assert stops[0].value == 1
    assert stops[-1].value == 200
    for stop in stops:
        look = lab.look(Specimen(5, 0.0), stop)
        assert look.l0 <= stop.value
        assert lab.evaluation(stop).l0 <= stop.value


def test_the_slider_of_the_model_for_every_beta_goes_evenly_and_is_measured_at_some(lab: Lab) -> None:
    stops = lab.families["adaptive-l1"]
    betas = [stop.value for stop in stops]
    assert (betas[0], betas[-1], len(betas)) == (0.03, 10, 61)
    assert all(1 < later / earlier < 1.12 for earlier, later in itertools.pairwise(betas))
    assert [stop.label for stop in stops if stop.label] == [".03", ".1", ".3", "1", "3", "10"]
    carried = [lab.look(Specimen(5, 0.0), stop).effective_l0 for stop in stops]
    assert all(later < 1.1 * earlier for earlier, later in itertools.pairwise(carried))
    assert carried[0] > 10 * carried[-1]
    between = stops[26]
    assert lab.measured(between).label == ".3"
    assert lab.evaluation(between) is lab.evaluation(lab.measured(between))
    model = load_variant("adaptive-l1")
    with torch.no_grad():
        expected = model.encode(as_floats(lab.images[5:6]), beta=between.value)
    torch.testing.assert_close(lab.look(Specimen(5, 0.0), between).latents, expected[0], atol=1e-4, rtol=1e-4)


def test_latent_statistics_say_which_latents_are_on_for_which_class(lab: Lab) -> None:
    stop = Stop("l1-0.3", ".3")
    statistics = lab.statistics(stop)
    with torch.no_grad():
        activations = unit_activation(load_variant("l1-0.3").encode(as_floats(lab.images[:SAMPLE])))
    for label in (0, 7):
        of_class = activations[lab.labels[:SAMPLE] == label]
        torch.testing.assert_close(statistics.class_means[label], of_class.mean(0), atol=1e-6, rtol=1e-4)
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
    with pytest.raises(InputError, match=r"There is no sparsity method|A position of the slider is a whole number"):
        lab.stop_at(family, position)


@pytest.mark.parametrize("wrong", [{"position": None}, {"position": math.nan}, {"method": "l7"}, {"method": ["l1"]}])
def test_what_no_control_can_send_is_answered_with_an_error_message(lab: Lab, wrong: dict) -> None:
    with pytest.raises(InputError, match=r"; (got|there are)"):
        replace(opening(lab), **wrong).look(lab)


def test_the_means_are_those_of_the_first_test_images_under_the_same_noise(lab: Lab) -> None:
    stop = Stop("l1-1", "1")
    noisy = add_noise(as_floats(lab.images[:SEVERAL]), 0.4, noise_of(3))
    with torch.no_grad():
        means = unit_activation(load_variant("l1-1").encode(noisy)).mean(0)
    histogram = lab.means(stop, 0.4, 3)
    assert histogram.mean == pytest.approx(means.mean().item(), rel=1e-4)
    assert abs(histogram.zero - int((means == 0).sum())) <= 2
    assert lab.means(stop, 0.0, 3) != histogram


def test_an_edited_latent_changes_the_image_as_its_atom_says(lab: Lab) -> None:
    stop = Stop("l1-1", "1")
    model, look = load_variant("l1-1"), lab.look(Specimen(0, 0.3), stop)
    latent = int(look.latents.argmax())
    changed = lab.edited(look, stop, {latent: 0.0})
    logits = torch.logit(look.reconstruction.double()) - look.latents[latent] * model.dictionary[latent]
    torch.testing.assert_close(changed.reconstruction.double(), torch.sigmoid(logits), atol=1e-4, rtol=1e-3)
    assert changed.l0 == look.l0 - 1
    assert lab.edited(look, stop, {}).mse == look.mse
    torch.testing.assert_close(lab.atom(stop, latent), model.dictionary[latent])
    with pytest.raises(InputError, match="a whole number from 0 to 899"):
        lab.edited(look, stop, {900: 1.0})


def test_an_atom_of_the_lectures_network_is_what_a_latent_adds_to_all_others_off(lab: Lab) -> None:
    stop, model = Stop("lecture", "lecture"), load_variant("lecture")
    latents = torch.zeros(2, 900)
    latents[0, 5] = lab.statistics(stop).peak[5]
    with torch.no_grad():
        alone, none = model.logits(latents)
    torch.testing.assert_close(lab.atom(stop, 5), alone - none, atol=1e-4, rtol=1e-3)
