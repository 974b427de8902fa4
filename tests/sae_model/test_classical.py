"""A model without steps is the classical sparse autoencoder: made of foreign weights, trained, saved and loaded."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sae_model import Dense, JumpReLU, SparseAutoencoder, Sparsity, TopK
from sae_model.architectures import Dictionary
from training.fit.loop import fit
from training.fit.recipe import for_any_range, tuned


def test_a_model_without_steps_is_trained_saved_and_loaded(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    amounts = torch.rand(2_000, 30, generator=generator) * (torch.rand(2_000, 30, generator=generator) < 0.1)
    vectors = amounts @ torch.randn(30, 16, generator=generator)
    recipe = replace(for_any_range(tuned(TopK(5))), latent_dim=48, epochs=30, steps=0)
    model = recipe.new_model(vectors)
    for _ in fit(model, vectors, recipe):
        pass
    lost = (model(vectors).reconstruction - vectors).square().sum() / (vectors - vectors.mean(0)).square().sum()
    assert lost < 0.15
    model.save_pretrained(tmp_path / "model")
    assert json.loads((tmp_path / "model" / "config.json").read_text())["steps"] == 0
    loaded = SparseAutoencoder.from_pretrained(tmp_path / "model")
    assert torch.equal(loaded.encode(vectors), model.encode(vectors))


@pytest.mark.parametrize("sparsity", [Dense(), TopK(3), JumpReLU()], ids=lambda sparsity: sparsity.kind)
@pytest.mark.parametrize("output", ["linear", "sigmoid"])
def test_weights_of_another_library_give_its_codes(sparsity: Sparsity, output: str) -> None:
    """The formulas are those of dictionary_learning and SAELens (StandardSAE, TopKSAE, JumpReLUSAE)."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(50, 8))
    w_enc, b_enc, b_dec = (generator.normal(size=shape) for shape in ((8, 24), 24, 8))
    w_dec = generator.normal(size=(24, 8))
    length = Dictionary.ATOM_LENGTH[output] * (1 if output == "linear" else (8 / 784) ** 0.5)
    w_dec *= length / np.linalg.norm(w_dec, axis=1, keepdims=True)
    threshold = generator.uniform(0.5, 2, 24)
    before = (x - b_dec) @ w_enc + b_enc
    z = np.where(before > threshold, before, 0) if sparsity.has_threshold else np.maximum(before, 0)
    if sparsity.default_k:
        z = np.where(z >= np.sort(z, 1)[:, -sparsity.default_k, None], z, 0)
    logits = z @ w_dec + b_dec
    model = SparseAutoencoder(24, sparsity, image_shape=(8,), output=output, steps=0).eval()
    with torch.no_grad():
        model.network.first.weight.copy_(torch.from_numpy(w_enc.T))
        model.network.first.bias.copy_(torch.from_numpy(b_enc - b_dec @ w_enc))
        model.network.atoms.copy_(torch.from_numpy(w_dec))
        model.network.bias.copy_(torch.from_numpy(b_dec))
        if model.threshold is not None:
            model.threshold.copy_(torch.from_numpy(threshold))
        latents = model.encode(torch.from_numpy(x).float())
        np.testing.assert_allclose(latents, z, atol=1e-5)
        np.testing.assert_allclose(model.logits(latents), logits, atol=1e-5)
