"""The maths of keeping most latents off.

Names, and the letters that the literature uses for them:

    latents       z        (batch, latent_dim), any sign: what the encoder says about an image
    activations   a        (batch, latent_dim), in [0, 1): how far each latent is switched on
    target rate   rho, p   the mean activation that one asks for, in (0, 1)
    rate          rho-hat  the mean activation that one gets
    beta          beta     the weight of the penalty beside the reconstruction loss

Every way of being sparse is one frozen dataclass below. It holds its own knobs, refuses nonsense, and has
`penalty(latents)`: a scalar, already weighted, that training adds to the reconstruction loss (mean binary
cross-entropy, in nats per pixel); nothing in it depends on the batch size. `default_k` is how many latents of an image
survive where nobody asks for another number (None: all); `evenness` is the weight of `uneven_use` beside the penalty,
as measured best for that way. The command line's choice, the JSON in a model's config.json and the maths are one
object.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

# Bernoulli rates are kept this far from 0 and 1, where the divergence is infinite and its gradient useless.
RATE_MARGIN = 1e-6

# Training of the top-k ways: which part of the latents may survive at first; by which part of training the ceiling of
# the one-k ways has come down to k; between which numbers the way for every k draws, and from when on.
START_OF_LATENTS = 0.45
SETTLED_AT = 0.8
LOWEST_K, HIGHEST_K = 5, 400
LOWEST_AT = 0.4


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


def keep_top_k(latents: Tensor, k: int | Tensor) -> Tensor:
    """Zero all but the k latents of largest magnitude of each image.

    Args:
        latents: (batch, latent_dim), any sign.
        k: how many survive, from 1 to latent_dim; one number, or a whole number for each image, (batch,).

    Returns:
        The same shape; in every row at most k entries are non-zero (exactly k, unless fewer were).

    Raises:
        ValueError: k outside 1 ... latent_dim.
    """
    latent_dim = latents.shape[-1]
    most = int(k.max()) if isinstance(k, Tensor) else k
    least = int(k.min()) if isinstance(k, Tensor) else k
    if not 1 <= least <= most <= latent_dim:
        wrong = least if least < 1 else most
        raise ValueError(f"k lies between 1 and the number of latents, {latent_dim}; got {wrong}.")
    each_its_own = isinstance(k, Tensor)
    with torch.no_grad():
        largest = latents.abs().topk(most, dim=-1, sorted=each_its_own).indices
        kept = (
            torch.arange(most, device=latents.device) < k.unsqueeze(-1)
            if each_its_own
            else latents.new_ones((), dtype=torch.bool)
        )
        mask = torch.zeros_like(latents, dtype=torch.bool).scatter(-1, largest, kept.expand_as(largest))
    return latents * mask


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


def _drawn(low: int, high: int, count: int, generator: torch.Generator) -> Tensor:
    """Whole numbers (count,), drawn log-uniformly from low to high, on the generator's device."""
    drawn = torch.rand(count, generator=generator, device=generator.device)
    return (low * torch.exp(math.log(high / low) * drawn)).round().long().clamp(low, high)


def geometric(start: float, end: float, part: float) -> int:
    """A whole number that goes from start to end by equal ratios while part goes from 0 to 1, and stays there."""
    return max(1, round(start * (end / start) ** min(part, 1)))


def _check(condition: bool, sentence: str) -> None:
    if not condition:
        raise ValueError(sentence)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_target(target: Any) -> None:
    _check(_is_number(target) and 0 < target < 1, f"A target rate lies between 0 and 1, both excluded; got {target!r}.")


def _check_beta(beta: Any) -> None:
    _check(_is_number(beta) and beta >= 0, f"beta is a number of at least 0; got {beta!r}.")


@dataclass(frozen=True)
class Way:
    """What the ways of being sparse have in common. By itself it keeps every latent and asks for nothing."""

    evenness: ClassVar[float] = 0.0

    @property
    def default_k(self) -> int | None:
        """How many latents of an image survive where nobody asks for another number; None keeps all."""
        return None

    def penalty(self, latents: Tensor) -> Tensor:
        """Latents (batch, latent_dim) -> scalar, already weighted, in nats per pixel."""
        return latents.new_zeros(())

    def training_k(self, progress: float, shape: tuple[int, int], generator: torch.Generator) -> Tensor | None:
        """How many latents of each image survive in a step of training.

        Args:
            progress: how far training is, in [0, 1].
            shape: (batch, latent_dim), that of the latents.
            generator: for a k that is drawn.

        Returns:
            Whole numbers (batch,), one for each image; or None to keep all.
        """
        return None


@dataclass(frozen=True)
class Dense(Way):
    """No sparsity at all: the wide autoencoder that learns to copy."""

    kind: Literal["none"] = "none"
    evenness: ClassVar[float] = 2e-4

    @property
    def name(self) -> str:
        return "dense"


