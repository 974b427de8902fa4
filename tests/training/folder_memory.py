"""How much memory a folder of images takes: `python -m tests.training.folder_memory 200000 [FOLDER]`.

Generated images in colour, of 32 x 32 pixels, are written to a folder, decoded, and learned from in one pass. Measured
is the memory that belongs to the process alone: pages of the mapped file belong to the system, which drops them when
memory is short.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from sae_model import L1
from training.data import open_dataset
from training.fit.loop import fit
from training.fit.recipe import Recipe

CLASSES = 4


def generate(folder: Path, count: int, side: int = 32) -> None:
    """So many images of coloured rectangles, in four classes."""
    generator = np.random.default_rng(0)
    for number in range(count):
        image = np.empty((side, side, 3), np.uint8)
        image[:] = generator.integers(0, 256, 3)
        top, left = generator.integers(0, side - 8, 2)
        image[top : top + 8, left : left + 8 * (number % 2 + 1)] = generator.integers(0, 256, 3)
        of_class = folder / "train" / f"class-{number % CLASSES}"
        if number < CLASSES:
            of_class.mkdir(parents=True)
        Image.fromarray(image).save(of_class / f"{number:06d}.png", compress_level=1)


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


def measure(folder: Path) -> dict[str, float]:
    """Read a folder and learn from its images once; megabytes."""
    before = own_memory()
    with watched() as reading:
        images = open_dataset(str(folder)).split("train").images
    recipe = Recipe(L1(1.0), latent_dim=64, epochs=1)
    with watched() as training:
        for _ in fit(recipe.new_model(images), images, recipe):
            pass
    return {
        "megabytes of images": images.numel() / 1e6,
        "megabytes, reading": (max(reading) - before) / 1e6,
        "megabytes, training": (max(training) - before) / 1e6,
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(sys.argv[2] if len(sys.argv) > 2 else scratch) / "rectangles"
        if not place.exists():
            generate(place, int(sys.argv[1]))
        print(json.dumps(measure(place)))
