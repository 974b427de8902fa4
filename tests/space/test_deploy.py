"""What is uploaded to a Space is all that the page needs, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from huggingface_hub import HfApi, SpaceCard
from typer.testing import CliRunner

from sae_model import list_variants
from sae_model.bundle import repo_name
from space.deploy import deploy, main
from space.files import Files
from space.head import WEB
from space.lab import Lab, Specimen
from tests.loopback_hub import LoopbackHub
from tests.space.server import ROOT
from training.publish.hub import HubError

ID = "ada/by-touch"
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
ASK = """
import sys
from space.app import build_app
from space.files import Files
from space.lab import Lab, Specimen
lab = Lab()
files = Files(lab, {"hosted": False})
build_app(lab)
print(lab.look(Specimen(3, 0.2), "l1-0.3").psnr)
print("matplotlib" in sys.modules)
print(*sorted(f"{name}?{file.tag}" for name, file in files.table.items()), sep="\\n")
"""


@pytest.fixture
def few_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uploads are fast, without the 90 MB of models and images."""
    monkeypatch.setattr("space.deploy.NEEDED", ("pyproject.toml", "LICENSE", "space/*.py"))


def test_the_space_runs_on_what_was_uploaded_and_holds_no_more(
    hub: LoopbackHub, tmp_path: Path, lab: Lab, files: Files
) -> None:
    assert deploy(ID) == (f"{hub.url}/spaces/{ID}", True)
    there = hub.files(ID, repo_type="space")
    assert hub.repo(ID, "space").sdk == "gradio"
    for name, content in there.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    asked = subprocess.run([sys.executable, "-c", ASK], cwd=tmp_path, capture_output=True, text=True, check=True)
    psnr, has_matplotlib, *table = asked.stdout.splitlines()
    assert float(psnr) == pytest.approx(lab.look(Specimen(3, 0.2), "l1-0.3").psnr)
    assert has_matplotlib == "False"  # before figures are drawn, so that a page starts in less time
    assert table == sorted(f"{name}?{file.tag}" for name, file in files.table.items())  # all that a browser fetches
    fetched = {path.name for path in WEB.iterdir() if path.suffix != ".wat"}  # whose code is in matrix.js
    assert fetched <= {name.rpartition("/")[2] for name in there}
    assert {name.partition("/")[0] for name in there} == {
        "README.md", "LICENSE", "pyproject.toml", "requirements.txt", "sae_model", "training", "space",
    }  # fmt: skip
    shown = re.findall(r"!\[[^]]*\]\(([^)]*)\)", there["README.md"].decode())
    assert shown
    assert set(shown) <= there.keys()
    assert not [name for name in there if re.search(r"test_|\.pyc|bundled/.*README", name)]
    assert sum(map(len, there.values())) < 97_000_000


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
