"""How many threads of the CPU a training takes, and how they wait for each other.

OpenMP's threads wait by spinning, unless OMP_WAIT_POLICY=PASSIVE stands in the environment when torch is imported.
Where other programs want the cores too, two that spin cost three times the CPU time of one, and are no faster; two that
sleep cost 1.2 times as much (`python -m tests.training.threads`). The command line lets them sleep.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

THREADS_SLEEP = os.environ.get("OMP_WAIT_POLICY", "").upper() == "PASSIVE"
"""Whether threads sleep while they wait for each other."""


@contextmanager
def no_spinning() -> Iterator[None]:
    """Use one thread for the time of the block, where more would wait by spinning."""
    threads = torch.get_num_threads()
    torch.set_num_threads(threads if THREADS_SLEEP else 1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
