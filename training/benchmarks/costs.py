"""How the cost of training grows with images and with latents, as a table.

Each point is measured in its own process, so that none finds the memory of another.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from torch import Tensor
from tqdm import tqdm

from sae_model import L1

from ..data import load_split
from ..fit.loop import fit
from ..fit.recipe import Recipe, tuned
from ..publish.card import as_markdown
from .machine import in_own_process, peak_bytes

SIZES = ((7_500, 900), (15_000, 900), (30_000, 900), (55_000, 900), (15_000, 225), (15_000, 1_800), (15_000, 3_600))
"""Images and latents."""
REPEATS = 3
RECIPE = replace(tuned(L1(0.3)), epochs=1)


@dataclass(frozen=True)
class Cost:
    """What one epoch costs."""

    images: int
    latents: int
    seconds: float
    """The least of three epochs, each of a fresh model."""
    peak_bytes: int
    """The most that the process held, images and training, beyond what it held when it had imported everything."""


def measure_costs() -> list[Cost]:
    """Measure every point, in a minute or two, with a bar.

    Raises:
        UserError: the memory cannot be read here.
    """
    train = load_split(RECIPE.dataset, "train").images
    return [
        in_own_process(measure_cost, replace(RECIPE, latent_dim=latents), train[:images].clone())
        for images, latents in tqdm(SIZES, desc="costs", unit=" points")
    ]


def measure_cost(recipe: Recipe, images: Tensor) -> Cost:
    """What the recipe costs on images as bytes. Memory is right in a process that did nothing else before."""
    memory, seconds = peak_bytes(), []
    for _ in range(REPEATS):
        model = recipe.new_model(images)
        began = time.perf_counter()
        for _progress in fit(model, images, recipe):
            pass
        seconds.append(time.perf_counter() - began)
    return Cost(len(images), recipe.latent_dim, min(seconds), peak_bytes() - memory)


def costs_table(costs: list[Cost]) -> str:
    """The measurements as Markdown."""
    rows = [[f"{c.images:,}", f"{c.latents:,}", f"{c.seconds:.2f}", f"{c.peak_bytes / 1e6:,.0f}"] for c in costs]
    return as_markdown(["images", "latents", "seconds an epoch", "peak memory, MB"], rows)
