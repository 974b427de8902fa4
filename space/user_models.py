"""Users' models, from the Hub, a folder or a visitor's disk: each is measured in a process of its own, and kept."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import OrderedDict
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Timer
from typing import Any

from safetensors.torch import save_file

from sae_model import SparseAutoencoder
from sae_model.hub import as_folder
from sae_model.methods import Sparsity
from sae_model.storage import WEIGHTS_NAME
from space.errors import InputError
from training.data import Split
from training.measure.evaluation import Evaluation
from training.measure.latent_statistics import STATISTICS_NAME
from training.publish.record import EVALUATION_NAME

ROOT = Path(__file__).resolve().parents[1]
MOST_MODELS = 8
INHERITED = {
    "PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT", "USERPROFILE", "HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT",
    "HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_XET", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY",
    "SSL_CERT_FILE",
}  # fmt: skip
"""The environment variables of the page that the process of a user's model gets, since others may be secrets: what
Python and the Hub's client need. That of the owner's model gets HF_TOKEN too."""
MOST_SECONDS = 400
"""For one model, from the first question to the Hub to the last metric."""
LONGEST_ADDRESS = 200
TRAINED_HERE = "trained here/"
"""Names of models that were trained on the page begin so; no address does."""
FROM_DISK = "from disk/"
"""Names of models that a browser sent begin so; no address does."""
REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(@[\w./-]+)?", re.ASCII)


@dataclass(frozen=True)
class Address:
    """Where a user's model is: a folder, a repo on the Hub and a revision of it, or files that a browser sent."""

    source: str = ""
    revision: str | None = None
    called: str | None = None
    """What the page calls its model, if that is not to be the address."""
    from_owner: bool = False
    """Whether the owner of the machine gave it: then the machine's login is used, and its cache."""
    files: dict[str, bytes] | None = None
    """Its config.json and model.safetensors, in place of a source."""

    @property
    def name(self) -> str:
        """What the model is called on the page."""
        return self.called or (f"{self.source}@{self.revision}" if self.revision else self.source)


@dataclass(frozen=True)
class UserModel:
    """A model that a visitor loaded."""

    name: str
    config: dict[str, Any]
    """Its config.json, with the checksum of its weights: equal configs are equal models."""
    sparsity: Sparsity
    weights: bytes
    """Its model.safetensors."""
    evaluation: Evaluation
    """Measured here, on the test split."""
    statistics: bytes
    """Of its latents, on the first of its images, as `training.measure.latent_statistics.to_bytes` writes them."""

    @property
    def checksum(self) -> str:
        """SHA-256 of its weights, in hexadecimal digits."""
        return str(self.config["weights_sha256"])


