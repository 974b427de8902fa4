"""A trained model as a folder: weights, config, metrics, recipe, and a card that a person can read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from sae_model import SparseAutoencoder
from sae_model.storage import CARD_NAME, CONFIG_NAME, WEIGHTS_NAME, staged_folder, write_model

from ..data import Split
from ..draw.card_image import card_image, examples
from ..measure.evaluation import BY_NAMES, Evaluation, write_by
from ..measure.history import HISTORY_NAME, Epoch
from .card import IMAGE_NAME, render_card
from .record import EVALUATION_NAME, RECIPE_NAME, Record

# All that `save_run` writes, less the card, which a push writes again.
FILES = (CONFIG_NAME, WEIGHTS_NAME, RECIPE_NAME, EVALUATION_NAME, *BY_NAMES.values(), HISTORY_NAME, IMAGE_NAME)


def save_run(
    folder: Path,
    model: SparseAutoencoder,
    record: Record,
    test: Split,
    by: dict[str, dict[float, Evaluation]],
    history: Sequence[Epoch],
) -> None:
    """Write weights, config, metrics, recipe, an image and the card to a folder, all of them or none.

    Args:
        test: the images that it was measured on, for the card's image.
        by: "k" or "beta" -> metrics at several of them, for a model that serves every one.
        history: metrics after each epoch, where they were measured.

    Raises:
        OSError: the folder cannot be written. What was in it before is untouched.
    """
    with staged_folder(folder) as stage:
        (stage / CARD_NAME).write_text(render_card(model, record), encoding="utf-8")
        record.write(stage)
        for argument, metrics in by.items():
            write_by(stage, argument, metrics)
        if history:
            (stage / HISTORY_NAME).write_text(json.dumps(history, indent=2) + "\n", encoding="utf-8")
        (stage / IMAGE_NAME).write_bytes(card_image(model, examples(test)))
        write_model(stage, model.state_dict(), model.config())
