"""RESULTS.md has the tables that the committed evaluation.json files make."""

from __future__ import annotations

import re

import pytest

from tests.command_line import succeeded
from training import results


def test_results_have_the_tables_that_the_command_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    """A classifier on the pixels of all digits takes half a minute; here its errors are given."""
    monkeypatch.setattr(results, "probe_errors", lambda *_: {"100": 0.2740, "all": 0.0796})
    printed = succeeded("results").stdout.rstrip("\n").split("\n\n")
    there = {table for name, table in vars(results).items() if re.fullmatch("[a-z][a-z_]*_table", name)}
    assert set(results.TABLES) == there
    assert len(printed) == len(results.TABLES)
    text = results.RESULTS.read_text(encoding="utf-8")
    for wanted in printed:
        assert wanted in text
        stale = text.replace(wanted, "\n".join([*wanted.splitlines()[:2], "| of before | 1 |"]))
        assert results.with_tables(stale, [wanted]) == text
