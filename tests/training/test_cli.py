"""The command line as a person meets it: a process, its two outputs, its exit code, and the files it leaves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sae_model import L1, SparseAutoencoder
from training.data import BUNDLED
from training.zoo import STOPS_OF_EVERY_K

ROOT = Path(__file__).resolve().parents[2]
FILES = {"config.json", "model.safetensors", "README.md", "evaluation.json", "recipe.json", "reconstructions.webp"}
QUICK = ("--limit", "500", "--epochs", "1")


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "training", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300, check=False)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("fit") / "deep" / "model"
    return folder, run("fit", "--sparsity", "l1", "--beta", "0.2", *QUICK, "--output", folder)


def test_fit_writes_all_it_promises_and_prints_the_figures(
    fitted: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = fitted
    assert done.returncode == 0, done.stderr
    assert {path.name for path in folder.iterdir()} == FILES
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    assert json.loads(done.stdout) == json.loads((folder / "evaluation.json").read_text())
    model = SparseAutoencoder.from_pretrained(folder)
    assert model.sparsity == L1(0.2)
    recipe = json.loads((folder / "recipe.json").read_text())
    assert (recipe["limit"], recipe["epochs"], recipe["sparsity"]["beta"]) == (500, 1, 0.2)


def test_fit_shows_how_far_it_is(fitted: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    for word in ("l1-0.2", "images/s", "bce", "penalty", "mean activation"):
        assert word in fitted[1].stderr


def test_the_card_holds_the_figures_and_loads_as_it_says(
    fitted: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, _ = fitted
    card = (folder / "README.md").read_text()
    figures = json.loads((folder / "evaluation.json").read_text())
    for name in ("bce", "fvu", "effective_l0"):
        assert f"`{name}`" in card
    assert f"{figures['bce']:.4f}" in card
    snippet = card.partition("```python")[2].partition("```")[0]
    assert f'from_pretrained("{folder}")' in snippet
    scope: dict[str, torch.Tensor] = {}
    exec(snippet, scope)
    assert scope["reconstruction"].shape == (8, 1, 28, 28)


def test_evaluate_prints_the_same_figures_alone(fitted: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = fitted
    done = run("evaluate", folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((folder / "evaluation.json").read_text())


def test_the_same_command_gives_the_same_weights(
    fitted: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    folder, _ = fitted
    assert run("fit", "--sparsity", "l1", "--beta", "0.2", *QUICK, "--output", tmp_path / "again").returncode == 0
    again = tmp_path / "again" / "model.safetensors"
    assert again.read_bytes() == (folder / "model.safetensors").read_bytes()


def test_an_output_that_holds_something_is_left_alone(fitted: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = fitted
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    done = run("fit", *QUICK, "--output", folder)
    assert_one_sentence(done, "is not empty, and nothing is overwritten")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def assert_one_sentence(done: subprocess.CompletedProcess[str], words: str) -> None:
    assert done.returncode != 0
    assert done.stdout == ""
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.strip().count("\n") == 0


WRONG = {
    "unknown way": (("fit", "--sparsity", "l7"), "Unknown way of being sparse: 'l7'"),
    "negative beta": (("fit", "--beta", "-1"), "beta is a number of at least 0"),
    "target for l1": (("fit", "--sparsity", "l1", "--target", "0.1"), "'l1' has no knob 'target'"),
    "target that is no rate": (
        ("fit", "--sparsity", "kl-image", "--target", "1.5"),
        "A target rate lies between 0 and 1",
    ),
    "k of nothing": (("fit", "--sparsity", "topk", "--k", "0"), "k is a whole number of at least 1"),
    "k above the latents": (("fit", "--sparsity", "topk", "--k", "901"), "k is at most the number of latents, 900"),
    "no hidden layer": (("fit", "--hidden-dim", "0"), "hidden_dim is a whole number of at least 1"),
    "beta for no sparsity": (("fit", "--sparsity", "none", "--beta", "1"), "'none' has no knob 'beta'"),
    "no epochs": (("fit", "--epochs", "0"), "epochs is at least 1"),
    "no images": (("fit", "--limit", "0"), "limit is at least 1"),
    "unknown data set": (("fit", "--dataset", "cifar"), "Unknown data set 'cifar'"),
    "no data folder": (("fit", "--data-dir", "no/such"), "There is no folder no/such"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_nonsense_ends_in_one_sentence_and_writes_nothing(wrong: str, tmp_path: Path) -> None:
    arguments, words = WRONG[wrong]
    done = run(*arguments, "--output", tmp_path / "model")
    assert_one_sentence(done, words)
    assert list(tmp_path.iterdir()) == []


def test_evaluating_what_is_no_model_ends_in_one_sentence(tmp_path: Path) -> None:
    assert_one_sentence(run("evaluate", tmp_path), "has no config.json")
    assert_one_sentence(run("evaluate", tmp_path / "nothing"), "neither a folder here nor a Hub id")


def test_a_data_folder_with_a_damaged_file_ends_in_one_sentence(tmp_path: Path) -> None:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for path in (BUNDLED / "MNIST" / "raw").glob("*.gz"):
        (raw / path.name).write_bytes(path.read_bytes()[:5000])
    done = run("fit", "--data-dir", tmp_path, "--output", tmp_path / "model")
    assert_one_sentence(done, "train-images-idx3-ubyte.gz is not a whole IDX file")
    assert not (tmp_path / "model").exists()


def test_an_output_below_a_file_ends_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    done = run("fit", *QUICK, "--output", tmp_path / "file" / "model")
    assert_one_sentence(done, "is a file, so no model can be written")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_network_for_every_k_is_saved_with_its_figures_at_several_k(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    done = run("fit", "--sparsity", "adaptive-topk", "--k", "20", "--hidden-dim", "32", *QUICK, "--output", folder)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in folder.iterdir()} == FILES | {"evaluation_by_k.json"}
    by_k = json.loads((folder / "evaluation_by_k.json").read_text())
    assert list(by_k) == [str(k) for k in STOPS_OF_EVERY_K]
    assert all(figures["l0"] <= int(k) for k, figures in by_k.items())
    assert json.loads((folder / "evaluation.json").read_text())["l0"] <= 20


def test_report_draws_every_picture_twice_or_nothing(
    fitted: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    folder, _ = fitted
    done = run("report", folder, "--output", tmp_path / "pictures")
    assert done.returncode == 0, done.stderr
    names = ("activation-histograms", "reconstructions", "class-maps", "cost-of-a-rate", "frontier")
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {
        f"{n}.{e}" for n in names for e in ("png", "svg")
    }
    assert_one_sentence(run("report", folder, "--output", tmp_path / "pictures"), "nothing is overwritten")
    assert_one_sentence(run("report", tmp_path / "none", "--output", tmp_path / "more"), "neither a folder here")
    assert not (tmp_path / "more").exists()
