"""The training loop: steps that are taken as they are asked for, by the command line, the page and the tests alike."""

from __future__ import annotations

import inspect
import math
import time
import warnings
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sae_model import SparseAutoencoder, load_balancing_loss, unit_activation
from sae_model.errors import UserError
from sae_model.outputs import OUTPUTS

from ..data import Images, add_noise, as_floats, wrong_values
from . import parallel
from .recipe import Recipe

STEPS_PER_REPORT = 20
DEAD_AFTER = 10_000
"""A latent that was on for none of this many images in a row counts as dead while a model is trained."""
PARTS_WITH_STATE = ("model", "optimizer", "schedule")
"""The attributes of a run whose `state_dict` a snapshot holds."""

Snapshot = dict[str, Any]


class TrainingError(UserError):
    """A run went wrong. The message says what, and what to do."""


@dataclass(frozen=True)
class Progress:
    """How far a run is, and how it does. Losses are of the latest batch."""

    step: int
    """Steps done, from 1 to `steps`."""
    steps: int
    """Steps of the whole run."""
    epochs: float
    """Passes over the images so far; a whole number after each."""
    images_per_second: float
    """Since the run began, or was taken up again; of all processes together."""
    reconstruction_loss: float
    """As `SparseAutoencoder.reconstruction_loss` computes it; for images in [0, 1] the mean binary cross-entropy."""
    penalty: float
    """What sparsity adds to it."""
    mean_activation: float
    """Over latents and images, in [0, 1)."""
    l0: float
    """Latents that are not exactly zero, per image."""
    dead_fraction: float
    """Share of latents that were on for none of the last 10,000 images (or of all, at the start), in [0, 1]."""
    snapshot: Callable[[], Snapshot]
    """All that `fit` needs to go on from here; to be called, and stored, before the next step is asked for."""


class Steps(Iterator[Progress]):
    """A training that takes its steps when its progress is asked for. If nothing asks, it trains nothing, and warns."""

    def __init__(self, progress: Generator[Progress, None, None]) -> None:
        self._progress = progress

    def __next__(self) -> Progress:
        return next(self._progress)

    def __del__(self) -> None:
        if inspect.getgeneratorstate(self._progress) == inspect.GEN_CREATED:
            warnings.warn(
                "fit(...) trained nothing: it takes its steps in a loop, `for step in fit(...)`. "
                "sae_model.training.train trains in one call.",
                RuntimeWarning,
                stacklevel=2,
            )


def fit(
    model: SparseAutoencoder,
    images: Images,
    recipe: Recipe,
    snapshot: Snapshot | None = None,
    steps_per_report: int = STEPS_PER_REPORT,
    after_epochs: bool = False,
) -> Steps:
    """Train a model in place, in a loop `for progress in fit(...)`. Prints nothing, writes nothing.

    The loop gets its progress every `steps_per_report` steps and at the end. When it is done the model is in eval mode
    and its weights are rounded to half precision (they stay single-precision tensors), so that the small file that is
    saved holds exactly the model that was measured.

    Started by torchrun, inside `parallel.joined`, several processes train one model together.

    Args:
        model: what to train, on the device on which to train it.
        images: (n, channels, height, width) or (n, length), bytes or floats; they stay where they are, which may be a
            file that is mapped into memory (`training.data.rows`), and each batch is moved to the model's device.
        snapshot: where an earlier run of the same model, images and recipe was left; the rest of it is then done, and
            on the same machine ends with the same bits.
        steps_per_report, after_epochs: yield after each such number of steps, and after every epoch too.

    Raises:
        TrainingError: a model that is not the recipe's (`Recipe.new_model` makes it), no images, more processes than
            images in a batch or than batch norm allows; values that are not numbers, or outside of [0, 1] if the loss
            is the cross-entropy; or a loss that is no longer a finite number.
    """
    for field in ("sparsity", "architecture", "latent_dim", "step_loss", "steps"):
        has, asked = getattr(model, field), getattr(recipe, field)
        if has != asked:
            raise TrainingError(f"The model's {field} is {has}, and the recipe's is {asked}: use Recipe.new_model.")
    if len(images) == 0:
        raise TrainingError("There are no rows to train on.")
    if tuple(images.shape[1:]) != model.image_shape:
        raise TrainingError(
            f"The model takes rows of the shape {model.image_shape}, and these have {tuple(images.shape[1:])}."
        )
    batch_size = min(recipe.batch_size, len(images))
    if parallel.count() > batch_size:
        raise TrainingError(f"A batch of {batch_size} images cannot be shared by {parallel.count()} processes.")
    if parallel.count() > 1 and any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in model.modules()):
        raise TrainingError("Batch norm looks at the whole batch, so only one process can train this model.")
    batches = len(images) // batch_size  # the last few images of each shuffled epoch are left out of it
    run = _Run(model, recipe, recipe.epochs * batches)
    if snapshot is not None:
        run.restore(snapshot)
    return Steps(_take_steps(run, images, batch_size, steps_per_report, after_epochs))


