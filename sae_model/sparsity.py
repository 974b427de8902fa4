"""The maths of keeping most latents off.

Names, and the letters that the literature uses for them:

    latents       z        (batch, latent_dim): the code of an image
    activations   a        (batch, latent_dim), in [0, 1): how far each latent is switched on
    target rate   rho, p   the mean activation that one asks for, in (0, 1)
    rate          rho-hat  the mean activation that one gets
    L0                     number of latents that are not exactly zero
    effective L0           (sum |z|)^2 / sum z^2, the number of latents that carry an image
"""

from __future__ import annotations

import torch
from torch import Tensor

from sae_model.errors import is_integer, plain

# Bernoulli rates are kept this far from 0 and 1, where the divergence is infinite and its gradient useless.
RATE_MARGIN = 1e-6


def unit_activation(latents: Tensor) -> Tensor:
    """How far each latent is switched on: 0 at zero, towards 1 as it grows, whatever its sign.

    The lecture's map, 2 * (sigmoid(|z|) - 0.5), written as the identical tanh(|z| / 2), which loses no digits near 0.

    Args:
        latents: any shape, any sign.

    Returns:
        The same shape, in [0, 1). (Single precision rounds to exactly 1 from |z| of about 17 on.)
    """
    return torch.tanh(latents.abs() / 2)


def bernoulli_kl(target: float | Tensor, rate: Tensor) -> Tensor:
    """Kullback-Leibler divergence KL(Bernoulli(target) || Bernoulli(rate)), in nats.

    p log(p / q) + (1 - p) log((1 - p) / (1 - q)): zero where the rate is the target, growing on both sides.

    Args:
        target: p, the rate that one asks for, in [0, 1].
        rate: q, the rate that one has, in [0, 1]; any shape. Clamped to 1e-6 from both ends, so the result is finite.

    Returns:
        The shape of `rate` (broadcast with `target`), never negative.

    Raises:
        ValueError: a target outside [0, 1].
    """
    dtype, rate = rate.dtype, _precise(rate)
    target = torch.as_tensor(target, dtype=rate.dtype, device=rate.device)
    if not bool(((target >= 0) & (target <= 1)).all()):
        raise ValueError(f"A target rate lies between 0 and 1; got {target.tolist()!s:.80}.")
    rate = rate.clamp(RATE_MARGIN, 1 - RATE_MARGIN)
    divergence = (
        torch.xlogy(target, target)
        - target * rate.log()
        + torch.xlogy(1 - target, 1 - target)
        - (1 - target) * torch.log1p(-rate)
    )
    return divergence.clamp_min(0).to(dtype)  # rounding may leave -1e-8 where rate == target


def _precise(values: Tensor) -> Tensor:
    """Half and bfloat16 as single precision: they hold neither 1 - 1e-6 nor the square of a sum over latents."""
    return values if values.dtype == torch.float64 else values.float()


def keep_top_k(latents: Tensor, k: int | Tensor) -> Tensor:
    """Zero all but the k latents of largest magnitude of each image.

    Args:
        latents: (batch, latent_dim), any sign.
        k: how many survive, from 1 to latent_dim; one whole number, or an array of one for each image, (batch,).

    Returns:
        The same shape; in every row at most k entries are non-zero (exactly k, unless fewer were).

    Raises:
        ValueError: k outside 1 ... latent_dim, no whole number, or not one for each image.
    """
    latent_dim = latents.shape[-1]
    k = torch.as_tensor(k, device=latents.device) if hasattr(plain(k), "shape") else plain(k)
    least, most = 1, latent_dim
    if not isinstance(k, Tensor):
        least = most = k
    elif k.is_floating_point() or k.is_complex() or k.dtype == torch.bool or k.shape != latents.shape[:-1]:
        got = f"{tuple(k.shape)} of {k.dtype}"
        raise ValueError(f"k is one whole number, or one for each of {len(latents)} images; got {got}.")
    elif not torch.compiler.is_compiling() and len(latents):  # a compiler looks at no values
        least, most = int(k.min()), int(k.max())
    if not is_integer(most) or not 1 <= least <= most <= latent_dim:
        raise ValueError(f"k lies between 1 and the number of latents, {latent_dim}; got {k!r:.80}.")
    with torch.no_grad():
        largest = latents.abs().topk(most, dim=-1, sorted=isinstance(k, Tensor)).indices
        kept = torch.arange(most, device=latents.device) < (k.unsqueeze(-1) if isinstance(k, Tensor) else k)
        mask = torch.zeros_like(latents, dtype=torch.bool).scatter(-1, largest, kept.expand_as(largest))
    return latents * mask


