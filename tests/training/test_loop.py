"""The loop learns, reproduces, and reports what is true."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from sae_model import L1, SparseAutoencoder, Sparsity
from training.data import Split, as_floats
from training.fit.loop import TrainingError, fit, round_to_half
from training.fit.recipe import Recipe
from training.measure.evaluation import metrics

SHORT = Recipe(sparsity=L1(0.1), latent_dim=60, epochs=2, batch_size=50)


def final_weights(images: torch.Tensor, recipe: Recipe) -> dict[str, torch.Tensor]:
    model = recipe.new_model(images)
    for _ in fit(model, images, recipe):
        pass
    return model.state_dict()


def test_a_few_seconds_of_training_beat_the_mean_image_by_far(brief_model: SparseAutoencoder, digits: Split) -> None:
    """The bar: seven eighths of the variance of digits that were never seen."""
    assert metrics(brief_model, digits.images[:2000], sigmas=(), tops=()).fvu < 0.125


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


def test_progress_is_yielded_on_a_steady_beat_and_where_asked_after_each_epoch(training_digits: Split) -> None:
    recipe = replace(SHORT, batch_size=10)
    images = training_digits.images[:250]
    assert [report.step for report in fit(recipe.new_model(images), images, recipe)] == [20, 40, 50]
    reports = list(fit(recipe.new_model(images), images, recipe, after_epochs=True))
    assert [report.step for report in reports] == [20, 25, 40, 50]
    assert [report.epochs for report in reports] == [0.8, 1, 1.6, 2]
    assert {report.steps for report in reports} == {50}
    assert all(report.images_per_second > 0 for report in reports)


def test_reported_losses_are_those_of_the_model(training_digits: Split) -> None:
    """One step without noise on one batch: the report must equal a plain computation on the first weights."""
    images = training_digits.images[:50]
    recipe = replace(SHORT, epochs=1, noise=0.0, batch_size=50)
    clean = as_floats(images)
    with torch.no_grad():
        reconstruction, _, activations = recipe.new_model(images)(clean)
    (report,) = fit(recipe.new_model(images), images, recipe)
    # bfloat16 keeps 8 bits, so about two digits agree
    assert report.reconstruction_loss == pytest.approx(F.binary_cross_entropy(reconstruction, clean).item(), rel=0.01)
    assert report.penalty == pytest.approx(0.1 * activations.mean().item(), rel=0.02)
    assert report.mean_activation == pytest.approx(activations.mean().item(), rel=0.02)


@pytest.mark.parametrize("count", [1, 50])
def test_fewer_images_than_a_batch_and_a_run_of_one_step_still_train(training_digits: Split, count: int) -> None:
    images = training_digits.images[:count]
    recipe = replace(SHORT, epochs=1)
    before = recipe.new_model(images).network.bias
    assert (final_weights(images, recipe)["network.bias"] - before).abs().max() > 1e-3


def test_no_images_and_endless_losses_are_errors(training_digits: Split) -> None:
    model = SHORT.new_model(training_digits.images[:50])
    with pytest.raises(TrainingError, match="no rows"):
        next(fit(model, training_digits.images[:0], SHORT))
    with pytest.raises(TrainingError, match=r"The model's sparsity is L1\(beta=0.1\), and the recipe's is L1\(beta=2"):
        next(fit(model, training_digits.images[:50], replace(SHORT, sparsity=L1(2.0))))
    with pytest.raises(TrainingError, match="not finite"):
        list(fit(model, torch.full((50, 1, 28, 28), float("nan")), SHORT))


class Ramp(Sparsity):
    """Notes what it is asked in a training, and keeps as many latents as it is told."""

    kind = "ramp"

    def __init__(self, k: list[int]) -> None:
        self.__dict__.update(k=k, asked=[])

    def training_k(self, progress: float, shape: tuple[int, int], generator: torch.Generator) -> torch.Tensor:
        self.asked.append((progress, shape))
        return torch.tensor(self.k)

    def penalty(self, latents: torch.Tensor) -> torch.Tensor:
        self.asked[-1] += (latents.count_nonzero(1).tolist(),)
        return 0 * latents.sum()


def test_the_k_of_a_method_is_kept_in_training(training_digits: Split) -> None:
    images, ramp = training_digits.images[:8], Ramp([1, 2, 5, 20])
    recipe = Recipe(ramp, latent_dim=60, epochs=2, batch_size=4)
    list(fit(recipe.new_model(images), images, recipe))
    assert [progress for progress, _, _ in ramp.asked] == [0.25, 0.5, 0.75, 1]
    assert {shape for _, shape, _ in ramp.asked} == {(4, 60)}
    assert all(kept <= asked for _, _, counts in ramp.asked for kept, asked in zip(counts, [1, 2, 5, 20], strict=True))
    assert ramp.asked[0][2][:2] == [1, 2]


def test_noise_is_put_on_what_is_seen_and_not_on_what_is_to_be_rebuilt(
    training_digits: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, seen = training_digits.images[:50], []
    recipe = replace(SHORT, noise=0.5, epochs=1, bfloat16=False)
    model = recipe.new_model(images)
    encode = model.encode

    def note(noisy: torch.Tensor, k: None, beta: None) -> torch.Tensor:
        seen.append(noisy)
        return encode(noisy, k, beta)

    monkeypatch.setattr(model, "encode", note)
    first = recipe.new_model(images)
    (report,) = fit(model, images, recipe)
    (noisy,) = seen
    order = torch.randperm(50, generator=torch.Generator().manual_seed(recipe.seed))
    clean = as_floats(images[order])
    sigmas = (noisy - clean).flatten(1).std(dim=1)
    assert 0 < sigmas.min() < 0.1 < 0.4 < sigmas.max() < 0.55
    with torch.no_grad():
        loss = F.binary_cross_entropy(first(noisy).reconstruction, clean).item()
    assert report.reconstruction_loss == pytest.approx(loss, rel=1e-4)


def test_weights_beyond_half_precision_stay_as_they_are(tiny_model: SparseAutoencoder) -> None:
    tiny_model.network.bias.data[:2] = torch.tensor([1e6, 0.1])
    round_to_half(tiny_model)
    assert torch.equal(tiny_model.network.bias[:2], torch.tensor([1e6, 0.1]))
    assert torch.equal(tiny_model.network.atoms, tiny_model.network.atoms.half().float())


def test_a_checkpoint_of_another_device_is_an_error_message(training_digits: Split) -> None:
    images = training_digits.images[:50]
    snapshot = next(fit(SHORT.new_model(images), images, SHORT)).snapshot()
    snapshot["generator"] = torch.zeros(16, dtype=torch.uint8)  # as that of a GPU
    with pytest.raises(TrainingError, match="from a run on another device than cpu: give that one with --device"):
        next(fit(SHORT.new_model(images), images, SHORT, snapshot))
