"""Training and measuring in one call each, on whatever data are at hand, or an error message that says what to set."""

from __future__ import annotations

import gc
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sae_model import L1, SparseAutoencoder, TopK
from tests.sae_model.test_storage import assert_same
from tests.training.test_rows import SOURCES
from tests.training.test_sweep import stopped_after
from training.data import DataError
from training.fit.loop import TrainingError, fit
from training.fit.recipe import for_any_range, tuned
from training.library import evaluate, hold_out, train

pytestmark = pytest.mark.filterwarnings("ignore:Only .* steps")


def sums_of_few(count: int, seed: int) -> torch.Tensor:
    """Vectors (count, 24) that are sums of about 3 of 40 directions, far from 0."""
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(40, 24, generator=generator)
    generator.manual_seed(seed)
    amounts = torch.rand(count, 40, generator=generator) * (torch.rand(count, 40, generator=generator) < 0.08)
    return 30 * amounts @ directions - 7


VECTORS, HELD_OUT = sums_of_few(3_000, 1), sums_of_few(500, 2)


@pytest.fixture(scope="module")
def model() -> SparseAutoencoder:
    return train(VECTORS, TopK(8), latent_dim=64, epochs=30)


def test_vectors_of_any_range_are_learned_measured_and_saved(model: SparseAutoencoder, tmp_path: Path) -> None:
    assert (model.image_shape, model.output, model.training) == ((24,), "linear", False)
    latents = model.encode(HELD_OUT)
    assert latents.shape == (500, 64)
    rebuilt = model.decode(latents)
    assert rebuilt.shape == model(HELD_OUT).reconstruction.shape == HELD_OUT.shape
    assert model.dictionary.shape == (64, 24)
    lost = (rebuilt - HELD_OUT).square().sum() / (HELD_OUT - HELD_OUT.mean(0)).square().sum()
    assert lost < 0.1
    measured = evaluate(model, HELD_OUT)
    assert measured.fvu == pytest.approx(lost.item(), rel=1e-4)
    assert measured.mse == pytest.approx((rebuilt - HELD_OUT).square().mean().item(), rel=1e-4)
    assert measured.l0 == pytest.approx((latents != 0).sum(1).float().mean().item(), rel=1e-6)
    assert (measured.probe_error, measured.l0_by_class, measured.fvu_refit) == ({}, [], None)
    assert f"fvu                 {measured.fvu:.4g}\n" in str(measured)
    with pytest.raises(ValueError, match=r"Vectors come as \(batch, 24\); got \(500, 24, 1, 1\)"):
        model.encode(HELD_OUT.reshape(-1, 24, 1, 1))
    with pytest.raises(ValueError, match=r"Vectors come as \(batch, 24\); got ndarray: torch\.as_tensor makes"):
        model.encode(HELD_OUT.numpy())
    model.save_pretrained(tmp_path / "model")
    assert_same(model, SparseAutoencoder.from_pretrained(tmp_path / "model"))
    card = (tmp_path / "model" / "README.md").read_text()
    assert "vectors of 24" in card
    assert "MNIST" not in card


def test_the_scale_of_vectors_changes_nothing() -> None:
    """Neither the beta that suits them nor what comes out."""
    of_each = [
        evaluate(train(by * VECTORS, L1(6.0), latent_dim=64, epochs=4), by * HELD_OUT) for by in (1.0, 0.125, 8.0)
    ]
    for other in of_each[1:]:
        assert (other.fvu, other.l0) == pytest.approx((of_each[0].fvu, of_each[0].l0), rel=0.01)


@pytest.mark.parametrize("kind", SOURCES)
def test_the_same_rows_give_the_same_weights_wherever_they_are(kind: str, tmp_path: Path) -> None:
    values = VECTORS[:400].numpy()
    models = [train(data, L1(1.0), latent_dim=20, epochs=1) for data in (values, SOURCES[kind](values, tmp_path))]
    assert all(torch.equal(weights, models[1].state_dict()[name]) for name, weights in models[0].state_dict().items())


def test_other_precisions_are_learned_from_as_single_precision_is() -> None:
    def learned_from(dtype: torch.dtype) -> SparseAutoencoder:
        return train(VECTORS[:1000].to(dtype), L1(1.0), latent_dim=30, epochs=12, seed=3)

    expected = evaluate(learned_from(torch.float32), HELD_OUT).fvu
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        model = learned_from(dtype)
        assert all(weights.dtype == torch.float32 for weights in model.state_dict().values())
        for rows in (HELD_OUT, HELD_OUT.to(dtype)):
            assert evaluate(model, rows).fvu == pytest.approx(expected, rel=0.005), dtype


def test_images_are_bytes_or_floats_in_0_1(training_digits: object, digits: object) -> None:
    images = training_digits.images[:600]
    of_bytes, of_floats = (train(data, TopK(5), latent_dim=40, epochs=1) for data in (images, images.float() / 255))
    assert of_bytes.output == "sigmoid"
    assert torch.equal(of_bytes.dictionary, of_floats.dictionary)
    measured = evaluate(of_bytes, digits.images[:300], digits.labels[:300].numpy(), measure="full")
    assert len(measured.l0_by_class) == 10
    assert measured.fvu_refit < measured.fvu
    assert len(measured.denoise_mse) == 5


