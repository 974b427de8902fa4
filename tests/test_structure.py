"""Imports point one way, the code is clean, methods are named in one place, and README says what is run."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sae_model.methods import METHODS

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "sae_model": {"sae_model"},
    "training": {"sae_model", "training"},
    "space": {"sae_model", "training", "space"},
}
FLOW = ("data", "fit", "measure", "draw", "publish")
"""The folders of training, in the order in which data flows through them."""
CLASSES = {method.__name__ for method in METHODS.values()}
# Files whose subject is one model that they train, or that need a default.
MAY_NAME_A_METHOD = {"training/benchmarks/race.py", "training/fit/recipe.py"}


def modules(path: Path) -> Iterator[str]:
    """The full name of each module that a file of the repository imports."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            yield ".".join([*above, *filter(None, [node.module])])


def imported(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in modules(path)}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_one_way(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        assert imported(path) & MAY_IMPORT.keys() <= MAY_IMPORT[package], path


def test_the_folders_of_training_stand_in_the_order_in_which_data_flows() -> None:
    for place, folder in enumerate(FLOW):
        for path in (ROOT / "training" / folder).glob("*.py"):
            for name in modules(path):
                if name.startswith("training."):
                    used = name.split(".")[1]
                    assert used in {"words", *FLOW[: place + 1]}, f"{path} imports {name}"


def test_training_calls_itself_by_no_name_since_a_wheel_has_it_under_another() -> None:
    for path in (ROOT / "training").rglob("*.py"):
        assert not re.search(r"^\s*(from|import) training\b", path.read_text(encoding="utf-8"), re.M), path


def test_the_model_alone_needs_little() -> None:
    allowed = {"sae_model", "torch", "huggingface_hub", "safetensors"} | sys.stdlib_module_names
    for path in (ROOT / "sae_model").rglob("*.py"):
        assert imported(path) <= allowed, path


def decisions(tree: ast.Module) -> Iterator[str]:
    """The kinds and classes of sparsity methods between which this code decides, by comparison, table or type."""
    for node in ast.walk(tree):
        compared: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            compared = [node.left, *node.comparators]
        elif isinstance(node, ast.Dict):
            compared = [key for key in node.keys if key is not None]
        elif isinstance(node, ast.match_case):
            compared = [node.pattern]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            compared = node.args[1:] if node.func.id in ("isinstance", "issubclass") else []
        for part in (part for one in compared for part in ast.walk(one)):
            if isinstance(part, ast.Constant) and part.value in METHODS:
                yield part.value
            elif isinstance(part, ast.Name) and part.id in CLASSES:
                yield part.id
            elif isinstance(part, ast.Attribute) and part.attr in CLASSES:
                yield part.attr


@pytest.mark.parametrize("package", ["training", "space"])
def test_only_the_methods_themselves_know_which_methods_there_are(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        tree, name = ast.parse(path.read_text(encoding="utf-8")), path.relative_to(ROOT).as_posix()
        assert list(decisions(tree)) == [], name
        imports = [alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names]
        assert name in MAY_NAME_A_METHOD or not CLASSES & set(imports), name


@pytest.mark.parametrize("tool", [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]], ids=" ".join)
def test_the_code_is_clean(tool: list[str]) -> None:
    for stub in (ROOT / "space").glob("*.pyi"):  # Gradio writes them, and keeps them when the code changes
        stub.unlink()
    done = subprocess.run([sys.executable, "-m", *tool], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_readme_names_the_versions_and_commands_that_are_used() -> None:
    readme, requirements = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "requirements.txt"))
    pinned = re.search(r"^gradio==(\S+)$", requirements, re.M)[1]
    assert re.search(rf"^sdk_version: {re.escape(pinned)}$", readme, re.M)
    tests = "pip install -r tests/requirements.txt && python -m pytest"
    assert tests in readme
    assert tests in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
