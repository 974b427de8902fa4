"""The model card: what a person reads first, and what the Hub reads."""

from __future__ import annotations

import dataclasses

import yaml
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from sae_model import SparseAutoencoder
from training.data import Dataset
from training.evaluation import Evaluation
from training.record import Record

PICTURE = "reconstructions.png"
BEGIN = "<!-- Generated from here on: the next push writes it anew. Write above or below. -->"
END = "<!-- Generated up to here. -->"

# What the Hub calls these data sets, and what people do.
HUB_DATASETS: dict[Dataset, str] = {"mnist": "ylecun/mnist", "fashion-mnist": "zalando-datasets/fashion_mnist"}
TITLES: dict[Dataset, str] = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST", "kmnist": "Kuzushiji-MNIST"}

BODY = """# {name}

A sparse autoencoder for 28 x 28 grey images: {latent_dim} latents for 784 pixels, kept sparse by {way}.
Trained on {dataset}.

![Ten test images at three levels of noise, each above what this network makes of it]({picture})

## Load it

From the root of the project that this network comes from, or wherever its package `sae_model` is installed:

```python
import torch
from sae_model import SparseAutoencoder

model = SparseAutoencoder.from_pretrained("{source}")
reconstruction, latents, activations = model(torch.rand(8, 1, 28, 28))  # images in [0, 1]
```

Loading is strict: weights that are not exactly those that were saved are refused with a sentence.

## What it does

Measured on the {images} images of {dataset}'s test split, by `python -m training evaluate`.

| figure | value | meaning |
|---|---|---|
{table}

## How it was trained

{init}{epochs} epochs over {limit}{dataset} in batches of {batch_size}, with AdamW on a one-cycle schedule up to
{learning_rate:g} (weight decay {weight_decay:g}), noise of a sigma drawn from 0 to {noise:g} on each image, and
seed {seed}. Hidden layers of {hidden_dim}. The loss is the mean binary cross-entropy per pixel{squared} plus the
penalty. `recipe.json` holds every knob; the same recipe on the same machine gives the same weights.

Versions: {versions}.

## What it is not for

It is made to be understood: small grey pictures, one hidden layer on each side. It recognises nothing and generates
nothing, and its latents are no measure of what a picture means.

## Licence and citation

The weights: MIT. {credit}

```bibtex
@misc{{sparse-autoencoders-by-touch,
  title = {{Sparse autoencoders, by touch: {name}}},
  note = {{Trained on {dataset}; effective L0 {effective_l0:.0f} of {latent_dim}, FVU {fvu:.3f}}}
}}
```
"""

WAYS_IN_WORDS = {
    "none": "nothing at all (it may copy)",
    "l1": "an L1 penalty on its activations (beta = {beta:g})",
    "kl-image": "a KL divergence to a mean activation of {target:g} in each image (beta = {beta:g})",
    "kl-neuron": "a KL divergence to a mean activation of {target:g} of each latent (beta = {beta:g})",
    "topk": "keeping exactly the {k} largest latents of each image",
    "adaptive-topk": "keeping the k largest latents of each image, for a k that is chosen at use ({k} by default)",
}
CREDITS: dict[Dataset, str] = {
    "mnist": "MNIST: Y. LeCun, C. Cortes and C. J. C. Burges, CC BY-SA 3.0.",
    "fashion-mnist": "Fashion-MNIST: H. Xiao, K. Rasul and R. Vollgraf (2017), MIT.",
    "kmnist": "Kuzushiji-MNIST: T. Clanuwat et al. (2018), CC BY-SA 4.0.",
}


class CardError(Exception):
    """A card cannot be read. The message is a sentence."""


def render_card(model: SparseAutoencoder, record: Record, source: str) -> str:
    """The card of a model, as Markdown with the Hub's metadata in front.

    Args:
        model: for its sizes.
        record: how it was trained, and what it does.
        source: where it is loaded from: a folder or `owner/name`.
    """
    recipe, evaluation = record.recipe, record.evaluation
    sparsity = dataclasses.asdict(recipe.sparsity)
    body = BODY.format(
        **{
            name: value
            for name, value in dataclasses.asdict(recipe).items()
            if name not in ("dataset", "init", "limit")
        },
        name=recipe.name,
        way=WAYS_IN_WORDS[sparsity["kind"]].format(**sparsity),
        dataset=TITLES[recipe.dataset],
        picture=PICTURE,
        source=source,
        images=f"{record.test_images:,}",
        table="\n".join(f"| {name} | {value} | {meaning} |" for name, _, value, meaning in _figures(evaluation)),
        init=f"From the weights of {recipe.init}. " if recipe.init else "",
        limit=f"the first {recipe.limit:,} images of " if recipe.limit else "",
        versions=", ".join(f"{name} {version}" for name, version in record.versions.items()),
        squared=f", plus {recipe.squared_error:g} times the squared error," if recipe.squared_error else "",
        credit=CREDITS[recipe.dataset],
        effective_l0=evaluation.effective_l0,
        fvu=evaluation.fvu,
    )
    return f"---\n{_metadata(model, record).to_yaml()}\n---\n\n{BEGIN}\n{body}{END}\n"


