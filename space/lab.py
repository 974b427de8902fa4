"""What the page shows, without the page: test images, a fixed draw of noise, its own models, users' models."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache, wraps
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sae_model import SparseAutoencoder, effective_l0, unit_activation
from sae_model.errors import is_number, is_whole
from sae_model.methods import METHODS
from space.collection import Collection, bundled
from space.errors import InputError
from space.live_training import LiveTrainings
from space.own_digit import from_text
from space.user_model_process import SAMPLE
from space.user_models import UserModels, fold, title
from training.data import add_noise, as_floats
from training.draw.card_image import as_pictures, value_range
from training.draw.histograms import Histogram, histogram_of
from training.draw.model_charts import short_number, value_label
from training.fit.recipe import DEFAULT_ARCHITECTURE, OUTPUT_OF, Recipe
from training.fit.zoo import FAMILIES
from training.measure.evaluation import NOISE_SEED, SIGMA, Evaluation
from training.measure.latent_statistics import LatentStatistics, latent_statistics
from training.words import say, word_of

LARGEST_SEED = 2**32 - 1
SEVERAL = 64
"""So many for the histogram of the latents' means; the lecture takes its first 64."""
USER = "user:"
"""What the radio's value starts with where a user's model is chosen; its name follows."""


@dataclass(frozen=True)
class Stop:
    """One stop of the page's slider: a variant or a user's model, and how many latents it is to keep."""

    variant: str
    """Its name."""
    label: str = field(compare=False)
    """What stands under the stop; it may be another one in another family. "" where the slider only passes by."""
    argument: str | None = None
    """"k" or "beta", where the stop asks its model for one; None leaves it to the model."""
    value: float = 0
    """Of the argument, as in `model.encode`."""
    is_users: bool = False

    @property
    def arguments(self) -> dict[str, float]:
        """What `model.encode` gets besides the images."""
        return {} if self.argument is None else {self.argument: self.value}

    @property
    def title(self) -> str:
        """What it is called on the page. A user's model may have any name, so HTML has to escape it."""
        return title(self.variant) if self.is_users else self.key

    @property
    def key(self) -> str:
        """What tells it from all other stops."""
        return self.variant if self.argument is None else f"{self.variant}, {self.argument} = {self.value:g}"

    @property
    def short(self) -> str:
        """A name that fits below a small image: that of a user's model without its owner and its revision."""
        if self.is_users:
            return self.title.partition("@")[0].rpartition("/")[2]
        return self.variant if self.argument is None else f"{self.argument} = {self.value:g}"


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
    """One image and what one model makes of it; images are (channels, height, width), values as the model has them."""

    clean: Tensor
    noisy: Tensor
    """As the model is given it; noise goes beyond [0, 1]."""
    seen: Tensor
    """The same as it is seen: clipped to [0, 1], where images lie there."""
    reconstruction: Tensor
    latents: Tensor
    """(latent_dim,)."""
    span: float = 1.0
    """Highest less lowest value that an image can have."""

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
        """The same of the noisy image, as it is seen."""
        return (self.seen - self.clean).square().mean().item()

    @property
    def psnr(self) -> float:
        """Of the reconstruction, in dB."""
        return self.psnr_of(self.mse)

    def psnr_of(self, mse: float) -> float:
        """Peak signal-to-noise ratio in dB of a squared error per pixel."""
        return 10 * math.log10(self.span**2 / max(mse, 1e-10))

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


def _slider_of(recipe: Recipe) -> str:
    """The family on whose slider a recipe stands."""
    return replace(recipe, architecture=DEFAULT_ARCHITECTURE).family


def _is_apart(recipe: Recipe) -> bool:
    """Whether it stands at the end of a slider on whose axis it has no place."""
    return recipe.architecture != DEFAULT_ARCHITECTURE or recipe.sparsity.follows is not None


def noise_of(seed: int) -> torch.Generator:
    """What draws the noise of a seed. From the seed itself it would draw, as the first noise, the first atom of a model
    that was trained with this seed: a latent of that model would answer to it."""
    return torch.Generator().manual_seed((NOISE_SEED + seed) % 2**32)


BETWEEN = 12
"""Steps of a slider between two values at which its model was measured."""


