"""The maths of keeping most latents off.

Names, and the letters that the literature uses for them:

    latents       z        (batch, latent_dim), any sign: what the encoder says about an image
    activations   a        (batch, latent_dim), in [0, 1): how far each latent is switched on
    target rate   rho, p   the mean activation that one asks for, in (0, 1)
    rate          rho-hat  the mean activation that one gets
    beta          beta     the weight of the penalty beside the reconstruction loss

Every way of being sparse is one frozen dataclass below. It holds its own knobs, refuses nonsense, and has one
method, `penalty(latents)`: a scalar, already weighted, that training adds to the reconstruction loss (mean binary
cross-entropy, in nats per pixel). Nothing in it depends on the batch size. The command line's choice, the JSON in a
model's config.json and the maths are the same object.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

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
    target = torch.as_tensor(target, dtype=rate.dtype, device=rate.device)
    if not bool(((target >= 0) & (target <= 1)).all()):
        raise ValueError(f"A target rate lies between 0 and 1; got {target.tolist()}.")
    rate = rate.clamp(RATE_MARGIN, 1 - RATE_MARGIN)
    divergence = (
        torch.xlogy(target, target)
        - target * rate.log()
        + torch.xlogy(1 - target, 1 - target)
        - (1 - target) * torch.log1p(-rate)
    )
    return divergence.clamp_min(0)  # rounding may leave -1e-8 where rate == target


def keep_top_k(latents: Tensor, k: int) -> Tensor:
    """Zero all but the k latents of largest magnitude of each image.

    Args:
        latents: (batch, latent_dim), any sign.
        k: how many survive, from 1 to latent_dim.

    Returns:
        The same shape; in every row at most k entries are non-zero (exactly k, unless fewer were).

    Raises:
        ValueError: k outside 1 ... latent_dim.
    """
    latent_dim = latents.shape[-1]
    if not 1 <= k <= latent_dim:
        raise ValueError(f"k lies between 1 and the number of latents, {latent_dim}; got {k}.")
    kept = latents.abs().topk(k, dim=-1, sorted=False).indices
    return torch.zeros_like(latents).scatter(-1, kept, latents.gather(-1, kept))


def effective_l0(latents: Tensor) -> Tensor:
    """How many latents carry each image, without a threshold: (sum |z|)^2 / sum z^2.

    It is n when n latents are on equally strongly and the rest are zero, and it does not change when all latents are
    scaled, so a network cannot lower it by shrinking its code. (The participation ratio of |z|; the square of
    Hoyer's l1/l2 ratio, "Non-negative matrix factorization with sparseness constraints", JMLR 2004.)

    Args:
        latents: (batch, latent_dim).

    Returns:
        (batch,), from 1 to latent_dim; 0 for a row of zeros.
    """
    magnitudes = latents.abs()
    return magnitudes.sum(-1).square() / magnitudes.square().sum(-1).clamp_min(torch.finfo(latents.dtype).tiny)


def uneven_use(latents: Tensor) -> Tensor:
    """How unevenly a batch uses the latents: the squared coefficient of variation of their mean activations.

    0 when every latent has the same mean activation over the batch, latent_dim - 1 when only one is ever used; the
    scale of activations cancels out. (The importance loss of Shazeer et al. 2017, for latents instead of experts.)

    Args:
        latents: (batch, latent_dim). Small batches look uneven by chance alone.

    Returns:
        Scalar, never negative; 0 where all latents are off.
    """
    use = unit_activation(latents).mean(0)
    return (use / use.mean().clamp_min(torch.finfo(use.dtype).tiny) - 1).square().mean() * (use.sum() > 0)


def _check(condition: bool, sentence: str) -> None:
    if not condition:
        raise ValueError(sentence)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_beta(beta: Any) -> None:
    _check(_is_number(beta) and beta >= 0, f"beta is a number of at least 0; got {beta!r}.")


@dataclass(frozen=True)
class Dense:
    """No sparsity at all: the wide autoencoder that learns to copy."""

    kind: Literal["none"] = "none"

    @property
    def name(self) -> str:
        return "dense"

    def penalty(self, latents: Tensor) -> Tensor:
        """Zero, as a scalar."""
        return latents.new_zeros(())


@dataclass(frozen=True)
class L1:
    """beta times the mean activation: the lecture's first way."""

    beta: float = 0.01
    kind: Literal["l1"] = "l1"

    def __post_init__(self) -> None:
        _check_beta(self.beta)

    @property
    def name(self) -> str:
        return f"l1-{self.beta:g}"

    def penalty(self, latents: Tensor) -> Tensor:
        """(batch, latent_dim) -> scalar, beta * mean of the activations over latents and images."""
        return self.beta * unit_activation(latents).mean()


Sparsity = Dense | L1
WAYS: dict[str, type[Sparsity]] = {way.kind: way for way in (Dense, L1)}


def sparsity_from_config(config: dict[str, Any]) -> Sparsity:
    """Rebuild a way of being sparse from the JSON of a config.json, such as {"kind": "l1", "beta": 0.1}.

    Raises:
        ValueError: an unknown kind, a knob that this kind does not have, or a value that it refuses.
    """
    if not isinstance(config, dict) or "kind" not in config:
        raise ValueError(f'A way of being sparse is written as {{"kind": "l1", "beta": 0.1}}; got {config!r}.')
    if config["kind"] not in WAYS:
        raise ValueError(f"Unknown way of being sparse: {config['kind']!r}. Known ones: {', '.join(WAYS)}.")
    way = WAYS[config["kind"]]
    knobs = {name: value for name, value in config.items() if name != "kind"}
    known = [field.name for field in dataclasses.fields(way) if field.name != "kind"]
    for name in knobs:
        _check(name in known, f"{config['kind']!r} has no knob {name!r}; it has: {', '.join(known) or 'none'}.")
    return way(**knobs)
