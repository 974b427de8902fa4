"""What is measured of the machine is what was asked for."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from sae_model.errors import UserError
from training.benchmarks import machine
from training.benchmarks.machine import Meter, describe_machine, matrix_product_rate, resident_bytes

ROOT = Path(__file__).resolve().parents[3]


TWO_BLOCKS = """
import torch
from training.benchmarks.machine import Meter
meter = Meter()
with meter:
    kept = torch.ones(50 * 2**20, dtype=torch.uint8)
torch.ones(300 * 2**20, dtype=torch.uint8)  # not in a block, and gone before the next
with meter:
    more = torch.ones(100 * 2**20, dtype=torch.uint8)
print(meter.peak_bytes / 2**20)
"""


def test_memory_is_what_the_blocks_held_at_their_highest_since_the_first_began() -> None:
    """In a fresh process: in this one, memory that other tests gave back would be used again, and not be counted."""
    done = subprocess.run([sys.executable, "-c", TWO_BLOCKS], cwd=ROOT, capture_output=True, text=True, check=True)
    assert 145 < float(done.stdout) < 200


def test_seconds_of_several_blocks_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 11.0, 50.0, 52.5])
    monkeypatch.setattr(machine.time, "perf_counter", lambda: next(clock))
    meter = Meter()
    for _ in range(2):
        with meter:
            pass
    assert meter.seconds == 3.5


def test_a_block_that_fails_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    with pytest.raises(KeyError), Meter():
        raise KeyError
    assert threading.active_count() == before


def test_where_memory_cannot_be_read_an_error_message_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_file(*_: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", no_such_file)
    with pytest.raises(UserError, match="measure on Linux"):
        resident_bytes()


def test_the_rate_is_that_of_the_fastest_product(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock on which every product takes a quarter of a second: the largest products are the fastest."""
    clock = itertools.count(0.0, 0.25)
    monkeypatch.setattr(machine.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(machine, "PRODUCT_SIDES", (64, 32))
    assert matrix_product_rate(torch.float32) == 2 * 64**3 / 0.25


def test_the_machine_is_named() -> None:
    assert torch.__version__ in describe_machine()
    assert "core" in describe_machine()
