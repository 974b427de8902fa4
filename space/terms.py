"""The field's terms on the page: each explains itself when it is hovered or focused (page.js shows the words)."""

from __future__ import annotations

from html import escape

from training.measure.evaluation import DEAD_AFTER
from training.words import say


def term(name: str, words: str | None = None) -> str:
    """A term of the language files as HTML, shown as `words` where it is to be called otherwise."""
    words, tip = escape(words or say(f"terms.{name}.name")), escape(say(f"terms.{name}.tip", after=DEAD_AFTER))
    return f'<button type="button" class="term" data-tip="{tip}" aria-label="{words}: {tip}">{words}</button>'
