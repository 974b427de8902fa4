"""What is measured of the machine is what was asked for."""

from __future__ import annotations

import itertools
import os

import pytest
import torch

from training.benchmarks import machine
from training.benchmarks.machine import in_own_process, matrix_product_rate, peak_bytes

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


def test_the_rate_is_that_of_the_fastest_product(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock on which every product takes a quarter of a second: the largest products are the fastest."""
    clock = itertools.count(0.0, 0.25)
    monkeypatch.setattr(machine.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(machine, "PRODUCT_SIDES", (64, 32))
    assert matrix_product_rate(torch.float32) == 2 * 64**3 / 0.25
