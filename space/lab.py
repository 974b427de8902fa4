"""What the page shows, without the page: test images, a fixed draw of noise, the bundled variants, users' models."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache

import torch
from torch import Tensor

from sae_model import SparseAutoencoder, effective_l0, list_variants, load_variant, unit_activation
from sae_model.errors import is_number, is_whole
from sae_model.methods import METHODS
from sae_model.zoo import ZOO
from space.errors import InputError
from space.own_digit import from_text
from space.user_model_process import SAMPLE
from space.user_models import UserModels, fold, title
from training.data import DATASETS, add_noise, as_floats, load_split
from training.evaluation import Evaluation, read_by_k
from training.histograms import Histogram, histogram_of
from training.latent_statistics import LatentStatistics, latent_statistics
from training.recipe import DEFAULT_ARCHITECTURE, Recipe
from training.zoo import FAMILIES, RECIPES

DATASET = "mnist"
CLASSES = DATASETS[DATASET].classes
LARGEST_SEED = 2**32 - 1
SIGMA = 0.3
"""The noise under which models are compared, and with which the page opens."""
SEVERAL = 64
"""So many for the histogram of the latents' means; the lecture takes its first 64."""
USER = "user:"
"""What the radio's value starts with where a user's model is chosen; its name follows."""


@dataclass(frozen=True)
class Stop:
    """One stop of the page's slider: a variant or a user's model, and how many latents it is to keep."""

    variant: str
    """Its name."""
    label: str
    """What stands under the stop."""
    k: int | None = None
    """As in `model.encode`; None leaves it to the model."""
    is_users: bool = False

    @property
    def title(self) -> str:
        """What it is called on the page. A user's model may have any name, so HTML has to escape it."""
        if self.is_users:
            return title(self.variant)
        return self.variant if self.k is None else f"{self.variant}, k = {self.k}"

    @property
    def short(self) -> str:
        """A name that fits below a small image: that of a user's model without its owner and its revision."""
        if self.is_users:
            return self.title.partition("@")[0].rpartition("/")[2]
        return self.variant if self.k is None else f"k = {self.k}"


@dataclass(frozen=True)
class Specimen:
    """One image and one draw of noise on it."""

    digit: int
    """Position in the test split."""
    sigma: float
    """Standard deviation of the noise, in [0, 1]. It scales one fixed draw, so that only it changes."""
    seed: int = 0
    """Which draw."""
    drawing: str = ""
    """A visitor's own digit in place of the test image, as `own_digit.to_text` writes it."""


@dataclass(frozen=True)
class Look:
    """One image and what one model makes of it; images are (28, 28) in [0, 1], the noisy one may leave that range."""

    clean: Tensor
    noisy: Tensor
    reconstruction: Tensor
    latents: Tensor
    """(latent_dim,)."""

    @property
    def activations(self) -> Tensor:
        """(latent_dim,), in [0, 1)."""
        return unit_activation(self.latents)

    @property
    def mse(self) -> float:
        """Squared error of the reconstruction against the clean image, per pixel."""
        return (self.reconstruction - self.clean).square().mean().item()

    @property
    def noise_mse(self) -> float:
        """The same of the noisy image."""
        return (self.noisy - self.clean).square().mean().item()

    @property
    def psnr(self) -> float:
        """Of the reconstruction, in dB."""
        return psnr(self.mse)

    @property
    def mean_activation(self) -> float:
        """Over the latents, in [0, 1)."""
        return self.activations.mean().item()

    @property
    def effective_l0(self) -> float:
        """How many latents carry this image."""
        return effective_l0(self.latents[None]).item()

    @property
    def l0(self) -> int:
        """How many latents are not exactly zero."""
        return int(self.latents.count_nonzero())


def psnr(mse: float) -> float:
    """Peak signal-to-noise ratio in dB of a squared error, for pixels in [0, 1]."""
    return 10 * math.log10(1 / max(mse, 1e-10))


