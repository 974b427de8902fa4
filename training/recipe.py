"""Every knob of a training run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch

from sae_model import AdaptiveTopK, Dense, SparseAutoencoder, Sparsity, TopK
from sae_model.sparsity import sparsity_from_config
from training.data import Dataset


@dataclass(frozen=True)
class Recipe:
    """What a run does, whole: the same recipe on the same machine gives the same weights."""

    sparsity: Sparsity = field(default_factory=Dense)
    """How latents are kept off."""
    dataset: Dataset = "mnist"
    """What is learned."""
    limit: int | None = None
    """Train on the first so many images only; None takes all."""
    latent_dim: int = 900
    """Number of latents."""
    hidden_dim: int = 224
    """Width of the hidden layers of encoder and decoder."""
    epochs: int = 24
    """Passes over the images."""
    batch_size: int = 256
    """Images a step."""
    learning_rate: float = 8e-3
    """Peak of the one-cycle schedule (Smith and Topin 2018)."""
    weight_decay: float = 0.01
    """Of AdamW. On the decoder's fixed-length columns it only keeps the effective step size up."""
    squared_error: float = 0.0
    """Weight of the squared error per pixel beside the cross-entropy, which says little about where grey is wrong."""
    noise: float = 0.1
    """Each training image gets Gaussian noise of a sigma drawn from 0 to this; the clean image is the target."""
    seed: int = 0
    """Of the first weights, the order of images and the noise."""
    init: str | None = None
    """Folder or Hub repo of the model whose weights the run starts from; None starts from random ones."""

    def __post_init__(self) -> None:
        for name, low in {
            "epochs": 1,
            "batch_size": 1,
            "limit": 1,
            "seed": 0,
            "squared_error": 0,
            "noise": 0,
            "weight_decay": 0,
        }.items():
            value = getattr(self, name)
            if value is not None and not low <= value < float("inf"):
                raise ValueError(f"{name} is at least {low}; got {value}.")
        if not 0 < self.learning_rate < float("inf"):
            raise ValueError(f"learning_rate is above 0; got {self.learning_rate}.")

    @property
    def name(self) -> str:
        """What a bundled variant of this recipe is called."""
        noisy = self.noise != tuned(self.sparsity).noise
        return self.sparsity.name + (f"-noise-{self.noise:g}" if noisy else "")

    def to_json(self) -> str:
        """All knobs, as JSON."""
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_dict(cls, knobs: dict[str, Any]) -> Recipe:
        """The recipe of the knobs that `to_json` wrote.

        Raises:
            ValueError, TypeError, KeyError: these are none.
        """
        return cls(**knobs | {"sparsity": sparsity_from_config(knobs["sparsity"])})

    def new_model(self) -> SparseAutoencoder:
        """The model that this recipe starts from: with the weights of `init`, or random ones that follow from the seed.

        Raises:
            ValueError: sizes that there cannot be, or that are not those of `init`.
            ModelLoadError: `init` cannot be loaded.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            model = SparseAutoencoder(self.latent_dim, self.hidden_dim, self.sparsity)
        if self.init is not None:
            pretrained = SparseAutoencoder.from_pretrained(self.init)
            for size in ("latent_dim", "hidden_dim"):
                there, here = getattr(pretrained, size), getattr(self, size)
                if there != here:
                    raise ValueError(f"{self.init} has a {size} of {there}, so its training cannot go on with {here}.")
            model.load_state_dict(pretrained.state_dict())
        return model


def tuned(sparsity: Sparsity) -> Recipe:
    """The recipe that measured best for a way of being sparse: where the command line and the bundle start from.

    The top-k ways want wider hidden layers, gentler steps and more of them, and some weight on the squared error, by
    which they are judged; they are also less robust by themselves, so they see more noise.
    """
    if isinstance(sparsity, TopK | AdaptiveTopK):
        return Recipe(
            sparsity, hidden_dim=448, epochs=42, learning_rate=5e-3, weight_decay=0.1, squared_error=4, noise=0.15
        )
    return Recipe(sparsity)


def going_on(recipe: Recipe, init: str, pretrained: SparseAutoencoder) -> Recipe:
    """A recipe that starts from the weights of a model: of its sizes, a quarter as long, and with gentler steps."""
    return replace(
        recipe,
        init=init,
        latent_dim=pretrained.latent_dim,
        hidden_dim=pretrained.hidden_dim,
        epochs=max(1, recipe.epochs // 4),
        learning_rate=recipe.learning_rate / 2,
    )
