"""What is uploaded to a Space is all that the page needs, and nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import typer
from huggingface_hub import HfApi, SpaceCard
from typer.testing import CliRunner

from sae_model import list_variants
from sae_model.bundle import BUNDLE, repo_name
from space.deploy import NEEDED, deploy, main
from space.files import Files
from space.head import WEB
from space.lab import Lab, Specimen
from tests.loopback_hub import LoopbackHub
from tests.space.server import ROOT
from training.publish.hub import HubError, push

ID = "ada/by-touch"
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
ASK = """
import sys
from space.app import build_app
from space.files import Files
from space.lab import Lab, Specimen
lab = Lab()
files = Files(lab, None)
build_app(lab)
print(lab.look(Specimen(3, 0.2), "l1-0.3").psnr)
print("matplotlib" in sys.modules)
print(*sorted(f"{name}?{file.tag}" for name, file in files.table.items()), sep="\\n")
"""


@pytest.fixture
def few_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uploads are fast, without the 90 MB of models and images."""
    monkeypatch.setattr("space.deploy.NEEDED", ("pyproject.toml", "LICENSE", "space/*.py"))


def write(files: dict[str, bytes], folder: Path) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def test_the_space_runs_on_what_was_uploaded_and_holds_no_more(hub: LoopbackHub, tmp_path: Path, lab: Lab) -> None:
    assert deploy(ID) == (f"{hub.url}/spaces/{ID}", True)
    files = hub.files(ID, repo_type="space")
    assert hub.repo(ID, "space").sdk == "gradio"
    write(files, tmp_path)
    asked = subprocess.run([sys.executable, "-c", ASK], cwd=tmp_path, capture_output=True, text=True, check=True)
    psnr, has_matplotlib, *table = asked.stdout.splitlines()
    assert float(psnr) == pytest.approx(lab.look(Specimen(3, 0.2), "l1-0.3").psnr)
    assert has_matplotlib == "False"  # before figures are drawn, so that a page starts in less time
    here = Files(lab, None)
    assert table == sorted(f"{name}?{file.tag}" for name, file in here.table.items())  # all that a browser fetches
    fetched = {path.name for path in WEB.iterdir() if path.suffix != ".wat"}  # whose code is in matrix.js
    assert fetched <= {name.rpartition("/")[2] for name in files}
    assert {name.partition("/")[0] for name in files} == {
        "README.md", "LICENSE", "pyproject.toml", "requirements.txt", "sae_model", "training", "space",
    }  # fmt: skip
    shown = re.findall(r"!\[[^]]*\]\(([^)]*)\)", files["README.md"].decode())
    assert shown
    assert set(shown) <= files.keys()
    assert not [name for name in files if re.search(r"test_|\.pyc|bundled/.*README", name)]
    assert sum(map(len, files.values())) < 97_000_000


@pytest.mark.usefixtures("few_files")
def test_the_front_page_tells_the_hub_how_to_run_it_on_the_hardware_that_is_asked_for(hub: LoopbackHub) -> None:
    for variant in list_variants()[:2]:
        HfApi().create_repo(f"ada/{repo_name(variant)}")
    deploy(ID)
    card, page, pins = uploaded(hub)
    assert card["models"] == [f"ada/{repo_name(variant)}" for variant in list_variants()[:2]]
    assert (card["sdk"], card["app_file"], card["license"]) == ("gradio", "space/app.py", "mit")
    assert len(card["short_description"]) <= 60  # this and the colours are what the Hub checks
    assert {card["colorFrom"], card["colorTo"]} <= COLOURS
    assert {"python_version", "sdk_version", "tags", "title", "emoji"} <= card.keys()
    readme = (ROOT / "README.md").read_text()
    assert page.partition("\n---\n")[2].strip() == readme.partition("\n---\n")[2].strip()
    assert hub.repo(ID, "space").hardware == card["suggested_hardware"] == "zero-a10g"
    assert card["python_version"] == "3.12"
    torch = re.search(r"^torch==(\d+)\.(\d+)", pins, re.MULTILINE)
    assert (2, 8) <= (int(torch[1]), int(torch[2])) <= (2, 11)
    assert deploy(ID, hardware="cpu")[1]  # the same Space, on other hardware
    card, _, pins = uploaded(hub)
    assert hub.repo(ID, "space").hardware == card["suggested_hardware"] == "cpu-basic"
    assert card["python_version"] == "3.11"
    assert pins == (ROOT / "requirements.txt").read_text()
    hub.fail("POST", "/hardware", 403, times=2)
    assert deploy(ID, hardware="cpu")[1]  # it was asked for already, and is not again
    assert not deploy(ID)[1]


