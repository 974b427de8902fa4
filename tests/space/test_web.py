"""The page's modules keep the rules that they are written by."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from space.head import WEB

MODULES = sorted(WEB.glob("*.js"))


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
