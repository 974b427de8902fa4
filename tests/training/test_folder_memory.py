"""A folder of many images takes no more of the process's own memory than one of few."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.memory import generate_images

ROOT = Path(__file__).resolve().parents[2]
AT_ONCE = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
"""Lets the C library give back at once what was freed; what it keeps otherwise differs by 20 MB from run to run."""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_memory_stays_flat(tmp_path: Path) -> None:
    taken = {}
    for count in (1_000, 5_000):
        folder = tmp_path / str(count)
        generate_images(folder / "images", count, side=64)
        command = [sys.executable, "-m", "tests.training.memory", "images", str(count), str(folder)]
        environment = os.environ | AT_ONCE | {"HF_HOME": str(tmp_path / "home")}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        taken[count] = json.loads(done.stdout)
    more_images = taken[5_000]["megabytes of data"] - taken[1_000]["megabytes of data"]
    assert more_images > 35
    for when in ("megabytes, reading", "megabytes, training"):
        assert taken[5_000][when] - taken[1_000][when] < more_images / 2, taken
