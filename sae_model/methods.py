"""The sparsity methods: one class holds all that is known about each.

A method is a frozen dataclass whose fields are its hyperparameters, with `@method` above it. Its class variables are
the words for the page, the command line and the model card; `penalty`, `training_k` or `gate` is the method itself;
`refined` and `trained` are how far its codes are refined and how it is trained best, or `refinement` and `recipe` where
that depends on its hyperparameters. The command line's options, the bundle, the page's controls and the cards are made
from the classes here. Other files name a method where they need a default (`ARCHITECTURES`), or compare or explain
certain models (`training.results`, the lessons of the page).
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from sae_model.errors import is_integer, is_number, one_line, plain
from sae_model.refinement import Refinement
from sae_model.sparsity import bernoulli_kl, count_above, jump_relu, unit_activation

METHODS: dict[str, type[Sparsity]] = {}
"""kind -> method, in the order in which the page and the bundle show them."""


def method(cls: type[Sparsity]) -> type[Sparsity]:
    """Make a method known by its `kind`."""
    METHODS[cls.kind] = cls
    return cls


@dataclass(frozen=True)
class Sparsity:
    """What all sparsity methods have. Its defaults keep every latent and add no penalty."""

    kind: ClassVar[str]
    """Its name on the command line and in config.json."""
    title: ClassVar[str]
    """Its name on the page."""
    label: ClassVar[str]
    """What the page's slider over its hyperparameter is called."""
    ends: ClassVar[tuple[str, str]]
    """What stands at the two ends of that slider."""
    asks_for: ClassVar[str]
    """What it asks for, in one line: "The sparsity method asks for ..."."""
    purpose: ClassVar[str]
    """What it is for, in one line: "Use it ..."."""
    remark: ClassVar[str] = ""
    """Anything else that the cards of its models say."""
    hyperparameter: ClassVar[str | None] = None
    """The field that the bundle and the page vary, if any."""
    bundled: ClassVar[tuple[dict[str, Any], ...]] = ({},)
    """The hyperparameters of the models in the bundle."""
    bundled_on_noise: ClassVar[tuple[dict[str, Any], ...]] = ()
    """Those of the models in it that were trained on noisy images."""
    joins: ClassVar[str | None] = None
    """The kind of the method whose slider begins with this one's model; this one has no slider of its own."""
    follows: ClassVar[str | None] = None
    """The kind of the method beside whose slider this one's models stand: they have no value on its axis, and the page
    calls them by their kind there."""
    measured_at: ClassVar[dict[str, tuple[float, ...]]] = {}
    """For a method that serves every k or every beta: at which of them its models are measured, {"k": (10, 25)}."""
    betas: ClassVar[tuple[float, ...]] = ()
    """For a method that serves every beta between two: the settings of its encoder, in increasing order."""
    penalty_of: ClassVar[str | None] = None
    """What its penalty is made of, so that the page can compute it for one image: "mean", beta times the mean
    activation, or "divergence", beta times the divergence of that from the target. None where one image is not enough
    to compute it."""
    has_threshold: ClassVar[bool] = False
    """Whether the model has a threshold for each latent, which `gate` uses."""
    learns_threshold: ClassVar[bool] = False
    """Whether thresholds are learned by gradient descent; otherwise `gate` sets them in training."""
    refined: ClassVar[Refinement | None] = None
    """How far a code is refined at inference; None leaves it as it comes from the encoder."""
    trained: ClassVar[dict[str, Any]] = {}
    """The fields of `training.fit.recipe.Recipe` that are best set to other values than its defaults."""

    def __post_init__(self) -> None:
        for hyperparameter in dataclasses.fields(self):
            value, known = plain(getattr(self, hyperparameter.name)), hyperparameter.metadata
            object.__setattr__(self, hyperparameter.name, value)
            if "rule" in known and not known["holds"](value):
                raise ValueError(f"{known['rule']}; got {value!r:.80}.")

    @property
    def name(self) -> str:
        """What its bundled model is called."""
        return self.kind if self.hyperparameter is None else f"{self.kind}-{self.value:g}"

    @property
    def value(self) -> float | None:
        """The hyperparameter's value."""
        return None if self.hyperparameter is None else getattr(self, self.hyperparameter)

    @property
    def default_k(self) -> int | None:
        """How many latents of an image are kept where no other number is asked for; None keeps all."""
        return None

    def refinement(self, beta: Tensor | None = None) -> Refinement | None:
        """As `refined`; beta is that of each image, (batch,), for a method that serves every beta."""
        return self.refined

    def penalty(self, latents: Tensor, beta: Tensor | None = None, threshold: Tensor | None = None) -> Tensor:
        """The term that is added to the reconstruction loss.

        Args:
            latents: (batch, latent_dim).
            beta: what `training_beta` drew, (batch,).
            threshold: the model's, (latent_dim,), where the method has one.

        Returns:
            Scalar, already weighted, in the units of the reconstruction loss. It does not depend on the batch size.
        """
        return latents.new_zeros(())

    def gate(self, latents: Tensor, threshold: Tensor, k: int | Tensor | None) -> Tensor:
        """Keep the latents that are above a threshold; only asked of a method that has one.

        Args:
            latents: (batch, latent_dim), at least 0.
            threshold: (latent_dim,); a method may change it in place, in training.
            k: in training, what `training_k` drew; None at inference.

        Returns:
            (batch, latent_dim).
        """
        return latents * (latents > threshold)

    def prefixes(self, latent_dim: int) -> tuple[int, ...]:
        """How many of the first latents are to reconstruct the image alone; the reconstruction loss is their mean."""
        return (latent_dim,)

    def training_k(self, progress: float, shape: tuple[int, int], generator: torch.Generator) -> Tensor | None:
        """How many latents of each image are kept in a step of training.

        Args:
            progress: how far training is, in [0, 1].
            shape: (batch, latent_dim), the shape of the latents.
            generator: for a k that is drawn.

        Returns:
            Whole numbers (batch,), one for each image; or None to keep all.
        """
        return None

    def training_beta(self, count: int, generator: torch.Generator) -> Tensor | None:
        """The beta of each of `count` images in a step of training, (count,); None where all have the method's."""
        return None

    def recipe(self) -> dict[str, Any]:
        """As `trained`."""
        return self.trained

    def to_config(self) -> dict[str, Any]:
        """What config.json says: {"kind": "l1", "beta": 0.1}."""
        return {"kind": self.kind, **dataclasses.asdict(self)}


