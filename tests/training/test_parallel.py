"""Two processes learn what one learns, and only the first one writes and speaks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sae_model import SparseAutoencoder
from tests.command_line import run, succeeded
from training.fit import loop, parallel
from training.fit.bundled_recipes import LECTURE
from training.publish.record import Record

ROOT = Path(__file__).resolve().parents[2]
TINY = ("--limit", "257", "--epochs", "8", "--latent-dim", "40", "--seed", "3")
# Methods whose penalty or whose k looks at the whole batch: a mean of the processes' own would be another one.
METHODS = {"kl-neuron": ("--target", "0.1"), "topk": ("--k", "9")}
# In bfloat16 the roundings of halved batches are large enough to hide a mistake.
IN_FULL_PRECISION = """
import contextlib, json, sys
import torch
import training.fit.loop
from training.cli import main
from training.fit import parallel

training.fit.loop.has_fast_bfloat16 = lambda device: False
with parallel.joined(torch.device("cpu")):
    parallel.joined = contextlib.nullcontext  # once for all runs: processes that join again may wait for each other
    for line in json.loads(sys.argv[1]):
        sys.argv[1:] = line
        try:
            main()
        except SystemExit as done:
            assert not done.code
"""


def options_of(method: str, data_dir: Path, output: Path) -> list[str]:
    return ["fit", "--sparsity", method, *METHODS[method], *TINY, "--data-dir", str(data_dir), "--output", str(output)]


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory, few_digits: Path) -> tuple[Path, str]:
    """The folder in which two processes trained a model by each method, and what they printed."""
    folder = tmp_path_factory.mktemp("together")
    script = folder.with_name("script.py")
    script.write_text(IN_FULL_PRECISION)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, script, json.dumps([options_of(name, few_digits, folder / name) for name in METHODS])]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in folder.iterdir()) == sorted(METHODS)
    return folder, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_two_processes_end_with_the_model_of_one(
    tmp_path: Path, few_digits: Path, together: tuple[Path, str], method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """257 images are one batch of 256 an epoch. Weights are stored in half precision, which keeps three digits."""
    folder, printed = together
    monkeypatch.setattr(loop, "has_fast_bfloat16", lambda _: False)
    alone = succeeded(*options_of(method, few_digits, tmp_path / "alone"))
    one, two = (SparseAutoencoder.from_pretrained(made).state_dict() for made in (tmp_path / "alone", folder / method))
    first = Record.read(tmp_path / "alone").recipe.new_model(torch.zeros(1, 1, 28, 28)).state_dict()
    for name, weights in one.items():
        # Of gradients that are about zero, Adam turns what rounding leaves into steps; hence norms.
        assert (two[name] - weights).norm() < 0.01 * (weights - first[name]).norm(), name
    again = (folder / method / "evaluation.json").read_text()
    assert json.loads(again)["bce"] == pytest.approx(json.loads(alone.stdout)["bce"], rel=1e-3)
    assert printed.count(again.strip()) == printed.count('"bce"') // len(METHODS) == 1  # one process spoke


@pytest.mark.parametrize(("rank", "told"), [("0", 1), ("1", 0)])
def test_bad_input_is_told_by_the_first_process_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rank: str, told: int
) -> None:
    monkeypatch.setenv("RANK", rank)  # as torchrun does
    done = run("fit", "--beta", "-1", "--output", tmp_path / "model")
    assert done.returncode == 1
    assert done.stderr.count("Error: beta is a number of at least 0") == done.stderr.count("\n") == told
    assert not (tmp_path / "model").exists()


def test_batch_norm_is_trained_by_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks at the whole batch, and each process has a share of it."""
    model, images = LECTURE.new_model(torch.zeros(1, 1, 28, 28)), torch.rand(64, 1, 28, 28)
    monkeypatch.setattr(parallel, "count", lambda: 2)
    with pytest.raises(loop.TrainingError, match="only one process can train"):
        next(loop.fit(model, images, LECTURE))
