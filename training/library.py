"""Training and measuring in Python, in one call each: what `from sae_model.training import ...` gives."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor

from sae_model import SparseAutoencoder, Sparsity
from sae_model.architectures import Dictionary
from sae_model.errors import UserError, is_number
from sae_model.storage import as_device

from .data import DataError, Dataset, Rows, Split, as_images, open_dataset
from .data.image_store import held_out_groups
from .fit.checkpoint import Checkpoint, run
from .fit.loop import Progress, TrainingError
from .fit.recipe import Recipe, asked_for, too_few_steps, tuned
from .fit.threads import no_spinning
from .measure.evaluation import QUICK, Evaluation, Measure
from .measure.evaluation import evaluate as _evaluate
from .measure.latents import heat_maps, log_histogram, look_at_latents, nearest_atoms, stability

__all__ = [
    "DataError",
    "Dataset",
    "Evaluation",
    "Progress",
    "Recipe",
    "Rows",
    "Split",
    "TrainingError",
    "evaluate",
    "heat_maps",
    "hold_out",
    "log_histogram",
    "look_at_latents",
    "nearest_atoms",
    "open_dataset",
    "stability",
    "train",
    "tuned",
]


def train(
    data: Any,
    sparsity: Sparsity,
    *,
    latent_dim: int = 900,
    steps: int = Dictionary.STEPS,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    loss: Literal["bce", "mse"] | None = None,
    noise: float = 0.0,
    seed: int = 0,
    device: str | torch.device | None = None,
    resume: str | os.PathLike[str] | None = None,
    log: Callable[..., object] | None = None,
) -> SparseAutoencoder:
    """Train a model, with a bar that shows loss, L0 and dead latents.

    What is not given is as it measured best for the sparsity method. The same arguments on the same machine give the
    same weights. On a CPU threads are as few as `training.fit.threads` says.

    Args:
        data: a tensor, a numpy array, an open memmap, or anything with a length and slices: vectors (n, length) or
            images (n, channels, height, width), bytes or floats of any precision. They stay where they are.
        sparsity: the sparsity method, such as `TopK(32)`.
        latent_dim: number of latents.
        steps: of the encoder; with 0 it is the classical autoencoder, one linear map and a threshold.
        epochs: passes over the data.
        batch_size: rows a step; fewer where there are fewer.
        learning_rate: of AdamW, the peak of one cycle.
        loss: "bce", the cross-entropy, for values in [0, 1]; or "mse", the squared error, for values of any range, with
            a linear output. By default "mse" for vectors of floats, and "bce" for all others.
        noise: each row gets Gaussian noise of a sigma drawn from 0 to this, in the units of the data (of bytes, the
            range is 1); the clean row is the target.
        seed: of the first weights, the order of the rows and the noise; from 0.
        device: "cpu" or "cuda"; by default a GPU where there is one.
        resume: a folder in which a checkpoint is kept, every 500 steps and at the end. The same call goes on from it.
        log: called as `log(metrics, step=step)` every 20 steps and at the end, with the numbers of `Progress` by name;
            such as `wandb.log` or `trackio.log`.

    Returns:
        The model, in eval mode. One that was trained on vectors (n, length) takes and gives those.

    Raises:
        DataError: data of another shape or type. TrainingError: values out of the range of the loss, or a loss that
            is no longer a number. CheckpointError: the folder is of another run. ValueError: arguments out of range.
        ModelLoadError: there is no such device.
    """
    if not isinstance(sparsity, Sparsity):
        raise ValueError(f"sparsity is a sparsity method with its values, such as TopK(32); got {sparsity!r:.80}.")
    images = as_images(data.images if isinstance(data, Split) else data)
    if loss is None:
        loss = "mse" if images.ndim == 2 and images.dtype != torch.uint8 else "bce"
    fields = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate, "dataset": "own data"}
    recipe = asked_for(tuned(sparsity), loss, noise, latent_dim=latent_dim, steps=steps, seed=seed, **fields)
    few = too_few_steps(recipe, len(images))
    if few:
        warnings.warn(few, stacklevel=2)
    place = as_device(device)
    with no_spinning():
        model = recipe.new_model(images).to(place)
        checkpoint = None if resume is None else Checkpoint(Path(resume) / "training", recipe, images)
        for progress in run(model, images, recipe, checkpoint):
            if log is not None:
                numbers = vars(progress).items()
                told = {name: float(of) for name, of in numbers if name not in ("step", "steps", "snapshot")}
                log(told, step=progress.step)
    return model


def evaluate(
    model: SparseAutoencoder,
    data: Any,
    labels: Any = None,
    *,
    k: int | None = None,
    beta: float | None = None,
    measure: Measure = QUICK,
) -> Evaluation:
    """Measure a model on rows that it was not trained on.

    Args:
        data: as for `train`, of the shape that the model takes.
        labels: (n,), whole numbers from 0, where there are any: codes are then measured class by class too.
        k, beta: measure the model at this k or beta, as in `model.encode`.
        measure: "quick", or "full": with noise of five sigmas instead of 0.3 alone, all in the units of the data, and
            with the values of latents fitted again.

    Returns:
        The metrics; printed, they are a short table.

    Raises:
        DataError: data of another shape or type. ValueError: data that do not fit the model, all alike, or too
            few labels.
    """
    if isinstance(data, Split):
        data, labels = data
    images = as_images(data)
    of_each = torch.zeros(len(images)) if labels is None else torch.as_tensor(np.asarray(labels))
    test = Split(cast(Tensor, images), of_each.long())  # Rows have all that is used of a tensor
    with no_spinning():
        return _evaluate(model, test, k=k, beta=beta, measure=measure)


def hold_out(
    groups: int | Sequence[int] | Tensor | np.ndarray[Any, Any], share: float = 0.1, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Choose rows to measure on by a seed, so that rows that belong together stay together.

    Args:
        groups: the group of each row, (n,), whole numbers, such as which image a patch is from; or n, the number of
            rows, where each stands for itself.
        share: which part of the rows to hold out, between 0 and 1.
        seed: another one chooses others.

    Returns:
        Rows to train on and rows to measure on, each in increasing order: `data[rows]`.

    Raises:
        ValueError: a share that is not between 0 and 1. DataError: fewer than two groups.
    """
    if not is_number(share) or not 0 < share < 1:
        raise ValueError(f"share lies between 0 and 1; got {share!r:.80}.")
    numbers = torch.arange(groups) if isinstance(groups, int) else torch.as_tensor(np.asarray(groups))
    if numbers.ndim != 1 or numbers.is_floating_point():
        raise UserError(f"Groups are whole numbers, one for each row; got {tuple(numbers.shape)} of {numbers.dtype}.")
    train_rows, held_out = held_out_groups(numbers, share, seed)
    return train_rows.sort().values, held_out.sort().values
