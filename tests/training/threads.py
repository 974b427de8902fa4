"""What a second thread costs: `python -m tests.training.threads`.

CPU seconds a step of a training on digits, with one thread and with two, which wait by spinning or asleep. Each is
measured in a process of its own, since OpenMP reads its settings once.
"""

from __future__ import annotations

import os
import subprocess
import sys

STEPS = """
import sys, time, torch
from dataclasses import replace
from sae_model import L1
from training.data import load_split
from training.fit.loop import fit
from training.fit.recipe import tuned
torch.set_num_threads(int(sys.argv[1]))
images = load_split("mnist", "train", limit=2_560).images
recipe = replace(tuned(L1(1.0)), epochs=6)
model = recipe.new_model(images)
cpu, clock = time.process_time(), time.perf_counter()
*_, last = fit(model, images, recipe)
print((time.process_time() - cpu) / last.step, (time.perf_counter() - clock) / last.step)
"""


def seconds_a_step(threads: int, policy: str) -> tuple[float, float]:
    """CPU seconds and seconds of the clock."""
    environment = os.environ | {"OMP_WAIT_POLICY": policy, "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-c", STEPS, str(threads)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    cpu, clock = map(float, done.stdout.split())
    return cpu, clock


if __name__ == "__main__":
    for policy in ("ACTIVE", "PASSIVE"):
        for threads in (1, 2):
            cpu, clock = seconds_a_step(threads, policy)
            print(f"{threads} threads, {policy.lower()}: {cpu:.3f} CPU seconds a step, {clock:.3f} on the clock")