def jump_relu(latents: Tensor, threshold: Tensor, width: float) -> Tensor:
    """Zero the latents that are not above their threshold (Rajamanoharan et al. 2024, "Jumping ahead").

    A jump has no gradient in its threshold: it is estimated from the latents that lie within width / 2 of theirs.

    Args:
        latents: (batch, latent_dim), at least 0.
        threshold: (latent_dim,), above 0.
        width: of the kernel of the estimate, in units of latents.

    Returns:
        (batch, latent_dim).
    """
    near = (latents - threshold).abs() < width / 2
    estimate = -threshold * (near * threshold / width).detach()
    return latents * (latents > threshold) + (estimate - estimate.detach())  # 0, with a gradient


def count_above(latents: Tensor, threshold: Tensor, width: float) -> Tensor:
    """L0 of each image, with a gradient in the thresholds, estimated as for `jump_relu` (same source).

    Args:
        latents: (batch, latent_dim), as `jump_relu` returns them.

    Returns:
        (batch,).
    """
    above = latents > threshold
    # Latents below their threshold are 0 after the jump: those just above it stand for both sides.
    near = above & (latents - threshold < width)
    estimate = -(threshold * near / width).sum(1)
    return above.sum(1).to(latents.dtype) + (estimate - estimate.detach())


def effective_l0(latents: Tensor) -> Tensor:
    """How many latents carry each image, without a threshold: (sum |z|)^2 / sum z^2.

    It is n when n latents are on equally strongly and the rest are zero, and it does not change when all latents are
    scaled, so a model cannot lower it by shrinking its code. (The participation ratio of |z|; the square of
    Hoyer's l1/l2 ratio, "Non-negative matrix factorization with sparseness constraints", JMLR 2004.)

    Args:
        latents: (batch, latent_dim).

    Returns:
        (batch,), from 1 to latent_dim; 0 for a row of zeros.
    """
    magnitudes = _precise(latents).abs()
    largest = magnitudes.amax(-1, keepdim=True)
    shares = magnitudes / torch.where(largest > 0, largest, 1)  # squares of latents may be too large or too small
    return (shares.sum(-1).square() / shares.square().sum(-1).clamp_min(1)).to(latents.dtype)


def load_balancing_loss(latents: Tensor, per_image: bool = False) -> Tensor:
    """How unevenly a batch uses the latents: the squared coefficient of variation of their mean activations.

    0 when every latent has the same mean activation over the batch, latent_dim - 1 when only one is ever used; the
    scale of activations cancels out. (The importance loss of Shazeer et al. 2017, "Outrageously large neural networks",
    with latents instead of experts.)

    Args:
        latents: (batch, latent_dim). Small batches look uneven by chance alone.
        per_image: whether each image counts alike, however many latents it has on: its activations are divided by their
            mean first.

    Returns:
        Scalar, never negative; 0 where all latents are off.
    """
    activations = unit_activation(latents)
    if per_image:
        activations = activations / activations.mean(1, keepdim=True).clamp_min(RATE_MARGIN)
    use = activations.mean(0)
    return (use / use.mean().clamp_min(torch.finfo(use.dtype).tiny) - 1).square().mean() * (use.sum() > 0)
