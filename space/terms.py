"""The field's terms on the page: each explains itself when it is hovered or focused (page.js shows the words)."""

from __future__ import annotations

from html import escape

from training.measure.evaluation import DEAD_AFTER
from training.words import say


def term(name: str, words: str | None = None) -> str:
    """A term of the language files as HTML, shown as `words` where it is to be called otherwise."""
    explanation = escape(say(f"terms.{name}.tip", after=DEAD_AFTER))
    return tip(escape(words or say(f"terms.{name}.name")), explanation)


def tip(words: str, explanation: str) -> str:
    """Words with an explanation; both are escaped."""
    return (
        f'<button type="button" class="term" data-tip="{explanation}" aria-label="{words}: {explanation}">'
        f"{words}</button>"
    )