def sparsity_from_config(config: Any) -> Sparsity:
    """The opposite of `to_config`.

    Raises:
        ValueError: an unknown kind, a hyperparameter that this kind does not have, or a value out of its range.
    """
    if not isinstance(config, dict) or not isinstance(config.get("kind"), str):
        raise ValueError(f'A sparsity method is written as {{"kind": "l1", "beta": 0.1}}; got {config!r:.80}.')
    if config["kind"] not in METHODS:
        raise ValueError(
            f"Unknown sparsity method: {config['kind']!r:.80}. Known ones: {one_line(', '.join(METHODS), 150)}."
        )
    cls = METHODS[config["kind"]]
    values = {name: value for name, value in config.items() if name != "kind"}
    known = [hyperparameter.name for hyperparameter in dataclasses.fields(cls)]
    for name in values:
        if name not in known:
            raise ValueError(f"{cls.kind!r} has no hyperparameter {name!r:.80}; it has: {', '.join(known) or 'none'}.")
    return cls(**values)


# What the help of the command line says of a hyperparameter; and the rule for its values, and whether it holds for one.
BETA = {
    "help": "Weight of the penalty, at least 0.",
    "rule": "beta is a number of at least 0",
    "holds": lambda beta: is_number(beta) and beta >= 0,
}
TARGET = {
    "help": "Target rate of a KL penalty, between 0 and 1.",
    "rule": "A target rate lies between 0 and 1, both excluded",
    "holds": lambda target: is_number(target) and 0 < target < 1,
}
K = {
    "help": "Number of latents that a top-k method keeps.",
    "rule": "k is a whole number of at least 1",
    "holds": lambda k: is_integer(k) and k >= 1,
}


