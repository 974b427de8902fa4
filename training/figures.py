"""The lecture's pictures, for print: matplotlib figures of an Evaluation, an Atlas, or a model.

Colours are told apart by lightness and by shape as well as by hue. Figures are made without pyplot, so that threads
can draw at once and nothing piles up.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from sae_model import SparseAutoencoder, bernoulli_kl, list_variants
from sae_model.zoo import ZOO
from training.atlas import Atlas, make_atlas
from training.data import Split, add_noise, as_floats
from training.evaluation import BINS, Evaluation

BLUE, ORANGE, GREY = "#1d4ed8", "#b45309", "#52525b"
MARKERS = "osD^vP*X"
SIGMAS = (0.0, 0.3, 0.6)


def draw_report(
    model: SparseAutoencoder, evaluation: Evaluation, test: Split, classes: list[str], k: int | None = None
) -> Iterator[tuple[str, Figure]]:
    """Every picture of one model, as (file name without ending, figure), each drawn when it is asked for.

    Args:
        model: the model.
        evaluation: its figures on the test split.
        test: the test split.
        classes: the names of its classes.
        k: as in `model.encode`.
    """
    yield "activation-histograms", activation_histograms(evaluation)
    yield "reconstructions", reconstructions(model, one_of_each(test), k)
    yield "class-maps", class_maps(make_atlas(model, test.images, test.labels, k), classes)
    target = getattr(model.sparsity, "target", 0.1)
    yield "cost-of-a-rate", cost_curves(target, evaluation.mean_activation)
    bundled = {name: Evaluation.read(ZOO / name / "evaluation.json") for name in list_variants()}
    yield "frontier", frontier(bundled | {"this model": evaluation}, "this model")


def one_of_each(test: Split) -> Tensor:
    """The first image of every class, (classes, 1, 28, 28)."""
    return torch.stack([test.images[test.labels == label][0] for label in test.labels.unique().tolist()])


def grey_png(figure: Figure) -> bytes:
    """A figure without colours as a small PNG, 640 pixels wide or so."""
    drawn, grey = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, dpi=64)
    Image.open(drawn).convert("L").save(grey, "PNG", optimize=True)
    return grey.getvalue()


def family(name: str) -> str:
    """The way of being sparse of a variant's name: "kl-image" for "kl-image-0.05-noise-0.6"."""
    return name.partition("-noise-")[0].rstrip("0123456789.").rstrip("-")


@torch.inference_mode()
def reconstructions(model: SparseAutoencoder, images: Tensor, k: int | None = None) -> Figure:
    """Ten images (10, 1, 28, 28) at three levels of noise, each above what the model makes of it."""
    device = next(model.parameters()).device
    clean = as_floats(images)
    figure = Figure(figsize=(10, 7.2), layout="constrained")
    axes = figure.subplots(2 * len(SIGMAS), len(clean))
    for level, sigma in enumerate(SIGMAS):
        noisy = add_noise(clean, sigma, torch.Generator().manual_seed(0))
        rebuilt = model.decode(model.encode(noisy.to(device), k)).cpu()
        for row, pictures, what in ((2 * level, noisy, f"sigma {sigma:g}"), (2 * level + 1, rebuilt, "rebuilt")):
            for ax, picture in zip(axes[row], pictures, strict=True):
                ax.imshow(picture[0].clamp(0, 1).numpy(), cmap="gray", vmin=0, vmax=1)
                ax.set(xticks=[], yticks=[])
            axes[row][0].set_ylabel(what)
    figure.suptitle("Noisy digits, and what the network makes of them")
    return figure


def class_maps(atlas: Atlas, classes: list[str]) -> Figure:
    """The mean activation of every latent for each class, all on one scale, 900 latents as 30 x 30."""
    figure = Figure(figsize=(11, 5), layout="constrained")
    axes = figure.subplots(2, 5).ravel()
    highest = max(atlas.class_means.max().item(), 1e-6)
    for ax, means, name in zip(axes, atlas.class_means, classes, strict=True):
        image = ax.imshow(as_square(means.numpy()), cmap="inferno", vmin=0, vmax=highest)
        ax.set(title=name, xticks=[], yticks=[])
    figure.colorbar(image, ax=list(axes), label="mean activation over the class")
    figure.suptitle("Which latents fire for which class")
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


def frontier(evaluations: dict[str, Evaluation], chosen: str | None = None) -> Figure:
    """Reconstruction against effective sparsity of all variants, one marker for each family."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    ax = figure.subplots()
    families = list(dict.fromkeys(family(name) for name in evaluations))
    colours = matplotlib.colormaps["viridis"](np.linspace(0, 0.85, len(families)))
    for marker, colour, kind in zip(MARKERS, colours, families, strict=False):
        points = [(e.effective_l0, e.fvu) for name, e in evaluations.items() if family(name) == kind]
        ax.plot(*zip(*sorted(points), strict=True), marker=marker, color=colour, label=kind)
    if chosen is not None:
        e = evaluations[chosen]
        ax.plot(e.effective_l0, e.fvu, "o", markersize=16, markerfacecolor="none", color=ORANGE, label=chosen)
    ax.set(xscale="log", yscale="log", title="What sparsity costs, at equal numbers of latents")
    ax.set(xlabel="effective L0 (latents that carry an image)", ylabel="variance lost (FVU)")
    ax.grid(alpha=0.3, which="both")
    ax.legend()
    return figure
