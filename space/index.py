"""What the browser needs to know of the lab, as JSON: `files/lab.json`, and the same for one user's model.

    noun, shape, classes, range, output, ...   of the images and of all models; "vectors": nobody can draw them
    models     name -> config.json, address and size of the weights
    stops      key -> which model, what it is asked for, how far its codes are refined, its metrics
    families   one for each slider: {"key", "stops": keys from left to right, "labels": what stands below}. A slider
               that goes through many values of one model has {"range": {"model", "argument", "values", "steps"}} too:
               all its places, the labelled ones among them, and the steps of the refinement at each. A place's key is
               "MODEL, ARGUMENT = VALUE".
    opening    what is on the bench when the page opens
    methods, learn, server   what Learn offers, and what the server does; "server" is null where there is none

Addresses are relative to `files/`.
"""

from __future__ import annotations

import json
from typing import Any

import torch

from sae_model.methods import METHODS, Sparsity
from space.lab import SEVERAL, Lab, Stop, is_apart
from space.live_training import MOST_NOISE, SIZES
from space.state import opening
from space.user_models import UserModel, title
from training.fit.recipe import DEFAULT_ARCHITECTURE, Recipe
from training.measure.evaluation import SIGMA, Evaluation
from training.measure.latent_statistics import SAMPLE

METRICS = (
    "mse", "fvu", "mean_activation", "effective_l0", "l0", "dead_fraction", "l0_by_class", "mean_activation_by_class",
)  # fmt: skip
DIGITS = 6
UNREFINED = {"steps": 0, "rounds": 0, "beta": 0.0}
USER = "user:"
"""What the family of a user's model starts with; its name follows."""


def index_of(lab: Lab, urls: dict[str, dict[str, Any]], server: dict[str, Any] | None) -> dict[str, Any]:
    """The content of lab.json.

    Args:
        urls: "weights" and "statistics" -> by name of a model, or by key of a stop, where they are; "images" and
            "labels" -> where they are, and how they are packed.
    """
    first = opening(lab)
    return {
        "bundled": lab.is_bundled,
        "noun": "digit" if all(len(name) == 1 and name.isdigit() for name in lab.classes) else "image",
        "vectors": set(lab.image_shape[1:]) <= {1},
        "shape": [*lab.image_shape, 1, 1][:3],  # (length,) is a vector too
        "classes": list(lab.classes),
        "range": list(lab.range),
        "output": "sigmoid" if lab.loss == "bce" else "linear",
        "sizes": sorted({recipe.latent_dim for recipe in lab.recipes.values()}),
        "sample": min(SAMPLE, len(lab.images)),
        "sigma": SIGMA,
        "several": min(SEVERAL, len(lab.images)),
        "images": urls["images"],
        "labels": urls["labels"],
        "models": {
            name: _model(shown.config, shown.recipe, urls["weights"][name], shown.weights.stat().st_size)
            for name, shown in lab.models.items()
        },
        "families": [_family(lab, key, stops) for key, stops in lab.families.items()],
        "stops": {
            stop.key: _stop(stop, recipe.sparsity, lab.evaluation(stop), recipe.architecture)
            | {"apart": is_apart(recipe), "statistics": urls["statistics"][stop.key]}
            for stop in labelled(lab)
            for recipe in [lab.recipes[stop.model]]
        },
        "opening": {name: getattr(first, name) for name in ("digit", "family", "stop", "beside", "label")},
        "methods": [
            {
                "kind": kind,
                "hyperparameter": method.hyperparameter,
                "values": [strength(method, values) for values in method.bundled],
            }
            for kind, method in METHODS.items()
        ],
        "learn": {"sizes": list(SIZES), "size": 400, "noise": MOST_NOISE},
        "server": server,
    }


def strength(method: type[Sparsity], values: dict[str, Any]) -> str:
    """What one of the bundled values of a method is called; "" where the method has no hyperparameter."""
    return f"{values[method.hyperparameter]:g}" if method.hyperparameter else ""


def labelled(lab: Lab) -> list[Stop]:
    """Every stop of the page's own models that was measured, once."""
    return [stop for stop in lab.stops.values() if stop.label]