@method
@dataclass(frozen=True)
class Dense(Sparsity):
    """No sparsity: the wide autoencoder that learns to copy."""

    kind = "none"
    title = "No penalty"
    label = "No hyperparameter"
    ends = ("copies", "copies")
    asks_for = "nothing, so the model may copy its input, noise included"
    purpose = "to see what goes wrong without sparsity"
    joins = "l1"
    # With larger steps or more of them it learns to leave part of the noise out.
    trained: ClassVar = {"epochs": 4, "learning_rate": 4e-3, "load_balancing": 3e-2, "initial_step": 0.4}

    @property
    def name(self) -> str:
        return "dense"


@method
@dataclass(frozen=True)
class L1(Sparsity):
    """beta times the mean activation, the lecture's penalty."""

    beta: float = field(default=0.01, metadata=BETA)
    kind = "l1"
    title = "L1 penalty"
    label = "Sparsity (beta)"
    ends = ("copies", "too sparse")
    asks_for = "a low mean activation; beta says how strongly, but not which value results"
    purpose = "where an image may have a code as long as it needs, and no rate has to be stated"
    hyperparameter = "beta"
    bundled = tuple({"beta": beta} for beta in (0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0))
    bundled_on_noise = ({"beta": 0.1},)
    penalty_of = "mean"

    def penalty(self, latents: Tensor, beta: Tensor | None = None, threshold: Tensor | None = None) -> Tensor:
        """(batch, latent_dim) -> scalar, beta * mean of the activations over latents and images."""
        return self.beta * unit_activation(latents).mean()

    def refinement(self, beta: Tensor | None = None) -> Refinement | None:
        steps = round(min(max(_l1_steps(math.log(self.beta)), 0), L1_STEPS)) if self.beta else 0
        return Refinement(steps, beta=self.beta) if steps else None

    def recipe(self) -> dict[str, Any]:
        """A penalty below 0.05 is trained like none. Above it load balancing falls with beta, and then its weight rises
        to 1e-2, without which a strong penalty turns latents off for good."""
        if self.beta < 0.05:
            return Dense.trained
        return {"load_balancing": 3e-2 / (1 + 10 * self.beta) + min(1e-3 * self.beta, 1e-2)}


L1_STEPS = 12
LOWEST_BETA, HIGHEST_BETA = 0.03, 10
ADAPTIVE_BETA = BETA | {
    "rule": f"beta of adaptive-l1 lies between {LOWEST_BETA} and {HIGHEST_BETA}",
    "holds": lambda beta: is_number(beta) and LOWEST_BETA <= beta <= HIGHEST_BETA,
}


def _l1_steps(log_beta: Any) -> Any:
    """Steps of the refinement under an L1 penalty, before they are rounded and clamped: 0 at beta 0.3, 12 at 1.

    The weaker the penalty, the more latents are on, and the more expensive each step is.
    """
    return L1_STEPS * (1 - log_beta / math.log(0.3))


