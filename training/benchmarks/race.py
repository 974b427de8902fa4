"""A race to the lecture's quality, and how the cost of training grows. Linux only.

The lecture's recipe against ours, one after the other, each in its own process. What counts, for both: reading the
images, building the model, training it, and what libraries set up on first use. What does not: importing, unpacking the
files that torchvision's data set class wants unpacked, and the evaluation that tells whether the quality is there.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from sae_model import L1
from sae_model.bundle import BUNDLE
from sae_model.errors import UserError

from ..data import Split, load_split
from ..data.dataset import DATA_DIR, VALIDATION_IMAGES
from ..fit.bundled_recipes import LECTURE
from ..fit.checkpoint import run
from ..fit.loop import fit
from ..fit.recipe import Recipe, tuned
from ..measure.evaluation import Evaluation, evaluate, known
from ..publish.card import as_markdown

# One pass over part of the images is enough: a wide dictionary learns fast, and steps of the encoder cost time.
OURS = Recipe(L1(0.3), limit=24_000, epochs=1, batch_size=128, learning_rate=8e-3)
QUIET = 0.5  # load average below which times can be trusted
MEASURED = replace(tuned(L1(0.3)), epochs=1)
"""The recipe whose cost is measured, the least of three times, at these numbers of images and latents:"""
SIZES = ((7_500, 900), (15_000, 900), (30_000, 900), (55_000, 900), (15_000, 225), (15_000, 1_800), (15_000, 3_600))
REPEATS = 3


@dataclass(frozen=True)
class Side:
    """What one side of the race took."""

    epochs: int
    """Passes over the images."""
    images: int
    """Images learned from, counted again in each pass."""
    preparing: float
    """Seconds to read the images and build the model."""
    training: float
    """Seconds to train it."""
    peak_bytes: int
    """The most that the process held while it trained, beyond what it held when it had imported everything."""
    evaluations: list[Evaluation]
    """On the test split, in the order in which they were made."""


def in_own_process(work: Callable[..., Any], *arguments: Any) -> Any:
    """What a function of a module answers in a process that did nothing before, so that its peak memory is its own.

    Tensors are handed over in shared memory.
    """
    # A process that was spawned would begin with the peak of its parent.
    with ProcessPoolExecutor(1, multiprocessing.get_context("forkserver")) as process:
        return process.submit(work, *arguments).result()


def peak_bytes() -> int:
    """The most memory that this process ever had in RAM.

    Raises:
        UserError: not Linux.
    """
    if platform.system() != "Linux":
        raise UserError("Other systems report peak memory in other units: measure on Linux.")
    import resource  # not on Windows

    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def describe_machine() -> str:
    """CPU, cores and threads, and the version of torch, on one line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    cores, threads = len(os.sched_getaffinity(0)), torch.get_num_threads()
    return (
        f"{cpu}, {cores} core{'s' * (cores != 1)}, torch {torch.__version__} on {threads} thread{'s' * (threads != 1)}"
    )


def benchmark() -> str:
    """Run the race, and put it into words as Markdown."""
    from ..data.torchvision_import import datasets

    load = os.getloadavg()[0]
    test = load_split("mnist", "test")
    ours = in_own_process(run_ours, OURS, test)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(DATA_DIR / "MNIST", Path(folder) / "MNIST")
        datasets.MNIST(folder, download=True)  # it finds whole archives, and only unpacks them
        theirs = in_own_process(run_lecture, folder, test)
    return describe(theirs, ours, load)


def run_ours(recipe: Recipe, test: Split) -> Side:
    """Train one model with the loop that `python -m training fit` uses, and measure it."""
    memory, began = peak_bytes(), time.perf_counter()
    images = load_split(recipe.dataset, "train", limit=recipe.limit).images
    model = recipe.new_model(images)
    preparing, began = time.perf_counter() - began, time.perf_counter()
    *_, last = run(model, images, recipe)
    training, peak = time.perf_counter() - began, peak_bytes() - memory
    learned = last.steps * min(recipe.batch_size, len(images))
    return Side(recipe.epochs, learned, preparing, training, peak, [evaluate(model, test)])