def news_of(lab: Lab, model: UserModel) -> dict[str, Any]:
    """What the browser needs to know of a user's model: parts of lab.json, and the family to show it in.

    Its family has the stops of its sparsity method and then the model.
    """
    config, recipe, address = model.config, Recipe(model.sparsity), f"users/{model.checksum}"
    stop = Stop(model.name, "★")
    short = title(model.name).partition("@")[0].rpartition("/")[2]
    own = {"apart": False, "statistics": f"{address}/statistics.safetensors?v=1", "users": True, "short": short}
    others = [other.key for other in lab.families.get(recipe.family, ()) if other.label]
    family = {"key": USER + model.name, "of": recipe.family, "title": title(model.name), "stops": [*others, stop.key]}
    return {
        "models": {model.name: _model(config, recipe, f"{address}/model.safetensors?v=1", len(model.weights))},
        "stops": {stop.key: _stop(stop, recipe.sparsity, model.evaluation, config["architecture"]) | own},
        "family": family,
        "choose": stop.key,
    }


def _model(config: dict[str, Any], recipe: Recipe, url: str, size: int) -> dict[str, Any]:
    """A model: its config.json, where its weights are, and how many bytes they have."""
    return {
        "config": config,
        "url": url,
        "bytes": size,
        "noise": recipe.noise,
        "linear": config["architecture"] == DEFAULT_ARCHITECTURE,
        "family": recipe.family,
        "betas": list(recipe.sparsity.betas) or None,
    }


def _family(lab: Lab, key: str, stops: list[Stop]) -> dict[str, Any]:
    family: dict[str, Any] = {"key": key, "stops": [stop.key for stop in stops if stop.label]}
    family["labels"] = [stop.label for stop in stops if stop.label]
    through = {(stop.model, stop.argument) for stop in stops if not stop.label}
    for model, argument in through:
        places = [stop for stop in stops if (stop.model, stop.argument) == (model, argument)]
        steps = [_refinement(lab.recipes[model].sparsity, stop)["steps"] for stop in places]
        values = [stop.value for stop in places]
        family["range"] = {"model": model, "argument": argument, "values": values, "steps": steps}
    return family


def _stop(stop: Stop, sparsity: Sparsity, evaluation: Evaluation, architecture: str) -> dict[str, Any]:
    k = stop.value if stop.argument == "k" else sparsity.default_k
    return {
        "key": stop.key,
        "model": stop.model,
        "label": stop.label,
        "short": stop.short,
        "argument": stop.argument,
        "value": stop.value if stop.argument else sparsity.value,
        "k": k,
        **(_refinement(sparsity, stop) if architecture == DEFAULT_ARCHITECTURE else UNREFINED),
        "evaluation": _rounded(
            {name: getattr(evaluation, name) for name in METRICS}
            | {name: getattr(evaluation, name).get(f"{SIGMA:g}") for name in ("denoise_mse", "noisy_mse")}
        ),
        "measured": stop.key,
        "target": getattr(sparsity, "target", None),
        "hyperparameter": sparsity.hyperparameter,
        "method": sparsity.kind,
        "penalty": _penalty(sparsity, stop),
    }


def _penalty(sparsity: Sparsity, stop: Stop) -> dict[str, Any] | None:
    """The term that was added to the loss in training, where one image is enough to compute it."""
    if sparsity.penalty_of is None:
        return None
    return {"of": sparsity.penalty_of, "weight": _beta(sparsity, stop), "target": getattr(sparsity, "target", None)}


def _beta(sparsity: Sparsity, stop: Stop) -> float:
    return stop.value if stop.argument == "beta" else getattr(sparsity, "beta", 0.0)


def _refinement(sparsity: Sparsity, stop: Stop) -> dict[str, Any]:
    """How far the codes of a stop are refined."""
    beta = _beta(sparsity, stop)
    refinement = sparsity.refinement(torch.tensor([float(beta)]) if sparsity.betas else None)
    if refinement is None:
        return UNREFINED
    return {
        "steps": int(refinement.steps),
        "rounds": refinement.rounds,
        "beta": beta if float(refinement.beta) else 0.0,
    }


def _rounded(metrics: dict[str, Any]) -> Any:
    """Round all numbers to the digits that are shown."""
    return json.loads(json.dumps(metrics), parse_float=lambda number: float(f"{float(number):.{DIGITS}g}"))