def _between(measured: Iterable[float]) -> list[float]:
    """The measured values, and others between each two of them, in equal ratios."""
    values = sorted(measured)
    return [
        value if i == 0 else float(f"{value * (following / value) ** (i / BETWEEN):.4g}")
        for value, following in itertools.pairwise([*values, values[-1]])
        for i in range(BETWEEN if following > value else 1)
    ]


def _kept(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of `Lab` whose answers about a stop are kept; not of a user's: it may be loaded anew under its name."""
    kept = lru_cache(maxsize=1024)(method)

    @wraps(method)
    def answer(lab: Lab, stop: Stop, *rest: object) -> Any:
        return (method if stop.is_users else kept)(lab, stop, *rest)

    return answer


class Lab:
    """The test images and the page's own models, loaded once and read by all visitors; and the models of all of them.

    A family is the stops of one slider, as `Recipe.family` tells it; but a variant of another architecture is the last
    stop of the family of its sparsity method. A choice is what the page's radio holds: the name of a family, or `USER`
    and the name of a user's model, whose slider has the stops of its family and then the model.

    Whoever asks for what is not there, or for a value out of its range, gets an InputError.
    """

    def __init__(self, collection: Collection | None = None) -> None:
        collection = collection or bundled()
        self.models, self.test, self.is_bundled = collection.models, collection.test, collection.is_bundled
        self.dataset, self.data_fields, self.classes = collection.dataset, collection.fields, collection.dataset.classes
        self.images, self.labels = self.test
        self.user_models = UserModels(self.test, len(self.classes))
        self.trainings = LiveTrainings(self.dataset, as_floats(self.images[:SEVERAL]))
        self.recipes = {name: shown.recipe for name, shown in self.models.items()}
        self.of_class = [(self.labels == label).nonzero().flatten() for label in range(len(self.classes))]
        self.families = self._families()
        self.places: dict[Stop, tuple[str, int]] = {}
        """Every stop of the page's own models that has a label, once -> the first family that has it, and its position
        there."""
        for family, stops in self.families.items():
            for position, stop in enumerate(stops):
                if stop.label:
                    self.places.setdefault(stop, (family, position))
        self.loss = next(iter(self.recipes.values())).loss
        self.range = value_range(OUTPUT_OF[self.loss], self.images)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(channels, height, width)."""
        return tuple(self.images.shape[1:])

    @property
    def draws_vectors(self) -> bool:
        """Whether an "image" is a vector, which nobody can draw."""
        return self.image_shape[1:] == (1, 1)

    @property
    def sizes(self) -> list[int]:
        """The numbers of latents of the page's own models, each once."""
        return sorted({recipe.latent_dim for recipe in self.recipes.values()})

    @property
    def noun(self) -> str:
        """What the images show."""
        return "digit" if all(len(name) == 1 and name.isdigit() for name in self.classes) else "image"

    def label(self, index: int) -> int:
        """The position of the class of a test image."""
        self._check(Specimen(index, 0.0))
        return int(self.labels[index])

    def name(self, index: int) -> str:
        """The class of a test image."""
        return self.classes[self.label(index)]

    def picture(self, image: Tensor) -> Tensor:
        """An image (channels, height, width) as it is drawn: (1 or 3, height, width) in [0, 1]."""
        return as_pictures(image[None], *self.range)[0]

    def _families(self) -> dict[str, list[Stop]]:
        families: dict[str, list[Stop]] = {family: [] for family in FAMILIES}
        for name, recipe in sorted(
            self.recipes.items(),
            key=lambda item: (_is_apart(item[1]), item[1].sparsity.joins is None),
        ):
            stops = families[_slider_of(recipe)]
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
        label = recipe.sparsity.short or value_label(name, recipe)
        return [Stop(name, str(k), "k", k) for k in by.get("k", ())] or [Stop(name, label)]

    def family(self, choice: str) -> str:
        """The family of a choice."""
        if isinstance(choice, str) and choice.startswith(USER):
            return _slider_of(Recipe(self.user_models.find(choice.removeprefix(USER)).model.sparsity))
        if not isinstance(choice, str) or choice not in self.families:
            raise InputError(say("errors.method", method=choice, methods=", ".join(self.families)))
        return choice

    def slider_label(self, choice: str) -> str:
        """What the slider of a choice is called."""
        family = self.family(choice)
        label = word_of(METHODS[family], "label") if family in METHODS else say("families.noise_label")
        return say("description.slider_users", label=label) if choice.startswith(USER) else label

    def ends(self, choice: str) -> list[str]:
        """What stands below the stops that `compared` gives, from the left end to the right, as measured on ours."""
        if not self.is_bundled:
            return []
        family = self.family(choice)
        return list(word_of(METHODS[family], "ends")) if family in METHODS else []

    def stops(self, choice: str) -> list[Stop]:
        """The stops of a choice."""
        stops = self.families.get(self.family(choice), [])
        return [*stops, Stop(choice.removeprefix(USER), "★", is_users=True)] if choice.startswith(USER) else stops

    def stop_at(self, choice: str, position: int) -> Stop:
        """The stop at a position of the slider of a choice."""
        stops = self.stops(choice)
        if not is_whole(position) or not 0 <= position < len(stops):
            raise InputError(say("errors.stop", last=len(stops) - 1, position=position))
        return stops[position]

    def find(self, variant: str) -> tuple[str, int]:
        """Family and position of a bundled variant's first stop."""
        return next(place for stop, place in self.places.items() if stop.variant == variant)

    def compared(self, choice: str) -> list[Stop]:
        """The stops of a choice that differ in its hyperparameter alone: no user's, none that stands apart."""
        own = [stop for stop in self.stops(choice) if not stop.is_users and stop.label]
        return [stop for stop in own if not _is_apart(self.recipes[stop.variant])] or own

    def least_noise(self, choice: str) -> Stop:
        """The stop that, of those compared, has the lowest `denoise_mse` at `SIGMA`."""
        return min(self.compared(choice), key=self.denoise_mse)

    def first_position(self, choice: str) -> int:
        """Where the slider of a choice starts: at the user's model, or at `least_noise`."""
        stops = self.stops(choice)
        return len(stops) - 1 if choice.startswith(USER) else stops.index(self.least_noise(choice))

    def model(self, stop: Stop) -> SparseAutoencoder:
        """The model of a stop."""
        if stop.is_users:
            return self.user_models.find(stop.variant).model
        if not isinstance(stop.variant, str) or stop.variant not in self.models:
            raise InputError(say("errors.variant", name=stop.variant, names=", ".join(self.models)))
        return self._load(stop.variant)

    @cache  # noqa: B019 (one Lab lives as long as the page)
    def _load(self, name: str) -> SparseAutoencoder:
        return fold(SparseAutoencoder.from_pretrained(self.models[name].folder))

    def load_all(self) -> None:
        """Load all of the page's own models now, so that no visitor waits for one."""
        for name in self.models:
            self._load(name)

    def evaluation(self, stop: Stop) -> Evaluation:
        """The metrics of a stop on the test split: the committed ones, or those of a user's model as measured here."""
        if stop.is_users:
            return self.user_models.find(stop.variant).evaluation
        shown, stop = self.models[stop.variant], self.measured(stop)
        return shown.evaluation if stop.argument is None else shown.by[stop.argument][stop.value]

    def measured(self, stop: Stop) -> Stop:
        """The stop itself, or, where the slider only passes by, the nearest one at which the model was measured."""
        if stop.label or stop.argument is None:
            return stop
        labelled = [other for other in self.places if (other.variant, other.argument) == (stop.variant, stop.argument)]
        return min(labelled, key=lambda other: abs(math.log(other.value / stop.value)))

    def denoise_mse(self, stop: Stop) -> float:
        """The error per pixel of a stop on the test split under noise of `SIGMA`."""
        return self.evaluation(stop).denoise_mse[f"{SIGMA:g}"]

    def statistics(self, stop: Stop) -> LatentStatistics:
        """Those of a stop's latents on the first `SAMPLE` test images."""
        return self.user_models.find(stop.variant).statistics if stop.is_users else self._statistics(stop)

    @lru_cache(maxsize=32)  # noqa: B019
    def _statistics(self, stop: Stop) -> LatentStatistics:
        sample = self.images[:SAMPLE], self.labels[:SAMPLE]
        return latent_statistics(self.model(stop), *sample, len(self.classes), **stop.arguments)

    def random_image(self, label: int, other_than: int | None = None) -> int:
        """Position in the test split of a random image of a class, another one than the one given if there is one."""
        of_class = self.of_class[label].tolist()
        if not of_class:
            raise InputError(say("errors.empty_class", name=self.classes[label]))
        candidates = [index for index in of_class if index != other_than] or of_class
        return candidates[torch.randint(len(candidates), ()).item()]

    def look(self, specimen: Specimen, stop: Stop) -> Look:
        """Give one image, with noise, to the model of a stop."""
        self._check(specimen)  # here too, since a cache takes True for 1
        self.model(stop)
        return self._look(stop, specimen)

    @_kept
    @torch.inference_mode()
    def _look(self, stop: Stop, specimen: Specimen) -> Look:
        model, (clean, noisy) = self.model(stop), self.images_of(specimen)
        latents = model.encode(noisy, **stop.arguments)
        seen = noisy.clamp(0, 1) if model.output == "sigmoid" else noisy
        span = self.range[1] - self.range[0]
        return Look(clean[0], noisy[0], seen[0], model.decode(latents)[0], latents[0], span)

    @torch.inference_mode()
    def edited(self, look: Look, stop: Stop, edits: Mapping[int, float]) -> Look:
        """The same look with some of its latents set to other values."""
        latents = look.latents.clone()
        for latent, value in edits.items():
            if not 0 <= latent < len(latents):
                raise InputError(say("errors.latent", title=stop.title, last=len(latents) - 1))
            latents[latent] = value
        return replace(look, latents=latents, reconstruction=self.model(stop).decode(latents[None])[0])

    @torch.inference_mode()
    def atom(self, stop: Stop, latent: int) -> Tensor:
        """What one unit of a latent adds to the logits of every image, (channels, height, width): its atom.

        Of a decoder that is not linear, what its largest value on the test images adds where all others are off.
        """
        model = self.model(stop)
        if model.is_linear:
            return model.dictionary[latent]
        latents = torch.zeros(2, model.latent_dim)
        latents[0, latent] = self.statistics(stop).peak[latent]
        alone, none = model.logits(latents)
        return alone - none

    @_kept
    def means(self, stop: Stop, sigma: float, seed: int) -> Histogram:
        """How the mean activations of the latents over the first `SEVERAL` test images are spread, under noise."""
        noisy = add_noise(as_floats(self.images[:SEVERAL]), sigma, noise_of(seed))
        with torch.inference_mode():
            return histogram_of(unit_activation(self.model(stop).encode(noisy, **stop.arguments)).mean(0))

    @_kept
    @torch.inference_mode()
    def spreads(self, stop: Stop) -> list[list[float]]:
        """5th and 95th percentile of the mean activation: over the first `SAMPLE` test images, and over the latents."""
        activations = unit_activation(self.model(stop).encode(as_floats(self.images[:SAMPLE]), **stop.arguments))
        return [activations.mean(i).quantile(torch.tensor([0.05, 0.95])).tolist() for i in (1, 0)]

    def images_of(self, specimen: Specimen) -> tuple[Tensor, Tensor]:
        """The clean and the noisy image, (1, channels, height, width) each."""
        self._check(specimen)
        index, drawing = specimen.digit, specimen.drawing
        clean = self._drawn(drawing) if drawing else as_floats(self.images[index : index + 1])
        return clean, add_noise(clean, specimen.sigma, noise_of(specimen.seed))

    def _drawn(self, drawing: str) -> Tensor:
        """A drawing in the size of the images, the same in all channels, (1, channels, height, width)."""
        if self.draws_vectors:
            raise InputError(say("errors.vectors"))
        channels, *size = self.image_shape
        image = from_text(drawing)[None, None]
        if tuple(image.shape[2:]) != tuple(size):
            image = F.interpolate(image, size, mode="bilinear", antialias=True)
        return image.expand(1, channels, *size)

    def _check(self, specimen: Specimen) -> None:
        index, sigma, seed, count = specimen.digit, specimen.sigma, specimen.seed, len(self.images)
        if not is_whole(index) or not 0 <= index < count:
            raise InputError(say("errors.digit_index", last=count - 1, value=index))
        if not is_number(sigma) or not 0 <= sigma <= 1:
            raise InputError(say("errors.sigma", value=sigma))
        if not is_whole(seed) or not 0 <= seed <= LARGEST_SEED:
            raise InputError(say("errors.seed", last=LARGEST_SEED, value=seed))
        if not isinstance(specimen.drawing, str):
            raise InputError(say("draw.letters"))
