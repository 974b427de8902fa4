"""How much memory data take: `python -m tests.training.memory images 200000 [FOLDER]`, or `vectors 2000000`.

Generated images of coloured rectangles, or vectors of 256 values in half precision, are written to files, read and
learned from in one pass. Measured is the memory that belongs to the process alone: pages of a mapped file belong to the
system, which drops them when memory is short.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sae_model import L1, TopK
from training.data import open_dataset
from training.library import train

LENGTH, PIECE = 256, 50_000


def generate_images(folder: Path, count: int, side: int = 32) -> None:
    """So many images of coloured rectangles, in four classes."""
    generator = np.random.default_rng(0)
    for number in range(count):
        image = np.empty((side, side, 3), np.uint8)
        image[:] = generator.integers(0, 256, 3)
        top, left = generator.integers(0, side - 8, 2)
        image[top : top + 8, left : left + 8 * (number % 2 + 1)] = generator.integers(0, 256, 3)
        of_class = folder / "train" / f"class-{number % 4}"
        of_class.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(of_class / f"{number:06d}.png", compress_level=1)


def generate_vectors(folder: Path, count: int) -> None:
    """So many random vectors."""
    generator = np.random.default_rng(0)
    folder.mkdir()
    vectors = np.lib.format.open_memmap(folder / "vectors.npy", "w+", np.float16, (count, LENGTH))
    for start in range(0, count, PIECE):
        end = min(start + PIECE, count)
        vectors[start:end] = generator.random((end - start, LENGTH), np.float32)


def own_memory() -> int:
    """Bytes in RAM that are of this process alone (Linux)."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["RssAnon"].split()[0]) * 1024


@contextmanager
def watched() -> Iterator[list[int]]:
    """What memory was in use meanwhile, looked at every 10 ms."""
    seen, done = [own_memory()], threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            seen.append(own_memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    yield seen
    done.set()
    watcher.join()


def measure(what: str, folder: Path) -> dict[str, float]:
    """Read data and learn from them once; megabytes."""
    before = own_memory()
    with watched() as reading:
        data: Any
        if what == "images":
            data = open_dataset(str(folder)).split("train").images
        else:
            data = np.load(folder / "vectors.npy", mmap_mode="r")
    with watched() as training:
        train(data, L1(1.0) if what == "images" else TopK(16), latent_dim=64, epochs=1, device="cpu")
    return {
        "megabytes of data": data.nbytes / 1e6,
        "megabytes, reading": (max(reading) - before) / 1e6,
        "megabytes, training": (max(training) - before) / 1e6,
    }


if __name__ == "__main__":
    what, count, *place = sys.argv[1:]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(*place or [scratch]) / what
        if not folder.exists():
            {"images": generate_images, "vectors": generate_vectors}[what](folder, int(count))
        print(json.dumps(measure(what, folder)))
