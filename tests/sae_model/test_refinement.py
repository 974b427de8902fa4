"""The refinement: its objective never rises, it keeps within what the method allows, and it finds known codes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sae_model import L1, AdaptiveTopK, Dense, SparseAutoencoder, TopK, effective_l0, load_variant
from sae_model.methods import AdaptiveL1, BatchTopK, JumpReLU, KLPerImage, KLPerNeuron, Matryoshka
from sae_model.outputs import OUTPUTS
from sae_model.refinement import MOST_PRODUCTS, Decoder, Refinement, atoms_to_collect, fit_values, refine
from training.data import Split, add_noise, as_floats


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def a_decoder(kind: str = "sigmoid", latent_dim: int = 40, pixels: int = 30, seed: int = 0) -> Decoder:
    generator = torch.Generator().manual_seed(seed)
    atoms = torch.nn.functional.normalize(torch.randn(latent_dim, pixels, generator=generator), dim=1)
    length = 2.0 if kind == "sigmoid" else 1.0
    return Decoder(length * atoms, torch.randn(pixels, generator=generator) / 4, OUTPUTS[kind], length)


def objective(x: torch.Tensor, z: torch.Tensor, decoder: Decoder, beta: float) -> np.ndarray:
    """F of each image, worked out with numpy."""
    d, b, x, z = (t.double().numpy() for t in (decoder.dictionary, decoder.bias, x, z))
    logits = b + z @ d
    sigmoid = decoder.output is OUTPUTS["sigmoid"]
    rebuilt = 1 / (1 + np.exp(-logits)) if sigmoid else logits
    weight = beta * (0.12 * x.shape[1] if sigmoid else 0.5) / z.shape[1]
    return ((x - rebuilt) ** 2).sum(1) / 2 + weight * np.tanh(z / 2).sum(1)


@pytest.mark.parametrize("kind", OUTPUTS)
@pytest.mark.parametrize("beta", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("on", [3, 30])
def test_the_objective_of_no_image_rises_and_no_more_latents_are_on(kind: str, beta: float, on: int) -> None:
    decoder = a_decoder(kind)
    x, z = torch.rand(50, 30), torch.zeros(50, 40)
    z[:, :on] = torch.rand(50, on) * 3
    z[0] = 0  # an image without a code keeps none
    for refinement in (Refinement(5, beta=beta), Refinement(5, rounds=3, beta=beta), Refinement(0, rounds=2)):
        better = refine(x, z, decoder, refinement)
        used = beta if refinement.beta else 0.0
        assert (objective(x, better, decoder, used) <= objective(x, z, decoder, used) + 1e-5).all()
        assert (better >= 0).all()
        assert (better.count_nonzero(1) <= z.count_nonzero(1)).all()
        if refinement.rounds == 0:
            assert ((better > 0) <= (z > 0)).all()  # the same latents


@pytest.mark.parametrize("name", ["batch-topk", "jumprelu", "adaptive-topk"])
def test_the_code_of_an_image_does_not_depend_on_its_batch(name: str, digits: Split) -> None:
    """Images differ in how many latents they have on, and so in how many steps they are given."""
    model = load_variant(name).double()
    images = add_noise(as_floats(digits.images[:40]), 0.15, torch.Generator().manual_seed(0)).double()
    with torch.inference_mode():
        together = model.encode(images)
        alone = torch.cat([model.encode(image[None]) for image in images])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-8)


def test_collected_atoms_and_all_atoms_give_the_same_code() -> None:
    decoder = a_decoder(latent_dim=400)
    x, z = torch.rand(20, 30), torch.zeros(20, 400)
    z[:, 5:12] = torch.rand(20, 7)
    assert atoms_to_collect(z) == 7
    assert atoms_to_collect(z + 1) is None
    each = torch.ones(20, 1)
    start = x, z, 0.1 * each, 6 * each, decoder
    torch.testing.assert_close(fit_values(*start, most=None).latents, fit_values(*start, most=7).latents)


def test_a_wrong_choice_is_revised() -> None:
    """An image of one atom, whose code names another one."""
    decoder = a_decoder("linear", latent_dim=20, pixels=200)
    true, wrong = torch.zeros(4, 20), torch.zeros(4, 20)
    true[torch.arange(4), torch.arange(4)] = 2.0
    wrong[:, 10] = 1.0
    x = decoder.bias + true @ decoder.dictionary
    found = refine(x, wrong, decoder, Refinement(8, rounds=2))
    torch.testing.assert_close(found, true, atol=1e-2, rtol=0)


def test_each_image_is_refined_alone_and_gets_its_own_steps_and_beta() -> None:
    decoder = a_decoder()
    x, z = torch.rand(6, 30), torch.rand(6, 40) * (torch.rand(6, 40) < 0.2)
    beta, steps = torch.linspace(0, 3, 6).unsqueeze(1), torch.arange(6).unsqueeze(1)
    together = refine(x, z, decoder, Refinement(steps, 2, beta))
    for i in range(6):
        alone = refine(x[i : i + 1], z[i : i + 1], decoder, Refinement(i, 2, beta[i].item()))
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-4)


def test_an_image_with_many_latents_on_gets_fewer_steps() -> None:
    """So that the cost of an image is bounded, whatever its code is."""
    decoder = a_decoder(latent_dim=40)
    x, z = torch.rand(8, 30), (torch.rand(8, 40) + 0.1) * (torch.arange(40) < 10)
    most = MOST_PRODUCTS * 40 // (2 * 10) - 1
    torch.testing.assert_close(refine(x, z, decoder, Refinement(50)), refine(x, z, decoder, Refinement(most)))
    assert not torch.equal(refine(x, z, decoder, Refinement(most)), refine(x, z, decoder, Refinement(most - 1)))


def multiply_adds(model: SparseAutoencoder, images: torch.Tensor, **asked: float) -> torch.Tensor:
    """What encoding and decoding each image costs at most, (batch,), where zeros are skipped in products with D."""
    atom, whole = 784, 784 * 900
    with torch.no_grad():
        code = model.train().encode(images, **asked)
        model.eval()
    count = code.count_nonzero(1) if model.threshold is None else (code > model.threshold).sum(1)
    refinement = model.sparsity.refinement(*(torch.full((len(images),), b) for b in [asked.get("beta")] if b))
    cost = whole + model.network.STEPS * (whole + (atom * 900 if model.sparsity.default_k is None else atom * count))
    cost = cost + atom * count  # decoding
    if refinement is None:
        return cost
    steps = torch.as_tensor(refinement.steps).flatten()
    affordable = (MOST_PRODUCTS * 900 // (2 * (refinement.rounds + 1) * count.clamp_min(1)) - 1).clamp_min(0)
    each = 2 * atom * count * (steps.minimum(affordable) + 1)
    return cost + (refinement.rounds + 1) * each + refinement.rounds * whole


OF_ONE = ("dense", "l1-0.3", "l1-1", "topk-10", "topk-50", "kl-image-0.2")


@pytest.mark.parametrize(
    ("name", "asked"),
    [*((name, {}) for name in OF_ONE), *(("adaptive-topk", {"k": k}) for k in (10, 25, 50, 100, 200))],
)
def test_an_image_of_784_pixels_costs_at_most_10_million_multiply_adds(name: str, asked: dict, digits: Split) -> None:
    model = load_variant(name)
    for sigma in (0.0, 0.3):
        images = add_noise(as_floats(digits.images[:200]), sigma, torch.Generator().manual_seed(1))
        assert multiply_adds(model, images, **asked).max() <= 10e6


def test_refining_helps_and_is_no_part_of_training(digits: Split) -> None:
    images = as_floats(digits.images[:500])
    noisy = add_noise(images, 0.3, torch.Generator().manual_seed(5))
    for name in ("topk-10", "topk-25", "l1-3"):
        model = load_variant(name)
        with torch.no_grad():
            for seen in (images, noisy):  # under noise too, which steps on the cross-entropy would follow
                refined, plain = (model.decode(model.train(mode).encode(seen)) for mode in (False, True))
                assert (refined - images).square().mean() < 0.8 * (plain - images).square().mean()


def test_methods_that_are_to_copy_or_state_a_rate_are_not_refined() -> None:
    for method in (Dense(), L1(0.0), L1(0.1), L1(0.3), KLPerImage(), KLPerNeuron()):
        assert method.refinement() is None
    for method in (L1(1.0), TopK(), AdaptiveTopK(), BatchTopK(), JumpReLU(), Matryoshka(), AdaptiveL1()):
        assert method.refinement() is not None
    steps = [int(AdaptiveL1().refinement(torch.tensor([beta])).steps) for beta in (0.03, 0.3, 0.5, 1.0, 10.0)]
    assert steps == sorted(steps)
    assert steps[1] == 0 < steps[2] < steps[3] == steps[4] == L1(5.0).refinement().steps


def test_the_gradient_goes_through_a_refined_code(digits: Split) -> None:
    model = load_variant("topk-25")
    images = as_floats(digits.images[:2]).requires_grad_()
    model.decode(model.encode(images)).sum().backward()
    assert images.grad.isfinite().all()
    assert images.grad.abs().sum() > 0


def test_half_and_double_precision_are_refined_too(digits: Split) -> None:
    images, model = as_floats(digits.images[:20]), load_variant("topk-25")
    single = model(images).reconstruction
    for dtype, bar in ((torch.float64, 1e-4), (torch.bfloat16, 5e-3)):
        other = model.to(dtype)(images).reconstruction
        assert other.dtype == dtype
        assert (single - other.float()).square().mean() < bar


def test_a_code_of_an_empty_batch_is_empty() -> None:
    assert load_variant("topk-25").encode(torch.zeros(0, 1, 28, 28)).shape == (0, 900)
    assert math.isfinite(effective_l0(load_variant("l1-1").encode(torch.zeros(1, 1, 28, 28))).item())
