"""Every metric that the project ever quotes, measured in one place."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from sae_model import SparseAutoencoder, effective_l0, keep_top_k, unit_activation

from ..data import Images, Split, add_noise, as_floats, wrong_values
from .probe import probe_errors

NOISE_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5)
SIGMA = 0.3
"""The noise under which models are compared."""
KEPT = (10, 25, 50, 100)
DEAD_RANK = 25
"""A latent is dead if it is among the 25 largest of no image; in a top-k model, among the k largest."""
BY_NAMES = {"k": "evaluation_by_k.json", "beta": "evaluation_by_beta.json"}
"""What a model for every k, or for every beta, is measured at -> the file of those metrics."""
BINS = 10
NOISE_SEED = 4_000_000_007
"""No likely seed of a training: from one seed the noise and the first atoms would be the same random numbers. (On a CPU
torch looks at the last 32 bits of a seed.)"""
BATCH = 1000
REFIT_IMAGES, REFIT_STEPS, REFIT_MOST = 1000, 25, 1000
REFIT_PRECISION = 1e-3
REFIT_BATCH = 50
"""The atoms of so few images stay in the cache of a CPU; where codes are short, all images at once take four times as
long."""
Measure = Literal["quick", "full"]
"""How thoroughly a model is measured: "full" is all of `Evaluation`; "quick" is one sigma, without `fvu_refit`."""
QUICK: Measure = "quick"
FULL: Measure = "full"


@dataclass(frozen=True)
class Evaluation:
    """What a model does on a set of images. Means are over all images unless said otherwise."""

    bce: float | None
    """Mean binary cross-entropy of the reconstruction, nats per pixel. None where the output is linear."""
    mse: float
    """Mean squared error per value, pixels in [0, 1]."""
    fvu: float | None
    """Fraction of variance unexplained: squared error over the variance about the per-pixel mean of these images. None
    where they are all alike, which `evaluate` refuses."""
    denoise_mse: dict[str, float]
    """sigma -> mean squared error against the clean image, given the image plus unclipped Gaussian noise."""
    mean_activation: float
    """Over latents and images, in [0, 1). The scale of latents moves it, and that of `effective_l0` does not."""
    effective_l0: float
    """(sum |z|)^2 / sum z^2 of an image: how many latents carry it, whatever their scale."""
    l0: float
    """Latents that are not exactly zero, per image."""
    dead_fraction: float
    """Share of latents that are on and among the 25 largest |z| of no image (the k largest, of a top-k model)."""
    fvu_top_k: dict[str, float]
    """k -> fvu when only the k largest |z| of each image are kept (a top-k model has no more than its own k)."""
    activation_histogram: list[float]
    """Share of all activations in each of ten equal bins of [0, 1]; sums to 1."""
    latent_histogram: list[float]
    """Share of latents whose mean activation over the images lies in each of ten equal bins of [0, 1]; sums to 1."""
    noisy_mse: dict[str, float] = field(default_factory=dict)
    """sigma -> mean squared error of the noisy images themselves as they are seen: clipped to [0, 1] where the output
    is a sigmoid, though the model is given them unclipped."""
    fvu_refit: float | None = None
    """fvu when the values of each image's latents are fitted to it again, the same ones kept, on the first 1,000
    images, converged to 1e-3. None where the decoder is not linear, or where it had to be quick."""
    l0_by_class: list[float] = field(default_factory=list)
    """`l0` of the images of each class, in the order of the classes; empty where there are fewer than two."""
    mean_activation_by_class: list[float] = field(default_factory=list)
    """`mean_activation` of the images of each class, as in `l0_by_class`."""
    probe_error: dict[str, float] = field(default_factory=dict)
    """Share of images whose class a linear classifier on the activations gets wrong, in [0, 1]; see `probe`.
    "100" -> fitted on 10 training images of each class, "all" -> on all. Empty where there were none to fit on."""

    def __str__(self) -> str:
        """The metrics that are one number, a line each."""
        numbers = {name: value for name, value in asdict(self).items() if isinstance(value, float)}
        numbers |= {f"fvu, {k} kept": value for k, value in self.fvu_top_k.items()}
        numbers |= {f"denoise_mse at {sigma}": value for sigma, value in self.denoise_mse.items()}
        return "\n".join(f"{name:<20}{value:.4g}" for name, value in numbers.items())

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def read(cls, path: Path) -> Evaluation:
        """Read an evaluation.json back."""
        return cls(**json.loads(Path(path).read_text(encoding="utf-8")))


def known(metric: float | None) -> float:
    """The metric itself, which must have been measured.

    Raises:
        TypeError: it was not.
    """
    if metric is None:
        raise TypeError("a metric that is needed here was not measured")
    return metric


def read_by(folder: Path, argument: str) -> dict[float, Evaluation]:
    """The metrics of a model at several k, or several beta, as `write_by` wrote them; none where there is no file.

    Args:
        argument: "k" or "beta".
    """
    path = folder / BY_NAMES[argument]
    if not path.exists():
        return {}
    number = int if argument == "k" else float
    return {number(at): Evaluation(**metrics) for at, metrics in json.loads(path.read_text(encoding="utf-8")).items()}


def write_by(folder: Path, argument: str, by: dict[float, Evaluation]) -> None:
    """Write the metrics at several k, or several beta, to their file in a folder."""
    metrics = {f"{at:g}": asdict(evaluation) for at, evaluation in by.items()}
    (folder / BY_NAMES[argument]).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")


@torch.no_grad()
def evaluate(
    model: SparseAutoencoder,
    test: Split,
    train: Split | None = None,
    k: int | None = None,
    beta: float | None = None,
    sigmas: tuple[float, ...] | None = None,
    measure: Measure = FULL,
) -> Evaluation:
    """Measure a model on images, in batches, on the device it is on, in single precision.

    The noise is drawn from a fixed seed on the CPU, so that it is the same for every model and device.

    Args:
        test: what to measure on: images (n, *image_shape), bytes or floats, and labels (n,), 0 where there are none.
        train: what the linear classifier of `probe_error` is fitted on; without it there is no `probe_error`.
        k, beta: measure the model at this k or beta, as in `model.encode`; at a k there is no `fvu_top_k`.
        sigmas: of the noise, among `NOISE_LEVELS`; by default all five, or 0.3 alone where it has to be quick.
        measure: how thoroughly; `train` counts either way.

    Raises:
        ValueError: no images, images that are all alike or hold values that are not those of the model, another number
            of labels, or an unknown measure.
    """
    if measure not in (QUICK, FULL):
        raise ValueError(f"A model is measured {QUICK!r} or {FULL!r}; got {measure!r:.80}.")
    if sigmas is None:
        sigmas = NOISE_LEVELS if measure == FULL else (SIGMA,)
    if len(test.images) == 0 or len(test.images) != len(test.labels):
        raise ValueError(
            f"An evaluation needs rows and a label for each; got {len(test.images)} and {len(test.labels)}."
        )
    with evaluating(model):
        evaluation = metrics(model, test.images, k, beta, sigmas, KEPT if k is None else (), test.labels)
        if evaluation.fvu is None:
            raise ValueError("These rows are all alike, so there is no variance to explain: evaluate several.")
        if measure == FULL:
            evaluation = replace(evaluation, fvu_refit=fvu_refit(model, test.images[:REFIT_IMAGES], k, beta))
        if train is not None:
            errors = probe_errors(lambda images: activations_of(model, images, k, beta), train, test)
            evaluation = replace(evaluation, probe_error=errors)
    return evaluation


@contextmanager
def evaluating(model: SparseAutoencoder) -> Iterator[None]:
    """Put a model into eval mode for the time of the block."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


