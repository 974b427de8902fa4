"""From the encoder's code of an image to a better code with the same dictionary; at inference only.

The encoder is fast and stops early. The refinement starts from its code z and lowers, for each image alone,

    F(z) = |x - x-hat(z)|^2 / 2 + w sum_i tanh(z_i / 2)        x-hat(z) = sigmoid(b + z D), or b + z D if linear

by two moves:

    values    gradient steps on the latents that are on, with momentum (Polyak 1964), z >= 0. A step that does not
              lower F is taken back, and the next one is half as long.
    choice    z <- the n largest of relu(z - s dF/dz): as many latents as are on, perhaps others; then values again.
              (Hard thresholding pursuit, Foucart 2011.) A choice that does not lower F is taken back.

So F never rises. It has the squared error even where the model was trained with the cross-entropy: the gradient
of the squared error has the factor p (1 - p), so a pixel that is black or white already is not pulled any further by
noise that lies outside of [0, 1].
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from sae_model.outputs import OutputKind
from sae_model.sparsity import keep_top_k

MOMENTUM = 0.8
LONGER, SHORTER = 1.2, 0.5
"""What the step is multiplied by after it lowered F, and after it did not."""
FEW = 8
"""Where fewer than one latent in 8 is on, it is faster to collect the atoms of each image than to multiply by all."""
FEW_IMAGES = 8
"""For up to 8 images the limit is one latent in 2: a product with all atoms takes as long for 1 image as for 10."""
WORTH_A_STEP, WORTH_A_CHOICE = 1e-6, 1e-4
"""The part of F by which a step, or a choice, has to lower it: less may be rounding, which differs between CPUs."""
CHUNK = 2_000_000
"""Numbers that are collected at a time: they stay in the cache of a CPU."""
MOST_PRODUCTS = 5
"""Gradient steps on the values of an image cost at most as much as this many products with the whole dictionary."""


@dataclass(frozen=True)
class Refinement:
    """How far a code is refined."""

    steps: int | Tensor
    """Gradient steps on the values, after the encoder and after each choice; one number, or one for each image,
    (batch, 1). An image with many latents on gets fewer; see `MOST_PRODUCTS`."""
    rounds: int = 0
    """How often the choice of latents is revised."""
    beta: float | Tensor = 0.0
    """Weight of the mean activation in the loss; one number, or one for each image, (batch, 1)."""
    most_steps: int = 0
    """An upper bound of `steps`, where these differ between images."""


@dataclass(frozen=True)
class Decoder:
    """The decoder, as the refinement uses it."""

    dictionary: Tensor
    """D, (latent_dim, pixels)."""
    bias: Tensor
    """b, (pixels,)."""
    output: OutputKind
    atom_length: float
    """Length of every row of D."""


def refine(images: Tensor, latents: Tensor, decoder: Decoder, refinement: Refinement) -> Tensor:
    """Lower F, starting from a given code.

    Args:
        images: x, (batch, pixels).
        latents: z, (batch, latent_dim), at least 0.

    Returns:
        (batch, latent_dim), at least 0. No image has more latents on than before, and F is not higher.
    """
    if images.shape[0] == 0:  # not len, which torch.export would take for a constant
        return latents
    latent_dim, pixels = decoder.dictionary.shape
    count, most = latents.count_nonzero(1), atoms_to_collect(latents)
    each = torch.ones_like(images[:, :1])
    weight = (refinement.beta * each).to(images) * decoder.output.squared_error_per_loss(pixels) / latent_dim
    products = torch.full_like(count, MOST_PRODUCTS * latent_dim)
    affordable = products // (2 * (refinement.rounds + 1) * count.clamp_min(1)) - 1
    steps = (refinement.steps * each).to(images).minimum(affordable.clamp_min(0).unsqueeze(1).to(images))
    # A compiler cannot look at values, so its loops run their full length.
    longest = (refinement.most_steps or int(refinement.steps)) if torch.compiler.is_compiling() else None
    given = [images, latents, count, weight, steps]
    chunks: Iterable[Sequence[Tensor]] = [given]
    if most is not None:
        chunks = zip(*(each.split(max(1, CHUNK // (most * pixels))) for each in given), strict=True)
    refined = []
    for x, z, n, w, s in chunks:
        fit = fit_values(x, z, w, s, decoder, None, most, longest)
        stride = torch.full_like(w, decoder.output.choice_step / decoder.atom_length**2)
        for _ in range(refinement.rounds):
            gradient = F.linear(fit.pull, decoder.dictionary) + _slope_of_penalty(fit.latents, w)
            chosen = keep_top_k(F.relu(fit.latents - stride * gradient), n.clamp_min(1)) * (n > 0).unsqueeze(1)
            other = fit_values(x, chosen, w, s, decoder, fit.step, most, longest)
            better = other.objective < (1 - WORTH_A_CHOICE) * fit.objective
            kept = [torch.where(better, new, old) for new, old in zip(other, fit, strict=True)]
            fit = Fit(*kept)._replace(step=other.step)
            stride = torch.where(better, stride, SHORTER * stride)
        refined.append(fit.latents)
    return torch.cat(refined)


def atoms_to_collect(latents: Tensor) -> int | None:
    """The largest number of latents that an image has on, if it is faster to collect the atoms of each; else None."""
    if torch.compiler.is_compiling():
        return None
    most = max(1, int(latents.count_nonzero(1).max())) if len(latents) else 1
    least = FEW if len(latents) > FEW_IMAGES else 2
    return most if most * least <= latents.shape[1] else None


class Fit(NamedTuple):
    """Latents whose values were fitted to images."""

    latents: Tensor
    """(batch, latent_dim)."""
    objective: Tensor
    """F, (batch, 1)."""
    pull: Tensor
    """Gradient of half the squared error in the logits, (batch, pixels)."""
    step: Tensor
    """How long the next step would be, (batch, 1)."""


def fit_values(
    x: Tensor,
    z: Tensor,
    weight: Tensor,
    steps: Tensor,
    decoder: Decoder,
    step: Tensor | None = None,
    most: int | None = None,
    longest: int | None = None,
) -> Fit:
    """Gradient steps on the latents that are on.

    Args:
        x, z: images (batch, pixels) and their latents (batch, latent_dim).
        weight, steps: w, and how many steps, (batch, 1) each.
        step: the length of the first one, (batch, 1); None takes that of the output.
        most: no image has more latents on; None multiplies by all atoms.
        longest: no image has more steps; None looks at `steps`.
    """
    whole, chosen, atoms = z, None, decoder.dictionary
    if most is not None:
        chosen = z.topk(most).indices
        z, atoms = z.gather(1, chosen), atoms[chosen]  # (batch, most), (batch, most, pixels)
    if step is None:
        step = torch.full_like(weight, decoder.output.step / decoder.atom_length**2)
    on = z > 0

    def objective_of(z: Tensor) -> tuple[Tensor, Tensor]:
        """F and the pull, as `Fit` has them."""
        reconstruction = decoder.output.reconstruction(decoder.bias + (z.unsqueeze(1) @ atoms).squeeze(1))
        residual = reconstruction - x
        error = residual.square().sum(1, keepdim=True) / 2
        penalty = weight * torch.tanh(z / 2).sum(1, keepdim=True)
        return error + penalty, residual * decoder.output.slope(reconstruction)

    def gradient_of(z: Tensor, pull: Tensor) -> Tensor:
        return (pull.unsqueeze(1) @ atoms.mT).squeeze(1) + _slope_of_penalty(z, weight)  # atoms @ pull is far slower

    objective, pull = objective_of(z)
    velocity = torch.zeros_like(z)
    gradient = gradient_of(z, pull)
    for i in range(int(steps.max()) if longest is None else longest):
        tried = F.relu(z + MOMENTUM * velocity - step * gradient) * on
        new_objective, new_pull = objective_of(tried)
        better = (new_objective < (1 - WORTH_A_STEP) * objective) & (i < steps)
        velocity = torch.where(better, tried - z, 0)
        # An image whose steps are used up keeps its step: its code must not depend on the others of its batch.
        step = torch.where(i < steps, torch.where(better, LONGER * step, SHORTER * step), step)
        objective, pull = torch.where(better, new_objective, objective), torch.where(better, new_pull, pull)
        z = torch.where(better, tried, z)
        gradient = gradient_of(z, pull)
    return Fit(z if chosen is None else torch.zeros_like(whole).scatter(1, chosen, z), objective, pull, step)


def _slope_of_penalty(z: Tensor, weight: Tensor) -> Tensor:
    """Derivative of w sum tanh(z / 2) in each latent."""
    return weight / 2 * (1 - torch.tanh(z / 2).square())
