"""A sweep trains every combination once, goes on where it was stopped, and tells them in one table and one chart."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sae_model import L1, SparseAutoencoder
from sae_model.errors import UserError
from tests.command_line import assert_refused, run
from training.measure.evaluation import Evaluation
from training.sweep import spread

QUICK = ("--epochs", "1", "--latent-dim", "20", "--limit", "300")


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("sweep --beta 0.1 3 --output x", "sweep --beta 0.1 --beta 3 --output x"),
        ("sweep --output x --k 5 6 7 --seed 1 2", "sweep --output x --k 5 --k 6 --k 7 --seed 1 --seed 2"),
        ("sweep --beta -1 2", "sweep --beta -1 --beta 2"),
        ("sweep --target=0.1", "sweep --target=0.1"),
        ("fit --beta 1 2", "fit --beta 1 2"),
        ("", ""),
    ],
)
def test_an_option_of_a_sweep_takes_several_values(given: str, read: str) -> None:
    assert spread(given.split()) == read.split()


def test_a_sweep_trains_each_tells_all_and_goes_on_where_it_was_stopped(
    few_digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("sweep", "--sparsity", "l1", "--beta", "0.1", "10", "--seed", "0", "1", *QUICK)
    where = ("--data-dir", few_digits, "--output", tmp_path / "sweep")
    monkeypatch.setattr("training.sweep.run_one", stopped_after(2))
    assert "stopped" in run(*command, *where).stderr
    first = {path: path.stat().st_mtime_ns for path in (tmp_path / "sweep").glob("*/model.safetensors")}
    assert len(first) == 2
    monkeypatch.undo()
    done = run(*command, *where)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("is finished") == 2
    folders = {path.parent.name for path in (tmp_path / "sweep").glob("*/config.json")}
    assert folders == {f"l1-{beta}-seed-{seed}" for beta in ("0.1", "10") for seed in (0, 1)}
    assert all(path.stat().st_mtime_ns == when for path, when in first.items())
    head, _, *rows = done.stdout.strip().splitlines()
    assert head.startswith("| model | fvu |")
    assert {row.split("|")[1].strip() for row in rows} == folders
    carried = [float(row.split("|")[4]) for row in rows]
    assert carried == sorted(carried)
    for row in rows:
        name, fvu = (cell.strip() for cell in row.split("|")[1:3])
        assert f"{Evaluation.read(tmp_path / 'sweep' / name / 'evaluation.json').fvu:.4f}" == fvu
        assert SparseAutoencoder.from_pretrained(tmp_path / "sweep" / name).sparsity == L1(float(name.split("-")[1]))
    chart = (tmp_path / "sweep" / "frontier.svg").read_text()
    assert len(re.findall(r'<g class="point', chart)) >= 4
    recipe = json.loads((tmp_path / "sweep" / "l1-10-seed-1" / "recipe.json").read_text())
    assert (recipe["seed"], recipe["limit"]) == (1, 300)
    other = run("sweep", "--sparsity", "l1", "--beta", "0.1", "10", "--seed", "0", "1", *QUICK, "--epochs", "2", *where)
    assert other.returncode == 1
    assert "holds a model of another recipe" in other.stderr


def stopped_after(count: int) -> object:
    from training.runs import run_one

    calls: list[int] = []

    def run_or_stop(*arguments: object) -> Evaluation:
        calls.append(1)
        if len(calls) > count:
            raise UserError("stopped")
        return run_one(*arguments)

    return run_or_stop


def test_a_sweep_that_cannot_be_is_refused_at_once(tmp_path: Path) -> None:
    for options, words in (
        (("--sparsity", "topk", "--k", "5", "0"), "k is a whole number of at least 1; got 0"),
        (("--sparsity", "l1", "--k", "5"), "'l1' has no hyperparameter 'k'"),
        (("--sparsity", "l2", "--beta", "1"), "Unknown sparsity method: 'l2'"),
    ):
        assert_refused(run("sweep", *options, "--output", tmp_path / "sweep"), words)
    assert not (tmp_path / "sweep").exists()
