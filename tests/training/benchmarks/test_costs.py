"""The cost of training: images are in memory once."""

from __future__ import annotations

import pytest

from sae_model import L1
from training.benchmarks.costs import measure_cost
from training.benchmarks.machine import in_own_process
from training.data import load_split
from training.fit.recipe import Recipe


@pytest.mark.slow
def test_images_are_in_memory_once() -> None:
    """45,000 images more are 35 MB more; so many that the allocator's own part, which varies by 5 MB, is small."""
    train, tiny = load_split("mnist", "train").images, Recipe(L1(0.1), latent_dim=30, epochs=1)
    few, many = (in_own_process(measure_cost, tiny, train[:count].clone())[1] for count in (5_000, 50_000))
    assert 0.8 * 784 < (many - few) / 45_000 < 1.5 * 784
