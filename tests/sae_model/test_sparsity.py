"""The maths, against closed forms and an independent numpy version, and its properties at the edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sae_model import (
    L1,
    AdaptiveTopK,
    Dense,
    KLPerImage,
    KLPerNeuron,
    TopK,
    bernoulli_kl,
    effective_l0,
    keep_top_k,
    load_balancing_loss,
    unit_activation,
)
from sae_model.methods import AdaptiveL1, BatchTopK, JumpReLU, Matryoshka
from sae_model.sparsity import count_above, jump_relu

latents_arrays = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12),
    elements=st.floats(-50, 50, width=32),
)


@given(latents_arrays)
def test_activation_is_the_lectures_map(latents: np.ndarray) -> None:
    expected = 2 * (1 / (1 + np.exp(-np.abs(latents.astype(np.float64)))) - 0.5)
    np.testing.assert_allclose(unit_activation(torch.from_numpy(latents)).numpy(), expected, atol=1e-6)


def bernoulli_kl_in_numpy(p: float, q: np.ndarray) -> np.ndarray:
    q = np.clip(q, 1e-6, 1 - 1e-6)
    return p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))


@given(st.floats(0, 1), st.floats(0, 1))
def test_kl_is_never_negative_nor_infinite(p: float, q: float) -> None:
    divergence = bernoulli_kl(p, torch.tensor(q))
    assert divergence >= 0
    assert divergence.isfinite()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_enough(dtype: torch.dtype) -> None:
    for rate in (0.0, 0.3, 1.0):
        divergence = bernoulli_kl(0.1, torch.tensor(rate, dtype=dtype))
        assert divergence.dtype == dtype
        assert divergence.item() == pytest.approx(bernoulli_kl(0.1, torch.tensor(rate)).item(), rel=0.01)
    assert effective_l0(torch.full((1, 900), 3.0, dtype=dtype)).item() == pytest.approx(900, rel=0.01)


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_kl_refuses_a_target_that_is_no_rate(p: float) -> None:
    with pytest.raises(ValueError, match="target rate lies between 0 and 1"):
        bernoulli_kl(p, torch.tensor(0.5))


EVERY_METHOD = [Dense(), L1(0.3), KLPerImage(0.1, 2.0), KLPerNeuron(0.1, 2.0), TopK(3), AdaptiveTopK()]


@given(latents_arrays, st.floats(0.01, 0.99), st.floats(0, 10))
def test_penalties_are_the_lectures_averages(latents: np.ndarray, p: float, beta: float) -> None:
    activations = np.tanh(np.abs(latents.astype(np.float64)) / 2)
    for method, cost in (
        (L1(beta), activations),
        (KLPerImage(p, beta), bernoulli_kl_in_numpy(p, activations.mean(1))),
        (KLPerNeuron(p, beta), bernoulli_kl_in_numpy(p, activations.mean(0))),
    ):
        penalty = method.penalty(torch.from_numpy(latents).double()).item()
        assert penalty == pytest.approx(beta * cost.mean(), rel=1e-5, abs=1e-9)


@given(latents_arrays)
def test_no_loss_is_ever_negative_or_endless(latents: np.ndarray) -> None:
    for scale in (0.0, 1.0, 1e6):  # all off (as for black images), as drawn, all fully on
        for method in EVERY_METHOD:
            moved = (scale * torch.from_numpy(latents)).requires_grad_()
            loss = method.penalty(moved) + load_balancing_loss(moved)
            assert loss >= 0
            assert loss.isfinite()
            loss.backward()
            assert moved.grad is None or moved.grad.isfinite().all()


def test_even_use_costs_nothing_and_scale_does_not_matter() -> None:
    assert load_balancing_loss(torch.full((8, 40), -0.3)).item() == pytest.approx(0, abs=1e-9)
    one = torch.zeros(8, 40)
    one[:, 3] = 1.0
    assert load_balancing_loss(one).item() == pytest.approx(39, rel=1e-5)
    assert load_balancing_loss(torch.zeros(8, 40)).item() == 0
    latents = 0.01 * torch.rand(8, 40)
    assert load_balancing_loss(latents / 10).item() == pytest.approx(load_balancing_loss(latents).item(), rel=1e-3)


@given(latents_arrays, st.data())
def test_top_k_keeps_the_largest_and_nothing_else(latents: np.ndarray, data: st.DataObject) -> None:
    batch, latent_dim = latents.shape
    whole = st.integers(1, latent_dim)
    k = data.draw(whole | st.lists(whole, min_size=batch, max_size=batch).map(torch.tensor))
    kept = keep_top_k(torch.from_numpy(latents), k).numpy()
    assert ((kept == latents) | (kept == 0)).all()
    for row, kept_row, number in zip(np.abs(latents), np.abs(kept), np.broadcast_to(k, batch), strict=True):
        assert np.count_nonzero(kept_row) == min(number, np.count_nonzero(row))
        np.testing.assert_array_equal(np.sort(kept_row)[::-1][:number], np.sort(row)[::-1][:number])


def test_survivors_of_training_fall_to_k_and_stay_there() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = torch.stack([TopK(25).training_k(part / 10, (256, 900), generator) for part in range(11)])
    highest = drawn.amax(1).tolist()
    assert drawn.min() >= 25
    assert 350 < highest[0] <= 405
    assert highest == sorted(highest, reverse=True)
    assert highest[8:] == [25] * 3


def test_the_method_for_every_k_draws_from_few_to_many() -> None:
    at_first = AdaptiveTopK().training_k(0.0, (256, 900), torch.Generator().manual_seed(0))
    assert at_first.tolist() == [405] * 256  # its bounds fall too, from 45% of the latents
    drawn = AdaptiveTopK().training_k(1.0, (256, 900), torch.Generator().manual_seed(0))
    assert drawn.min() == 8
    assert 100 <= drawn.max() <= 120
    assert 13 <= drawn.float().median() <= 19  # a quarter of the way from 8 to 120, by equal ratios, is 16


@pytest.mark.parametrize("latent_dim", [1, 3, 40])
@pytest.mark.parametrize("progress", [0.0, 0.5, 1.0])
def test_small_codes_can_be_trained_too(latent_dim: int, progress: float) -> None:
    latents, generator = torch.randn(5, latent_dim), torch.Generator().manual_seed(0)
    for method in (TopK(min(25, latent_dim)), AdaptiveTopK(1)):
        keep_top_k(latents, method.training_k(progress, latents.shape, generator))  # raises where a k is not there


NO_K = [0, -1, 41, True, 2.0, 1.5, "2", None]
NO_K_OF_TWO_IMAGES = [[1.5, 2.5], [True, True], [1, 2, 3], [0, 5], [5, 41]]


@pytest.mark.parametrize("k", [*NO_K, *map(torch.tensor, NO_K_OF_TWO_IMAGES)])
def test_top_k_refuses_what_is_no_whole_number_for_each_image(k: object) -> None:
    with pytest.raises(ValueError, match=r"^k (lies between|is one whole number)"):
        keep_top_k(torch.randn(2, 40), k)


@given(latents_arrays, st.integers(-140, 120))
@example(np.zeros((1, 40), np.float32), 0)  # where nothing is on it is 0
def test_no_scale_changes_effective_l0(latents: np.ndarray, power: int) -> None:
    exact = latents.round().astype(np.float64)  # times a power of 2 these are exact, even among the smallest floats
    expected = np.abs(exact).sum(1) ** 2 / np.maximum((exact**2).sum(1), 1e-300)
    scaled = effective_l0(torch.from_numpy(exact * 2.0**power).float())
    np.testing.assert_allclose(scaled.numpy(), expected, rtol=1e-5)


def test_a_jump_passes_what_is_above_its_threshold_and_estimates_the_gradient_of_that() -> None:
    """Against the derivative of the mean of g * z * [z > t], with z spread evenly around t: - g * t * density."""
    spread, count = 2.0, 20_001
    z = torch.linspace(0.5 - spread / 2, 0.5 + spread / 2, count).unsqueeze(1).requires_grad_()
    threshold = torch.tensor([0.5], requires_grad=True)
    kept = jump_relu(z, threshold, 0.2)
    assert torch.equal(kept, z * (z > 0.5))
    (3.0 * kept.mean()).backward()
    assert threshold.grad.item() == pytest.approx(-3.0 * 0.5 / spread, rel=0.01)
    assert torch.equal(z.grad, 3.0 / count * (z > 0.5))


def test_a_count_is_exact_and_falls_where_a_threshold_rises() -> None:
    spread, count = 2.0, 20_001
    z = torch.linspace(0, spread, count).unsqueeze(1)
    threshold = torch.tensor([0.5], requires_grad=True)
    kept = jump_relu(z, threshold, 0.2)
    on = count_above(kept, threshold, 0.2)
    assert torch.equal(on, (z > 0.5).sum(1).float())
    on.mean().backward()
    assert threshold.grad.item() == pytest.approx(-1 / spread, rel=0.01)
    three = torch.cat([kept, torch.zeros(count, 2)], 1)
    for of in (threshold.expand(3), None):
        assert JumpReLU(2.0).penalty(three, threshold=of).item() == pytest.approx(2.0 * 0.75 / 3, rel=1e-3)


def test_batch_top_k_keeps_the_largest_of_the_batch_and_learns_where_they_end() -> None:
    latents, threshold = torch.rand(8, 40, generator=torch.Generator().manual_seed(0)), torch.zeros(40)
    k = torch.full((8,), 5)
    for _ in range(2000):
        kept = BatchTopK(5).gate(latents, threshold, k)
    assert kept.count_nonzero() == 40
    assert kept[kept > 0].min() >= latents[kept == 0].max()
    torch.testing.assert_close(threshold, kept[kept > 0].min().expand(40), rtol=1e-3, atol=1e-3)
    assert len(set(kept.count_nonzero(1).tolist())) > 1  # some images have more than others
    between = ((kept[kept > 0].min() + latents[kept == 0].max()) / 2).expand(40)
    assert torch.equal(BatchTopK(5).gate(latents, between, None), kept)  # as it is at inference


def test_matryoshka_asks_for_nested_parts_of_the_code() -> None:
    assert Matryoshka().prefixes(900) == (100, 200, 400, 900)
    assert Matryoshka(1).prefixes(3) == (1, 1, 1, 3)
    assert TopK().prefixes(900) == (900,)


def test_each_image_counts_alike_where_its_code_may_have_any_length() -> None:
    """An image with ten times the activations changes nothing."""
    latents = 0.01 * torch.rand(8, 40)
    louder = latents * torch.tensor([10.0] + [1.0] * 7).unsqueeze(1)
    even = load_balancing_loss(latents, per_image=True)
    assert load_balancing_loss(louder, per_image=True).item() == pytest.approx(even.item(), rel=0.01)
    assert abs(load_balancing_loss(louder).item() - load_balancing_loss(latents).item()) > 0.1 * even.item()
    assert load_balancing_loss(torch.zeros(8, 40), per_image=True).item() == 0


def test_every_beta_between_the_ends_is_drawn_and_the_ends_are() -> None:
    drawn = AdaptiveL1().training_beta(4000, torch.Generator().manual_seed(0))
    first, last = AdaptiveL1.betas[0], AdaptiveL1.betas[-1]
    assert drawn.min().item() == pytest.approx(first)
    assert drawn.max().item() == pytest.approx(last)
    middle = ((drawn > math.sqrt(first * last) / 2) & (drawn < math.sqrt(first * last) * 2)).float().mean()
    assert middle.item() == pytest.approx(2 * math.log(2) / math.log(last / first) / 1.4, rel=0.15)
    assert (drawn == drawn.max()).float().mean().item() == pytest.approx(1 / 7, rel=0.2)


def test_the_penalty_of_every_image_has_its_own_beta() -> None:
    latents, beta = torch.rand(5, 40), torch.tensor([0.1, 0.2, 1.0, 3.0, 10.0])
    expected = np.mean([b * np.tanh(z / 2).mean() for b, z in zip(beta.numpy(), latents.numpy(), strict=True)])
    assert AdaptiveL1(7.0).penalty(latents, beta=beta).item() == pytest.approx(expected, rel=1e-5)
    assert AdaptiveL1(7.0).penalty(latents).item() == pytest.approx(L1(7.0).penalty(latents).item(), rel=1e-5)
