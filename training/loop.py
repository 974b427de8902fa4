"""The one training loop: a generator, so that a command line, a page and a test can all drive it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from sae_model import SparseAutoencoder, keep_top_k, uneven_use, unit_activation
from training.data import add_noise, as_floats
from training.recipe import Recipe

STEPS_PER_REPORT = 20
GRADIENT_NORM = 0.1


class TrainingError(Exception):
    """A run went wrong. The message is a sentence."""


@dataclass(frozen=True)
class Progress:
    """How far a run is, and how it does. Losses are those of the latest batch."""

    step: int
    """Steps done, from 1 to `steps`."""
    steps: int
    """Steps of the whole run."""
    images_per_second: float
    """Since the run began."""
    reconstruction_loss: float
    """Mean binary cross-entropy, nats per pixel."""
    penalty: float
    """What sparsity adds to it."""
    mean_activation: float
    """Over latents and images, in [0, 1)."""


def fit(model: SparseAutoencoder, images: Tensor, recipe: Recipe) -> Iterator[Progress]:
    """Train a model in place; yields every 20 steps and at the end. Prints nothing, writes nothing.

    When the generator is exhausted the model is in eval mode and its weights are rounded to half precision (they stay
    single-precision tensors), so that the small file that is saved holds exactly the model that was measured.

    Args:
        model: what to train, on the device on which to train it.
        images: (n, 1, 28, 28), bytes or floats in [0, 1]; moved to the model's device once, and never copied again.
        recipe: the knobs. (Which data set it names is not looked at: `images` are what is learned.)

    Raises:
        TrainingError: no images, or a loss that is no longer a finite number.
    """
    if len(images) == 0:
        raise TrainingError("There are no images to train on.")
    device = next(model.parameters()).device
    images = images.to(device)
    generator = torch.Generator(device).manual_seed(recipe.seed)
    batch_size = min(recipe.batch_size, len(images))
    batches = len(images) // batch_size  # the last few images of each shuffled epoch wait for the next one
    steps = recipe.epochs * batches
    # Fused: one kernel for all parameters instead of several for each.
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=recipe.learning_rate, total_steps=steps)
    model.train()
    began = time.perf_counter()
    for step in range(1, steps + 1):
        if (step - 1) % batches == 0:
            order = torch.randperm(len(images), generator=generator, device=device)
        position = (step - 1) % batches * batch_size
        clean = as_floats(images[order[position : position + batch_size]])
        sigma = recipe.noise * torch.rand(batch_size, generator=generator, device=device)
        noisy = add_noise(clean, sigma, generator)
        with torch.autocast(device.type, torch.bfloat16, enabled=has_fast_bfloat16(device)):
            latents = model.encoder(noisy)
            k = model.sparsity.training_k(step / steps, latents, generator)
            if k is not None:
                latents = keep_top_k(latents, k)
            logits = model.decoder.logits(latents)
        reconstruction_loss = F.binary_cross_entropy_with_logits(logits.float(), clean)
        latents = latents.float()
        penalty = model.sparsity.penalty(latents)
        loss = reconstruction_loss + penalty + model.sparsity.evenness * uneven_use(latents)
        optimizer.zero_grad()
        loss.backward()
        # Rare large gradients of the threshold otherwise throw whole groups of latents out for good.
        torch.nn.utils.clip_grad_norm_(model.parameters(), GRADIENT_NORM)
        optimizer.step()
        schedule.step()
        if step % STEPS_PER_REPORT == 0 or step == steps:
            if not bool(loss.isfinite()):
                raise TrainingError(f"The loss is no finite number at step {step}: try a smaller beta.")
            yield Progress(
                step=step,
                steps=steps,
                images_per_second=step * batch_size / (time.perf_counter() - began),
                reconstruction_loss=reconstruction_loss.item(),
                penalty=penalty.item(),
                mean_activation=unit_activation(latents.detach()).mean().item(),
            )
    round_to_half(model)
    model.eval()


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 products pay: always on a GPU, on a processor only with instructions for them (else slower)."""
    return device.type != "cpu" or torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


@torch.no_grad()
def round_to_half(model: SparseAutoencoder) -> None:
    """Round every weight to the nearest number that half precision can hold, in place."""
    for parameter in model.parameters():
        parameter.copy_(parameter.half())
