"""Who fires for what: the classes and the images to which each latent answers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sae_model import SparseAutoencoder, unit_activation
from training.data import as_floats

BATCH = 1000
EXCITING = 12


@dataclass(frozen=True)
class Atlas:
    """What each latent of a model does on a set of labelled images."""

    class_means: Tensor
    """(classes, latent_dim), in [0, 1): mean activation of each latent over the images of each class."""
    exciting: Tensor
    """(latent_dim, 12): positions of the images that excite each latent most, the strongest first."""
    peak: Tensor
    """(latent_dim,), any sign: the latent's value on the first of these images; 0 for a latent that is never on."""


@torch.inference_mode()
def make_atlas(model: SparseAutoencoder, images: Tensor, labels: Tensor, k: int | None = None) -> Atlas:
    """Encode all images once and see who fires.

    Args:
        model: the model, on the device it is on.
        images: (n, 1, 28, 28), bytes or floats in [0, 1]; at least 12.
        labels: (n,), classes from 0.
        k: as in `model.encode`.

    Raises:
        ValueError: fewer than 12 images, or another number of labels.
    """
    if len(images) < EXCITING or len(images) != len(labels):
        raise ValueError(f"An atlas needs {EXCITING} images and a label for each; got {len(images)}, {len(labels)}.")
    device = next(model.parameters()).device
    latents = torch.cat([model.encode(as_floats(batch).to(device), k).cpu() for batch in images.split(BATCH)])
    activations = unit_activation(latents)
    class_means = torch.stack([activations[labels == label].mean(0) for label in range(int(labels.max()) + 1)])
    exciting = activations.topk(EXCITING, dim=0).indices.T
    return Atlas(class_means, exciting, latents.gather(0, exciting[:, :1].T)[0])
