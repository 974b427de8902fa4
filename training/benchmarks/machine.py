"""What this machine is and can do, and what a piece of code takes of it. Linux only: memory is read from /proc."""

from __future__ import annotations

import os
import platform
import threading
import time
from pathlib import Path

import torch

from sae_model.errors import UserError

MEMORY_EVERY = 0.01  # seconds between two looks at the memory
PRODUCT_SIDES = (512, 1024, 2048)
SECONDS_A_PRODUCT = 0.5


class Meter:
    """Seconds and peak memory of what runs inside `with meter:`; several such blocks add up to one measurement.

    Memory is the resident memory of the process, looked at every 10 ms by a thread, less what was resident when the
    first block began. It counts what libraries set up on first use, and nothing that ran outside the blocks.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        """Within the blocks so far."""
        self.peak_bytes = 0
        """The most that was resident within a block, beyond what was when the first began."""
        self._at_first: int | None = None

    def __enter__(self) -> Meter:
        if self._at_first is None:
            self._at_first = resident_bytes()
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        self._began = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._began
        self._done.set()
        self._watcher.join()

    def _watch(self) -> None:
        done = False
        while not done:
            done = self._done.wait(MEMORY_EVERY)
            self.peak_bytes = max(self.peak_bytes, resident_bytes() - self._at_first)


def resident_bytes() -> int:
    """Memory of this process that is in RAM.

    Raises:
        UserError: not Linux.
    """
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError as error:
        raise UserError("Memory is read from /proc/self/statm, which is not there: measure on Linux.") from error


def matrix_product_rate(dtype: torch.dtype) -> float:
    """The most floating-point operations a second of square matrix products, at the number of threads in use.

    Half a second of products each of 512, 1024 and 2048 a side, 2 n^3 operations a product; the fastest one counts.
    """
    best = 0.0
    for side in PRODUCT_SIDES:
        left, right = torch.randn(2, side, side).to(dtype)
        end = time.perf_counter() + SECONDS_A_PRODUCT
        while (began := time.perf_counter()) < end:
            left @ right
            best = max(best, 2 * side**3 / (time.perf_counter() - began))
    return best


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
