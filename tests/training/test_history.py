"""Metrics after each epoch are those that an evaluation gives, and survive a run that is killed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sae_model import L1, SparseAutoencoder, TopK
from tests.training.test_sweep import stopped_after
from training import runs
from training.data import DATASETS, Split
from training.fit.recipe import Recipe
from training.measure.evaluation import evaluate
from training.measure.history import MEASURED, Epoch, measure_epoch, read_history
from training.runs import Data, run_one

SHORT = Recipe(L1(0.3), latent_dim=40, epochs=3, batch_size=100)


@pytest.mark.parametrize("sparsity", [L1(0.1), TopK(7)])
@pytest.mark.parametrize("output", ["sigmoid", "linear"])
def test_metrics_are_those_of_an_evaluation(sparsity: L1 | TopK, output: str, digits: Split) -> None:
    some = Split(digits.images[:1500], digits.labels[:1500])
    model = SparseAutoencoder(60, sparsity, output=output).train()
    measured, evaluation = measure_epoch(model, some.images, 4), evaluate(model, some)
    assert model.training
    assert measured["epoch"] == 4
    assert (measured["bce"] is None) == (evaluation.bce is None) == (output == "linear")
    for name in MEASURED[output == "linear" :]:
        assert measured[name] == pytest.approx(getattr(evaluation, name), rel=1e-5), name


def test_images_that_are_all_alike_have_no_fvu() -> None:
    assert measure_epoch(SparseAutoencoder(20), torch.zeros(3, 1, 28, 28), 1)["fvu"] is None


@pytest.fixture(scope="module")
def data(training_digits: Split, digits: Split) -> Data:
    train, test, validation = (
        Split(*(values[rows] for values in split))
        for split, rows in (
            (training_digits, slice(500)),
            (digits, slice(200)),
            (training_digits, slice(500, 700)),
        )
    )
    return Data(train, test, None, validation, about=DATASETS["mnist"].about)


def train(recipe: Recipe, data: Data, output: Path) -> list[Epoch]:
    run_one(recipe, data, output)
    return read_history(output)


def test_a_run_shows_and_keeps_them_and_goes_on_with_them(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = train(SHORT, data, tmp_path / "whole")
    assert [epoch["epoch"] for epoch in whole] == [1, 2, 3]
    assert whole[2]["fvu"] < whole[0]["fvu"]
    assert f"Epoch 2 of 3, validation: bce {whole[1]['bce']:.4g}, fvu {whole[1]['fvu']:.4g}," in capsys.readouterr().err
    monkeypatch.setattr("training.fit.checkpoint.STEPS_PER_CHECKPOINT", 10)
    with monkeypatch.context() as killed:
        killed.setattr(runs, "measure_epoch", stopped_after(2, measure_epoch, KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            train(SHORT, data, tmp_path / "killed")
    assert not (tmp_path / "killed").exists()
    assert train(SHORT, data, tmp_path / "killed") == whole
    weights = [tmp_path / name / "model.safetensors" for name in ("whole", "killed")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_measuring_changes_no_weights(data: Data, tmp_path: Path) -> None:
    train(SHORT, data, tmp_path / "measured")
    assert train(SHORT, replace(data, validation=None), tmp_path / "plain") == []
    assert not (tmp_path / "plain" / "history.json").exists()
    weights = [tmp_path / name / "model.safetensors" for name in ("measured", "plain")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


TEXT = '[{"epoch": 1, "bce": "a", "fvu": null, "effective_l0": 2, "dead_fraction": 0}]'


@pytest.mark.parametrize("content", ['[{"what": 1}]', "[1]", "[", "3", "[" * 10**5, TEXT])
def test_a_history_that_nobody_wrote_is_none(tmp_path: Path, content: str) -> None:
    assert read_history("owner/name") == []
    (tmp_path / "history.json").write_text(content)
    assert read_history(tmp_path) == []
