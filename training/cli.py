"""The command line: `python -m training COMMAND`. Metrics go to stdout, everything else to stderr.

What only one command needs, such as matplotlib, is imported there: `fit` starts in half the time.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import fields
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_type_hints

import torch
import typer
from tqdm import tqdm

from sae_model import SparseAutoencoder
from sae_model.architectures import ARCHITECTURES
from sae_model.bundle import BUNDLE
from sae_model.errors import UserError, first_line, one_line
from sae_model.methods import METHODS
from sae_model.storage import as_device, staged_folder

from .data import DATA_DIR, DATASETS, Dataset, open_dataset, read_places
from .data.dataset import HUB
from .fit import parallel
from .fit.bundled_recipes import RECIPES
from .fit.output import check_empty, check_outside, locked
from .fit.recipe import Recipe, asked_for, check_size, recipe_for, too_few_steps
from .measure.evaluation import FULL, QUICK, Measure
from .measure.history import read_history
from .publish.hub import HubError, check_login, push, push_all
from .publish.record import RECIPE_NAME, Record, RecordError
from .runs import finished, load_data, measured, run_all, run_one, to_probe
from .sweep import spread

app = typer.Typer(
    help="Train, measure and bundle sparse autoencoders.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

DEFAULT = Recipe()


def option(help: str, default: str | bool = True, **more: Any) -> Any:
    """Define an option of a command; `default` is what its help shows as the default, where that is not a value."""
    return typer.Option(help=help, show_default=default, **more)


DATASET_HELP = (
    f"One of: {', '.join(DATASETS)}; or a folder of images, a .npy, .npz or .safetensors file, or "
    "hub:OWNER/NAME[@REVISION]."
)
DatasetOption = Annotated[str, option(DATASET_HELP)]
MeasuredOnOption = Annotated[str | None, option(DATASET_HELP, "that of the model's recipe.json, or mnist")]
ImageSizeOption = Annotated[int | None, option("Resize images to N x N pixels.", "as they are")]
GreyOption = Annotated[bool, typer.Option("--grey", help="Convert colour images to greyscale.")]
SkipBrokenOption = Annotated[bool, typer.Option("--skip-broken", help="Leave out image files that cannot be read.")]
MeasureOption = Annotated[
    Measure, option("full; or quick: one level of noise, no fvu_refit, no probe errors, no other k or beta.")
]
ThreadsOption = Annotated[
    int | None, option("CPU threads, which sleep while they wait.", "all cores, or OMP_NUM_THREADS", min=1)
]
DataDirOption = Annotated[Path, option("Folder that holds MNIST/raw and its like.", "bundled")]
DeviceOption = Annotated[str | None, option("cpu, or cuda.", "a GPU where there is one")]
ModelArgument = Annotated[str, typer.Argument(help="A folder, or the id of a repo.", metavar="FOLDER_OR_REPO")]


HYPERPARAMETERS = {known.name: known for method in METHODS.values() for known in fields(method)}
"""Of the sparsity methods."""


def with_hyperparameters(command: Callable[..., None], many: bool = False) -> Callable[..., None]:
    """Give a command an option for every hyperparameter of every sparsity method, and for every field of `Recipe` that
    is one, in place of `**chosen`; each is None where it is not given.

    With `many` the hyperparameters, and the seed, take several values.
    """
    given = inspect.signature(command, eval_str=True)
    options = {
        name: parameter.replace(kind=parameter.KEYWORD_ONLY)
        for name, parameter in given.parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD
    }
    kinds = get_type_hints(Recipe) | {name: type(known.default) for name, known in HYPERPARAMETERS.items()}
    for known in [*HYPERPARAMETERS.values(), *(field for field in fields(Recipe) if field.metadata)]:
        several = many and (known.name in HYPERPARAMETERS or known.name == "seed")
        one: Any = kinds[known.name]
        kind: Any = list[one] if several else one
        shown = known.metadata.get("default", "as measured best")
        if many:
            shown = shown.removeprefix("that of --init, or ")  # which only `fit` has
        help = option(known.metadata.get("help", ""), shown)
        options[known.name] = inspect.Parameter(
            known.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, help]
        )
    cast(Any, command).__signature__ = given.replace(parameters=list(options.values()))
    command.__annotations__ = {name: option.annotation for name, option in options.items()}
    return command


@app.command("fit")
@with_hyperparameters
def fit_command(
    output: Annotated[Path, typer.Option(help="Folder for the model: new, or empty.")],
    sparsity: Annotated[str | None, option(f"One of: {', '.join(METHODS)}.", "that of --init, or l1")] = None,
    architecture: Annotated[
        str | None, option(f"One of: {', '.join(ARCHITECTURES)}.", f"that of --init, or {DEFAULT.architecture}")
    ] = None,
    dataset: DatasetOption = DEFAULT.dataset,
    data_dir: DataDirOption = DATA_DIR,
    grey: GreyOption = False,
    skip_broken: SkipBrokenOption = False,
    license: Annotated[str | None, option("Of the images, for the model's card.", "unknown")] = None,
    credit: Annotated[str | None, option("Who made the images, for the card.", "none")] = None,
    init: Annotated[str | None, option("Fine-tune this model.", metavar="FOLDER_OR_REPO")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume this run from its last checkpoint.")] = False,
    device: DeviceOption = None,
    threads: ThreadsOption = None,
    measure: MeasureOption = FULL,
    push_to_hub: Annotated[str | None, option("Publish it there when it is done.", metavar="OWNER/NAME")] = None,
    **chosen: Any,
) -> None:
    """Train one model, measure it on the test split, and write it to a folder.

    Started by torchrun, several processes train it together.
    """
    _set_threads(threads)
    if push_to_hub is not None:
        check_login(push_to_hub)
    place = as_device(device)
    hyperparameters = {name: chosen.pop(name) for name in HYPERPARAMETERS}
    try:
        pretrained = None if init is None else SparseAutoencoder.from_pretrained(init)
        recipe = recipe_for(init, pretrained, sparsity, architecture, hyperparameters)
        recipe = asked_for(recipe, dataset=dataset, grey=grey, **chosen)
        check_size(recipe)  # what cannot be is said at once
    except ValueError as error:
        raise UserError(str(error)) from error
    with parallel.joined(place), locked(output):
        evaluation = finished(output, recipe) if resume else None
        if evaluation is None:
            check_empty(output)
            check_outside(output, dataset)
            with parallel.first_process_first():
                data = load_data(recipe, data_dir, skip_broken, license, credit)
            few = too_few_steps(recipe, len(data.train.images))
            if few:
                print(few, file=sys.stderr)
            evaluation = run_one(recipe, data, output, measure, place, pretrained, resume)
        if evaluation is None or parallel.rank() > 0:  # the first process has it
            return
        print(evaluation.to_json())
        if push_to_hub is not None:
            try:
                print(push(output, push_to_hub), file=sys.stderr)
            except HubError as error:
                command = f"`push {output} {push_to_hub}`"
                raise HubError(f"{error} The model is in {output}; {command} publishes it.") from error


@app.command("sweep")
@partial(with_hyperparameters, many=True)
def sweep_command(
    output: Annotated[Path, typer.Option(help="Folder of the models: new, or the one that this sweep began.")],
    sparsity: Annotated[str, option(f"One of: {', '.join(METHODS)}.")] = "l1",
    dataset: DatasetOption = DEFAULT.dataset,
    data_dir: DataDirOption = DATA_DIR,
    device: DeviceOption = None,
    threads: ThreadsOption = None,
    measure: MeasureOption = QUICK,
    **chosen: Any,
) -> None:
    """Train a model for every combination of the values given, such as --beta 0.1 1 --seed 0 1, one after the other.

    The same command goes on where it was stopped. It prints a table, and draws the frontier into the folder.
    """
    from .sweep import recipes, run_sweep, write_sweep

    _set_threads(threads)
    place, values = as_device(device), {name: chosen.pop(name) for name in (*HYPERPARAMETERS, "seed")}
    try:
        wanted = recipes(sparsity, values, chosen | {"dataset": dataset})
        for recipe in wanted:
            check_size(recipe)
    except ValueError as error:
        raise UserError(str(error)) from error
    check_outside(output, dataset)
    data, done = load_data(wanted[0], data_dir), []
    check_size(wanted[0], tuple(data.train.images.shape[1:]))
    with tqdm(total=len(wanted), desc="sweep", unit=" models", position=1) as bar:
        for one in run_sweep(wanted, data, output, measure, place):
            done.append(one)
            bar.update()
    print(write_sweep(output, done, data.about.title))


@app.command("bundle")
def bundle_command(
    names: Annotated[
        list[str] | None, typer.Argument(help="Variants, such as l1-1; all without any.", metavar="NAME")
    ] = None,
    output: Annotated[Path, option("Folder of the bundle.", "bundled")] = BUNDLE,
    jobs: Annotated[int | None, option("Models that are trained at a time.", "one a core", min=1)] = None,
    push_to: Annotated[
        str | None, typer.Option("--push", help="Publish the bundle as it is, instead.", metavar="OWNER")
    ] = None,
) -> None:
    """Train bundled variants again and replace them. One folder each; each is replaced whole when it is done.

    With --push nothing is trained: the variants as they are go to the Hub, one repo each, and into a Collection.
    """
    recipes = {recipe.name: recipe for recipe in RECIPES}
    names = names or [*recipes]
    if unknown := [name for name in names if name not in recipes]:
        nearest = get_close_matches(unknown[0], recipes, cutoff=0)
        raise UserError(f"No variant is called {unknown[0]!r:.80}. The nearest ones: {', '.join(nearest)}.")
    if push_to is not None:
        folders = [output / name for name in names]
        with tqdm(total=len(folders), desc="pushed", unit=" models") as bar:
            print(push_all(folders, push_to, lambda _: bar.update()))
        return
    data = load_data(DEFAULT, DATA_DIR)
    with locked(output):
        for recipe, metrics in run_all([recipes[name] for name in names], data, output, jobs or os.cpu_count() or 1):
            told = f"{recipe.name}: fvu {metrics.fvu:.4f}, effective l0 {metrics.effective_l0:.0f}"
            tqdm.write(f"{told}, dead {metrics.dead_fraction:.1%}", file=sys.stderr)


@app.command("push")
def push_command(
    folder: Annotated[Path, typer.Argument(help="A folder that `fit` wrote.", metavar="DIR")],
    repo_id: Annotated[str, typer.Argument(help="The repo on the Hub; made if it is not there.", metavar="OWNER/NAME")],
    private: Annotated[bool, typer.Option("--private", help="Make a repo that only its owner sees.")] = False,
    branch: Annotated[str | None, option("A branch; made if it is not there.", "main")] = None,
    create_pr: Annotated[bool, typer.Option("--create-pr", help="Open a pull request instead of committing.")] = False,
) -> None:
    """Publish a model and its card on the Hub. The login is the Hub's own: `hf auth login`, or HF_TOKEN."""
    print(push(folder, repo_id, private, branch, create_pr))


