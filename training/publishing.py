"""A trained model as a folder: weights, config, figures, recipe, and a card that a person can read."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from huggingface_hub import ModelCard

from sae_model import SparseAutoencoder
from sae_model.storage import staged_folder
from training.evaluation import Evaluation
from training.recipe import Recipe

CARD = """---
{metadata}
---

# {name}

A sparse autoencoder for 28 x 28 grey images: {latent_dim} latents for 784 pixels, kept sparse by {way}.
Trained on {dataset}.

## Load it

```python
from sae_model import SparseAutoencoder

model = SparseAutoencoder.from_pretrained("PATH_OR_REPO_OF_THIS_MODEL")
reconstruction, latents, activations = model(images)  # images: (batch, 1, 28, 28), floats in [0, 1]
```

## What it does

Measured on the {images} images of the test split, by `python -m training evaluate`.

| figure | value | meaning |
|---|---|---|
{table}

## How it was trained

`recipe.json` beside this card holds every knob of the run: {epochs} epochs of {dataset}, batches of {batch_size},
seed {seed}. The same recipe on the same machine gives the same weights.

## What it is not for

It is made to be understood: small pictures, one hidden layer. It recognises nothing and generates nothing.
"""

WAYS_IN_WORDS = {
    "none": "nothing at all (it may copy)",
    "l1": "an L1 penalty on its activations (beta = {beta:g})",
    "kl-image": "a KL divergence to a mean activation of {target:g} in each image (beta = {beta:g})",
    "kl-neuron": "a KL divergence to a mean activation of {target:g} of each latent (beta = {beta:g})",
    "topk": "keeping exactly the {k} largest latents of each image",
    "adaptive-topk": "keeping the k largest latents of each image, for a k that is chosen at use ({k} by default)",
}


def save_run(
    folder: Path,
    model: SparseAutoencoder,
    evaluation: Evaluation,
    recipe: Recipe,
    images: int,
    by_k: dict[int, Evaluation],
) -> None:
    """Write config.json, model.safetensors, evaluation.json, recipe.json and README.md, all of them or none.

    Args:
        folder: where; made if it is not there.
        images: how many images the evaluation was measured on, for the card.
        by_k: figures at several k, for a model that serves every k; written as evaluation_by_k.json.

    Raises:
        OSError: the folder cannot be written. What was in it before is untouched.
    """
    with staged_folder(folder) as stage:
        _write(stage / "README.md", render_card(model, evaluation, recipe, images))
        _write(stage / "evaluation.json", evaluation.to_json() + "\n")
        _write(stage / "recipe.json", recipe.to_json() + "\n")
        if by_k:
            figures = {k: dataclasses.asdict(measured) for k, measured in by_k.items()}
            _write(stage / "evaluation_by_k.json", json.dumps(figures, indent=2) + "\n")
        model.save_pretrained(stage)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def render_card(model: SparseAutoencoder, evaluation: Evaluation, recipe: Recipe, images: int) -> str:
    """The model card, as Markdown with the Hub's metadata in front."""
    sparsity = dataclasses.asdict(recipe.sparsity)
    data = model._hub_mixin_info.model_card_data
    card = CARD.format(
        metadata=data.to_yaml(),
        name=recipe.name,
        latent_dim=model.latent_dim,
        way=WAYS_IN_WORDS[sparsity["kind"]].format(**sparsity),
        dataset=recipe.dataset,
        images=f"{images:,}",
        table="\n".join(_rows(evaluation)),
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        seed=recipe.seed,
    )
    return str(ModelCard(card))


def _rows(evaluation: Evaluation) -> list[str]:
    e = evaluation
    return [
        f"| `bce` | {e.bce:.4f} | binary cross-entropy, nats per pixel |",
        f"| `mse` | {e.mse:.5f} | squared error per pixel |",
        f"| `fvu` | {e.fvu:.4f} | share of the variance that is lost |",
        *(
            f"| `denoise_mse` {s} | {v:.4f} | error against the clean image at noise {s} |"
            for s, v in e.denoise_mse.items()
        ),
        f"| `mean_activation` | {e.mean_activation:.4f} | in [0, 1), over latents and images |",
        f"| `effective_l0` | {e.effective_l0:.1f} | latents that carry an image, whatever their scale |",
        f"| `l0` | {e.l0:.1f} | latents that are not exactly zero |",
        f"| `dead_fraction` | {e.dead_fraction:.1%} | latents among no image's largest |",
        *(
            f"| `fvu_top_k` {k} | {v:.4f} | `fvu` with only the {k} largest latents kept |"
            for k, v in e.fvu_top_k.items()
        ),
    ]