@method
@dataclass(frozen=True)
class AdaptiveL1(Sparsity):
    """One model for every beta: `encode(images, beta=...)` chooses when it is used.

    The encoder's first bias, thresholds and step sizes are interpolated between 8 values of log beta, and in training
    each image has a beta of its own. (As a hypernetwork of one input: Dosovitskiy and Djolonga 2020, "You only train
    once: loss-conditional training of deep networks".)
    """

    beta: float = field(default=1.0, metadata=ADAPTIVE_BETA)
    kind = "adaptive-l1"
    title = "Adaptive L1"
    label = "Sparsity (beta)"
    ends = ("copies", "too sparse")
    asks_for = "a low mean activation, for a beta that is chosen when the model is used"
    purpose = "to move along beta with one model, instead of training one for each"
    penalty_of = "mean"
    betas = tuple(LOWEST_BETA * (HIGHEST_BETA / LOWEST_BETA) ** (i / 7) for i in range(8))
    measured_at: ClassVar = {"beta": (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)}
    trained: ClassVar = {"epochs": 27, "load_balancing": 1.3e-2}

    def refinement(self, beta: Tensor | None = None) -> Refinement:
        beta = torch.tensor([self.beta]) if beta is None else beta
        steps = _l1_steps(beta.log()).round().clamp(0, L1_STEPS)
        return Refinement(steps.unsqueeze(1), beta=beta.unsqueeze(1), most_steps=L1_STEPS)

    def penalty(self, latents: Tensor, beta: Tensor | None = None, threshold: Tensor | None = None) -> Tensor:
        """(batch, latent_dim) -> scalar, beta of each image times its mean activation, averaged over images."""
        return ((self.beta if beta is None else beta) * unit_activation(latents).mean(1)).mean()

    def training_beta(self, count: int, generator: torch.Generator) -> Tensor:
        """Log-uniform between the first and the last of `betas`, and one in seven at each end."""
        drawn = torch.rand(count, generator=generator, device=generator.device)
        part = ((drawn - 0.5) * 1.4 + 0.5).clamp(0, 1)  # the ends have neighbours on one side only
        return self.betas[0] * (self.betas[-1] / self.betas[0]) ** part


@dataclass(frozen=True)
class _TargetRate(Sparsity):
    """What both KL penalties have: a rate that is asked for, and the weight of missing it."""

    target: float = field(default=0.05, metadata=TARGET)
    beta: float = field(default=5.0, metadata=BETA)
    label = "Target rate (p)"
    ends = ("few on", "many on")
    hyperparameter = "target"
    # At a low rate the penalty needs more weight to come within a few percent of it.
    bundled = ({"target": 0.02, "beta": 20.0}, {"target": 0.05}, {"target": 0.1}, {"target": 0.2})
    mean_over: ClassVar[int]
    """The dimension of (batch, latent_dim) over which a rate is the mean."""

    def penalty(self, latents: Tensor, beta: Tensor | None = None, threshold: Tensor | None = None) -> Tensor:
        """(batch, latent_dim) -> scalar, beta * KL(target || rate), averaged over the rates.

        The lecture sums over the batch; with the mean, beta does not depend on the batch size.
        """
        return self.beta * bernoulli_kl(self.target, unit_activation(latents).mean(self.mean_over)).mean()


@method
@dataclass(frozen=True)
class KLPerImage(_TargetRate):
    """Each image is to have the target rate, on average over its latents.

    At the default beta the rate that is reached is within a few percent of the target, for targets of 0.05 and more.
    """

    kind = "kl-image"
    title = "KL per image"
    asks_for = "a mean activation of p in every image; which latents are on is left open"
    purpose = "where every image is to have the same stated mean activation"
    penalty_of = "divergence"
    trained: ClassVar = {"epochs": 3, "load_balancing": 3e-2}
    mean_over = 1


@method
@dataclass(frozen=True)
class KLPerNeuron(_TargetRate):
    """Each latent is to have the target rate, on average over images, so that none is dead or always on.

    (Ng 2011, "Sparse autoencoder", CS294A lecture notes.)
    """

    kind = "kl-neuron"
    title = "KL per latent"
    asks_for = "a mean activation of p from every latent, averaged over the images"
    purpose = "where no latent is to be left unused, at a stated rate"
    trained: ClassVar = {"epochs": 3, "load_balancing": 0.0}  # the penalty itself keeps latents from dying
    mean_over = 0


