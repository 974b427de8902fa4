"""What the page shows, without the page: test images, a fixed draw of noise, its own models, users' models.

`look` is what web/lab.js computes in the browser, for the API and for the test that holds both equal.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any

import torch
from torch import Tensor

from sae_model import SparseAutoencoder, unit_activation
from sae_model.errors import is_integer, is_number
from space.collection import Collection, bundled
from space.errors import InputError
from space.live_training import LiveTrainings
from space.noise import noise
from space.user_models import UserModels
from training.data import as_floats
from training.draw.card_image import value_range
from training.fit.bundled_recipes import FAMILIES, short_number, value_label
from training.fit.recipe import DEFAULT_ARCHITECTURE, OUTPUT_OF, Recipe
from training.measure.evaluation import SIGMA, Evaluation

LARGEST_SEED = 2**32 - 1
SEVERAL = 64
"""Images for the histogram of the latents' means; the lecture takes its first 64."""
BETWEEN = 80
"""Steps of a slider between two values at which its model was measured."""


@dataclass(frozen=True)
class Stop:
    """One stop of the page's slider: a model, and how many latents it is to keep, or which beta it is to serve."""

    model: str
    """Its name."""
    label: str = field(default="", compare=False)
    """What stands under the stop; it may be another one in another family. "" where the slider only passes by."""
    argument: str | None = None
    """"k" or "beta", where the stop asks its model for one; None leaves it to the model."""
    value: float = 0
    """Of the argument, as in `model.encode`."""

    @property
    def arguments(self) -> dict[str, Any]:
        """What `model.encode` gets besides the images."""
        return {} if self.argument is None else {self.argument: self.value}

    @property
    def key(self) -> str:
        """Its name; no two stops have the same."""
        return self.model if self.argument is None else f"{self.model}, {self.argument} = {self.value:g}"

    @property
    def short(self) -> str:
        """A name that fits below a small image."""
        return self.model if self.argument is None else f"{self.argument} = {self.value:g}"


@dataclass(frozen=True)
class Specimen:
    """One test image and one draw of noise on it."""

    digit: int
    """Position in the test split."""
    sigma: float
    """Standard deviation of the noise, in [0, 1]. It scales one fixed draw, so that only it changes."""
    seed: int = 0
    """Which draw."""


@dataclass(frozen=True)
class Look:
    """One image and what one model makes of it; images are (channels, height, width), values as the model has them."""

    clean: Tensor
    noisy: Tensor
    """As the model is given it; noise goes beyond [0, 1]."""
    latents: Tensor
    """(latent_dim,)."""
    reconstruction: Tensor
    span: float = 1.0
    """Highest less lowest value that an image can have."""

    @property
    def mse(self) -> float:
        """Squared error of the reconstruction against the clean image, per pixel."""
        return (self.reconstruction - self.clean).square().mean().item()

    @property
    def psnr(self) -> float:
        """Peak signal-to-noise ratio of the reconstruction, in dB."""
        return 10 * math.log10(self.span**2 / max(self.mse, 1e-10))

    @property
    def mean_activation(self) -> float:
        """Over the latents, in [0, 1)."""
        return unit_activation(self.latents).mean().item()


def is_apart(recipe: Recipe) -> bool:
    """Whether its stops stand beside a slider, since they have no place on its axis."""
    return recipe.architecture != DEFAULT_ARCHITECTURE or recipe.sparsity.follows is not None


def _between(measured: Iterable[float]) -> list[float]:
    """The measured values, and others between each two of them, in equal ratios."""
    values = sorted(measured)
    return [
        value if i == 0 else float(f"{value * (following / value) ** (i / BETWEEN):.4g}")
        for value, following in itertools.pairwise([*values, values[-1]])
        for i in range(BETWEEN if following > value else 1)
    ]