def _metadata(model: SparseAutoencoder, record: Record) -> ModelCardData:
    """What the Hub shows and searches, every figure among it (the `model-index`)."""
    info, dataset = model._hub_mixin_info.model_card_data, record.recipe.dataset
    results = [
        EvalResult(
            task_type=info.pipeline_tag,
            dataset_type=HUB_DATASETS.get(dataset, dataset),
            dataset_name=TITLES[dataset],
            dataset_split="test",
            metric_type=name.strip("`").replace("` ", "_"),
            metric_name=meaning,
            metric_value=value,
        )
        for name, value, _, meaning in _figures(record.evaluation)
    ]
    return ModelCardData(
        library_name=info.library_name,
        license=info.license,
        pipeline_tag=info.pipeline_tag,
        tags=[*info.tags, record.recipe.sparsity.kind],
        datasets=[HUB_DATASETS[dataset]] if dataset in HUB_DATASETS else None,
        model_name=record.recipe.name,
        eval_results=results,
    )


def _figures(e: Evaluation) -> list[tuple[str, float, str, str]]:
    """Every figure of an evaluation: its name, its value, the same as text, and what it means."""
    return [
        ("`bce`", e.bce, f"{e.bce:.4f}", "binary cross-entropy, nats per pixel"),
        ("`mse`", e.mse, f"{e.mse:.5f}", "squared error per pixel"),
        ("`fvu`", e.fvu, f"{e.fvu:.4f}", "share of the variance that is lost"),
        *(
            (f"`denoise_mse` {sigma}", value, f"{value:.4f}", f"error against the clean image at noise {sigma}")
            for sigma, value in e.denoise_mse.items()
        ),
        ("`mean_activation`", e.mean_activation, f"{e.mean_activation:.4f}", "in [0, 1), over latents and images"),
        (
            "`effective_l0`",
            e.effective_l0,
            f"{e.effective_l0:.1f}",
            "latents that carry an image, whatever their scale",
        ),
        ("`l0`", e.l0, f"{e.l0:.1f}", "latents that are not exactly zero"),
        ("`dead_fraction`", e.dead_fraction, f"{e.dead_fraction:.1%}", "latents among no image's largest"),
        *(
            (f"`fvu_top_k` {k}", value, f"{value:.4f}", f"`fvu` with only the {k} largest latents kept")
            for k, value in e.fvu_top_k.items()
        ),
    ]


def merge_cards(new: str, old: str) -> str:
    """The new card, with all that a person wrote into the old one.

    Text above and below the generated part stays where it is. In the metadata, keys that the new card does not set
    stay, and entries that a person added to a list of it (tags, data sets) follow the generated ones.

    Raises:
        CardError: the metadata of the old card is no YAML.
    """
    try:
        ours, theirs = ModelCard(new), ModelCard(old, ignore_metadata_errors=True)
        mine, kept = ours.data.to_dict(), theirs.data.to_dict()
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise CardError("the front matter of its README.md is no YAML: mend it there") from error
    for key, value in kept.items():
        if key not in mine:
            mine[key] = value
        elif isinstance(value, list) and key != "model-index":
            mine[key] = mine[key] + [entry for entry in value if entry not in mine[key]]
    above, _, rest = theirs.text.partition(BEGIN)
    _, _, below = rest.partition(END) if rest else ("", "", "")
    if not rest:  # a card that nobody generated: all of it was written by hand
        above, below = "", theirs.text
    _, _, generated = ours.text.partition(BEGIN)
    metadata = yaml.safe_dump(mine, sort_keys=False, allow_unicode=True).strip()
    parts = [above.strip(), (BEGIN + generated).strip(), below.strip()]
    return f"---\n{metadata}\n---\n\n" + "\n\n".join(part for part in parts if part) + "\n"
