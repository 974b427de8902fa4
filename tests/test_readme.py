"""README's commands for loading and publishing do what README says, as they stand (against a Hub on loopback).

test_wheel.py runs the five lines that train.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import typer

from sae_model.bundle import BUNDLE
from space import deploy
from tests.command_line import run
from tests.loopback_hub import LoopbackHub

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str, word: str) -> str:
    """The one block of code in which a word stands."""
    (found,) = [text for text in re.findall(rf"```{language}\n(.*?)```", README, re.S) if word in text]
    return found


def test_the_lines_that_load_a_model_run() -> None:
    scope: dict[str, object] = {}
    exec(block("python", "load_variant"), scope)
    assert scope["reconstruction"].shape == (8, 1, 28, 28)


@pytest.mark.slow
def test_the_lines_that_publish_run(
    hub: LoopbackHub, tmp_path: Path, few_digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With few digits and few files of the page, or this would take minutes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("space.deploy.NEEDED", ("LICENSE", "space/*.py"))
    shutil.copytree(BUNDLE / "l1-0.3", "my-model")
    lines = (
        block("bash", "training push")
        .replace("YOUR-NAME", "ada")
        .replace("training fit ", f"training fit --epochs 1 --measure quick --data-dir {few_digits} ")
    )
    assert str(few_digits) in lines
    *trainings, deployment = lines.strip().splitlines()
    for line in trainings:
        done = run(*line.removeprefix("python -m training ").split())
        assert done.returncode == 0, done.stderr
    monkeypatch.setattr("sys.argv", deployment.removeprefix("python -m ").split())
    with pytest.raises(SystemExit, match="0"):
        typer.run(deploy.main)
    assert [repo_id for _, repo_id in hub.repos] == ["ada/my-model", "ada/my-sparser", "ada/by-touch"]
    assert hub.files("ada/my-model")["model.safetensors"] == (BUNDLE / "l1-0.3" / "model.safetensors").read_bytes()
    assert "space/app.py" in hub.files("ada/by-touch", repo_type="space")


def test_the_speed_in_readme_is_the_one_that_results_measured() -> None:
    results, said = (ROOT / "training" / "RESULTS.md").read_text(encoding="utf-8"), " ".join(README.split())
    measured = re.findall(r"^\| (?:noise|beta) slider \| ([\d.]+) \| ([\d.]+) \|", results, re.M)
    assert len(measured) == 2
    (noise, noise_tail), (beta, beta_tail) = measured
    assert f"{noise} ms (noise) and {beta} ms (beta) after a move" in said
    assert f"{noise_tail} and {beta_tail} ms at the 95th percentile" in said
    first = re.search(r"^\| first image, [^|]*\| ([\d.]+) s,", results, re.M)[1]
    assert f"the first image is there after {first} s" in said