class Lab:
    """The test images and the page's own models, loaded once and read by all visitors; and the models of all of them.

    A family is the stops of one slider, as `Recipe.family` tells it; but a model of another architecture is the last
    stop of the family of its sparsity method.

    What is not there, and a value out of its range, raises an InputError.
    """

    def __init__(self, collection: Collection | None = None) -> None:
        self.collection = collection = collection or bundled()
        self.models, self.test, self.is_bundled = collection.models, collection.test, collection.is_bundled
        self.dataset, self.data_fields, self.classes = collection.dataset, collection.fields, collection.dataset.classes
        self.images, self.labels = self.test
        self.user_models = UserModels(self.test, len(self.classes))
        self.trainings = LiveTrainings(self.dataset, as_floats(self.images[:SEVERAL]))
        self.recipes = {name: shown.recipe for name, shown in self.models.items()}
        self.families = self._families()
        self.stops: dict[str, Stop] = {}
        """By key; one that several families have has the label of the first."""
        for stop in itertools.chain.from_iterable(self.families.values()):
            self.stops.setdefault(stop.key, stop)
        self.loss = next(iter(self.recipes.values())).loss
        self.range = value_range(OUTPUT_OF[self.loss], self.images)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(channels, height, width)."""
        return tuple(self.images.shape[1:])

    def _families(self) -> dict[str, list[Stop]]:
        families: dict[str, list[Stop]] = {family: [] for family in FAMILIES}
        for name, recipe in sorted(
            self.recipes.items(),
            key=lambda item: (is_apart(item[1]), item[1].sparsity.joins is None),
        ):
            stops = families[replace(recipe, architecture=DEFAULT_ARCHITECTURE).family]
            stops += [stop for stop in self._stops_of(name, recipe) if stop not in stops]
        return {family: stops for family, stops in families.items() if stops}

    def _stops_of(self, name: str, recipe: Recipe) -> list[Stop]:
        if recipe.noise:
            without = replace(recipe, noise=0.0).name
            return [Stop(without, without)] * (without in self.models) + [Stop(name, f"+{recipe.noise:g}")]
        by = self.models[name].by
        if "beta" in by:
            return [
                Stop(name, short_number(beta) if beta in by["beta"] else "", "beta", beta)
                for beta in _between(by["beta"])
            ]
        label = recipe.sparsity.kind if recipe.sparsity.follows else value_label(name, recipe)
        return [Stop(name, str(k), "k", k) for k in by.get("k", ())] or [Stop(name, label)]

    def first(self, family: str) -> Stop:
        """The stop at which the slider of a family starts: of those on its axis, the one that removes noise best."""
        labelled = [stop for stop in self.families[family] if stop.label]
        along = [stop for stop in labelled if not is_apart(self.recipes[stop.model])] or labelled
        return min(along, key=lambda stop: self.evaluation(stop).denoise_mse[f"{SIGMA:g}"])

    @cached_property
    def opening_digit(self) -> int:
        """Position of the image that the page opens with: of MNIST a 7."""
        some = [images for label in range(len(self.classes)) if len(images := (self.labels == label).nonzero())]
        return int(some[7 % len(some)][0])

    def stop(self, key: str) -> Stop:
        """The stop of a key. The name of a model is a key as well: it leaves k and beta to the model."""
        if isinstance(key, str) and key in self.stops:
            return self.stops[key]
        if not isinstance(key, str) or key not in self.models:
            raise InputError("errors.variant", name=key, names=", ".join(self.models))
        return Stop(key)

    @cache  # noqa: B019 (one Lab lives as long as the page)
    def model(self, name: str) -> SparseAutoencoder:
        """One of the page's own models, in double precision, as the browser computes: rounding may decide whether a
        step of the refinement is taken."""
        return SparseAutoencoder.from_pretrained(self.models[name].folder).double()

    def evaluation(self, stop: Stop) -> Evaluation:
        """The metrics on the test split of a stop that has a label."""
        shown = self.models[stop.model]
        return shown.evaluation if stop.argument is None else shown.by[stop.argument][stop.value]

    @torch.inference_mode()
    def look(self, specimen: Specimen, key: str) -> Look:
        """Give one image, with noise, to the model of a stop."""
        stop, (clean, noisy) = self.stop(key), self.images_of(specimen)
        model = self.model(stop.model)
        latents = model.encode(noisy, **stop.arguments)
        return Look(clean[0], noisy[0], latents[0], model.decode(latents)[0], self.range[1] - self.range[0])

    def images_of(self, specimen: Specimen) -> tuple[Tensor, Tensor]:
        """The clean and the noisy image, (1, channels, height, width) each."""
        index, sigma, seed, count = specimen.digit, specimen.sigma, specimen.seed, len(self.images)
        if not is_integer(index) or not 0 <= index < count:
            raise InputError("errors.digit_index", last=count - 1, value=index)
        if not is_number(sigma) or not 0 <= sigma <= 1:
            raise InputError("errors.sigma", value=sigma)
        if not is_integer(seed) or not 0 <= seed <= LARGEST_SEED:
            raise InputError("errors.seed", last=LARGEST_SEED, value=seed)
        image = self.images[index : index + 1]
        clean = image.double() if image.is_floating_point() else image.double() / 255
        return clean, clean + sigma * noise(seed, tuple(clean.shape))
