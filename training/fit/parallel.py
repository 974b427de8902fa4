"""One run on several processes: `torchrun --nproc-per-node N -m training fit ...`.

Every process holds the whole model and the whole data set, works on its share of each batch, and ends with the same
weights, which are those of a run on one process up to rounding. Where torchrun did not start this process, every
function here does nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor


@contextmanager
def joined(device: torch.device) -> Iterator[None]:
    """Join the processes that torchrun started, for the time of the block. (Over gloo on CPUs, nccl on GPUs.)"""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def rank() -> int:
    """Number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def count() -> int:
    """How many processes work together."""
    return dist.get_world_size() if dist.is_initialized() else 1


@contextmanager
def first_process_first() -> Iterator[None]:
    """Let the first process do the block before the others, which then find what it left on disk."""
    if rank() > 0:
        dist.barrier()
    yield
    if rank() == 0 and count() > 1:
        dist.barrier()


def my_share(batch_size: int) -> slice:
    """Which images of a batch are this process's; shares differ by one image at most."""
    return slice(batch_size * rank() // count(), batch_size * (rank() + 1) // count())


def whole_batch(latents: Tensor, batch_size: int) -> Tensor:
    """Latents of the whole batch (batch_size, latent_dim), out of each process's share of them.

    Gradients flow into this process's share alone.
    """
    if count() == 1:
        return latents
    mine = my_share(batch_size)
    whole = latents.new_zeros(batch_size, latents.shape[1])
    whole[mine] = latents.detach()
    dist.all_reduce(whole)
    return torch.cat([whole[: mine.start], latents, whole[mine.stop :]])


def total(value: Tensor) -> Tensor:
    """Sum a value over processes, without gradient."""
    value = value.detach().clone()
    if count() > 1:
        dist.all_reduce(value)
    return value
