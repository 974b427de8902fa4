"""The memory of a piece of code is measured in a process of its own."""

from __future__ import annotations

import os

import torch

from training.benchmarks.machine import in_own_process, peak_bytes

MB = 2**20


def held_for_a_moment(megabytes: int) -> tuple[int, int, int]:
    """The peak before and after something large came and went, and the number of the process."""
    before = peak_bytes()
    torch.ones(megabytes * MB, dtype=torch.uint8)
    return before, peak_bytes(), os.getpid()


def test_peak_memory_is_that_of_the_process_alone() -> None:
    """This one, which starts it, had more: a child must not begin with that."""
    _, ours, number = held_for_a_moment(1_000)
    before, after, child = in_own_process(held_for_a_moment, 300)
    assert 290 * MB < after - before < 320 * MB
    assert before < ours - 500 * MB
    assert child != number
