"""The command line: `python -m training COMMAND`. Figures go to stdout, everything else to stderr."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from tqdm import tqdm

from sae_model import ModelLoadError, SparseAutoencoder
from sae_model.sparsity import WAYS, sparsity_from_config
from sae_model.storage import CONFIG_NAME, staged_folder
from sae_model.zoo import ZOO
from training import parallel
from training.benchmark import benchmark
from training.checkpoint import Checkpoint, CheckpointError
from training.data import BUNDLED, DATASETS, DataError, class_names, load_split
from training.evaluation import evaluate
from training.figures import draw_report
from training.hub import HubError, check_login, push, push_all
from training.loop import TrainingError
from training.machine import MachineError
from training.recipe import Recipe, going_on, tuned
from training.record import Record, RecordError
from training.runs import Data, run_all, run_one
from training.scaling import FIGURE, measure_scaling, scaling_figure, scaling_table
from training.zoo import RECIPES

app = typer.Typer(
    help="Train, measure and bundle sparse autoencoders.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

DEFAULT = Recipe()
DatasetOption = Annotated[str, typer.Option(help=f"One of: {', '.join(DATASETS)}.")]
DeviceOption = Annotated[str | None, typer.Option(help="cpu, or cuda.", show_default="a GPU where there is one")]
DataDirOption = Annotated[Path, typer.Option(help="Folder that holds MNIST/raw and its like.", show_default="bundled")]


class UsageError(Exception):
    """What was asked for makes no sense. The message is a sentence."""


@app.command("fit")
def fit_command(
    output: Annotated[Path, typer.Option(help="Folder for the model: new, or empty.")],
    sparsity: Annotated[
        str | None, typer.Option(help=f"One of: {', '.join(WAYS)}.", show_default="l1, or that of --init")
    ] = None,
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
    init: Annotated[str | None, typer.Option(help="Go on from this model's weights.", metavar="FOLDER_OR_REPO")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the same run, where it was killed.")] = False,
    device: DeviceOption = None,
    push_to_hub: Annotated[
        str | None, typer.Option(help="Publish it there when it is done.", metavar="OWNER/NAME")
    ] = None,
) -> None:
    """Train one model, measure it on the test split, and write it to a folder.

    Started by torchrun, several processes train it together.
    """
    _check_dataset(dataset)
    if push_to_hub is not None:
        check_login(push_to_hub)
    place = _device(device)
    changes = {"epochs": epochs, "noise": noise, "hidden_dim": hidden_dim}
    with parallel.joined(place):
        try:
            recipe = _tuned(init, sparsity, _given({"beta": beta, "target": target, "k": k}))
            recipe = replace(recipe, dataset=dataset, seed=seed, limit=limit, **_given(changes))
            model = recipe.new_model().to(place)
        except ValueError as error:
            raise UsageError(str(error)) from error
        if _is_finished(output, recipe, resume):
            _push_after_fit(output, push_to_hub)
            return
        data = _load(recipe, data_dir)
        checkpoint = Checkpoint(output, recipe, data.train.images)
        if checkpoint.exists() and not resume:
            raise UsageError(
                f"{checkpoint.path} is left of an unfinished run: add --resume to go on with it, or remove it."
            )
        evaluation = run_one(recipe, model, data, output, checkpoint)
        if evaluation is not None:
            print(evaluation.to_json())
            _push_after_fit(output, push_to_hub)


def _push_after_fit(folder: Path, repo_id: str | None) -> None:
    """Publish what `fit` made; the model is safe in its folder whatever happens here."""
    if repo_id is None:
        return
    try:
        _say(push(folder, repo_id))
    except HubError as error:
        raise HubError(f"{error} The model is in {folder}; `push {folder} {repo_id}` publishes it.") from error


def _tuned(init: str | None, sparsity: str | None, knobs: dict[str, Any]) -> Recipe:
    """The recipe that measured best for what was asked: fresh, or going on from a model and its way of being sparse."""
    if init is None:
        return tuned(sparsity_from_config({"kind": sparsity or "l1"} | knobs))
    pretrained = SparseAutoencoder.from_pretrained(init)
    same_way = sparsity in (None, pretrained.sparsity.kind)
    way = asdict(pretrained.sparsity) | knobs if same_way else {"kind": sparsity} | knobs
    return going_on(tuned(sparsity_from_config(way)), init, pretrained)


def _is_finished(output: Path, recipe: Recipe, resume: bool) -> bool:
    """Whether a run to be resumed was done already; refuses an output on which it would fail after the training."""
    if resume and (output / CONFIG_NAME).is_file() and Record.read(output).recipe == recipe:
        _say(f"{output} is finished.")
        print(Record.read(output).evaluation.to_json())
        return True
    _check_output(output)
    return False


@app.command("zoo")
def zoo_command(
    output: Annotated[Path, typer.Option(help="Folder of the bundle.", show_default="bundled")] = ZOO,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Networks that are trained at a time.", show_default="one a core")
    ] = None,
    push_to: Annotated[
        str | None, typer.Option("--push", help="Publish the bundle as it is, instead.", metavar="OWNER")
    ] = None,
) -> None:
    """Train every bundled variant anew and replace it. One folder each; each is replaced whole when it is done.

    With --push nothing is trained: the bundle as it is goes to the Hub, one repo each, and into a Collection.
    """
    if push_to is not None:
        folders = [output / recipe.name for recipe in RECIPES]
        with tqdm(total=len(folders), desc="pushed", unit=" models") as bar:
            print(push_all(folders, push_to, lambda _: bar.update()))
        return
    data = _load(DEFAULT, BUNDLED)
    for recipe, figures in run_all(RECIPES, data, output, jobs or os.cpu_count() or 1):
        tqdm.write(
            f"{recipe.name}: bce {figures.bce:.4f}, fvu {figures.fvu:.4f}, "
            f"mean activation {figures.mean_activation:.4f}, effective l0 {figures.effective_l0:.0f}, "
            f"dead {figures.dead_fraction:.1%}",
            file=sys.stderr,
        )


@app.command("push")
def push_command(
    folder: Annotated[Path, typer.Argument(help="A folder that `fit` wrote.", metavar="DIR")],
    repo_id: Annotated[str, typer.Argument(help="The repo on the Hub; made if it is not there.", metavar="OWNER/NAME")],
    private: Annotated[bool, typer.Option("--private", help="Make a repo that only its owner sees.")] = False,
    branch: Annotated[str | None, typer.Option(help="A branch; made if it is not there.", show_default="main")] = None,
    create_pr: Annotated[bool, typer.Option("--create-pr", help="Open a pull request instead of committing.")] = False,
) -> None:
    """Publish a model and its card on the Hub. The login is the Hub's own: `hf auth login`, or HF_TOKEN."""
    print(push(folder, repo_id, private, branch, create_pr))