def test_values_that_are_not_those_of_the_loss_are_an_error_that_says_what_to_set(model: SparseAutoencoder) -> None:
    images = VECTORS.reshape(-1, 1, 4, 6)
    with pytest.raises(TrainingError, match=r"values from -[\d.]+ to [\d.]+, and the cross-entropy .*loss=\"mse\""):
        train(images, L1(1.0), latent_dim=30)
    assert train(images, L1(1.0), latent_dim=30, epochs=1, loss="mse").output == "linear"
    late = torch.rand(600, 1, 4, 6)
    late[599] = 2.0  # wherever it is in the order
    with pytest.raises(TrainingError, match=r"values from .* to 2"):
        train(late, L1(1.0), latent_dim=30, epochs=2)
    broken = VECTORS.clone()
    broken[7, 3] = torch.nan
    with pytest.raises(TrainingError, match="NaN or infinity"):
        train(broken, L1(1.0), latent_dim=30, epochs=1)
    with pytest.raises(ValueError, match="values from -"):
        evaluate(train(torch.rand(300, 1, 4, 6), L1(1.0), latent_dim=9, epochs=1), images)
    with pytest.raises(TrainingError, match=r"takes rows of the shape \(24,\), and these have \(23,\)"):
        fit(model, VECTORS[:, :23], replace(for_any_range(tuned(TopK(8))), latent_dim=64))
    with pytest.raises(ValueError, match="measured 'quick' or 'full'; got 'fast'"):
        evaluate(model, HELD_OUT, measure="fast")


@pytest.mark.parametrize("sparsity", ["topk", TopK, None])
def test_a_sparsity_method_is_an_object(sparsity: object) -> None:
    with pytest.raises(ValueError, match=r"such as TopK\(32\); got "):
        train(torch.randn(200, 8), sparsity)


def test_a_training_that_nobody_asks_to_go_on_warns() -> None:
    recipe = replace(for_any_range(tuned(L1(1.0))), latent_dim=20, epochs=1)
    model = recipe.new_model(VECTORS)
    with pytest.warns(RuntimeWarning, match=r"fit\(\.\.\.\) trained nothing: .*for step in fit"):
        fit(model, VECTORS, recipe)
    with warnings.catch_warnings(action="error"):
        next(fit(recipe.new_model(VECTORS), VECTORS, recipe))  # whoever stops after a step means it
        gc.collect()


def test_what_a_training_does_is_logged_as_the_model_says(training_digits: object) -> None:
    seen: dict[int, dict[str, float]] = {}
    images = training_digits.images[:2_560]
    train(images, L1(0.3), latent_dim=50, epochs=4, log=lambda metrics, step: seen.update({step: metrics}))
    assert list(seen) == [20, 40]
    assert all(isinstance(value, float) for value in seen[40].values())
    named = {"reconstruction_loss", "penalty", "l0", "mean_activation", "dead_fraction", "epochs", "images_per_second"}
    assert seen[40].keys() == named
    assert 0 < seen[40]["l0"] <= 50


def test_dead_latents_are_those_that_no_recent_image_turns_on() -> None:
    recipe = replace(for_any_range(tuned(L1(0.0))), latent_dim=20, epochs=2, batch_size=100)
    model = recipe.new_model(VECTORS[:1000])
    with torch.no_grad():  # these can never be on: every part that could raise them is far below 0
        model.network.first.bias[:5] = -1e6
        model.network.threshold[:, :5] = 1e6
    *_, last = fit(model, VECTORS[:1000], recipe)
    assert last.dead_fraction == pytest.approx(0.25)


def test_a_training_that_was_killed_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    arguments = {"latent_dim": 20, "epochs": 30, "batch_size": 50, "seed": 4}
    whole = train(VECTORS[:1000], L1(1.0), **arguments)
    kill = stopped_after(25, lambda *_, **__: None, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        train(VECTORS[:1000], L1(1.0), **arguments, resume=tmp_path / "run", log=kill)
    steps: list[int] = []
    again = train(VECTORS[:1000], L1(1.0), **arguments, resume=tmp_path / "run", log=lambda _, step: steps.append(step))
    assert steps[0] == 520
    assert all(torch.equal(weights, again.state_dict()[name]) for name, weights in whole.state_dict().items())
    done = train(VECTORS[:1000], L1(1.0), **arguments, resume=tmp_path / "run")
    assert torch.equal(done.dictionary, whole.dictionary)


@pytest.mark.parametrize("as_groups", [list, np.array, torch.tensor])
def test_groups_stay_whole_when_rows_are_held_out(as_groups: type) -> None:
    groups = np.random.default_rng(0).integers(0, 30, 900).tolist()
    rows, held_out = hold_out(as_groups(groups), share=0.2)
    assert sorted([*rows.tolist(), *held_out.tolist()]) == list(range(900))
    assert {groups[row] for row in rows.tolist()}.isdisjoint(groups[row] for row in held_out.tolist())
    assert 150 <= len(held_out) <= 250
    assert not torch.equal(held_out, hold_out(as_groups(groups), share=0.2, seed=1)[1])
    assert torch.equal(held_out, hold_out(as_groups(groups), share=0.2)[1])


def test_rows_without_groups_are_held_out_one_by_one() -> None:
    rows, held_out = hold_out(50)
    assert (len(rows), len(held_out)) == (45, 5)
    assert [len(part) for part in hold_out(4, share=0.99)] == [1, 3]  # one is left to train on
    with pytest.raises(DataError, match="All rows are of one group"):
        hold_out([3, 3, 3])
    with pytest.raises(ValueError, match=r"share lies between 0 and 1; got 1\.5"):
        hold_out(50, share=1.5)
