"""Loading a user's model: what web/user_models.js asks for, and what it is answered.

A model comes from a folder or the Hub, or from the visitor's disk: a zip that Learn made, or its config.json and
model.safetensors.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

import gradio as gr

from sae_model.storage import CONFIG_NAME, WEIGHTS_NAME
from space.edge import is_owner
from space.errors import InputError
from space.index import news_of
from space.lab import Lab
from space.learn import answer, failure
from space.state import State
from space.user_model_process import LARGEST_FILE
from space.user_models import FROM_DISK, Address, title

NEEDED = (CONFIG_NAME, WEIGHTS_NAME)


def loader(lab: Lab) -> Callable[[State, gr.EventData, gr.Request], Iterator[str]]:
    """The handler of the page's event `load`, which Gradio knows as `load_model`."""

    def load(_: State, event: gr.EventData, request: gr.Request) -> Iterator[str]:
        try:
            data = event._data if isinstance(event._data, dict) else {}
            address, given = data.get("address"), data.get("files")
            name = address.strip() if isinstance(address, str) else ""
            if name in lab.models:
                yield answer("load", key="box.bundled", values={"name": name}, choose=name)
                return
            if given is not None or not lab.user_models.is_kept_here(name):
                found = lab.user_models.address(name, is_owner(request)) if given is None else address_of_files(given)
                for step in lab.user_models.load(found):
                    yield answer("load", **step)
                name = found.name
            model = lab.user_models.find(name)
            values = {
                "title": title(model.name),
                "latents": model.config["latent_dim"],
                "sparsity": model.sparsity.name,
            }
            link = model.name if lab.user_models.is_repo(model.name) else None
            yield answer("load", key="box.loaded", values=values, news=news_of(lab, model), link=link)
        except Exception as error:
            yield failure("load", error)

    return load


def address_of_files(files: object) -> Address:
    """Where the model of some files is, {name: content in base64}, as a browser sends them.

    Its name holds a hash of the files, so that no two visitors' are called alike.

    Raises:
        InputError: the files are too large, or do not hold exactly one model.
    """
    content = _decoded(files)
    title, found = "model", content
    if len(content) == 1:
        name, only = next(iter(content.items()))
        if name.lower().endswith(".zip"):
            title, found = re.sub(r"[^\w.-]+", "-", name[:-4])[:40].strip("-.") or title, _unzipped(name, only)
    if set(found) != set(NEEDED):
        raise InputError("box.files_needed", names=", ".join(found) or "-")
    digest = hashlib.sha256(b"".join(found[name] for name in NEEDED)).hexdigest()[:6]
    return Address(called=f"{FROM_DISK}{title}-{digest}", files=found)


def _decoded(files: object) -> dict[str, bytes]:
    if not isinstance(files, dict) or not all(isinstance(text, str) for text in (*files, *files.values())):
        raise InputError("errors.state", name="files")
    size = sum(map(len, files.values())) * 3 / 4
    if size > LARGEST_FILE:
        raise InputError("box.files_too_large", names=", ".join(files), megabytes=size / 1e6)
    try:
        return {name: base64.b64decode(text, validate=True) for name, text in files.items()}
    except binascii.Error:
        raise InputError("errors.state", name="files") from None


def _unzipped(name: str, content: bytes) -> dict[str, bytes]:
    """Config and weights of the one model in a zip, whatever folder they lie in."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [member for member in archive.infolist() if "__MACOSX" not in member.filename]
            wanted = [member for member in members if PurePosixPath(member.filename).name in NEEDED]
            if len(wanted) != len(NEEDED):
                raise InputError("box.zip_needed", name=name)
            for member in wanted:
                if member.file_size > LARGEST_FILE:
                    megabytes = member.file_size / 1e6
                    raise InputError("box.file_too_large", file=member.filename, name=name, megabytes=megabytes)
            return {PurePosixPath(member.filename).name: archive.read(member) for member in wanted}
    except InputError:
        raise
    except Exception as error:  # zipfile and its decompressors have many, for a file that may hold anything
        raise InputError("box.no_zip", name=name) from error
