"""The race counts what it says it counts, and says what it did not measure."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sae_model import L1, SparseAutoencoder
from sae_model.zoo import ZOO
from training import benchmark, lecture
from training.benchmark import Side, describe, has_quality, training_flops
from training.data import Split
from training.evaluation import Evaluation
from training.lecture import LectureAutoencoder
from training.recipe import Recipe

ROOT = Path(__file__).resolve().parents[2]
AT_THE_BAR = replace(
    Evaluation.read(ZOO / "dense" / "evaluation.json"), bce=0.0678, fvu_top_k={"25": 0.52}, mean_activation=0.104
)
TOO_BLURRED = replace(AT_THE_BAR, bce=0.0679)
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
    ours = 2 * (784 * 20 + 20 * 30 + 30 * 20 + 20 * 784)
    assert training_flops(SparseAutoencoder(latent_dim=30, hidden_dim=20), image) == 3 * ours
    channels, places = (1, 32, 64, 128, 256, 512), (14, 7, 4, 2, 1)
    convolutions = sum(9 * a * b * side**2 for a, b, side in zip(channels, channels[1:], places, strict=False))
    # The mirror image starts from the places to which the strides of the convolutions lead; at the end it keeps its 32
    # features, from which one more convolution makes the pixels.
    mirrored = convolutions + 9 * (32 * 32 - 32) * 14**2 + 9 * 32 * 28**2
    assert training_flops(LectureAutoencoder(), image) == 3 * 2 * (convolutions + mirrored + 2 * 512 * 900)


@pytest.mark.parametrize(
    "worse",
    [{"bce": 0.06781}, {"fvu_top_k": {"25": 0.5201}}, {"mean_activation": 0.1041}],
    ids=lambda worse: next(iter(worse)),
)
def test_the_quality_is_all_three_figures(worse: dict) -> None:
    assert has_quality(AT_THE_BAR)
    assert not has_quality(replace(AT_THE_BAR, **worse))


def rows(markdown: str) -> dict[str, list[str]]:
    cells = [line.strip("| ").split(" | ") for line in markdown.splitlines() if line.startswith("| ")]
    return {name.strip("*`"): [figure.strip("*") for figure in figures] for name, *figures in cells}


def test_the_table_says_what_each_side_took() -> None:
    told = rows(describe(THEIRS, OURS, RATES, load=0.1))
    assert told["seconds, end to end"] == ["250.0", "5.0"]
    assert told["times faster, end to end"] == ["1.0", "50.0"]
    assert told["images per second, in training"] == ["400", "22,222"]
    assert told["peak memory beyond the libraries', MB"] == ["123", "123"]
    assert told["matrix products, GFLOP/s"] == ["3", "178"]
    assert told["share of the machine's fastest"] == ["3.2% of float32", "35.6% of bfloat16"]
    assert told["bce"] == ["0.0678", "0.0678"]
    assert told["the quality is reached"] == ["yes", "yes"]


def test_the_table_shows_the_lecture_epoch_by_epoch_and_whether_a_side_never_arrived() -> None:
    markdown = describe(replace(THEIRS, evaluations=[TOO_BLURRED]), OURS, RATES, load=0.1)
    assert rows(markdown)["the quality is reached"] == ["no", "yes"]
    assert "after epoch 1: bce 0.0679" in markdown
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


class OneSecondEach:
    """A meter on which every block takes a second."""

    seconds, peak_bytes = 0.0, 0

    def __enter__(self) -> None:
        self.seconds += 1

    def __exit__(self, *_: object) -> None:
        pass


def test_the_extrapolation_leaves_the_warm_up_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lecture.unpack_mnist(tmp_path)
    monkeypatch.setattr(benchmark, "Meter", OneSecondEach)
    side = benchmark.extrapolate_lecture(tmp_path, warm_up=1, measured=2)
    assert side.preparing == 1
    assert side.training == pytest.approx(5 * 938 / 2)  # a second for two of the 938 batches of an epoch
    assert side.images == 300_000
    assert side.evaluations == []


@pytest.mark.parametrize(("reached_after", "epochs"), [(3, 3), (99, 8)])
def test_the_lecture_trains_until_the_quality_is_there_and_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, digits: Split, reached_after: int, epochs: int
) -> None:
    figures: Iterator[Evaluation] = iter([TOO_BLURRED] * (reached_after - 1) + [AT_THE_BAR])
    lecture.unpack_mnist(tmp_path)
    monkeypatch.setattr(benchmark, "Meter", OneSecondEach)
    monkeypatch.setattr(benchmark.lecture, "train_epoch", lambda *_: iter([0.5]))
    monkeypatch.setattr(benchmark, "evaluate", lambda *_: next(figures))
    side = benchmark.run_lecture(tmp_path, digits)
    assert side.epochs == len(side.evaluations) == epochs
    assert side.training == epochs  # the evaluations are not counted
    assert side.images == epochs * 60_000


def test_our_side_is_a_run_of_the_loop(digits: Split) -> None:
    recipe = Recipe(L1(0.1), limit=500, latent_dim=120, hidden_dim=16, epochs=3, batch_size=64)
    side = benchmark.run_ours(recipe, Split(digits.images[:100], digits.labels[:100]))
    assert side.images == 3 * 7 * 64  # the last few images of an epoch are left out
    assert side.flops_per_image == 3 * 2 * 2 * (784 + 120) * 16
    (evaluation,) = side.evaluations
    assert 0 < evaluation.bce < 1
    assert side.preparing > 0
    assert side.training > 0


@pytest.mark.slow
def test_the_command_reaches_the_quality_and_prints_the_table_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "training", "benchmark", "--quick"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert rows(done.stdout)["the quality is reached"] == ["not measured", "yes"]
    assert "extrapolated" in done.stdout
    assert re.search(r"ours: 100%", done.stderr)
    assert "steps" not in done.stdout
