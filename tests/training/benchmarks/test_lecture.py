"""The lecture's recipe is what it is said to be, and our loop runs it as plain Adam would."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from sae_model import L1, SparseAutoencoder
from training.data import Split, as_floats
from training.fit.bundled_recipes import LECTURE
from training.fit.loop import fit


def test_the_recipe_is_the_lectures() -> None:
    assert (LECTURE.name, LECTURE.architecture, LECTURE.sparsity) == ("lecture", "lecture", L1(0.01))
    assert (LECTURE.epochs, LECTURE.batch_size, LECTURE.learning_rate, LECTURE.seed) == (5, 64, 1e-4, 42)
    assert (LECTURE.latent_dim, LECTURE.dataset, LECTURE.limit, LECTURE.noise) == (900, "mnist", None, 0)


def plain_adam(model: SparseAutoencoder, batches: list[Tensor]) -> list[float]:
    """Adam, and nothing more, on the mean binary cross-entropy plus 0.01 times the mean activation; the losses."""
    optimizer, losses = torch.optim.Adam(model.train().parameters(), lr=1e-4), []
    for images in batches:
        images = images.to(next(model.parameters()).dtype)
        latents = model.network.encode(images)
        rebuilt = torch.sigmoid(model.network.logits(latents))
        pixels = -(images * rebuilt.log() + (1 - images) * (1 - rebuilt).log()).mean()
        loss = pixels + 0.01 * (2 * (torch.sigmoid(latents.abs()) - 0.5)).mean()
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses


def test_our_loop_with_the_lectures_recipe_is_plain_adam(training_digits: Split) -> None:
    """Single precision, no clipping, no schedule, no load balancing, no weight decay: else the weights would differ."""
    images = training_digits.images[:60]
    recipe = replace(LECTURE, batch_size=20, epochs=3)
    assert (recipe.weight_decay, recipe.load_balancing, recipe.squared_error) == (0, 0, 0)
    # In double precision: where a gradient is almost 0, its rounding decides on the sign of a whole step of Adam.
    ours, theirs = recipe.new_model(images).double(), recipe.new_model(images).double()
    report = next(fit(ours, images, recipe))  # the last one; asked for more, the loop would round the weights
    generator = torch.Generator().manual_seed(recipe.seed)
    order = torch.cat([torch.randperm(60, generator=generator) for _ in range(3)])
    losses = plain_adam(theirs, [as_floats(images[rows]) for rows in order.split(20)])
    assert report.step == report.steps == len(losses) == 9
    assert report.reconstruction_loss + report.penalty == pytest.approx(losses[-1], rel=1e-4)
    first = dict(recipe.new_model(images).double().named_parameters())
    for (name, one), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        moved = (other - first[name]).norm()
        assert moved > 0, name
        if name not in biases_before_batch_norm(ours):
            assert (one - other).norm() < 0.02 * moved, name
    for (name, one), other in zip(ours.named_buffers(), theirs.buffers(), strict=True):
        if not name.endswith("running_mean"):  # which those biases move
            torch.testing.assert_close(one, other, rtol=0.01, atol=1e-5, msg=name)


def biases_before_batch_norm(model: SparseAutoencoder) -> set[str]:
    """Batch norm takes them out again, so their gradient is rounding, of which Adam makes whole steps."""
    names = [name for name, module in model.named_modules() if isinstance(module, nn.BatchNorm2d)]
    parents = [name.rpartition(".") for name in names]
    return {f"{parent}.{int(number) - 1}.bias" for parent, _, number in parents}
