"""The lecture as notebooks: they run, say the same, and are committed with what they print and draw."""

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


def strings(code: str) -> list[str]:
    """With those between the values of f-strings, and how these are formatted."""
    nodes = ast.walk(ast.parse(code))
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def is_russian(text: str) -> bool:
    return any("а" <= letter <= "я" for letter in text.lower())


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


def test_both_notebooks_have_the_same_code_but_for_words_of_which_each_has_one_translation() -> None:
    """So if one of them runs, the other does."""
    codes, words = ([cells(language, kind) for language in LANGUAGES] for kind in ("code", "markdown"))
    assert len(words[0]) == len(words[1])
    assert len(codes[0]) == len(codes[1])
    translations = set()
    for english, russian in list(zip(*codes, strict=True))[1:]:
        assert without_words(english.source) == without_words(russian.source)
        translations |= set(zip(strings(english.source), strings(russian.source), strict=True))
    assert [pair for pair in translations if pair[0] != pair[1] and not is_russian(pair[1])] == []
    for side in zip(*translations, strict=True):  # or a key would not be found under its translation
        assert len(set(side)) == len(translations)
    for english, russian in zip(*words, strict=True):
        assert english.source.count("\n## ") == russian.source.count("\n## ")
        assert is_russian(russian.source)


@pytest.mark.slow
def test_a_notebook_runs() -> None:
    """The other one has the same code."""
    read = notebook("en")
    for cell in read.cells:
        for long, short in SHORT.items():
            cell.source = cell.source.replace(long, short)
    NotebookClient(read, timeout=600, resources={"metadata": {"path": str(ROOT)}}).execute()
    (table,) = (cell for cell in read.cells if "models = {" in cell.source)
    assert len(printed(table).splitlines()) == 6
