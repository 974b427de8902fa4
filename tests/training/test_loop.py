"""The loop learns, reproduces, and reports what is true."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from sae_model import L1, Dense, SparseAutoencoder, effective_l0
from training.data import Split, as_floats
from training.evaluation import evaluate
from training.loop import TrainingError, fit
from training.recipe import Recipe

SHORT = Recipe(sparsity=L1(0.1), hidden_dim=32, latent_dim=60, epochs=2, batch_size=50)


def final_weights(images: torch.Tensor, recipe: Recipe) -> dict[str, torch.Tensor]:
    model = recipe.new_model()
    for _ in fit(model, images, recipe):
        pass
    return model.state_dict()


def test_a_few_seconds_of_training_beat_the_mean_image_by_far(brief_model: SparseAutoencoder, digits: Split) -> None:
    """The bar: seven eighths of the variance of digits that were never seen."""
    assert evaluate(brief_model, digits.images, digits.labels).fvu < 0.125


def test_beta_decides_how_sparse_the_code_becomes(training_digits: Split, digits: Split) -> None:
    carried = {}
    for sparsity in (Dense(), L1(0.3), L1(3.0)):
        recipe = Recipe(sparsity=sparsity, hidden_dim=64, epochs=3, batch_size=32, limit=6000)
        model = recipe.new_model()
        list(fit(model, training_digits.images[:6000], recipe))
        carried[sparsity.name] = effective_l0(model.encode(as_floats(digits.images[:500]))).mean().item()
    assert carried["dense"] > 1.5 * carried["l1-0.3"] > 3 * carried["l1-3"]


def test_the_same_recipe_gives_the_same_weights_and_another_seed_others(training_digits: Split) -> None:
    images = training_digits.images[:500]
    first, again = final_weights(images, SHORT), final_weights(images, SHORT)
    other = final_weights(images, replace(SHORT, seed=1))
    assert first.keys() == again.keys()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)


def test_training_does_not_touch_the_global_random_state(training_digits: Split) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    final_weights(training_digits.images[:100], SHORT)
    assert torch.equal(torch.rand(1), expected)


def test_bytes_and_floats_train_alike(training_digits: Split) -> None:
    images = training_digits.images[:200]
    packed, unpacked = final_weights(images, SHORT), final_weights(images.float() / 255, SHORT)
    assert all(torch.equal(packed[name], unpacked[name]) for name in packed)


def test_weights_end_as_numbers_that_half_precision_can_hold(brief_model: SparseAutoencoder) -> None:
    assert not brief_model.training
    for name, parameter in brief_model.named_parameters():
        assert parameter.dtype == torch.float32, name
        assert torch.equal(parameter.half().float(), parameter), name


def test_progress_is_yielded_on_a_steady_beat_and_ends_at_the_end(training_digits: Split) -> None:
    recipe = replace(SHORT, batch_size=10)
    reports = list(fit(recipe.new_model(), training_digits.images[:250], recipe))
    assert [report.step for report in reports] == [20, 40, 50]
    assert {report.steps for report in reports} == {50}
    assert all(report.images_per_second > 0 for report in reports)


def test_reported_losses_are_those_of_the_model(training_digits: Split) -> None:
    """One step without noise on one batch: the report must equal a plain computation on the first weights."""
    images = training_digits.images[:50]
    recipe = replace(SHORT, epochs=1, noise=0.0, batch_size=50)
    clean = as_floats(images)
    with torch.no_grad():
        reconstruction, _, activations = recipe.new_model()(clean)
    (report,) = fit(recipe.new_model(), images, recipe)
    # bfloat16 keeps 8 bits, so about two digits agree
    assert report.reconstruction_loss == pytest.approx(F.binary_cross_entropy(reconstruction, clean).item(), rel=0.01)
    assert report.penalty == pytest.approx(0.1 * activations.mean().item(), rel=0.02)
    assert report.mean_activation == pytest.approx(activations.mean().item(), rel=0.02)


def test_fewer_images_than_a_batch_still_train(training_digits: Split) -> None:
    before = SHORT.new_model().state_dict()
    after = final_weights(training_digits.images[:1], SHORT)
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_no_images_and_endless_losses_are_sentences(training_digits: Split) -> None:
    with pytest.raises(TrainingError, match="no images"):
        next(fit(SHORT.new_model(), training_digits.images[:0], SHORT))
    with pytest.raises(TrainingError, match="no finite number"):
        list(fit(SHORT.new_model(), torch.full((50, 1, 28, 28), float("nan")), SHORT))


@pytest.mark.parametrize(
    "knob", [{"epochs": 0}, {"batch_size": 0}, {"limit": 0}, {"seed": -1}, {"noise": -0.1}, {"noise": float("nan")}]
)
def test_a_recipe_refuses_nonsense(knob: dict) -> None:
    (name,) = knob
    with pytest.raises(ValueError, match=f"{name} is at least"):
        Recipe(**knob)


def test_first_weights_follow_from_the_seed_alone() -> None:
    torch.manual_seed(1)
    one = SHORT.new_model().state_dict()
    torch.manual_seed(2)
    other = SHORT.new_model().state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)
