"""Every metric against an independent numpy computation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from sae_model import AdaptiveTopK, SparseAutoencoder, TopK, load_variant, unit_activation
from training.data import Split, as_floats
from training.measure import evaluation
from training.measure.evaluation import NOISE_LEVELS, NOISE_SEED, Evaluation, evaluate, fvu_refit
from training.measure.probe import probe_errors


@pytest.fixture(scope="module", autouse=True)
def few_are_refitted() -> Iterator[None]:
    """`fvu_refit` takes most of the time, and has a test of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "REFIT_IMAGES", 30)
        yield


@pytest.fixture(scope="module")
def some(digits: Split) -> Split:
    """Enough digits for means to be steady."""
    return Split(digits.images[:2500], digits.labels[:2500])


@pytest.fixture(scope="module")
def measured(brief_model: SparseAutoencoder, some: Split) -> Evaluation:
    return evaluate(brief_model, some)


@pytest.fixture(scope="module")
def seen(brief_model: SparseAutoencoder, some: Split) -> dict[str, np.ndarray]:
    """The model's outputs on these digits, as doubles."""
    with torch.no_grad():
        output = brief_model(as_floats(some.images))
    return {
        "x": some.images.numpy().reshape(-1, 784) / 255.0,
        "y": output.reconstruction.flatten(1).double().numpy(),
        "z": output.latents.double().numpy(),
    }


def fvu(x: np.ndarray, y: np.ndarray) -> float:
    return ((x - y) ** 2).sum() / ((x - x.mean(0)) ** 2).sum()


def test_reconstruction_metrics(measured: Evaluation, seen: dict[str, np.ndarray]) -> None:
    x, y = seen["x"], seen["y"]
    clipped = np.clip(y, 1e-30, 1 - 1e-7)
    assert measured.bce == pytest.approx(-(x * np.log(clipped) + (1 - x) * np.log(1 - clipped)).mean(), rel=1e-3)
    assert measured.mse == pytest.approx(((x - y) ** 2).mean(), rel=1e-4)
    assert measured.fvu == pytest.approx(fvu(x, y), rel=1e-4)


def test_codes_are_measured_class_by_class(measured: Evaluation, seen: dict[str, np.ndarray], some: Split) -> None:
    labels = some.labels.numpy()
    for label in range(10):
        z = np.abs(seen["z"][labels == label])
        assert measured.l0_by_class[label] == pytest.approx((z > 0).sum(1).mean(), rel=1e-4)
        assert measured.mean_activation_by_class[label] == pytest.approx(np.tanh(z / 2).mean(), rel=1e-4)
    assert len(measured.l0_by_class) == len(measured.mean_activation_by_class) == 10


