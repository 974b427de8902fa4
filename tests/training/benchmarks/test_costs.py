"""The cost of training is measured point by point, and images are in memory once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sae_model import L1
from training.benchmarks.costs import Cost, costs_table, measure_cost
from training.benchmarks.machine import in_own_process
from training.data import load_split
from training.fit.recipe import Recipe


@pytest.mark.slow
def test_images_are_in_memory_once() -> None:
    """45,000 images more are 35 MB more; so many that the allocator's own part, which varies by 5 MB, is small."""
    train, tiny = load_split("mnist", "train").images, Recipe(L1(0.1), latent_dim=30, epochs=1)
    few, many = (in_own_process(measure_cost, tiny, train[:count].clone()) for count in (5_000, 50_000))
    assert (few.images, few.latents) == (5_000, 30)
    assert 0.8 * 784 < (many.peak_bytes - few.peak_bytes) / 45_000 < 1.5 * 784


def test_the_table_has_every_measurement() -> None:
    cost = Cost(1_000, 900, 1.25, 50_000_000)
    assert "| 1,000 | 900 | 1.25 | 50 |\n| 1,000 | 300 | 1.25 | 50 |" in costs_table([cost, replace(cost, latents=300)])
