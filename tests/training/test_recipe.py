"""A recipe names what it makes, validates what it is given, and starts every run from the same weights."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from sae_model import L1, SparseAutoencoder, TopK
from sae_model.methods import METHODS
from training.data import Split, load_split
from training.fit.bundled_recipes import LECTURE, RECIPES
from training.fit.recipe import Recipe, asked_for, fine_tuning, for_any_range, tuned

SHORT = Recipe(sparsity=L1(0.1), latent_dim=60, epochs=2, batch_size=50)


@pytest.mark.parametrize("recipe", [*RECIPES, SHORT], ids=lambda recipe: recipe.name)
def test_a_recipe_comes_back_from_json(recipe: Recipe) -> None:
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_tuned_takes_what_method_and_architecture_say() -> None:
    for method in METHODS.values():
        recipe = tuned(method())
        assert all(getattr(recipe, name) == value for name, value in method().recipe().items())
        if method.betas:
            continue  # the lecture's network is trained for one
        lecture = tuned(replace(method(), k=5) if hasattr(method, "k") else method(), "lecture")
        assert lecture.learning_rate == 1e-4
        assert replace(lecture, latent_dim=30).new_model(torch.rand(40, 1, 28, 28)).architecture == "lecture"


WRONG = {
    "epochs": [0],
    "latent_dim": ["36"],
    "batch_size": [0],
    "limit": [0],
    "seed": [1.5, -1, 2**63],
    "noise": [-0.1, math.nan, math.inf],
    "squared_error": [-1],
    "load_balancing": [-1e-9],
    "weight_decay": [-1],
    "learning_rate": [0, math.nan],
    "gradient_norm": [0],
    "beta2": [1, -0.1],
}


@pytest.mark.parametrize("name", WRONG)
def test_a_recipe_validates_its_hyperparameters(name: str) -> None:
    for value in WRONG[name]:
        with pytest.raises(ValueError, match=rf"{name} is (a (whole )?number of at least|at least|above)"):
            Recipe(**{name: value})


def test_first_weights_follow_from_the_seed_and_the_images_alone(training_digits: Split) -> None:
    from_images = replace(SHORT, atoms_from_images=True)
    for recipe in (SHORT, from_images, replace(LECTURE, latent_dim=30)):
        started = []
        for state, seed in ((1, 0), (2, 0), (1, 1)):
            torch.manual_seed(state)
            started.append(replace(recipe, seed=seed).new_model(training_digits.images[:300]).state_dict())
        one, again, other = started
        assert all(torch.equal(one[name], again[name]) for name in one)
        assert not all(torch.equal(one[name], other[name]) for name in one)
    halves = training_digits.images[:300], training_digits.images[300:600]
    for recipe, same in ((SHORT, True), (from_images, False)):
        one, other = (recipe.new_model(half).network.atoms for half in halves)
        assert torch.equal(one, other) is same


def test_noise_suits_every_loss() -> None:
    assert asked_for(tuned(L1(0.3)), noise=0.3).step_loss == "mse"
    of_any_range = asked_for(tuned(L1(0.3)), "mse", 0.3, latent_dim=9)
    assert (of_any_range.loss, of_any_range.noise) == ("mse", 0.3)
    of_any_range.new_model(torch.randn(20, 5))  # or an error


def test_fine_tuning_keeps_the_sizes_and_takes_smaller_and_fewer_steps() -> None:
    pretrained = SparseAutoencoder(latent_dim=33, sparsity=L1(0.3))
    usual = tuned(TopK(5))
    recipe = fine_tuning(usual, "some/model", pretrained)
    assert (recipe.init, recipe.latent_dim, recipe.sparsity) == ("some/model", 33, TopK(5))
    assert recipe.architecture == "dictionary"
    assert recipe.epochs == max(1, usual.epochs // 4)
    assert recipe.learning_rate == usual.learning_rate / 2
    lecture = SparseAutoencoder(latent_dim=33, architecture="lecture")
    assert fine_tuning(LECTURE, "some/model", lecture).architecture == "lecture"


def first_steps(recipe: Recipe, images: Tensor) -> list[float]:
    return recipe.new_model(images).network.log_step.exp().tolist()


def test_the_first_steps_are_the_recipes_on_mnist_and_smaller_on_brighter_images() -> None:
    digits = load_split("mnist", "train").images
    for latent_dim in (30, 100, 900):
        assert first_steps(Recipe(latent_dim=latent_dim), digits) == pytest.approx([0.15] * 3)
    grey = torch.full((50, 1, 6, 6), 0.5)  # p (1 - p) is 0.25
    assert first_steps(Recipe(latent_dim=30), grey) == pytest.approx([0.15 * 0.0875 / 0.25] * 3)
    assert first_steps(for_any_range(Recipe(latent_dim=30)), torch.rand(50, 1, 6, 6)) == pytest.approx([0.5] * 3)
    assert first_steps(Recipe(latent_dim=30), torch.zeros(50, 1, 6, 6)) == pytest.approx([0.15] * 3)