def test_the_values_of_a_code_are_fitted_as_well_as_another_optimizer_does(digits: Split) -> None:
    model, images = load_variant("topk-10"), digits.images[:60]
    clean = as_floats(images)
    with torch.no_grad():
        z = model.encode(clean)
    values = z.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([values], max_iter=300, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = (model.decode(values.clamp_min(0) * (z > 0)) - clean).square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    x = clean.flatten(1).double().numpy()
    best = fvu(x, model.decode(values.detach().clamp_min(0) * (z > 0)).flatten(1).detach().double().numpy())
    assert fvu_refit(model, images) == pytest.approx(best, rel=0.01)
    assert fvu_refit(load_variant("lecture"), images) is None


def test_the_noise_of_an_evaluation_is_not_what_a_model_began_as() -> None:
    """From one seed both would be the same numbers, and noise would look like the atoms of a model."""
    for seed in (0, 1, 42):
        torch.manual_seed(seed)
        first = SparseAutoencoder(latent_dim=900).network.atoms.detach()
        noise = torch.randn(900, 784, generator=torch.Generator().manual_seed(NOISE_SEED))
        assert torch.nn.functional.cosine_similarity(first, noise).abs().max() < 0.25


def test_sparsity_metrics(measured: Evaluation, seen: dict[str, np.ndarray]) -> None:
    magnitudes = np.abs(seen["z"])
    activations = 2 / (1 + np.exp(-magnitudes)) - 1
    assert measured.mean_activation == pytest.approx(activations.mean(), rel=1e-4)
    assert measured.l0 == pytest.approx((magnitudes > 0).sum(1).mean(), rel=1e-4)
    assert measured.effective_l0 == pytest.approx((magnitudes.sum(1) ** 2 / (magnitudes**2).sum(1)).mean(), rel=1e-4)
    largest = np.argsort(-magnitudes, axis=1)[:, :25]
    alive = {latent for row, chosen in zip(magnitudes, largest, strict=True) for latent in chosen if row[latent] > 0}
    assert measured.dead_fraction == pytest.approx(1 - len(alive) / 200, abs=1e-3)
    shares = np.histogram(activations, bins=10, range=(0, 1))[0] / activations.size
    np.testing.assert_allclose(measured.activation_histogram, shares, atol=1e-4)
    shares = np.histogram(activations.mean(0), bins=10, range=(0, 1))[0] / 200
    np.testing.assert_allclose(measured.latent_histogram, shares, atol=2 / 200)


def test_keeping_the_largest_latents(
    measured: Evaluation, seen: dict[str, np.ndarray], brief_model: SparseAutoencoder
) -> None:
    for k, value in measured.fvu_top_k.items():
        cut = np.sort(np.abs(seen["z"]), axis=1)[:, -int(k)][:, None]
        kept = np.where(np.abs(seen["z"]) >= cut, seen["z"], 0)
        with torch.no_grad():
            y = brief_model.decode(torch.from_numpy(kept).float()).flatten(1).double().numpy()
        assert value == pytest.approx(fvu(seen["x"], y), rel=1e-3)
    assert list(measured.fvu_top_k) == ["10", "25", "50", "100"]
    values = list(measured.fvu_top_k.values())
    assert values == sorted(values, reverse=True)


def test_denoising_is_measured_against_the_clean_image(
    measured: Evaluation, brief_model: SparseAutoencoder, some: Split
) -> None:
    """The noise is drawn in batches of 1,000 images, level by level, from one seed."""
    errors = dict.fromkeys(NOISE_LEVELS, 0.0)
    generator = torch.Generator().manual_seed(NOISE_SEED)
    for batch in some.images.split(1000):
        clean = batch.float() / 255
        for sigma in NOISE_LEVELS:
            noisy = clean + sigma * torch.randn(clean.shape, generator=generator)
            with torch.no_grad():
                errors[sigma] += (brief_model(noisy).reconstruction - clean).square().mean((1, 2, 3)).sum().item()
    expected = {f"{sigma:g}": error / len(some.images) for sigma, error in errors.items()}
    assert list(measured.denoise_mse) == ["0.1", "0.2", "0.3", "0.4", "0.5"]
    assert measured.denoise_mse == pytest.approx(expected, rel=1e-4)


def test_a_level_of_noise_is_the_same_whatever_else_is_measured(
    measured: Evaluation, brief_model: SparseAutoencoder, some: Split
) -> None:
    """In several batches."""
    quick = evaluate(brief_model, some, measure="quick")
    for name in ("denoise_mse", "noisy_mse"):
        assert getattr(quick, name) == {"0.3": getattr(measured, name)["0.3"]}
    assert (quick.fvu_refit, quick.fvu, quick.l0_by_class) == (None, measured.fvu, measured.l0_by_class)


def test_the_models_mode_is_left_as_it_was(tiny_model: SparseAutoencoder, digits: Split) -> None:
    for training in (True, False):
        tiny_model.train(training)
        evaluate(tiny_model, Split(digits.images[:20], digits.labels[:20]))
        assert tiny_model.training is training
        with pytest.raises(ValueError, match="all alike"):
            evaluate(tiny_model, Split(digits.images[:1], digits.labels[:1]))
        assert tiny_model.training is training


@pytest.mark.parametrize(("images", "labels"), [(0, 0), (5, 4)])
def test_images_and_labels_must_match(tiny_model: SparseAutoencoder, digits: Split, images: int, labels: int) -> None:
    with pytest.raises(ValueError, match="needs rows and a label for each"):
        evaluate(tiny_model, Split(digits.images[:images], digits.labels[:labels]))


def test_images_that_are_all_alike_have_no_variance_to_explain(tiny_model: SparseAutoencoder, digits: Split) -> None:
    with pytest.raises(ValueError, match="all alike"):
        evaluate(tiny_model, Split(digits.images[:1], digits.labels[:1]))


def test_classifiers_are_measured_where_there_are_images_to_fit_them_on(
    measured: Evaluation, brief_model: SparseAutoencoder, training_digits: Split, some: Split
) -> None:
    assert measured.probe_error == {}
    train, test = Split(*(values[:1500] for values in training_digits)), Split(*(values[:500] for values in some))
    probed = evaluate(brief_model, test, train)

    def activations(images: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return unit_activation(brief_model.encode(as_floats(images)))

    assert probed.probe_error == pytest.approx(probe_errors(activations, train, test), abs=0.01)
    assert 0 < probed.probe_error["all"] < probed.probe_error["100"] < 0.5
    assert replace(probed, probe_error={}) == evaluate(brief_model, test)


def test_a_k_that_is_asked_for_is_kept_in_all_that_is_measured(digits: Split, training_digits: Split) -> None:
    train, test = Split(*(values[:100] for values in training_digits)), Split(*(values[:60] for values in digits))
    torch.manual_seed(0)
    model = SparseAutoencoder(latent_dim=40, sparsity=AdaptiveTopK(7)).eval()
    fixed, exact = (SparseAutoencoder(latent_dim=40, sparsity=method(3)).eval() for method in (AdaptiveTopK, TopK))
    fixed.load_state_dict(model.state_dict())
    exact.load_state_dict(model.state_dict())
    asked, alone = evaluate(model, test, train, k=3), evaluate(fixed, test, train)
    for name in ("bce", "fvu", "denoise_mse", "mean_activation", "l0", "effective_l0", "dead_fraction", "probe_error"):
        assert getattr(asked, name) == getattr(alone, name), name
    assert asked.l0 <= 3 < evaluate(model, test).l0 <= 7
    assert evaluate(fixed, test, k=7).dead_fraction == evaluate(model, test).dead_fraction  # of as many largest ones
    # Only a model for every k has more latents to give than it keeps.
    assert asked.fvu_top_k == {}
    assert len(set(alone.fvu_top_k.values())) > 1
    of_exact = evaluate(exact, test)
    assert set(of_exact.fvu_top_k.values()) == {of_exact.fvu}
