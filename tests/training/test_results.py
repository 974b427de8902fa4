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
from training.measure.evaluation import Evaluation, read_by

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


def test_every_variant_has_a_row_of_its_metrics(evaluations: dict[str, Evaluation]) -> None:
    head, line, *rows = cells(results.variants_table(evaluations)).items()
    names, shown = dict([head]), dict(rows)
    assert set(line[1]) == {"---"}
    assert list(shown) == [recipe.name for recipe in RECIPES]
    for name, values in shown.items():
        e = evaluations[name]
        told = dict(zip(names["variant"], values, strict=True))
        assert told["bce"] == f"{e.bce:.4f}"
        assert told["fvu"] == f"{e.fvu:.4f}"
        assert told["effective L0"] == f"{e.effective_l0:.0f}"
        assert told["dead latents"] == f"{e.dead_fraction:.1%}"
        assert told["denoise mse at 0.3"] == f"{e.denoise_mse['0.3']:.4f}"
        kept = [value for heading, value in told.items() if heading.startswith("fvu top")]
        assert kept == [" / ".join(f"{e.fvu_top_k[k]:.3f}" for k in ("10", "25", "50", "100"))]


def test_the_lecture_stands_beside_some_of_ours(evaluations: dict[str, Evaluation]) -> None:
    shown = cells(results.lecture_table(evaluations))
    names = [name.strip("`") for name in shown["metric"]]
    assert names[:2] == ["lecture", "dense"]
    assert shown["bce"] == [f"{evaluations[name].bce:.4f}" for name in names]
    assert len(shown) == 2 + len(results.TABLE_METRICS) + 2  # and both classifiers
    assert [f"{evaluations[name].probe_error['all']:.2%}" for name in names] in list(shown.values())


def test_rates_stand_beside_their_targets(evaluations: dict[str, Evaluation]) -> None:
    shown = cells(results.rates_table(evaluations))
    targets = [recipe for recipe in RECIPES if hasattr(recipe.sparsity, "target")]
    assert list(shown)[2:] == [recipe.name for recipe in targets]
    for recipe in targets:
        rate = evaluations[recipe.name].mean_activation
        assert shown[recipe.name] == [f"{recipe.sparsity.target:g}", f"{rate:.4f}"]


def test_every_k_is_compared_with_the_model_for_this_k(evaluations: dict[str, Evaluation]) -> None:
    by_k, shown = read_by(BUNDLE / "adaptive-topk", "k"), cells(results.every_k_table(evaluations))
    assert list(shown)[2:] == ["10", "25", "50"]
    for k in (10, 25, 50):
        dedicated, one_for_all = evaluations[f"topk-{k}"].fvu, by_k[k].fvu
        assert shown[str(k)] == [f"{dedicated:.4f}", f"{one_for_all:.4f} ({one_for_all / dedicated - 1:+.0%})"]


@pytest.mark.usefixtures("no_classifiers")
def test_pixels_are_compared_with_every_variant(evaluations: dict[str, Evaluation]) -> None:
    shown = cells(results.probe_table(evaluations))
    assert shown["pixels"] == ["28.6%", "9.51%"]
    assert list(shown)[3:] == list(evaluations)
    for name, evaluation in evaluations.items():
        assert shown[name] == [f"{evaluation.probe_error['100']:.1%}", f"{evaluation.probe_error['all']:.2%}"]


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
