"""Error messages of the page and of its API."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import gradio as gr

Arguments, Answer = ParamSpec("Arguments"), TypeVar("Answer")


class InputError(ValueError):
    """A visitor or a program asked for something that does not exist. The message is one line, and says what to do."""


def with_error_message(handler: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """A handler of the page whose `InputError` the page shows as its error message."""

    @wraps(handler)
    def wrapped(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        try:
            return handler(*args, **kwargs)
        except InputError as error:
            raise gr.Error(f"That cannot be shown: {error}", print_exception=False) from error

    return wrapped
