"""Error messages of the page and of its API."""

from __future__ import annotations

import re
import traceback
from typing import Any

from sae_model.errors import UserError, is_number, one_line
from space.languages import say


class InputError(UserError):
    """A visitor or a program asked for something that does not exist. The message is one line, and says what to do.

    It is a template of the catalog, so that the browser says it in its own language.
    """

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(say(key, **values))
        self.key, self.values = key, values


def told(error: Exception) -> dict[str, Any]:
    """What the browser says of an error: {"key": that of a template, "values": its values}.

    The words of an error that nobody foresaw go to the log alone.
    """
    if isinstance(error, InputError):
        return {"key": error.key, "values": {name: _plain(value) for name, value in error.values.items()}}
    if isinstance(error, UserError):  # of the package or the Hub, which speak English
        words = re.sub(r" \(\w+Error\)", "", str(error))  # the name of a class is for those who run commands
        return {"key": "errors.in_english", "values": {"words": words}}
    traceback.print_exception(error)
    return {"key": "errors.unforeseen", "values": {}}


def _plain(value: object) -> float | str:
    """Make a value one of JSON: a number, or words on one line of bounded length."""
    if is_number(value) and abs(value) < 1e300:  # type: ignore[arg-type]
        return value  # type: ignore[return-value]
    return one_line(value if isinstance(value, str) else repr(value))
