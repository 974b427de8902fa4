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
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec

import torch
from torch import Tensor
from tqdm import tqdm

from sae_model import SparseAutoencoder
from sae_model.methods import sparsity_from_config

from ..data import as_floats, load_split
from ..fit.loop import fit
from ..fit.recipe import Recipe, for_any_range, tuned
from ..publish.card import as_markdown
from .machine import describe_machine

LATENTS, K, EPOCHS, BATCH, SEED = 900, 25, 20, 256, 0
RATES = (2e-3, 4e-3, 8e-3)
"""Learning rates that are tried, each for all epochs: after a few the highest looks best, and is not in the end."""
OURS = sparsity_from_config({"kind": "topk", "k": K})

Coder = Callable[[Tensor], Tensor]
"""Images (n, pixels) -> their reconstructions from exactly k latents, and those latents."""


@dataclass(frozen=True)
class Trained:
    """What a library made."""

    encode: Coder
    """Images (n, 784) -> latents (n, 900), at most 25 of each not zero."""
    decode: Coder
    """Latents -> images."""


@dataclass(frozen=True)
class Result:
    """How a library did on the test images."""

    name: str
    rate: float
    """The learning rate that it was trained with."""
    fvu: float
    dead_fraction: float
    cpu_seconds: float
    """Of the training with that learning rate."""


def ours(images: Tensor, epochs: int, rate: float) -> Trained:
    """As `fit --sparsity topk --k 25` does."""
    return _trained_here(replace(tuned(OURS), epochs=epochs, learning_rate=rate), images)


def ours_linear(images: Tensor, epochs: int, rate: float) -> Trained:
    """The same with a linear output and the squared error, which is what the others have."""
    return _trained_here(replace(for_any_range(tuned(OURS)), epochs=epochs, learning_rate=rate), images)


def _trained_here(recipe: Recipe, images: Tensor) -> Trained:
    pictures = images.unflatten(1, (1, 28, 28))
    model: SparseAutoencoder = recipe.new_model(pictures)
    for _ in fit(model, pictures, recipe):
        pass
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
    step = 0
    for _ in range(epochs):
        for batch in batches:
            trainer.update(step, batch)
            step += 1
    model = trainer.ae
    return Trained(lambda x: model.encode((x - mean) / scale), lambda z: model.decode(z) * scale + mean)


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
    SAETrainer(cfg=config, sae=model, data_provider=batches.forever()).fit()
    model.eval()
    return Trained(lambda x: model.encode((x - mean) / scale), lambda z: model.decode(z) * scale + mean)


@dataclass(frozen=True)
class Library:
    """One that trains sparse autoencoders."""

    train: Callable[[Tensor, int, float], Trained]
    """Images (n, 784), epochs and a learning rate -> what they made."""
    module: str | None = None
    """What has to be installed for it."""
    rates: tuple[float, ...] = RATES
    """Learning rates to choose from."""


PEERS = {
    "`fit --sparsity topk --k 25`": Library(ours, rates=(tuned(OURS).learning_rate,)),
    "the same with `--loss mse`": Library(ours_linear, rates=(for_any_range(tuned(OURS)).learning_rate,)),
    "overcomplete": Library(overcomplete, "overcomplete"),
    "dictionary_learning": Library(dictionary_learning, "dictionary_learning"),
    "SAELens": Library(sae_lens, "sae_lens"),
}


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

    def forever(self) -> Iterator[Tensor]:
        while True:
            yield from self


def _units(images: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of images (n, pixels), and the root of their mean squared distance from it over the root of `pixels`."""
    mean = images.mean(0)
    return mean, (images - mean).square().mean().sqrt()


def compare(epochs: int = EPOCHS, limit: int | None = None) -> str:
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
    there = {name: one for name, one in PEERS.items() if one.module is None or find_spec(one.module)}
    trainings = tqdm([(name, rate) for name, library in there.items() for rate in library.rates], unit=" trainings")
    best: dict[str, tuple[float, Result]] = {}
    for name, rate in trainings:
        trainings.set_description(f"{name}, learning rate {rate:g}")
        torch.manual_seed(SEED)
        began = time.process_time()
        trained = there[name].train(images, epochs, rate)
        seconds = time.process_time() - began
        error, _ = measure(name, trained, validation)
        if name not in best or error < best[name][0]:
            best[name] = error, Result(_title(name), rate, *measure(name, trained, test), seconds)
    return table([result for _, result in best.values()], epochs)


def _title(name: str) -> str:
    """The name of a library, with its version where it is not this one."""
    module = PEERS[name].module
    return name if module is None else f"{name} {version(module)}"


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


def table(results: list[Result], epochs: int) -> str:
    """The results as Markdown."""
    head = ["library", "learning rate", "fvu", "dead latents", "CPU seconds"]
    rows = [[r.name, f"{r.rate:g}", f"{r.fvu:.4f}", f"{r.dead_fraction:.1%}", f"{r.cpu_seconds:.0f}"] for r in results]
    about = f"{LATENTS} latents, exactly {K} kept, {epochs} epochs, one thread. {describe_machine()}."
    return f"{about}\n\n{as_markdown(head, rows)}"
