"""Every metric that the project ever quotes, measured in one place."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from sae_model import SparseAutoencoder, effective_l0, keep_top_k, unit_activation
from training.data import Split, add_noise, as_floats
from training.measure.probe import probe_errors

NOISE_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5)
KEPT = (10, 25, 50, 100)
DEAD_AFTER = 25
BY_K_NAME = "evaluation_by_k.json"
BINS = 10
NOISE_SEED = 0
BATCH = 1000


@dataclass(frozen=True)
class Evaluation:
    """What a model does on a set of images. Means are over all images unless said otherwise."""

    bce: float | None
    """Mean binary cross-entropy of the reconstruction, nats per pixel. None where the output is linear."""
    mse: float
    """Mean squared error per pixel, pixels in [0, 1]."""
    fvu: float
    """Fraction of variance unexplained: squared error over the variance about the per-pixel mean of these images."""
    denoise_mse: dict[str, float]
    """sigma -> mean squared error against the clean image, given the image plus unclipped Gaussian noise."""
    mean_activation: float
    """Over latents and images, in [0, 1). The scale of latents moves it, and that of `effective_l0` does not."""
    effective_l0: float
    """(sum |z|)^2 / sum z^2 of an image: how many latents carry it, whatever their scale."""
    l0: float
    """Latents that are not exactly zero, per image."""
    dead_fraction: float
    """Latents that are non-zero among the 25 largest |z| of no image (the k largest of a top-k model), in [0, 1]."""
    fvu_top_k: dict[str, float]
    """k -> fvu when only the k largest |z| of each image are kept (a top-k model has no more than its own k)."""
    activation_histogram: list[float]
    """Share of all activations in each of ten equal bins of [0, 1]; sums to 1."""
    latent_histogram: list[float]
    """Share of latents whose mean activation over the images lies in each of ten equal bins of [0, 1]; sums to 1."""
    probe_error: dict[str, float] = field(default_factory=dict)
    """Share of images whose class a linear classifier on the activations gets wrong, in [0, 1]; see `probe`.
    "100" -> fitted on 10 training images of each class, "all" -> on all. Empty where there were none to fit on."""

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def read(cls, path: Path) -> Evaluation:
        """Read an evaluation.json back."""
        return cls(**json.loads(Path(path).read_text(encoding="utf-8")))


def read_by_k(folder: Path) -> dict[int, Evaluation]:
    """The metrics at several k of a model for every k, as `write_by_k` wrote them; none where there is no such file."""
    path = folder / BY_K_NAME
    if not path.exists():
        return {}
    return {int(k): Evaluation(**metrics) for k, metrics in json.loads(path.read_text(encoding="utf-8")).items()}


def write_by_k(folder: Path, by_k: dict[int, Evaluation]) -> None:
    """Write the metrics at several k to evaluation_by_k.json in a folder."""
    metrics = {k: asdict(evaluation) for k, evaluation in by_k.items()}
    (folder / BY_K_NAME).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")


@torch.no_grad()
def evaluate(model: SparseAutoencoder, test: Split, train: Split | None = None, k: int | None = None) -> Evaluation:
    """Measure a model on images, in batches, on the device it is on, in single precision.

    The noise is drawn from a fixed seed on the CPU, so that it is the same for every model and device.

    Args:
        test: what to measure on: images (n, channels, height, width), bytes or floats in [0, 1], and labels (n,).
        train: what the linear classifier of `probe_error` is fitted on; without it there is none.
        k: measure the model with only the k largest latents of each image, as in `model.encode`.

    Raises:
        ValueError: no images, images that are all alike, or another number of labels.
    """
    if len(test.images) == 0 or len(test.images) != len(test.labels):
        raise ValueError(
            f"An evaluation needs images and a label for each; got {len(test.images)} and {len(test.labels)}."
        )
    was_training = model.training
    model.eval()
    try:
        evaluation = metrics(model, test.images, k)
        if evaluation.fvu is None:
            raise ValueError("These images are all alike, so there is no variance to explain: evaluate several.")
        if train is None:
            return evaluation
        return replace(
            evaluation, probe_error=probe_errors(lambda images: activations_of(model, images, k), train, test)
        )
    finally:
        model.train(was_training)


@torch.no_grad()
def activations_of(model: SparseAutoencoder, images: Tensor, k: int | None = None) -> Tensor:
    """Images (n, ...) -> activations (n, latent_dim) in [0, 1], in batches, on the CPU."""
    device = next(model.parameters()).device
    batches = (as_floats(batch).to(device) for batch in images.split(BATCH))
    return torch.cat([unit_activation(model.encode(batch, k)).cpu() for batch in batches])


@torch.no_grad()
def metrics(
    model: SparseAutoencoder,
    images: Tensor,
    k: int | None = None,
    sigmas: tuple[float, ...] = NOISE_LEVELS,
    tops: tuple[int, ...] = KEPT,
) -> Evaluation:
    """All but the probe errors, of a model in eval mode; `fvu` is None where the images are all alike."""
    device = next(model.parameters()).device
    any_k = bool(model.sparsity.measured_k)
    dead_after = k or model.sparsity.default_k or DEAD_AFTER
    generator = torch.Generator().manual_seed(NOISE_SEED)
    n, pixels = len(images), images[0].numel()
    mean_image = torch.stack([as_floats(batch).sum(0, dtype=torch.float64) for batch in images.split(BATCH)]).sum(0) / n
    sums = dict.fromkeys(("bce", "error", "variance", "l0", "effective_l0"), 0.0)
    denoise = dict.fromkeys(sigmas, 0.0)
    kept_error = dict.fromkeys(tops, 0.0)
    activation_counts = torch.zeros(BINS)
    activation_sums = torch.zeros(model.latent_dim, dtype=torch.float64)
    alive = torch.zeros(model.latent_dim, dtype=torch.bool)
    for batch in images.split(BATCH):
        clean = as_floats(batch)
        noisy = {sigma: add_noise(clean, sigma, generator).to(device) for sigma in sigmas}
        sums["variance"] += (clean - mean_image).square().sum().item()
        clean = clean.to(device)
        latents = model.encode(clean, k)
        reconstruction = model.decode(latents)
        activations = unit_activation(latents)
        if model.output == "sigmoid":
            sums["bce"] += F.binary_cross_entropy(reconstruction, clean, reduction="sum").item()
        sums["error"] += _squared_error(reconstruction, clean)
        sums["l0"] += latents.count_nonzero().item()
        sums["effective_l0"] += effective_l0(latents).sum().item()
        for sigma in sigmas:
            denoise[sigma] += _squared_error(model.decode(model.encode(noisy[sigma], k)), clean)
        for kept in tops:
            most = min(kept, model.latent_dim)  # a model for every k is asked for each; any other has what it has
            largest = model.encode(clean, most) if any_k else keep_top_k(latents, most)
            kept_error[kept] += _squared_error(model.decode(largest), clean)
        activation_counts += torch.histc(activations.float().cpu(), BINS, 0, 1)
        activation_sums += activations.sum(0, dtype=torch.float64).cpu()
        alive |= (keep_top_k(latents, min(dead_after, model.latent_dim)) != 0).any(0).cpu()
    latent_means, variance = (activation_sums / n).float(), sums["variance"]
    return Evaluation(
        bce=sums["bce"] / (n * pixels) if model.output == "sigmoid" else None,
        mse=sums["error"] / (n * pixels),
        fvu=sums["error"] / variance if variance else None,
        denoise_mse={f"{sigma:g}": total / (n * pixels) for sigma, total in denoise.items()},
        mean_activation=latent_means.mean().item(),
        effective_l0=sums["effective_l0"] / n,
        l0=sums["l0"] / n,
        dead_fraction=1 - alive.float().mean().item(),
        fvu_top_k={str(k): error / variance for k, error in kept_error.items() if variance},
        activation_histogram=(activation_counts / activation_counts.sum()).tolist(),
        latent_histogram=(torch.histc(latent_means, BINS, 0, 1) / model.latent_dim).tolist(),
    )


def _squared_error(reconstruction: Tensor, clean: Tensor) -> float:
    return (reconstruction - clean).square().sum().item()
