"""The lecture's figures, for print: matplotlib figures of an Evaluation, of latent statistics, or of a model.

Colours are told apart by lightness and by shape as well as by hue. Figures are made without pyplot, so that threads
can draw at once and nothing piles up.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from sae_model import SparseAutoencoder, bernoulli_kl
from sae_model.zoo import ZOO
from training.card_image import one_of_each
from training.data import Split, add_noise, as_floats
from training.evaluation import BINS, Evaluation
from training.latent_statistics import LatentStatistics, latent_statistics
from training.zoo import FAMILIES, RECIPES

BLUE, ORANGE, GREY = "#1d4ed8", "#b45309", "#52525b"
MARKERS = "osD^vP*X"
SIGMAS = (0.0, 0.3, 0.6)


def draw_report(
    model: SparseAutoencoder, evaluation: Evaluation, test: Split, classes: Sequence[str], k: int | None = None
) -> Iterator[tuple[str, Figure]]:
    """Every figure of one model, as (file name without ending, figure), each drawn when it is asked for.

    Args:
        model: the model.
        evaluation: its metrics on the test split.
        test: the test split.
        classes: the names of its classes.
        k: as in `model.encode`.
    """
    yield "activation-histograms", activation_histograms(evaluation)
    yield "reconstructions", reconstructions(model, one_of_each(test), k)
    yield "class-maps", class_maps(latent_statistics(model, test.images, test.labels, k), classes)
    target = getattr(model.sparsity, "target", 0.1)
    yield "cost-of-a-rate", cost_curves(target, evaluation.mean_activation)
    yield "frontier", frontier(evaluation)


@torch.inference_mode()
def reconstructions(
    model: SparseAutoencoder, images: Tensor, k: int | None = None, sigmas: tuple[float, ...] = SIGMAS
) -> Figure:
    """Ten images (10, 1, 28, 28) at some levels of noise, each above what the model makes of it."""
    device = next(model.parameters()).device
    clean = as_floats(images)
    figure = Figure(figsize=(10, 0.3 + 2.3 * len(sigmas)), layout="constrained")
    axes = figure.subplots(2 * len(sigmas), len(clean))
    for level, sigma in enumerate(sigmas):
        noisy = add_noise(clean, sigma, torch.Generator().manual_seed(0))
        reconstructed = model.decode(model.encode(noisy.to(device), k)).cpu()
        for row, shown, what in (
            (2 * level, noisy, f"sigma {sigma:g}"),
            (2 * level + 1, reconstructed, "reconstruction"),
        ):
            for ax, image in zip(axes[row], shown, strict=True):
                ax.imshow(image[0].clamp(0, 1).numpy(), cmap="gray", vmin=0, vmax=1)
                ax.set(xticks=[], yticks=[])
            axes[row][0].set_ylabel(what)
    figure.suptitle("Noisy digits, and what the model makes of them")
    return figure


def class_maps(statistics: LatentStatistics, classes: Sequence[str]) -> Figure:
    """The mean activation of every latent for each class, all on one scale, 900 latents as 30 x 30."""
    figure = Figure(figsize=(11, 5), layout="constrained")
    axes = figure.subplots(2, 5).ravel()
    highest = max(statistics.class_means.max().item(), 1e-6)
    for ax, means, name in zip(axes, statistics.class_means, classes, strict=True):
        image = ax.imshow(as_square(means.numpy()), cmap="inferno", vmin=0, vmax=highest)
        ax.set(title=name, xticks=[], yticks=[])
    figure.colorbar(image, ax=list(axes), label="mean activation over the class")
    figure.suptitle("Which latents respond to which class")
    return figure


def as_square(values: np.ndarray) -> np.ndarray:
    """Values of all latents (latent_dim,) as a square map, padded with NaN where they do not fill it."""
    side = int(np.ceil(np.sqrt(len(values))))
    square = np.full(side * side, np.nan)
    square[: len(values)] = values
    return square.reshape(side, side)


def activation_histograms(evaluation: Evaluation) -> Figure:
    """All activations, and the mean of each latent, in ten bins; the overall mean as a dashed line."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _histogram(left, evaluation.activation_histogram, evaluation.mean_activation)
    left.set(title="All activations", xlabel="activation", ylabel="share")
    _histogram(right, evaluation.latent_histogram, evaluation.mean_activation)
    right.set(title="Mean of each latent", xlabel="mean activation of a latent")
    return figure


def _histogram(ax: Axes, shares: list[float], mean: float) -> None:
    bars = ax.bar((np.arange(BINS) + 0.5) / BINS, shares, width=0.8 / BINS, color=BLUE)
    ax.bar_label(bars, [f"{share:.1%}" for share in shares], fontsize=7)
    ax.axvline(mean, color=ORANGE, linestyle="--", label=f"overall mean {mean:.3f}")
    ax.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1))
    ax.set(xlim=(0, 1), ylim=(0, 1.08))
    ax.legend(loc="upper center")


def cost_curves(target: float, rate: float | None = None) -> Figure:
    """KL, absolute and squared error as costs of the actual rate, with the target (and a measured rate) marked."""
    figure = Figure(figsize=(6.5, 4.5), layout="constrained")
    ax = figure.subplots()
    rates = np.linspace(0.001, 0.999, 500)
    ax.plot(rates, bernoulli_kl(target, torch.from_numpy(rates)), color=BLUE, label="KL divergence (nats)")
    ax.plot(rates, np.abs(rates - target), "--", color=ORANGE, label="absolute error (MAE)")
    ax.plot(rates, (rates - target) ** 2, ":", color=GREY, label="squared error (MSE)")
    ax.axvline(target, color="black", linewidth=0.8)
    ax.annotate(f"target {target:g}", (target, 0.9), xytext=(4, 0), textcoords="offset points")
    if rate is not None:
        ax.plot([rate], [0], "v", color="black", clip_on=False, label=f"measured {rate:.3f}")
    ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="actual rate (mean activation)", ylabel="cost", title="What a rate costs")
    ax.legend(loc="upper right")
    return figure


def frontier(evaluation: Evaluation) -> Figure:
    """FVU against effective L0 of all bundled variants, one marker for each family, and of one model, ringed.

    A method that was added may not be in the bundle yet; its recipes are left out.
    """
    figure = Figure(figsize=(8, 5), layout="constrained")
    ax = figure.subplots()
    colours = matplotlib.colormaps["viridis"](np.linspace(0, 0.85, len(FAMILIES)))
    for marker, colour, (family, title) in zip(itertools.cycle(MARKERS), colours, FAMILIES.items(), strict=False):
        paths = [ZOO / recipe.name / "evaluation.json" for recipe in RECIPES if recipe.family == family]
        measured = [Evaluation.read(path) for path in paths if path.is_file()]
        points = sorted((e.effective_l0, e.fvu) for e in measured)
        if points:
            ax.plot(*zip(*points, strict=True), marker=marker, color=colour, label=title)
    x, y = evaluation.effective_l0, evaluation.fvu
    ax.plot(x, y, "o", markersize=16, markerfacecolor="none", color=ORANGE, label="this model")
    ax.set(xscale="log", yscale="log", title="What sparsity costs, at equal numbers of latents")
    ax.set(xlabel="effective L0 (latents that carry an image)", ylabel="FVU (share of the variance that is lost)")
    ax.grid(alpha=0.3, which="both")
    ax.legend()
    return figure