def uploaded(hub: LoopbackHub) -> tuple[dict, str, str]:
    """What the front page tells the Hub, that page, and the versions that are installed."""
    files = hub.files(ID, repo_type="space")
    page, pins = (files[name].decode() for name in ("README.md", "requirements.txt"))
    return SpaceCard(page).data.to_dict(), page, pins


INSTALLED = """
import sae_model, pathlib
from sae_model import ModelLoadError, list_variants, load_variant
package = pathlib.Path(sae_model.__file__).parent
assert "site-packages" in str(package), package
print(sum(path.stat().st_size for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"))
print(len(list_variants()), load_variant("topk-10").sparsity)
try:
    load_variant("topk-25")
except ModelLoadError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("git") is None, reason="pip clones with git")
def test_the_package_installs_from_the_space_and_fetches_its_models(
    hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From one with the weights of one model, which are more than what is installed may have, and without images."""
    light = [pattern for pattern in NEEDED if not pattern.endswith((".gz", ".safetensors"))]
    monkeypatch.setattr("space.deploy.NEEDED", (*light, "sae_model/bundled/topk-10/model.safetensors"))
    deploy(ID)
    push(BUNDLE / "topk-10", f"ada/{repo_name('topk-10')}")
    repo, fresh = tmp_path / "repo", tmp_path / "fresh"
    write(hub.files(ID, repo_type="space"), repo)
    author = ["-c", "user.name=ada", "-c", "user.email=ada@localhost"]
    for command in (["init", "-q"], ["add", "-A", "-f"], ["commit", "-q", "-m", "The Space"]):
        subprocess.run(["git", *author, *command], cwd=repo, check=True)
    # A new environment that finds torch and the other dependencies here, since none is to be downloaded.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", fresh], check=True)
    python = fresh / "bin" / "python"
    site = next((fresh / "lib").glob("python*/site-packages"))
    (site / "here.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, f"git+file://{repo}"], check=True)
    asked = subprocess.run([python, "-c", INSTALLED], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert asked.returncode == 0, asked.stderr
    size, loaded, message = asked.stdout.splitlines()
    assert int(size) < 1_000_000
    assert loaded == f"{len(list_variants())} TopK(k=10)"
    assert "ada/sae-mnist-topk-25" in message


@pytest.mark.usefixtures("few_files")
def test_a_second_upload_changes_only_what_changed(hub: LoopbackHub) -> None:
    deploy(ID)
    commits = hub.commits(ID, repo_type="space")
    deploy(ID)
    assert hub.commits(ID, repo_type="space") == commits
    HfApi().upload_file(path_or_fileobj=b"old", path_in_repo="space/old.py", repo_id=ID, repo_type="space")
    HfApi().upload_file(path_or_fileobj=b"mine", path_in_repo="notes.txt", repo_id=ID, repo_type="space")
    deploy(ID)
    after = hub.files(ID, repo_type="space")
    assert "space/old.py" not in after
    assert after["notes.txt"] == b"mine"
    assert hub.commits(ID, repo_type="space")[0].sent == ("space/old.py",)


@pytest.mark.usefixtures("waits", "few_files")
def test_a_failing_upload_leaves_the_space_as_it_was(hub: LoopbackHub) -> None:
    HfApi().create_repo(ID, repo_type="space", space_sdk="gradio")
    before = hub.files(ID, repo_type="space")
    hub.fail("POST", "/commit/", 500)
    with pytest.raises(HubError, match="was not uploaded to ada/by-touch: the Hub failed with status 500"):
        deploy(ID)
    assert hub.files(ID, repo_type="space") == before
    deploy(ID)
    with pytest.raises(HubError, match="ada/by-touch is public: make it private in its settings"):
        deploy(ID, private=True)


@pytest.mark.usefixtures("few_files")
def test_the_command_says_where_it_is_or_what_is_wrong(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    command = typer.Typer()
    command.command()(main)
    assert CliRunner().invoke(command, [ID]).stdout == f"{hub.url}/spaces/{ID}\n"
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    refused = CliRunner().invoke(command, [ID])
    assert refused.exit_code == 1
    assert "run `hf auth login`" in refused.output
    assert refused.output.count("\n") == 1
