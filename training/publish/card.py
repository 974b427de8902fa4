"""The model card: what a person reads first, and what the Hub reads."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

import yaml
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from sae_model import SparseAutoencoder, Sparsity
from sae_model.errors import first_line
from sae_model.hub import as_folder

from ..fit.recipe import Recipe
from ..measure.evaluation import Evaluation, known
from .record import Record

IMAGE_NAME = "reconstructions.webp"
MOST_CLASSES = 30
"""The most rows of the table by class."""
PROBED = {"100": "fitted on 10 training images of each class", "all": "fitted on all training images"}
Metric = tuple[str, float, str, str]
"""Its name, its value, the same as text, and what it means."""
BEGIN = "<!-- Generated from here on: the next push writes it anew. Write above or below. -->"
END = "<!-- Generated up to here. -->"

INSTALL = """Install its package from the Space that shows such models:

```bash
pip install git+{space}
```"""
INSTALLED = "Wherever its package `sae_model` is installed:"
IN_A_FOLDER = (
    "Wherever its package `sae_model` is installed, with the path of this folder in place of the model's name:"
)


def render_card(model: SparseAutoencoder, record: Record, repo_id: str | None = None, space: str | None = None) -> str:
    """The card of a model, as Markdown with the Hub's metadata in front. It names no folder of this machine.

    Args:
        repo_id: the repo on the Hub from which it is loaded; None for a folder.
        space: address of a Space from which pip can install `sae_model`.
    """
    recipe, e, dataset, sparsity = record.recipe, record.evaluation, record.about.title, record.recipe.sparsity
    bounded, is_vector = recipe.loss == "bce", set(model.image_shape[1:]) <= {1}
    row, a_row, value = ("vector", "a vector", "value") if is_vector else ("image", "an image", "pixel")
    shape = f"{model.image_shape[0]} values" if is_vector else f"{' x '.join(map(str, model.image_shape))} pixels"
    architecture = "a linear dictionary" if model.is_linear else f"the architecture `{model.architecture}`"
    linear = f"\n`model.dictionary` holds its atoms, {a_row} for each latent." if model.is_linear else ""
    noisy = f" with noise of a sigma drawn from 0 to {recipe.noise:g} on each {row}" if recipe.noise else ""
    chosen = ", ".join(f"{name} = {value:g}" for name, value in dataclasses.asdict(sparsity).items())
    method = f"{sparsity.title}{f' ({chosen})' if chosen else ''}. It asks for {sparsity.asks_for}"
    rate = f"{recipe.learning_rate:g}{' at the peak of one cycle' if recipe.one_cycle else ''}"
    data = f"training {row}s of {dataset} (less the last ones, which are the validation split)"
    install = INSTALL.format(space=space) if space else INSTALLED if repo_id else IN_A_FOLDER
    some, values_are = ("torch.rand", f"{row}s in [0, 1]") if bounded else ("torch.randn", "values of any range")
    asked = "".join(
        f"\nlatents = model.encode({row}s, {name}={stops[len(stops) // 2]:g})  # {stops[0]:g} to {stops[-1]:g}"
        for name, stops in sparsity.measured_at.items()
    )
    metrics = _metrics(e, row, value)
    table = as_markdown(["metric", "value", "meaning"], [[name, shown, meaning] for name, _, shown, meaning in metrics])
    small = "" if is_vector else ", on small images"
    init = f"Fine-tuned from {_name_of(recipe.init)}. " if recipe.init else ""
    limit = f"the first {recipe.limit:,} " if recipe.limit else "the "
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    return f"""---
{_metadata(model, record, metrics).to_yaml()}
---

{BEGIN}
# {recipe.name}

A sparse autoencoder for {row}s of {shape}: {model.latent_dim} latents, {architecture}.
Trained on {dataset}{noisy}. Sparsity method: {method}.
Use it {sparsity.purpose}.{f" {sparsity.remark}" if sparsity.remark else ""}

![Four rows: {row}s of {dataset}'s test split, their reconstructions, the same with noise of sigma 0.3, and the
reconstructions of those]({IMAGE_NAME})

## Load it

{install}

```python
import torch
from sae_model import SparseAutoencoder

model = SparseAutoencoder.from_pretrained("{repo_id or recipe.name}")
{row}s = {some}(8, {", ".join(map(str, model.image_shape))})  # {values_are}
reconstruction, latents, activations = model({row}s){asked}
```

Loading is strict: weights that are not exactly those that were saved end in an error message.{linear}

## What it does

Measured on the {record.test_images:,} {row}s of {dataset}'s test split, by `python -m sae_model.training evaluate`.

{table}

{_by_class(record)}## How it was trained

{init}{recipe.epochs} epochs over {limit}{data} in
batches of {recipe.batch_size}, with AdamW at a learning rate of {rate} (weight decay {recipe.weight_decay:g}).
Seed: {recipe.seed}. The loss is {" plus ".join(_loss_terms(recipe, value))}.
`recipe.json` holds the hyperparameters; the same recipe on the same machine gives the same weights.

Versions: {versions}.

## What it is not for

It is made to be understood{small}. It recognises nothing and generates nothing, and its latents are no
measure of what {a_row} means.

## Licence and citation

The weights: MIT. {record.about.attribution}

