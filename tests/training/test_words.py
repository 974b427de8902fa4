"""The language files: whole, alike in keys and values, and each key is said; a method lends its English words."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from sae_model.methods import METHODS, Sparsity
from training.words import FOLDER, language, say, speaking, word_of

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = "en"


def flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The entries of a TOML table and of those inside, by keys such as "see.title"."""
    entries: dict[str, Any] = {}
    for key, value in table.items():
        entries |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return entries


CATALOGS = {path.stem: flat(tomllib.loads(path.read_text(encoding="utf-8"))) for path in sorted(FOLDER.glob("*.toml"))}
"""Those of training alone: the page adds its own words."""
OTHERS = sorted(set(CATALOGS) - {DEFAULT})
FIELDS = ("title", "label", "ends", "asks_for", "purpose")


def values_of(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def keys_in_code(*folders: str) -> tuple[set[str], set[str]]:
    """What `say` is called with, as patterns with any word where a value is put in; and all other strings."""
    said, others = set(), set()
    for path in [path for folder in folders for path in (ROOT / folder).rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "say":
                said |= set(patterns(node.args[0]))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                others.add(node.value)
    return said, others


def patterns(key: ast.expr) -> Iterator[str]:
    if isinstance(key, ast.IfExp):
        yield from (*patterns(key.body), *patterns(key.orelse))
    elif isinstance(key, ast.Constant):
        yield re.escape(key.value)
    elif isinstance(key, ast.JoinedStr):
        yield "".join(re.escape(p.value) if isinstance(p, ast.Constant) else r"[\w .-]+" for p in key.values)


def test_every_key_is_said_and_everything_said_has_a_key() -> None:
    said, others = keys_in_code("training")
    keys = CATALOGS[DEFAULT]
    assert [key for key in keys if key not in others and not any(re.fullmatch(p, key) for p in said)] == []
    assert [p for p in said if not any(re.fullmatch(p, key) for key in keys)] == []


@pytest.mark.parametrize("code", OTHERS)
def test_every_method_has_words_in_every_language(code: str) -> None:
    wanted = {f"method.{kind}.{field}" for kind in METHODS for field in FIELDS}
    assert wanted - set(CATALOGS[code]) == set(), "these methods would show their English words"
    assert {key for key in CATALOGS[code] if key.startswith("method.")} == wanted
    for kind, method in METHODS.items():
        with speaking(code):
            assert len(word_of(method, "ends")) == len(method.ends)
            assert word_of(METHODS[kind], "asks_for") != method.asks_for


def test_a_method_without_words_in_a_language_shows_its_own() -> None:
    @dataclass(frozen=True)
    class Mine(Sparsity):
        kind = "mine"
        title = "My own"

    with speaking(OTHERS[0]):
        assert word_of(Mine, "title") == word_of(Mine(), "title") == "My own"


def test_it_speaks_a_language_for_a_while() -> None:
    with speaking("ru"):
        assert (language(), say("families.this")) == ("ru", "Эта модель")
    assert (language(), say("families.this")) == (DEFAULT, "This model")


def test_an_unknown_key_or_a_value_too_few_is_an_error() -> None:
    for key, values in (("nothing", {}), ("figures.sigma", {})):
        with pytest.raises(KeyError):
            say(key, **values)
