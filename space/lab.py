"""What the page is about, without the page: digits, a fixed draw of noise, the bundled variants and their guests."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from sae_model import SparseAutoencoder, effective_l0, list_variants, load_variant, unit_activation
from sae_model.zoo import ZOO
from space.errors import InputError
from space.guests import Guests, title
from space.networks import settled
from training.atlas import Atlas, make_atlas
from training.data import Dataset, add_noise, as_floats, load_split
from training.evaluation import Evaluation, read_by_k

DATASET: Dataset = "mnist"
LARGEST_SEED = 2**32 - 1
GUEST = "guest:"  # how the ways of guests begin

# What the ways of being sparse are called on the page, in the order in which it offers them.
TITLES = {
    "l1": "L1 penalty",
    "kl-image": "KL per image",
    "kl-neuron": "KL per latent",
    "topk": "Exactly k",
    "adaptive-topk": "Any k, one network",
    "noise": "Trained on noise",
}
KNOBS = {
    "l1": "Sparsity (beta)",
    "kl-image": "Target rate (p)",
    "kl-neuron": "Target rate (p)",
    "topk": "Latents kept (k)",
    "adaptive-topk": "Latents kept (k)",
    "noise": "Noise in training (sigma)",
}


@dataclass(frozen=True)
class Stop:
    """One stop of the page's slider: a variant or a guest, and how many latents it is to keep."""

    variant: str
    """Its name."""
    label: str
    """What stands under the stop."""
    k: int | None = None
    """As in `model.encode`; None leaves it to the variant."""
    guest: bool = False

    @property
    def title(self) -> str:
        """What it is called on the page. A guest may be called anything, so HTML has to escape it."""
        if self.guest:
            return title(self.variant)
        return self.variant if self.k is None else f"{self.variant}, k = {self.k}"


@dataclass(frozen=True)
class Look:
    """One picture seen through one variant; images are (28, 28) in [0, 1], the noisy one may leave that range."""

    clean: Tensor
    noisy: Tensor
    reconstruction: Tensor
    activations: Tensor
    """(latent_dim,), in [0, 1)."""
    mse: float
    """Squared error of the reconstruction against the clean picture, per pixel."""
    effective_l0: float
    """How many latents carry this picture."""
    l0: int
    """How many are not exactly zero."""

    @property
    def psnr(self) -> float:
        return psnr(self.mse)

    @property
    def mean_activation(self) -> float:
        return self.activations.mean().item()


def psnr(mse: float) -> float:
    """Peak signal-to-noise ratio in dB of a squared error, for pixels in [0, 1]."""
    return 10 * math.log10(1 / max(mse, 1e-10))


