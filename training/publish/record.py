"""What a folder tells of a trained model beside its weights: how it was made, and what it does."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

import sae_model
from sae_model.errors import UserError

from ..data import DATASETS, About
from ..fit.recipe import Recipe
from ..measure.evaluation import Evaluation

RECIPE_NAME = "recipe.json"
EVALUATION_NAME = "evaluation.json"
PACKAGE = str(__package__).rpartition(".")[0]
"""What runs here: `training` in a clone, `sae_model.training` where it is installed."""


class RecordError(UserError):
    """A folder does not tell how its model was made. The message says what is missing, and what to do."""


@dataclass(frozen=True)
class Record:
    """How a model was made, and what it does."""

    recipe: Recipe
    versions: dict[str, str]
    """Of the software that ran the recipe."""
    test_images: int
    """How many images the evaluation is of."""
    evaluation: Evaluation
    data: About | None = None
    """What is known about the data set. It is written where `DATASETS` lacks the data set, or says something else."""

    @property
    def about(self) -> About:
        """What is known about the data set."""
        return self.data or DATASETS[self.recipe.dataset].about

    def write(self, folder: Path) -> None:
        """Write recipe.json and evaluation.json."""
        made = self.recipe.to_dict() | {"versions": self.versions, "test_images": self.test_images}
        known = DATASETS.get(self.recipe.dataset)
        if self.data is not None and (known is None or self.data != known.about):
            made["data"] = asdict(self.data)
        (folder / RECIPE_NAME).write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
        (folder / EVALUATION_NAME).write_text(self.evaluation.to_json() + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Record:
        """Read a record back.

        Raises:
            RecordError: a file is missing or is not such a record.
        """
        for name in (RECIPE_NAME, EVALUATION_NAME):
            if not (folder / name).is_file():
                raise RecordError(f"{folder} has no {name}: `python -m {PACKAGE} fit` writes it beside the weights.")
        try:
            made = json.loads((folder / RECIPE_NAME).read_text(encoding="utf-8"))
            versions, test_images = made.pop("versions"), made.pop("test_images")
            data = made.pop("data", None)
            data = data and About(**data | {"classes": tuple(data["classes"])})
            record = cls(Recipe.from_dict(made), versions, test_images, Evaluation.read(folder / EVALUATION_NAME), data)
            record.about  # noqa: B018, an unknown data set is an error here
            return record
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise RecordError(
                f"{folder} holds no record of this version ({type(error).__name__}: {error}): train it again."
            ) from error


def versions() -> dict[str, str]:
    """The versions of the software that runs here."""
    return {"sae_model": sae_model.__version__, "torch": torch.__version__, "Python": platform.python_version()}
