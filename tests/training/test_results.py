"""README's tables say what the committed evaluation.json files say."""

from __future__ import annotations

import re
import statistics
from dataclasses import replace

import pytest

from sae_model.bundle import BUNDLE
from tests.command_line import succeeded
from training import results
from training.fit.bundled_recipes import RECIPES
from training.fit.recipe import Recipe
from training.measure.evaluation import Evaluation

PIXELS = {"100": 0.2861, "all": 0.0951}


@pytest.fixture(scope="module")
def evaluations() -> dict[str, Evaluation]:
    return {recipe.name: Evaluation.read(BUNDLE / recipe.name / "evaluation.json") for recipe in RECIPES}


@pytest.fixture
def no_classifiers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A classifier on the pixels of all digits takes half a minute; here its errors are given."""
    monkeypatch.setattr(results, "probe_errors", lambda *_: PIXELS)


def cells(table: str) -> dict[str, list[str]]:
    """First cell -> the others, of every row."""
    lines = [line.strip("| ").split(" | ") for line in table.splitlines()]
    return {name.strip("`"): values for name, *values in lines}


@pytest.mark.usefixtures("no_classifiers")
def test_pixels_are_compared_with_every_variant(evaluations: dict[str, Evaluation]) -> None:
    shown = cells(results.probe_table(evaluations))
    assert shown["pixels"] == ["28.6%", "9.51%"]
    assert list(shown)[3:] == list(evaluations)


def test_means_over_seeds_are_those_of_the_bundled_and_the_other_models(
    evaluations: dict[str, Evaluation], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[Recipe] = []

    def note(recipe: Recipe) -> Evaluation:
        trained.append(recipe)
        return replace(evaluations[recipe.name], bce=recipe.seed / 100)

    monkeypatch.setattr(results, "_trained", note)
    shown = cells(results.seeds_table(evaluations))
    bundled = {recipe.name: recipe for recipe in RECIPES}
    assert list(shown)[2:] == [name for name in bundled if name in results.HEADLINE]
    assert set(results.HEADLINE) <= bundled.keys()
    assert trained == [replace(bundled[name], seed=seed) for name in list(shown)[2:] for seed in (1, 2)]
    bce = [evaluations["dense"].bce, 0.01, 0.02]
    assert shown["dense"][0] == f"{statistics.mean(bce):.4g} ± {statistics.stdev(bce):.2g}"


@pytest.mark.usefixtures("no_classifiers")
def test_the_command_prints_the_tables_alone(evaluations: dict[str, Evaluation]) -> None:
    done = succeeded("results")
    there = {table for name, table in vars(results).items() if re.fullmatch("[a-z][a-z_]*_table", name)}
    assert set(results.TABLES) == there - {results.seeds_table}
    tables = [table(evaluations) for table in results.TABLES]
    assert done.stdout == "\n\n".join(tables) + "\n"
