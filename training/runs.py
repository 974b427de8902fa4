"""Whole runs: train, measure, save. One with checkpoints and a bar, or many side by side."""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from sae_model import SparseAutoencoder
from sae_model.errors import UserError, first_line

from .data import About, Dataset, Split, open_dataset
from .fit import parallel
from .fit.bar import show
from .fit.checkpoint import STEPS_PER_CHECKPOINT, Checkpoint, remove_checkpoint
from .fit.loop import fit
from .fit.recipe import Recipe
from .measure.evaluation import FULL, SIGMA, Evaluation, Measure, evaluate
from .measure.history import Epoch, measure_epoch
from .measure.latent_statistics import write_statistics
from .publish.record import Record, versions
from .publish.run_folder import save_run

MOST_PROBED = 60_000  # the classifier needs the activations of all its images at once


@dataclass(frozen=True)
class Data:
    """The images of a run."""

    train: Split
    """To learn from, at most `limit` of them."""
    test: Split
    """To measure on."""
    probe: Split | None
    """To fit the linear classifier of `probe_error` on: all training images, whatever the limit. None where there are
    no classes to tell apart."""
    validation: Split | None = None
    """To measure on after each epoch; None measures nothing then."""
    about: About = field(kw_only=True)
    """What is known about the data set: its title, classes and licence, for the card."""


def load_data(
    recipe: Recipe,
    data_dir: Path,
    skip_broken: bool = False,
    licence: str | None = None,
    credit: str | None = None,
) -> Data:
    """The images of a recipe: its data set, opened and checked. `licence` and `credit` are as in `open_dataset`.

    Raises:
        DataError: they cannot be had, or are too few.
    """
    images = open_dataset(
        recipe.dataset, data_dir, recipe.image_size, recipe.grey, skip_broken, recipe.loss == "bce", licence, credit
    )
    for half in ("train", "test"):
        images.check(half)
    parts = images.split("train", recipe.limit), images.split("test"), to_probe(images), images.split("validation")
    return Data(*parts, about=images.about)


def to_probe(images: Dataset) -> Split | None:
    """What the linear classifier of `probe_error` is fitted on; None where there are no classes to tell apart."""
    return images.split("train", MOST_PROBED) if len(images.classes) > 1 else None


def run_one(
    recipe: Recipe,
    model: SparseAutoencoder,
    data: Data,
    output: Path,
    checkpoint: Checkpoint,
    measure: Measure = FULL,
) -> Evaluation | None:
    """Train, measure and save one model, with a progress bar, from its checkpoint on if there is one.

    Of several processes that train it together the first one measures and saves, the others get None.

    Raises:
        CheckpointError, TrainingError, OSError: what was there before is untouched.
    """
    leads = parallel.rank() == 0
    snapshot = checkpoint.read() if checkpoint.path.exists() else None
    history = [Epoch(**epoch) for epoch in snapshot.get("history", [])] if snapshot else []
    with tqdm(desc=recipe.name, unit=" steps", dynamic_ncols=True, disable=not leads) as bar:
        for progress in fit(model, data.train.images, recipe, snapshot, after_epochs=True):
            show(bar, progress, recipe.loss)
            if not leads:
                continue
            if progress.epochs.is_integer() and data.validation is not None and len(data.validation.images) > 0:
                history.append(measure_epoch(model, data.validation.images, int(progress.epochs)))
                tqdm.write(f"Epoch {progress.epochs:g} of {recipe.epochs}, validation: {history[-1]}", file=sys.stderr)
            if progress.step % STEPS_PER_CHECKPOINT == 0 or progress.step == progress.steps:
                checkpoint.write(progress.snapshot() | {"history": [asdict(epoch) for epoch in history]})
    if not leads:
        return None
    evaluation = measure_and_save(recipe, model, data, output, history, measure)
    remove_checkpoint(output)
    return evaluation


