"""The tour for researchers does what it says, as it stands (against a Hub on loopback)."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest
import torch
import typer
from typer.testing import CliRunner

from sae_model import SparseAutoencoder, keep_top_k
from space.app import main
from tests.command_line import run
from tests.loopback_hub import LoopbackHub
from training.data import DATASETS
from training.measure import evaluation

ROOT = Path(__file__).resolve().parents[1]
TOUR = (ROOT / "training" / "README.md").read_text(encoding="utf-8").partition("## Measured")[0]


@pytest.mark.slow
def test_the_tour_runs_from_its_first_line_to_its_last(
    hub: LoopbackHub, few_digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mnist = DATASETS["mnist"]
    monkeypatch.setitem(DATASETS, "mnist", replace(mnist, read=lambda _, half: mnist.read(few_digits, half)))
    monkeypatch.setattr(evaluation, "NOISE_LEVELS", (evaluation.SIGMA,))  # measured where this is not the subject
    monkeypatch.setattr(evaluation, "REFIT_MOST", evaluation.REFIT_STEPS)
    logged: dict[str, set[str]] = {}
    for name in ("wandb", "trackio", "torch.utils.tensorboard"):
        monkeypatch.setitem(sys.modules, name, stub(name, logged))
    launched: list[gr.Blocks] = []
    monkeypatch.setattr(gr.Blocks, "launch", lambda app, **_: launched.append(app))
    scope: dict[str, object] = {}
    printed = {}
    for language, code in re.findall(r"```(python|bash)\n(.*?)```", TOUR.replace("YOUR-NAME", "ada"), re.S):
        if language == "python":
            exec(code, scope)
            continue
        for line in code.strip().splitlines():
            command = line.split()
            if command[:2] == ["python", "space/app.py"]:
                page = typer.Typer()
                page.command()(main)
                assert CliRunner().invoke(page, command[2:]).exit_code == 0
                continue
            assert command[:3] == ["python", "-m", "training"]
            done = run(*command[3:])
            assert done.returncode == 0, done.stderr
            printed[line] = done.stdout
    assert len(launched) == 1
    assert len(logged) == 3
    assert all({"reconstruction_loss", "l0", "dead_fraction"} <= names for names in logged.values())
    assert torch.allclose(scope["classical"].dictionary, scope["W_dec"], atol=1e-6)
    assert_is_a_dictionary_of_the_features(scope["model"], scope["vectors"])
    assert_are_its_weights(scope["trained"], scope["weights"], scope["held_out"].float())
    assert {path.parent.name for path in Path("digits-sweep").glob("*/config.json")} == {"l1-0.3", "l1-3"}
    assert Path("digits-latents/latents.html").stat().st_size > 50_000
    assert hub.files("ada/shapes-model")["model.safetensors"] == Path("shapes-model/model.safetensors").read_bytes()
    assert torch.equal(scope["shapes"].dictionary, SparseAutoencoder.from_pretrained("shapes-model").dictionary)
    assert scope["top"].shape == (12, 1, 28, 28)
    assert scope["change"][0].abs().max() > 0.1
    for name in ("shapes", "feature"):
        assert {"history.svg", "class-maps.svg", "reconstructions.png"} <= {
            path.name for path in Path(f"{name}-figures").iterdir()
        }
        (evaluated,) = (out for line, out in printed.items() if f"evaluate {name}-model" in line)
        assert json.loads(evaluated) == json.loads(Path(f"{name}-model/evaluation.json").read_text())
        assert json.loads(evaluated)["fvu"] < 0.2
    assert (scope["purity"] > 0.5).sum() > 20


def stub(name: str, logged: dict[str, set[str]]) -> SimpleNamespace:
    """What stands for a program that logs; it notes what it is told."""

    def note(*told: object, step: int = 0) -> None:
        assert step or isinstance(told[-1], int)
        logged.setdefault(name, set()).update(told[0] if isinstance(told[0], dict) else {told[0]})

    writer = SimpleNamespace(add_scalar=note)
    return SimpleNamespace(init=lambda **_: None, log=note, SummaryWriter=lambda _: writer)


@torch.no_grad()
def assert_are_its_weights(model: SparseAutoencoder, weights: dict[str, torch.Tensor], rows: torch.Tensor) -> None:
    """A classical autoencoder with these weights does what the model does."""
    latents = keep_top_k(((rows - weights["b_dec"]) @ weights["W_enc"] + weights["b_enc"]).relu(), 10)
    assert torch.allclose(latents, model.encode(rows), atol=1e-4)
    assert torch.allclose(latents @ weights["W_dec"] + weights["b_dec"], model.decode(latents), atol=1e-4)
    assert torch.allclose(weights["W_dec"].norm(dim=1), model.scale)


def assert_is_a_dictionary_of_the_features(model: SparseAutoencoder, vectors: torch.Tensor) -> None:
    """Sums of few of its atoms are the features, far nearer than their mean is."""
    latents = model.encode(vectors).detach()
    bias = model.decode(torch.zeros(1, 512)).flatten().detach()
    rebuilt = bias + latents @ model.dictionary.flatten(1)
    centred = vectors - vectors.mean(0)
    lost = (vectors - rebuilt).square().sum() / centred.square().sum()
    assert lost < 0.12
    assert (latents != 0).float().sum(1).mean() < 75
    assert torch.linalg.matrix_rank(model.dictionary.flatten(1)) > 64
