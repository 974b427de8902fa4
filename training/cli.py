"""The command line: `python -m training {fit,zoo,evaluate,report}`. Figures go to stdout, everything else to stderr."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from tqdm import tqdm

from sae_model import AdaptiveTopK, ModelLoadError, SparseAutoencoder
from sae_model.sparsity import WAYS, sparsity_from_config
from sae_model.storage import staged_folder
from sae_model.zoo import ZOO
from training.data import BUNDLED, DATASETS, DataError, Split, class_names, load_split
from training.evaluation import Evaluation, evaluate
from training.figures import draw_report
from training.loop import TrainingError, fit
from training.publishing import save_run
from training.recipe import Recipe, tuned
from training.zoo import RECIPES, STOPS_OF_EVERY_K

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
    target: Annotated[float | None, typer.Option(help="Rate that a KL penalty asks for, between 0 and 1.")] = None,
    k: Annotated[int | None, typer.Option(help="Latents that a top-k way keeps.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the images.", show_default="as measured best")] = None,
    noise: Annotated[
        float | None, typer.Option(help="Largest sigma of training noise.", show_default="as measured best")
    ] = None,
    hidden_dim: Annotated[
        int | None, typer.Option(help="Width of the hidden layers.", show_default="as measured best")
    ] = None,
    dataset: DatasetOption = DEFAULT.dataset,
    data_dir: DataDirOption = BUNDLED,
    seed: Annotated[int, typer.Option(help="Fixes first weights, order and noise.")] = DEFAULT.seed,
    limit: Annotated[int | None, typer.Option(help="Train on the first so many images only.")] = None,
) -> None:
    """Train one model, measure it on the test split, and write it to a folder."""
    _check_dataset(dataset)
    knobs = {"beta": beta, "target": target, "k": k}
    changes = {"epochs": epochs, "noise": noise, "hidden_dim": hidden_dim}
    try:
        way = sparsity_from_config({"kind": sparsity} | _given(knobs))
        recipe = replace(tuned(way), dataset=dataset, seed=seed, limit=limit, **_given(changes))
        model = recipe.new_model()
    except ValueError as error:
        raise UsageError(str(error)) from error
    _check_output(output)
    train, test = _load_both(recipe, data_dir)
    evaluation = _run(recipe, model, train, test, output)
    print(evaluation.to_json())


@app.command("zoo")
def zoo_command(
    output: Annotated[Path, typer.Option(help="Folder of the bundle.", show_default="bundled")] = ZOO,
) -> None:
    """Train every bundled variant anew and replace it. One folder each; each is replaced whole when it is done."""
    train, test = _load_both(DEFAULT, BUNDLED)
    for number, recipe in enumerate(RECIPES, start=1):
        name = recipe.name
        _say(f"{number} of {len(RECIPES)}: {name}")
        began = time.perf_counter()
        evaluation = _run(recipe, recipe.new_model(), train, test, output / name)
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


@app.command("report")
def report_command(
    model: Annotated[str, typer.Argument(help="A folder, or the id of a repo on the Hub.", metavar="FOLDER_OR_REPO")],
    output: Annotated[Path, typer.Option(help="Folder for the pictures: new, or empty.")],
    dataset: DatasetOption = DEFAULT.dataset,
    data_dir: DataDirOption = BUNDLED,
) -> None:
    """Measure a model on the test split and draw the lecture's pictures of it, as PNG and SVG."""
    _check_dataset(dataset)
    _check_output(output)
    loaded = SparseAutoencoder.from_pretrained(model, map_location=_device())
    test = load_split(dataset, train=False, data_dir=data_dir)
    evaluation = evaluate(loaded, test.images, test.labels)
    with staged_folder(output) as stage:
        for name, figure in tqdm(
            draw_report(loaded, evaluation, test, class_names(dataset)), desc="pictures", unit=" pictures"
        ):
            for ending in ("png", "svg"):
                figure.savefig(stage / f"{name}.{ending}", dpi=150)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that somebody gave."""
    return {name: value for name, value in options.items() if value is not None}


def _run(recipe: Recipe, model: SparseAutoencoder, train: Split, test: Split, output: Path) -> Evaluation:
    """Train, measure and save one model, with a progress bar."""
    model = model.to(_device())
    with tqdm(desc=recipe.name, unit=" steps", dynamic_ncols=True) as bar:
        for progress in fit(model, train.images, recipe):
            bar.total = progress.steps
            bar.set_postfix_str(
                f"{progress.images_per_second:,.0f} images/s, bce {progress.reconstruction_loss:.4f}, "
                f"penalty {progress.penalty:.4f}, mean activation {progress.mean_activation:.4f}",
                refresh=False,
            )
            bar.update(progress.step - bar.n)
    evaluation = evaluate(model, test.images, test.labels)
    by_k = {}
    if isinstance(recipe.sparsity, AdaptiveTopK):
        stops = [k for k in STOPS_OF_EVERY_K if k <= model.latent_dim]
        by_k = {k: evaluate(model, test.images, test.labels, k) for k in tqdm(stops, desc="figures at k")}
    save_run(output, model, evaluation, recipe, len(test.images), by_k)
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
