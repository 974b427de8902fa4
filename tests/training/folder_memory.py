"""How much memory a folder of images takes: `python -m tests.training.folder_memory 200000 [FOLDER]`.

Generated images of 32 x 32 pixels in colour are written to a folder, decoded, and learned from in one pass. Measured
is the memory that belongs to the process alone: pages of the mapped file belong to the system, which drops them when
memory is short.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image

from sae_model import L1
from training.data import open_dataset
from training.fit.loop import fit
from training.fit.recipe import Recipe

CLASSES, SIDE = 4, 32


def generate(folder: Path, count: int) -> None:
    """So many images of coloured rectangles, in four classes."""
    generator = np.random.default_rng(0)
    for number in range(count):
        image = np.empty((SIDE, SIDE, 3), np.uint8)
        image[:] = generator.integers(0, 256, 3)
        top, left = generator.integers(0, SIDE - 8, 2)
        image[top : top + 8, left : left + 8 * (number % 2 + 1)] = generator.integers(0, 256, 3)
        of_class = folder / "train" / f"class-{number % CLASSES}"
        if number < CLASSES:
            of_class.mkdir(parents=True)
        Image.fromarray(image).save(of_class / f"{number:06d}.png", compress_level=1)


def own_memory() -> int:
    """Bytes in RAM that are of this process alone (Linux)."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["RssAnon"].split()[0]) * 1024


class Peak:
    """The most memory that was in use while `with peak:` ran, looked at every 10 ms."""

    bytes = 0

    def __enter__(self) -> Peak:
        self.done = threading.Event()
        self.watcher = threading.Thread(target=self.watch)
        self.watcher.start()
        return self

    def watch(self) -> None:
        while not self.done.wait(0.01):
            self.bytes = max(self.bytes, own_memory())

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.watcher.join()


def measure(folder: Path, limit: int | None = None) -> dict[str, float]:
    """Read a folder and learn from its images once; megabytes and seconds."""
    before, began = own_memory(), time.perf_counter()
    with Peak() as reading:
        dataset = open_dataset(str(folder))
        images = dataset.split("train", limit).images
    read = time.perf_counter()
    recipe = Recipe(L1(1.0), latent_dim=64, epochs=1)
    with Peak() as training:
        for _ in fit(recipe.new_model(images), images, recipe):
            pass
    return {
        "images": len(images),
        "megabytes of images": images.numel() / 1e6,
        "megabytes, reading": (reading.bytes - before) / 1e6,
        "megabytes, training": (training.bytes - before) / 1e6,
        "seconds, reading": read - began,
        "seconds, training": time.perf_counter() - read,
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(sys.argv[2] if len(sys.argv) > 2 else scratch) / "rectangles"
        if not place.exists():
            generate(place, int(sys.argv[1]))
        print(json.dumps(measure(place)))
