"""Every figure that the project ever quotes, measured in one place."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from sae_model import AdaptiveTopK, SparseAutoencoder, effective_l0, keep_top_k, unit_activation
from training.data import add_noise, as_floats

NOISE_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5)
KEPT = (10, 25, 50, 100)
DEAD_AFTER = 25
BINS = 10
NOISE_SEED = 0
BATCH = 1000


@dataclass(frozen=True)
class Evaluation:
    """What a model does on a set of images. Means are over all images unless said otherwise."""

    bce: float
    """Mean binary cross-entropy of the reconstruction, nats per pixel."""
    mse: float
    """Mean squared error per pixel, pixels in [0, 1]."""
    fvu: float
    """Fraction of variance unexplained: squared error over the variance about the per-pixel mean of these images."""
    denoise_mse: dict[str, float]
    """sigma -> mean squared error against the clean image, given the image plus unclipped Gaussian noise."""
    mean_activation: float
    """Over latents and images, in [0, 1). The scale of latents moves it; the figures below it does not."""
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

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def read(cls, path: Path) -> Evaluation:
        """Read an evaluation.json back."""
        return cls(**json.loads(Path(path).read_text(encoding="utf-8")))


def read_by_k(folder: Path) -> dict[int, Evaluation]:
    """The figures at several k of a model for every k, as `training.publishing.save_run` wrote them; else none."""
    path = folder / "evaluation_by_k.json"
    if not path.exists():
        return {}
    return {int(k): Evaluation(**figures) for k, figures in json.loads(path.read_text(encoding="utf-8")).items()}


@torch.inference_mode()
def evaluate(model: SparseAutoencoder, images: Tensor, labels: Tensor, k: int | None = None) -> Evaluation:
    """Measure a model on images, in batches, on the device it is on, in single precision.

    The noise is drawn from a fixed seed on the processor, so that it is the same for every model and device.

    Args:
        model: the model; its training flag is left as it was found.
        images: (n, 1, 28, 28), bytes or floats in [0, 1].
        labels: (n,), the class of each image.
        k: measure it with only the k largest latents of each image, as in `model.encode`.

    Raises:
        ValueError: no images, images that are all alike, or another number of labels.
    """
    if len(images) == 0 or len(images) != len(labels):
        raise ValueError(f"An evaluation needs images and a label for each; got {len(images)} and {len(labels)}.")
    was_training = model.training
    model.eval()
    try:
        return _evaluate(model, images, k)
    finally:
        model.train(was_training)


def _evaluate(model: SparseAutoencoder, images: Tensor, k: int | None) -> Evaluation:
    device = next(model.parameters()).device
    adaptive = isinstance(model.sparsity, AdaptiveTopK)
    dead_after = k or model.sparsity.default_k or DEAD_AFTER
    generator = torch.Generator().manual_seed(NOISE_SEED)
    n, pixels = len(images), images[0].numel()
    mean_image = torch.stack([as_floats(batch).sum(0, dtype=torch.float64) for batch in images.split(BATCH)]).sum(0) / n
    sums = dict.fromkeys(("bce", "error", "variance", "l0", "effective_l0"), 0.0)
    denoise = dict.fromkeys(NOISE_LEVELS, 0.0)
    kept_error = dict.fromkeys(KEPT, 0.0)
    activation_counts = torch.zeros(BINS)
    activation_sums = torch.zeros(model.latent_dim, dtype=torch.float64)
    alive = torch.zeros(model.latent_dim, dtype=torch.bool)
    for batch in images.split(BATCH):
        clean = as_floats(batch)
        noisy = {sigma: add_noise(clean, sigma, generator).to(device) for sigma in NOISE_LEVELS}
        sums["variance"] += (clean - mean_image).square().sum().item()
        clean = clean.to(device)
        latents = model.encode(clean, k)
        reconstruction = model.decode(latents)
        activations = unit_activation(latents)
        # The model for every k is asked for each k; any other has the latents that it has.
        all_latents = model.encode(clean, model.latent_dim) if adaptive else latents
        sums["bce"] += F.binary_cross_entropy(reconstruction, clean, reduction="sum").item()
        sums["error"] += _squared_error(reconstruction, clean)
        sums["l0"] += latents.count_nonzero().item()
        sums["effective_l0"] += effective_l0(latents).sum().item()
        for sigma in NOISE_LEVELS:
            denoise[sigma] += _squared_error(model.decode(model.encode(noisy[sigma], k)), clean)
        for kept in KEPT:
            largest = keep_top_k(all_latents, min(kept, model.latent_dim))
            kept_error[kept] += _squared_error(model.decode(largest), clean)
        activation_counts += torch.histc(activations.float().cpu(), BINS, 0, 1)
        activation_sums += activations.sum(0, dtype=torch.float64).cpu()
        alive |= (keep_top_k(latents, min(dead_after, model.latent_dim)) != 0).any(0).cpu()
    if sums["variance"] == 0:
        raise ValueError("These images are all alike, so there is no variance to explain: evaluate several.")
    latent_means = (activation_sums / n).float()
    return Evaluation(
        bce=sums["bce"] / (n * pixels),
        mse=sums["error"] / (n * pixels),
        fvu=sums["error"] / sums["variance"],
        denoise_mse={f"{sigma:g}": total / (n * pixels) for sigma, total in denoise.items()},
        mean_activation=latent_means.mean().item(),
        effective_l0=sums["effective_l0"] / n,
        l0=sums["l0"] / n,
        dead_fraction=1 - alive.float().mean().item(),
        fvu_top_k={str(k): error / sums["variance"] for k, error in kept_error.items()},
        activation_histogram=(activation_counts / activation_counts.sum()).tolist(),
        latent_histogram=(torch.histc(latent_means, BINS, 0, 1) / model.latent_dim).tolist(),
    )


def _squared_error(reconstruction: Tensor, clean: Tensor) -> float:
    return (reconstruction - clean).square().sum().item()
