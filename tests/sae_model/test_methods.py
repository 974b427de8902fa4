"""The sparsity methods: words, hyperparameters, config.json, and that adding one takes one class."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sae_model import L1, AdaptiveL1, AdaptiveTopK, KLPerImage, KLPerNeuron, ModelLoadError, SparseAutoencoder, TopK
from sae_model.methods import METHODS, Sparsity, sparsity_from_config
from training.fit.recipe import tuned

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_method_says_all_that_is_shown_of_it(method: type[Sparsity]) -> None:
    for words in (method.kind, method.title, method.label, *method.ends, method.asks_for, method.purpose):
        assert isinstance(words, str)
        assert words.strip() == words != ""
    assert len(method.ends) == 2
    assert METHODS[method.kind] is method
    assert [other for other in METHODS.values() if other.title == method.title] == [method]
    assert sparsity_from_config({"kind": method.kind}) == method()  # what is not said is as by default
    for field in dataclasses.fields(method):
        assert field.metadata["help"].endswith(".")
    if method.hyperparameter is not None:
        assert method.hyperparameter in [field.name for field in dataclasses.fields(method)]
        assert len(method.bundled) > 1
        assert all(method.hyperparameter in values for values in method.bundled)
    assert method.joins is None or METHODS[method.joins].joins is None
    for values in (*method.bundled, *method.bundled_on_noise):
        tuned(method(**values))  # raises where a value or a field of the recipe is not there


WRONG = {
    "beta": ([L1], [-1, math.nan, math.inf, 10**400, "0.1", None, True], "beta is a number of at least 0"),
    "beta of every beta": ([AdaptiveL1], [0.02, 10.1, math.nan], "beta of adaptive-l1 lies between 0.03 and 10; got"),
    "target": (
        [KLPerImage, KLPerNeuron],
        [0, 1, -0.1, 1.5, math.nan, 10**400, "0.1", None, True],
        "A target rate lies between 0 and 1, both excluded",
    ),
    "k": ([TopK, AdaptiveTopK], [0, -3, 2.5, "25", None, True], "k is a whole number of at least 1"),
}


@pytest.mark.parametrize("hyperparameter", WRONG)
def test_a_hyperparameter_out_of_its_range_is_refused(hyperparameter: str) -> None:
    methods, values, words = WRONG[hyperparameter]
    for method, value in itertools.product(methods, values):
        with pytest.raises(ValueError, match=words):
            method(**{hyperparameter.partition(" ")[0]: value})


MINE = """
from dataclasses import dataclass

from sae_model.methods import Sparsity, method


@method
@dataclass(frozen=True)
class Mine(Sparsity):
    strength: float = 0.5
    kind = "mine"
    title = "My own"
    label = "Strength"
    ends = ("weak", "strong")
    asks_for = "a low mean square of the latents"
    purpose = "to try one's own"
    hyperparameter = "strength"
    bundled = tuple({"strength": strength} for strength in (1.0, 2.0))

    def penalty(self, latents):
        return self.strength * latents.square().mean()

    def recipe(self):
        return {"batch_size": 50}
"""
SCRIPT = (
    MINE
    + """
import sys

from training.cli import main
from training.draw.model_charts import bundled_points
from training.fit.bundled_recipes import RECIPES, family_title
from sae_model import SparseAutoencoder

folder = sys.argv[-1]
try:
    main()
except SystemExit as done:
    assert not done.code, done.code
loaded = SparseAutoencoder.from_pretrained(folder)
assert loaded.sparsity == Mine(2.0), loaded.sparsity
assert family_title("mine") == "My own"
assert {"mine-1", "mine-2"} <= {recipe.name for recipe in RECIPES}
assert bundled_points()  # the bundle does not hold it yet
"""
)


def test_a_method_is_added_by_one_class(tmp_path: Path, few_digits: Path) -> None:
    """Trained by the command line, described by the card, loaded again; and refused where it is not known."""
    (tmp_path / "script.py").write_text(SCRIPT)
    options = ["--strength", "2", "--limit", "600", "--epochs", "1", "--latent-dim", "40", "--data-dir", few_digits]
    folder = tmp_path / "model"
    command = [sys.executable, tmp_path / "script.py", "fit", "--sparsity", "mine", *options, "--output", folder]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads((folder / "config.json").read_text())["sparsity"] == {"kind": "mine", "strength": 2.0}
    recipe = json.loads((folder / "recipe.json").read_text())
    assert (recipe["sparsity"], recipe["batch_size"]) == ({"kind": "mine", "strength": 2.0}, 50)
    card = (folder / "README.md").read_text()
    assert "# mine-2\n" in card
    assert "Sparsity method: My own (strength = 2). It asks for a low mean square of the latents.\n" in card
    assert "Use it to try one's own." in card
    assert "plus 0.01 times a load-balancing loss plus the penalty of the sparsity method.\n" in card
    with pytest.raises(ModelLoadError, match=r"Unknown sparsity method: 'mine'\. Known ones: none, l1, ") as caught:
        SparseAutoencoder.from_pretrained(folder)
    assert "\n" not in str(caught.value)
