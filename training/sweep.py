"""Sweeps: a sparsity method at many hyperparameters and seeds, model after model; a table and a chart of all."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sae_model.methods import METHODS
from sae_model.storage import write_file

from .fit.output import check_empty, locked
from .fit.recipe import Recipe, asked_for, recipe_for
from .measure.evaluation import Evaluation, Measure, known
from .publish.card import as_markdown
from .runs import Data, finished, folder_names, run_one
from .words import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure  # which takes a while to import

COLUMNS: dict[str, Callable[[Evaluation], str]] = {
    "fvu": lambda e: f"{e.fvu:.4f}",
    "effective L0": lambda e: f"{e.effective_l0:.1f}",
    "L0": lambda e: f"{e.l0:.1f}",
    "dead latents": lambda e: f"{e.dead_fraction:.1%}",
    "mean activation": lambda e: f"{e.mean_activation:.4f}",
    "denoise mse at 0.3": lambda e: f"{e.denoise_mse['0.3']:.4f}",
}


def spread(arguments: Sequence[str]) -> list[str]:
    """Arguments of `sweep` as the command line reads them: `--beta 1 3` becomes `--beta 1 --beta 3`."""
    if not arguments or arguments[0] != "sweep":
        return list(arguments)
    many = {"--seed", *(f"--{known.name}" for method in METHODS.values() for known in fields(method))}
    words, option = ["sweep"], ""
    for word in arguments[1:]:
        if word.startswith("--"):
            option = word
        elif option in many and words[-1] != option:
            words.append(option)
        words.append(word)
    return words


def recipes(kind: str, values: dict[str, Sequence[Any] | None], others: dict[str, Any]) -> list[Recipe]:
    """The recipe of each combination of hyperparameters and seeds.

    Args:
        kind: of the sparsity method.
        values: hyperparameter, or `seed` -> the values that it takes; none is the usual one.
        others: fields of `Recipe` that all have; None leaves the usual value.

    Raises:
        ValueError: no such method, or a value out of its range.
    """
    made = []
    for combined in itertools.product(*(of or [None] for of in values.values())):
        chosen = dict(zip(values, combined, strict=True))
        seed = chosen.pop("seed")
        made.append(asked_for(recipe_for(None, None, kind, None, chosen), seed=seed, **others))
    return made


def run_sweep(
    wanted: Sequence[Recipe], data: Data, output: Path, measure: Measure, place: Any
) -> Iterator[tuple[str, Recipe, Evaluation]]:
    """Train, measure and save models one after the other, each to a folder of its own.

    Those that are there already are not made again, and one that was stopped goes on from its checkpoint.

    Args:
        place: the device to train on.

    Yields:
        The name of the folder, the recipe and the metrics of each.

    Raises:
        OutputError: a folder holds something else. Otherwise as for `run_one`.
    """
    for name, recipe in zip(folder_names(wanted), wanted, strict=True):
        folder = output / name
        with locked(folder):
            evaluation = finished(folder, recipe)
            if evaluation is None:
                check_empty(folder)
                evaluation = run_one(recipe, data, folder, measure, place)
        assert evaluation is not None, "a sweep runs in one process"
        yield name, recipe, evaluation


def write_sweep(output: Path, done: Sequence[tuple[str, Recipe, Evaluation]], title: str) -> str:
    """Write a table, the sparsest model first, and the frontier of a sweep into its folder.

    Returns:
        The table, as Markdown.
    """
    from .draw.model_charts import save

    rows = [[name, *(of(e) for of in COLUMNS.values())] for name, _, e in sorted(done, key=lambda one: one[2].l0)]
    table = as_markdown(["model", *COLUMNS], rows)
    write_file(output / "table.md", f"{table}\n".encode())
    save(frontier(done, title), output / "frontier", ("svg",))
    return table


def frontier(done: Sequence[tuple[str, Recipe, Evaluation]], title: str) -> Figure:
    """FVU against effective L0 of each model; the lowest FVU has a ring."""
    from .draw.model_charts import Point, frontier_figure

    points = [
        Point(name, name, max(e.effective_l0, 1e-3), max(known(e.fvu), 1e-5), recipe.family) for name, recipe, e in done
    ]
    best = min(range(len(points)), key=lambda i: points[i].fvu)
    return frontier_figure(points, best, f"{say('figures.frontier')}: {title}")
