"""Users' models, from the Hub or from a folder: measured here, and kept for a while."""

from __future__ import annotations

import copy
import math
import os
import re
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import torch
from huggingface_hub import get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import HFValidationError, HTTPError

from sae_model import ModelLoadError, SparseAutoencoder
from sae_model.storage import CONFIG_NAME, WEIGHTS_NAME, find_files, read_config
from space.errors import InputError
from space.zero_gpu import on_gpu
from training.data import Split
from training.evaluation import Evaluation, evaluate
from training.latent_statistics import LatentStatistics, latent_statistics

MOST_MODELS = 8
SAMPLE = 2500
"""So many test images are looked at for what is said about a latent."""
LARGEST_SIZE = 4096
LARGEST_FILE = {CONFIG_NAME: 1_000_000, WEIGHTS_NAME: 100_000_000}  # bytes; the largest models come to 50 MB
LONGEST_ADDRESS = 200
REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(@[\w./-]+)?", re.ASCII)


@dataclass(frozen=True)
class Address:
    """Where a user's model is: a folder, or a repo on the Hub and a revision of it."""

    source: str
    revision: str | None = None

    @property
    def name(self) -> str:
        """What the model is called on the page."""
        return f"{self.source}@{self.revision}" if self.revision else self.source


@dataclass(frozen=True)
class UserModel:
    """A model that a visitor loaded."""

    name: str
    config: dict[str, Any]
    """Its config.json, with the checksum of its weights: equal configs are equal models."""
    model: SparseAutoencoder
    evaluation: Evaluation
    """Measured here, on the test split."""
    statistics: LatentStatistics
    """Of its latents, on the first `SAMPLE` of these."""


class UserModels:
    """The models of all visitors, the most recently used ones."""

    def __init__(self, test: Split) -> None:
        # A hosted page must not read folders on its server for a visitor.
        self.hosted = "SPACE_ID" in os.environ
        self._test = test
        self._models: OrderedDict[str, UserModel] = OrderedDict()
        self._lock = Lock()

    def address(self, text: str) -> Address:
        """The address that a visitor typed: owner/name, owner/name@revision or, on one's own machine, a folder.

        Raises:
            InputError: it is none of these.
        """
        text = text.strip()
        if not text:
            raise InputError("Type the id of a repo on the Hub, such as owner/name, and load it then.")
        if len(text) > LONGEST_ADDRESS:
            raise InputError(f"This is longer than any address of a model ({LONGEST_ADDRESS} characters).")
        if not self.hosted and _is_folder(text):
            return Address(text)
        source, _, revision = text.partition("@")
        if ".." in text or not REPO.fullmatch(text) or _is_folder(source):
            folder_or = "" if self.hosted else "a folder here or "
            raise InputError(f"{text} is not {folder_or}a repo id of the form owner/name or owner/name@revision.")
        return Address(source, revision or None)

    def is_repo(self, name: str) -> bool:
        """Whether a model's name is an address that others may use, too."""
        return REPO.fullmatch(name) is not None and not _is_folder(name)

    def load(self, address: Address) -> Iterator[str]:
        """Load a model, measure it and keep it. Before each step that takes seconds it yields what is being done.

        Raises:
            InputError: it cannot be fetched, is not of this family, is too large, is for images of another shape,
                or cannot be measured.
        """
        yield f"Fetching {address.name} …"
        # A hosted page fetches anew each time, so that its disk does not fill, and without its owner's token.
        with tempfile.TemporaryDirectory() as scratch:
            hub = {"token": False, "cache_dir": scratch} if self.hosted else {"token": None}
            _check_files(address, hub["token"])
            try:
                config_path, _ = find_files(address.source, tuple(LARGEST_FILE), revision=address.revision, **hub)
                config = read_config(config_path)
                known = self._models.get(address.name)
                if known is not None and known.config == config:
                    self._keep(known)
                    return
                _check_sizes(address, config, self._test)
                model = SparseAutoencoder.from_pretrained(config_path.parent)
            except ModelLoadError as error:
                # A visitor has no use for the folders of the server.
                raise InputError(re.sub(rf"{re.escape(scratch)}\S*/", f"{address.name}/", str(error))) from error
        yield f"Measuring {address.name} on {len(self._test.images):,} test images …"
        evaluation = _measured(address, model, self._test)
        fold(model)
        statistics = latent_statistics(model, self._test.images[:SAMPLE], self._test.labels[:SAMPLE])
        self._keep(UserModel(address.name, config, model, evaluation, statistics))

    def find(self, name: str) -> UserModel:
        """A model that was loaded.

        Raises:
            InputError: it was not, or it was dropped for others.
        """
        with self._lock:
            if name not in self._models:
                raise InputError(
                    f"{name} is not here any more: the page keeps the {MOST_MODELS} models that were used last. "
                    "Load it again."
                )
            self._models.move_to_end(name)
            return self._models[name]

    def __contains__(self, name: str) -> bool:
        return name in self._models

    def _keep(self, model: UserModel) -> None:
        with self._lock:
            self._models[model.name] = model
            self._models.move_to_end(model.name)
            while len(self._models) > MOST_MODELS:
                self._models.popitem(last=False)


