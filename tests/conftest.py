"""Shared by all tests: the test digits, and one model that was really trained, briefly."""

from __future__ import annotations

import pytest
import torch

from sae_model import L1, SparseAutoencoder
from training.data import Split, load_split
from training.loop import fit
from training.recipe import Recipe

BRIEF = Recipe(sparsity=L1(0.1), limit=12_000, epochs=4, batch_size=64, hidden_dim=128)


@pytest.fixture(scope="session")
def digits() -> Split:
    """The 10,000 test digits."""
    return load_split("mnist", train=False)


@pytest.fixture(scope="session")
def training_digits() -> Split:
    """The training digits that `BRIEF` asks for."""
    return load_split("mnist", train=True, limit=BRIEF.limit)


@pytest.fixture(scope="session")
def brief_model(training_digits: Split) -> SparseAutoencoder:
    """A model after a few seconds of training; tests must not change it."""
    model = BRIEF.new_model()
    for _ in fit(model, training_digits.images, BRIEF):
        pass
    return model


@pytest.fixture
def tiny_model() -> SparseAutoencoder:
    """A small model with random weights, free to be changed."""
    torch.manual_seed(1)
    return SparseAutoencoder(latent_dim=30, hidden_dim=16, sparsity=L1(0.1)).eval()
