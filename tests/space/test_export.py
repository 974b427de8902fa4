"""The page without a server."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from space.export import main
from space.files import Files
from space.lab import Lab

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_all_that_it_names_is_there_by_relative_addresses(exported: Path, lab: Lab) -> None:
    page = (exported / "index.html").read_text(encoding="utf-8")
    addresses = re.findall(r'\b(?:href|src)="([^"]*)"', page)
    named = [address.partition("?")[0] for address in addresses if not address.startswith("data:")]
    assert len(named) == 3
    assert '"web/gradio.js"' not in page
    index = json.loads((exported / "files" / "lab.json").read_text(encoding="utf-8"))
    assert index["server"] is None
    for address in named:
        assert (exported / address).resolve().is_relative_to(exported.resolve())
        assert (exported / address).is_file(), address
    for name, file in Files(lab, None).table.items():
        assert (exported / "files" / name).stat().st_size == len(file.body)
    host = json.loads(re.search(r'<script type="application/json" id="host">(.*?)</script>', page, re.DOTALL)[1])
    assert [language["code"] for language in host["languages"]] == ["en", "ru"]
    assert host["opening"]["looks"].keys() == {index["opening"]["stop"], index["opening"]["beside"]}


def test_it_says_what_needs_a_server(page: Page) -> None:
    page.click("#tab-learn")
    page.wait_for_function("document.querySelector('#learn')?.innerText.includes('trained on a server')")
    page.click("#user-model summary")
    assert "A server loads and measures models" in page.inner_text("#user-model")


def test_the_command_writes_it_or_says_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Path] = []
    monkeypatch.setattr("space.export.export", lambda _, folder: written.append(folder))
    command = typer.Typer()
    command.command()(main)
    done = CliRunner().invoke(command, [str(tmp_path / "new")])
    assert done.stdout == f"{tmp_path / 'new' / 'index.html'}\n"
    assert written == [tmp_path / "new"]
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    for arguments, words in (
        ([str(tmp_path / "full")], "is not empty, and nothing is overwritten"),
        ([str(tmp_path / "new"), "--dataset", "mnist"], "give --models too"),
        ([str(tmp_path / "new"), "--models", str(tmp_path / "full")], "holds no folder with a config.json"),
    ):
        failed = CliRunner().invoke(command, arguments)
        assert failed.exit_code == 1
        assert words in failed.output
        assert failed.output.count("\n") == 1
    assert written == [tmp_path / "new"]
