"""The page's modules: their words exist in every language, and they keep the rules that they are written by."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from space.head import WEB
from space.languages import CATALOGS, catalog

MODULES = sorted(WEB.glob("*.js"))
PYTHON = [path for folder in ("space", "training") for path in Path(folder).rglob("*.py")]
SECTIONS = (
    *(
        "page",
        "description",
        "controls",
        "draw",
        "see",
        "sum",
        "latent",
        "atoms",
        "classes",
        "learn",
        "rates",
        "frontier",
    ),
    *("charts", "chart", "curve", "box", "home", "lessons", "errors"),
)


def text(paths: list[Path]) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def test_every_language_has_the_same_words_and_asks_for_no_other_values() -> None:
    def values(template: object) -> set[str]:
        return set(re.findall(r"\{(\w+)", template)) if isinstance(template, str) else set()

    ours = {code: catalog(code) for code in CATALOGS}
    for code, words in ours.items():
        assert words.keys() == ours["en"].keys(), code
        for key, template in words.items():
            assert values(template) <= values(ours["en"][key]), (code, key)


def test_the_words_that_the_modules_say_exist() -> None:
    code, words = text(MODULES), catalog("en")
    said = set(re.findall(rf'"((?:{"|".join(SECTIONS)})\.[\w-]+)"', code))
    assert len(said) > 150
    assert said - words.keys() == set()
    terms = set(re.findall(r'term\("([^"]+)"', code))
    assert {f"terms.{name}.tip" for name in terms} <= words.keys()


def test_no_words_are_left_that_nobody_says() -> None:
    code = text(MODULES) + text(PYTHON)
    begun = tuple(part for part in re.findall(r"[`\"](\w+\.[\w.]*)(?:\$\{|\{)", code) if part.count("."))
    said = set(re.findall(r"[\"'`](\w+\.[\w.-]+)[\"'`]", code))
    left = {
        key
        for key in CATALOGS["en"]
        if key not in said
        and not key.startswith((*begun, "terms.", "method.", "families."))
        and not key.endswith(".title")  # of a tab
        and "." in key
    }
    assert left == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_keeps_the_rules(path: Path) -> None:
    code = path.read_text(encoding="utf-8")
    lines = code.splitlines()
    assert len(lines) <= 300  # can be read in a sitting
    assert code.lstrip().startswith(("/**", "//"))  # says what it is for
    for banned in ("MutationObserver", "eval(", "new Function", "XMLHttpRequest", "document.write"):
        assert banned not in code, banned
    assert all(len(line) <= 200 for line in lines)
    assert not re.search(r"from [\"'](?!\./)", code)  # no library
    # HTML is made of the catalogue's templates alone
    assert path.name == "words.js" or ".innerHTML" not in code