@torch.no_grad()
def latents_of(
    model: SparseAutoencoder, images: Images, k: int | None = None, beta: float | None = None
) -> Iterator[Tensor]:
    """Images (n, ...) -> latents (n, latent_dim), in batches, on the CPU."""
    device = next(model.parameters()).device
    for batch in images.split(BATCH):
        yield model.encode(as_floats(batch).to(device), k, beta).float().cpu()


def activations_of(model: SparseAutoencoder, images: Images, k: int | None = None, beta: float | None = None) -> Tensor:
    """Images (n, ...) -> activations (n, latent_dim) in [0, 1], on the CPU."""
    return torch.cat([unit_activation(latents) for latents in latents_of(model, images, k, beta)])


@torch.no_grad()
def fvu_refit(
    model: SparseAutoencoder, images: Tensor, k: int | None = None, beta: float | None = None
) -> float | None:
    """As in `Evaluation`, of images (n, ...).

    It is converged when 25 gradient steps on the squared error lower it by less than 1e-3 of itself, or by less than
    1e-5 of the variance; after 1,000 steps at the latest.
    """
    if not model.is_linear:
        return None
    clean = as_floats(images).to(next(model.parameters()).device)
    variance = (clean - clean.mean(0)).square().sum().item()
    latents = model.encode(clean, k, beta)
    error, batches = _squared_error(model.decode(latents), clean), clean.split(REFIT_BATCH)
    fits: list[tuple[Tensor, Tensor | None]] = [(batch, None) for batch in latents.split(REFIT_BATCH)]
    for _ in range(REFIT_MOST // REFIT_STEPS):
        before = error
        fits = [model.fit_values(x, z, REFIT_STEPS, step) for x, (z, step) in zip(batches, fits, strict=True)]
        error = sum(_squared_error(model.decode(z), x) for x, (z, _) in zip(batches, fits, strict=True))
        if before - error < max(REFIT_PRECISION * error, 1e-5 * variance):
            break
    return error / variance if variance else None


@torch.no_grad()
def metrics(
    model: SparseAutoencoder,
    images: Images,
    k: int | None = None,
    beta: float | None = None,
    sigmas: tuple[float, ...] = NOISE_LEVELS,
    tops: tuple[int, ...] = KEPT,
    labels: Tensor | None = None,
) -> Evaluation:
    """Compute the metrics that need one pass, in eval mode, and those by class where there are labels of several.

    `fvu` is None where all images are alike.
    """
    device = next(model.parameters()).device
    any_k = "k" in model.sparsity.measured_at
    dead_rank = k or model.sparsity.default_k or DEAD_RANK
    generator = torch.Generator().manual_seed(NOISE_SEED)
    n, pixels = len(images), math.prod(images.shape[1:])
    mean_image = torch.stack([as_floats(batch).sum(0, dtype=torch.float64) for batch in images.split(BATCH)]).sum(0) / n
    sums: defaultdict[Any, float] = defaultdict(float)
    activation_counts = torch.zeros(BINS)
    activation_sums = torch.zeros(model.latent_dim, dtype=torch.float64)
    alive = torch.zeros(model.latent_dim, dtype=torch.bool)
    l0_of_each, mean_of_each = [], []
    for batch in images.split(BATCH):
        wrong = wrong_values(batch, model.output == "sigmoid")
        if wrong:
            raise ValueError(wrong)
        clean = as_floats(batch)
        # Noise of every level is drawn, so that one is the same beside any others.
        noisy = {level: add_noise(clean, level, generator) for level in NOISE_LEVELS if sigmas}
        sums["variance"] += (clean - mean_image).square().sum().item()
        clean = clean.to(device)
        latents = model.encode(clean, k, beta)
        reconstruction = model.decode(latents)
        activations = unit_activation(latents)
        if model.output == "sigmoid":
            sums["bce"] += F.binary_cross_entropy(reconstruction, clean, reduction="sum").item()
        sums["error"] += _squared_error(reconstruction, clean)
        l0_of_each.append(latents.count_nonzero(1).float().cpu())
        mean_of_each.append(activations.mean(1).float().cpu())
        sums["effective_l0"] += effective_l0(latents).sum().item()
        for sigma in sigmas:
            given = noisy[sigma].to(device)
            sums["denoise", sigma] += _squared_error(model.decode(model.encode(given, k, beta)), clean)
            seen = given.clamp(0, 1) if model.output == "sigmoid" else given
            sums["noisy", sigma] += _squared_error(seen, clean)
        for kept in tops:
            most = min(kept, model.latent_dim)  # a model for every k is asked for each; any other has what it has
            largest = model.encode(clean, most) if any_k else keep_top_k(latents, most)
            sums["kept", kept] += _squared_error(model.decode(largest), clean)
        activation_counts += torch.histc(activations.float().cpu(), BINS, 0, 1)
        activation_sums += activations.sum(0, dtype=torch.float64).cpu()
        alive |= (keep_top_k(latents, min(dead_rank, model.latent_dim)) != 0).any(0).cpu()
    latent_means, variance = (activation_sums / n).float(), sums["variance"]
    l0 = torch.cat(l0_of_each)
    return Evaluation(
        bce=sums["bce"] / (n * pixels) if model.output == "sigmoid" else None,
        mse=sums["error"] / (n * pixels),
        fvu=sums["error"] / variance if variance else None,
        denoise_mse={f"{sigma:g}": sums["denoise", sigma] / (n * pixels) for sigma in sigmas},
        noisy_mse={f"{sigma:g}": sums["noisy", sigma] / (n * pixels) for sigma in sigmas},
        mean_activation=latent_means.mean().item(),
        effective_l0=sums["effective_l0"] / n,
        l0=l0.mean(dtype=torch.float64).item(),
        dead_fraction=1 - alive.float().mean().item(),
        fvu_top_k={str(kept): sums["kept", kept] / variance for kept in tops if variance},
        activation_histogram=(activation_counts / activation_counts.sum()).tolist(),
        latent_histogram=(torch.histc(latent_means, BINS, 0, 1) / model.latent_dim).tolist(),
        l0_by_class=_by_class(l0, labels),
        mean_activation_by_class=_by_class(torch.cat(mean_of_each), labels),
    )


def _by_class(values: Tensor, labels: Tensor | None) -> list[float]:
    """The mean over the images of each class; none where there are fewer than two classes."""
    if labels is None or int(labels.max()) == 0:
        return []
    count = torch.bincount(labels).clamp_min(1)
    return (torch.zeros(len(count)).index_add(0, labels, values) / count).tolist()


def _squared_error(reconstruction: Tensor, clean: Tensor) -> float:
    return (reconstruction - clean).square().sum().item()
