"""The race runs, and its table is right; when costs are measured, images are in memory once."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from sae_model import L1
from sae_model.bundle import BUNDLE
from tests.command_line import succeeded
from training.benchmarks import race
from training.benchmarks.race import Side, describe, in_own_process, measure_cost, reaches
from training.data import Split, load_split
from training.fit.recipe import Recipe
from training.measure.evaluation import Evaluation, metrics

LECTURES = Evaluation.read(BUNDLE / "lecture" / "evaluation.json")
AT_THE_BAR = replace(LECTURES, denoise_mse={}, effective_l0=900.0)
TOO_BLURRED = replace(AT_THE_BAR, bce=1.001 * LECTURES.bce)
OURS = Side(2, 100_000, preparing=0.5, training=4.5, peak_bytes=123_400_000, evaluations=[AT_THE_BAR])
THEIRS = replace(OURS, preparing=0.1, training=249.9, evaluations=[AT_THE_BAR, TOO_BLURRED])


def rows(markdown: str) -> dict[str, list[str]]:
    cells = [line.strip("| ").split(" | ") for line in markdown.splitlines() if line.startswith("| ")]
    return {name.strip("*`"): [value.strip("*") for value in values] for name, *values in cells}


def test_the_table_says_what_each_side_took_and_reached() -> None:
    table = describe(THEIRS, OURS, load=1.7)
    told = rows(table)
    assert told["seconds, end to end"] == ["250.0", "5.0"]
    assert told["times faster, end to end"] == ["1.0", "50.0"]
    assert told["images per second, in training"] == ["400", "22,222"]
    assert told["peak memory beyond the libraries', MB"] == ["123", "123"]
    assert told["bce"] == [f"{TOO_BLURRED.bce:.4f}", f"{LECTURES.bce:.4f}"]
    assert told["mean_activation"] == [f"{LECTURES.mean_activation:.3f}"] * 2
    assert told["the quality is reached"] == ["no", "yes"]
    assert f"after epoch 2: bce {TOO_BLURRED.bce:.4f}" in table
    assert "Other programs kept 1.7 cores busy" in table


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a model no more is measured than the quality needs."""
    monkeypatch.setattr(race, "evaluate", lambda model, test: metrics(model, test.images, sigmas=()))


@pytest.mark.slow
def test_the_command_prints_both_tables_alone(monkeypatch: pytest.MonkeyPatch, few_digits: Path) -> None:
    """With short runs; whether ours reaches the quality is for the race itself to say."""
    monkeypatch.setattr(race, "SIZES", ((200, 40),))
    monkeypatch.setattr(race, "OURS", Recipe(L1(0.1), limit=500, latent_dim=40, epochs=1))
    monkeypatch.setattr(race, "LECTURE", replace(race.LECTURE, epochs=1))
    monkeypatch.setattr(race, "VALIDATION_IMAGES", 60_000 - 128)
    monkeypatch.setattr(race, "load_split", partial(load_split, data_dir=few_digits))
    monkeypatch.setattr(race, "in_own_process", lambda work, *arguments: work(*arguments))
    done = succeeded("benchmark")
    assert rows(done.stdout)["epochs"] == ["1", "1"]
    assert rows(done.stdout)["the quality is reached"][0] == "no"
    assert "l1-0.1: 100%" in done.stderr
    assert "steps" not in done.stdout
    assert re.search(r"^\| 200 \| 40 \| \d\.\d\d \| [\d,]+ \|$", done.stdout, re.M)


@pytest.mark.slow
def test_images_are_in_memory_once() -> None:
    """45,000 images more are 35 MB more; so many that the allocator's own part, which varies by 5 MB, is small."""
    train, tiny = load_split("mnist", "train").images, Recipe(L1(0.1), latent_dim=30, epochs=1)
    few, many = (in_own_process(measure_cost, tiny, train[:count].clone())[1] for count in (5_000, 50_000))
    assert 0.8 * 784 < (many - few) / 45_000 < 1.5 * 784


@pytest.mark.slow
def test_our_recipe_reaches_the_quality_of_the_lecture(digits: Split) -> None:
    (evaluation,) = race.run_ours(race.OURS, digits).evaluations
    assert reaches(evaluation, LECTURES), evaluation
