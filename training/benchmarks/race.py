"""A race to the lecture's quality: the lecture's recipe against ours, one after the other, each in its own process.

What counts, for both: reading the images, building the model, training it, and what libraries set up on first use.
What does not: importing, unpacking the files that torchvision's data set class wants unpacked, and the evaluation that
tells whether the quality is there.
"""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from collections.abc import Iterable, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from tqdm import tqdm

from sae_model import L1
from sae_model.bundle import BUNDLE

from ..data import Split, load_split
from ..fit.bundled_recipes import LECTURE
from ..fit.loop import fit
from ..fit.recipe import Recipe
from ..measure.evaluation import Evaluation, evaluate, known
from ..publish.card import as_markdown
from . import lecture
from .machine import describe_machine, in_own_process, peak_bytes

# One pass over part of the images is enough: a wide dictionary learns fast, and steps of the encoder cost time.
OURS = Recipe(L1(0.3), limit=24_000, epochs=1, batch_size=128, learning_rate=8e-3)

QUIET = 0.5  # load average below which times can be trusted
WARM_UP_BATCHES = 20
MEASURED_BATCHES = 100


def quality_of_lecture() -> Evaluation:
    """What is raced to: bce, fvu_top_k at 25 and mean activation of the bundled variant `lecture` on the test split."""
    return Evaluation.read(BUNDLE / LECTURE.name / "evaluation.json")


def reaches(e: Evaluation, wanted: Evaluation) -> bool:
    """Whether all three are at most what is wanted."""
    return (
        known(e.bce) <= known(wanted.bce)
        and e.fvu_top_k["25"] <= wanted.fvu_top_k["25"]
        and e.mean_activation <= wanted.mean_activation
    )


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
    """On the test split, in the order in which they were made; none where the training is an extrapolation."""

    @property
    def seconds(self) -> float:
        """End to end."""
        return self.preparing + self.training


def benchmark(quick: bool) -> str:
    """Run the race, and put it into words as Markdown. A quick one extrapolates the lecture's side from 120 batches.

    Raises:
        UserError: the memory cannot be read here.
    """
    load = os.getloadavg()[0]
    test = load_split("mnist", "test")
    ours = in_own_process(run_ours, OURS, test)
    with tempfile.TemporaryDirectory() as folder:
        lecture.unpack_mnist(Path(folder))
        theirs = in_own_process(run_lecture, Path(folder), None if quick else test)
    return describe(theirs, ours, load)


def run_ours(recipe: Recipe, test: Split) -> Side:
    """Train one model with the loop that `python -m training fit` uses, and measure it."""
    memory, began = peak_bytes(), time.perf_counter()
    images = load_split(recipe.dataset, "train", limit=recipe.limit).images
    model = recipe.new_model(images)
    prepared = time.perf_counter()
    with tqdm(desc="ours", unit=" steps") as bar:
        for progress in fit(model, images, recipe):
            bar.total = progress.steps
            bar.update(progress.step - bar.n)
    return Side(
        epochs=recipe.epochs,
        images=progress.steps * min(recipe.batch_size, len(images)),
        preparing=prepared - began,
        training=time.perf_counter() - prepared,
        peak_bytes=peak_bytes() - memory,
        evaluations=[evaluate(model, test)],
    )


