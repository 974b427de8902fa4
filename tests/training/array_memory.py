"""How much memory a mapped array takes: `python -m tests.training.array_memory 2000000 [FOLDER]`.

So many vectors of 256 values in half precision are written to a file, mapped into memory, and learned from in one pass.
Measured is the most memory that the process ever had in RAM, libraries and pages of the mapped file among it.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from sae_model import TopK
from training.benchmarks.machine import in_own_process, peak_bytes
from training.library import train

LENGTH, PIECE = 256, 50_000


def generate(path: Path, count: int) -> None:
    """So many sums of few directions among 512."""
    generator = np.random.default_rng(0)
    directions = generator.normal(size=(512, LENGTH)).astype(np.float32)
    vectors = np.lib.format.open_memmap(path, "w+", np.float16, (count, LENGTH))
    for start in range(0, count, PIECE):
        end = min(start + PIECE, count)
        amounts = generator.random((end - start, 512), np.float32)
        vectors[start:end] = (amounts * (generator.random(amounts.shape, np.float32) < 0.02)) @ directions


def measure(path: Path) -> dict[str, float]:
    """Learn from a file once; megabytes. Right in a process that did nothing before."""
    vectors = np.load(path, mmap_mode="r")
    train(vectors, TopK(16), latent_dim=256, epochs=1, batch_size=1024)
    return {"megabytes of vectors": vectors.nbytes / 1e6, "megabytes in RAM at most": peak_bytes() / 1e6}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(sys.argv[2] if len(sys.argv) > 2 else scratch) / "vectors.npy"
        if not place.exists():
            generate(place, int(sys.argv[1]))
        print(json.dumps(in_own_process(measure, place)))
