"""A wheel of what a Space holds, in a fresh environment, trains, measures, saves, loads, pushes, and reports."""

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

from sae_model import SparseAutoencoder, list_variants
from sae_model.bundle import BUNDLE, OWNER, repo_name
from space.deploy import needed_files
from tests.command_line import assert_refused, run
from tests.test_readme import block
from training.publish.hub import push

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = f"""
import pathlib
import numpy as np
import sae_model
package = pathlib.Path(sae_model.__file__).parent
assert "fresh" in str(package), package
assert sum(path.stat().st_size for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc") < 1_000_000
generator = np.random.default_rng(0)
vectors, held_out = (generator.normal(size=(count, 48)).astype("float16") for count in (700, 100))
{block("python", "sae_model.training").replace("me/", "ada/")}
model.save_pretrained("saved")
np.save("latents.npy", model.encode(__import__("torch").from_numpy(held_out)).detach().numpy())
np.save("held-out.npy", held_out)
import sae_model.training.fit.loop
assert "fresh" in sae_model.training.fit.loop.__file__
print(len(sae_model.list_variants()), sae_model.load_variant("topk-10").sparsity)
try:
    sae_model.load_variant("topk-25")
except sae_model.ModelLoadError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with what pip makes of a Space of ada's; it finds torch and the like here, not on the network."""
    folder = tmp_path_factory.mktemp("wheel")
    files = {folder / "space" / name: path for name, path in needed_files().items()}
    for there, path in files.items():
        if path.suffix not in (".safetensors", ".gz", ".webp"):
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, there)
    (folder / "space" / OWNER.relative_to(ROOT)).write_text("ada\n")
    fresh = folder / "fresh"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", fresh], check=True)
    site = next((fresh / "lib").glob("python*/site-packages"))
    (site / "here.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "--python", fresh / "bin" / "python", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", folder / "space"], check=True)
    (info,) = site.glob("sae_model-*.dist-info")
    tops = {line.partition(",")[0].partition("/")[0] for line in (info / "RECORD").read_text().splitlines()}
    assert tops == {"sae_model", info.name}  # nothing generic
    return fresh / "bin" / "python"


@pytest.mark.slow
@pytest.mark.usefixtures("hub")
def test_five_lines_train_measure_and_push_from_a_wheel_which_fetches_its_models(python: Path, tmp_path: Path) -> None:
    push(BUNDLE / "topk-10", f"ada/{repo_name('topk-10')}")
    (tmp_path / "five.py").write_text(SCRIPT)
    done = subprocess.run([python, "five.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "fvu" in done.stdout
    *_, loaded, message = done.stdout.splitlines()
    assert loaded == f"{len(list_variants())} TopK(k=10)"
    assert "ada/sae-mnist-topk-25" in message
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
