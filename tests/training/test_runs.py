"""Whole runs: many side by side are the same as each alone, and a run can fine-tune another model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sae_model import L1, AdaptiveL1, AdaptiveTopK, KLPerImage, KLPerNeuron, SparseAutoencoder
from sae_model.errors import UserError
from training.data import DATASETS, Split
from training.fit.loop import TrainingError, fit
from training.fit.recipe import Recipe
from training.measure.evaluation import evaluate, metrics, read_by
from training.publish.record import Record, RecordError
from training.runs import Data, folder_names, measure_and_save, run_all, run_one

SMALL = Recipe(latent_dim=40, epochs=2, batch_size=50)


@pytest.fixture(scope="module")
def data(training_digits: Split, digits: Split) -> Data:
    train, test = (
        Split(*(values[:count] for values in split)) for split, count in ((training_digits, 600), (digits, 300))
    )
    return Data(train, test, train, about=DATASETS["mnist"].about)


@pytest.mark.slow
def test_models_trained_side_by_side_are_those_trained_alone(data: Data, tmp_path: Path) -> None:
    recipes = [replace(SMALL, sparsity=sparsity) for sparsity in (L1(0.1), KLPerImage(0.1), KLPerNeuron(0.1))]
    done = dict(run_all(recipes, data, tmp_path / "together", jobs=2))
    assert {recipe.name for recipe in done} == {"l1-0.1", "kl-image-0.1", "kl-neuron-0.1"}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for recipe in recipes:
            output = tmp_path / "alone" / recipe.name
            alone = run_one(recipe, data, output)
            assert alone == done[recipe]
            weights = [tmp_path / folder / recipe.name / "model.safetensors" for folder in ("alone", "together")]
            assert weights[0].read_bytes() == weights[1].read_bytes()
    finally:
        torch.set_num_threads(threads)


@pytest.mark.slow
def test_one_model_that_cannot_be_trained_does_not_undo_the_others(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.runs.os.cpu_count", lambda: 1)  # more threads would only wait for each other
    bad = replace(SMALL, sparsity=L1(1e38), learning_rate=1e30)
    runs = run_all([bad, replace(SMALL, sparsity=L1(0.1))], data, tmp_path, jobs=1)  # the last one is begun first
    assert next(runs)[0].name == "l1-0.1"
    with pytest.raises(TrainingError, match="not finite"):
        next(runs)
    assert [path.name for path in tmp_path.iterdir()] == ["l1-0.1"]
    SparseAutoencoder.from_pretrained(tmp_path / "l1-0.1")


def test_a_fine_tuned_model_is_ahead_of_a_fresh_one(data: Data, tmp_path: Path) -> None:
    first = replace(SMALL, sparsity=L1(0.1), epochs=20)
    model = first.new_model(data.train.images)
    list(fit(model, data.train.images, first))
    measure_and_save(first, model, data, tmp_path / "first")
    fresh = replace(SMALL, sparsity=L1(0.5), epochs=1)
    tuning = replace(fresh, init=str(tmp_path / "first"))
    start = tuning.new_model(data.train.images)
    assert all(torch.equal(weights, model.state_dict()[name]) for name, weights in start.state_dict().items())
    assert start.sparsity == L1(0.5)
    losses = []
    for recipe in (fresh, tuning):
        trained = recipe.new_model(data.train.images)
        list(fit(trained, data.train.images, recipe))
        losses.append(metrics(trained, data.test.images, sigmas=(), tops=()).bce)
    assert losses[1] < 0.8 * losses[0]


def test_only_models_that_fit_can_be_fine_tuned(tiny_model: SparseAutoencoder, data: Data, tmp_path: Path) -> None:
    tiny_model.save_pretrained(tmp_path / "tiny")
    tuning = replace(SMALL, init=str(tmp_path / "tiny"))
    with pytest.raises(ValueError, match="has the latent_dim 30, so it cannot be fine-tuned with 40"):
        tuning.new_model(data.train.images)
    with pytest.raises(ValueError, match=r"has the image_shape \(1, 28, 28\), so it cannot .* \(1, 14, 56\)"):
        replace(tuning, latent_dim=30).new_model(data.train.images.reshape(-1, 1, 14, 56))
    with pytest.raises(ValueError, match="has the architecture dictionary, so it cannot be fine-tuned with lecture"):
        replace(tuning, architecture="lecture").new_model(data.train.images)


def test_a_run_is_measured_at_every_k_or_beta_that_its_method_names(data: Data, tmp_path: Path) -> None:
    model = replace(SMALL, sparsity=AdaptiveTopK(7)).new_model(data.train.images).eval()
    evaluation = measure_and_save(replace(SMALL, sparsity=AdaptiveTopK(7)), model, data, tmp_path / "model")
    by_k = read_by(tmp_path / "model", "k")
    assert list(by_k) == [1, 2, 5, 10, 25]  # and none that is above its 40 latents
    assert by_k[5] == evaluate(model, data.test, k=5, sigmas=(0.3,))
    assert evaluation == evaluate(model, data.test, data.probe)
    recipe = replace(SMALL, sparsity=AdaptiveL1(0.5))
    model = recipe.new_model(data.train.images).eval()
    measure_and_save(recipe, model, data, tmp_path / "other")
    by_beta = read_by(tmp_path / "other", "beta")
    assert list(by_beta) == [0.03, 0.1, 0.3, 1, 3, 10]
    assert by_beta[3] == evaluate(model, data.test, beta=3.0, sigmas=(0.3,))
    assert read_by(tmp_path / "other", "k") == {}
    measure_and_save(recipe, model, data, tmp_path / "quick", measure="quick")
    assert read_by(tmp_path / "quick", "beta") == {}


def test_a_record_comes_back_as_it_was_written(data: Data, tmp_path: Path) -> None:
    recipe = replace(SMALL, sparsity=KLPerImage(0.1, beta=2.0), init=None, limit=600)
    model = recipe.new_model(data.train.images).eval()
    evaluation = measure_and_save(recipe, model, data, tmp_path / "model")
    record = Record.read(tmp_path / "model")
    assert (record.recipe, record.evaluation, record.test_images) == (recipe, evaluation, 300)
    assert record.versions["torch"] == torch.__version__
    assert evaluation.probe_error.keys() == {"100", "all"}
    assert record.data is None  # what is known about MNIST stands in the code
    known = DATASETS["mnist"].about
    for about, written in ((known, None), (replace(known, licence="CC0"), replace(known, licence="CC0"))):
        replace(record, data=about).write(tmp_path / "model")
        assert Record.read(tmp_path / "model").data == written
    (tmp_path / "model" / "recipe.json").write_text('{"sparsity": {"kind": "l7"}, "versions": {}, "test_images": 1}')
    with pytest.raises(RecordError, match=r"holds no record of this version .*Unknown sparsity method"):
        Record.read(tmp_path / "model")


def test_every_run_has_a_folder_of_its_own_that_says_how_it_differs() -> None:
    one = Recipe(L1(1.0))
    assert folder_names([one, Recipe(L1(0.1))]) == ["l1-1", "l1-0.1"]
    others = [one, replace(one, seed=1), replace(one, latent_dim=40), replace(one, learning_rate=1e-3)]
    names = folder_names(others)
    assert len(set(names)) == 4
    assert names[1] == "l1-1-latent-dim-900-learning-rate-0.006-seed-1"
    rates = [Recipe(KLPerImage(0.1, beta)) for beta in (1.0, 5.0)]
    assert folder_names(rates) == ["kl-image-0.1-beta-1.0", "kl-image-0.1-beta-5.0"]
    with pytest.raises(UserError, match="Two runs would be the same, l1-1"):
        folder_names([one, one])
