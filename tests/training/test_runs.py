"""Whole runs: many side by side are the same as each alone, and a run can start from another one's weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sae_model import L1, KLPerImage, KLPerNeuron, ModelLoadError, SparseAutoencoder
from training.checkpoint import Checkpoint
from training.data import Split
from training.evaluation import evaluate
from training.loop import TrainingError, fit
from training.recipe import Recipe
from training.record import Record
from training.runs import Data, measure_and_save, run_all, run_one

SMALL = Recipe(hidden_dim=24, latent_dim=40, epochs=2, batch_size=50)


@pytest.fixture(scope="module")
def data(training_digits: Split, digits: Split) -> Data:
    train, test = training_digits, digits
    return Data(Split(train.images[:600], train.labels[:600]), Split(test.images[:300], test.labels[:300]))


@pytest.mark.slow
def test_networks_trained_side_by_side_are_those_trained_alone(data: Data, tmp_path: Path) -> None:
    recipes = [replace(SMALL, sparsity=way) for way in (L1(0.1), KLPerImage(0.1), KLPerNeuron(0.1))]
    done = dict(run_all(recipes, data, tmp_path / "together", jobs=2))
    assert {recipe.name for recipe in done} == {"l1-0.1", "kl-image-0.1", "kl-neuron-0.1"}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for recipe in recipes:
            output = tmp_path / "alone" / recipe.name
            alone = run_one(recipe, recipe.new_model(), data, output, Checkpoint(output, recipe, data.train.images))
            assert alone == done[recipe]
            weights = [tmp_path / folder / recipe.name / "model.safetensors" for folder in ("alone", "together")]
            assert weights[0].read_bytes() == weights[1].read_bytes()
    finally:
        torch.set_num_threads(threads)


@pytest.mark.slow
def test_one_network_that_cannot_be_trained_does_not_undo_the_others(data: Data, tmp_path: Path) -> None:
    bad = replace(SMALL, sparsity=L1(1e38), learning_rate=1e30)
    runs = run_all([replace(SMALL, sparsity=L1(0.1)), bad], data, tmp_path, jobs=1)
    assert next(runs)[0].name == "l1-0.1"
    with pytest.raises(TrainingError, match="no finite number"):
        next(runs)
    assert [path.name for path in tmp_path.iterdir()] == ["l1-0.1"]
    SparseAutoencoder.from_pretrained(tmp_path / "l1-0.1")


def test_a_run_that_goes_on_from_other_weights_is_ahead_of_a_fresh_one(data: Data, tmp_path: Path) -> None:
    first = replace(SMALL, sparsity=L1(0.1), epochs=20)
    model = first.new_model()
    list(fit(model, data.train.images, first))
    measure_and_save(first, model, data.test, tmp_path / "first")
    fresh = replace(SMALL, sparsity=L1(0.5), epochs=1)
    going_on = replace(fresh, init=str(tmp_path / "first"))
    start = going_on.new_model()
    assert all(torch.equal(weights, model.state_dict()[name]) for name, weights in start.state_dict().items())
    assert start.sparsity == L1(0.5)
    losses = []
    for recipe in (fresh, going_on):
        trained = recipe.new_model()
        list(fit(trained, data.train.images, recipe))
        losses.append(evaluate(trained, data.test.images, data.test.labels).bce)
    assert losses[1] < 0.8 * losses[0]


def test_only_weights_that_fit_can_be_gone_on_from(tiny_model: SparseAutoencoder, tmp_path: Path) -> None:
    tiny_model.save_pretrained(tmp_path / "tiny")
    with pytest.raises(ValueError, match="has a latent_dim of 30, so its training cannot go on with 40"):
        replace(SMALL, init=str(tmp_path / "tiny")).new_model()
    with pytest.raises(ModelLoadError, match="no folder here"):
        replace(SMALL, init="nobody/nothing").new_model()


def test_a_record_comes_back_as_it_was_written(data: Data, tmp_path: Path) -> None:
    recipe = replace(SMALL, sparsity=KLPerImage(0.1, beta=2.0), init=None, limit=600)
    model = recipe.new_model().eval()
    evaluation = measure_and_save(recipe, model, data.test, tmp_path / "model")
    record = Record.read(tmp_path / "model")
    assert (record.recipe, record.evaluation, record.test_images) == (recipe, evaluation, 300)
    assert record.versions["torch"] == torch.__version__
