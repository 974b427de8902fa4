"""Which classes and images each latent responds to."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sae_model import SparseAutoencoder, unit_activation

from ..data import as_floats

BATCH = 1000
TOP_IMAGES = 12


@dataclass(frozen=True)
class LatentStatistics:
    """What each latent of a model does on a set of labelled images."""

    class_means: Tensor
    """(classes, latent_dim), in [0, 1): mean activation of each latent over the images of each class."""
    top_images: Tensor
    """(latent_dim, 12): positions of the images with the largest activation of each latent, the largest first."""
    peak: Tensor
    """(latent_dim,): the latent's value on the first of these images; 0 for a latent that is never on."""


@torch.inference_mode()
def latent_statistics(
    model: SparseAutoencoder,
    images: Tensor,
    labels: Tensor,
    classes: int | None = None,
    k: int | None = None,
    beta: float | None = None,
) -> LatentStatistics:
    """Encode all images once, and see which latents are on.

    Args:
        model: the model, on the device it is on.
        images: (n, channels, height, width), bytes or floats in [0, 1]; at least 12.
        labels: (n,), classes from 0.
        classes: how many there are; None takes those that the labels name. One without images has means of 0.
        k, beta: as in `model.encode`.

    Raises:
        ValueError: fewer than 12 images, or another number of labels.
    """
    if len(images) < TOP_IMAGES or len(images) != len(labels):
        raise ValueError(f"At least {TOP_IMAGES} images and a label for each; got {len(images)} and {len(labels)}.")
    device = next(model.parameters()).device
    latents = torch.cat([model.encode(as_floats(batch).to(device), k, beta).cpu() for batch in images.split(BATCH)])
    activations = unit_activation(latents)
    labelled = [activations[labels == label] for label in range(classes or int(labels.max()) + 1)]
    class_means = torch.stack([of_class.mean(0) if len(of_class) else of_class.sum(0) for of_class in labelled])
    top_images = activations.topk(TOP_IMAGES, dim=0).indices.T
    return LatentStatistics(class_means, top_images, latents.gather(0, top_images[:, :1].T)[0])
