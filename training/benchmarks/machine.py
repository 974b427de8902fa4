"""What this machine is, and how much memory a piece of code takes of it. Linux only."""

from __future__ import annotations

import multiprocessing
import os
import platform
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

import torch

from sae_model.errors import UserError

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


def in_own_process(
    work: Callable[Arguments, Answer], *arguments: Arguments.args, **options: Arguments.kwargs
) -> Answer:
    """What a function of a module answers in a process that did nothing before, so that its peak memory is its own.

    Tensors are handed over in shared memory.
    """
    # A process that was spawned would begin with the peak of its parent.
    with ProcessPoolExecutor(1, multiprocessing.get_context("forkserver")) as process:
        return process.submit(work, *arguments, **options).result()


def peak_bytes() -> int:
    """The most memory that this process ever had in RAM.

    Raises:
        UserError: not Linux.
    """
    if platform.system() != "Linux":
        raise UserError("Other systems report peak memory in other units: measure on Linux.")
    import resource  # not on Windows

    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def describe_machine() -> str:
    """CPU, cores and threads, and the version of torch, on one line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    cores, threads = len(os.sched_getaffinity(0)), torch.get_num_threads()
    return (
        f"{cpu}, {cores} core{'s' * (cores != 1)}, torch {torch.__version__} on {threads} thread{'s' * (threads != 1)}"
    )