class UserModels:
    """The models of all visitors; only those that were used last are kept."""

    def __init__(self, test: Split, classes: int) -> None:
        self._test, self._classes = test, classes
        self._models: OrderedDict[str, UserModel] = OrderedDict()
        self._lock, self._one_at_a_time = Lock(), Lock()

    def address(self, text: object, is_owner: bool) -> Address:
        """The address that a visitor typed: owner/name, owner/name@revision or, for the machine's owner, a folder.

        Raises:
            InputError: it is something else.
        """
        text = text.strip() if isinstance(text, str) else ""
        if not text:
            raise InputError("box.nothing")
        if len(text) > LONGEST_ADDRESS:
            raise InputError("box.too_long", most=LONGEST_ADDRESS)
        if text.startswith((TRAINED_HERE, FROM_DISK)):
            raise InputError("box.untrained", name=text)
        if is_owner and as_folder(text) is not None:
            return Address(text, from_owner=True)
        source, _, revision = text.partition("@")
        if ".." in text or not REPO.fullmatch(text) or as_folder(source) is not None:
            raise InputError("box.no_folder_or_repo" if is_owner else "box.no_repo", text=text)
        return Address(source, revision or None, from_owner=is_owner)

    def is_repo(self, name: str) -> bool:
        """Whether a model's name is an address that others may use as well."""
        return REPO.fullmatch(name) is not None and as_folder(name) is None

    def load(self, address: Address) -> Iterator[dict[str, Any]]:
        """Load a model, measure it and keep it. Before each step that takes seconds it yields what is being done, as
        {"key": that of a template, "values": its values}.

        Raises:
            InputError: it cannot be fetched, is not of this family, is too large, is for images of another shape,
                or cannot be measured.
        """
        yield {"key": "box.fetching", "values": {"name": address.name}}
        known = self._models.get(address.name)
        try:
            message: dict[str, Any] = {}
            with self._one_at_a_time, tempfile.TemporaryDirectory() as scratch:
                save_file(self._test._asdict(), Path(scratch) / "test.safetensors")
                source = address.source if address.files is None else _written(address.files, Path(scratch) / "given")
                # For others it fetches anew each time, so that the disk does not fill, and without the owner's token.
                hub = {"token": None} if address.from_owner else {"token": False, "cache_dir": scratch}
                job: dict[str, Any] = {
                    "name": address.name,
                    "source": source,
                    "revision": address.revision,
                    "hub": hub,
                    "known": known and known.config,
                    "classes": self._classes,
                }
                (Path(scratch) / "job.json").write_text(json.dumps(job), encoding="utf-8")
                with closing(self._messages(Path(scratch), address.from_owner)) as messages:
                    for message in messages:
                        if "error" in message:  # a visitor has no use for the folders of the server
                            raise InputError(message["error"]["key"], **_without(scratch, address.name, message))
                        if "measuring" in message:
                            count = len(self._test.images)
                            yield {"key": "box.measuring", "values": {"name": address.name, "images": count}}
                if "config" not in message:
                    raise InputError("box.stopped", name=address.name, seconds=MOST_SECONDS)
                if known is None or known.config != message["config"]:
                    known = self._read(address, message["config"], Path(scratch) / "model")
                self._keep(known)
        except OSError as error:
            raise InputError("box.disk", name=address.name, reason=error.strerror) from error

    def _messages(self, folder: Path, is_owner: bool) -> Generator[dict[str, Any], None, None]:
        """Yield what the process that works in a folder says; it is killed when its time is up or nobody listens."""
        inherited = {name for name in os.environ if name.upper() in INHERITED or (is_owner and name == "HF_TOKEN")}
        process = subprocess.Popen(
            [sys.executable, "-m", "space.user_model_process", str(folder)],
            env={name: os.environ[name] for name in inherited}
            | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        timer = Timer(MOST_SECONDS, process.kill)
        timer.start()
        try:
            for line in process.stdout or ():
                yield json.loads(line)
        finally:
            timer.cancel()
            process.kill()
            process.communicate()

    def _read(self, address: Address, config: dict[str, Any], folder: Path) -> UserModel:
        """Read the model that the process left in a folder, with what it measured."""
        model = SparseAutoencoder.from_pretrained(folder)
        evaluation = Evaluation.read(folder / EVALUATION_NAME)
        weights, statistics = ((folder / name).read_bytes() for name in (WEIGHTS_NAME, STATISTICS_NAME))
        return UserModel(address.name, config, model.sparsity, weights, evaluation, statistics)

    def find(self, name: str) -> UserModel:
        """A model that was loaded.

        Raises:
            InputError: it was not, or it was dropped for others.
        """
        with self._lock:
            if name not in self._models:
                raise InputError("box.gone", name=name, most=MOST_MODELS)
            self._models.move_to_end(name)
            return self._models[name]

    def is_kept_here(self, name: str) -> bool:
        """Whether it is a model that was trained here or came from a disk, and is still in memory."""
        return name.startswith((TRAINED_HERE, FROM_DISK)) and name in self._models

    def of_checksum(self, checksum: str) -> UserModel | None:
        """A model that was loaded, by the checksum of its weights."""
        with self._lock:
            return next((model for model in self._models.values() if model.checksum == checksum), None)

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


def _written(files: dict[str, bytes], folder: Path) -> str:
    """The path of a new folder of files."""
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return str(folder)


def _without(scratch: str, name: str, message: dict[str, Any]) -> dict[str, Any]:
    """Leave the server's folders out of the values of an error message: a visitor has no use for them."""
    values = message["error"]["values"]
    hidden = rf"{re.escape(scratch)}\S*/"
    return {key: re.sub(hidden, f"{name}/", of) if isinstance(of, str) else of for key, of in values.items()}
