"""What the page is about, without the page: digits, a fixed draw of noise, and every bundled variant at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from sae_model import Output, SparseAutoencoder, effective_l0, list_variants, load_variant
from sae_model.zoo import ZOO
from training.data import Dataset, add_noise, as_floats, load_split
from training.evaluation import Evaluation

DATASET: Dataset = "mnist"
LARGEST_SEED = 2**32 - 1


class InputError(ValueError):
    """A visitor or a program asked for what there is not. The message is a sentence."""


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
    """The test digits and the variants, loaded once and read by all visitors."""

    def __init__(self) -> None:
        self.images, self.labels = load_split(DATASET, train=False)
        self.variants: dict[str, SparseAutoencoder] = {name: load_variant(name) for name in list_variants()}
        self.evaluations = {name: Evaluation.read(ZOO / name / "evaluation.json") for name in self.variants}
        self.of_class = [(self.labels == label).nonzero().flatten() for label in range(10)]

    def random_digit(self, label: int, other_than: int | None = None) -> int:
        """Position in the test split of a random digit of a class, another one than the one given."""
        candidates = [index for index in self.of_class[label].tolist() if index != other_than]
        return candidates[torch.randint(len(candidates), ()).item()]

    @torch.inference_mode()
    def look(self, index: int, sigma: float, seed: int, names: list[str]) -> dict[str, Look]:
        """See one test digit, with noise, through some variants.

        Args:
            index: position in the test split.
            sigma: standard deviation of the noise, in [0, 1]. It scales one fixed draw, so that only it changes.
            seed: which draw.
            names: the variants.

        Raises:
            InputError: a value out of its range, or an unknown variant.
        """
        self._check(index, sigma, seed, names)
        clean = as_floats(self.images[index : index + 1])
        noisy = add_noise(clean, sigma, torch.Generator().manual_seed(seed))
        return {name: _look(clean, noisy, self.variants[name](noisy)) for name in names}

    def _check(self, index: int, sigma: float, seed: int, names: list[str]) -> None:
        count = len(self.images)
        if not _is_whole(index) or not 0 <= index < count:
            raise InputError(f"digit_index is a whole number from 0 to {count - 1}; got {index!r}.")
        if isinstance(sigma, bool) or not isinstance(sigma, int | float) or not 0 <= sigma <= 1:
            raise InputError(f"sigma is a number from 0 to 1; got {sigma!r}.")
        if not _is_whole(seed) or not 0 <= seed <= LARGEST_SEED:
            raise InputError(f"seed is a whole number from 0 to {LARGEST_SEED}; got {seed!r}.")
        for name in names:
            if not isinstance(name, str) or name not in self.variants:
                raise InputError(f"There is no variant {name!r}; there are: {', '.join(self.variants)}.")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _look(clean: Tensor, noisy: Tensor, output: Output) -> Look:
    return Look(
        clean=clean[0, 0],
        noisy=noisy[0, 0],
        reconstruction=output.reconstruction[0, 0],
        activations=output.activations[0],
        mse=(output.reconstruction - clean).square().mean().item(),
        effective_l0=effective_l0(output.latents).item(),
        l0=int(output.latents.count_nonzero()),
    )