def run_lecture(
    folder: Path, test: Split | None, warm_up: int = WARM_UP_BATCHES, measured: int = MEASURED_BATCHES
) -> Side:
    """Train the lecture's model for its five epochs, and measure it after each.

    Args:
        folder: where `unpack_mnist` unpacked the images.
        test: what to measure it on; None trains for a few batches alone, and takes it that each batch of five epochs
            costs as much.
        warm_up, measured: how many batches these are.
    """
    memory, began = peak_bytes(), time.perf_counter()
    loader = lecture.make_loader(folder)
    model = LECTURE.new_model(torch.zeros(1, 1, 28, 28))
    optimizer = torch.optim.Adam(model.parameters(), lr=LECTURE.learning_rate)
    preparing = time.perf_counter() - began
    seconds, peak, evaluations = 0.0, 0, []
    if test is None:
        batches = lecture.train_epoch(model, loader, optimizer)
        _seconds(itertools.islice(batches, warm_up), warm_up, "lecture's, to warm up")
        a_batch = _seconds(itertools.islice(batches, measured), measured, "lecture's, a part") / measured
        seconds, peak = a_batch * len(loader) * LECTURE.epochs, peak_bytes()
    else:
        for epoch in range(1, LECTURE.epochs + 1):
            batches = lecture.train_epoch(model, loader, optimizer)
            seconds += _seconds(batches, len(loader), f"lecture's, epoch {epoch}")
            peak = peak or peak_bytes()  # before the first evaluation, which takes more
            evaluations.append(evaluate(model, test))
    return Side(
        epochs=LECTURE.epochs,
        images=LECTURE.epochs * len(cast(Sized, loader.dataset)),
        preparing=preparing,
        training=seconds,
        peak_bytes=peak - memory,
        evaluations=evaluations,
    )


def _seconds(batches: Iterable[float], count: int, what: str) -> float:
    """Go through batches with a bar; returns the seconds that it took."""
    began = time.perf_counter()
    for _loss in tqdm(batches, what, count, unit=" steps"):
        pass
    return time.perf_counter() - began


def describe(theirs: Side, ours: Side, load: float) -> str:
    """Both sides as a Markdown table, the machine above it, notes below.

    Args:
        theirs, ours: the two sides; theirs without evaluations is an extrapolation.
        load: how many cores other programs kept busy before the race, on average over a minute.
    """
    extrapolated, wanted = not theirs.evaluations, quality_of_lecture()
    left, right = (_column(side, theirs.seconds / side.seconds) for side in (theirs, ours))
    lines = [
        f"{describe_machine()}.",
        "",
        as_markdown(
            ["", f"lecture's recipe{', extrapolated' * extrapolated}", "ours"],
            [[name, left[name], right[name]] for name in left],
        ),
        "",
        f"- The quality is that of the bundled `{LECTURE.name}` on the test split, in all of: bce {wanted.bce:.4f}, "
        f"fvu_top_k at 25 {wanted.fvu_top_k['25']:.3f}, mean activation {wanted.mean_activation:.4f}.",
    ]
    if extrapolated:
        lines.append(
            f"- The lecture's side is extrapolated to its {LECTURE.epochs} epochs from {MEASURED_BATCHES} batches. "
            "Its quality was not measured."
        )
    if load > QUIET:
        lines.append(f"- Other programs kept {load:.1f} cores busy: these are not the times of a quiet machine.")
    for epoch, evaluation in enumerate(theirs.evaluations, start=1):
        lines.append(
            f"- The lecture's recipe after epoch {epoch}: bce {evaluation.bce:.4f}, fvu_top_k at 25 "
            f"{evaluation.fvu_top_k['25']:.2f}, mean activation {evaluation.mean_activation:.3f}."
        )
    return "\n".join(lines)


def _column(side: Side, times_faster: float) -> dict[str, str]:
    """The metrics of one side by the names of their rows."""
    quality = ["not measured"] * 4
    if side.evaluations:
        last = side.evaluations[-1]
        reached = "yes" if reaches(last, quality_of_lecture()) else "no"
        quality = [f"{last.bce:.4f}", f"{last.fvu_top_k['25']:.2f}", f"{last.mean_activation:.3f}", reached]
    names = ("`bce`", "`fvu_top_k` at 25", "`mean_activation`", "the quality is reached")
    return {
        "epochs": f"{side.epochs}",
        "seconds to read the images and build the model": f"{side.preparing:.2f}",
        "seconds to train": f"{side.training:.1f}",
        "**seconds, end to end**": f"**{side.seconds:.1f}**",
        "**times faster, end to end**": f"**{times_faster:.1f}**",
        "images per second, in training": f"{side.images / side.training:,.0f}",
        "peak memory beyond the libraries', MB": f"{side.peak_bytes / 1e6:,.0f}",
        **dict(zip(names, quality, strict=True)),
    }
