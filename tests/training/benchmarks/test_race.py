"""The race counts what it says it counts, and says what it did not measure."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from sae_model import L1, SparseAutoencoder
from sae_model.architectures import Dictionary
from sae_model.bundle import BUNDLE
from tests.command_line import run
from training.benchmarks import lecture, race
from training.benchmarks.race import Side, describe, quality_of_lecture, reaches, training_flops
from training.data import Split
from training.fit.recipe import Recipe
from training.measure.evaluation import Evaluation

LECTURES = Evaluation.read(BUNDLE / "lecture" / "evaluation.json")
AT_THE_BAR = replace(LECTURES, denoise_mse={}, effective_l0=900.0)
TOO_BLURRED = replace(AT_THE_BAR, bce=1.001 * LECTURES.bce)
OURS = Side(
    epochs=2,
    images=100_000,
    preparing=0.5,
    training=4.5,
    peak_bytes=123_400_000,
    flops_per_image=8_000_000,
    precision=torch.bfloat16,
    evaluations=[AT_THE_BAR],
)
THEIRS = replace(OURS, preparing=0.1, training=249.9, precision=torch.float32, evaluations=[TOO_BLURRED, AT_THE_BAR])
RATES = {torch.float32: 100e9, torch.bfloat16: 500e9}


def test_operations_are_those_of_the_layers() -> None:
    image = torch.rand(1, 1, 28, 28)
    ours = 2 * 784 * 30 * (1 + 2 * Dictionary.STEPS + 1)
    assert training_flops(SparseAutoencoder(latent_dim=30), image) == 3 * ours
    down = 9 * (1 * 32 * 14**2 + 32 * 64 * 7**2 + 64 * 128 * 4**2 + 128 * 256 * 2**2) + 256 * 512 * 2**2
    up = 9 * (512 * 256 * 1 + 256 * 128 * 2**2 + 128 * 64 * 4**2 + 64 * 32 * 8**2 + 32 * 32 * 16**2)
    layers = down + 2048 * 900 + 900 * 512 + up + 7**2 * 32 * 28**2
    model = SparseAutoencoder(architecture="lecture")
    assert training_flops(model, image) == 3 * 2 * layers
    assert model.training


@pytest.mark.parametrize("metric", ["bce", "fvu_top_k", "mean_activation"])
def test_the_quality_is_all_three_metrics_of_the_committed_lecture(metric: str) -> None:
    wanted = quality_of_lecture()

    def times(factor: float) -> Evaluation:
        value = getattr(wanted, metric)
        changed = {"25": factor * value["25"]} if isinstance(value, dict) else factor * value
        return replace(wanted, **{metric: changed})

    assert wanted == LECTURES
    assert reaches(AT_THE_BAR, wanted)
    assert not reaches(times(1.001), wanted)
    assert reaches(times(0.5), wanted)


def rows(markdown: str) -> dict[str, list[str]]:
    cells = [line.strip("| ").split(" | ") for line in markdown.splitlines() if line.startswith("| ")]
    return {name.strip("*`"): [value.strip("*") for value in values] for name, *values in cells}


def test_the_table_says_what_each_side_took() -> None:
    told = rows(describe(THEIRS, OURS, RATES, load=0.1))
    assert told["seconds, end to end"] == ["250.0", "5.0"]
    assert told["times faster, end to end"] == ["1.0", "50.0"]
    assert told["images per second, in training"] == ["400", "22,222"]
    assert told["peak memory beyond the libraries', MB"] == ["123", "123"]
    assert told["matrix products, GFLOP/s"] == ["3", "178"]
    assert told["share of the machine's fastest"] == ["3.2% of float32", "35.6% of bfloat16"]
    assert told["bce"] == [f"{LECTURES.bce:.4f}"] * 2
    assert told["mean_activation"] == [f"{LECTURES.mean_activation:.3f}"] * 2
    assert told["the quality is reached"] == ["yes", "yes"]


def test_the_table_shows_the_lecture_epoch_by_epoch_and_whether_a_side_never_arrived() -> None:
    markdown = describe(replace(THEIRS, evaluations=[TOO_BLURRED]), OURS, RATES, load=0.1)
    assert rows(markdown)["the quality is reached"] == ["no", "yes"]
    assert f"after epoch 1: bce {TOO_BLURRED.bce:.4f}" in markdown
    assert f"fvu_top_k at 25 {LECTURES.fvu_top_k['25']:.3f}, mean activation {LECTURES.mean_activation:.4f}" in markdown
    assert "extrapolated" not in markdown


def test_an_extrapolation_says_that_it_is_one_and_claims_no_quality() -> None:
    markdown = describe(replace(THEIRS, evaluations=[]), OURS, RATES, load=0.1)
    assert "| | lecture's recipe, extrapolated | ours |" in markdown
    assert "The lecture's side is extrapolated" in markdown
    for name in ("bce", "fvu_top_k` at 25", "mean_activation", "the quality is reached"):
        assert rows(markdown)[name][0] == "not measured"


def test_a_race_beside_other_programs_says_so() -> None:
    assert "not the times of a quiet machine" not in describe(THEIRS, OURS, RATES, load=0.1)
    assert "Other programs kept 1.7 cores busy" in describe(THEIRS, OURS, RATES, load=1.7)


def test_the_extrapolation_leaves_the_warm_up_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lecture.unpack_mnist(tmp_path)
    costs = iter([100.0, 1.0, 1.0])  # seconds of a batch
    monkeypatch.setattr(race, "_seconds", lambda batches, *_: sum(next(costs) for _ in batches))
    side = race.run_lecture(tmp_path, None, warm_up=1, measured=2)
    assert side.training == 5 * 860  # batches
    assert side.images == 5 * 55_000
    assert side.evaluations == []


def test_the_lecture_trains_for_its_epochs_and_is_measured_after_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, digits: Split
) -> None:
    measured, peaks = iter([TOO_BLURRED] * 4 + [AT_THE_BAR]), iter([100, 150, 900])
    lecture.unpack_mnist(tmp_path)
    monkeypatch.setattr(race, "_seconds", lambda *_: 1.0)
    monkeypatch.setattr(race, "evaluate", lambda *_: next(measured))
    monkeypatch.setattr(race, "peak_bytes", lambda: next(peaks))
    side = race.run_lecture(tmp_path, digits)
    assert side.epochs == len(side.evaluations) == 5
    assert side.training == 5  # the evaluations are not counted
    assert side.peak_bytes == 50  # nor is what they take
    assert side.images == 5 * 55_000


def test_our_side_is_a_run_of_the_loop(digits: Split) -> None:
    recipe = Recipe(L1(0.1), limit=500, latent_dim=120, epochs=3, batch_size=64)
    side = race.run_ours(recipe, Split(digits.images[:100], digits.labels[:100]))
    assert side.images == 3 * 7 * 64  # the last few images of an epoch are left out
    assert side.flops_per_image == 3 * 2 * 784 * 120 * (2 + 2 * Dictionary.STEPS)
    (evaluation,) = side.evaluations
    assert 0 < evaluation.bce < 1
    assert side.preparing > 0
    assert side.training > 0


@pytest.mark.slow
def test_the_command_prints_the_table_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a short run of ours; whether it reaches the quality is for the race itself to say."""
    monkeypatch.setattr(race, "OURS", Recipe(L1(0.1), limit=500, latent_dim=40, epochs=1))
    monkeypatch.setattr(race, "matrix_product_rate", lambda _: 1e11)
    monkeypatch.setattr(race, "run_lecture", partial(race.run_lecture, measured=3, warm_up=1))
    monkeypatch.setattr(race, "in_own_process", lambda work, *arguments: work(*arguments))
    done = run("benchmark", "--quick")
    assert done.returncode == 0, done.stderr
    assert rows(done.stdout)["the quality is reached"][0] == "not measured"
    assert rows(done.stdout)["the quality is reached"][1] in ("yes", "no")
    assert "extrapolated" in done.stdout
    assert re.search(r"ours: 100%", done.stderr)
    assert "steps" not in done.stdout


@pytest.mark.slow
def test_our_recipe_reaches_the_quality_of_the_lecture(digits: Split) -> None:
    (evaluation,) = race.run_ours(race.OURS, digits).evaluations
    assert reaches(evaluation, quality_of_lecture()), evaluation
