"""What the page and its charts say: whole templates by key, one file for each language in `languages/`."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from contextvars import ContextVar
from functools import wraps
from inspect import isgeneratorfunction
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


CATALOGS: dict[str, dict[str, Any]] = {
    path.stem: dict(_flat(tomllib.loads(path.read_text(encoding="utf-8")))) for path in sorted(FOLDER.glob("*.toml"))
}
"""Language, by its code of two letters -> key -> template."""


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
    """A `title`, `label`, `ends` or `asks_for` of a sparsity method; in the method's own English where the language has
    no words for it."""
    return CATALOGS[language()].get(f"method.{method.kind}.{field}", getattr(method, field))


@contextmanager
def speaking(code: str) -> Iterator[None]:
    """Let `say` speak a language, in this thread."""
    token = _language.set(code)
    try:
        yield
    finally:
        _language.reset(token)


def in_language_of_now(handler: Callable[..., Any]) -> Callable[..., Any]:
    """A function that speaks, whenever it is called, the language in which it was made; or such a generator."""
    speaks = speaking(language())
    if not isgeneratorfunction(handler):
        return speaks(handler)

    @wraps(handler)
    def answers(*args: object, **options: object) -> Iterator[Any]:
        ask, end = speaks(next), object()  # each answer may be asked for in another thread
        with closing(handler(*args, **options)) as running:
            while (value := ask(running, end)) is not end:
                yield value

    return answers
