"""The architectures against independent computations: the dictionary with its encoder, the lecture's network."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from sae_model import AdaptiveTopK, Dense, SparseAutoencoder, TopK
from sae_model.architectures import Dictionary
from sae_model.methods import AdaptiveL1

KINDS = {
    "dense": {"sparsity": Dense()},
    "topk": {"sparsity": TopK(5)},
    "adaptive-topk": {"sparsity": AdaptiveTopK(5)},
    "steps on the squared error": {"sparsity": Dense(), "step_loss": "mse"},
    "in colour": {"sparsity": TopK(5), "image_shape": (3, 16, 20)},
}


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def drawn(request: pytest.FixtureRequest) -> SparseAutoencoder:
    return drawn_model(**request.param)


def drawn_model(**arguments: object) -> SparseAutoencoder:
    """A dictionary all of whose weights are drawn, each of a size that matters to the result: so do lengths of atoms.

    Else decoder weights could grow to let latents shrink.
    """
    torch.manual_seed(3)
    model = SparseAutoencoder(latent_dim=40, **arguments).eval()
    network = model.network
    with torch.no_grad():
        network.atoms.copy_(torch.randn(network.atoms.shape) * torch.rand(40, 1).mul(4).exp())
        network.bias.normal_()
        network.first.weight.normal_(std=0.1)
        network.first.bias.normal_()
        steps = torch.linspace(-4, -3, len(network.log_step))
        network.log_step.copy_(steps.reshape(-1, *[1] * (network.log_step.ndim - 1)).expand_as(network.log_step))
        network.threshold.uniform_(-0.1, 0.3)
    return model


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


def in_numpy(model: SparseAutoencoder) -> dict[str, np.ndarray]:
    """Its weights as doubles, and D worked out of them."""
    weights = {name.removeprefix("network."): w.double().numpy() for name, w in model.state_dict().items()}
    lengths = np.linalg.norm(weights["atoms"], axis=1, keepdims=True)
    size = weights["atoms"].shape[1] / 784
    return weights | {"D": Dictionary.ATOM_LENGTH["sigmoid"] * size**0.5 * weights["atoms"] / lengths}


def largest(z: np.ndarray, k: np.ndarray) -> np.ndarray:
    """z with all but the k[i] largest of each row i set to zero."""
    kept = np.zeros_like(z)
    for row, one, number in zip(kept, z, k, strict=True):
        chosen = np.argsort(-np.abs(one))[:number]
        row[chosen] = one[chosen]
    return kept


def infer(model: SparseAutoencoder, images: torch.Tensor, k: np.ndarray | None) -> np.ndarray:
    """The formula of `Dictionary`'s docstring, in double precision."""
    w = in_numpy(model)
    x = images.flatten(1).double().numpy()
    z = np.maximum(x @ w["first.weight"].T + w["first.bias"], 0)
    for i in range(Dictionary.STEPS):
        y = z if k is None else largest(z, k)
        p = sigmoid(w["bias"] + y @ w["D"])
        residual = (x - p) * (1 if model.step_loss == "bce" else 4 * p * (1 - p))
        step = np.exp(w["log_step"][i]) * 784 / x.shape[1]
        z = np.maximum(y + step * residual @ w["D"].T - w["threshold"][i], 0)
    return z


def test_latents_are_those_of_the_formula(drawn: SparseAutoencoder) -> None:
    """Of the encoder, before a code is refined: so it is in training."""
    drawn.train()
    images = torch.rand(12, *drawn.image_shape)
    default = drawn.sparsity.default_k
    for k in (None, 1, 7, 40, np.arange(1, 13)):
        asked = torch.from_numpy(k) if isinstance(k, np.ndarray) else k
        kept = default if k is None else k
        each = None if kept is None else np.broadcast_to(kept, 12)
        within = each if default is not None else None  # only a model that was trained with a k keeps it in its steps
        expected = infer(drawn, images, within)
        expected = expected if each is None else largest(expected, each)
        with torch.no_grad():
            latents = drawn.encode(images, asked).double().numpy()
        assert (expected > 0).mean() > 0.02
        np.testing.assert_allclose(latents, expected, rtol=1e-4, atol=1e-4 * expected.max())
        assert (latents >= 0).all()


def test_an_encoder_for_every_beta_is_at_each_setting_a_plain_one_and_goes_evenly_between_them() -> None:
    adaptive, images = drawn_model(sparsity=AdaptiveL1()).train(), torch.rand(6, 1, 28, 28)
    plain = drawn_model(sparsity=Dense()).train()
    betas = AdaptiveL1.betas
    with torch.no_grad():
        for table in (adaptive.network.first_bias, adaptive.network.threshold, adaptive.network.log_step):
            table.add_(0.1 * torch.rand(table.shape))
        for i, beta in enumerate(betas):
            _as_at(plain, adaptive, [i])
            torch.testing.assert_close(adaptive.encode(images, beta=beta), plain.encode(images), rtol=1e-3, atol=1e-4)
        _as_at(plain, adaptive, [2, 3])
        between = torch.full((6,), math.sqrt(betas[2] * betas[3]))
        torch.testing.assert_close(adaptive.encode(images, beta=between), plain.encode(images), rtol=1e-3, atol=1e-4)
        mixed = torch.tensor([betas[0], betas[7]] * 3)
        rows = adaptive.encode(images, beta=mixed)
        torch.testing.assert_close(rows[1], adaptive.encode(images[1:2], beta=betas[7])[0], rtol=1e-3, atol=1e-4)


