"""The maths, against closed forms and an independent numpy version, and its properties at the edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sae_model import L1, Dense, bernoulli_kl, effective_l0, keep_top_k, unit_activation
from sae_model.sparsity import WAYS, sparsity_from_config

latents_arrays = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12),
    elements=st.floats(-50, 50, width=32),
)


@given(latents_arrays)
def test_activation_is_the_lectures_map(latents: np.ndarray) -> None:
    expected = 2 * (1 / (1 + np.exp(-np.abs(latents.astype(np.float64)))) - 0.5)
    np.testing.assert_allclose(unit_activation(torch.from_numpy(latents)).numpy(), expected, atol=1e-6)


def test_activation_starts_at_zero_ignores_the_sign_and_grows() -> None:
    latents = torch.linspace(0, 12, 200)
    activations = unit_activation(latents)
    assert activations[0] == 0
    assert torch.equal(unit_activation(-latents), activations)
    assert (activations.diff() > 0).all()
    assert activations[-1] < 1


@given(st.floats(0.001, 0.999), st.floats(0.001, 0.999))
def test_kl_is_the_textbook_formula(p: float, q: float) -> None:
    expected = p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
    result = bernoulli_kl(p, torch.tensor(q, dtype=torch.float64)).item()
    assert result == pytest.approx(expected, abs=1e-12)


@given(st.floats(0, 1), st.floats(0, 1))
def test_kl_is_never_negative_nor_infinite(p: float, q: float) -> None:
    divergence = bernoulli_kl(p, torch.tensor(q))
    assert divergence >= 0
    assert divergence.isfinite()


@pytest.mark.parametrize("p", [0.01, 0.1, 0.5, 0.9])
def test_kl_is_smallest_at_the_target_and_pulls_towards_it(p: float) -> None:
    rates = torch.tensor([p / 2, p, (1 + p) / 2], dtype=torch.float64, requires_grad=True)
    divergence = bernoulli_kl(p, rates)
    assert divergence[1].item() == pytest.approx(0, abs=1e-12)
    divergence.sum().backward()
    assert rates.grad[0] < 0 < rates.grad[2]


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_kl_refuses_a_target_that_is_no_rate(p: float) -> None:
    with pytest.raises(ValueError, match="target rate lies between 0 and 1"):
        bernoulli_kl(p, torch.tensor(0.5))


@given(latents_arrays, st.floats(0, 10))
def test_l1_is_beta_times_the_mean_activation(latents: np.ndarray, beta: float) -> None:
    expected = beta * np.mean(np.tanh(np.abs(latents.astype(np.float64)) / 2))
    assert L1(beta).penalty(torch.from_numpy(latents)).item() == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("way", [Dense(), L1(0.3)], ids=lambda way: way.name)
@pytest.mark.parametrize("batch_size", [1, 7])
def test_a_penalty_does_not_depend_on_the_batch_size(way: Dense | L1, batch_size: int) -> None:
    latents = torch.randn(batch_size, 40)
    torch.testing.assert_close(way.penalty(latents), way.penalty(latents.repeat(5, 1)))


def test_l1_pushes_every_latent_towards_zero() -> None:
    latents = torch.randn(6, 40, requires_grad=True)
    L1(1.0).penalty(latents).backward()
    assert torch.equal(latents.grad.sign(), latents.detach().sign())


@given(latents_arrays, st.data())
def test_top_k_keeps_the_largest_and_nothing_else(latents: np.ndarray, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, latents.shape[1]))
    kept = keep_top_k(torch.from_numpy(latents), k).numpy()
    assert ((kept == latents) | (kept == 0)).all()
    for row, kept_row in zip(np.abs(latents), np.abs(kept), strict=True):
        assert np.count_nonzero(kept_row) == min(k, np.count_nonzero(row))
        np.testing.assert_array_equal(np.sort(kept_row)[::-1][:k], np.sort(row)[::-1][:k])


@pytest.mark.parametrize("k", [0, -1, 41])
def test_top_k_refuses_a_k_that_is_not_there(k: int) -> None:
    with pytest.raises(ValueError, match="k lies between 1 and the number of latents, 40"):
        keep_top_k(torch.randn(2, 40), k)


@pytest.mark.parametrize("on", [1, 5, 40])
def test_effective_l0_counts_equal_latents_at_any_scale(on: int) -> None:
    latents = torch.zeros(2, 40)
    latents[0, :on] = 3.0
    latents[1, -on:] = -0.001
    torch.testing.assert_close(effective_l0(latents), torch.full((2,), float(on)))


def test_effective_l0_of_nothing_is_zero() -> None:
    assert effective_l0(torch.zeros(1, 40)).item() == 0


@pytest.mark.parametrize("beta", [-1, math.nan, math.inf, "0.1", None, True])
def test_beta_must_be_a_number_from_zero(beta: object) -> None:
    with pytest.raises(ValueError, match="beta is a number of at least 0"):
        L1(beta)


def test_a_config_rebuilds_the_way_and_refuses_the_rest() -> None:
    assert sparsity_from_config({"kind": "l1", "beta": 0.3}) == L1(0.3)
    assert sparsity_from_config({"kind": "none"}) == Dense()
    with pytest.raises(ValueError, match=f"Unknown way of being sparse: 'l7'. Known ones: {', '.join(WAYS)}"):
        sparsity_from_config({"kind": "l7"})
    with pytest.raises(ValueError, match="'none' has no knob 'beta'"):
        sparsity_from_config({"kind": "none", "beta": 1.0})
    with pytest.raises(ValueError, match="is written as"):
        sparsity_from_config("l1")