def measure_and_save(
    recipe: Recipe,
    model: SparseAutoencoder,
    data: Data,
    output: Path,
    history: Sequence[Epoch] = (),
    measure: Measure = FULL,
) -> Evaluation:
    """Measure a trained model on the test split, and write all its files, or none.

    Where it has to be quick there are no probe errors, and no metrics at each k or beta.
    """
    evaluation = measured(model, data.test, data.probe if measure == FULL else None, measure=measure)
    asked: dict[str, Any] = recipe.sparsity.measured_at if measure == FULL else {}
    by = {
        argument: {
            at: measured(model, data.test, sigmas=(SIGMA,), **{argument: at})
            for at in stops
            if argument != "k" or at <= model.latent_dim
        }
        for argument, stops in asked.items()
    }
    record = Record(recipe, versions(), len(data.test.images), evaluation, data.about)
    save_run(output, model, record, data.test, by, history)
    return evaluation


def measured(
    model: SparseAutoencoder,
    test: Split,
    train: Split | None = None,
    k: int | None = None,
    beta: float | None = None,
    sigmas: tuple[float, ...] | None = None,
    measure: Measure = FULL,
) -> Evaluation:
    """The metrics of a model, as `evaluate` tells them.

    Raises:
        UserError: these data do not fit this model, or its output for them is not finite.
    """
    try:
        evaluation = evaluate(model, test, train, k, beta, sigmas, measure)
    except (ValueError, RuntimeError) as error:
        raise UserError(f"This model cannot be measured on these data: {first_line(error)}") from error
    if not math.isfinite(evaluation.mse + evaluation.mean_activation + evaluation.effective_l0):
        raise UserError("This model's output for these data is not finite, so it cannot be measured: train it again.")
    return evaluation


def run_all(recipes: list[Recipe], data: Data, output: Path, jobs: int) -> Iterator[tuple[Recipe, Evaluation]]:
    """Train, measure and save many models to folders of their own, `jobs` at a time, with one bar for all.

    A model is too small for several cores: two models on a core each learn more in a second than one on both.

    Yields:
        Each recipe with its metrics, as soon as it is done.

    Raises:
        UserError: two recipes are the same.
        OSError, TrainingError: one of them could not be made. Those that are done stay.
    """
    names = folder_names(recipes)
    threads = max(1, (os.cpu_count() or 1) // jobs)
    # It hands tensors over in shared memory, so images are there once.
    with ProcessPoolExecutor(jobs, torch.multiprocessing.get_context("spawn")) as pool:
        # The last recipes of the bundle take longest: begun first, they leave no core idle at the end.
        running = {
            pool.submit(_do_job, recipe, data, output / name, threads): recipe
            for recipe, name in reversed([*zip(recipes, names, strict=True)])
        }
        try:
            for job in tqdm(as_completed(running), "trained", len(running), unit=" models", dynamic_ncols=True):
                yield running[job], job.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _do_job(recipe: Recipe, data: Data, output: Path, threads: int) -> Evaluation:
    torch.set_num_threads(threads)
    model = recipe.new_model(data.train.images)
    for _ in fit(model, data.train.images, recipe):
        pass
    evaluation = measure_and_save(recipe, model, data, output)
    write_statistics(output, model, data.test)
    return evaluation


def folder_names(recipes: Sequence[Recipe]) -> list[str]:
    """A folder for each recipe: its name, with the fields in which it differs from others of that name.

    `topk-10` stays so; two that differ in their seed are called `topk-10-seed-0` and `topk-10-seed-1`.

    Raises:
        UserError: two recipes are the same.
    """
    names = []
    for recipe in recipes:
        alike = [vars(other) for other in recipes if other.name == recipe.name]
        varied = [name for name in vars(recipe) if any(other[name] != alike[0][name] for other in alike)]
        values = {name: getattr(recipe, name) for name in varied}
        if "sparsity" in values:  # the hyperparameters that its name does not tell
            methods = [other["sparsity"].to_config() for other in alike]
            del values["sparsity"]
            own = recipe.sparsity.to_config()
            values |= {name: own[name] for name in own if any(other.get(name) != own[name] for other in methods)}
        parts = [f"{name.replace('_', '-')}-{value}" for name, value in values.items()]
        names.append(re.sub(r"[^\w.+-]+", "-", "-".join([recipe.name, *parts])))
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"Two runs would be the same, {twice}, and write into one folder: name each once.")
    return names
