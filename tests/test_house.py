"""The rules of the house: imports point one way, the code is clean, and README says what is run."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "sae_model": {"sae_model"},
    "training": {"sae_model", "training"},
    "space": {"sae_model", "training", "space"},
}


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_one_way(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        assert imported(path) & MAY_IMPORT.keys() <= MAY_IMPORT[package], path


def test_the_model_alone_needs_little() -> None:
    allowed = {"sae_model", "torch", "huggingface_hub", "safetensors"} | sys.stdlib_module_names
    for path in (ROOT / "sae_model").rglob("*.py"):
        assert imported(path) <= allowed, path


def test_the_code_is_clean() -> None:
    for command in (["check", "."], ["format", "--check", "."]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


def test_readme_names_the_versions_and_commands_that_are_used() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    pinned = re.search(r"^gradio==(\S+)$", requirements, re.M)[1]
    assert re.search(rf"^sdk_version: {re.escape(pinned)}$", readme, re.M)
    tests = "pip install -r tests/requirements.txt && python -m pytest"
    assert tests in readme
    assert tests in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_readme_figures_are_those_of_the_committed_evaluations() -> None:
    """Every row of README's table of variants, against evaluation.json."""
    import json

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    names = [path.parent.name for path in (ROOT / "sae_model" / "zoo").glob("*/evaluation.json")]
    assert names
    for name in names:
        figures = json.loads((ROOT / "sae_model" / "zoo" / name / "evaluation.json").read_text())
        rows = [row.split(" | ") for row in re.findall(rf"^\| `{re.escape(name)}` \| (.*) \|$", readme, re.M)]
        ((bce, fvu, activation, carried, dead, denoise),) = [row for row in rows if len(row) == 6]
        assert bce == f"{figures['bce']:.4f}"
        assert fvu == f"{figures['fvu']:.3f}"
        assert activation == f"{figures['mean_activation']:.3f}"
        assert carried == f"{figures['effective_l0']:.0f}"
        assert dead == f"{figures['dead_fraction']:.1%}"
        assert denoise == f"{figures['denoise_mse']['0.3']:.4f}"
