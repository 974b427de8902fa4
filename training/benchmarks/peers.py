"""Other libraries that train sparse autoencoders, beside this one: the same digits, latents, k and epochs.

Each library that is installed trains a top-k model by its own loop, at settings that suit this: centred data, an
auxiliary loss for dead latents where it has one, and of three learning rates the one that is best on the validation
split. What is not installed is left out.
All are measured by the same code: the fraction of variance unexplained of exactly k latents an image, and the share of
latents that are among those of no test image.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from itertools import chain, repeat
from typing import Any, NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from sae_model.methods import sparsity_from_config

from ..data import as_floats, load_split
from ..fit.loop import fit
from ..fit.recipe import Recipe, for_any_range, tuned
from ..publish.card import as_markdown
from .race import describe_machine

LATENTS, K, BATCH, SEED = 900, 25, 256, 0
RATES = (2e-3, 4e-3, 8e-3)
"""Learning rates that are tried, each for all epochs: after a few the highest looks best, and is not in the end."""
TUNED = tuned(sparsity_from_config({"kind": "topk", "k": K}))


class Trained(NamedTuple):
    """What a library made."""

    encode: Callable[[Tensor], Tensor]
    """Images (n, 784) -> latents (n, 900), at most 25 of each not zero."""
    decode: Callable[[Tensor], Tensor]
    """Latents -> images."""


def ours(recipe: Recipe, images: Tensor, epochs: int, rate: float) -> Trained:
    """As `fit` does, by a recipe."""
    pictures = images.unflatten(1, (1, 28, 28))
    recipe = replace(recipe, epochs=epochs, learning_rate=rate)
    model = recipe.new_model(pictures)
    list(fit(model, pictures, recipe))
    return Trained(lambda x: model.encode(x.unflatten(1, (1, 28, 28))), lambda z: model.decode(z).flatten(1))


def overcomplete(images: Tensor, epochs: int, rate: float) -> Trained:
    """`overcomplete.sae.TopKSAE`, with its auxiliary loss, on centred images, over one cycle."""
    from overcomplete.sae import TopKSAE, train_sae
    from overcomplete.sae.losses import top_k_auxiliary_loss

    mean = images.mean(0)
    model = TopKSAE(images.shape[1], nb_concepts=LATENTS, top_k=K, device="cpu")
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * (len(images) // BATCH))
    train_sae(model, _Batches(images - mean), top_k_auxiliary_loss, optimizer, schedule, nb_epochs=epochs, monitoring=0)
    model.eval()
    return Trained(lambda x: model.encode(x - mean)[1], lambda z: model.decode(z) + mean)


def dictionary_learning(images: Tensor, epochs: int, rate: float) -> Trained:
    """`dictionary_learning.trainers.top_k.TopKTrainer`, on images in units of their distance from the mean."""
    from dictionary_learning.trainers.top_k import TopKTrainer

    mean, scale = _units(images)
    batches = _Batches((images - mean) / scale)
    steps = epochs * len(batches)
    trainer = TopKTrainer(
        steps=steps,
        activation_dim=images.shape[1],
        dict_size=LATENTS,
        k=K,
        layer=0,
        lm_name="digits",
        lr=rate,
        warmup_steps=steps // 20,
        decay_start=steps // 2,
        seed=SEED,
        device="cpu",
    )
    trainer.dead_feature_threshold = 10 * BATCH * len(batches) // 20
    for step, batch in enumerate(chain.from_iterable(repeat(batches, epochs))):
        trainer.update(step, batch)
    return _in_units(trainer.ae, mean, scale)


def sae_lens(images: Tensor, epochs: int, rate: float) -> Trained:
    """`sae_lens.TopKTrainingSAE` and its trainer, on images in units of their distance from the mean."""
    from sae_lens import TopKTrainingSAE, TopKTrainingSAEConfig
    from sae_lens.config import SAETrainerConfig
    from sae_lens.training.sae_trainer import SAETrainer

    mean, scale = _units(images)
    batches = _Batches((images - mean) / scale)
    steps = epochs * len(batches)
    model = TopKTrainingSAE(TopKTrainingSAEConfig(d_in=images.shape[1], d_sae=LATENTS, k=K, device="cpu"))
    config = SAETrainerConfig(
        total_training_samples=steps * BATCH,
        train_batch_size_samples=BATCH,
        lr=rate,
        lr_end=0.0,
        lr_warm_up_steps=steps // 20,
        lr_decay_steps=steps // 2,
        dead_feature_window=len(batches) // 4,
    )
    SAETrainer(cfg=config, sae=model, data_provider=chain.from_iterable(repeat(batches))).fit()
    model.eval()
    return _in_units(model, mean, scale)


PEERS = {"overcomplete": overcomplete, "dictionary_learning": dictionary_learning, "sae_lens": sae_lens}
"""What has to be installed -> what trains with it."""
OURS = {"`fit --sparsity topk --k 25`": TUNED, "the same with `--loss mse`": for_any_range(TUNED)}
"""The second has the loss and the linear output of the others."""


class _Batches:
    """Rows in batches, in a new random order each time."""

    def __init__(self, rows: Tensor) -> None:
        self._rows = rows
        self._generator = torch.Generator().manual_seed(SEED)

    def __len__(self) -> int:
        return len(self._rows) // BATCH

    def __iter__(self) -> Iterator[Tensor]:
        order = torch.randperm(len(self._rows), generator=self._generator)
        return (self._rows[rows] for rows in order[: len(self) * BATCH].split(BATCH))


def _units(images: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of images (n, pixels), and the root of their mean squared distance from it over the root of `pixels`."""
    mean = images.mean(0)
    return mean, (images - mean).square().mean().sqrt()


