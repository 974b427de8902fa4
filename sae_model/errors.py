"""Checks of values, and error messages: each message is one line of under 300 characters."""

from __future__ import annotations

import math
from typing import Any

LONGEST_MESSAGE = 299


class UserError(Exception):
    """An error that the user can fix. The message says what is wrong, where, and what to do.

    Messages quote names, files and answers that anybody may have written, so they are made one printable line here.
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def one_line(words: object, most: int = LONGEST_MESSAGE) -> str:
    """Make words one line of at most `most` printable characters; a longer one loses its middle."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in str(words)).split())
    if len(line) <= most:
        return line
    half = (most - 3) // 2
    return f"{line[:half]}...{line[-half:]}"


def first_line(error: BaseException) -> str:
    """The first line of what an error says, or its name where it says nothing."""
    return one_line(str(error).strip().partition("\n")[0] or type(error).__name__, 160)


def plain(value: Any) -> Any:
    """Convert a number of numpy or torch, such as np.int64(3) or torch.tensor(3), to Python's; leave anything else."""
    return value.item() if getattr(value, "shape", None) == () and hasattr(value, "item") else value


def is_integer(value: Any) -> bool:
    """Whether a value is a whole number; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether a value is a finite number that a float can hold; True and False are none."""
    if is_integer(value):
        return abs(value) < 10**300
    return isinstance(value, float) and math.isfinite(value)
