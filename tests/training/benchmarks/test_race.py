"""The race runs, and its table is right and says what was not measured."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from sae_model import L1
from sae_model.bundle import BUNDLE
from tests.command_line import succeeded
from training.benchmarks import costs, race
from training.benchmarks.race import Side, describe, quality_of_lecture, reaches
from training.data import Split
from training.fit.recipe import Recipe
from training.measure.evaluation import Evaluation, metrics

LECTURES = Evaluation.read(BUNDLE / "lecture" / "evaluation.json")
AT_THE_BAR = replace(LECTURES, denoise_mse={}, effective_l0=900.0)
TOO_BLURRED = replace(AT_THE_BAR, bce=1.001 * LECTURES.bce)
OURS = Side(
    epochs=2,
    images=100_000,
    preparing=0.5,
    training=4.5,
    peak_bytes=123_400_000,
    evaluations=[AT_THE_BAR],
)
THEIRS = replace(OURS, preparing=0.1, training=249.9, evaluations=[TOO_BLURRED, AT_THE_BAR])


def rows(markdown: str) -> dict[str, list[str]]:
    cells = [line.strip("| ").split(" | ") for line in markdown.splitlines() if line.startswith("| ")]
    return {name.strip("*`"): [value.strip("*") for value in values] for name, *values in cells}


def test_the_table_says_what_each_side_took() -> None:
    told = rows(describe(THEIRS, OURS, load=0.1))
    assert told["seconds, end to end"] == ["250.0", "5.0"]
    assert told["times faster, end to end"] == ["1.0", "50.0"]
    assert told["images per second, in training"] == ["400", "22,222"]
    assert told["peak memory beyond the libraries', MB"] == ["123", "123"]
    assert told["bce"] == [f"{LECTURES.bce:.4f}"] * 2
    assert told["mean_activation"] == [f"{LECTURES.mean_activation:.3f}"] * 2
    assert told["the quality is reached"] == ["yes", "yes"]


def test_what_was_not_reached_and_not_measured_alone_is_said() -> None:
    table = describe(replace(THEIRS, evaluations=[TOO_BLURRED]), OURS, load=1.7)
    assert rows(table)["the quality is reached"] == ["no", "yes"]
    assert f"after epoch 1: bce {TOO_BLURRED.bce:.4f}" in table
    assert "extrapolated" not in table
    assert "Other programs kept 1.7 cores busy" in table


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a model no more is measured than the quality needs."""
    monkeypatch.setattr(race, "evaluate", lambda model, test: metrics(model, test.images, sigmas=()))


@pytest.mark.slow
def test_the_command_prints_both_tables_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """With short runs; whether ours reaches the quality is for the race itself to say."""
    monkeypatch.setattr(costs, "SIZES", ((200, 40),))
    monkeypatch.setattr(costs, "in_own_process", lambda work, *arguments: work(*arguments))
    monkeypatch.setattr(race, "OURS", Recipe(L1(0.1), limit=500, latent_dim=40, epochs=1))
    monkeypatch.setattr(race, "run_lecture", partial(race.run_lecture, measured=3, warm_up=1))
    monkeypatch.setattr(race, "in_own_process", lambda work, *arguments: work(*arguments))
    done = succeeded("benchmark", "--quick")
    assert rows(done.stdout)["the quality is reached"][0] == "not measured"
    assert rows(done.stdout)["the quality is reached"][1] in ("yes", "no")
    assert "extrapolated" in done.stdout
    assert "ours: 100%" in done.stderr
    assert "steps" not in done.stdout
    assert "| 200 | 40 | " in done.stdout


@pytest.mark.slow
def test_our_recipe_reaches_the_quality_of_the_lecture(digits: Split) -> None:
    (evaluation,) = race.run_ours(race.OURS, digits).evaluations
    assert reaches(evaluation, quality_of_lecture()), evaluation