```bibtex
@misc{{sparse-autoencoders-by-touch,
  title = {{Sparse autoencoders, by touch: {recipe.name}}},
  note = {{Trained on {dataset}; effective L0 {e.effective_l0:.0f} of {model.latent_dim}, FVU {e.fvu:.3f}}}
}}
```
{END}
"""


def _loss_terms(recipe: Recipe, value: str) -> Iterator[str]:
    """What is added up to the loss; `value` is what a value of the data is called."""
    bounded = recipe.loss == "bce"
    yield f"the mean binary cross-entropy per {value}" if bounded else "the squared error over the variance"
    if recipe.squared_error:
        yield f"{recipe.squared_error:g} times the squared error"
    if recipe.load_balancing:
        yield f"{recipe.load_balancing:g} times a load-balancing loss"
    if type(recipe.sparsity).penalty is not Sparsity.penalty:
        yield "the penalty of the sparsity method"


def _name_of(source: str) -> str:
    """The id of a repo on the Hub as it is; of a folder the name alone."""
    is_id = re.fullmatch(r"[\w.-]+/[\w.-]+", source) and as_folder(source) is None
    return source if is_id else Path(source).expanduser().resolve().name


def _metadata(model: SparseAutoencoder, record: Record, metrics: list[Metric]) -> ModelCardData:
    """What the Hub shows and searches, every metric among it (the `model-index`)."""
    info, about = model._hub_mixin_info.model_card_data, record.about
    results = [
        EvalResult(
            task_type=str(info.pipeline_tag),
            dataset_type=about.hub or about.title,
            dataset_name=about.title,
            dataset_split="test",
            metric_type=name.strip("`").replace("` ", "_"),
            metric_name=meaning,
            metric_value=value,
        )
        for name, value, _, meaning in metrics
    ]
    return ModelCardData(
        library_name=info.library_name,
        license=info.license,
        pipeline_tag=info.pipeline_tag,
        tags=[*(info.tags or ()), about.title.lower().replace(" ", "-"), record.recipe.sparsity.kind],
        datasets=[about.hub] if about.hub else None,
        model_name=record.recipe.name,
        eval_results=results,
    )


def _metrics(e: Evaluation, row: str, unit: str) -> list[Metric]:
    """Every metric of an evaluation.

    Args:
        row, unit: what the data are called: "image" and "pixel", or "vector" and "value".
    """
    a_row = "an image" if row == "image" else f"a {row}"
    noise = "noise" if e.bce is not None else "noise in the units of the data,"
    every: list[tuple[str, float | None, str, str]] = [
        ("`bce`", e.bce, ".4f", f"binary cross-entropy, nats per {unit}"),
        ("`mse`", e.mse, ".5f", f"squared error per {unit}"),
        ("`fvu`", known(e.fvu), ".4f", "share of the variance that is lost"),
        ("`fvu_refit`", e.fvu_refit, ".4f", "`fvu` with the values of the same latents fitted anew"),
        *(
            (f"`denoise_mse` {sigma}", error, ".4f", f"error against the clean {row} at {noise} {sigma}")
            for sigma, error in e.denoise_mse.items()
        ),
        *(
            (f"`noisy_mse` {sigma}", error, ".4f", f"error of the noisy {row} itself, as seen, at {noise} {sigma}")
            for sigma, error in e.noisy_mse.items()
        ),
        ("`mean_activation`", e.mean_activation, ".4f", f"in [0, 1), over latents and {row}s"),
        ("`effective_l0`", e.effective_l0, ".1f", f"latents that carry {a_row}, whatever their scale"),
        ("`l0`", e.l0, ".1f", "latents that are not exactly zero"),
        ("`dead_fraction`", e.dead_fraction, ".1%", f"latents among no {row}'s largest"),
        *(
            (f"`fvu_top_k` {k}", fvu, ".4f", f"`fvu` with only the {k} largest latents kept")
            for k, fvu in e.fvu_top_k.items()
        ),
        *(
            (f"`probe_error` {labels}", error, ".1%", f"error of a linear classifier, {PROBED[labels]}")
            for labels, error in e.probe_error.items()
        ),
    ]
    return [(name, value, f"{value:{form}}", meaning) for name, value, form, meaning in every if value is not None]


def _by_class(record: Record) -> str:
    """How long the code of each class is, as Markdown; nothing where there are no classes, or very many."""
    e, names = record.evaluation, record.about.classes
    if not 2 <= len(e.l0_by_class) <= min(len(names), MOST_CLASSES):
        return ""
    rows = zip(names, e.l0_by_class, e.mean_activation_by_class, strict=False)
    table = [[cell(name), f"{l0:.1f}", f"{mean:.4f}"] for name, l0, mean in rows]
    return f"Codes by class:\n\n{as_markdown(['class', 'L0', 'mean activation'], table)}\n\n"


def as_markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table as Markdown, without a last line break."""
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows))


def cell(text: str) -> str:
    """Escape a text for a cell of a Markdown table."""
    return escape(text.replace("|", "/"))


def merge_cards(new: str, old: str) -> str:
    """The new card, with all that a person wrote into the old one.

    Text above and below the generated part stays where it is. In the metadata, keys that the new card does not set
    stay, and entries that a person added to a list of it (tags, data sets) follow the generated ones.

    Raises:
        ValueError: the metadata of the old card is not YAML, or not the Hub's.
    """
    try:
        ours, theirs = ModelCard(new), ModelCard(old, ignore_metadata_errors=True)
        mine, kept = ours.data.to_dict(), theirs.data.to_dict()
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise ValueError(
            f"the front matter of its README.md cannot be read ({first_line(error)}): correct it there"
        ) from error
    for key, value in kept.items():
        if key not in mine:
            mine[key] = value
        elif isinstance(value, list) and isinstance(mine[key], list) and key != "model-index":
            mine[key] = mine[key] + [entry for entry in value if entry not in mine[key]]
    above, begin, rest = theirs.text.partition(BEGIN)
    # Of a card that nobody generated all was written by hand; it comes below.
    parts = [above, ours.text, rest.partition(END)[2]] if begin else [ours.text, theirs.text]
    metadata = yaml.safe_dump(mine, sort_keys=False, allow_unicode=True).strip()
    return f"---\n{metadata}\n---\n\n" + "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"
