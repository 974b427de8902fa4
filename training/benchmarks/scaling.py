"""How the cost of training grows with images, latents and processes: measured, as a table and a figure.

Images and latents are varied on all cores, each point in its own process, so that none finds the memory of another.
Processes are varied at one core each.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch
from tqdm import tqdm

from sae_model import L1

from ..data import load_split
from ..fit import parallel
from ..fit.loop import TrainingError, fit
from ..fit.recipe import Recipe, tuned
from .machine import describe_machine, in_own_process, peak_bytes

BLUE, ORANGE, GREY = "#1d4ed8", "#b45309", "#52525b"
IMAGES = (7_500, 15_000, 30_000, 55_000)
LATENTS = (225, 450, 900, 1800, 3600)
PROCESSES = (1, 2, 4, 8)
IMAGES_WHERE_LATENTS_VARY = 15_000
EPOCHS_OF_PROCESSES = 2
REPEATS = 3
BYTES_AN_IMAGE = 28 * 28
RECIPE = replace(tuned(L1(0.3)), epochs=1)


@dataclass(frozen=True)
class Cost:
    """What one epoch costs."""

    images: int
    latents: int
    seconds: float
    """The least of three epochs, each of a fresh model."""
    peak_bytes: int
    """The most that the process held, images and training, beyond what it held when it had imported everything."""


@dataclass(frozen=True)
class Scaling:
    """All that was measured."""

    by_images: list[Cost]
    by_latents: list[Cost]
    by_processes: dict[int, float]
    """Processes, at a core each, that train one model -> images a second of all together."""


def measure_scaling() -> Scaling:
    """Measure every point, in a minute or two, with a bar.

    Raises:
        UserError: the memory cannot be read here.
        TrainingError: several processes could not train together.
    """
    train = load_split(RECIPE.dataset, "train").images
    processes = [count for count in PROCESSES if count <= len(os.sched_getaffinity(0))]
    with tqdm(total=len(IMAGES) + len(LATENTS) + len(processes), unit=" points") as bar:

        def cost(images: int, latents: int) -> Cost:
            bar.set_description(f"{images:,} images, {latents:,} latents")
            measured = in_own_process(measure_cost, replace(RECIPE, latent_dim=latents), train[:images].clone())
            bar.update()
            return measured

        def rate(count: int) -> float:
            bar.set_description(f"{count} processes")
            measured = images_per_second(count, replace(RECIPE, epochs=EPOCHS_OF_PROCESSES), train)
            bar.update()
            return measured

        return Scaling(
            [cost(images, RECIPE.latent_dim) for images in IMAGES],
            [cost(IMAGES_WHERE_LATENTS_VARY, latents) for latents in LATENTS],
            {count: rate(count) for count in processes},
        )


def measure_cost(recipe: Recipe, images: Tensor) -> Cost:
    """What the recipe costs on images as bytes. Memory is right in a process that did nothing else before."""
    memory, seconds = peak_bytes(), []
    for _ in range(REPEATS):
        model = recipe.new_model(images)
        began = time.perf_counter()
        for _progress in fit(model, images, recipe):
            pass
        seconds.append(time.perf_counter() - began)
    return Cost(len(images), recipe.latent_dim, min(seconds), peak_bytes() - memory)


def images_per_second(processes: int, recipe: Recipe, images: Tensor) -> float:
    """How many images a second so many processes learn from, at a core each, started as torchrun starts them.

    Raises:
        TrainingError: it did not end well.
    """
    launch = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id="scaling",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
    )
    try:
        return elastic_launch(launch, _rate)(recipe, images)[0]
    except ChildFailedError as error:
        raise TrainingError(f"Training on {processes} processes failed; what went wrong stands above.") from error


def _rate(recipe: Recipe, images: Tensor) -> float:
    """What one of several processes does: images a second of all of them."""
    torch.set_num_threads(1)
    with parallel.joined(torch.device("cpu")):
        *_, last = fit(recipe.new_model(images), images, recipe)
        return last.images_per_second


def scaling_table(scaling: Scaling) -> str:
    """The measurements as Markdown."""
    lines = [
        f"{describe_machine()}.",
        "",
        "| images | latents | seconds an epoch | peak memory, MB |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {cost.images:,} | {cost.latents:,} | {cost.seconds:.2f} | {cost.peak_bytes / 1e6:,.0f} |"
        for cost in scaling.by_images + scaling.by_latents
    ]
    lines += ["", "| processes, a core each | images per second |", "|---|---|"]
    lines += [f"| {count} | {rate:,.0f} |" for count, rate in scaling.by_processes.items()]
    return "\n".join(lines)


def scaling_figure(scaling: Scaling) -> Figure:
    """Seconds and memory over images and over latents, and images a second over processes."""
    figure = Figure(figsize=(11, 6), layout="constrained")
    (*seconds, rates), (*memory, words) = figure.subplots(2, 3)
    line, dashes = {"marker": "o", "color": BLUE}, {"linestyle": "--", "color": ORANGE}
    for above, below, varied in zip(seconds, memory, ("images", "latents"), strict=True):
        costs = scaling.by_images if varied == "images" else scaling.by_latents
        counts = [getattr(cost, varied) for cost in costs]
        label = "measured" if varied == "images" else f"{costs[0].images:,} images"
        above.plot(counts, [cost.seconds for cost in costs], label=label, **line)
        below.plot(counts, [cost.peak_bytes / 1e6 for cost in costs], label=label, **line)
        above.set(title=varied.capitalize())
        below.set(xlabel=varied)
    first, last = scaling.by_images[0], scaling.by_images[-1]
    counts, each = [cost.images for cost in scaling.by_images], last.seconds / last.images
    once = [(first.peak_bytes + (count - first.images) * BYTES_AN_IMAGE) / 1e6 for count in counts]
    seconds[0].plot(
        counts, [each * count for count in counts], label=f"{each * 1e6:.0f} microseconds an image", **dashes
    )
    memory[0].plot(counts, once, label=f"{BYTES_AN_IMAGE} bytes an image", **dashes)
    processes, measured = list(scaling.by_processes), list(scaling.by_processes.values())
    rates.plot(processes, measured, label="measured", **line)
    rates.plot(processes, [measured[0] * count for count in processes], label="so many times one process", **dashes)
    rates.set(title="Processes", xlabel="processes, a core each", ylabel="images per second", xticks=processes)
    seconds[0].set(ylabel="seconds an epoch")
    memory[0].set(ylabel="peak memory, MB")
    for ax in (seconds[0], memory[0]):
        ax.set_xticks(counts, [f"{count / 1000:g}k" for count in counts])
    for ax in (*seconds, rates, *memory):
        ax.set(xlim=(0, None), ylim=(0, None))
        ax.grid(alpha=0.3)
        ax.legend(loc="best")
    words.axis("off")
    words.text(0, 1, _words(), va="top", color=GREY)
    figure.suptitle("What training costs")
    return figure


def _words() -> str:
    return "\n".join(
        [
            *describe_machine().split(", "),
            "",
            f"batches of {RECIPE.batch_size};",
            f"{RECIPE.latent_dim} latents where they do not vary;",
            f"least of {REPEATS} epochs; memory is that beyond",
            "what the libraries take",
        ]
    )
