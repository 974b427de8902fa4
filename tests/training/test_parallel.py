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
from tests.command_line import run
from training.fit import loop, parallel
from training.fit.bundled_recipes import LECTURE
from training.publish.record import Record

ROOT = Path(__file__).resolve().parents[2]
TINY = ("--limit", "257", "--epochs", "8", "--latent-dim", "40", "--seed", "3")
# Methods whose penalty or whose k looks at the whole batch: a mean of the processes' own would be another one.
METHODS = (("kl-neuron", "--target", "0.1"), ("topk", "--k", "9"))
# In bfloat16 the roundings of halved batches are large enough to hide a mistake.
IN_FULL_PRECISION = """
import training.fit.loop
from training.cli import main

training.fit.loop.has_fast_bfloat16 = lambda device: False
main()
"""


def fit_on_two(tmp_path: Path, *options: object) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "script.py"
    script.write_text(IN_FULL_PRECISION)
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.run(
        [sys.executable, *torchrun, script, "fit", *options],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS, ids=[method[0] for method in METHODS])
def test_two_processes_end_with_the_model_of_one(
    tmp_path: Path, few_digits: Path, method: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """257 images are one batch of 256 an epoch. Weights are stored in half precision, which keeps three digits."""
    options = ("--sparsity", *method, *TINY, "--data-dir", few_digits, "--output")
    monkeypatch.setattr(loop, "has_fast_bfloat16", lambda _: False)
    alone, together = run("fit", *options, tmp_path / "alone"), fit_on_two(tmp_path, *options, tmp_path / "together")
    assert alone.returncode == 0, alone.stderr
    assert together.returncode == 0, together.stderr
    one, two = (SparseAutoencoder.from_pretrained(tmp_path / name).state_dict() for name in ("alone", "together"))
    first = Record.read(tmp_path / "alone").recipe.new_model(torch.zeros(1, 1, 28, 28)).state_dict()
    for name, weights in one.items():
        # Of gradients that are about zero, Adam turns what rounding leaves into steps; hence norms.
        assert (two[name] - weights).norm() < 0.01 * (weights - first[name]).norm(), name
    metrics, again = json.loads(alone.stdout), json.loads(together.stdout)  # one JSON object: one process spoke
    assert again["bce"] == pytest.approx(metrics["bce"], rel=1e-3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone", "script.py", "together"]


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
    with pytest.raises(loop.TrainingError, match="trained by one process only"):
        next(loop.fit(model, images, LECTURE))