@app.command("evaluate")
def evaluate_command(
    model: Annotated[str, typer.Argument(help="A folder, or the id of a repo on the Hub.", metavar="FOLDER_OR_REPO")],
    dataset: DatasetOption = DEFAULT.dataset,
    data_dir: DataDirOption = BUNDLED,
) -> None:
    """Measure a model on the whole test split and print its figures as JSON, alone, on stdout."""
    _check_dataset(dataset)
    loaded = SparseAutoencoder.from_pretrained(model, map_location=str(_device()))
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
    loaded = SparseAutoencoder.from_pretrained(model, map_location=str(_device()))
    test = load_split(dataset, train=False, data_dir=data_dir)
    evaluation = evaluate(loaded, test.images, test.labels)
    with staged_folder(output) as stage:
        for name, figure in tqdm(
            draw_report(loaded, evaluation, test, class_names(dataset)), desc="pictures", unit=" pictures"
        ):
            for ending in ("png", "svg"):
                figure.savefig(stage / f"{name}.{ending}", dpi=150)


@app.command("benchmark")
def benchmark_command(
    quick: Annotated[
        bool, typer.Option("--quick", help="Extrapolate the lecture's side from part of an epoch.")
    ] = False,
) -> None:
    """Train the lecture's recipe and ours, both until they have its quality, and print what each took, as Markdown."""
    print(benchmark(quick))


@app.command("scaling")
def scaling_command(
    output: Annotated[
        Path, typer.Option(help="The picture, a PNG; replaced if it is there.", show_default="README's")
    ] = FIGURE,
) -> None:
    """Measure how the cost of training grows with images, latents and processes; print it and draw it."""
    if output.suffix != ".png":
        raise UsageError(f"The picture is a PNG; {output} does not end in .png.")
    scaling = measure_scaling()
    with staged_folder(output.parent) as stage:
        scaling_figure(scaling).savefig(stage / output.name, dpi=100)
    print(scaling_table(scaling))


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that somebody gave."""
    return {name: value for name, value in options.items() if value is not None}


def _load(recipe: Recipe, data_dir: Path) -> Data:
    train = load_split(recipe.dataset, train=True, data_dir=data_dir, limit=recipe.limit)
    return Data(train, load_split(recipe.dataset, train=False, data_dir=data_dir))


def _device(name: str | None = None) -> torch.device:
    """The device of a name; a GPU where there is one by default."""
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"There is no device {name!r} here: name cpu, or cuda where there is a GPU.") from error
    return device


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


SENTENCES = (
    UsageError,
    DataError,
    ModelLoadError,
    TrainingError,
    CheckpointError,
    RecordError,
    HubError,
    MachineError,
)


def main() -> None:
    """Run the command line. What a person can mend ends in one sentence and exit code 1."""
    try:
        app(prog_name="python -m training")
    except SENTENCES as error:
        _end(f"Error: {error}")
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        _end(f"Error: {error.strerror or error}{place}. Nothing was half-written.")
    except KeyboardInterrupt:
        _end("Stopped. Nothing was half-written; `fit` goes on where it was with --resume.")


def _end(sentence: str) -> None:
    """Leave with a sentence; of several processes only the first one says it."""
    sys.exit(sentence if os.environ.get("RANK", "0") == "0" else 1)
