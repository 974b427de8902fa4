"""Numbers that come out of numpy and torch are numbers, wherever one is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from sae_model import L1, KLPerImage, SparseAutoencoder, TopK
from sae_model.errors import is_integer, is_number, plain
from training.fit.recipe import Recipe

WHOLE = {
    "np.int64": np.int64,
    "np.int32": np.int32,
    "np.uint8": np.uint8,
    "no axes": np.array,
    "torch": torch.tensor,
    "an element": lambda number: np.arange(number, number + 2)[0],
}
NUMBERS = {"np.float16": np.float16, "np.float32": np.float32, "np.float64": np.float64, "torch": torch.tensor}


def saved(model: SparseAutoencoder, folder: Path) -> SparseAutoencoder:
    model.save_pretrained(folder)
    return SparseAutoencoder.from_pretrained(folder)


@pytest.mark.parametrize("kind", WHOLE)
def test_sizes_and_k_may_come_out_of_an_array(tmp_path: Path, kind: str) -> None:
    whole = WHOLE[kind]
    model = SparseAutoencoder(whole(30), TopK(k=whole(5)), image_shape=(whole(1), whole(8), whole(6)))
    loaded = saved(model, tmp_path / "model")
    assert loaded.config() == model.config() == SparseAutoencoder(30, TopK(5), image_shape=(1, 8, 6)).config()
    images = torch.rand(4, 1, 8, 6)
    assert torch.equal(model.encode(images, k=whole(3)), model.encode(images, k=3))
    recipe = Recipe(TopK(k=whole(5)), epochs=whole(2), latent_dim=whole(30), seed=whole(7), limit=whole(100))
    assert json.dumps(recipe.to_dict()) == json.dumps(
        Recipe(TopK(5), epochs=2, latent_dim=30, seed=7, limit=100).to_dict()
    )


@pytest.mark.parametrize("kind", NUMBERS)
def test_hyperparameters_may_come_out_of_an_array(tmp_path: Path, kind: str) -> None:
    number = NUMBERS[kind]
    model = SparseAutoencoder(30, KLPerImage(target=number(0.25), beta=number(0.5)), image_shape=(1, 8, 8))
    assert saved(model, tmp_path / "model").sparsity == KLPerImage(0.25, 0.5)
    assert Recipe(L1(number(0.5)), noise=number(0.25)).to_dict() == Recipe(L1(0.5), noise=0.25).to_dict()


@pytest.mark.parametrize("as_shape", [np.array, torch.tensor, torch.Size, list])
def test_an_image_shape_may_be_that_of_an_array(tmp_path: Path, as_shape: Callable) -> None:
    model = SparseAutoencoder(30, image_shape=as_shape([3, 8, 6]))
    assert model.image_shape == saved(model, tmp_path / "model").image_shape == (3, 8, 6)


def test_each_image_may_have_a_k_out_of_an_array() -> None:
    model = SparseAutoencoder(30, TopK(5), image_shape=(1, 8, 8))
    images, k = torch.rand(4, 1, 8, 8), [1, 30, 2, 3]
    assert torch.equal(model.encode(images, k=np.array(k)), model.encode(images, k=torch.tensor(k)))
    with pytest.raises(ValueError, match="one whole number, or one for each of 4 images"):
        model.encode(images, k=np.array([1.0, 2.0, 3.0, 4.0]))


def test_what_is_no_number_stays_none() -> None:
    for value in (True, np.bool_(True), torch.tensor(True), "3", np.array([3]), None, 3.5, np.float32(3)):
        assert not is_integer(plain(value))
    for value in (np.nan, np.float32("inf"), torch.tensor(float("nan")), np.array("3"), np.datetime64("2020")):
        assert not is_number(plain(value))
    with pytest.raises(ValueError, match="latent_dim is a whole number"):
        SparseAutoencoder(np.float32(30))
    with pytest.raises(ValueError, match="beta is a number of at least 0"):
        L1(np.float32("nan"))
