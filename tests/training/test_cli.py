"""The command line as a person meets it: its two outputs, its exit code, and the files it leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sae_model import L1, SparseAutoencoder
from sae_model.storage import PARTIAL
from tests.command_line import assert_refused, run, succeeded
from tests.idx import write_idx
from training import cli
from training.cli import bundle_command
from training.data import Split, load_split
from training.fit.bundled_recipes import LECTURE, RECIPES
from training.fit.output import OutputError, check_empty, check_outside
from training.measure.evaluation import evaluate
from training.publish.record import Record

ROOT = Path(__file__).resolve().parents[2]
FILES = {"config.json", "model.safetensors", "README.md", "evaluation.json", "recipe.json", "reconstructions.webp"}
FILES |= {"history.json"}
QUICK = ("--limit", "500", "--epochs", "1", "--latent-dim", "40")
FIT = ("fit", "--sparsity", "l1", "--beta", "0.2", *QUICK)
Fitted = tuple[Path, subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory, few_digits: Path) -> Fitted:
    """A model, and the process that made it."""
    folder = tmp_path_factory.mktemp("fit") / "deep" / "model"
    command = [sys.executable, "-m", "training", *FIT, "--data-dir", few_digits, "--output", folder]
    return folder, subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300, check=False)


def test_fit_writes_all_it_promises_and_prints_the_metrics(fitted: Fitted) -> None:
    folder, done = fitted
    assert done.returncode == 0, done.stderr
    assert {path.name for path in folder.iterdir()} == FILES
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    assert json.loads(done.stdout) == json.loads((folder / "evaluation.json").read_text())
    model = SparseAutoencoder.from_pretrained(folder)
    assert (model.sparsity, model.latent_dim, model.architecture) == (L1(0.2), 40, "dictionary")
    recipe = json.loads((folder / "recipe.json").read_text())
    assert (recipe["limit"], recipe["epochs"], recipe["sparsity"]["beta"]) == (500, 1, 0.2)
    assert json.loads(done.stdout)["probe_error"].keys() == {"100", "all"}
    for word in ("l1-0.2", "rows/s", "bce", "penalty", "mean activation"):
        assert word in done.stderr


def test_the_size_and_the_length_of_a_step_are_those_that_were_asked_for(few_digits: Path, tmp_path: Path) -> None:
    asked = ("--batch-size", "50", "--learning-rate", "0.002", "--measure", "quick", "--threads", "1")
    done = succeeded(*FIT, *asked, "--data-dir", few_digits, "--output", tmp_path / "model")
    recipe = json.loads((tmp_path / "model" / "recipe.json").read_text())
    assert (recipe["batch_size"], recipe["learning_rate"]) == (50, 0.002)
    assert "10 steps: 1 epochs of 500 rows in batches of 50" in done.stderr
    assert json.loads(done.stdout)["probe_error"] == {}


SLEEP = """
import runpy, sys, torch
sys.argv = ["training", "--help"]
try:
    runpy.run_module("training", run_name="__main__")
except SystemExit:
    from training.fit.threads import THREADS_SLEEP
    print(THREADS_SLEEP)
"""


@pytest.mark.parametrize("torch_is_there", [False, True])
def test_threads_of_the_command_line_sleep_while_they_wait(torch_is_there: bool) -> None:
    """Also where torch was imported before the command line could say so, as with `python -m sae_model.training`."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    script = SLEEP if torch_is_there else SLEEP.replace(", torch", "")
    line = [sys.executable, "-c", script]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout.splitlines()[-1] == "True", done.stderr
    assert done.stdout.count("Train, measure and bundle") == 1


def test_a_card_names_no_folder_so_equal_runs_have_equal_cards(few_digits: Path, tmp_path: Path) -> None:
    quick = ("--limit", "300", "--epochs", "1", "--latent-dim", "30", "--measure", "quick", "--data-dir", few_digits)
    first, cards = tmp_path / "first", []
    succeeded("fit", *quick, "--output", first)
    for output in (tmp_path / "a", tmp_path / "deep" / "b"):
        succeeded("fit", *quick, "--init", first, "--output", output)
        cards.append((output / "README.md").read_text())
    assert cards[0] == cards[1]
    assert "Fine-tuned from first." in cards[0]
    assert str(tmp_path) not in cards[0] + (first / "README.md").read_text()