def _take_steps(
    run: _Run, images: Images, batch_size: int, steps_per_report: int, after_epochs: bool
) -> Generator[Progress, None, None]:
    """Take the steps of `fit`, and yield their progress."""
    model, batches, first = run.model, len(images) // batch_size, run.step
    model.train()
    began = time.perf_counter()
    while run.step < run.steps:
        if run.step % batches == 0:
            run.order = torch.randperm(len(images), generator=run.generator, device=run.device).to(images.device)
        position = run.step % batches * batch_size
        batch = images[run.order[position : position + batch_size]].to(run.device)
        wrong = wrong_values(batch, model.output == "sigmoid")
        if wrong:
            raise TrainingError(wrong)
        measure = run.learn(as_floats(batch))
        epoch_is_done = run.step % batches == 0 and (after_epochs or run.step == run.steps)
        if run.step % steps_per_report == 0 or epoch_is_done:
            yield Progress(
                step=run.step,
                steps=run.steps,
                epochs=run.step / batches,
                images_per_second=(run.step - first) * batch_size / (time.perf_counter() - began),
                **measure(),
                dead_fraction=run.dead_fraction(max(1, min(-(-DEAD_AFTER // batch_size), run.step - first))),
                snapshot=run.snapshot,
            )
    round_to_half(model)
    model.eval()


class _Forward(nn.Module):
    """What a step computes, as one forward pass: that is where data-parallel training hooks in."""

    def __init__(self, model: SparseAutoencoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, noisy: Tensor, k: Tensor | None, beta: Tensor | None) -> tuple[Tensor, Tensor]:
        """Images (batch, *image_shape) -> latents (batch, latent_dim), and logits of the pixels.

        The logits are those of each prefix of the latents, one after the other, (prefixes * batch, *image_shape).
        """
        latents = self.model.encode(noisy, k, beta)
        sizes = self.model.sparsity.prefixes(self.model.latent_dim)
        parts = [F.pad(latents[:, :size], (0, self.model.latent_dim - size)) for size in sizes]
        return latents, self.model.logits(torch.cat(parts))


class _Run:
    """Everything that changes while a model is trained."""

    def __init__(self, model: SparseAutoencoder, recipe: Recipe, steps: int) -> None:
        self.model, self.recipe, self.steps = model, recipe, steps
        self.device = next(model.parameters()).device
        self.step = 0
        self.order = torch.empty(0, dtype=torch.long)
        self.generator = torch.Generator(self.device).manual_seed(recipe.seed)
        self.last_on = torch.zeros(model.latent_dim, dtype=torch.long, device=self.device)
        # Fused: one kernel for all parameters instead of several for each.
        self.optimizer = torch.optim.AdamW(
            model.parameters(),
            lr=recipe.learning_rate,
            betas=(0.9, recipe.beta2),
            weight_decay=recipe.weight_decay,
            fused=True,
        )
        self.schedule = (
            torch.optim.lr_scheduler.OneCycleLR(self.optimizer, max_lr=recipe.learning_rate, total_steps=steps)
            if recipe.one_cycle and steps > 1  # the first step of a cycle is almost zero
            else torch.optim.lr_scheduler.ConstantLR(self.optimizer, factor=1)
        )
        forward = _Forward(model)  # in parallel gradients are averaged over processes as they come
        self.forward = nn.parallel.DistributedDataParallel(forward) if parallel.count() > 1 else forward

    def learn(self, clean: Tensor) -> Callable[[], dict[str, float]]:
        """Take one step on a batch (batch, *image_shape).

        Every process draws the noise and the k of the whole batch and keeps its share, so that several processes
        learn just what one does.

        Returns:
            A function that measures what `Progress` reports of this batch; it takes time, so only reports call it.
        """
        batch_size, mine = len(clean), parallel.my_share(len(clean))
        noisy = clean[mine]
        if self.recipe.noise:
            sigma = self.recipe.noise * torch.rand(batch_size, generator=self.generator, device=self.device)
            noisy = add_noise(clean, sigma, self.generator)[mine]
        sparsity = self.model.sparsity
        k = sparsity.training_k((self.step + 1) / self.steps, (batch_size, self.model.latent_dim), self.generator)
        beta = sparsity.training_beta(batch_size, self.generator)
        fast = self.recipe.bfloat16 and has_fast_bfloat16(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=fast):
            latents, logits = self.forward(noisy, *(None if each is None else each[mine] for each in (k, beta)))
        target = clean[mine].repeat(len(logits) // len(noisy), *[1] * (clean.ndim - 1))
        # Gradients are averaged over processes: weighted, they are the gradient of the whole batch's mean.
        share = parallel.count() * len(noisy) / batch_size
        reconstruction_loss = share * self.model.reconstruction_loss(logits.float(), target)
        loss = reconstruction_loss
        if self.recipe.squared_error:
            reconstruction = OUTPUTS[self.model.output].reconstruction(logits.float())
            loss = loss + share * self.recipe.squared_error * F.mse_loss(reconstruction, target)
        latents = parallel.whole_batch(latents.float(), batch_size)
        asked = {"beta": beta, "threshold": self.model.threshold}  # most methods have neither
        penalty = sparsity.penalty(latents, **{name: each for name, each in asked.items() if each is not None})
        balance = self.recipe.load_balancing * load_balancing_loss(latents, per_image=beta is not None)
        loss = loss + parallel.count() * (penalty + balance)
        self.optimizer.zero_grad()
        loss.backward()
        if self.recipe.gradient_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.gradient_norm)
        self.optimizer.step()
        self.schedule.step()
        self.step += 1
        self.last_on[(latents.detach() != 0).any(0)] = self.step

        def measure() -> dict[str, float]:
            mean = parallel.total(reconstruction_loss).item() / parallel.count()
            if not math.isfinite(mean + penalty.item() + balance.item()):
                raise TrainingError(f"The loss is not finite at step {self.step}: try a smaller learning rate or beta.")
            found = latents.detach()
            return {
                "reconstruction_loss": mean,
                "penalty": penalty.item(),
                "mean_activation": unit_activation(found).mean().item(),
                "l0": found.count_nonzero().item() / len(found),
            }

        return measure

    def dead_fraction(self, steps: int) -> float:
        """Share of latents that were on in none of the last `steps` steps."""
        return (self.last_on <= self.step - steps).float().mean().item()

    def snapshot(self) -> Snapshot:
        states = {name: getattr(self, name).state_dict() for name in PARTS_WITH_STATE}
        return {"step": self.step, "order": self.order, "generator": self.generator.get_state(), **states}

    def restore(self, snapshot: Snapshot) -> None:
        try:
            self.step, self.order = snapshot["step"], snapshot["order"]
            self.generator.set_state(snapshot["generator"])
            for name in PARTS_WITH_STATE:
                getattr(self, name).load_state_dict(snapshot[name])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise TrainingError(
                f"The checkpoint is from a run on another device than {self.device.type}: give that one with --device, "
                "or remove the checkpoint and start again."
            ) from error


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 products are faster: always on a GPU, on a CPU only if it has instructions for them."""
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}  # not in torch 2.8
    return device.type != "cpu" or bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


@torch.no_grad()
def round_to_half(model: SparseAutoencoder) -> None:
    """Round every weight to the nearest number that half precision can hold, in place.

    A tensor with a value beyond the range of half precision is left as it is.
    """
    threshold = model.threshold  # None where the method has none; a parameter where it is learned
    thresholds = [] if threshold is None or model.sparsity.learns_threshold else [threshold]
    for parameter in [*model.parameters(), *thresholds]:
        half = parameter.half()
        parameter.copy_(half if half.isfinite().all() else parameter)
