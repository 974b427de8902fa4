"""A wheel in a fresh environment outside of the repository trains, measures, saves, loads, pushes, and reports."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
import torch

from sae_model import SparseAutoencoder
from tests.command_line import assert_refused, run

ROOT = Path(__file__).resolve().parents[1]
FIVE_LINES = """\
from sae_model import TopK, SparseAutoencoder
from sae_model.training import train, evaluate
model = train(vectors, TopK(32), latent_dim=4096, epochs=5)      # a progress bar with loss, L0 and dead latents
print(evaluate(model, held_out))                                 # labels only where there are any
model.push_to_hub("me/my-sae")
"""
SCRIPT = f"""
import pathlib
import numpy as np
import sae_model
assert "fresh" in sae_model.__file__, sae_model.__file__
generator = np.random.default_rng(0)
vectors, held_out = (generator.normal(size=(count, 48)).astype("float16") for count in (700, 100))
{FIVE_LINES.replace("me/", "ada/")}
model.save_pretrained("saved")
np.save("latents.npy", model.encode(__import__("torch").from_numpy(held_out)).detach().numpy())
np.save("held-out.npy", held_out)
import sae_model.training.fit.loop
assert "fresh" in sae_model.training.fit.loop.__file__
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a clone; from a copy, since setuptools writes beside what it builds."""
    folder = tmp_path_factory.mktemp("wheel")
    skip = shutil.ignore_patterns("*.safetensors", "*.webp", "__pycache__", "MNIST", "evaluation*.json")
    for name in ("sae_model", "training"):
        shutil.copytree(ROOT / name, folder / "clone" / name, ignore=skip)
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, folder / "clone")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", folder, folder / "clone"], check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has the wheel, and finds torch and the like here, since none is to be downloaded."""
    fresh = tmp_path_factory.mktemp("environment") / "fresh"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", fresh], check=True)
    site = next((fresh / "lib").glob("python*/site-packages"))
    (site / "here.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "--python", fresh / "bin" / "python", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, wheel], check=True)
    (info,) = site.glob("sae_model-*.dist-info")
    tops = {line.partition(",")[0].partition("/")[0] for line in (info / "RECORD").read_text().splitlines()}
    assert tops == {"sae_model", info.name}  # nothing generic
    return fresh / "bin" / "python"


@pytest.mark.slow
@pytest.mark.usefixtures("hub")
def test_five_lines_train_measure_and_push_from_a_wheel(python: Path, tmp_path: Path) -> None:
    (tmp_path / "five.py").write_text(SCRIPT)
    done = subprocess.run([python, "five.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "fvu" in done.stdout
    for word in ("mse", "L0", "dead"):
        assert word in done.stderr
    held_out, latents = (torch.from_numpy(np.load(tmp_path / f"{name}.npy")) for name in ("held-out", "latents"))
    for source in (tmp_path / "saved", "ada/my-sae"):  # in another process, from a folder and from the Hub
        loaded = SparseAutoencoder.from_pretrained(source)
        assert loaded.image_shape == (48,)
        torch.testing.assert_close(loaded.encode(held_out), latents)


@pytest.mark.slow
def test_the_command_line_of_a_wheel_fits_and_reports(python: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "arrays.npz", images=np.random.default_rng(0).random((300, 1, 4, 4)))
    at_once = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}  # the command line need not begin anew to set it
    fit = ["fit", "--dataset", "arrays.npz", "--latent-dim", "20", "--epochs", "2", "--measure", "quick"]
    report = ["report", "model", "--dataset", "arrays.npz", "--html", "--output", "report"]
    for command in ([*fit, "--output", "model"], report):
        line = [python, "-m", "sae_model.training", *command]
        done = subprocess.run(line, cwd=tmp_path, env=at_once, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "report" / "latents.html").is_file()


def test_a_command_that_a_wheel_does_not_have_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "training.benchmarks.race", None)
    assert_refused(run("benchmark"), "`benchmark` runs in a clone of the repository: a wheel does not have it.")
