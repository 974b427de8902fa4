"""What charts, figures and the page say: whole templates by key, one file for each language in `languages/`.

A template holds its HTML, and its values are put in by `str.format`. The page adds its own words with `add_words`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from sae_model.methods import Sparsity

FOLDER = Path(__file__).with_name("languages")
DEFAULT = "en"
_language: ContextVar[str] = ContextVar("language", default=DEFAULT)


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The entries of a TOML table and of those inside, by keys such as "see.title"."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


CATALOGS: dict[str, dict[str, Any]] = {}
"""Language, by its code of two letters -> key -> template."""


def add_words(folder: Path) -> None:
    """Add the templates of a folder, a TOML file for each language, to the catalogs."""
    for path in sorted(folder.glob("*.toml")):
        CATALOGS.setdefault(path.stem, {}).update(_flat(tomllib.loads(path.read_text(encoding="utf-8"))))


add_words(FOLDER)


def language() -> str:
    """The code of the language that `say` speaks at the moment."""
    return _language.get()


def say(key: str, /, **values: object) -> str:
    """A template of the language of the moment, with values put in by `str.format`.

    Raises:
        KeyError: there is no such key, or its template needs another value.
    """
    return CATALOGS[language()][key].format(**values)


def word_of(method: type[Sparsity] | Sparsity, field: str) -> Any:
    """A `title`, `label`, `ends`, `asks_for` or `purpose` of a sparsity method; in the method's own English where the
    language has no words for it."""
    return CATALOGS[language()].get(f"method.{method.kind}.{field}", getattr(method, field))


@contextmanager
def speaking(code: str) -> Iterator[None]:
    """Let `say` speak a language, in this thread."""
    token = _language.set(code)
    try:
        yield
    finally:
        _language.reset(token)
