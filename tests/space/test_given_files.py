"""Models that a browser gives back from its visitor's disk."""

from __future__ import annotations

import base64
import io
import zipfile
from pathlib import Path

import pytest

from sae_model.storage import CONFIG_NAME, WEIGHTS_NAME
from space import load
from space.errors import InputError, told
from space.load import address_of_files
from space.user_models import UserModels

BOTH = {CONFIG_NAME: b"{}", WEIGHTS_NAME: b"weights"}


def sent(files: dict[str, bytes]) -> dict[str, str]:
    """Files as a browser sends them."""
    return {name: base64.b64encode(content).decode() for name, content in files.items()}


def zipped(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, of in files.items():
            archive.writestr(name, of)
    return content.getvalue()


def inside(folder: str) -> dict[str, bytes]:
    """Both files in a folder."""
    return {f"{folder}/{name}": content for name, content in BOTH.items()}


def test_both_files_are_found() -> None:
    for files in (
        BOTH,
        {"mine.zip": zipped(BOTH)},
        {"mine.ZIP": zipped(inside("mine") | {"mine/README.md": b"#"})},
        {"mine.zip": zipped(BOTH | inside("__MACOSX"))},
    ):
        assert address_of_files(sent(files)).files == BOTH


def test_all_else_ends_in_an_error_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "LARGEST_FILE", 1000)
    for files, key in (
        (None, "errors.state"),
        ({"config.json": 1}, "errors.state"),
        ({"mine.zip": "not base64"}, "errors.state"),
        ({"mine.zip": "????"}, "errors.state"),
        ({}, "box.files_needed"),
        (sent({CONFIG_NAME: b"{}"}), "box.files_needed"),
        (sent(BOTH | {"README.md": b"#"}), "box.files_needed"),
        (sent({"mine.zip": b"nothing"}), "box.no_zip"),
        (sent({"mine.zip": zipped(BOTH)[:-30]}), "box.no_zip"),
        (sent({"mine.zip": zipped({CONFIG_NAME: b"{}"})}), "box.zip_needed"),
        (sent({"two.zip": zipped(BOTH | inside("other"))}), "box.zip_needed"),
        (sent({"mine.zip": bytes(2000)}), "box.files_too_large"),
        (sent({"mine.zip": zipped(BOTH | {WEIGHTS_NAME: bytes(2000)})}), "box.file_too_large"),  # though the zip is not
    ):
        with pytest.raises(InputError) as error:
            address_of_files(files)
        assert error.value.key == key


def test_names_differ_where_the_files_do() -> None:
    names = {address_of_files(sent({"m.zip": zipped(BOTH | {WEIGHTS_NAME: of})})).name for of in (b"a", b"b")}
    assert len(names) == 2
    path = address_of_files(sent({"../a b?<i>.zip": zipped(BOTH)})).name
    assert path.startswith("from disk/a-b-i-")


@pytest.mark.usefixtures("in_this_process")
def test_a_broken_model_is_refused_without_a_path_of_the_server(models: UserModels, folder: Path) -> None:
    address = address_of_files(sent({CONFIG_NAME: (folder / CONFIG_NAME).read_bytes(), WEIGHTS_NAME: b"nothing"}))
    with pytest.raises(InputError, match="not a complete safetensors file") as error:
        list(models.load(address))
    assert f"{address.name}/{WEIGHTS_NAME}" in str(error.value)
    assert "/tmp" not in str(error.value)


def test_an_error_message_of_the_package_is_told_to_its_end() -> None:
    """What to do stands there."""
    words = f"{'x ' * 110}Check the spelling."
    assert told(InputError("errors.in_english", words=words))["values"]["words"] == words
