"""What the page shows, without the page; and what the browser is told of it."""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sae_model import L1, effective_l0, list_variants, load_variant, unit_activation
from sae_model.bundle import BUNDLE
from space.errors import InputError
from space.index import labelled
from space.lab import Lab, Specimen
from space.noise import noise
from tests.sae_model.test_methods import MINE
from tests.space.server import ROOT
from training.data import as_floats
from training.fit.bundled_recipes import FAMILIES

APART = {"lecture", "batch-topk", "jumprelu", "matryoshka"}
"""Models that stand beside their slider."""


def test_a_look_is_what_the_model_says(lab: Lab) -> None:
    clean = lab.images[42:43].double() / 255
    for stop in (lab.stop("lecture"), *map(lab.first, lab.families)):
        look, model = lab.look(Specimen(42, 0.0), stop.key), load_variant(stop.model).double()
        latents = model.encode(clean, **stop.arguments)
        reconstruction, activations = model.decode(latents), unit_activation(latents)
        assert torch.equal(look.clean, clean[0])
        assert torch.equal(look.noisy, clean[0])
        torch.testing.assert_close(look.reconstruction, reconstruction[0])
        assert look.mean_activation == pytest.approx(activations.mean().item(), rel=1e-4)
        assert look.mse == pytest.approx(((reconstruction - clean) ** 2).mean().item())
        assert look.psnr == pytest.approx(-10 * math.log10(look.mse))
        torch.testing.assert_close(look.latents, latents[0])


def test_the_peak_is_as_wide_as_the_range_of_the_data(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "range", (-1.0, 3.0))
    look = lab.look(Specimen(42, 0.0), "dense")
    assert look.psnr == pytest.approx(10 * math.log10(16 / look.mse))


