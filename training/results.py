"""The tables of the bundled variants in RESULTS.md, from their evaluation.json files."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from sae_model.bundle import BUNDLE
from sae_model.methods import METHODS

from .data import load_split
from .fit.bundled_recipes import LECTURE, RECIPES
from .fit.checkpoint import run
from .fit.recipe import Recipe
from .measure.evaluation import Evaluation, evaluate, known, read_by
from .measure.probe import pixels, probe_errors
from .publish.card import PROBED, as_markdown

SEEDS = (0, 1, 2)
HEADLINE = ("dense", "l1-1", "l1-3", "topk-25")
"""The variants that are trained with several seeds."""
OF_THE_FIELD = ("topk-25", "batch-topk", "jumprelu", "matryoshka")
"""The methods that the field uses, at about the same number of latents."""
BY_CLASS = ("l1-1", "kl-image-0.05", "kl-neuron-0.05", "topk-25", "batch-topk", "jumprelu")
"""The variants whose codes are measured digit by digit."""
BESIDE_LECTURE = ("dense", "l1-1", "l1-10")
"""The variants that are compared with the lecture's network."""
RESULTS = Path(__file__).with_name("RESULTS.md")
"""Where the tables stand."""

KEPT = ("10", "25", "50", "100")
TABLE_METRICS: dict[str, Callable[[Evaluation], str]] = {
    "bce": lambda e: f"{e.bce:.4f}",
    "fvu": lambda e: f"{e.fvu:.4f}",
    "mean activation": lambda e: f"{e.mean_activation:.3f}",
    "fvu refit": lambda e: "" if e.fvu_refit is None else f"{e.fvu_refit:.4f}",
    "effective L0": lambda e: f"{e.effective_l0:.0f}",
    "L0": lambda e: f"{e.l0:.0f}",
    "dead latents": lambda e: f"{e.dead_fraction:.1%}",
    "denoise mse at 0.3": lambda e: f"{e.denoise_mse['0.3']:.4f}",
    "fvu top 10 / 25 / 50 / 100": lambda e: " / ".join(f"{e.fvu_top_k[k]:.3f}" for k in KEPT),
}
"""Metric -> its cell in the tables."""


NUMBERS: dict[str, Callable[[Evaluation], float]] = {
    "bce": lambda e: known(e.bce),
    "fvu": lambda e: known(e.fvu),
    "effective L0": lambda e: e.effective_l0,
    "dead latents": lambda e: e.dead_fraction,
    "denoise mse at 0.3": lambda e: e.denoise_mse["0.3"],
    "fvu top 25": lambda e: e.fvu_top_k["25"],
    "probe error, all": lambda e: e.probe_error["all"],
}
"""Metric -> its value; the table of seeds has the mean and the deviation of each."""


def results(with_seeds: bool) -> list[str]:
    """The tables as Markdown. `with_seeds` adds one for which the headline variants are trained again, for an hour."""
    evaluations = {recipe.name: Evaluation.read(BUNDLE / recipe.name / "evaluation.json") for recipe in RECIPES}
    return [table(evaluations) for table in (*TABLES, *[seeds_table] * with_seeds)]


def with_tables(text: str, tables: Sequence[str]) -> str:
    """Replace each table of a Markdown text by the given one that begins with the same two cells."""
    for table in tables:
        first = re.escape("|".join(table.split("|")[:3]) + "|")
        text = re.sub(rf"^{first}.*\n(\|.*(\n|$))*", f"{table}\n".replace("\\", r"\\"), text, flags=re.MULTILINE)
    return text


def variants_table(evaluations: dict[str, Evaluation]) -> str:
    """Every variant's metrics on the test split."""
    rows = [[f"`{name}`", *(of(e) for of in TABLE_METRICS.values())] for name, e in evaluations.items()]
    return as_markdown(["variant", *TABLE_METRICS], rows)


def lecture_table(evaluations: dict[str, Evaluation]) -> str:
    """The lecture's network beside some of ours, by every metric."""
    names = [LECTURE.name, *BESIDE_LECTURE]
    metrics = TABLE_METRICS | {
        f"probe error, {how}": lambda e, which=which: f"{e.probe_error[which]:.2%}" for which, how in PROBED.items()
    }
    rows = [[metric, *(of(evaluations[name]) for name in names)] for metric, of in metrics.items()]
    return as_markdown(["metric", *(f"`{name}`" for name in names)], rows)


def rates_table(evaluations: dict[str, Evaluation]) -> str:
    """Target rates, and the mean activations that were reached."""
    rows = [
        [f"`{recipe.name}`", f"{recipe.sparsity.value:g}", f"{evaluations[recipe.name].mean_activation:.4f}"]
        for recipe in RECIPES
        if recipe.sparsity.hyperparameter == "target"
    ]
    return as_markdown(["variant", "target rate", "mean activation"], rows)