START_OF_LATENTS = 0.45  # share of the latents that the top-k methods may keep at first
AT_K_FROM = 0.8  # share of training after which this ceiling has come down to k
LOWEST_K, HIGHEST_K = 8, 120  # `AdaptiveTopK` draws k between these
LOWEST_FROM = 0.4  # share of training after which its lower bound is `LOWEST_K`
LOW_POWER = 2.0  # above 1: low k are drawn more often
THRESHOLD_RATE = 0.01  # how far the threshold of `BatchTopK` follows that of a batch
JUMP_WIDTH = 0.2  # of the kernel that estimates the gradient of a threshold, in units of latents
# Top-k models are judged by the squared error; where pixels are grey, the cross-entropy says little about it.
TOP_K_RECIPE = {
    "squared_error": 4.0,
    "epochs": 12,
    "learning_rate": 8e-3,
    "atoms_from_images": True,
    "initial_step": 0.02,
}


@dataclass(frozen=True)
class _TopKMethod(Sparsity):
    """What all top-k methods have: how many latents of an image are kept."""

    k: int = field(default=25, metadata=K)
    label = "Latents kept (k)"
    ends = ("fewest", "most")
    refined = Refinement(steps=8, rounds=2)

    @property
    def default_k(self) -> int | None:
        return None if self.has_threshold else self.k

    def training_k(self, progress: float, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        """Drawn log-uniformly between k and a ceiling that falls geometrically to k.

        A latent that is never kept cannot learn. (Makhzani and Frey lower k during training too.)
        """
        batch_size, latent_dim = shape
        low = min(self.k, latent_dim)
        ceiling = _geometric(START_OF_LATENTS * latent_dim, low, progress / AT_K_FROM)
        return _drawn(low, max(ceiling, low), batch_size, generator)

    def recipe(self) -> dict[str, Any]:
        return TOP_K_RECIPE | {"load_balancing": 0.2 / self.k}


@method
@dataclass(frozen=True)
class TopK(_TopKMethod):
    """The k largest latents of each image are kept (Makhzani and Frey 2013, "k-sparse autoencoders")."""

    kind = "topk"
    title = "Top k"
    asks_for = "the k largest latents of every image, whatever their values"
    purpose = "where the number of latents of every image has to be known"
    hyperparameter = "k"
    bundled = tuple({"k": k} for k in (10, 25, 50))


@method
@dataclass(frozen=True)
class BatchTopK(_TopKMethod):
    """k latents an image on average over a batch (Bussmann et al. 2024, "BatchTopK sparse autoencoders").

    In training the largest latents of the batch are kept, and the threshold follows the smallest of them. At inference
    the latents above the threshold are kept: an image may have more or fewer than k.
    """

    kind = "batch-topk"
    follows = "topk"
    title = "Batch top k"
    asks_for = "k latents an image on average, so that a simple image may have fewer and a complex one more"
    purpose = "where the mean number of latents is given, and images differ in how many they need"
    has_threshold = True

    def gate(self, latents: Tensor, threshold: Tensor, k: int | Tensor | None) -> Tensor:
        """(batch, latent_dim) -> the same; in training with the k of the batch, and the threshold follows."""
        if k is None:
            return super().gate(latents, threshold, k)
        with torch.no_grad():
            total = int(k.sum()) if isinstance(k, Tensor) else k * len(latents)
            smallest = latents.flatten().topk(min(total, latents.numel())).values[-1]
            threshold.lerp_(smallest.to(threshold.dtype), THRESHOLD_RATE)
        return latents * (latents >= smallest)


@method
@dataclass(frozen=True)
class JumpReLU(Sparsity):
    """beta times the share of latents that are on, with a threshold for each latent.

    (Rajamanoharan et al. 2024, "Jumping ahead: improving reconstruction fidelity with JumpReLU sparse autoencoders".)
    """

    beta: float = field(default=1.25, metadata=BETA)
    kind = "jumprelu"
    follows = "topk"
    title = "JumpReLU"
    label = "Sparsity (beta)"
    ends = ("many on", "few on")
    asks_for = "as few latents as possible above learned thresholds, however large they are"
    purpose = "where each latent is to have a threshold of its own, and no k is given"
    has_threshold = True
    learns_threshold = True
    refined = Refinement(steps=8, rounds=2)
    trained: ClassVar = TOP_K_RECIPE | {"load_balancing": 8e-3}

    def gate(self, latents: Tensor, threshold: Tensor, k: int | Tensor | None) -> Tensor:
        """(batch, latent_dim) -> the same, with a gradient for the thresholds."""
        return jump_relu(latents, threshold, JUMP_WIDTH)

    def penalty(self, latents: Tensor, beta: Tensor | None = None, threshold: Tensor | None = None) -> Tensor:
        """(batch, latent_dim) -> scalar, beta * L0 / latent_dim, averaged over images."""
        count = latents.count_nonzero(1) if threshold is None else count_above(latents, threshold, JUMP_WIDTH)
        return self.beta * count.to(latents.dtype).mean() / latents.shape[1]


@method
@dataclass(frozen=True)
class Matryoshka(_TopKMethod):
    """Top k in which the first latents alone reconstruct the image too, in nested groups.

    (Bussmann et al. 2025, "Learning multi-level features with Matryoshka sparse autoencoders".)
    """

    kind = "matryoshka"
    follows = "topk"
    title = "Matryoshka"
    asks_for = (
        "the k largest latents of every image, and that the first 1/9, 2/9 and 4/9 of all latents also reconstruct it "
        "alone"
    )
    purpose = "where coarse and fine features are to be told apart: the first latents learn what matters most"
    remark = (
        "Its FVU is above that of `topk` with the same k, since the first latents have to reconstruct the image "
        "without the others too."
    )

    def prefixes(self, latent_dim: int) -> tuple[int, ...]:
        return tuple(max(1, round(latent_dim * part / 9)) for part in (1, 2, 4, 9))


@method
@dataclass(frozen=True)
class AdaptiveTopK(_TopKMethod):
    """One model for every k: `encode(images, k=...)` chooses when it is used.

    In training each image keeps a number of latents of its own, drawn between 8 and 120 (at first between higher
    bounds), low numbers more often, so that the largest latents must say most. (Nested dropout, Rippel et al. 2014,
    with the order left to each image.)
    """

    kind = "adaptive-topk"
    title = "Adaptive top k"
    asks_for = "the k largest latents of every image, for a k that is chosen when the model is used"
    purpose = "to choose k afterwards, with one model"
    measured_at: ClassVar = {"k": (1, 2, 5, 10, 25, 50, 100, 200)}
    refined = Refinement(steps=8, rounds=4)

    def training_k(self, progress: float, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        batch_size, latent_dim = shape
        low = _geometric(START_OF_LATENTS * latent_dim, LOWEST_K, progress / LOWEST_FROM)
        return _drawn(min(low, latent_dim), min(max(HIGHEST_K, low), latent_dim), batch_size, generator, LOW_POWER)

    def recipe(self) -> dict[str, Any]:
        return TOP_K_RECIPE | {"epochs": 18, "load_balancing": 5e-3}


def _drawn(low: int, high: int, count: int, generator: torch.Generator, power: float = 1.0) -> Tensor:
    """Whole numbers (count,), drawn log-uniformly from low to high, on the generator's device; a power above 1 draws
    low ones more often."""
    drawn = torch.rand(count, generator=generator, device=generator.device) ** power
    return (low * torch.exp(math.log(high / low) * drawn)).round().long().clamp(low, high)


def _geometric(start: float, end: float, part: float) -> int:
    """A whole number that goes from start to end by equal ratios while part goes from 0 to 1, and stays there."""
    return max(1, round(start * (end / start) ** min(part, 1)))