def test_only_sigma_changes_when_sigma_changes(lab: Lab) -> None:
    drawn = {}
    for sigma in (0.2, 0.8):
        look = lab.look(Specimen(3, sigma, 7), "dense")
        drawn[sigma] = look.noisy - look.clean
    torch.testing.assert_close(drawn[0.8], 4 * drawn[0.2], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(drawn[0.2].double(), 0.2 * noise(7, (1, 28, 28)), atol=1e-6, rtol=1e-5)
    other = lab.look(Specimen(3, 0.2, 8), "dense")
    assert not torch.equal(other.noisy - other.clean, drawn[0.2])


WRONG = {
    "digit": ((-1, 10_000, 1.5, True, None), "digit_index must be a whole number from 0 to 9999"),
    "sigma": ((-0.1, 1.1, math.nan, "0.3"), "sigma must be a number from 0 to 1"),
    "seed": ((-1, 2**40), "seed must be a whole number"),
    "key": (("l1-none", ["dense"]), "There is no variant .*; the variants are: dense"),
}


def test_wrong_arguments_end_in_an_error_message(lab: Lab) -> None:
    for name, (wrong, words) in WRONG.items():
        for value in wrong:
            arguments = {"digit": 0, "sigma": 0.3, "seed": 0, "key": "dense"} | {name: value}
            key = arguments.pop("key")
            with pytest.raises(InputError, match=words):
                lab.look(Specimen(**arguments), key)


def test_every_variant_has_a_stop_and_every_family_a_slider(lab: Lab) -> None:
    assert list(lab.families) == [family for family in FAMILIES if family != "lecture"]
    assert {stop.model for stops in lab.families.values() for stop in stops} == set(list_variants())
    assert all(len(stops) >= 2 for stops in lab.families.values())
    assert [stop.label for stop in lab.families["topk"]] == ["10", "25", "50", "batch-topk", "jumprelu", "matryoshka"]
    assert [stop.label for stop in lab.families["kl-image"]] == [".02", ".05", ".1", ".2"]
    betas = [f"{values['beta']:g}".removeprefix("0") for values in L1.bundled]
    assert [stop.label for stop in lab.families["l1"]] == ["dense", *betas, "lecture"]
    assert [stop.label for stop in lab.families["noise"]] == ["l1-0.1", "+0.6"]
    before_and_after = [stop.model for stop in lab.families["noise"]]
    assert before_and_after[1::2] == [f"{name}-noise-0.6" for name in before_and_after[::2]]
    for family, stops in lab.families.items():  # which starts where the error with noise is lowest
        stops = [stop for stop in stops if stop.label and stop.label not in APART]
        assert lab.first(family) == min(stops, key=lambda stop: lab.evaluation(stop).denoise_mse["0.3"])


def test_the_browser_is_told_metrics_penalties_thresholds_and_what_stands_apart(lab: Lab, index: dict) -> None:
    stops = index["stops"]
    assert stops.keys() == {stop.key for stop in labelled(lab)}
    for stop in labelled(lab):
        e, there = lab.evaluation(stop), stops[stop.key]["evaluation"]
        assert there["mse"] == pytest.approx(e.mse, rel=1e-5)
        assert there["denoise_mse"] == pytest.approx(e.denoise_mse["0.3"], rel=1e-5)
        assert there["l0_by_class"] == pytest.approx(e.l0_by_class, rel=1e-5)
        assert len(there["mean_activation_by_class"]) == 10
    assert stops["kl-image-0.02"]["penalty"] == {"of": "divergence", "weight": 20, "target": 0.02}
    assert stops["adaptive-l1, beta = 3"]["penalty"] == {"of": "mean", "weight": 3, "target": None}
    assert stops["kl-neuron-0.05"]["penalty"] is None
    assert {key for key, stop in stops.items() if stop["apart"]} == APART


def test_the_slider_of_the_model_for_every_beta_goes_evenly_and_is_measured_at_some(lab: Lab, index: dict) -> None:
    stops = lab.families["adaptive-l1"]
    betas = [stop.value for stop in stops]
    assert (betas[0], betas[-1], len(betas)) == (0.03, 10, 401)
    assert all(1 < later / earlier < 1.02 for earlier, later in itertools.pairwise(betas))
    assert [stop.label for stop in stops if stop.label] == [".03", ".1", ".3", "1", "3", "10"]
    looks = [lab.look(Specimen(5, 0.0), stop.key) for stop in stops[::20]]
    carried = effective_l0(torch.stack([look.latents for look in looks])).tolist()
    assert all(later < 1.1 * earlier for earlier, later in itertools.pairwise(carried))
    assert carried[0] > 10 * carried[-1]
    between = stops[170]
    model = load_variant("adaptive-l1")
    with torch.no_grad():
        expected = model.encode(as_floats(lab.images[5:6]), beta=between.value)
    found = lab.look(Specimen(5, 0.0), between.key).latents.float()
    torch.testing.assert_close(found, expected[0], atol=1e-4, rtol=1e-4)
    (family,) = (family for family in index["families"] if "range" in family)
    assert family["stops"] == [stop.key for stop in stops if stop.label]
    places = family["range"]
    assert (places["model"], places["argument"], places["values"]) == ("adaptive-l1", "beta", betas)
    for stop in stops:
        assert stop.key == f"adaptive-l1, beta = {json.dumps(stop.value).removesuffix('.0')}"  # as a browser writes it


def test_stops_of_the_model_for_every_k_keep_that_many(lab: Lab) -> None:
    stops = lab.families["adaptive-topk"]
    assert (stops[0].value, stops[-1].value) == (1, 200)
    for stop in stops:
        assert lab.look(Specimen(5, 0.0), stop.key).latents.count_nonzero() <= stop.value
        assert lab.evaluation(stop).l0 <= stop.value


SCRIPT = """
import json, sys
from pathlib import Path

import sae_model.bundle

sae_model.bundle.BUNDLE = Path(sys.argv[1])  # before anything else imports it

from space.files import Files
from space.lab import Lab
from training.data import load_split
from training.measure.evaluation import Evaluation
from training.publish.record import Record
from training.fit.bundled_recipes import RECIPES

images, evaluation = load_split("mnist", "test", limit=100).images, Evaluation.read(Path(sys.argv[2]))
for recipe in RECIPES:
    if recipe.name in ("dense", "l1-3", "mine-1", "mine-2"):
        recipe.new_model(images).save_pretrained(sae_model.bundle.BUNDLE / recipe.name)
        Record(recipe, {}, 100, evaluation).write(sae_model.bundle.BUNDLE / recipe.name)
files = Files(Lab(), None)
index = json.loads(files.table["lab.json"].body)
assert [family["key"] for family in index["families"]] == ["l1", "mine"]
assert [index["stops"][key]["label"] for key in index["families"][1]["stops"]] == ["1", "2"]
assert index["methods"][-1] == {"kind": "mine", "hyperparameter": "strength", "values": ["1", "2"]}
for code in ("en", "ru"):  # the second without words of its own
    words = json.loads(files.table[f"words/{code}.json"].body)
    assert words["family.mine.title"] == words["method.mine.title"] == "My own"
    assert (words["family.mine.label"], words["family.mine.ends.1"]) == ("Strength", "strong")
    assert words["method.mine.asks_for"] == "a low mean square of the latents"
print("shown")
"""


def test_a_new_sparsity_method_appears_on_the_page_by_itself(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MINE + SCRIPT, tmp_path, BUNDLE / "dense" / "evaluation.json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "shown\n", done.stderr
