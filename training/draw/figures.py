"""The lecture's figures of one model, for print: charts as SVG, and grids of images as matplotlib figures.

Those are made without pyplot, so that threads can draw at once and nothing piles up.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from sae_model import SparseAutoencoder
from training.data import About, Split, add_noise, as_floats
from training.draw.card_image import as_pictures, examples, value_range
from training.draw.histograms import activation_charts, histogram_of
from training.draw.history_charts import history_charts
from training.draw.model_charts import (
    Point,
    bundled_points,
    cost_chart,
    cost_keys,
    cost_note,
    frontier_chart,
    frontier_keys,
)
from training.draw.svg_file import standalone
from training.measure.evaluation import Evaluation, activations_of
from training.measure.history import Epoch
from training.measure.latent_statistics import LatentStatistics, latent_statistics
from training.words import say

SIGMAS = (0.0, 0.3, 0.6)


def draw_report(
    model: SparseAutoencoder,
    evaluation: Evaluation,
    test: Split,
    about: About,
    history: Sequence[Epoch] = (),
    k: int | None = None,
) -> Iterator[tuple[str, str | Figure]]:
    """Every figure of one model, as (file name without ending, SVG file or figure), each drawn when it is asked for.

    Args:
        model: the model.
        evaluation: its metrics on the test split.
        test: the test split.
        about: what is known about its data set. Without classes there are no class maps.
        history: the metrics of its training, if they are known.
        k: as in `model.encode`.
    """
    activations = activations_of(model, test.images, k)
    histograms = histogram_of(activations), histogram_of(activations.mean(0))
    name = "activation-histograms"
    yield name, standalone(say("figures.activation-histograms"), activation_charts(*histograms))
    charts = activation_charts(*histograms, linear=True)
    yield f"{name}-linear", standalone(say("figures.activation-histograms-linear"), charts)
    yield "reconstructions", reconstructions(model, examples(test), about.title, k)
    if len(about.classes) > 1:
        yield "class-maps", class_maps(latent_statistics(model, test.images, test.labels, k, len(about.classes)), about)
    if history:
        yield "history", standalone(say("figures.history", title=about.title), history_charts(history))
    target = getattr(model.sparsity, "target", 0.1)
    this = say("figures.this_model")
    costs = cost_chart(target, (this, evaluation.mean_activation))
    yield "cost-of-a-rate", standalone(say("figures.cost-of-a-rate"), [costs], cost_keys(), cost_note(target))
    points = [*bundled_points(), Point(this, this, evaluation.effective_l0, evaluation.fvu)]
    chart = frontier_chart(points, len(points) - 1)
    yield (
        "frontier",
        standalone(
            say("figures.frontier"),
            [chart],
            frontier_keys(points, say("families.this")),
            say("figures.frontier-note", title=about.title) if about.title != "MNIST" else "",
        ),
    )


@torch.inference_mode()
def reconstructions(
    model: SparseAutoencoder, images: Tensor, title: str, k: int | None = None, sigmas: tuple[float, ...] = SIGMAS
) -> Figure:
    """Ten images (10, *image_shape) at some levels of noise, each above what the model makes of it."""
    device = next(model.parameters()).device
    clean = as_floats(images)
    figure = Figure(figsize=(10, 0.3 + 2.3 * len(sigmas)), layout="constrained")
    axes = figure.subplots(2 * len(sigmas), len(clean))
    for level, sigma in enumerate(sigmas):
        noisy = add_noise(clean, sigma, torch.Generator().manual_seed(0))
        reconstructed = model.decode(model.encode(noisy.to(device), k)).cpu()
        for row, shown, what in (
            (2 * level, noisy, say("figures.sigma", sigma=sigma)),
            (2 * level + 1, reconstructed, say("figures.reconstruction")),
        ):
            pictures = as_pictures(shown, *value_range(model.output, clean)).permute(0, 2, 3, 1)
            for ax, picture in zip(axes[row], pictures.numpy(), strict=True):
                ax.imshow(picture, cmap="gray", vmin=0, vmax=1)
                ax.set(xticks=[], yticks=[])
            axes[row][0].set_ylabel(what)
    figure.suptitle(say("figures.reconstructions", title=title))
    return figure


def class_maps(statistics: LatentStatistics, about: About) -> Figure:
    """The mean activation of every latent for each class, all on one scale, 900 latents as 30 x 30."""
    rows = math.ceil(len(about.classes) / 5)
    figure = Figure(figsize=(11, 2.5 * rows), layout="constrained")
    axes = figure.subplots(rows, 5, squeeze=False).ravel()
    for unused in axes[len(about.classes) :]:
        unused.remove()
    axes = axes[: len(about.classes)]
    highest = max(statistics.class_means.max().item(), 1e-6)
    for ax, means, name in zip(axes, statistics.class_means, about.classes, strict=True):
        image = ax.imshow(as_square(means.numpy()), cmap="inferno", vmin=0, vmax=highest)
        ax.set(title=name, xticks=[], yticks=[])
    figure.colorbar(image, ax=list(axes), label=say("figures.class-maps-bar"))
    figure.suptitle(say("figures.class-maps", title=about.title))
    return figure


def as_square(values: np.ndarray) -> np.ndarray:
    """Values of all latents (latent_dim,) as a square map, padded with NaN where they do not fill it."""
    side = int(np.ceil(np.sqrt(len(values))))
    square = np.full(side * side, np.nan)
    square[: len(values)] = values
    return square.reshape(side, side)