def _in_units(model: Any, mean: Tensor, scale: Tensor) -> Trained:
    return Trained(lambda x: model.encode((x - mean) / scale), lambda z: model.decode(z) * scale + mean)


def compare(epochs: int, limit: int | None) -> str:
    """Train every library that is installed, on one thread, and tell how they did, as Markdown.

    Args:
        epochs: passes over the training digits.
        limit: train and measure on the first `limit` images of each split.
    """
    torch.set_num_threads(1)
    if find_spec("torchvision"):
        import_module("..data.torchvision_import", __package__)  # they import it, also where its operators cannot load
    images, validation, test = (
        as_floats(load_split("mnist", part, limit=limit).images).flatten(1) for part in ("train", "validation", "test")
    )
    libraries: dict[str, tuple[Callable[[Tensor, int, float], Trained], tuple[float, ...]]] = {
        **{name: (partial(ours, recipe), (recipe.learning_rate,)) for name, recipe in OURS.items()},
        **{f"{name} {version(name)}": (train, RATES) for name, train in PEERS.items() if find_spec(name)},
    }
    rows = []
    for name, (train, rates) in libraries.items():
        tried = []
        for rate in tqdm(rates, name, unit=" learning rates"):
            torch.manual_seed(SEED)
            began = time.process_time()
            trained = train(images, epochs, rate)
            seconds = time.process_time() - began
            error, (fvu, dead) = measure(name, trained, validation)[0], measure(name, trained, test)
            tried.append((error, [f"{rate:g}", f"{fvu:.4f}", f"{dead:.1%}", f"{seconds:.0f}"]))
        rows.append([name, *min(tried)[1]])
    about = f"{LATENTS} latents, exactly {K} kept, {epochs} epochs, one thread. {describe_machine()}."
    return f"{about}\n\n{as_markdown(['library', 'learning rate', 'fvu', 'dead latents', 'CPU seconds'], rows)}"


@torch.no_grad()
def measure(name: str, trained: Trained, test: Tensor) -> tuple[float, float]:
    """The fraction of variance unexplained and the share of dead latents on images (n, pixels).

    Raises:
        ValueError: the library keeps more than k latents.
    """
    error, used = 0.0, torch.zeros(LATENTS, dtype=torch.bool)
    for batch in test.split(1000):
        latents = trained.encode(batch)
        if int(latents.count_nonzero(1).max()) > K:
            raise ValueError(f"{name} has more than {K} latents on.")
        error += (trained.decode(latents) - batch).square().sum().item()
        used |= (latents != 0).any(0)
    variance = (test - test.mean(0)).square().sum().item()
    return error / variance, 1 - used.float().mean().item()