def _as_at(plain: SparseAutoencoder, adaptive: SparseAutoencoder, settings: list[int]) -> None:
    """Give a plain model the mean of some settings of an adaptive one."""
    mine, other = plain.network, adaptive.network
    mine.atoms.copy_(other.atoms)
    mine.bias.copy_(other.bias)
    mine.first.weight.copy_(other.first.weight)
    mine.first.bias.copy_(other.first.bias + other.first_bias[settings].mean(0))
    mine.threshold.copy_(other.threshold[:, settings].mean(1))
    mine.log_step.copy_(other.log_step[:, settings].mean(1))


def test_logits_are_a_bias_image_plus_latents_times_dictionary(drawn: SparseAutoencoder) -> None:
    w = in_numpy(drawn)
    z = np.random.default_rng(0).normal(size=(6, 40))
    with torch.no_grad():
        logits = drawn.logits(torch.from_numpy(z).float())
        bias_image = drawn.logits(torch.zeros(1, 40))
    assert logits.shape == (6, *drawn.image_shape)
    np.testing.assert_allclose(bias_image.flatten(), w["bias"], rtol=1e-5, atol=1e-6)
    expected = w["bias"] + z @ w["D"]
    np.testing.assert_allclose(logits.flatten(1), expected, rtol=1e-3, atol=1e-4)
    atoms = drawn.dictionary
    assert atoms.shape == (40, *drawn.image_shape)
    assert not atoms.requires_grad
    np.testing.assert_allclose(atoms.flatten(1), w["D"], rtol=1e-5, atol=1e-6)


def test_an_atom_of_zeros_does_no_harm() -> None:
    model = drawn_model(sparsity=Dense())
    with torch.no_grad():
        model.network.atoms[3] = 0
    output = model.train()(torch.rand(4, 1, 28, 28))
    output.reconstruction.mean().backward()
    assert output.reconstruction.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_first_weights_follow_from_images() -> None:
    """Half of each atom is an image less the mean, so it looks like one of them; noise alone does not."""
    images, network = torch.rand(50, 1, 28, 28), Dictionary(40, (1, 28, 28))
    images[:, :, :, :14] *= 0.1
    network.start_from(images, torch.Generator().manual_seed(1))
    torch.testing.assert_close(network.bias.sigmoid(), images.mean(0).flatten(), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(network.first.weight, network.atoms)
    centred = nn.functional.normalize(images.flatten(1) - images.flatten(1).mean(0), dim=1)
    assert (centred @ network.atoms.T).amax(0).min() > 0.5


@pytest.fixture
def lecture() -> SparseAutoencoder:
    torch.manual_seed(0)
    return SparseAutoencoder(architecture="lecture")


def test_the_lectures_layers_are_the_lectures(lecture: SparseAutoencoder) -> None:
    """Each convolution but the last one is followed by batch norm and a leaky ReLU; biases are there."""
    kinds = [type(module).__name__ for module in lecture.network.encoder]
    assert kinds == ["Conv2d", "BatchNorm2d", "LeakyReLU"] * 5 + ["Flatten", "Linear"]
    kinds = [type(module).__name__ for module in lecture.network.decoder]
    assert kinds == ["Linear", "Unflatten", *["ConvTranspose2d", "BatchNorm2d", "LeakyReLU"] * 5, "Conv2d"]
    assert sum(parameter.numel() for parameter in lecture.parameters()) == 4_405_861  # so kernels have their size


def test_the_lectures_network_has_no_atoms_and_one_shape(lecture: SparseAutoencoder) -> None:
    assert not lecture.is_linear
    assert SparseAutoencoder(latent_dim=5).is_linear
    with pytest.raises(ValueError, match=r"'lecture' is not linear: it has no atoms"):
        _ = lecture.dictionary
    for wrong in ({"image_shape": (1, 32, 32)}, {"output": "linear"}, {"steps": 0}, {"sparsity": AdaptiveL1()}):
        with pytest.raises(ValueError, match=r"takes images of \(1, 28, 28\), has a sigmoid output .*; got \(\("):
            SparseAutoencoder(architecture="lecture", **wrong)


@pytest.mark.parametrize("side", [14, 28, 56])
def test_the_first_weights_make_as_large_latents_of_large_images_as_of_small_ones(side: int) -> None:
    """A picture of four times as many pixels is twice as long, so the weights that read it are half as long."""
    network = Dictionary(20, (1, side, side))
    for _ in range(2):  # as they are at first, and taken from images
        assert torch.allclose(network.first.weight.norm(dim=1), torch.tensor(28 / side), rtol=1e-4)
        network.start_from(torch.rand(50, 1, side, side), torch.Generator().manual_seed(0))
