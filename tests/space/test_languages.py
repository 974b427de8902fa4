"""The words of the page: all of them in every language, and one page for all."""

from __future__ import annotations

import re

import pytest

from sae_model.methods import METHODS
from space.head import WEB
from space.languages import CATALOGS, DEFAULT, catalog
from tests.training.test_words import CATALOGS as OF_TRAINING
from tests.training.test_words import keys_in_code, values_of
from training.fit.bundled_recipes import FAMILIES

OTHERS = sorted(set(CATALOGS) - {DEFAULT})
MODULES = list(WEB.glob("*.js"))


@pytest.mark.parametrize("code", OTHERS)
def test_every_language_has_the_keys_of_english_and_puts_into_each_what_it_does(code: str) -> None:
    """Or less: a sentence may be built without a value."""
    ours = catalog(code)
    assert ours.keys() == catalog(DEFAULT).keys()
    for key, template in catalog(DEFAULT).items():
        assert values_of(ours[key]) <= values_of(template), key
        assert ours[key].count("<") == template.count("<"), key  # the same HTML


def test_all_words_are_text_and_every_family_and_method_has_some() -> None:
    for code in CATALOGS:
        words = catalog(code)
        assert all(isinstance(text, str) for text in words.values())
        for kind in METHODS:
            for field in ("title", "label", "asks_for", "ends.0", "ends.1"):
                assert f"method.{kind}.{field}" in words
        assert all(f"family.{family}.title" in words for family in FAMILIES)


def test_every_key_of_the_page_is_said_and_everything_said_has_a_key() -> None:
    """By Python, whose error messages the browser says; or by a module, where keys may have a part put in."""
    _, in_python = keys_in_code("space", "sae_model", "training")
    page = {key for words in CATALOGS.values() for key in words}
    page -= {key for words in OF_TRAINING.values() for key in words}
    sources = "".join(path.read_text(encoding="utf-8") for path in MODULES)
    quoted = set(re.findall(r"""["'`]([\w. -]+\.[\w. -]+)["'`]""", sources)) | in_python
    patterns = [
        re.compile(re.sub(r"\\\$\\\{.*?\\\}", r"[\\w .-]+", re.escape(text)))
        for text in re.findall(r"`([\w. -]*\.?\$\{[^`]*\}[^`]*)`", sources)
        if re.match(r"[a-z]+\.|\$\{\w+\}\.[a-z]", text)
    ]
    unsaid = {key for key in page if key not in quoted and not any(p.fullmatch(key) for p in patterns)}
    assert sorted(unsaid) == []
    every = catalog(DEFAULT)
    sections = "|".join({key.partition(".")[0] for key in every})
    said = set(re.findall(rf'"((?:{sections})\.[\w-]+)"', sources))
    assert len(said) > 150
    assert said - every.keys() == set()
    terms = set(re.findall(r'term\("([^"]+)"', sources))
    assert {f"terms.{name}.tip" for name in terms} <= every.keys()
