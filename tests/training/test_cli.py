"""The command line as a person meets it: its two outputs, its exit code, and the files it leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from sae_model import L1, AdaptiveTopK, SparseAutoencoder
from sae_model.methods import METHODS
from tests.command_line import assert_refused, run
from tests.idx import write_idx
from training import cli
from training.data import BUNDLED, Split, load_split
from training.fit.bundle import LECTURE
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


def test_fit_shows_how_far_it_is(fitted: Fitted) -> None:
    for word in ("l1-0.2", "images/s", "bce", "penalty", "mean activation"):
        assert word in fitted[1].stderr


def test_the_size_and_the_length_of_a_step_are_those_that_were_asked_for(few_digits: Path, tmp_path: Path) -> None:
    asked = ("--batch-size", "50", "--learning-rate", "0.002", "--measure", "quick", "--threads", "1")
    done = run(*FIT, *asked, "--data-dir", few_digits, "--output", tmp_path / "model")
    assert done.returncode == 0, done.stderr
    recipe = json.loads((tmp_path / "model" / "recipe.json").read_text())
    assert (recipe["batch_size"], recipe["learning_rate"]) == (50, 0.002)
    assert "10 steps: 1 epochs of 500 images in batches of 50" in done.stderr
    assert json.loads(done.stdout)["probe_error"] == {}
    for wrong, words in (
        (("--learning-rate", "0"), "learning_rate is above 0"),
        (("--batch-size", "0"), "batch_size is"),
    ):
        assert_refused(run(*FIT, *wrong, "--output", tmp_path / "other"), words)


SLEEP = """
import runpy, sys, torch
sys.argv = ["training", "--help"]
try:
    runpy.run_module("training", run_name="__main__")
except SystemExit:
    from training.fit.threads import THEY_SLEEP
    print(THEY_SLEEP)
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


def test_the_card_holds_the_metrics_and_loads_as_it_says(fitted: Fitted) -> None:
    folder, _ = fitted
    card = (folder / "README.md").read_text()
    metrics = json.loads((folder / "evaluation.json").read_text())
    for name in ("bce", "fvu", "effective_l0", "probe_error` 100", "probe_error` all"):
        assert f"`{name}" in card
    assert f"{metrics['bce']:.4f}" in card
    assert f"{metrics['probe_error']['all']:.1%}" in card
    assert "Sparsity method: L1 penalty (beta = 0.2)." in card
    assert "images of 1 x 28 x 28 pixels: 40 latents, a linear dictionary" in card
    assert "`model.dictionary` holds its atoms" in card
    snippet = card.partition("```python")[2].partition("```")[0]
    assert 'from_pretrained("l1-0.2")' in snippet
    scope: dict[str, torch.Tensor] = {}
    exec(snippet.replace("l1-0.2", str(folder)), scope)
    assert scope["reconstruction"].shape == (8, 1, 28, 28)


def test_a_card_names_no_folder_so_equal_runs_have_equal_cards(few_digits: Path, tmp_path: Path) -> None:
    quick = ("--limit", "300", "--epochs", "1", "--latent-dim", "30", "--data-dir", few_digits)
    first, cards = tmp_path / "first", []
    assert run("fit", *quick, "--output", first).returncode == 0
    for output in (tmp_path / "a", tmp_path / "deep" / "b"):
        assert run("fit", *quick, "--init", first, "--output", output).returncode == 0
        cards.append((output / "README.md").read_text())
    assert cards[0] == cards[1]
    assert "Fine-tuned from first." in cards[0]
    assert str(tmp_path) not in cards[0] + (first / "README.md").read_text()


def test_evaluate_prints_the_same_metrics_alone(fitted: Fitted, few_digits: Path) -> None:
    folder, _ = fitted
    done = run("evaluate", folder, "--data-dir", few_digits)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((folder / "evaluation.json").read_text())


def test_evaluate_can_measure_on_the_validation_split(fitted: Fitted, few_digits: Path) -> None:
    folder, _ = fitted
    done = run("evaluate", folder, "--split", "validation", "--data-dir", few_digits)
    assert done.returncode == 0, done.stderr
    train, validation = (load_split("mnist", part, few_digits) for part in ("train", "validation"))
    expected = evaluate(SparseAutoencoder.from_pretrained(folder), validation, train)
    assert json.loads(done.stdout) == json.loads(expected.to_json())
    assert json.loads(done.stdout)["fvu"] != json.loads((folder / "evaluation.json").read_text())["fvu"]
    assert_refused(run("evaluate", folder, "--split", "train"), "on the test or the validation split; got 'train'")


