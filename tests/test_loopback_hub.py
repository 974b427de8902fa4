"""The Hub on loopback stores what the real client sends, gives it back, and refuses what the Hub refuses."""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import httpx2  # what huggingface_hub 2 speaks HTTP with; its errors are not wrapped
import pytest
from huggingface_hub import CommitOperationDelete, HfApi, constants, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError

from tests.loopback_hub import STRANGER_TOKEN, TOKEN, LoopbackHub

ID = "ada/sae"
WEIGHTS = bytes(range(256)) * 200
FILES = {"README.md": b"---\nlicense: mit\n---\n", "config.json": b"{}", "model.safetensors": WEIGHTS}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.fixture
def pushed(hub: LoopbackHub, folder: Path) -> LoopbackHub:
    """A Hub to which ada has pushed a model."""
    HfApi().create_repo(ID)
    HfApi().upload_folder(repo_id=ID, folder_path=folder, commit_message="First", commit_description="Why")
    return hub


def uploads(hub: LoopbackHub) -> list[str]:
    """What LFS objects were sent, by SHA-256."""
    return [path.rpartition("/")[2] for method, path in hub.requests if method == "PUT"]


def refused(status: int, call: Callable[[], object]) -> None:
    with pytest.raises(HfHubHTTPError) as caught:
        call()
    assert caught.value.response.status_code == status


def test_a_push_is_one_commit_that_holds_the_folder_or_none(pushed: LoopbackHub, folder: Path) -> None:
    newest, initial = pushed.commits(ID)
    assert pushed.files(ID) == FILES
    assert (newest.title, newest.description, newest.parent) == ("First", "Why", initial.sha)
    assert {path for path, file in newest.files.items() if file.lfs} == {"model.safetensors"}
    assert uploads(pushed) == [hashlib.sha256(WEIGHTS).hexdigest()]
    assert HfApi().upload_folder(repo_id=ID, folder_path=folder).oid == newest.sha  # nothing changed
    HfApi().create_commit(ID, [CommitOperationDelete("config.json")], commit_message="Less")
    assert pushed.files(ID).keys() == {"README.md", "model.safetensors"}
    refused(404, lambda: HfApi().delete_file("config.json", ID))


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ("- a\n- list", "not an object"),
        ("title: Touch", "sdk"),
        ("sdk: gradio\ncolorFrom: mauve", "colorFrom"),
        (f"sdk: gradio\nshort_description: {'x' * 61}", "60 characters"),
    ],
)
def test_a_bad_card_is_refused_before_anything_is_sent(hub: LoopbackHub, folder: Path, card: str, words: str) -> None:
    HfApi().create_repo(ID, repo_type="space", space_sdk="gradio")
    (folder / "README.md").write_text(f"---\n{card}\n---\n")
    with pytest.raises(ValueError, match=f"Invalid metadata in README.md(.|\n)*{words}"):
        HfApi().upload_folder(repo_id=ID, repo_type="space", folder_path=folder)
    assert len(hub.commits(ID, repo_type="space")) == 1
    assert uploads(hub) == []


def test_this_projects_own_readme_makes_a_space_which_is_no_model(hub: LoopbackHub) -> None:
    readme = Path(__file__).resolve().parents[1] / "README.md"
    HfApi().create_repo("lab/touch", repo_type="space", space_sdk="gradio")
    HfApi().upload_file(path_or_fileobj=readme, path_in_repo="README.md", repo_id="lab/touch", repo_type="space")
    assert hub.files("lab/touch", repo_type="space") == {"README.md": readme.read_bytes()}
    with pytest.raises(KeyError):
        hub.repo("lab/touch")