@dataclass(frozen=True)
class L1(Way):
    """beta times the mean activation: the lecture's first way. Low is all that it asks for; how low, beta decides."""

    beta: float = 0.01
    kind: Literal["l1"] = "l1"

    def __post_init__(self) -> None:
        _check_beta(self.beta)

    @property
    def evenness(self) -> float:
        """Stronger penalties kill more latents, so what keeps them alive grows along."""
        return max(2e-4, 6e-4 * self.beta)

    @property
    def name(self) -> str:
        return f"l1-{self.beta:g}"

    def penalty(self, latents: Tensor) -> Tensor:
        """(batch, latent_dim) -> scalar, beta * mean of the activations over latents and images."""
        return self.beta * unit_activation(latents).mean()


@dataclass(frozen=True)
class KLPerImage(Way):
    """Each image is to switch its latents on at the target rate, on average over latents.

    At the default beta of 5 the rate that is reached is the target within a few percent.
    """

    target: float = 0.05
    beta: float = 5.0
    kind: Literal["kl-image"] = "kl-image"
    evenness: ClassVar[float] = 3e-4

    def __post_init__(self) -> None:
        _check_target(self.target)
        _check_beta(self.beta)

    @property
    def name(self) -> str:
        return f"kl-image-{self.target:g}"

    def penalty(self, latents: Tensor) -> Tensor:
        """(batch, latent_dim) -> scalar, beta * KL(target || mean over latents), averaged over images.

        The lecture sums over the batch; the mean lets beta mean the same at every batch size.
        """
        return self.beta * bernoulli_kl(self.target, unit_activation(latents).mean(1)).mean()


@dataclass(frozen=True)
class KLPerNeuron(Way):
    """Each latent is to be on at the target rate, on average over images. (So no latent can die or always be on.)"""

    target: float = 0.05
    beta: float = 5.0
    kind: Literal["kl-neuron"] = "kl-neuron"

    def __post_init__(self) -> None:
        _check_target(self.target)
        _check_beta(self.beta)

    @property
    def name(self) -> str:
        return f"kl-neuron-{self.target:g}"

    def penalty(self, latents: Tensor) -> Tensor:
        """(batch, latent_dim) -> scalar, beta * KL(target || mean over the batch), averaged over latents."""
        return self.beta * bernoulli_kl(self.target, unit_activation(latents).mean(0)).mean()


@dataclass(frozen=True)
class TopK(Way):
    """Exactly the k largest latents of an image survive (Makhzani and Frey 2013; here the largest in magnitude).

    In training each image keeps a number of its own, drawn log-uniformly between k and a ceiling that falls
    geometrically to k: a latent that has never won cannot learn, and a code that only works at one k generalises worse.
    What dies all the same is kept alive by `uneven_use`.
    """

    k: int = 25
    kind: Literal["topk"] = "topk"

    def __post_init__(self) -> None:
        _check(_is_whole(self.k) and self.k >= 1, f"k is a whole number of at least 1; got {self.k!r}.")

    @property
    def evenness(self) -> float:
        """The fewer survive, the more latents die, so the more it takes to keep them alive."""
        return min(5e-3, 0.2 / self.k)

    @property
    def name(self) -> str:
        return f"topk-{self.k}"

    @property
    def default_k(self) -> int:
        return self.k

    def training_k(self, progress: float, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        batch_size, latent_dim = shape
        low = min(self.k, latent_dim)
        ceiling = geometric(START_OF_LATENTS * latent_dim, low, progress / SETTLED_AT)
        return _drawn(low, max(ceiling, low), batch_size, generator)


@dataclass(frozen=True)
class AdaptiveTopK(Way):
    """One model for every k: `encode(images, k=...)` chooses when it is used.

    In training each image keeps a number of latents of its own, drawn log-uniformly between 5 and 400, so that the
    largest latents must say most. (Nested dropout, Rippel et al. 2014, with the order left to each image.)
    """

    k: int = 25
    kind: Literal["adaptive-topk"] = "adaptive-topk"
    evenness: ClassVar[float] = 5e-3

    def __post_init__(self) -> None:
        _check(_is_whole(self.k) and self.k >= 1, f"k is a whole number of at least 1; got {self.k!r}.")

    @property
    def name(self) -> str:
        return "adaptive-topk"

    @property
    def default_k(self) -> int:
        return self.k

    def training_k(self, progress: float, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        batch_size, latent_dim = shape
        low = geometric(START_OF_LATENTS * latent_dim, LOWEST_K, progress / LOWEST_AT)
        return _drawn(min(low, latent_dim), min(max(HIGHEST_K, low), latent_dim), batch_size, generator)


Sparsity = Dense | L1 | KLPerImage | KLPerNeuron | TopK | AdaptiveTopK
WAYS: dict[str, type[Sparsity]] = {way.kind: way for way in (Dense, L1, KLPerImage, KLPerNeuron, TopK, AdaptiveTopK)}


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
