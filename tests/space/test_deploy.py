"""What is uploaded to a Space is all that the page needs, and nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import HfApi, SpaceCard

from sae_model import list_variants
from space.deploy import deploy
from tests.loopback_hub import TOKEN, LoopbackHub
from training.hub import HubError, repo_name

ROOT = Path(__file__).resolve().parents[2]
ID = "ada/by-touch"
ASK = """
from space.app import CSS, build_app
from space.lab import Lab, Specimen, Stop
lab = Lab()
build_app(lab)
print(CSS.read_text())
print(lab.look(Specimen(3, 0.2), Stop("l1-0.3", "0.3")).psnr)
"""


def test_the_space_runs_on_what_was_uploaded_and_holds_no_more(hub: LoopbackHub, tmp_path: Path) -> None:
    assert deploy(ID) == f"{hub.url}/spaces/{ID}"
    files = hub.files(ID, repo_type="space")
    assert hub.repo(ID, "space").sdk == "gradio"
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    asked = [
        subprocess.run([sys.executable, "-c", ASK], cwd=root, capture_output=True, text=True, check=True).stdout
        for root in (tmp_path, ROOT)
    ]
    assert asked[0] == asked[1] != ""
    assert {name.partition("/")[0] for name in files} == {
        "README.md", "LICENSE", "requirements.txt", "sae_model", "training", "space",
    }  # fmt: skip
    shown = re.findall(r"!\[[^]]*\]\(([^)]*)\)", files["README.md"].decode())
    assert shown
    assert set(shown) <= files.keys()
    assert not [name for name in files if re.search(r"test_|\.pyc|zoo/.*README", name)]
    assert sum(map(len, files.values())) < 90_000_000


def test_the_front_page_tells_the_hub_how_to_run_it(hub: LoopbackHub) -> None:
    for variant in list_variants()[:2]:
        HfApi().create_repo(f"ada/{repo_name(variant)}")
    deploy(ID)
    page = hub.files(ID, repo_type="space")["README.md"].decode()
    card = SpaceCard(page).data.to_dict()
    assert card["models"] == [f"ada/{repo_name(variant)}" for variant in list_variants()[:2]]
    assert (card["sdk"], card["app_file"], card["license"]) == ("gradio", "space/app.py", "mit")
    assert len(card["short_description"]) <= 60
    assert {"python_version", "sdk_version", "tags", "title", "emoji"} <= card.keys()
    readme = (ROOT / "README.md").read_text()
    assert page.partition("\n---\n")[2].strip() == readme.partition("\n---\n")[2].strip()


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


@pytest.mark.usefixtures("waits")
def test_a_failing_upload_leaves_the_space_as_it_was(hub: LoopbackHub) -> None:
    HfApi().create_repo(ID, repo_type="space", space_sdk="gradio")
    before = hub.files(ID, repo_type="space")
    hub.fail("POST", "/commit/", 500)
    with pytest.raises(HubError, match="was not uploaded to ada/by-touch: the Hub failed with status 500"):
        deploy(ID)
    assert hub.files(ID, repo_type="space") == before
    deploy(ID)
    with pytest.raises(HubError, match="is no Hub id"):
        deploy("by-touch")


def test_the_command_says_where_it_is_or_what_is_wrong(hub: LoopbackHub) -> None:
    def run(token: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "space.deploy", ID],
            cwd=ROOT, env=os.environ | {"HF_TOKEN": token}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert run(TOKEN).stdout == f"{hub.url}/spaces/{ID}\n"
    refused = run("hf_wrong")
    assert refused.returncode == 1
    assert "run `hf auth login`" in refused.stderr
    assert refused.stderr.count("\n") == 1
