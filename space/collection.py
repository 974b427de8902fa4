"""The models that a page shows, and the data set that they are shown on: the bundled ones and MNIST, or one's own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HFValidationError, HTTPError  # type: ignore[attr-defined]  # as in sae_model/hub.py

from sae_model import SparseAutoencoder
from sae_model.bundle import BUNDLE
from sae_model.errors import UserError
from sae_model.hub import as_folder
from sae_model.methods import METHODS
from sae_model.storage import CONFIG_NAME, WEIGHTS_NAME, read_config
from training.data import DATA_DIR, Dataset, Split, open_dataset
from training.fit.recipe import Recipe
from training.measure.evaluation import Evaluation, read_by
from training.publish.record import Record
from training.publish.run_folder import FILES

TAG = "sparse-autoencoder"
"""What the card of each of our models is tagged with on the Hub."""
MOST_IMAGES = 10_000
"""The most test images that a page shows; MNIST has 10,000."""
MOST_BYTES, FEWEST_IMAGES = 32_000_000, 300
"""The most bytes of all images, as a browser fetches them; and the fewest images, however large they are."""


class CollectionError(UserError):
    """There are no such models, or one page cannot show them. The message says why."""


@dataclass(frozen=True)
class Shown:
    """One model of a page, as `fit` wrote it."""

    folder: Path
    recipe: Recipe
    evaluation: Evaluation
    by: dict[str, dict[float, Evaluation]]
    """"k" or "beta" -> its metrics at several of them, where it serves every one."""
    config: dict[str, Any]
    """Its config.json."""

    @property
    def weights(self) -> Path:
        """Its model.safetensors."""
        return self.folder / WEIGHTS_NAME


@dataclass(frozen=True)
class Collection:
    """Models of one shape, and the images that they are shown."""

    models: dict[str, Shown]
    """By name, in the order in which they are shown."""
    dataset: Dataset
    test: Split
    """What is shown of its test half."""
    fields: dict[str, Any]
    """Of a recipe that learns from the same images: `dataset`, `image_size`, `grey`."""
    is_bundled: bool = False


def bundled() -> Collection:
    """The models that come with the project, and MNIST."""
    models = {path.parent.name: _shown(path.parent) for path in BUNDLE.glob(f"*/{CONFIG_NAME}")}
    mnist = open_dataset("mnist")
    return Collection(_ordered(models), mnist, mnist.split("test"), {"dataset": "mnist"}, is_bundled=True)


def open_collection(models: str | None, dataset: str | None = None, data_dir: Path = DATA_DIR) -> Collection:
    """One's own models, or the bundled ones.

    Args:
        models: a folder of folders that `fit` wrote, one of these folders, or an owner on the Hub; None takes the
            bundled ones.
        dataset: as in `open_dataset`; None takes the one that the models were trained on. Up to 10,000 of its test
            images are shown, in a random order that is always the same.
        data_dir: as in `open_dataset`.

    Raises:
        CollectionError: there are no models, or their shapes differ from each other or from the images; or a data set
            for the bundled ones.
        ModelLoadError, RecordError, DataError: one of them, or the images, cannot be read.
    """
    if not models:
        if dataset:
            raise CollectionError("--dataset names the images of one's own models: give --models too.")
        return bundled()
    folders = _folders(models)
    loaded = {name: SparseAutoencoder.from_pretrained(folder) for name, folder in folders.items()}
    shown = _ordered({name: _shown(folder) for name, folder in folders.items()})
    name, recipe = next((name, model.recipe) for name, model in shown.items())
    dataset = dataset or recipe.dataset
    fields = {"dataset": dataset, "image_size": recipe.image_size, "grey": recipe.grey}
    opened = open_dataset(dataset, data_dir, recipe.image_size, recipe.grey, bounded=recipe.loss == "bce")
    opened.check("test")
    images, labels = opened.split("test")
    for other, model in loaded.items():
        if (model.image_shape, model.output) != (loaded[name].image_shape, loaded[name].output):
            raise CollectionError(
                f"{other} is for {_kind(model)}, and {name} for {_kind(loaded[name])}: a page shows models of one kind."
            )
    if tuple(images.shape[1:]) != loaded[name].image_shape:
        raise CollectionError(
            f"The images of {opened.about.title} have the shape {tuple(images.shape[1:])}, and {name} is for "
            f"{_kind(loaded[name])}: name the data set that it was trained on."
        )
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    order = order[: min(MOST_IMAGES, max(FEWEST_IMAGES, MOST_BYTES // images[0].nbytes))]
    return Collection(shown, opened, Split(images[order], labels[order]), fields)


def _kind(model: SparseAutoencoder) -> str:
    return f"images of the shape {model.image_shape} with a {model.output} output"


def _folders(models: str) -> dict[str, Path]:
    """Name -> folder of each model, in a folder or of an owner on the Hub."""
    folder = as_folder(models)
    if folder is not None:
        within = [folder] if (folder / CONFIG_NAME).is_file() else [p.parent for p in folder.glob(f"*/{CONFIG_NAME}")]
        if not within:
            raise CollectionError(f"{folder} holds no folder with a {CONFIG_NAME}: `fit --output` writes such folders.")
        return {path.resolve().name: path for path in sorted(within)}
    if not re.fullmatch(r"[\w.-]+", models):
        raise CollectionError(f"There is no folder {models!r:.160}.")
    try:
        repos = [found.id for found in HfApi().list_models(author=models, filter=TAG)]
        folders = {id.rpartition("/")[2]: Path(snapshot_download(id, allow_patterns=list(FILES))) for id in repos}
    except (HTTPError, HFValidationError, OSError) as error:
        raise CollectionError(
            f"{models!r:.80} is not a folder here, and its models on the Hub cannot be fetched: {type(error).__name__}."
        ) from error
    if not folders:
        raise CollectionError(f"{models!r:.80} is not a folder here, and no owner of models tagged {TAG} on the Hub.")
    return folders


def _shown(folder: Path) -> Shown:
    record = Record.read(folder)
    by = {argument: read_by(folder, argument) for argument in record.recipe.sparsity.measured_at}
    by = {name: metrics for name, metrics in by.items() if metrics}
    return Shown(folder, record.recipe, record.evaluation, by, read_config(folder / CONFIG_NAME))


def _ordered(models: dict[str, Shown]) -> dict[str, Shown]:
    """Method by method, and within one by the values of its hyperparameters."""

    def strength(item: tuple[str, Shown]) -> tuple[int, list[float], float, str]:
        sparsity = item[1].recipe.sparsity.to_config()
        return list(METHODS).index(sparsity.pop("kind")), list(sparsity.values()), item[1].recipe.noise, item[0]

    return dict(sorted(models.items(), key=strength))
