"""The Hub on loopback stores what the real client sends, gives it back, and refuses what the Hub refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx2  # what huggingface_hub 2 speaks HTTP with; its errors are not wrapped
import pytest
from huggingface_hub import CommitOperationDelete, HfApi, constants, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError

from tests.loopback_hub import STRANGER_TOKEN, LoopbackHub

ID = "ada/sae"
WEIGHTS = bytes(range(256)) * 200
FILES = {"README.md": b"---\nlicense: mit\n---\n", "config.json": b"{}", "model.safetensors": WEIGHTS}


@pytest.fixture
def pushed(hub: LoopbackHub, tmp_path: Path) -> LoopbackHub:
    """A Hub to which ada has pushed a model."""
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    HfApi().create_repo(ID)
    HfApi().upload_folder(repo_id=ID, folder_path=tmp_path, commit_message="First")
    return hub


def refused(status: int, call: Callable[[], object]) -> None:
    with pytest.raises(HfHubHTTPError) as caught:
        call()
    assert caught.value.response.status_code == status


def test_a_push_is_one_commit_that_holds_the_folder_or_none(pushed: LoopbackHub, tmp_path: Path) -> None:
    newest, initial = pushed.commits(ID)
    assert pushed.files(ID) == FILES
    assert (newest.title, newest.parent, initial.files) == ("First", initial, {})
    assert {path for path, file in newest.files.items() if file.lfs} == {"model.safetensors"}
    assert Path(hf_hub_download(ID, "model.safetensors")).read_bytes() == WEIGHTS
    assert HfApi().upload_folder(repo_id=ID, folder_path=tmp_path).oid == newest.sha  # nothing changed
    HfApi().create_commit(ID, [CommitOperationDelete("config.json")], commit_message="Less")
    assert pushed.files(ID).keys() == {"README.md", "model.safetensors"}


def test_strangers_write_nothing_and_see_nothing_private(hub: LoopbackHub) -> None:
    HfApi().create_repo("lab/secret", private=True)
    HfApi().create_repo(ID)
    for token, unseen, unwritten in ((False, 401, 401), (STRANGER_TOKEN, 404, 403)):
        api = HfApi(token=token)
        refused(unseen, lambda api=api: api.model_info("lab/secret"))
        refused(unwritten, lambda api=api: api.upload_file(path_or_fileobj=b"x", path_in_repo="a.txt", repo_id=ID))
    assert hub.files(ID) == {}


def test_what_exists_or_has_moved_on_is_a_conflict(pushed: LoopbackHub) -> None:
    api = HfApi()
    refused(409, lambda: api.create_repo(ID))
    head, parent = pushed.commits(ID)
    push = {"path_or_fileobj": b"x", "path_in_repo": "a.txt", "repo_id": ID}
    refused(412, lambda: api.upload_file(**push, parent_commit=parent.sha))
    assert pushed.commits(ID)[0] == head
    slug = api.create_collection("Sparse models").slug
    api.add_collection_item(slug, ID, "model")
    refused(409, lambda: api.create_collection("Sparse models"))
    refused(409, lambda: api.add_collection_item(slug, ID, "model"))


def test_without_the_fixture_there_is_no_hub() -> None:
    assert constants.ENDPOINT.startswith("http://127.0.0.1:")
    with pytest.raises(httpx2.ConnectError):
        HfApi().whoami()
