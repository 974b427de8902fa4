"""Whole runs: train, measure, save. One with checkpoints and a bar, or many side by side."""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from sae_model import SparseAutoencoder
from sae_model.errors import UserError, first_line
from sae_model.storage import CONFIG_NAME

from .data import About, Dataset, Split, open_dataset
from .fit import parallel
from .fit.checkpoint import Checkpoint, remove_checkpoint, run
from .fit.loop import fit
from .fit.recipe import Recipe, check_size
from .measure.evaluation import FULL, SIGMA, Evaluation, Measure, evaluate
from .measure.history import MEASURED, Epoch, measure_epoch
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


def finished(output: Path, recipe: Recipe) -> Evaluation | None:
    """The metrics of a run that was done already, which is said; None where its output is not there, or of another."""
    if not (output / CONFIG_NAME).is_file() or Record.read(output).recipe != recipe:
        return None
    if parallel.rank() == 0:
        remove_checkpoint(output)  # it may have been killed just before it did so itself
        print(f"{output} is finished.", file=sys.stderr)
    return Record.read(output).evaluation


def run_one(
    recipe: Recipe,
    data: Data,
    output: Path,
    measure: Measure = FULL,
    device: torch.device | None = None,
    pretrained: SparseAutoencoder | None = None,
    resume: bool = True,
) -> Evaluation | None:
    """Train, measure and save one model, with a progress bar, from its checkpoint on if there is one.

    Of several processes that train it together the first one measures and saves, the others get None.

    Args:
        device: where to train it; None is the CPU.
        pretrained: the model of `recipe.init`, where it was loaded already.
        resume: whether to go on from a checkpoint; otherwise one is an error.

    Raises:
        UserError: a model of these sizes cannot be made. CheckpointError, TrainingError, OSError: what was there before
            is untouched.
    """
    images = data.train.images
    try:
        check_size(recipe, tuple(images.shape[1:]))
        model = recipe.new_model(images, pretrained).to(device or "cpu")
    except ValueError as error:
        raise UserError(str(error)) from error
    checkpoint = Checkpoint(output, recipe, images)
    if checkpoint.path.exists() and not resume:
        raise UserError(f"{checkpoint.path} is left of an unfinished run: add --resume to go on with it, or remove it.")
    leads = parallel.rank() == 0
    kept: dict[str, Any] = {"history": []}
    for progress in run(model, images, recipe, checkpoint, kept, after_epochs=True):
        if leads and progress.epochs.is_integer() and data.validation is not None and len(data.validation.images) > 0:
            epoch = measure_epoch(model, data.validation.images, int(progress.epochs))
            kept["history"].append(epoch)
            told = ", ".join(f"{name} {epoch[name]:.4g}" for name in MEASURED if epoch[name] is not None)
            tqdm.write(f"Epoch {progress.epochs:g} of {recipe.epochs}, validation: {told}", file=sys.stderr)
    if not leads:
        return None
    evaluation = measure_and_save(recipe, model, data, output, kept["history"], measure)
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


def measured(model: SparseAutoencoder, test: Split, train: Split | None = None, **options: Any) -> Evaluation:
    """The metrics of a model, as `evaluate` tells them and takes the options.

    Raises:
        UserError: these data do not fit this model, or its output for them is not finite.
    """
    try:
        evaluation = evaluate(model, test, train, **options)
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
    context = torch.multiprocessing.get_context("spawn")  # hands tensors over in shared memory: images are there once
    with ProcessPoolExecutor(jobs, context, torch.set_num_threads, (threads,)) as pool:
        # The last recipes of the bundle take longest: begun first, they leave no core idle at the end.
        running = {
            pool.submit(_do_job, recipe, data, output / name): recipe
            for recipe, name in reversed([*zip(recipes, names, strict=True)])
        }
        try:
            for job in tqdm(as_completed(running), "trained", len(running), unit=" models", dynamic_ncols=True):
                yield running[job], job.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _do_job(recipe: Recipe, data: Data, output: Path) -> Evaluation:
    model = recipe.new_model(data.train.images)
    list(fit(model, data.train.images, recipe))
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
        own, *others = (of.to_dict() | of.sparsity.to_config() for of in (recipe, *recipes) if of.name == recipe.name)
        varied = [name for name in own if name != "sparsity" and any(of.get(name) != own[name] for of in others)]
        parts = [f"{name.replace('_', '-')}-{own[name]}" for name in varied]
        names.append(re.sub(r"[^\w.+-]+", "-", "-".join([recipe.name, *parts])))
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"Two runs would be the same, {twice}, and write into one folder: name each once.")
    return names
