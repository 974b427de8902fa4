"""A linear output: values of any range, rebuilt as a bias plus latents times atoms."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from sae_model import L1, SparseAutoencoder, TopK
from sae_model.outputs import OUTPUTS
from training.fit.loop import fit
from training.fit.recipe import Recipe, for_any_range, tuned


@pytest.fixture
def vectors() -> torch.Tensor:
    """(500, 12, 1, 1), far from 0 and of any sign."""
    return 40 * torch.randn(500, 12, 1, 1, generator=torch.Generator().manual_seed(0)) - 300


@pytest.fixture
def model(vectors: torch.Tensor) -> SparseAutoencoder:
    torch.manual_seed(1)
    model = SparseAutoencoder(30, L1(0.1), image_shape=(12, 1, 1), output="linear").eval()
    model.centre_on(vectors)
    return model


def test_it_begins_at_the_mean_and_in_units_of_the_distance_from_it(
    model: SparseAutoencoder, vectors: torch.Tensor
) -> None:
    mean, latents = vectors.mean(0), torch.rand(5, 30)
    rebuilt = mean + torch.einsum("nd,dchw->nchw", latents, model.dictionary)
    torch.testing.assert_close(model.decode(latents), rebuilt)
    distance = (vectors - mean).square().sum((1, 2, 3)).mean().sqrt()
    torch.testing.assert_close(model.scale, distance)
    torch.testing.assert_close(model.dictionary.flatten(1).norm(dim=1), distance.expand(30))
    constant = model.reconstruction_loss(mean.expand_as(vectors), vectors)
    torch.testing.assert_close(constant, torch.tensor(1.0))  # the whole variance
    with pytest.raises(ValueError, match="all alike"):
        model.centre_on(vectors[:1].expand(5, -1, -1, -1))


def test_values_are_fitted_to_vectors_in_their_own_units(model: SparseAutoencoder) -> None:
    """Far from 0 and of any scale: the values of two latents that made the vectors are found again."""
    made = torch.zeros(20, 30)
    made[:, [3, 7]] = torch.rand(20, 2) + 0.5
    vectors = model.decode(made)
    found, _ = model.fit_values(vectors, 0.1 * (made > 0), steps=200)
    torch.testing.assert_close(found, made, atol=1e-2, rtol=0)


@pytest.mark.parametrize("output", OUTPUTS)
def test_the_gradient_of_the_loss_in_the_logits_is_the_residual(output: str) -> None:
    kind, images = OUTPUTS[output], torch.rand(1, 1, 3, 4)
    logits = torch.randn(1, 1, 3, 4, requires_grad=True)
    kind.loss(logits, images).backward()
    residual = (kind.reconstruction(logits) - images).detach()
    constant = logits.grad / residual
    torch.testing.assert_close(constant, constant.flatten()[0].expand_as(constant))
    assert constant.min() > 0


def test_a_loss_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="Unknown loss: 'l2'"):
        Recipe(loss="l2")
    with pytest.raises(ValueError, match="squared_error is 0 with it"):
        Recipe(loss="mse", squared_error=1.0)


@pytest.mark.parametrize(
    ("sparsity", "scale", "offset"),
    [(L1(1.0), 1.0, 1.0), (L1(1.0), 1e20, 1.0), (L1(1.0), 1.0, 1e4), (TopK(4), 1e-20, 1.0)],
)
def test_the_directions_that_vectors_are_made_of_are_found(sparsity: L1 | TopK, scale: float, offset: float) -> None:
    """Each vector is a sum of about 4 of 60 directions in 32 dimensions, and an offset: whatever their sizes."""
    generator = torch.Generator().manual_seed(0)
    directions = F.normalize(torch.randn(60, 32, generator=generator), dim=1)
    chosen = torch.rand(4000, 60, generator=generator) < 4 / 60
    mixed = (torch.rand(4000, 60, generator=generator) * chosen) @ directions
    vectors = scale * (mixed + offset * torch.randn(32, generator=generator)).reshape(-1, 32, 1, 1)
    recipe = Recipe(**(vars(for_any_range(tuned(sparsity))) | {"latent_dim": 120, "epochs": 15}))
    model = recipe.new_model(vectors)
    for _ in fit(model, vectors, recipe):
        pass
    atoms = F.normalize((model.dictionary / model.scale).flatten(1), dim=1)
    likeness = (directions @ atoms.T).max(1).values
    assert likeness.median() > 0.9
    assert (likeness > 0.8).float().mean() > 0.9  # which of them are found worse is up to the processor's rounding
