"""A model that a visitor gives back from disk: a zip that Learn made, or its config.json and model.safetensors."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
import zipfile
from pathlib import PurePosixPath

from sae_model.storage import CONFIG_NAME, WEIGHTS_NAME
from space.errors import InputError
from space.user_model_process import LARGEST_FILE
from space.user_models import FROM_DISK, Address

NEEDED = (CONFIG_NAME, WEIGHTS_NAME)


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