def test_lfs_files_are_at_another_origin_which_takes_no_token_and_no_spoilt_bytes(pushed: LoopbackHub) -> None:
    pushed.requests.clear()
    assert Path(hf_hub_download(ID, "model.safetensors")).read_bytes() == WEIGHTS
    assert [(method, path.split("/")[1]) for method, path in pushed.requests] == [("HEAD", "ada"), ("GET", "storage")]
    address, spoilt = f"{pushed.url}{pushed.requests[1][1]}", f"{pushed.storage_url}/model/{ID}/{'0' * 64}"
    for request in (
        urllib.request.Request(address, headers={"Authorization": f"Bearer {TOKEN}"}),
        urllib.request.Request(spoilt, data=b"spoilt", method="PUT"),
    ):
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(request)
    assert list(pushed.repo(ID).lfs_objects.values()) == [WEIGHTS]


def test_strangers_write_nothing_and_see_nothing_private(hub: LoopbackHub, folder: Path) -> None:
    HfApi().create_repo("lab/secret", private=True)
    for token, unseen in ((False, 401), (STRANGER_TOKEN, 404)):
        refused(unseen, lambda token=token: HfApi(token=token).model_info("lab/secret"))
    HfApi().create_repo(ID)
    for token, status in ((False, 401), (STRANGER_TOKEN, 403)):
        refused(status, lambda token=token: HfApi(token=token).upload_folder(repo_id=ID, folder_path=folder))
    assert hub.files(ID) == {}


def test_a_collection_refuses_what_the_hub_refuses(pushed: LoopbackHub) -> None:
    api = HfApi()
    slug = api.create_collection("Sparse models", description="All of them").slug
    assert api.create_collection("Sparse models", exists_ok=True).slug == slug
    api.add_collection_item(slug, ID, "model")
    refused(409, lambda: api.create_collection("Sparse models"))
    refused(409, lambda: api.add_collection_item(slug, ID, "model"))
    refused(404, lambda: api.add_collection_item(slug, "ada/nothing", "model"))
    refused(400, lambda: api.create_collection("More", description="x" * 151))
    refused(403, lambda: api.create_collection("More", namespace="bob"))
    refused(403, lambda: HfApi(token=STRANGER_TOKEN).add_collection_item(slug, ID, "model"))
    assert [item.id for item in pushed.collections[slug].items] == [ID]


def test_what_exists_or_has_moved_on_is_a_conflict(pushed: LoopbackHub) -> None:
    api = HfApi()
    api.create_tag(ID, tag="v1")
    refused(409, lambda: api.create_repo(ID))
    refused(409, lambda: api.create_tag(ID, tag="v1"))
    refused(409, lambda: api.create_branch(ID, branch="main"))
    head, parent = pushed.commits(ID)
    push = {"path_or_fileobj": b"x", "path_in_repo": "a.txt", "repo_id": ID}
    refused(412, lambda: api.upload_file(**push, parent_commit=parent.sha))
    assert pushed.commits(ID)[0] == head
    api.upload_file(**push, parent_commit=head.sha)
    assert pushed.commits(ID)[1] == head


def test_faults_come_as_often_as_ordered(pushed: LoopbackHub, waits: list[float]) -> None:
    pushed.fail("GET", "whoami", 403, times=2)
    pushed.fail("POST", "whoami", 500, times=None)
    for _ in range(2):
        refused(403, HfApi().whoami)
    assert HfApi().whoami()["name"] == "ada"
    pushed.cut("model.safetensors$", after_bytes=1000)
    assert Path(hf_hub_download(ID, "model.safetensors")).read_bytes() == WEIGHTS
    assert waits == [1]


def test_without_the_fixture_there_is_no_hub() -> None:
    assert constants.ENDPOINT.startswith("http://127.0.0.1:")
    with pytest.raises(httpx2.ConnectError):
        HfApi().whoami()


def test_each_test_starts_with_nothing_and_what_is_not_known_is_said(hub: LoopbackHub) -> None:
    assert (hub.repos, hub.collections, hub.requests) == ({}, {}, [])
    assert list(Path(os.environ["HF_HOME"]).iterdir()) == []
    refused(501, lambda: list(HfApi().list_daily_papers()))
