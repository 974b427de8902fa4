"""How the cost of training grows with images and with latents, as a table.

Each point is measured in its own process, so that none finds the memory of another.
"""

from __future__ import annotations

import time
from dataclasses import replace

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


def costs_table() -> str:
    """Measure every point, in a minute or two, with a bar; as Markdown.

    Raises:
        UserError: the memory cannot be read here.
    """
    train, rows = load_split(RECIPE.dataset, "train").images, []
    for images, latents in tqdm(SIZES, desc="costs", unit=" points"):
        recipe = replace(RECIPE, latent_dim=latents)
        seconds, memory = in_own_process(measure_cost, recipe, train[:images].clone())
        rows.append([f"{images:,}", f"{latents:,}", f"{seconds:.2f}", f"{memory / 1e6:,.0f}"])
    return as_markdown(["images", "latents", "seconds an epoch", "peak memory, MB"], rows)


def measure_cost(recipe: Recipe, images: Tensor) -> tuple[float, int]:
    """What the recipe costs on images as bytes, in a process that did nothing else before.

    Returns:
        The least seconds of three trainings, each of a fresh model; and the most memory that the process held, images
        and training, beyond what it held when it had imported everything, in bytes.
    """
    memory, seconds = peak_bytes(), []
    for _ in range(REPEATS):
        model = recipe.new_model(images)
        began = time.perf_counter()
        for _progress in fit(model, images, recipe):
            pass
        seconds.append(time.perf_counter() - began)
    return min(seconds), peak_bytes() - memory
