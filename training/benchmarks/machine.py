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
    cores, threads = len(os.sched_getaffinity(0)), torch.get_num_threads()
    return f"{_cpu()}, {_count(cores, 'core')}, torch {torch.__version__} on {_count(threads, 'thread')}"


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
