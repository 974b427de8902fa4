"""What the latents of a model do, one by one: how often they are on, for what, and which atoms are alike."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sae_model import SparseAutoencoder, unit_activation

from ..data import Images, as_images
from .evaluation import latents_of

BATCH = 1000
TOP = 12
LOWEST_DECADE = -5


@dataclass(frozen=True)
class Latents:
    """What each latent of a model does on some rows (images, patches or vectors)."""

    frequency: Tensor
    """(latent_dim,), in [0, 1]: share of rows for which it is not exactly zero."""
    mean_activation: Tensor
    """(latent_dim,), in [0, 1): mean of tanh(z / 2) over all rows."""
    top_rows: Tensor
    """(latent_dim, up to 12): the rows with the largest values, the largest first; -1 where there are no more."""
    top_values: Tensor
    """(latent_dim, up to 12): the latent's values for them; 0 where there are no more."""
    class_means: Tensor
    """(classes, latent_dim): mean activation over the rows of each class; (0, latent_dim) without labels."""


@torch.inference_mode()
def look_at_latents(
    model: SparseAutoencoder,
    data: Any,
    labels: Any = None,
    k: int | None = None,
    beta: float | None = None,
) -> Latents:
    """Encode all rows once, in batches.

    Args:
        data: (n, *image_shape), as for `train`: a tensor, an array or anything with a length and slices.
        labels: (n,), whole numbers from 0, where there are any.
        k, beta: as in `model.encode`.

    Raises:
        ValueError: no rows, or another number of labels. DataError: data of another shape or type.
    """
    labels = None if labels is None else torch.as_tensor(np.asarray(labels)).long()
    if len(data) == 0 or (labels is not None and len(labels) != len(data)):
        count = "no" if labels is None else len(labels)
        raise ValueError(
            f"It takes rows, and a label for each where there are any; got {len(data)} and {count} labels."
        )
    data = as_images(data)
    on, activation = (torch.zeros(model.latent_dim, dtype=torch.float64) for _ in range(2))
    classes = 0 if labels is None else int(labels.max()) + 1
    of_class = torch.zeros(classes, model.latent_dim, dtype=torch.float64)
    most, seen = min(TOP, len(data)), 0
    values, rows = torch.zeros(0, model.latent_dim), torch.zeros(0, model.latent_dim, dtype=torch.long)
    for latents in latents_of(model, data, k, beta):
        activations = unit_activation(latents)
        on += latents.count_nonzero(0)
        activation += activations.sum(0, dtype=torch.float64)
        here = torch.arange(len(latents)) + seen
        seen += len(latents)
        if labels is not None:
            of_class.index_add_(0, labels[here], activations.double())
        values = torch.cat([values, latents.abs()])
        rows = torch.cat([rows, here.unsqueeze(1).expand(-1, model.latent_dim)])
        values, chosen = values.topk(min(most, len(values)), dim=0)
        rows = rows.gather(0, chosen)
    counts = torch.ones(0, 1) if labels is None else labels.bincount(minlength=classes).clamp_min(1).unsqueeze(1)
    return Latents(
        (on / len(data)).float(),
        (activation / len(data)).float(),
        rows.where(values > 0, -1).T.contiguous(),
        values.T.contiguous(),
        (of_class / counts).float(),
    )


def log_histogram(frequency: Tensor, bins_a_decade: int = 4) -> tuple[Tensor, Tensor, int]:
    """Firing frequencies as a histogram over log10.

    Args:
        frequency: (latent_dim,), in [0, 1].

    Returns:
        The edges of the bins as powers of ten, (bins + 1,), the last one 0; how many latents lie in each bin, (bins,),
        the first one with all below; and how many are never on.
    """
    edges = torch.linspace(LOWEST_DECADE, 0, -LOWEST_DECADE * bins_a_decade + 1)
    on = frequency[frequency > 0]
    bins = torch.bucketize(on.double().log10(), edges[1:-1].double(), right=True)
    return edges, bins.bincount(minlength=len(edges) - 1), int((frequency == 0).sum())


def nearest_atoms(dictionary: Tensor) -> tuple[Tensor, Tensor]:
    """The atom that is most like each atom of a dictionary.

    Args:
        dictionary: (latent_dim, ...), at least two atoms.

    Returns:
        Cosine similarity with that atom, (latent_dim,), in [-1, 1]; and its number, (latent_dim,).
    """
    return _best_matches(dictionary, dictionary, itself=False)


def stability(dictionary: Tensor, other: Tensor) -> Tensor:
    """How well another dictionary, such as that of another seed, has each atom of a dictionary.

    Args:
        dictionary, other: (latent_dim, ...) and (another latent_dim, ...), atoms of one shape.

    Returns:
        Cosine similarity of each atom with its best match in the other, (latent_dim,), in [-1, 1]. The mean is the
        stability of the dictionary (the mean max cosine similarity of Sharkey et al. 2022).

    Raises:
        ValueError: atoms of two shapes.
    """
    if dictionary.shape[1:] != other.shape[1:]:
        raise ValueError(f"Atoms have one shape; got {tuple(dictionary.shape[1:])} and {tuple(other.shape[1:])}.")
    return _best_matches(dictionary, other, itself=True)[0]


def _best_matches(atoms: Tensor, others: Tensor, itself: bool) -> tuple[Tensor, Tensor]:
    atoms, others = (F.normalize(d.flatten(1).float(), dim=1) for d in (atoms, others))
    cosines, numbers = [], []
    for start in range(0, len(atoms), BATCH):
        products = atoms[start : start + BATCH] @ others.T
        if not itself:
            products[torch.arange(len(products)), torch.arange(start, start + len(products))] = -math.inf
        best = products.max(1)
        cosines.append(best.values)
        numbers.append(best.indices)
    return torch.cat(cosines).clamp(-1, 1), torch.cat(numbers)


@torch.inference_mode()
def heat_maps(model: SparseAutoencoder, data: Images, groups: Tensor, positions: Tensor, shown: Tensor) -> Tensor:
    """Where in an image each latent is on, for rows that are patches of images.

    Args:
        data: (n, *image_shape), the patches.
        groups: (n,), the image that each patch is from.
        positions: (n, 2), whole numbers: row and column of each patch in its image.
        shown: (latent_dim,), the image that each latent is drawn on; -1 draws none.

    Returns:
        (latent_dim, rows, columns): the latent's value for each patch of that image, 0 where there is no patch.
    """
    height, width = (positions.max(0).values + 1).tolist()
    maps = torch.zeros(model.latent_dim, height, width)
    seen = 0
    for latents in latents_of(model, data):
        here = slice(seen, seen + len(latents))
        row, latent = (groups[here].unsqueeze(1) == shown).nonzero(as_tuple=True)
        y, x = positions[here][row].T
        maps[latent, y, x] = latents[row, latent]
        seen = here.stop
    return maps