class Lab:
    """The test digits and the variants, loaded once and read by all visitors; and the guests of all of them."""

    def __init__(self) -> None:
        test = load_split(DATASET, train=False)
        self.images, self.labels = test
        self.guests = Guests(test)
        self.variants: dict[str, SparseAutoencoder] = {name: settled(load_variant(name)) for name in list_variants()}
        self.evaluations = {name: Evaluation.read(ZOO / name / "evaluation.json") for name in self.variants}
        self.by_k = {name: read_by_k(ZOO / name) for name in self.variants}
        self.of_class = [(self.labels == label).nonzero().flatten() for label in range(10)]
        self.ways = {kind: stops for kind in TITLES if (stops := self._bundled_stops(kind))}

    def _bundled_stops(self, kind: str) -> list[Stop]:
        """The stops of one way of being sparse. The dense network is where the L1 penalty begins."""
        if kind == "noise":
            return self._noise_stops()
        stops = [Stop("dense", "0")] if kind == "l1" else []
        for name, model in self.variants.items():
            if model.sparsity.kind == kind and "-noise-" not in name:
                stops += [Stop(name, str(k), k) for k in self.by_k[name]] or [Stop(name, _knob(name))]
        return stops

    def _noise_stops(self) -> list[Stop]:
        """Networks that were trained on noisy pictures, each after the same network trained without much noise."""
        trained = [name for name in self.variants if "-noise-" in name]
        return [
            stop
            for name in trained
            for stop in (Stop(name.partition("-noise-")[0], "little"), Stop(name, f"up to {_knob(name)}"))
        ]

    def kind(self, way: str) -> str:
        """Which of the bundled ways a way is or, for that of a guest, beside which it stands.

        Raises:
            InputError: no such way, or a guest that is not here.
        """
        if isinstance(way, str) and way.startswith(GUEST):
            kind = self.guests.find(way.removeprefix(GUEST)).model.sparsity.kind
            return "l1" if kind == "none" else kind
        if not isinstance(way, str) or way not in self.ways:
            raise InputError(f"There is no way of being sparse {way!r}; there are: {', '.join(self.ways)}.")
        return way

    def stops(self, way: str) -> list[Stop]:
        """The stops of a way of being sparse. That of a guest has those of its kind, and then the guest.

        Raises:
            InputError: as `kind`.
        """
        stops = self.ways[self.kind(way)]
        return stops if way in self.ways else [*stops, Stop(way.removeprefix(GUEST), "★", guest=True)]

    def stop_at(self, way: str, position: int) -> Stop:
        """The stop at a position of the slider of a way of being sparse.

        Raises:
            InputError: as `kind`, or no such stop.
        """
        stops = self.stops(way)
        if not _is_whole(position) or not 0 <= position < len(stops):
            raise InputError(f"A stop is a whole number from 0 to {len(stops) - 1}; got {position!r}.")
        return stops[position]

    def position(self, way: str, variant: str) -> int:
        """The stop of a variant on the slider of a way of being sparse."""
        return next(i for i, stop in enumerate(self.stops(way)) if stop.variant == variant)

    def model(self, stop: Stop) -> SparseAutoencoder:
        """The network of a stop.

        Raises:
            InputError: an unknown variant, or a guest that is not here.
        """
        if stop.guest:
            return self.guests.find(stop.variant).model
        if not isinstance(stop.variant, str) or stop.variant not in self.variants:
            raise InputError(f"There is no variant {stop.variant!r}; there are: {', '.join(self.variants)}.")
        return self.variants[stop.variant]

    def evaluation(self, stop: Stop) -> Evaluation:
        """The figures of a stop on the whole test split: the committed ones, or those of a guest as measured here."""
        if stop.guest:
            return self.guests.find(stop.variant).evaluation
        return self.evaluations[stop.variant] if stop.k is None else self.by_k[stop.variant][stop.k]

    def atlas(self, stop: Stop) -> Atlas:
        """Who fires for what in a stop's network; a bundled one's is computed when it is first asked for."""
        return self.guests.find(stop.variant).atlas if stop.guest else self._bundled_atlas(stop)

    @lru_cache(maxsize=32)  # noqa: B019 (one Lab lives as long as the page)
    def _bundled_atlas(self, stop: Stop) -> Atlas:
        return make_atlas(self.model(stop), self.images, self.labels, stop.k)

    def random_digit(self, label: int, other_than: int | None = None) -> int:
        """Position in the test split of a random digit of a class, another one than the one given."""
        candidates = [index for index in self.of_class[label].tolist() if index != other_than]
        return candidates[torch.randint(len(candidates), ()).item()]

    @torch.inference_mode()
    def look(self, index: int, sigma: float, seed: int, stops: list[Stop]) -> list[Look]:
        """See one test digit, with noise, through the networks of some stops.

        Args:
            index: position in the test split.
            sigma: standard deviation of the noise, in [0, 1]. It scales one fixed draw, so that only it changes.
            seed: which draw.
            stops: which networks, and what they keep.

        Raises:
            InputError: a value out of its range, an unknown variant, or a guest that is not here.
        """
        self._check(index, sigma, seed)
        clean = as_floats(self.images[index : index + 1])
        noisy = add_noise(clean, sigma, torch.Generator().manual_seed(seed))
        return [_look(clean, noisy, self.model(stop), stop.k) for stop in stops]

    def _check(self, index: int, sigma: float, seed: int) -> None:
        count = len(self.images)
        if not _is_whole(index) or not 0 <= index < count:
            raise InputError(f"digit_index is a whole number from 0 to {count - 1}; got {index!r}.")
        if isinstance(sigma, bool) or not isinstance(sigma, int | float) or not 0 <= sigma <= 1:
            raise InputError(f"sigma is a number from 0 to 1; got {sigma!r}.")
        if not _is_whole(seed) or not 0 <= seed <= LARGEST_SEED:
            raise InputError(f"seed is a whole number from 0 to {LARGEST_SEED}; got {seed!r}.")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _knob(name: str) -> str:
    """The knob in a variant's name, as short as it can be: ".05" for "kl-image-0.05"."""
    return name.rpartition("-")[2].removeprefix("0")


def _look(clean: Tensor, noisy: Tensor, model: SparseAutoencoder, k: int | None) -> Look:
    latents = model.encode(noisy, k)
    reconstruction = model.decode(latents)
    return Look(
        clean=clean[0, 0],
        noisy=noisy[0, 0],
        reconstruction=reconstruction[0, 0],
        activations=unit_activation(latents[0]),
        mse=(reconstruction - clean).square().mean().item(),
        effective_l0=effective_l0(latents).item(),
        l0=int(latents.count_nonzero()),
    )
