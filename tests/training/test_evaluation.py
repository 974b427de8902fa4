"""Every figure against an independent numpy computation."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from sae_model import SparseAutoencoder
from training.data import Split, as_floats
from training.evaluation import NOISE_LEVELS, Evaluation, evaluate


@pytest.fixture(scope="module")
def measured(brief_model: SparseAutoencoder, digits: Split) -> Evaluation:
    return evaluate(brief_model, digits.images, digits.labels)


@pytest.fixture(scope="module")
def seen(brief_model: SparseAutoencoder, digits: Split) -> dict[str, np.ndarray]:
    """The model's outputs on all test digits, as doubles."""
    with torch.no_grad():
        output = brief_model(as_floats(digits.images))
    return {
        "x": digits.images.numpy().reshape(-1, 784) / 255.0,
        "y": output.reconstruction.flatten(1).double().numpy(),
        "z": output.latents.double().numpy(),
    }


def fvu(x: np.ndarray, y: np.ndarray) -> float:
    return ((x - y) ** 2).sum() / ((x - x.mean(0)) ** 2).sum()


def test_reconstruction_figures(measured: Evaluation, seen: dict[str, np.ndarray]) -> None:
    x, y = seen["x"], seen["y"]
    clipped = np.clip(y, 1e-30, 1 - 1e-7)
    assert measured.bce == pytest.approx(-(x * np.log(clipped) + (1 - x) * np.log(1 - clipped)).mean(), rel=1e-3)
    assert measured.mse == pytest.approx(((x - y) ** 2).mean(), rel=1e-4)
    assert measured.fvu == pytest.approx(fvu(x, y), rel=1e-4)


def test_sparsity_figures(measured: Evaluation, seen: dict[str, np.ndarray]) -> None:
    magnitudes = np.abs(seen["z"])
    activations = 2 / (1 + np.exp(-magnitudes)) - 1
    assert measured.mean_activation == pytest.approx(activations.mean(), rel=1e-4)
    assert measured.l0 == pytest.approx((magnitudes > 0).sum(1).mean(), rel=1e-4)
    assert measured.effective_l0 == pytest.approx((magnitudes.sum(1) ** 2 / (magnitudes**2).sum(1)).mean(), rel=1e-4)
    largest = np.argsort(-magnitudes, axis=1)[:, :25]
    assert measured.dead_fraction == pytest.approx(1 - len(np.unique(largest)) / 900, abs=1e-3)
    shares = np.histogram(activations, bins=10, range=(0, 1))[0] / activations.size
    np.testing.assert_allclose(measured.activation_histogram, shares, atol=1e-4)
    shares = np.histogram(activations.mean(0), bins=10, range=(0, 1))[0] / 900
    np.testing.assert_allclose(measured.latent_histogram, shares, atol=2 / 900)


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


def test_denoising_against_noise_of_numpy(measured: Evaluation, brief_model: SparseAutoencoder, digits: Split) -> None:
    """Other noise of the same sigma must give the same mean error, up to chance (0.7% of it)."""
    clean = digits.images.numpy() / 255.0
    for sigma in NOISE_LEVELS:
        noisy = clean + np.random.default_rng(1).normal(0, sigma, clean.shape)
        with torch.no_grad():
            y = brief_model(torch.from_numpy(noisy).float()).reconstruction.double().numpy()
        assert measured.denoise_mse[f"{sigma:g}"] == pytest.approx(((y - clean) ** 2).mean(), rel=0.03)
    assert list(measured.denoise_mse) == ["0.1", "0.2", "0.3", "0.4", "0.5"]


def test_order_does_not_matter_and_floats_are_as_good_as_bytes(
    measured: Evaluation, brief_model: SparseAutoencoder, digits: Split
) -> None:
    images, labels = digits.images.flip(0).float() / 255, digits.labels.flip(0)
    turned = evaluate(brief_model, images, labels)
    for name in ("bce", "fvu", "mean_activation", "effective_l0", "l0", "dead_fraction"):
        assert getattr(turned, name) == pytest.approx(getattr(measured, name), rel=1e-4, abs=1e-4), name


def test_json_comes_back_whole(measured: Evaluation, tmp_path: object) -> None:
    path = tmp_path / "evaluation.json"
    path.write_text(measured.to_json())
    assert Evaluation.read(path) == measured
    promised = {
        "bce",
        "mse",
        "fvu",
        "denoise_mse",
        "mean_activation",
        "effective_l0",
        "l0",
        "dead_fraction",
        "fvu_top_k",
    }
    assert promised <= json.loads(measured.to_json()).keys()


def test_the_models_mode_is_left_as_it_was(tiny_model: SparseAutoencoder, digits: Split) -> None:
    for training in (True, False):
        tiny_model.train(training)
        evaluate(tiny_model, digits.images[:20], digits.labels[:20])
        assert tiny_model.training is training


@pytest.mark.parametrize(("images", "labels"), [(0, 0), (5, 4)])
def test_images_and_labels_must_match(tiny_model: SparseAutoencoder, digits: Split, images: int, labels: int) -> None:
    with pytest.raises(ValueError, match="needs images and a label for each"):
        evaluate(tiny_model, digits.images[:images], digits.labels[:labels])


def test_images_that_are_all_alike_have_no_variance_to_explain(tiny_model: SparseAutoencoder, digits: Split) -> None:
    with pytest.raises(ValueError, match="all alike"):
        evaluate(tiny_model, digits.images[:1], digits.labels[:1])
