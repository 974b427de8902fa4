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

ROOT = Path(__file__).resolve().parents[2]
TINY = ("--limit", "505", "--epochs", "8", "--hidden-dim", "32", "--seed", "3")
# Ways whose penalty or whose k looks at the whole batch: a mean of the processes' own would be another one.
WAYS = (("kl-neuron", "--target", "0.1"), ("topk", "--k", "9"))
# In bfloat16 the roundings of halved batches are large enough to hide a mistake.
IN_FULL_PRECISION = """
import training.loop
from training.cli import main

training.loop.has_fast_bfloat16 = lambda device: False
main()
"""


def fit(output: Path, way: tuple[str, ...], processes: int) -> subprocess.CompletedProcess[str]:
    script = output.with_name("script.py")
    script.write_text(IN_FULL_PRECISION)
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command = [sys.executable, *(torchrun if processes > 1 else []), str(script), "fit", "--sparsity", *way, *TINY]
    return subprocess.run(
        [*command, "--output", str(output)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS, ids=[way[0] for way in WAYS])
def test_two_processes_end_with_the_model_of_one(tmp_path: Path, way: tuple[str, ...]) -> None:
    """505 images are one batch of 256 an epoch. Weights are stored in half precision, which keeps three digits."""
    alone, together = fit(tmp_path / "alone", way, 1), fit(tmp_path / "together", way, 2)
    assert alone.returncode == 0, alone.stderr
    assert together.returncode == 0, together.stderr
    one, two = (SparseAutoencoder.from_pretrained(tmp_path / name).state_dict() for name in ("alone", "together"))
    for name, weights in one.items():
        assert torch.allclose(two[name], weights, rtol=2e-3, atol=2e-4), (name, (two[name] - weights).abs().max())
    figures, again = json.loads(alone.stdout), json.loads(together.stdout)  # one JSON object: one process spoke
    assert again["bce"] == pytest.approx(figures["bce"], rel=1e-3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone", "script.py", "together"]


@pytest.mark.slow
def test_nonsense_is_one_sentence_from_many_processes_too(tmp_path: Path) -> None:
    done = fit(tmp_path / "model", ("l1", "--beta", "-1"), 2)
    assert done.returncode != 0
    assert done.stderr.count("Error: beta is a number of at least 0") == 1
    assert not (tmp_path / "model").exists()