def run_lecture(folder: str, test: Split) -> Side:
    """Train the lecture's model by the loop that stands there, and measure it after each epoch.

    Torchvision's MNIST decoded image by image, a shuffled DataLoader, plain Adam in single precision.

    Args:
        folder: where the images are unpacked.
    """
    from ..data.torchvision_import import datasets, transforms

    memory, began = peak_bytes(), time.perf_counter()
    images = datasets.MNIST(folder, train=True, transform=transforms.ToTensor())
    training = Subset(images, range(len(images) - VALIDATION_IMAGES))
    order = torch.Generator().manual_seed(LECTURE.seed)
    loader = DataLoader(training, LECTURE.batch_size, shuffle=True, generator=order)
    model = LECTURE.new_model(torch.zeros(1, 1, 28, 28))
    optimizer = torch.optim.Adam(model.parameters(), lr=LECTURE.learning_rate)
    preparing = time.perf_counter() - began
    seconds, peak, evaluations = 0.0, 0, []
    for epoch in range(1, LECTURE.epochs + 1):
        began = time.perf_counter()
        model.train()
        for batch, _labels in tqdm(loader, f"lecture's, epoch {epoch}", unit=" steps"):
            reconstruction, latents, _activations = model(batch)
            loss = F.binary_cross_entropy(reconstruction, batch) + LECTURE.sparsity.penalty(latents)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        seconds += time.perf_counter() - began
        peak = peak or peak_bytes()  # before the first evaluation, which takes more
        evaluations.append(evaluate(model, test))
    return Side(LECTURE.epochs, LECTURE.epochs * len(training), preparing, seconds, peak - memory, evaluations)


def describe(theirs: Side, ours: Side, load: float) -> str:
    """Both sides as a Markdown table, the machine above it, notes below.

    Args:
        load: how many cores other programs kept busy before the race, on average over a minute.
    """
    wanted = Evaluation.read(BUNDLE / LECTURE.name / "evaluation.json")
    seconds, sides = theirs.preparing + theirs.training, []
    for side in (theirs, ours):
        last, own = side.evaluations[-1], side.preparing + side.training
        column = {
            "epochs": f"{side.epochs}",
            "seconds to read the images and build the model": f"{side.preparing:.2f}",
            "seconds to train": f"{side.training:.1f}",
            "**seconds, end to end**": f"**{own:.1f}**",
            "**times faster, end to end**": f"**{seconds / own:.1f}**",
            "images per second, in training": f"{side.images / side.training:,.0f}",
            "peak memory beyond the libraries', MB": f"{side.peak_bytes / 1e6:,.0f}",
            "`bce`": f"{last.bce:.4f}",
            "`fvu_top_k` at 25": f"{last.fvu_top_k['25']:.2f}",
            "`mean_activation`": f"{last.mean_activation:.3f}",
            "the quality is reached": "yes" if reaches(last, wanted) else "no",
        }
        sides.append(column)
    lines = [
        f"{describe_machine()}.",
        "",
        as_markdown(["", "lecture's recipe", "ours"], [[name, *(of[name] for of in sides)] for name in sides[0]]),
        "",
        f"- The quality is that of the bundled `{LECTURE.name}` on the test split, in all of: bce {wanted.bce:.4f}, "
        f"fvu_top_k at 25 {wanted.fvu_top_k['25']:.3f}, mean activation {wanted.mean_activation:.4f}.",
    ]
    if load > QUIET:
        lines.append(f"- Other programs kept {load:.1f} cores busy: these are not the times of a quiet machine.")
    for epoch, e in enumerate(theirs.evaluations, start=1):
        lines.append(
            f"- The lecture's recipe after epoch {epoch}: bce {e.bce:.4f}, fvu_top_k at 25 {e.fvu_top_k['25']:.2f}, "
            f"mean activation {e.mean_activation:.3f}."
        )
    return "\n".join(lines)


def reaches(e: Evaluation, wanted: Evaluation) -> bool:
    """Whether bce, fvu_top_k at 25 and mean activation are all at most what is wanted."""
    return (
        known(e.bce) <= known(wanted.bce)
        and e.fvu_top_k["25"] <= wanted.fvu_top_k["25"]
        and e.mean_activation <= wanted.mean_activation
    )


def costs_table() -> str:
    """Measure what an epoch costs at each of `SIZES`, in a minute or two, with a bar; as Markdown."""
    train, rows = load_split(MEASURED.dataset, "train").images, []
    for images, latents in tqdm(SIZES, desc="costs", unit=" points"):
        recipe = replace(MEASURED, latent_dim=latents)
        seconds, memory = in_own_process(measure_cost, recipe, train[:images].clone())
        rows.append([f"{images:,}", f"{latents:,}", f"{seconds:.2f}", f"{memory / 1e6:,.0f}"])
    return as_markdown(["images", "latents", "seconds an epoch", "peak memory, MB"], rows)


def measure_cost(recipe: Recipe, images: Tensor) -> tuple[float, int]:
    """What the recipe costs on images as bytes, in a process that did nothing else before.

    Returns:
        The least seconds of three trainings, each of a fresh model; and the most memory that the process held, images
        and training, beyond what it held when it had imported everything, in bytes.
    """
    memory, seconds = peak_bytes(), []
    for _ in range(REPEATS):
        model = recipe.new_model(images)
        began = time.perf_counter()
        list(fit(model, images, recipe))
        seconds.append(time.perf_counter() - began)
    return min(seconds), peak_bytes() - memory