def test_evaluate_can_measure_on_the_validation_split(fitted: Fitted, few_digits: Path) -> None:
    folder, _ = fitted
    done = succeeded("evaluate", folder, "--split", "validation", "--data-dir", few_digits)
    train, validation = (load_split("mnist", part, few_digits) for part in ("train", "validation"))
    expected = evaluate(SparseAutoencoder.from_pretrained(folder), validation, train)
    assert json.loads(done.stdout) == json.loads(expected.to_json())
    assert json.loads(done.stdout)["fvu"] != json.loads((folder / "evaluation.json").read_text())["fvu"]
    assert run("evaluate", folder, "--split", "train").returncode == 2


def test_an_output_that_holds_something_or_is_below_a_file_is_left_alone(fitted: Fitted) -> None:
    folder, _ = fitted
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    below = folder / "README.md" / "model"
    for command in (("fit", *QUICK), ("report", folder)):
        assert_refused(run(*command, "--output", below), "is a file, so nothing can be written")
    assert_refused(run("fit", *QUICK, "--output", folder), "is not empty, and nothing is overwritten")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


WRONG = {
    "a hyperparameter": (("--beta", "-1"), "beta is a number of at least 0"),
    "no data folder": (("--data-dir", "no/such"), "There is no folder no/such"),
    "images too large for their data set": (("--image-size", "100000"), "mnist cannot be read"),
    "no model to fine-tune": (("--init", "no/such"), "'no/such' is not a folder here"),
    "no device": (("--device", "abacus"), "There is no device 'abacus' here"),
    "more latents than memory": (("--latent-dim", "999999999999"), "does not fit into this machine's memory"),
    "more latents than bytes": (("--latent-dim", "9" * 18), "does not fit into this machine's memory"),
    "more digits than a number has": (
        ("--latent-dim", "9" * 30),
        "latent_dim is a whole number of at least 1 and below 2^63; got 999",
    ),
    "epochs of many digits": (
        ("--epochs", "9" * 4000),
        "epochs is a whole number of at least 1 and below 2^63; got 999",
    ),
    "a k of many digits": (("--sparsity", "topk", "--k", "9" * 30), "k is at most the number of latents, 900"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_bad_input_ends_in_one_line_and_writes_nothing(wrong: str, tmp_path: Path) -> None:
    arguments, words = WRONG[wrong]
    place = tmp_path if "data" in wrong else tmp_path / "new"  # data are looked for by the run that holds the lock
    assert_refused(run("fit", "--output", place / "model", *arguments), words)
    assert list(tmp_path.iterdir()) == []


def test_a_model_of_other_images_cannot_be_measured_or_fine_tuned(tmp_path: Path, few_digits: Path) -> None:
    SparseAutoencoder(latent_dim=20, image_shape=(3, 16, 20)).save_pretrained(tmp_path / "other")
    for command in (("evaluate",), ("report", "--output", tmp_path / "figures")):
        name, *options = command
        assert_refused(run(name, tmp_path / "other", *options), "name the data with --dataset")
        done = run(name, tmp_path / "other", *options, "--dataset", "mnist", "--data-dir", few_digits)
        assert_refused(done, "cannot be measured on these data: Images come as (batch, 3, 16, 20)")
    done = run("fit", "--init", tmp_path / "other", "--architecture", "lecture", "--output", tmp_path / "next")
    assert_refused(done, "has the architecture dictionary: leave --architecture out")
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_the_lectures_network_is_trained_as_the_lecture_does(tmp_path: Path, few_digits: Path) -> None:
    folder = tmp_path / "model"
    options = ("--limit", "100", "--epochs", "1", "--measure", "quick", "--data-dir", few_digits)
    succeeded("fit", "--architecture", "lecture", *options, "--output", folder)
    recipe = Record.read(folder).recipe
    assert replace(recipe, limit=LECTURE.limit, epochs=LECTURE.epochs) == LECTURE
    model = SparseAutoencoder.from_pretrained(folder)
    assert (model.architecture, model.latent_dim) == ("lecture", 900)
    card = (folder / "README.md").read_text()
    assert "900 latents, the architecture `lecture`" in card
    assert "model.dictionary" not in card


def test_report_draws_every_figure_or_nothing(fitted: Fitted, few_digits: Path, tmp_path: Path) -> None:
    folder, _ = fitted
    succeeded("report", folder, "--data-dir", few_digits, "--output", tmp_path / "figures")
    charts = ("history", "activation-histograms", "activation-histograms-linear", "cost-of-a-rate", "frontier")
    figures = {f"{name}.{ending}" for name in (*charts, "reconstructions", "class-maps") for ending in ("png", "svg")}
    assert {path.name for path in (tmp_path / "figures").iterdir()} == figures
    assert_refused(run("report", folder, "--output", tmp_path / "figures"), "nothing is overwritten")
    assert_refused(run("report", tmp_path / "none", "--output", tmp_path / "more"), "is not a folder here")
    assert not (tmp_path / "more").exists()


def test_data_on_which_nothing_can_be_measured_are_refused_before_the_training(tmp_path: Path) -> None:
    np.savez(tmp_path / "grey.npz", images=np.full((200, 1, 8, 8), 7, np.uint8))
    done = run("fit", "--dataset", tmp_path / "grey.npz", "--output", tmp_path / "model")
    assert "Error: The test images of grey are all alike" in done.stderr.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["grey.npz"]


def test_an_output_inside_the_data_set_is_refused(tmp_path: Path) -> None:
    SparseAutoencoder(20).save_pretrained(tmp_path / "model")
    for command in (("fit",), ("report", tmp_path / "model")):
        done = run(*command, "--dataset", tmp_path, "--output", tmp_path / "within" / "model")
        assert_refused(done, f"lies in the data set {tmp_path}, and would become a part of it")
    (tmp_path / "link").symlink_to(tmp_path / "model")
    with pytest.raises(OutputError, match="lies in the data set"):
        check_outside(tmp_path / "link" / "new", str(tmp_path / "model"))


def test_what_a_killed_run_left_in_its_output_is_not_in_the_way(tmp_path: Path) -> None:
    (tmp_path / PARTIAL).mkdir()
    check_empty(tmp_path)  # or an error
    (tmp_path / "note.txt").touch()
    with pytest.raises(OutputError, match="is not empty"):
        check_empty(tmp_path)


def test_a_model_that_makes_no_numbers_cannot_be_measured(tmp_path: Path, few_digits: Path) -> None:
    for output, shape in (("sigmoid", (1, 28, 28)), ("linear", (1, 28, 28))):
        model = SparseAutoencoder(20, image_shape=shape, output=output)
        model.network.log_step.data.fill_(1000.0)
        model.save_pretrained(tmp_path / output)
        done = run("evaluate", tmp_path / output, "--data-dir", few_digits)
        assert_refused(done, "This model")


def test_of_several_processes_the_first_alone_tells_and_pushes_what_was_finished(
    tmp_path: Path, few_digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = ("fit", "--limit", "100", "--epochs", "1", "--latent-dim", "20", "--data-dir", few_digits, "--resume")
    succeeded(*quick, "--output", tmp_path / "model")
    pushed: list[object] = []
    monkeypatch.setattr(cli, "push", lambda *arguments: pushed.append(arguments) or "somewhere")
    monkeypatch.setattr(cli, "check_login", lambda _: None)
    for rank, told in ((1, 0), (0, 1)):
        monkeypatch.setattr(cli.parallel, "rank", lambda rank=rank: rank)
        done = succeeded(*quick, "--output", tmp_path / "model", "--push-to-hub", "ada/model")
        assert (len(pushed), done.stdout.count('"fvu"')) == (told, told)


def test_too_few_images_of_a_named_data_set_are_refused(tmp_path: Path, training_digits: Split) -> None:
    for half, count in (("train", 200), ("t10k", 5)):
        images = training_digits.images[:count].squeeze(1).numpy()
        write_idx(tmp_path / "MNIST" / "raw", half, images, training_digits.labels[:count].numpy())
    done = run("fit", "--data-dir", tmp_path, "--output", tmp_path / "model")
    assert_refused(done, "MNIST has 5 images in the test half: it takes 100 to train on and 12 to measure on.")


def test_latents_that_only_large_images_make_too_many_are_refused(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (130, 3, 256, 256), np.uint8)
    np.savez(tmp_path / "large.npz", images=images)
    done = run("fit", "--dataset", tmp_path / "large.npz", "--latent-dim", "1000000", "--output", tmp_path / "model")
    assert "does not fit into this machine's memory" in done.stderr.splitlines()[-1]


def test_the_bundle_is_trained_whole_or_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr("training.cli.load_data", lambda *_: None)
    monkeypatch.setattr("training.cli.run_all", lambda recipes, *_: asked.append([one.name for one in recipes]) or [])
    bundle_command(output=tmp_path / "bundle")
    bundle_command(["topk-25", "l1-1"], output=tmp_path / "bundle")
    assert asked == [[recipe.name for recipe in RECIPES], ["topk-25", "l1-1"]]
    assert_refused(run("bundle", "l1-2"), "No variant is called 'l1-2'. The nearest ones: l1-")
