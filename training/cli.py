"""The command line: `python -m training {fit,zoo,evaluate}`. Figures go to stdout, everything else to stderr."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import torch
import typer
from tqdm import tqdm

from sae_model import ModelLoadError, SparseAutoencoder
from sae_model.sparsity import WAYS, sparsity_from_config
from sae_model.zoo import ZOO
from training.data import BUNDLED, DATASETS, DataError, Split, load_split
from training.evaluation import Evaluation, evaluate
from training.loop import TrainingError, fit
from training.publishing import save_run
from training.recipe import Recipe
from training.zoo import RECIPES

app = typer.Typer(
    help="Train, measure and bundle sparse autoencoders.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

DEFAULT = Recipe()
DatasetOption = Annotated[str, typer.Option(help=f"One of: {', '.join(DATASETS)}.")]
DataDirOption = Annotated[Path, typer.Option(help="Folder that holds MNIST/raw and its like.", show_default="bundled")]


class UsageError(Exception):
    """What was asked for makes no sense. The message is a sentence."""


@app.command("fit")
def fit_command(
    output: Annotated[Path, typer.Option(help="Folder for the model: new, or empty.")],
    sparsity: Annotated[str, typer.Option(help=f"One of: {', '.join(WAYS)}.")] = "l1",
    beta: Annotated[float | None, typer.Option(help="Weight of the penalty.")] = None,
    epochs: Annotated[int, typer.Option(help="Passes over the images.")] = DEFAULT.epochs,
    noise: Annotated[float, typer.Option(help="Largest sigma of the noise on training images.")] = DEFAULT.noise,
    dataset: DatasetOption = DEFAULT.dataset,
    data_dir: DataDirOption = BUNDLED,
    seed: Annotated[int, typer.Option(help="Fixes first weights, order and noise.")] = DEFAULT.seed,
    limit: Annotated[int | None, typer.Option(help="Train on the first so many images only.")] = None,
) -> None:
    """Train one model, measure it on the test split, and write it to a folder."""
    _check_dataset(dataset)
    knobs = {"kind": sparsity} | ({"beta": beta} if beta is not None else {})
    try:
        recipe = Recipe(
            sparsity=sparsity_from_config(knobs),
            dataset=dataset,
            epochs=epochs,
            noise=noise,
            seed=seed,
            limit=limit,
        )
    except ValueError as error:
        raise UsageError(str(error)) from error
    _check_output(output)
    train, test = _load_both(recipe, data_dir)
    evaluation = _run(recipe, train, test, output)
    print(evaluation.to_json())


@app.command("zoo")
def zoo_command(
    output: Annotated[Path, typer.Option(help="Folder of the bundle.", show_default="bundled")] = ZOO,
) -> None:
    """Train every bundled variant anew and replace it. One folder each; each is replaced whole when it is done."""
    train, test = _load_both(DEFAULT, BUNDLED)
    for number, recipe in enumerate(RECIPES, start=1):
        name = recipe.sparsity.name
        _say(f"{number} of {len(RECIPES)}: {name}")
        began = time.perf_counter()
        evaluation = _run(recipe, train, test, output / name)
        _say(
            f"  {time.perf_counter() - began:.0f} s, bce {evaluation.bce:.4f}, fvu {evaluation.fvu:.4f}, "
            f"mean activation {evaluation.mean_activation:.4f}, effective l0 {evaluation.effective_l0:.0f}, "
            f"dead {evaluation.dead_fraction:.1%}"
        )


@app.command("evaluate")
def evaluate_command(
    model: Annotated[str, typer.Argument(help="A folder, or the id of a repo on the Hub.", metavar="FOLDER_OR_REPO")],
    dataset: DatasetOption = DEFAULT.dataset,
    data_dir: DataDirOption = BUNDLED,
) -> None:
    """Measure a model on the whole test split and print its figures as JSON, alone, on stdout."""
    _check_dataset(dataset)
    loaded = SparseAutoencoder.from_pretrained(model, map_location=_device())
    test = load_split(dataset, train=False, data_dir=data_dir)
    print(evaluate(loaded, test.images, test.labels).to_json())


def _run(recipe: Recipe, train: Split, test: Split, output: Path) -> Evaluation:
    """Train, measure and save one model, with a progress bar."""
    model = recipe.new_model().to(_device())
    with tqdm(desc=recipe.sparsity.name, unit=" steps", dynamic_ncols=True) as bar:
        for progress in fit(model, train.images, recipe):
            bar.total = progress.steps
            bar.set_postfix_str(
                f"{progress.images_per_second:,.0f} images/s, bce {progress.reconstruction_loss:.4f}, "
                f"penalty {progress.penalty:.4f}, mean activation {progress.mean_activation:.4f}",
                refresh=False,
            )
            bar.update(progress.step - bar.n)
    evaluation = evaluate(model, test.images, test.labels)
    save_run(output, model, evaluation, recipe, len(test.images))
    return evaluation


def _load_both(recipe: Recipe, data_dir: Path) -> tuple[Split, Split]:
    train = load_split(recipe.dataset, train=True, data_dir=data_dir, limit=recipe.limit)
    return train, load_split(recipe.dataset, train=False, data_dir=data_dir)


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _check_dataset(dataset: str) -> None:
    if dataset not in DATASETS:
        raise UsageError(f"Unknown data set {dataset!r}. Known ones: {', '.join(DATASETS)}.")


def _check_output(output: Path) -> None:
    """Refuse before the training what would fail after it."""
    if output.is_dir() and any(output.iterdir()):
        raise UsageError(f"{output} is not empty, and nothing is overwritten: name another --output, or remove it.")
    for parent in (output, *output.absolute().parents):
        if parent.exists():
            if not parent.is_dir():
                raise UsageError(f"{parent} is a file, so no model can be written to {output}: name another --output.")
            break


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Run the command line. What a person can mend ends in one sentence and exit code 1."""
    try:
        app(prog_name="python -m training")
    except (UsageError, DataError, ModelLoadError, TrainingError) as error:
        sys.exit(f"Error: {error}")
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        sys.exit(f"Error: {error.strerror or error}{place}. Nothing was half-written.")
    except KeyboardInterrupt:
        sys.exit("Stopped. Nothing was written.")