def every_k_table(evaluations: dict[str, Evaluation]) -> str:
    """fvu of the models that were trained for one k, and of the one for every k."""
    by_k = read_by(BUNDLE / "adaptive-topk", "k")
    own = {k: known(evaluations[f"topk-{k}"].fvu) for k in by_k if f"topk-{k}" in evaluations}
    every = {k: known(by_k[k].fvu) for k in own}
    rows = [[f"{k}", f"{fvu:.4f}", f"{every[k]:.4f} ({every[k] / fvu - 1:+.0%})"] for k, fvu in own.items()]
    return as_markdown(["k", "fvu, trained for this k", "fvu, one model for every k"], rows)


def every_beta_table(evaluations: dict[str, Evaluation]) -> str:
    """The models that were trained for one beta, and the one for every beta."""
    rows = []
    for beta, one in read_by(BUNDLE / "adaptive-l1", "beta").items():
        own = evaluations.get(f"l1-{beta:g}")
        loss = [e and f"{known(e.bce) + beta * e.mean_activation:.4f}" for e in (own, one)]
        tops = [e and " / ".join(f"{e.fvu_top_k[k]:.3f}" for k in KEPT) for e in (own, one)]
        dead = [e and f"{e.dead_fraction:.1%}" for e in (own, one)]
        rows.append([f"{beta:g}", *(cell or "" for pair in (loss, tops, dead) for cell in pair)])
    names = ("bce + beta x mean activation", "fvu top 10 / 25 / 50 / 100", "dead latents")
    return as_markdown(["beta", *(f"{name}, {which}" for name in names for which in ("own model", "adaptive"))], rows)


def fields_table(evaluations: dict[str, Evaluation]) -> str:
    """The methods of the field, each with about 25 latents on."""
    rows = []
    for name in OF_THE_FIELD:
        e, method = evaluations[name], METHODS[name if name in METHODS else "topk"]
        cells = (f"{e.l0:.1f}", f"{e.fvu:.4f}", f"{e.fvu_refit:.4f}", f"{e.effective_l0:.1f}")
        rows.append([f"`{name}`", *cells, f"{e.denoise_mse['0.3']:.4f}", f"{e.dead_fraction:.1%}", method.purpose])
    head = ["about 25 on", "L0", "fvu", "fvu refit", "effective L0", "denoise mse at 0.3", "dead", "use it"]
    return as_markdown(head, rows)


def by_class_table(evaluations: dict[str, Evaluation]) -> str:
    """How long the code of each digit is, for several methods."""
    rows = []
    for name in BY_CLASS:
        e = evaluations[name]
        rows.append([f"`{name}`", "mean activation", *(f"{value:.4f}" for value in e.mean_activation_by_class)])
        rows.append([f"`{name}`", "L0", *(f"{value:.1f}" for value in e.l0_by_class)])
    return as_markdown(["code by digit", "metric", *map(str, range(10))], rows)


def probe_table(evaluations: dict[str, Evaluation]) -> str:
    """Test errors of linear classifiers on activations, and on pixels."""
    train, test = load_split("mnist", "train"), load_split("mnist", "test")
    errors = {"pixels": probe_errors(pixels, train, test)}
    errors |= {f"`{name}`": e.probe_error for name, e in evaluations.items()}
    rows = [[name, f"{error['100']:.1%}", f"{error['all']:.2%}"] for name, error in errors.items()]
    return as_markdown(["features", "error, 10 labels of each class", "error, all labels"], rows)


TABLES = (
    lecture_table,
    variants_table,
    rates_table,
    every_k_table,
    every_beta_table,
    fields_table,
    by_class_table,
    probe_table,
)
"""Of the committed evaluations, in the order in which they are printed."""


def seeds_table(evaluations: dict[str, Evaluation]) -> str:
    """Mean and standard deviation of headline metrics over seeds; the first seed's model is the bundled one."""
    rows = []
    for recipe in (recipe for recipe in RECIPES if recipe.name in HEADLINE):
        several = [evaluations[recipe.name], *(_trained(replace(recipe, seed=seed)) for seed in SEEDS[1:])]
        values = [[of(e) for e in several] for of in NUMBERS.values()]
        means = [f"{statistics.mean(column):.4g} ± {statistics.stdev(column):.2g}" for column in values]
        rows.append([f"`{recipe.name}`", *means])
    return as_markdown([f"{len(SEEDS)} seeds", *NUMBERS], rows)


def _trained(recipe: Recipe) -> Evaluation:
    train = load_split(recipe.dataset, "train")
    model = recipe.new_model(train.images)
    for _progress in run(model, train.images, recipe):
        pass
    return evaluate(model, load_split(recipe.dataset, "test"), train)
