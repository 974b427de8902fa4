"""A sweep trains every combination once, goes on where it was stopped, and tells them in one table and one chart."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sae_model import L1, SparseAutoencoder
from sae_model.errors import UserError
from tests.command_line import assert_refused, run, succeeded
from training.measure.evaluation import Evaluation
from training.publish.record import Record
from training.runs import run_one
from training.sweep import frontier, spread

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


def stopped_after(count: int, call: Callable[..., Any], error: BaseException) -> Callable[..., Any]:
    """The same function, which raises this error from some call on."""
    left = iter(range(count))

    def call_or_stop(*arguments: object, **named: object) -> object:
        if next(left, None) is None:
            raise error
        return call(*arguments, **named)

    return call_or_stop


def test_a_sweep_trains_each_tells_all_and_goes_on_where_it_was_stopped(
    few_digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("sweep", "--sparsity", "l1", "--beta", "0.1", "10", "--seed", "0", "1", *QUICK)
    where = ("--data-dir", few_digits, "--output", tmp_path / "sweep")
    monkeypatch.setattr("training.sweep.run_one", stopped_after(2, run_one, UserError("stopped")))
    assert "stopped" in run(*command, *where).stderr
    first = {path: path.stat().st_mtime_ns for path in (tmp_path / "sweep").glob("*/model.safetensors")}
    assert len(first) == 2
    monkeypatch.undo()
    done = succeeded(*command, *where)
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
    best = min((float(row.split("|")[2]), row.split("|")[1].strip()) for row in rows)[1]
    assert f">{best}<" in chart
    records = {name: Record.read(tmp_path / "sweep" / name) for name in folders}
    drawn = frontier([(name, of.recipe, of.evaluation) for name, of in records.items()], "digits").axes[0].lines
    points = {tuple(at) for line in drawn if line.get_marker() != "None" for at in line.get_xydata()}
    assert points == {(max(of.evaluation.effective_l0, 1e-3), of.evaluation.fvu) for of in records.values()}
    recipe = json.loads((tmp_path / "sweep" / "l1-10-seed-1" / "recipe.json").read_text())
    assert (recipe["seed"], recipe["limit"]) == (1, 300)
    other = run("sweep", "--sparsity", "l1", "--beta", "0.1", "10", "--seed", "0", "1", *QUICK, "--epochs", "2", *where)
    assert other.returncode == 1
    assert "is not empty, and nothing is overwritten" in other.stderr


def test_a_sweep_that_cannot_be_is_refused_at_once(tmp_path: Path) -> None:
    done = run("sweep", "--sparsity", "topk", "--k", "5", "0", "--output", tmp_path / "sweep")
    assert_refused(done, "k is a whole number of at least 1; got 0")
    assert not (tmp_path / "sweep").exists()


def test_a_sweep_over_rows_from_which_nothing_can_be_learned_is_refused_in_one_line(tmp_path: Path) -> None:
    test = np.random.default_rng(0).normal(size=(20, 6))
    np.savez(tmp_path / "alike.npz", images=np.full((200, 6), 7.0), test_images=test)
    for command in ("sweep", "fit"):
        done = run(command, "--loss", "mse", "--dataset", tmp_path / "alike.npz", "--output", tmp_path / command)
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].endswith("are all alike, so there is nothing to learn.")
