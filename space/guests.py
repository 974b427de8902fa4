"""Networks that visitors bring, from the Hub or from a folder: measured here, and kept for a while."""

from __future__ import annotations

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

from huggingface_hub import get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import HFValidationError, HTTPError

from sae_model import ModelLoadError, SparseAutoencoder
from sae_model.storage import CONFIG_NAME, WEIGHTS_NAME, find_files, read_config
from space.errors import InputError
from space.networks import measure, settled
from training.atlas import Atlas, make_atlas
from training.data import Split
from training.evaluation import Evaluation

MOST_GUESTS = 8
LARGEST_SIZE = 4096
LARGEST_FILE = {CONFIG_NAME: 1_000_000, WEIGHTS_NAME: 200_000_000}  # bytes; the largest sizes come to 160 MB
LONGEST_ADDRESS = 200
REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(@[\w./-]+)?", re.ASCII)


@dataclass(frozen=True)
class Address:
    """Where a guest is: a folder, or a repo on the Hub and a revision of it."""

    source: str
    revision: str | None = None

    @property
    def name(self) -> str:
        """What the guest is called on the page."""
        return f"{self.source}@{self.revision}" if self.revision else self.source


@dataclass(frozen=True)
class Guest:
    """A network that a visitor brought."""

    name: str
    config: dict[str, Any]
    """Its config.json, with the checksum of its weights: equal configs are equal networks."""
    model: SparseAutoencoder
    evaluation: Evaluation
    """Measured here, on the test split."""
    atlas: Atlas
    """Who fires for what, on the same."""


class Guests:
    """The guests of all visitors, the most recently used ones."""

    def __init__(self, test: Split) -> None:
        # A hosted page must not look around on its server's disk for whoever asks.
        self.hosted = "SPACE_ID" in os.environ
        self._test = test
        self._guests: OrderedDict[str, Guest] = OrderedDict()
        self._lock = Lock()

    def address(self, text: str) -> Address:
        """Where a guest is, as a visitor typed it: owner/name, owner/name@revision or, on one's own machine, a folder.

        Raises:
            InputError: it is none of these.
        """
        text = text.strip()
        if not text:
            raise InputError("Type the id of a repo on the Hub, such as owner/name, and load it then.")
        if len(text) > LONGEST_ADDRESS:
            raise InputError(f"This is longer than any address of a network ({LONGEST_ADDRESS} characters).")
        if not self.hosted and _is_folder(text):
            return Address(text)
        source, _, revision = text.partition("@")
        if ".." in text or not REPO.fullmatch(text) or _is_folder(source):
            folder_or = "" if self.hosted else "a folder here or "
            raise InputError(f"{text} is not {folder_or}a repo id of the form owner/name or owner/name@revision.")
        return Address(source, revision or None)

    def is_repo(self, name: str) -> bool:
        """Whether a guest's name is an address that others may use, too."""
        return REPO.fullmatch(name) is not None and not _is_folder(name)

    def admit(self, address: Address) -> Iterator[str]:
        """Load a network, measure it and keep it. Before each step that takes a while it yields a sentence on it.

        Raises:
            InputError: it cannot be had, is none of this family, is too large, or cannot be measured.
        """
        yield f"Fetching {address.name} …"
        # A hosted page fetches anew each time, so that its disk does not fill, and without its owner's token.
        with tempfile.TemporaryDirectory() as scratch:
            hub = {"token": False, "cache_dir": scratch} if self.hosted else {"token": None}
            _check_files(address, hub["token"])
            try:
                config_path, _ = find_files(address.source, tuple(LARGEST_FILE), revision=address.revision, **hub)
                config = read_config(config_path)
                known = self._guests.get(address.name)
                if known is not None and known.config == config:
                    self._keep(known)
                    return
                _check_sizes(address, config)
                model = settled(SparseAutoencoder.from_pretrained(config_path.parent))
            except ModelLoadError as error:
                # Where the server keeps its files is of no use to a visitor.
                raise InputError(re.sub(rf"{re.escape(scratch)}\S*/", f"{address.name}/", str(error))) from error
        yield f"Measuring {address.name} on {len(self._test.images):,} test pictures …"
        evaluation = _measured(address, model, self._test)
        self._keep(Guest(address.name, config, model, evaluation, make_atlas(model, *self._test)))

    def find(self, name: str) -> Guest:
        """A guest that was admitted.

        Raises:
            InputError: it was not, or it had to make room for others.
        """
        with self._lock:
            if name not in self._guests:
                raise InputError(
                    f"{name} is not here any more: the page keeps the {MOST_GUESTS} guests that were used last. "
                    "Load it again."
                )
            self._guests.move_to_end(name)
            return self._guests[name]

    def __contains__(self, name: str) -> bool:
        return name in self._guests

    def _keep(self, guest: Guest) -> None:
        with self._lock:
            self._guests[guest.name] = guest
            self._guests.move_to_end(guest.name)
            while len(self._guests) > MOST_GUESTS:
                self._guests.popitem(last=False)


def _check_files(address: Address, token: bool | None) -> None:
    """Refuse files that are too large before they are fetched; what else is wrong, loading says in better words."""
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


def title(name: str) -> str:
    """A guest's name as the page shows it: owner/name, or the last two parts of a folder's path."""
    path, at, revision = name.partition("@")
    return "/".join(path.rstrip("/").split("/")[-2:]) + at + revision


def _is_folder(text: str) -> bool:
    try:
        return Path(text).expanduser().is_dir()
    except (OSError, RuntimeError):  # longer than a name may be, or the home of nobody
        return False


def _check_sizes(address: Address, config: dict[str, Any]) -> None:
    for name in ("latent_dim", "hidden_dim"):
        size = config.get(name)
        if isinstance(size, int) and size > LARGEST_SIZE:
            raise InputError(
                f"{address.name} is too large: its {name} is {size:,}, and this page takes up to {LARGEST_SIZE:,}."
            )


def _measured(address: Address, model: SparseAutoencoder, test: Split) -> Evaluation:
    try:
        evaluation = measure(model, test.images, test.labels)
    except RuntimeError as error:  # torch refuses pictures that are no numbers
        raise InputError(f"{address.name} makes pictures that are no numbers: its training went wrong.") from error
    if not math.isfinite(evaluation.bce + evaluation.mean_activation + evaluation.effective_l0):
        raise InputError(f"{address.name} makes latents that are no numbers: its training went wrong.")
    return evaluation