class Lab:
    """The test images and the variants, loaded once and read by all visitors; and the models of all of them.

    A family is the stops of one slider, as `Recipe.family` tells it; but a variant of another architecture is the last
    stop of the family of its sparsity method. A choice is what the page's radio holds: the name of a family, or `USER`
    and the name of a user's model, whose slider has the stops of its family and then the model.
    """

    def __init__(self) -> None:
        self.test = load_split(DATASET, "test")
        self.images, self.labels = self.test
        self.user_models = UserModels(self.test)
        self.evaluations = {name: Evaluation.read(ZOO / name / "evaluation.json") for name in list_variants()}
        self.by_k = {name: read_by_k(ZOO / name) for name in list_variants()}
        self.recipes = {recipe.name: recipe for recipe in RECIPES if recipe.name in list_variants()}
        self.of_class = [(self.labels == label).nonzero().flatten() for label in range(len(CLASSES))]
        self.families = self._families()

    def _families(self) -> dict[str, list[Stop]]:
        families: dict[str, list[Stop]] = {family: [] for family in FAMILIES}
        for recipe in sorted(
            self.recipes.values(), key=lambda r: (r.architecture != DEFAULT_ARCHITECTURE, r.sparsity.joins is None)
        ):
            families[replace(recipe, architecture=DEFAULT_ARCHITECTURE).family] += self._stops_of(recipe)
        return {family: stops for family, stops in families.items() if stops}

    def _stops_of(self, recipe: Recipe) -> list[Stop]:
        name = recipe.name
        if recipe.noise:
            without = replace(recipe, noise=0.0).name
            return [Stop(without, "no noise")] * (without in list_variants()) + [Stop(name, f"up to {recipe.noise:g}")]
        return [Stop(name, str(k), k) for k in self.by_k[name]] or [Stop(name, _label(recipe))]

    def family(self, choice: str) -> str:
        """The family of a choice.

        Raises:
            InputError: no such choice, or a user's model that is not here.
        """
        if isinstance(choice, str) and choice.startswith(USER):
            return Recipe(self.user_models.find(choice.removeprefix(USER)).model.sparsity).family
        if not isinstance(choice, str) or choice not in self.families:
            raise InputError(f"There is no sparsity method {choice!r}; there are: {', '.join(self.families)}.")
        return choice

    def slider_label(self, choice: str) -> str:
        """What the slider of a choice is called."""
        family = self.family(choice)
        label = METHODS[family].label if family in METHODS else "Noise in training (sigma)"
        return label + ", then the user's model" * choice.startswith(USER)

    def ends(self, choice: str) -> list[str]:
        """What stands below the stops that `compared` gives, from the left end to the right."""
        family = self.family(choice)
        if family in METHODS:
            return list(METHODS[family].ends)
        return [replace(recipe, noise=0.0).name for recipe in self.recipes.values() if recipe.family == family]

    def stops(self, choice: str) -> list[Stop]:
        """The stops of a choice.

        Raises:
            InputError: as `family`.
        """
        stops = self.families.get(self.family(choice), [])
        return [*stops, Stop(choice.removeprefix(USER), "★", is_users=True)] if choice.startswith(USER) else stops

    def stop_at(self, choice: str, position: int) -> Stop:
        """The stop at a position of the slider of a choice.

        Raises:
            InputError: as `family`, or no such stop.
        """
        stops = self.stops(choice)
        if not is_whole(position) or not 0 <= position < len(stops):
            raise InputError(f"A stop is a whole number from 0 to {len(stops) - 1}; got {position!r}.")
        return stops[position]

    def find(self, variant: str) -> tuple[str, int]:
        """Family and position of a bundled variant's first stop."""
        return next(
            (family, position)
            for family, stops in self.families.items()
            for position, stop in enumerate(stops)
            if stop.variant == variant
        )

    def compared(self, choice: str) -> list[Stop]:
        """The stops of a choice that differ in its hyperparameter alone: bundled, and of the default architecture."""
        return [
            stop
            for stop in self.stops(choice)
            if not stop.is_users and self.recipes[stop.variant].architecture == DEFAULT_ARCHITECTURE
        ]

    def least_noise(self, choice: str) -> Stop:
        """The stop that, of those compared, has the lowest `denoise_mse` at `SIGMA`."""
        return min(self.compared(choice), key=self.denoise_mse)

    def first_position(self, choice: str) -> int:
        """Where the slider of a choice starts: at the user's model, or at `least_noise`."""
        stops = self.stops(choice)
        return len(stops) - 1 if choice.startswith(USER) else stops.index(self.least_noise(choice))

    def model(self, stop: Stop) -> SparseAutoencoder:
        """The model of a stop.

        Raises:
            InputError: an unknown variant, or a user's model that is not here.
        """
        if stop.is_users:
            return self.user_models.find(stop.variant).model
        if stop.variant not in list_variants():
            raise InputError(f"There is no variant {stop.variant!r:.80}; there are: {', '.join(list_variants())}.")
        return _variant(stop.variant)

    def load_all(self) -> None:
        """Load every bundled model now, so that no visitor waits for one."""
        for name in list_variants():
            _variant(name)

    def evaluation(self, stop: Stop) -> Evaluation:
        """The metrics of a stop on the test split: the committed ones, or those of a user's model as measured here."""
        if stop.is_users:
            return self.user_models.find(stop.variant).evaluation
        return self.evaluations[stop.variant] if stop.k is None else self.by_k[stop.variant][stop.k]

    def denoise_mse(self, stop: Stop) -> float:
        """The error per pixel of a stop on the test split under noise of `SIGMA`."""
        return self.evaluation(stop).denoise_mse[f"{SIGMA:g}"]

    def statistics(self, stop: Stop) -> LatentStatistics:
        """Those of a stop's latents on the first `SAMPLE` test images."""
        return self.user_models.find(stop.variant).statistics if stop.is_users else self._statistics(stop)

    @lru_cache(maxsize=32)  # noqa: B019 (one Lab lives as long as the page)
    def _statistics(self, stop: Stop) -> LatentStatistics:
        return latent_statistics(self.model(stop), self.images[:SAMPLE], self.labels[:SAMPLE], stop.k)

    def random_image(self, label: int, other_than: int | None = None) -> int:
        """Position in the test split of a random image of a class, another one than the one given."""
        candidates = [index for index in self.of_class[label].tolist() if index != other_than]
        return candidates[torch.randint(len(candidates), ()).item()]

    def look(self, specimen: Specimen, stop: Stop) -> Look:
        """Give one image, with noise, to the model of a stop.

        Raises:
            InputError: a value out of its range, no drawing, an unknown variant, or a user's model that is not here.
        """
        self._check(specimen)  # here too, since a cache takes True for 1
        self.model(stop)
        # A user's model may be loaded anew under the same name.
        return self._look.__wrapped__(self, specimen, stop) if stop.is_users else self._look(specimen, stop)

    @lru_cache(maxsize=1024)  # noqa: B019
    @torch.inference_mode()
    def _look(self, specimen: Specimen, stop: Stop) -> Look:
        model, (clean, noisy) = self.model(stop), self.images_of(specimen)
        latents = model.encode(noisy, stop.k)
        return Look(clean[0, 0], noisy[0, 0], model.decode(latents)[0, 0], latents[0])

    @torch.inference_mode()
    def edited(self, look: Look, stop: Stop, edits: Mapping[int, float]) -> Look:
        """The same look with some of its latents set to other values.

        Raises:
            InputError: there is no such latent.
        """
        latents = look.latents.clone()
        for latent, value in edits.items():
            if not 0 <= latent < len(latents):
                raise InputError(f"A latent of {stop.title} is a whole number from 0 to {len(latents) - 1}.")
            latents[latent] = value
        return replace(look, latents=latents, reconstruction=self.model(stop).decode(latents[None])[0, 0])

    @torch.inference_mode()
    def atom(self, stop: Stop, latent: int) -> Tensor:
        """What one unit of a latent adds to the logits of every image, (28, 28): its atom.

        Of a decoder that is not linear, what its largest value on the test images adds where all others are off.
        """
        model = self.model(stop)
        if model.is_linear:
            return model.dictionary[latent, 0]
        latents = torch.zeros(2, model.latent_dim)
        latents[0, latent] = self.statistics(stop).peak[latent]
        alone, none = model.logits(latents)[:, 0]
        return alone - none

    @lru_cache(maxsize=4096)  # noqa: B019
    def means(self, stop: Stop, sigma: float, seed: int) -> Histogram:
        """How the mean activations of the latents over the first `SEVERAL` test images are spread, under noise."""
        noisy = add_noise(as_floats(self.images[:SEVERAL]), sigma, torch.Generator().manual_seed(seed))
        with torch.inference_mode():
            return histogram_of(unit_activation(self.model(stop).encode(noisy, stop.k)).mean(0))

    def images_of(self, specimen: Specimen) -> tuple[Tensor, Tensor]:
        """The clean and the noisy image, (1, 1, 28, 28) each.

        Raises:
            InputError: a value out of its range, or no drawing.
        """
        self._check(specimen)
        index, drawing = specimen.digit, specimen.drawing
        clean = from_text(drawing)[None, None] if drawing else as_floats(self.images[index : index + 1])
        return clean, add_noise(clean, specimen.sigma, torch.Generator().manual_seed(specimen.seed))

    def _check(self, specimen: Specimen) -> None:
        index, sigma, seed, count = specimen.digit, specimen.sigma, specimen.seed, len(self.images)
        if not is_whole(index) or not 0 <= index < count:
            raise InputError(f"digit_index is a whole number from 0 to {count - 1}; got {index!r:.40}.")
        if not is_number(sigma) or not 0 <= sigma <= 1:
            raise InputError(f"sigma is a number from 0 to 1; got {sigma!r:.40}.")
        if not is_whole(seed) or not 0 <= seed <= LARGEST_SEED:
            raise InputError(f"seed is a whole number from 0 to {LARGEST_SEED}; got {seed!r:.40}.")


@cache
def _variant(name: str) -> SparseAutoencoder:
    return fold(load_variant(name))


def _label(recipe: Recipe) -> str:
    """The value of a recipe's hyperparameter as short as it can be, such as ".05"; a name where there is none."""
    if recipe.architecture != DEFAULT_ARCHITECTURE or recipe.sparsity.value is None:
        return recipe.name
    return f"{recipe.sparsity.value:g}".removeprefix("0") or "0"
