"""The model: shapes and ranges, gradients, and the scale game that must stay closed."""

from __future__ import annotations

import pytest
import torch

from sae_model import L1, AdaptiveTopK, SparseAutoencoder, TopK, keep_top_k, unit_activation
from training.data import Split, as_floats


def test_output_shapes_and_ranges(tiny_model: SparseAutoencoder) -> None:
    images = torch.rand(5, 1, 28, 28)
    reconstruction, latents, activations = tiny_model(images)
    assert reconstruction.shape == images.shape
    assert latents.shape == activations.shape == (5, 30)
    assert ((reconstruction >= 0) & (reconstruction <= 1)).all()
    torch.testing.assert_close(activations, unit_activation(latents))
    torch.testing.assert_close(reconstruction, tiny_model.decode(tiny_model.encode(images)))


def test_by_default_there_are_more_latents_than_pixels() -> None:
    model = SparseAutoencoder()
    assert model.latent_dim == 900
    assert model.encode(torch.rand(1, 1, 28, 28)).shape == (1, 900)


def test_an_image_does_not_depend_on_its_batch(brief_model: SparseAutoencoder, digits: Split) -> None:
    images = as_floats(digits.images[:8])
    together = brief_model(images).reconstruction
    alone = torch.cat([brief_model(image[None]).reconstruction for image in images])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_every_parameter_gets_a_gradient(tiny_model: SparseAutoencoder) -> None:
    output = tiny_model(torch.rand(16, 1, 28, 28))
    (output.reconstruction.square().mean() + L1(1.0).penalty(output.latents)).backward()
    for name, parameter in tiny_model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_decoder_weights_cannot_grow_to_let_latents_shrink(tiny_model: SparseAutoencoder) -> None:
    latents = torch.randn(4, 30)
    before = tiny_model.decode(latents)
    with torch.no_grad():
        tiny_model.decoder.to_hidden.weight.mul_(10)
        tiny_model.decoder.to_pixels.weight.mul_(10)
    torch.testing.assert_close(tiny_model.decode(latents), before)


def test_small_latents_are_exactly_off_and_signs_survive(tiny_model: SparseAutoencoder) -> None:
    images = torch.rand(64, 1, 28, 28)
    with torch.no_grad():
        tiny_model.encoder.threshold.zero_()
        raw = tiny_model.encode(images)
        threshold = raw.abs().median()
        tiny_model.encoder.threshold.fill_(threshold)
        thresholded = tiny_model.encode(images)
    off = raw.abs() <= threshold
    assert (thresholded[off] == 0).all()
    torch.testing.assert_close(thresholded[~off], (raw - raw.sign() * threshold)[~off])


@pytest.mark.parametrize("shape", [(28, 28), (1, 28, 28), (2, 3, 28, 28), (2, 1, 32, 32), (2, 784)])
def test_images_of_another_shape_are_refused_in_a_sentence(tiny_model: SparseAutoencoder, shape: tuple) -> None:
    with pytest.raises(ValueError, match=r"Images come as \(batch, 1, 28, 28\); got"):
        tiny_model(torch.rand(shape))


def test_bytes_are_refused_in_a_sentence(tiny_model: SparseAutoencoder, digits: Split) -> None:
    with pytest.raises(ValueError, match="divide bytes by 255"):
        tiny_model(digits.images[:2])


def test_latents_of_another_shape_are_refused_in_a_sentence(tiny_model: SparseAutoencoder) -> None:
    with pytest.raises(ValueError, match=r"Latents come as \(batch, 30\); got \(2, 29\)"):
        tiny_model.decode(torch.rand(2, 29))


@pytest.mark.parametrize("size", [0, -1, 2.5, "900", None, True])
@pytest.mark.parametrize("name", ["latent_dim", "hidden_dim"])
def test_sizes_must_be_positive_whole_numbers(name: str, size: object) -> None:
    with pytest.raises(ValueError, match=f"{name} is a whole number of at least 1"):
        SparseAutoencoder(**{name: size})


def test_a_top_k_model_keeps_its_k_and_any_other_on_request() -> None:
    model = SparseAutoencoder(latent_dim=50, hidden_dim=16, sparsity=TopK(4)).eval()
    images = torch.rand(9, 1, 28, 28)
    assert (model.encode(images).count_nonzero(1) == 4).all()
    for k in (1, 7, 50):
        assert torch.equal(model.encode(images, k=k), keep_top_k(model.encoder(images), k))


def test_every_model_can_be_asked_for_its_largest_latents(tiny_model: SparseAutoencoder) -> None:
    images = torch.rand(9, 1, 28, 28)
    assert (tiny_model.encode(images, k=3).count_nonzero(1) <= 3).all()
    with pytest.raises(ValueError, match="k lies between 1 and the number of latents, 30; got 31"):
        tiny_model.encode(images, k=31)


@pytest.mark.parametrize("way", [TopK, AdaptiveTopK])
def test_a_k_above_the_number_of_latents_is_refused(way: type) -> None:
    with pytest.raises(ValueError, match="k is at most the number of latents, 30; got 31"):
        SparseAutoencoder(latent_dim=30, hidden_dim=16, sparsity=way(31))
