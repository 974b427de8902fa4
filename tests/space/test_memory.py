"""What threads freed goes back to the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# A first large block that is freed lets the C library keep later ones; small ones that stay are between them.
SCRIPT = """
from threading import Thread

import torch

from space.learn import trim
from tests.space.server import resident_mb

block = torch.ones(7_000_000)
del block
kept = []

def work():
    large = []
    for _ in range(50):
        large.append(torch.ones(500_000))
        kept.append(torch.ones(15_000))

thread = Thread(target=work)
thread.start()
thread.join()
before = resident_mb()
trim()
print(before - resident_mb())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only GNU's C library keeps so much")
def test_trim_gives_back_what_a_thread_freed() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 50
