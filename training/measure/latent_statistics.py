"""Which classes and images each latent responds to. `python -m training bundle` writes it beside the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from sae_model import SparseAutoencoder, unit_activation
from sae_model.sparsity import keep_top_k

from ..data import Split
from .evaluation import DEAD_RANK, latents_of

TOP_IMAGES = 12
SAMPLE = 2500
"""So many test images are looked at for what the page says about a latent."""
SHOWN_IMAGES = 8
"""So many of the top images are written to a file."""
STATISTICS_NAME = "statistics.safetensors"


@dataclass(frozen=True)
class LatentStatistics:
    """What each latent of a model does on a set of labelled images."""

    class_means: Tensor
    """(classes, latent_dim), in [0, 1): mean activation of each latent over the images of each class."""
    top_images: Tensor
    """(latent_dim, 12): positions of the images with the largest activation of each latent, the largest first."""
    peak: Tensor
    """(latent_dim,): the latent's value on the first of these images; 0 for a latent that is never on."""
    frequency: Tensor
    """(latent_dim,), in [0, 1]: on which part of the images the latent is not 0."""
    alive: Tensor
    """(latent_dim,), bool: whether it is among the largest latents of any image, as in `Evaluation.dead_fraction`."""


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
    latents = torch.cat([*latents_of(model, images, k, beta)])
    activations = unit_activation(latents)
    labelled = [activations[labels == label] for label in range(classes or int(labels.max()) + 1)]
    class_means = torch.stack([of_class.mean(0) if len(of_class) else of_class.sum(0) for of_class in labelled])
    top_images = activations.topk(TOP_IMAGES, dim=0).indices.T
    peak = latents.gather(0, top_images[:, :1].T)[0]
    largest = keep_top_k(latents, min(k or model.sparsity.default_k or DEAD_RANK, model.latent_dim))
    on = (latents != 0).float().mean(0)
    return LatentStatistics(class_means, top_images, peak, on, (largest != 0).any(0))


def to_bytes(statistics: Mapping[str, LatentStatistics]) -> bytes:
    """Statistics as a safetensors file, floats in half precision, with a tensor for each field.

    Args:
        statistics: what the names of the tensors begin with -> statistics; such as "25/" for those at k = 25.
    """
    tensors = {}
    for prefix, of in statistics.items():
        tensors[f"{prefix}class_means"] = of.class_means.half()
        tensors[f"{prefix}peak"] = of.peak.half()
        tensors[f"{prefix}frequency"] = of.frequency.half()
        tensors[f"{prefix}alive"] = of.alive.to(torch.uint8)
        tensors[f"{prefix}top_images"] = of.top_images[:, :SHOWN_IMAGES].to(torch.uint16).contiguous()
    return save(tensors)


def write_statistics(folder: Path, model: SparseAutoencoder, test: Split) -> None:
    """Write the statistics of a model on the first `SAMPLE` test images to its folder; at each k or beta that its
    sparsity method is measured at, where it serves several."""
    at: list[dict[str, Any]] = [
        {argument: value}
        for argument, values in model.sparsity.measured_at.items()
        for value in values
        if argument != "k" or value <= model.latent_dim
    ]
    found = {
        "".join(f"{value:g}/" for value in kept.values()): latent_statistics(
            model, test.images[:SAMPLE], test.labels[:SAMPLE], **kept
        )
        for kept in at or [{}]
    }
    (folder / STATISTICS_NAME).write_bytes(to_bytes(found))


def read_statistics(folder: Path, prefix: str = "") -> bytes | None:
    """The statistics of one k or beta in a folder, as a file of their own; None where there are none."""
    if not (folder / STATISTICS_NAME).is_file():
        return None
    tensors = load_file(folder / STATISTICS_NAME)
    names = [field.name for field in fields(LatentStatistics)]
    return save({name: tensors[prefix + name] for name in names}) if prefix + names[0] in tensors else None