def title(name: str) -> str:
    """The name of a user's model as the page shows it: owner/name, or the last two parts of a folder's path."""
    path, at, revision = name.partition("@")
    return "/".join(path.rstrip("/").split("/")[-2:]) + at + revision


def fold(model: SparseAutoencoder) -> SparseAutoencoder:
    """The model itself, folded for inference where it can be: the page trains none of those that it shows."""
    if model.is_linear:
        model.network.fold()
    return model


@on_gpu
def measure(model: SparseAutoencoder, test: Split) -> Evaluation:
    """All metrics of a model that is not folded. Where a GPU is lent this runs in another process."""
    if torch.cuda.is_available():
        model = copy.deepcopy(model).cuda()
    return evaluate(model, test)


def _is_folder(text: str) -> bool:
    try:
        return Path(text).expanduser().is_dir()
    except (OSError, RuntimeError):  # longer than a name may be, or the home of an unknown user
        return False


def _check_files(address: Address, token: bool | None) -> None:
    """Reject files that are too large before they are fetched; for all else, loading has better error messages."""
    folder = Path(address.source).expanduser()
    for filename, most in LARGEST_FILE.items():
        try:
            if folder.is_dir():
                size = (folder / filename).stat().st_size
            else:
                url = hf_hub_url(address.source, filename, revision=address.revision)
                size = get_hf_file_metadata(url, token=token).size or 0
        except (HTTPError, HFValidationError, OSError):
            return
        if size > most:
            raise InputError(f"{filename} of {address.name} is too large for this page ({size / 1e6:,.0f} MB).")


def _check_sizes(address: Address, config: dict[str, Any], test: Split) -> None:
    size, shape, ours = config.get("latent_dim"), config.get("image_shape"), list(test.images.shape[1:])
    if isinstance(size, int) and size > LARGEST_SIZE:
        raise InputError(
            f"{address.name} is too large: its latent_dim is {size:,}, and this page takes up to {LARGEST_SIZE:,}."
        )
    if shape is not None and shape != ours:
        raise InputError(f"{address.name} is for images of {shape!s:.40}, and this page shows images of {ours}.")


def _measured(address: Address, model: SparseAutoencoder, test: Split) -> Evaluation:
    try:
        evaluation = measure(model, test)
    except RuntimeError as error:  # torch rejects reconstructions that are not numbers
        reason = str(error).partition("\n")[0]
        raise InputError(f"{address.name} cannot be measured on the test images: {reason}.") from error
    if not math.isfinite(evaluation.bce + evaluation.mean_activation + evaluation.effective_l0):
        raise InputError(f"{address.name} makes latents that are not numbers: its training went wrong.")
    return evaluation