def test_the_same_command_gives_the_same_weights(fitted: Fitted, few_digits: Path, tmp_path: Path) -> None:
    folder, _ = fitted
    assert run(*FIT, "--data-dir", few_digits, "--output", tmp_path / "again").returncode == 0
    again = tmp_path / "again" / "model.safetensors"
    assert again.read_bytes() == (folder / "model.safetensors").read_bytes()


def test_an_output_that_holds_something_is_left_alone(fitted: Fitted) -> None:
    folder, _ = fitted
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert_refused(run("fit", *QUICK, "--output", folder), "is not empty, and nothing is overwritten")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_every_hyperparameter_of_every_method_is_an_option() -> None:
    told = run("fit", "--help").stdout
    for option in ("--beta", "--target", "--k", "--sparsity", "--architecture", "--latent-dim", "--noise"):
        assert option in told
    for kind in METHODS:
        assert kind in told


WRONG = {
    "unknown method": (("--sparsity", "l7"), "Unknown sparsity method: 'l7'"),
    "negative beta": (("--beta", "-1"), "beta is a number of at least 0"),
    "target for l1": (("--sparsity", "l1", "--target", "0.1"), "'l1' has no hyperparameter 'target'"),
    "target that is no rate": (("--sparsity", "kl-image", "--target", "1.5"), "A target rate lies between 0 and 1"),
    "k of nothing": (("--sparsity", "topk", "--k", "0"), "k is a whole number of at least 1"),
    "k above the latents": (("--sparsity", "topk", "--k", "901"), "k is at most the number of latents, 900"),
    "no latents": (("--latent-dim", "0"), "latent_dim is a whole number of at least 1"),
    "beta for no sparsity": (("--sparsity", "none", "--beta", "1"), "'none' has no hyperparameter 'beta'"),
    "no epochs": (("--epochs", "0"), "epochs is a whole number of at least 1"),
    "no images": (("--limit", "0"), "limit is a whole number of at least 1"),
    "negative noise": (("--noise", "-1"), "noise is a number of at least 0"),
    "unknown architecture": (("--architecture", "deep"), "Unknown architecture: 'deep'. Known ones: dictionary, lect"),
    "unknown data set": (("--dataset", "cifar"), "Unknown data set 'cifar'"),
    "no data folder": (("--data-dir", "no/such"), "There is no folder no/such"),
    "no device": (("--device", "abacus"), "There is no device 'abacus' here"),
    "device without numbers": (("--device", "meta"), "There is no device 'meta' here"),
    "more latents than memory": (("--latent-dim", "999999999999"), "does not fit into this machine's memory"),
    "more latents than bytes": (("--latent-dim", "9" * 18), "does not fit into this machine's memory"),
    "more digits than a number has": (("--latent-dim", "9" * 30), "--latent-dim has at most 18 digits"),
    "seed of many digits": (("--seed", "9" * 30), "--seed has at most 18 digits"),
    "negative seed": (("--seed", "-1"), "seed is a whole number of at least 0"),
    "epochs of many digits": (("--epochs", "9" * 4000), "--epochs has at most 18 digits"),
    "k of many digits": (("--sparsity", "topk", "--k", "9" * 30), "--k has at most 18 digits"),
    "beta without end": (("--beta", "inf"), "beta is a number of at least 0"),
    "no model to fine-tune": (("--init", "no/such"), "'no/such' is no folder here"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_bad_input_ends_in_one_line_and_writes_nothing(wrong: str, tmp_path: Path) -> None:
    arguments, words = WRONG[wrong]
    place = tmp_path if "data" in wrong else tmp_path / "new"  # data are looked for by the run that holds the lock
    assert_refused(run("fit", *arguments, "--output", place / "model"), words)
    assert list(tmp_path.iterdir()) == []


def test_evaluating_what_is_no_model_ends_in_one_line(tmp_path: Path) -> None:
    assert_refused(run("evaluate", tmp_path), "has no config.json")
    assert_refused(run("evaluate", tmp_path / "nothing"), "is no folder here, and on the Hub it cannot be: an id")


def test_a_model_of_other_images_cannot_be_measured_or_fine_tuned(tmp_path: Path, few_digits: Path) -> None:
    SparseAutoencoder(latent_dim=20, image_shape=(3, 16, 20)).save_pretrained(tmp_path / "other")
    for command in (("evaluate",), ("report", "--output", tmp_path / "figures")):
        name, *options = command
        done = run(name, tmp_path / "other", *options, "--data-dir", few_digits)
        assert_refused(done, "cannot be measured on these images: Images come as (batch, 3, 16, 20)")
    done = run("fit", "--init", tmp_path / "other", "--data-dir", few_digits, "--output", tmp_path / "next")
    assert_refused(done, "has the image_shape (3, 16, 20), so it cannot be fine-tuned with (1, 28, 28)")
    done = run("fit", "--init", tmp_path / "other", "--architecture", "lecture", "--output", tmp_path / "next")
    assert_refused(done, "has the architecture dictionary: leave --architecture out")
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_a_data_folder_with_a_damaged_file_ends_in_one_line(tmp_path: Path) -> None:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for path in (BUNDLED / "MNIST" / "raw").glob("*.gz"):
        (raw / path.name).write_bytes(path.read_bytes()[:5000])
    done = run("fit", "--data-dir", tmp_path, "--output", tmp_path / "model")
    assert_refused(done, "train-images-idx3-ubyte.gz is not a whole IDX file")
    assert not (tmp_path / "model").exists()


def test_an_output_below_a_file_ends_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    assert_refused(run("fit", *QUICK, "--output", tmp_path / "file" / "model"), "is a file, so no model can be written")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_model_for_every_k_is_saved_with_its_metrics_at_several_k(tmp_path: Path, few_digits: Path) -> None:
    folder = tmp_path / "model"
    done = run("fit", "--sparsity", "adaptive-topk", "--k", "20", *QUICK, "--data-dir", few_digits, "--output", folder)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in folder.iterdir()} == FILES | {"evaluation_by_k.json"}
    by_k = json.loads((folder / "evaluation_by_k.json").read_text())
    assert list(by_k) == [str(k) for k in AdaptiveTopK.measured_at["k"] if k <= 40]
    assert all(metrics["l0"] <= int(k) for k, metrics in by_k.items())
    assert json.loads((folder / "evaluation.json").read_text())["l0"] <= 20


def test_the_lectures_network_is_trained_as_the_lecture_does(tmp_path: Path, few_digits: Path) -> None:
    folder = tmp_path / "model"
    options = ("--limit", "100", "--epochs", "1", "--data-dir", few_digits)
    done = run("fit", "--architecture", "lecture", *options, "--output", folder)
    assert done.returncode == 0, done.stderr
    recipe = Record.read(folder).recipe
    assert (recipe.name, recipe.family, recipe.sparsity) == ("lecture", "lecture", L1(0.01))
    assert (recipe.batch_size, recipe.learning_rate, recipe.seed) == (64, 1e-4, 42)
    assert recipe.bfloat16 == LECTURE.bfloat16 is False
    model = SparseAutoencoder.from_pretrained(folder)
    assert (model.architecture, model.latent_dim) == ("lecture", 900)
    card = (folder / "README.md").read_text()
    assert "900 latents, the network of a lecture" in card
    assert "model.dictionary" not in card


def test_report_draws_every_figure_or_nothing(fitted: Fitted, few_digits: Path, tmp_path: Path) -> None:
    folder, _ = fitted
    done = run("report", folder, "--data-dir", few_digits, "--output", tmp_path / "figures")
    assert done.returncode == 0, done.stderr
    charts = ("history", "activation-histograms", "activation-histograms-linear", "cost-of-a-rate", "frontier")
    images = {f"{name}.{ending}" for name in ("reconstructions", "class-maps") for ending in ("png", "svg")}
    assert {path.name for path in (tmp_path / "figures").iterdir()} == images | {f"{name}.svg" for name in charts}
    assert_refused(run("report", folder, "--output", tmp_path / "figures"), "nothing is overwritten")
    assert_refused(run("report", tmp_path / "none", "--output", tmp_path / "more"), "is no folder here")
    assert not (tmp_path / "more").exists()


def test_data_on_which_nothing_can_be_measured_are_refused_before_the_training(tmp_path: Path) -> None:
    np.savez(tmp_path / "grey.npz", images=np.full((200, 1, 8, 8), 7, np.uint8))
    done = run("fit", "--dataset", tmp_path / "grey.npz", "--output", tmp_path / "model")
    assert "Error: The test images of grey are all alike" in done.stderr.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["grey.npz"]


def test_an_output_inside_the_data_set_is_refused(tmp_path: Path) -> None:
    for command in (("fit",), ("report", tmp_path)):
        done = run(*command, "--dataset", tmp_path, "--output", tmp_path / "within" / "model")
        assert_refused(done, f"lies in the data set {tmp_path}, and would become a part of it")


def test_a_name_without_room_for_its_checkpoint_is_refused(tmp_path: Path) -> None:
    assert_refused(run("fit", "--output", tmp_path / ("ы" * 120)), "is too long for the files beside it")


def test_a_device_that_torch_only_knows_by_name_is_refused(tmp_path: Path) -> None:
    assert_refused(run("fit", "--device", "hpu", "--output", tmp_path / "model"), "There is no device 'hpu' here")


def test_a_model_that_makes_no_numbers_cannot_be_measured(tmp_path: Path, few_digits: Path) -> None:
    for output, shape in (("sigmoid", (1, 28, 28)), ("linear", (1, 28, 28))):
        model = SparseAutoencoder(20, image_shape=shape, output=output)
        model.network.log_step.data.fill_(1000.0)
        model.save_pretrained(tmp_path / output)
        done = run("evaluate", tmp_path / output, "--data-dir", few_digits)
        assert_refused(done, "This model")


def test_vectors_far_from_0_are_fitted_and_measured(tmp_path: Path) -> None:
    values = 1e6 + 100 * np.random.default_rng(0).standard_normal((300, 16, 1, 1))
    np.savez(tmp_path / "far.npz", images=values.astype(np.float32), labels=np.arange(300) % 3)
    quick = ("--loss", "mse", "--latent-dim", "40", "--epochs", "30", "--beta", "0.1")
    done = run("fit", "--dataset", tmp_path / "far.npz", *quick, "--output", tmp_path / "model")
    assert json.loads(done.stdout)["fvu"] < 0.9
    assert run("evaluate", tmp_path / "model", "--dataset", tmp_path / "far.npz").returncode == 0


def test_of_several_processes_the_first_alone_tells_and_pushes_what_was_finished(
    tmp_path: Path, few_digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = ("fit", "--limit", "100", "--epochs", "1", "--latent-dim", "20", "--data-dir", few_digits, "--resume")
    assert run(*quick, "--output", tmp_path / "model").returncode == 0
    pushed: list[object] = []
    monkeypatch.setattr(cli, "push", lambda *arguments: pushed.append(arguments) or "somewhere")
    monkeypatch.setattr(cli, "check_login", lambda _: None)
    for rank, told in ((1, 0), (0, 1)):
        monkeypatch.setattr(cli.parallel, "rank", lambda rank=rank: rank)
        done = run(*quick, "--output", tmp_path / "model", "--push-to-hub", "ada/model")
        assert done.returncode == 0
        assert (len(pushed), done.stdout.count('"fvu"')) == (told, told)


def test_too_few_images_of_a_named_data_set_are_refused(tmp_path: Path, training_digits: Split) -> None:
    for half, count in (("train", 200), ("t10k", 5)):
        images = training_digits.images[:count].squeeze(1).numpy()
        write_idx(tmp_path / "MNIST" / "raw", half, images, training_digits.labels[:count].numpy())
    done = run("fit", "--data-dir", tmp_path, "--output", tmp_path / "model")
    assert_refused(done, "MNIST has 5 images in the test half: it takes 100 to train on and 12 to measure on.")


def test_what_does_not_fit_into_the_memory_is_refused(tmp_path: Path) -> None:
    assert_refused(run("fit", "--image-size", "100000", "--output", tmp_path / "model"), "mnist cannot be read")
    images = np.random.default_rng(0).integers(0, 256, (130, 3, 256, 256), np.uint8)
    np.savez(tmp_path / "large.npz", images=images)
    done = run("fit", "--dataset", tmp_path / "large.npz", "--latent-dim", "1000000", "--output", tmp_path / "model")
    assert "does not fit into this machine's memory" in done.stderr.splitlines()[-1]
