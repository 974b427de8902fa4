"""RESULTS.md has the tables that the committed evaluation.json files make."""

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


def test_results_have_the_tables_that_the_command_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    """A classifier on the pixels of all digits takes half a minute; here its errors are given."""
    monkeypatch.setattr(results, "probe_errors", lambda *_: {"100": 0.2740, "all": 0.0796})
    printed = succeeded("results").stdout.rstrip("\n").split("\n\n")
    there = {table for name, table in vars(results).items() if re.fullmatch("[a-z][a-z_]*_table", name)}
    assert set(results.TABLES) == there - {results.seeds_table}
    assert len(printed) == len(results.TABLES)
    text = results.RESULTS.read_text(encoding="utf-8")
    for wanted in printed:
        assert wanted in text
        stale = text.replace(wanted, "\n".join([*wanted.splitlines()[:2], "| of before | 1 |"]))
        assert results.with_tables(stale, [wanted]) == text


def test_means_over_seeds_are_those_of_the_bundled_and_the_other_models(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluations = {recipe.name: Evaluation.read(BUNDLE / recipe.name / "evaluation.json") for recipe in RECIPES}
    trained: list[Recipe] = []

    def note(recipe: Recipe) -> Evaluation:
        trained.append(recipe)
        return replace(evaluations[recipe.name], bce=recipe.seed / 100)

    monkeypatch.setattr(results, "_trained", note)
    rows = [line.strip("| ").split(" | ") for line in results.seeds_table(evaluations).splitlines()[2:]]
    shown = {name.strip("`"): values for name, *values in rows}
    bundled = {recipe.name: recipe for recipe in RECIPES}
    assert list(shown) == [name for name in bundled if name in results.HEADLINE]
    assert set(results.HEADLINE) <= bundled.keys()
    assert trained == [replace(bundled[name], seed=seed) for name in shown for seed in (1, 2)]
    bce = [evaluations["dense"].bce, 0.01, 0.02]
    assert shown["dense"][0] == f"{statistics.mean(bce):.4g} ± {statistics.stdev(bce):.2g}"