@app.command("evaluate")
def evaluate_command(
    model: ModelArgument,
    dataset: MeasuredOnOption = None,
    split: Annotated[
        Literal["test", "validation"],
        typer.Option(help="validation: its folder, or the last 5,000 training images, or a twelfth."),
    ] = "test",
    data_dir: DataDirOption = DATA_DIR,
    image_size: ImageSizeOption = None,
    grey: GreyOption = False,
    skip_broken: SkipBrokenOption = False,
    threads: ThreadsOption = None,
    measure: MeasureOption = FULL,
) -> None:
    """Measure a model on a whole split and print its metrics as JSON, alone, on stdout."""
    _set_threads(threads)
    loaded, images, _ = _opened(model, dataset, data_dir, image_size, grey, skip_broken)
    probe = to_probe(images) if measure == FULL else None
    print(measured(loaded, images.split(split), probe, measure=measure).to_json())


@app.command("report")
def report_command(
    model: ModelArgument,
    output: Annotated[Path, typer.Option(help="Folder for the figures: new, or empty.")],
    html: Annotated[bool, typer.Option("--html", help="Write latents.html instead: every latent, to sort.")] = False,
    beside: Annotated[
        str | None, option("With --html: a model, as of another seed, to compare atoms with.", metavar="FOLDER_OR_REPO")
    ] = None,
    dataset: MeasuredOnOption = None,
    data_dir: DataDirOption = DATA_DIR,
    image_size: ImageSizeOption = None,
    grey: GreyOption = False,
    skip_broken: SkipBrokenOption = False,
) -> None:
    """Measure a model on the test split and draw the lecture's figures of it, as SVG and PNG.

    With --html it is one file about the latents, which any browser opens.
    """
    from .draw.figures import draw_report
    from .draw.latents_report import latents_report
    from .draw.model_charts import save

    check_empty(output)
    loaded, images, dataset = _opened(model, dataset, data_dir, image_size, grey, skip_broken, output)
    test = images.split("test")
    if html:
        other = None if beside is None else SparseAutoencoder.from_pretrained(beside)
        try:
            page = latents_report(loaded, *test, images.about, read_places(dataset), other)
        except (ValueError, RuntimeError) as error:
            raise UserError(f"The latents of this model cannot be shown: {first_line(error)}") from error
        with staged_folder(output) as stage:
            (stage / "latents.html").write_text(page, encoding="utf-8")
        return
    evaluation = measured(loaded, test, measure=QUICK)
    figures = draw_report(loaded, evaluation, test, images.about, history=read_history(model))
    with staged_folder(output) as stage:
        for name, figure in tqdm(figures, desc="figures", unit=" figures"):
            save(figure, stage / name)


