"""The lecture as notebooks: both run, say the same, and are committed with what they print and draw."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = ("en", "ru")
SHORT = {"IMAGES = 40_000": "IMAGES = 600", "limit=2_000": "limit=150"}
"""What makes a run take seconds; the committed one is whole."""


def notebook(language: str) -> Any:
    return nbformat.read(ROOT / "training" / f"lecture_{language}.ipynb", as_version=4)


def cells(language: str, kind: str) -> list[Any]:
    return [cell for cell in notebook(language).cells if cell.cell_type == kind]


def printed(cell: Any) -> str:
    return "".join(out.text for out in cell.outputs if out.output_type == "stream" and out.name == "stdout")


def without_words(code: str) -> str:
    """Code with every string empty, since those are in the language of the reader."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.dump(tree)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_notebook_is_committed_whole_and_small(language: str) -> None:
    path = ROOT / "training" / f"lecture_{language}.ipynb"
    assert path.stat().st_size <= 700_000
    first, *rest = cells(language, "code")
    assert "pip install" in first.source
    outputs = [out for cell in rest for out in cell.outputs]
    assert not [out for out in outputs if out.output_type == "error"]
    assert sum("image/png" in out.get("data", {}) for out in outputs) >= 10
    table = printed(rest[-1]).splitlines()
    errors = {line.split("  ")[0].strip(): float(line[10:].split()[1]) for line in table[1:]}
    assert errors["L1"] < errors["dense"] / 2  # what the lecture says of noise, on what the reader sees
    (stated,) = (printed(cell) for cell in rest if "per_image = train" in cell.source)
    rates = [float(line.split()[-1]) for line in stated.splitlines() if not line.startswith(" ")]
    assert rates == pytest.approx([0.05, 0.05], rel=0.06)


def test_both_notebooks_have_the_same_code_and_as_many_words() -> None:
    codes, words = ([cells(language, kind) for language in LANGUAGES] for kind in ("code", "markdown"))
    assert len(words[0]) == len(words[1])
    assert len(codes[0]) == len(codes[1])
    for english, russian in list(zip(*codes, strict=True))[1:]:
        assert without_words(english.source) == without_words(russian.source)
    for english, russian in zip(*words, strict=True):
        assert english.source.count("\n## ") == russian.source.count("\n## ")
        assert any("а" <= letter <= "я" for letter in russian.source)


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_notebook_runs(language: str) -> None:
    read = notebook(language)
    for cell in read.cells:
        for long, short in SHORT.items():
            cell.source = cell.source.replace(long, short)
    NotebookClient(read, timeout=600, resources={"metadata": {"path": str(ROOT)}}).execute()
    (table,) = (cell for cell in read.cells if "models = {" in cell.source)
    assert len(printed(table).splitlines()) == 6
