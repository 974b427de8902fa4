"""Every hyperparameter of a training run."""

from __future__ import annotations

import math
import os
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, cast

import torch
from torch import Tensor

from sae_model import Dense, SparseAutoencoder, Sparsity
from sae_model.architectures import ARCHITECTURES, Dictionary
from sae_model.errors import UserError, is_integer, is_number, plain
from sae_model.methods import sparsity_from_config

from ..data import Images, as_floats

DEFAULT_ARCHITECTURE = "dictionary"
OUTPUT_OF = {"bce": "sigmoid", "mse": "linear"}
"""Loss -> the output of a model that is trained with it, as `sae_model.outputs` calls it."""
FEW_STEPS = 300
MNIST_CURVATURE = 0.0875
"""Mean of p (1 - p) over the pixels p of the mean image of MNIST, rounded up."""


def _option(default: Any, help: str, shown: str = "as measured best") -> Any:
    """A field that is an option of the command line too; `shown` is what its help calls the default."""
    return field(default=default, metadata={"help": help, "default": shown})


@dataclass(frozen=True)
class Recipe:
    """What a run does, whole: the same recipe on the same machine gives the same weights."""

    sparsity: Sparsity = field(default_factory=Dense)
    """The sparsity method."""
    architecture: str = DEFAULT_ARCHITECTURE
    """A name in `sae_model.architectures.ARCHITECTURES`."""
    dataset: str = "mnist"
    """What is learned; see `training.data.open_dataset`."""
    image_size: int | None = _option(None, "Resize images to N x N pixels.", "as they are")
    grey: bool = False
    """Whether its images in colour are turned grey."""
    limit: int | None = _option(None, "Train on the first N images alone.", "all")
    loss: Literal["bce", "mse"] = _option(
        "bce",
        "The cross-entropy, for images in [0, 1]; or the squared error, for values of any range.",
        "that of --init, or bce",
    )
    step_loss: Literal["bce", "mse"] = "bce"
    """What the steps of the encoder descend on; see `sae_model.architectures.Dictionary`."""
    steps: int = _option(
        Dictionary.STEPS,
        "Steps of the encoder; 0 is the classical autoencoder, whose codes are not refined.",
        "that of --init, or 3",
    )
    latent_dim: int = _option(900, "Number of latents.", "900")
    epochs: int = _option(12, "Passes over the images.")
    batch_size: int = _option(256, "Images a step.")
    learning_rate: float = _option(6e-3, "Of AdamW: its peak, or constant for the lecture's network.")
    one_cycle: bool = True
    """Whether the learning rate rises and falls once (Smith and Topin 2018), or is constant."""
    beta2: float = 0.98
    """Decay of AdamW's mean of squared gradients."""
    weight_decay: float = 0.01
    """Of AdamW. On atoms of fixed length it only keeps the effective step size up."""
    gradient_norm: float | None = 0.1
    """Gradients are clipped to this norm; rare large ones otherwise turn latents off for good. None clips nothing."""
    squared_error: float = 0.0
    """Weight of the squared error per pixel beside the cross-entropy."""
    load_balancing: float = 1e-2
    """Weight of the load-balancing loss, which keeps latents from dying."""
    atoms_from_images: bool = False
    """Whether the first atoms are half noise and half training images, or noise alone."""
    initial_step: float = 0.15
    """Step size of the encoder at the start, on MNIST. Atoms from images overlap, and tolerate only smaller steps."""
    noise: float = _option(
        0.0, "Largest sigma of the Gaussian noise on each training image, in the units of the data.", "none"
    )
    bfloat16: bool = True
    """Whether matrix products may be in bfloat16, where the CPU has instructions for it."""
    seed: int = _option(0, "Of the first weights, the order of images and the noise.", "0, the lecture's 42")
    init: str | None = None
    """Folder or Hub repo of the model whose weights are fine-tuned; None starts from new ones."""

    def __post_init__(self) -> None:
        for known in fields(self):
            object.__setattr__(self, known.name, plain(getattr(self, known.name)))
        for name in ("epochs", "batch_size", "latent_dim", "limit", "image_size", "seed", "steps"):
            value, low = getattr(self, name), 0 if name in ("seed", "steps") else 1
            if value is not None and not (is_integer(value) and low <= value < 2**63):
                raise ValueError(f"{name} is a whole number of at least {low} and below 2^63; got {value!s:.40}.")
        for name in ("squared_error", "load_balancing", "noise", "weight_decay"):
            if not (is_number(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"{name} is a number of at least 0; got {getattr(self, name)}.")
        for name in ("learning_rate", "gradient_norm", "initial_step"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"{name} is above 0; got {value}.")
        if self.loss not in OUTPUT_OF:
            raise ValueError(f"Unknown loss: {self.loss!r:.80}. Known ones: {', '.join(OUTPUT_OF)}.")
        if self.loss == "mse" and self.squared_error:
            raise ValueError("The loss mse is the squared error already: squared_error is 0 with it.")
        if not 0 <= self.beta2 < 1:
            raise ValueError(f"beta2 is at least 0 and below 1; got {self.beta2}.")

    @property
    def name(self) -> str:
        """What a bundled variant of this recipe is called."""
        name = self.sparsity.name if self.architecture == DEFAULT_ARCHITECTURE else self.architecture
        return f"{name}-noise-{self.noise:g}" if self.noise else name

    @property
    def family(self) -> str:
        """Beside which variants it stands: those of a method, those trained on noise, or those of an architecture."""
        if self.noise:
            return "noise"
        if self.architecture != DEFAULT_ARCHITECTURE:
            return self.architecture
        return self.sparsity.joins or self.sparsity.follows or self.sparsity.kind

    def to_dict(self) -> dict[str, Any]:
        """All hyperparameters, as JSON-able values."""
        return asdict(self) | {"sparsity": self.sparsity.to_config()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """The opposite of `to_dict`.

        Raises:
            ValueError, TypeError, KeyError: these are not the hyperparameters of a recipe.
        """
        return cls(**values | {"sparsity": sparsity_from_config(values["sparsity"])})

    def new_model(self, images: Images, pretrained: SparseAutoencoder | None = None) -> SparseAutoencoder:
        """The model that this recipe starts from: the one of `init`, or a new one, which follows from the seed.

        Args:
            images: those to train on, (n, channels, height, width) or (n, length), bytes or floats; in [0, 1] where
                the loss is the cross-entropy.
            pretrained: the model of `init`, where it was loaded already.

        Raises:
            ValueError: impossible sizes, or sizes that are not those of `init`.
            ModelLoadError: `init` cannot be loaded.
        """
        shape = tuple(images.shape[1:])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            model = SparseAutoencoder(
                self.latent_dim,
                self.sparsity,
                self.architecture,
                shape,
                OUTPUT_OF[self.loss],
                self.step_loss,
                self.steps,
            )
        if self.init is not None:
            pretrained = pretrained or SparseAutoencoder.from_pretrained(self.init)
            for size in ("architecture", "image_shape", "latent_dim", "output", "step_loss", "steps"):
                there, here = getattr(pretrained, size), getattr(model, size)
                if there != here:
                    raise ValueError(f"{self.init} has the {size} {there}, so it cannot be fine-tuned with {here}.")
            model.load_state_dict(pretrained.state_dict())
        elif model.is_linear:
            some = as_floats(images[: 20 * self.latent_dim])
            model.network.set_step(self.initial_step * (_relative_step(some) if self.loss == "bce" else 1))
            if self.loss == "mse":
                model.centre_on(some)
                some = (some - model.offset) / model.scale
            if self.atoms_from_images:
                model.network.start_from(some, torch.Generator().manual_seed(self.seed))
        return model


def check_size(recipe: Recipe, image_shape: tuple[int, ...] = (1, 28, 28)) -> None:
    """Refuse impossible sizes, and models that do not fit into memory with their gradients and AdamW's two means.

    Raises:
        ValueError: impossible sizes. UserError: too large for this machine's memory.
    """
    try:
        with torch.device("meta"):
            model = SparseAutoencoder(recipe.latent_dim, recipe.sparsity, recipe.architecture, image_shape)
        needed: float = 4 * sum(parameter.nbytes for parameter in model.parameters())
    except (RuntimeError, OverflowError):  # more than torch can count
        needed = math.inf
    if hasattr(os, "sysconf") and needed > os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"):
        raise UserError(
            f"A model of {recipe.latent_dim:,} latents does not fit into this machine's memory "
            f"({needed / 1e9:,.0f} GB to train it): choose a smaller --latent-dim."
        )


def too_few_steps(recipe: Recipe, count: int) -> str | None:
    """What to say where a recipe makes few steps: epochs that are enough for 55,000 images are too few for 500."""
    a_pass = max(1, count // recipe.batch_size)
    if recipe.epochs * a_pass >= FEW_STEPS:
        return None
    return (
        f"Only {recipe.epochs * a_pass} steps: {recipe.epochs} epochs of {count:,} rows in batches of "
        f"{recipe.batch_size}. A model takes several hundred; {-(-FEW_STEPS // a_pass)} epochs make {FEW_STEPS}."
    )


def _relative_step(images: Tensor) -> float:
    """How much smaller than on MNIST the encoder's first steps are, at most 1.

    The curvature of the cross-entropy in a logit is p (1 - p) for a pixel of brightness p, and steps that are large
    beside 1 / curvature overshoot. Images of few black pixels need smaller ones: on Fashion-MNIST half the size left 4%
    of the latents dead in place of 15%, in a trial of three epochs.
    """
    mean = images.mean(0)
    return min(1.0, MNIST_CURVATURE / max((mean * (1 - mean)).mean().item(), 1e-9))


# Which numbers a run uses: the defaults of `Recipe`, and over them, in this order,
#
#     `tuned`            those of the architecture (below), or of the sparsity method (`recipe` of its class)
#     `for_any_range`    those for values of any range
#     `for_noise`        those for noisy training images
#     `fine_tuning`      those for going on from a trained model
#
# and what the command line names. recipe.json beside each model says what came out.

OF_ARCHITECTURE: dict[str, dict[str, Any]] = {
    # Plain Adam in single precision, and nothing in the loss but the cross-entropy and the penalty.
    "lecture": {
        "epochs": 5,
        "batch_size": 64,
        "learning_rate": 1e-4,
        "one_cycle": False,
        "beta2": 0.999,
        "weight_decay": 0.0,
        "gradient_norm": None,
        "load_balancing": 0.0,
        "bfloat16": False,
        "seed": 42,
    },
}
ON_NOISE: dict[str, Any] = {
    "epochs": 20,
    "learning_rate": 8e-3,
    "atoms_from_images": True,
    "initial_step": 0.02,
    "step_loss": "mse",
    "load_balancing": 0.15,
}


def tuned(sparsity: Sparsity, architecture: str = DEFAULT_ARCHITECTURE) -> Recipe:
    """The recipe that measured best on the validation split for a sparsity method; an architecture may have its own."""
    return Recipe(sparsity, architecture, **(OF_ARCHITECTURE.get(architecture) or sparsity.recipe()))


def for_noise(recipe: Recipe, noise: float) -> Recipe:
    """The same recipe for noisy training images: what measured best with the L1 penalty and a sigma of up to 0.6."""
    has_steps = recipe.architecture == DEFAULT_ARCHITECTURE and recipe.loss == "bce"
    return replace(recipe, noise=noise, **(ON_NOISE if noise and has_steps else {}))


def for_any_range(recipe: Recipe) -> Recipe:
    """The same recipe for values of any range: the loss is the squared error.

    Atoms of length 1 tolerate larger steps. With exactly k latents more of them would die than with a sigmoid.
    """
    balancing = recipe.load_balancing * (6 if recipe.sparsity.default_k else 1)
    return replace(recipe, loss="mse", squared_error=0.0, initial_step=0.5, load_balancing=balancing)


def fine_tuning(recipe: Recipe, init: str, pretrained: SparseAutoencoder) -> Recipe:
    """A recipe that starts from the weights of a model: of its sizes, a quarter as long, and with smaller steps."""
    recipe = recipe if pretrained.output == "sigmoid" else for_any_range(recipe)
    return replace(
        recipe,
        init=init,
        architecture=pretrained.architecture,
        latent_dim=pretrained.latent_dim,
        step_loss=cast(Literal["bce", "mse"], pretrained.step_loss),  # which the model has checked
        steps=pretrained.steps,
        epochs=max(1, recipe.epochs // 4),
        learning_rate=recipe.learning_rate / 2,
    )


def recipe_for(
    init: str | None,
    pretrained: SparseAutoencoder | None,
    sparsity: str | None,
    architecture: str | None,
    hyperparameters: dict[str, Any],
) -> Recipe:
    """The recipe that measured best for what was named: of a new model, or of one that is fine-tuned.

    Args:
        init, pretrained: where the model is that is fine-tuned, and the model; None for a new one.
        sparsity, architecture: names; None takes those of `pretrained`, or else the usual ones.
        hyperparameters: of the sparsity method, by their names; all others, and those that are None, are as measured
            best.

    Raises:
        ValueError: there are none of these names, or they do not fit each other.
    """
    if architecture not in (None, *ARCHITECTURES):
        raise ValueError(f"Unknown architecture: {architecture!r}. Known ones: {', '.join(ARCHITECTURES)}.")
    if init is None or pretrained is None:
        architecture = architecture or DEFAULT_ARCHITECTURE
        usual = ARCHITECTURES[architecture].sparsity
    elif architecture not in (None, pretrained.architecture):
        raise ValueError(f"{init} has the architecture {pretrained.architecture}: leave --architecture out.")
    else:
        architecture, usual = pretrained.architecture, pretrained.sparsity.to_config()
    config = usual if sparsity in (None, usual["kind"]) else {"kind": sparsity}
    recipe = tuned(sparsity_from_config(config | _given(hyperparameters)), architecture)
    return recipe if init is None or pretrained is None else fine_tuning(recipe, init, pretrained)


def asked_for(recipe: Recipe, loss: str | None = None, noise: float | None = None, **fields: Any) -> Recipe:
    """The same recipe with what somebody asked for, and what suits it; what is None stays as it is.

    Raises:
        ValueError: a value out of its range.
    """
    if loss == "mse" and recipe.loss != "mse":
        recipe = for_any_range(recipe)
    if noise is not None:
        recipe = replace(recipe, noise=noise) if recipe.init else for_noise(recipe, noise)
    return replace(recipe, **_given({"loss": loss, **fields}))


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
