"""The lecture's figures of one model, for print."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from sae_model import SparseAutoencoder

from ..data import About, Split, add_noise, as_floats
from ..measure.evaluation import Evaluation, activations_of, known
from ..measure.histogram import histogram_of
from ..measure.history import Epoch
from ..measure.latent_statistics import LatentStatistics, latent_statistics
from ..words import say
from .card_image import GAP, as_pictures, as_sheet, examples, squares, value_range
from .model_charts import (
    Point,
    bundled_points,
    cost_figure,
    frontier_figure,
    histogram_figure,
    history_figure,
    new_figure,
)

SIGMAS = (0.0, 0.3, 0.6)


def draw_report(
    model: SparseAutoencoder,
    evaluation: Evaluation,
    test: Split,
    about: About,
    history: Sequence[Epoch] = (),
) -> Iterator[tuple[str, Figure]]:
    """Every figure of one model, as (file name without ending, figure), each drawn when it is asked for.

    Without classes there are no class maps, without a history no chart of it, and without the bundled models no
    frontier.
    """
    activations = activations_of(model, test.images)
    histograms = histogram_of(activations), histogram_of(activations.mean(0))
    yield "activation-histograms", histogram_figure(*histograms)
    yield "activation-histograms-linear", histogram_figure(*histograms, linear=True)
    yield "reconstructions", reconstructions(model, examples(test), about.title)
    if len(about.classes) > 1:
        statistics = latent_statistics(model, test.images, test.labels, len(about.classes))
        yield "class-maps", class_maps(statistics, about)
    if history:
        yield "history", history_figure(history, say("figures.history", title=about.title))
    this = say("figures.this_model")
    yield "cost-of-a-rate", cost_figure(getattr(model.sparsity, "target", 0.1), this, evaluation.mean_activation)
    others = bundled_points()
    if others:
        points = [*others, Point(this, "", evaluation.effective_l0, known(evaluation.fvu))]
        note = say("figures.frontier-note", title=about.title) if about.title != "MNIST" else ""
        yield "frontier", frontier_figure(points, len(others), say("figures.frontier"), note)


@torch.inference_mode()
def reconstructions(model: SparseAutoencoder, images: Tensor, title: str) -> Figure:
    """Ten images (10, *image_shape) at some levels of noise, each above what the model makes of it."""
    device = next(model.parameters()).device
    clean = as_floats(images)
    figure = new_figure(say("figures.reconstructions", title=title), 10, 0.3 + 2.3 * len(SIGMAS))
    rows, names = [], []
    for sigma in SIGMAS:
        noisy = add_noise(clean, sigma, torch.Generator().manual_seed(0))
        rows += [noisy, model.decode(model.encode(noisy.to(device))).cpu()]
        names += [say("figures.sigma", sigma=sigma), say("figures.reconstruction")]
    pictures = as_pictures(torch.cat(rows), *value_range(model.output, clean))
    sheet, height = as_sheet(F.pad(pictures, (GAP, 0, GAP, 0), value=1.0), len(clean)), pictures.shape[2] + GAP
    ax = figure.subplots()
    ax.imshow(sheet, cmap="gray", vmin=0, vmax=255)
    ax.set(xticks=[], yticks=[(row + 0.5) * height for row in range(len(names))], yticklabels=names)
    return figure


def class_maps(statistics: LatentStatistics, about: About) -> Figure:
    """The mean activation of every latent for each class, all on one scale, 900 latents as 30 x 30."""
    columns = min(5, len(about.classes))
    rows = math.ceil(len(about.classes) / columns)
    figure = new_figure(say("figures.class-maps", title=about.title), max(6.5, 1 + 2 * columns), 0.5 + 2.5 * rows)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for unused in axes[len(about.classes) :]:
        unused.remove()
    axes = axes[: len(about.classes)]
    highest = max(statistics.class_means.max().item(), 1e-6)
    for ax, means, name in zip(axes, squares(statistics.class_means, math.nan), about.classes, strict=True):
        image = ax.imshow(means.numpy(), cmap="inferno", vmin=0, vmax=highest)
        ax.set_title(name, parse_math=False)  # it may have a $ in it
        ax.set(xticks=[], yticks=[])
    figure.colorbar(image, ax=list(axes), label=say("figures.class-maps-bar"))
    return figure
