"""The page's words. One page has all languages; the browser chooses one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sae_model.methods import METHODS
from training.fit.bundled_recipes import FAMILIES
from training.measure.evaluation import DEAD_RANK
from training.words import CATALOGS, DEFAULT, add_words, say, speaking, word_of

__all__ = ["CATALOGS", "DEFAULT", "catalog", "say"]

add_words(Path(__file__).with_name("words"))


def catalog(code: str) -> dict[str, Any]:
    """All words of a language, by key: the page's, those of charts, and those of every method and family.

    A list has a key for each of its entries, such as "method.l1.ends.0".
    """
    words = dict(CATALOGS[code])
    with speaking(code):
        for kind, method in METHODS.items():
            for field in ("title", "label", "ends", "asks_for", "purpose"):
                words[f"method.{kind}.{field}"] = word_of(method, field)
        for family in FAMILIES:
            own = {key: of for key, of in words.items() if key.startswith(f"method.{family}.")}
            words |= {f"family.{key.removeprefix('method.')}": of for key, of in own.items()}
            if family not in METHODS:
                words[f"family.{family}.title"] = say(f"families.{family}")
    words["terms.dead.tip"] = words["terms.dead.tip"].format(after=DEAD_RANK)
    for key, of in list(words.items()):
        if isinstance(of, list | tuple):
            del words[key]
            words |= {f"{key}.{i}": entry for i, entry in enumerate(of)}
    return words