@app.command("results")
def results_command(
    seeds: Annotated[
        bool, typer.Option("--seeds", help="Also train the headline variants with two more seeds each.")
    ] = False,
    write: Annotated[bool, typer.Option("--write", help="Also write them into training/RESULTS.md.")] = False,
) -> None:
    """Print the tables of the bundled variants, as Markdown, from their evaluation.json files."""
    from .results import RESULTS, results, with_tables

    tables = results(seeds)
    print("\n\n".join(tables))
    if write:
        RESULTS.write_text(with_tables(RESULTS.read_text(encoding="utf-8"), tables), encoding="utf-8")


@app.command("benchmark")
def benchmark_command() -> None:
    """Race to the quality of the lecture's recipe; print what each side took, and what training costs, as Markdown."""
    from .benchmarks.race import benchmark, costs_table

    print(benchmark(), costs_table(), sep="\n\n")


@app.command("peers")
def peers_command(
    epochs: Annotated[int, typer.Option(help="Passes over the digits.", min=1)] = 20,
    limit: Annotated[int | None, option("Only the first N digits.")] = None,
) -> None:
    """Train this package and other libraries on the same digits, 900 latents and k = 25, and print how they did.

    Those that are installed take part: overcomplete, dictionary-learning, sae-lens. None is a dependency. overcomplete
    needs matplotlib below 3.11, so it has an environment of its own: `python -m venv peer`, then in it `pip install
    torch==2.13.0 torchvision==0.28.0 overcomplete "matplotlib<3.11" tqdm typer safetensors huggingface_hub`, and this
    command from the clone.
    """
    from .benchmarks.peers import compare

    print(compare(epochs, limit))


