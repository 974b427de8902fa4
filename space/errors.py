"""Error messages of the page and of its API."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import wraps
from html import escape
from typing import ParamSpec, TypeVar

import gradio as gr

from sae_model.errors import UserError
from training.words import in_language_of_now, say

Arguments, Answer = ParamSpec("Arguments"), TypeVar("Answer")


class InputError(UserError):
    """A visitor or a program asked for something that does not exist. The message is one line, and says what to do."""


def in_words(error: Exception) -> str:
    """What a visitor reads about an error. The words of one that nobody foresaw go to the log alone."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, UserError):  # of the package or the Hub, which speak English
        return say("errors.in_english", words=error)
    if isinstance(error, gr.Error):  # ZeroGPU has no time left for this visitor
        return error.message
    traceback.print_exception(error)
    return say("errors.unforeseen")


def with_error_message(handler: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """A handler of the page whose errors the page shows as error messages, in the language in which it was made."""

    @in_language_of_now
    @wraps(handler)
    def wrapped(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        try:
            return handler(*args, **kwargs)
        except Exception as error:
            words = escape(in_words(error), quote=False)  # Gradio draws it as HTML
            raise gr.Error(say("errors.shown", words=words), print_exception=False) from error

    return wrapped
