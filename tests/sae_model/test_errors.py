"""Numbers that come out of numpy and torch are numbers, wherever one is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
import torch

from sae_model import L1, KLPerImage, SparseAutoencoder, TopK
from sae_model.errors import is_integer, is_number, plain
from training.fit.recipe import Recipe


@pytest.mark.parametrize("whole", [np.int64, np.uint8, np.array, torch.tensor])
def test_sizes_and_k_may_come_out_of_an_array(whole: Callable) -> None:
    model = SparseAutoencoder(whole(30), TopK(k=whole(5)), image_shape=(whole(1), whole(8), whole(6)))
    assert json.dumps(model.config()) == json.dumps(SparseAutoencoder(30, TopK(5), image_shape=(1, 8, 6)).config())
    assert SparseAutoencoder(30, image_shape=whole([1, 8, 6])).image_shape == (1, 8, 6)
    images, k = torch.rand(4, 1, 8, 6), [1, 30, 2, 3]
    assert torch.equal(model.encode(images, k=whole(3)), model.encode(images, k=3))
    assert torch.equal(model.encode(images, k=np.array(k)), model.encode(images, k=torch.tensor(k)))
    recipe = Recipe(TopK(k=whole(5)), epochs=whole(2), latent_dim=whole(30), seed=whole(7), limit=whole(100))
    same = Recipe(TopK(5), epochs=2, latent_dim=30, seed=7, limit=100)
    assert json.dumps(recipe.to_dict()) == json.dumps(same.to_dict())


@pytest.mark.parametrize("number", [np.float16, np.float64, torch.tensor])
def test_hyperparameters_may_come_out_of_an_array(number: Callable) -> None:
    recipe = Recipe(KLPerImage(target=number(0.25), beta=number(0.5)), noise=number(0.25))
    assert json.dumps(recipe.to_dict()) == json.dumps(Recipe(KLPerImage(0.25, 0.5), noise=0.25).to_dict())


def test_what_is_no_number_stays_none() -> None:
    for value in (True, np.bool_(True), torch.tensor(True), "3", np.array([3]), None, 3.5, np.float32(3)):
        assert not is_integer(plain(value))
    for value in (np.nan, np.float32("inf"), torch.tensor(float("nan")), np.array("3"), np.datetime64("2020")):
        assert not is_number(plain(value))
    with pytest.raises(ValueError, match="latent_dim is a whole number"):
        SparseAutoencoder(np.float32(30))
    with pytest.raises(ValueError, match="beta is a number of at least 0"):
        L1(np.float32("nan"))