def _opened(
    model: str,
    dataset: str | None,
    data_dir: Path,
    image_size: int | None,
    grey: bool,
    skip_broken: bool,
    output: Path | None = None,
) -> tuple[SparseAutoencoder, Dataset, str]:
    """Open a model, and the data to measure it on; the third is the name of the data.

    The data are those that are given, or else what the recipe in the model's folder says, sizes included, or MNIST.
    An output must lie outside of them.

    Raises:
        RecordError: none are given, and there is no recipe, though the model is not for images such as those of MNIST;
            or the recipe has a path that is not there, seen from here.
    """
    loaded = SparseAutoencoder.from_pretrained(model, map_location=str(as_device(None)))
    if dataset is None and (Path(model) / RECIPE_NAME).is_file():
        recipe = Record.read(Path(model)).recipe
        dataset, image_size, grey = recipe.dataset, image_size or recipe.image_size, grey or recipe.grey
        path = Path(dataset).expanduser()
        if dataset not in DATASETS and not dataset.startswith(HUB) and not path.exists():
            relative = "" if path.is_absolute() else ", a path from the folder where `fit` ran"
            raise RecordError(
                f"{model} was trained on {dataset}{relative}: there is none here. Name the data with --dataset."
            )
    elif dataset is None and loaded.image_shape != (1, 28, 28):
        raise RecordError(f"{model} does not say what its model was trained on: name the data with --dataset.")
    name = dataset or DEFAULT.dataset
    if output is not None:
        check_outside(output, name)
    images = open_dataset(name, data_dir, image_size, grey, skip_broken, bounded=loaded.output == "sigmoid")
    images.check("test")
    return loaded, images, name


def _set_threads(threads: int | None) -> None:
    if threads is not None:
        torch.set_num_threads(threads)


CTRL_C = 130


def main() -> None:
    """Run the command line. An error that the user can fix ends in one line and exit code 1."""
    try:
        app(spread(sys.argv[1:]), prog_name=f"python -m {__package__}")
    except UserError as error:
        _end(f"Error: {error}")
    except ModuleNotFoundError as error:
        if ".benchmarks" not in str(error.name):
            raise
        _end(f"Error: `{sys.argv[1]}` runs in a clone of the repository: a wheel does not have it.")
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        _end(one_line(f"Error: {error.strerror or error}{place}. Nothing was half-written."))
    except SystemExit as done:  # which is what typer makes of a KeyboardInterrupt
        if done.code == CTRL_C and os.environ.get("RANK", "0") == "0":
            stopped = (
                "Stopped. Nothing was half-written; `fit --resume` goes on from its last checkpoint, or starts again."
            )
            print(stopped, file=sys.stderr)
        raise


def _end(message: str) -> None:
    """Leave with an error message; of several processes only the first one says it."""
    sys.exit(message if os.environ.get("RANK", "0") == "0" else 1)
