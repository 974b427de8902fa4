"""The model, whatever its architecture: shapes and ranges, the k that is kept, and error messages."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
import torch

from sae_model import L1, AdaptiveTopK, Dense, SparseAutoencoder, Sparsity, TopK, keep_top_k, unit_activation
from sae_model.architectures import ARCHITECTURES
from sae_model.methods import AdaptiveL1, BatchTopK, JumpReLU


@pytest.fixture(params=ARCHITECTURES)
def any_model(request: pytest.FixtureRequest) -> SparseAutoencoder:
    """A small model of each architecture, with random weights."""
    torch.manual_seed(1)
    return SparseAutoencoder(latent_dim=30, sparsity=L1(0.1), architecture=request.param).eval()


def test_output_shapes_and_ranges(any_model: SparseAutoencoder) -> None:
    images = torch.rand(5, 1, 28, 28)
    reconstruction, latents, activations = any_model(images)
    assert reconstruction.shape == images.shape
    assert latents.shape == activations.shape == (5, 30)
    assert ((reconstruction >= 0) & (reconstruction <= 1)).all()
    torch.testing.assert_close(activations, unit_activation(latents))
    torch.testing.assert_close(reconstruction, any_model.decode(any_model.encode(images)))
    torch.testing.assert_close(reconstruction, any_model.logits(latents).sigmoid())


def test_every_parameter_gets_a_gradient(any_model: SparseAutoencoder) -> None:
    output = any_model.train()(torch.rand(64, 1, 28, 28))
    (output.reconstruction.square().mean() + L1(1.0).penalty(output.latents)).backward()
    for name, parameter in any_model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_images_of_another_shape_and_bytes_are_refused(any_model: SparseAutoencoder) -> None:
    for shape in ((28, 28), (1, 28, 28), (2, 3, 28, 28), (2, 1, 32, 32), (2, 784)):
        with pytest.raises(ValueError, match=r"Images come as \(batch, 1, 28, 28\); got \("):
            any_model(torch.rand(shape))
    with pytest.raises(ValueError, match="divide bytes by 255"):
        any_model(torch.zeros(2, 1, 28, 28, dtype=torch.uint8))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_images_and_latents_of_another_precision_are_converted(
    any_model: SparseAutoencoder, dtype: torch.dtype
) -> None:
    images = torch.rand(2, 1, 28, 28).to(dtype)
    reconstruction, latents, _ = any_model(images)
    assert latents.dtype == reconstruction.dtype == torch.float32
    assert torch.equal(latents, any_model.encode(images.float()))
    assert torch.equal(any_model.decode(latents.to(dtype)), any_model.decode(latents.to(dtype).float()))
    assert any_model.double()(images).reconstruction.dtype == torch.float64


@pytest.mark.parametrize(("output", "shape"), [("sigmoid", (1, 4, 4)), ("linear", (16, 1, 1))])
def test_a_model_works_in_every_precision_and_can_be_pickled(output: str, shape: tuple) -> None:
    model = SparseAutoencoder(20, L1(0.1), image_shape=shape, output=output).eval()
    images = torch.rand(2, *shape)
    for dtype, tolerance in ((torch.float64, 1e-5), (torch.float16, 2e-2), (torch.bfloat16, 0.1)):
        reconstruction = copy.deepcopy(model).to(dtype)(images).reconstruction
        assert reconstruction.dtype == dtype
        torch.testing.assert_close(reconstruction.float(), model(images).reconstruction, atol=tolerance, rtol=0)
    assert torch.equal(pickle.loads(pickle.dumps(model))(images).latents, model(images).latents)
    double = images.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda images: model.double()(images).reconstruction, double)


def test_latents_of_another_shape_are_refused(any_model: SparseAutoencoder) -> None:
    for wrong in (torch.rand(2, 29), torch.rand(30)):
        with pytest.raises(ValueError, match=r"Latents come as \(batch, 30\); got \("):
            any_model.decode(wrong)


SIZES = [0, -1, 2.5, "900", None, True]
SHAPES = [(28, 28), (1, 1, 28, 28), 28, "abc", None, *((1, 28, size) for size in SIZES)]
WRONG = {
    "latent_dim": (SIZES, "latent_dim is a whole number of at least 1"),
    "image_shape": (SHAPES, r"image_shape is .channels, height, width., each at least 1"),
    "architecture": (["deep", "", None, 5, ["lecture"]], r"Unknown architecture: .* Known ones: dictionary, lecture\."),
    "output": (["tanh", None], r"Unknown output: .* Known ones: sigmoid, linear\."),
    "step_loss": (["l1", None], r"Unknown step loss: .* Known ones: bce, mse\."),
    "steps": ([-1, 101, 2.5], "steps is a whole number from 0 to 100; got"),
    "sparsity": ([TopK(901), AdaptiveTopK(901)], "k is at most the number of latents, 900; got 901"),
}


@pytest.mark.parametrize("argument", WRONG)
def test_only_what_there_is_can_be_asked_for(argument: str) -> None:
    values, words = WRONG[argument]
    for value in values:
        with pytest.raises(ValueError, match=words):
            SparseAutoencoder(**{argument: value})


def test_every_model_can_be_asked_for_its_largest_latents(any_model: SparseAutoencoder) -> None:
    images = torch.rand(9, 1, 28, 28)
    for k in (1, 3, torch.arange(1, 10)):
        assert torch.equal(any_model.encode(images, k=k), keep_top_k(any_model.encode(images), k))
    with pytest.raises(ValueError, match="k lies between 1 and the number of latents, 30; got 31"):
        any_model.encode(images, k=31)


def test_a_model_for_every_beta_takes_any_in_its_range_and_others_take_none() -> None:
    model, images = SparseAutoencoder(latent_dim=30, sparsity=AdaptiveL1()).eval(), torch.rand(9, 1, 28, 28)
    for beta in (0.03, 0.5, 10, np.float32(1.0), torch.full((9,), 2.0), torch.tensor(3.0)):
        assert model.encode(images, beta=beta).shape == (9, 30)
    no_numbers = (math.nan, math.inf, "1", True, [1.0], torch.ones(8), torch.ones(9, dtype=torch.int64))
    for beta in (0.02, 11.0, -1, 0, *no_numbers):
        with pytest.raises(ValueError, match=r"^beta (lies between 0\.03 and 10|is one number)") as caught:
            model.encode(images, beta=beta)
        assert "\n" not in str(caught.value)
    for sparsity in (L1(1.0), TopK(4), Dense(), BatchTopK(4)):
        with pytest.raises(ValueError, match="has one beta: leave beta out"):
            SparseAutoencoder(latent_dim=30, sparsity=sparsity).eval().encode(images, beta=1.0)


@pytest.mark.parametrize("sparsity", [BatchTopK(4), JumpReLU(1.0)])
def test_latents_below_their_threshold_are_off(sparsity: Sparsity) -> None:
    model = SparseAutoencoder(latent_dim=30, sparsity=sparsity).eval()
    images = torch.rand(9, 1, 28, 28)
    with torch.no_grad():
        model.threshold.fill_(1e6)
        assert model.encode(images).count_nonzero() == 0
        before = model.network.encode(images)
        model.threshold.copy_(before.median(0).values)
        expected = (before > before.median(0).values).sum(1)
        assert (model.encode(images).count_nonzero(1) <= expected).all()
    assert "threshold" in model.state_dict()
