"""The bundled variants, as recipes: every method at the values that it names, and the lecture's own network."""

from __future__ import annotations

from sae_model.architectures import ARCHITECTURES
from sae_model.methods import METHODS, sparsity_from_config

from ..words import say, word_of
from .recipe import DEFAULT_ARCHITECTURE, Recipe, for_noise, tuned

NOISE = 0.6
"""Largest sigma on which the variants called `noise` are trained."""
LECTURE = tuned(sparsity_from_config(ARCHITECTURES["lecture"].sparsity), "lecture")
"""The lecture's own network and recipe."""
RECIPES = [
    *(tuned(method(**values)) for method in METHODS.values() for values in method.bundled),
    *(for_noise(tuned(method(**values)), NOISE) for method in METHODS.values() for values in method.bundled_on_noise),
    LECTURE,
]
FAMILIES = (
    *(kind for kind, method in METHODS.items() if method.joins is None and method.follows is None),
    "noise",
    "lecture",
)
"""What `Recipe.family` may be."""


def family_title(family: str) -> str:
    """What a family is called on the page and below a chart."""
    return word_of(METHODS[family], "title") if family in METHODS else say(f"families.{family}")


def value_label(name: str, recipe: Recipe) -> str:
    """The value of a model's hyperparameter as short as it can be, such as ".05"; its name where there is none."""
    if recipe.architecture != DEFAULT_ARCHITECTURE or recipe.sparsity.value is None:
        return name
    return short_number(recipe.sparsity.value)


def short_number(value: float) -> str:
    """A number as short as it can be, such as ".05"."""
    return f"{value:g}".removeprefix("0") or "0"
