"""The real client against the Hub on loopback: what it asks, what it retries, and what it raises when something fails.

Half of this is about the client: who handles its errors can read here which ones there are.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import httpx2  # what huggingface_hub 2 speaks HTTP with; its errors are not wrapped
import pytest
from huggingface_hub import (
    CommitOperationDelete,
    HfApi,
    constants,
    get_collection,
    hf_hub_download,
    snapshot_download,
)
from huggingface_hub.errors import (
    BadRequestError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.loopback_hub import READ_TOKEN, STRANGER_TOKEN, TOKEN, LoopbackHub

ID = "ada/sae"
CARD = "---\nlicense: mit\ntags:\n- mnist\n---\n# A model\n"
SPACE_CARD = "---\ntitle: Touch\nsdk: gradio\ncolorFrom: blue\n---\n# A Space\n"
WEIGHTS = bytes(range(256)) * 200
ALL_RETRIES = [1, 2, 4, 8, 8]  # seconds
CHUNK = constants.DOWNLOAD_CHUNK_SIZE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "README.md").write_text(CARD)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    return folder


@pytest.fixture
def api(hub: LoopbackHub) -> HfApi:
    """The client of ada, with an empty repo."""
    api = HfApi()
    api.create_repo(ID)
    hub.requests.clear()
    return api


@pytest.fixture
def pushed(api: HfApi, folder: Path, hub: LoopbackHub) -> HfApi:
    """The client of ada, with a model pushed."""
    api.upload_folder(repo_id=ID, folder_path=folder)
    hub.requests.clear()
    return api


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def uploads(hub: LoopbackHub) -> list[str]:
    """What LFS objects were sent, by SHA-256."""
    return [path.rpartition("/")[2] for method, path in hub.requests if method == "PUT"]


# Pushing


def test_a_push_is_one_commit_that_holds_the_folder(api: HfApi, folder: Path, hub: LoopbackHub) -> None:
    info = api.upload_folder(repo_id=ID, folder_path=folder, commit_message="First", commit_description="Why")
    newest, initial = hub.commits(ID)
    assert hub.files(ID) == contents(folder)
    assert (newest.sha, newest.title, newest.description, newest.parent) == (info.oid, "First", "Why", initial.sha)
    assert {path for path, file in newest.files.items() if file.lfs} == {"model.safetensors"}
    assert uploads(hub) == [hashlib.sha256(WEIGHTS).hexdigest()]
    assert ("POST", "/api/validate-yaml") in hub.requests


def test_an_unchanged_push_makes_no_commit(pushed: HfApi, folder: Path, hub: LoopbackHub) -> None:
    before = hub.commits(ID)
    info = pushed.upload_folder(repo_id=ID, folder_path=folder)
    assert hub.commits(ID) == before
    assert info.oid == before[0].sha
    assert uploads(hub) == []


@pytest.mark.parametrize("changed", ["config.json", "model.safetensors"])
def test_a_changed_push_sends_what_changed(pushed: HfApi, folder: Path, hub: LoopbackHub, changed: str) -> None:
    (folder / changed).write_bytes(b"other")
    pushed.upload_folder(repo_id=ID, folder_path=folder)
    assert hub.commits(ID)[0].sent == (changed,)
    assert hub.files(ID) == contents(folder)
    assert len(uploads(hub)) == (changed == "model.safetensors")


def test_files_and_folders_are_deleted(pushed: HfApi, hub: LoopbackHub) -> None:
    pushed.upload_file(path_or_fileobj=b"x", path_in_repo="old/notes.txt", repo_id=ID)
    deletions = [CommitOperationDelete("config.json"), CommitOperationDelete("old/")]
    pushed.create_commit(ID, deletions, commit_message="Less")
    assert hub.files(ID).keys() == {"README.md", "model.safetensors"}
    with pytest.raises(RemoteEntryNotFoundError, match="doesn't exist"):
        pushed.delete_file("config.json", ID)


def test_a_space_is_pushed(hub: LoopbackHub, folder: Path) -> None:
    (folder / "README.md").write_text(SPACE_CARD)
    api = HfApi()
    url = api.create_repo("lab/touch", repo_type="space", space_sdk="gradio")
    assert (url.repo_id, url.repo_type) == ("lab/touch", "space")
    api.upload_folder(repo_id="lab/touch", repo_type="space", folder_path=folder)
    assert hub.files("lab/touch", repo_type="space") == contents(folder)
    assert hub.commits("lab/touch", repo_type="space")[0].files["model.safetensors"].lfs
    info = api.space_info("lab/touch")
    assert (info.sdk, info.sha) == ("gradio", hub.commits("lab/touch", repo_type="space")[0].sha)
    got = snapshot_download("lab/touch", repo_type="space")
    assert Path(got, "model.safetensors").read_bytes() == WEIGHTS
    with pytest.raises(KeyError):
        hub.repo("lab/touch")


@pytest.mark.parametrize(
    ("card", "repo_type", "words"),
    [
        ("---\njust words\n---\n", "model", "not an object"),
        ("---\n- a\n- list\n---\n", "model", "not an object"),
        ("---\nlicense: mit\nlicense: apache-2.0\n---\n", "model", "license twice"),
        ("---\ntitle: Touch\n---\n", "space", "sdk"),
        ("---\nsdk: gradio\ncolorFrom: mauve\n---\n", "space", "colorFrom"),
        (f"---\nsdk: gradio\nshort_description: {'x' * 61}\n---\n", "space", "60 characters"),
    ],
)
def test_a_bad_card_is_refused_before_anything_is_sent(
    api: HfApi, folder: Path, hub: LoopbackHub, card: str, repo_type: str, words: str
) -> None:
    api.create_repo(ID, repo_type=repo_type, space_sdk="gradio" if repo_type == "space" else None, exist_ok=True)
    (folder / "README.md").write_text(card)
    with pytest.raises(ValueError, match=f"Invalid metadata in README.md(.|\n)*{words}"):
        api.upload_folder(repo_id=ID, repo_type=repo_type, folder_path=folder)
    assert len(hub.commits(ID, repo_type=repo_type)) == 1
    assert uploads(hub) == []


def test_a_card_without_metadata_is_taken_with_a_warning(api: HfApi, folder: Path, hub: LoopbackHub) -> None:
    (folder / "README.md").write_text("# Only words\n")
    with pytest.warns(UserWarning, match="empty or missing yaml metadata"):
        api.upload_folder(repo_id=ID, folder_path=folder)
    assert hub.files(ID)["README.md"] == b"# Only words\n"


def test_this_projects_own_readme_makes_a_space(api: HfApi, hub: LoopbackHub) -> None:
    readme = Path(__file__).resolve().parents[1] / "README.md"
    api.create_repo(ID, repo_type="space", space_sdk="gradio")
    api.upload_file(path_or_fileobj=readme, path_in_repo="README.md", repo_id=ID, repo_type="space")
    assert hub.files(ID, repo_type="space") == {"README.md": readme.read_bytes()}


# Loading


def test_a_model_is_loaded_by_branch_tag_sha_and_pull_request(pushed: HfApi, hub: LoopbackHub) -> None:
    first = hub.commits(ID)[0].sha
    pushed.create_tag(ID, tag="v1", tag_message="One")
    pushed.create_branch(ID, branch="next")
    for revision, words in (("main", b"newer"), ("next", b"of the branch")):
        pushed.upload_file(path_or_fileobj=words, path_in_repo="config.json", repo_id=ID, revision=revision)
    request = pushed.upload_file(path_or_fileobj=b"wish", path_in_repo="config.json", repo_id=ID, create_pr=True)
    assert (request.pr_num, request.pr_revision) == (1, "refs/pr/1")
    pushed.upload_file(path_or_fileobj=b"wish 2", path_in_repo="config.json", repo_id=ID, revision="refs/pr/1")
    expected = {"main": b"newer", "next": b"of the branch", "v1": b"{}", first: b"{}", "refs/pr/1": b"wish 2"}
    for revision, words in expected.items():
        assert Path(hf_hub_download(ID, "config.json", revision=revision)).read_bytes() == words
        assert Path(snapshot_download(ID, revision=revision), "config.json").read_bytes() == words
        assert hub.files(ID, revision)["config.json"] == words
    refs = pushed.list_repo_refs(ID, include_pull_requests=True)
    assert {branch.name for branch in refs.branches} == {"main", "next"}
    assert [(tag.name, tag.target_commit) for tag in refs.tags] == [("v1", first)]
    assert [request.ref for request in refs.pull_requests] == ["refs/pr/1"]


def test_what_is_not_there_is_told_apart(pushed: HfApi) -> None:
    with pytest.raises(RepositoryNotFoundError):
        hf_hub_download("ada/nothing", "config.json")
    with pytest.raises(RevisionNotFoundError):
        hf_hub_download(ID, "config.json", revision="v9")
    with pytest.raises(RemoteEntryNotFoundError):
        hf_hub_download(ID, "nothing.json")
    assert not pushed.repo_exists("ada/nothing")
    assert not pushed.revision_exists(ID, "v9")
    assert not pushed.file_exists(ID, "nothing.json")


@pytest.mark.usefixtures("pushed")
def test_an_lfs_file_comes_from_another_origin_without_the_token(hub: LoopbackHub) -> None:
    assert Path(hf_hub_download(ID, "model.safetensors")).read_bytes() == WEIGHTS  # the Hub refuses a token there
    methods = [(method, path.split("/")[1]) for method, path in hub.requests]
    assert methods == [("HEAD", "ada"), ("GET", "storage")]
    address = f"{hub.url}{hub.requests[1][1]}"
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(urllib.request.Request(address, headers={"Authorization": f"Bearer {TOKEN}"}))


@pytest.mark.usefixtures("pushed")
def test_a_range_is_served(hub: LoopbackHub) -> None:
    for name, whole in (("config.json", b"{}"), ("model.safetensors", WEIGHTS)):
        address = f"{hub.url}/{ID}/resolve/main/{name}"
        for wanted, part in (("1-", whole[1:]), ("0-0", whole[:1]), ("-1", whole[-1:]), ("1-9999999", whole[1:])):
            request = urllib.request.Request(address, headers={"Range": f"bytes={wanted}"})
            with urllib.request.urlopen(request) as response:
                assert (response.status, response.read()) == (206, part)
                assert response.headers["Content-Range"].endswith(f"/{len(whole)}")
        with pytest.raises(urllib.error.HTTPError, match="416"):
            urllib.request.urlopen(urllib.request.Request(address, headers={"Range": "bytes=9999999-"}))


@pytest.mark.usefixtures("pushed")
def test_a_process_talks_to_this_hub_and_shares_the_cache(hub: LoopbackHub) -> None:
    code = f"import huggingface_hub; print(huggingface_hub.hf_hub_download({ID!r}, 'config.json'))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert ("HEAD", f"/{ID}/resolve/main/config.json") in hub.requests
    hub.stop()
    assert hf_hub_download(ID, "config.json") == done.stdout.strip()
    assert done.stdout.startswith(os.environ["HF_HOME"])


# Collections


def test_a_collection_is_made_once_and_keeps_its_items(pushed: HfApi, hub: LoopbackHub) -> None:
    first = pushed.create_collection("Sparse models", description="All of them", exists_ok=True)
    again = pushed.create_collection("Sparse models", exists_ok=True)
    assert (first.slug, first.owner) == (again.slug, "ada")
    for note in ("first", "second"):
        found = pushed.add_collection_item(first.slug, ID, "model", note=note, exists_ok=True)
    assert [(item.item_id, item.item_type, item.note) for item in found.items] == [(ID, "model", "first")]
    pushed.update_collection_item(first.slug, found.items[0].item_object_id, note="better")
    assert get_collection(first.slug).items[0].note == "better"
    assert [item.note for item in hub.collections[first.slug].items] == ["better"]
    assert [(one.slug, one.items[0].note) for one in pushed.list_collections(owner="ada")] == [(first.slug, "better")]
    assert pushed.create_collection("Sparse models", namespace="lab").slug != first.slug


def test_a_collection_refuses_what_the_hub_refuses(pushed: HfApi) -> None:
    slug = pushed.create_collection("Sparse models").slug
    pushed.add_collection_item(slug, ID, "model")
    for refused, status in (
        (lambda: pushed.create_collection("Sparse models"), 409),
        (lambda: pushed.add_collection_item(slug, ID, "model"), 409),
        (lambda: pushed.add_collection_item(slug, "ada/nothing", "model"), 404),
        (lambda: pushed.add_collection_item(slug, ID, "model", note="x" * 501), 400),
        (lambda: pushed.create_collection("More", description="x" * 151), 400),
        (lambda: pushed.create_collection("More", namespace="bob"), 403),
        (lambda: HfApi(token=False).create_collection("More", namespace="ada"), 401),
        (lambda: HfApi(token=STRANGER_TOKEN).add_collection_item(slug, ID, "model"), 403),
    ):
        with pytest.raises(HfHubHTTPError) as caught:
            refused()
        assert caught.value.response.status_code == status


# Who may do what

STRANGERS = {
    "nobody": (False, 401, "Invalid username or password."),
    "a wrong token": ("hf_wrong", 401, "Invalid credentials in Authorization header"),
    "a token for reading": (READ_TOKEN, 403, "You don't have the rights to create a model"),
    "another user": (STRANGER_TOKEN, 403, "You don't have the rights to create a model"),
}


@pytest.mark.parametrize("who", STRANGERS)
def test_a_stranger_makes_no_repo(hub: LoopbackHub, who: str) -> None:
    token, status, words = STRANGERS[who]
    with pytest.raises(HfHubHTTPError, match=words) as caught:
        HfApi(token=token).create_repo(ID, exist_ok=True)
    assert caught.value.response.status_code == status
    assert not hub.repos


@pytest.mark.usefixtures("pushed")
@pytest.mark.parametrize("who", STRANGERS)
def test_a_stranger_pushes_nothing(hub: LoopbackHub, folder: Path, who: str) -> None:
    token, status, _ = STRANGERS[who]
    before = hub.commits(ID)
    (folder / "config.json").write_text("{1}")
    with pytest.raises(HfHubHTTPError) as caught:
        HfApi(token=token).upload_folder(repo_id=ID, folder_path=folder)
    assert caught.value.response.status_code == status
    assert isinstance(caught.value, RepositoryNotFoundError) == (who == "nobody")  # as with the real, https Hub
    assert hub.commits(ID) == before


def test_a_public_repo_that_exists_hides_that_one_may_not_write(pushed: HfApi) -> None:
    """A trap: with exist_ok the client answers 401 and 403 with the address of the repo, if it can see one."""
    assert HfApi(token=STRANGER_TOKEN).create_repo(ID, exist_ok=True).repo_id == ID
    assert pushed.create_repo(ID, exist_ok=True).repo_id == ID


def test_a_private_repo_is_hidden(hub: LoopbackHub) -> None:
    api = HfApi()
    api.create_repo("lab/secret", private=True)
    assert hub.repo("lab/secret").private
    api.upload_file(path_or_fileobj=b"x", path_in_repo="a.txt", repo_id="lab/secret")
    assert Path(hf_hub_download("lab/secret", "a.txt", token=READ_TOKEN)).read_bytes() == b"x"
    for token, status in ((False, 401), (STRANGER_TOKEN, 404)):
        with pytest.raises(RepositoryNotFoundError) as caught:
            HfApi(token=token).model_info("lab/secret")
        assert caught.value.response.status_code == status


def test_what_exists_or_has_moved_on_is_a_conflict(pushed: HfApi, hub: LoopbackHub) -> None:
    pushed.create_tag(ID, tag="v1")
    pushed.create_branch(ID, branch="next")
    for again in (
        lambda: pushed.create_repo(ID),
        lambda: pushed.create_tag(ID, tag="v1"),
        lambda: pushed.create_branch(ID, branch="next"),
    ):
        with pytest.raises(HfHubHTTPError) as caught:
            again()
        assert caught.value.response.status_code == 409
    head, parent = hub.commits(ID)[:2]
    push = {"path_or_fileobj": b"x", "path_in_repo": "a.txt", "repo_id": ID}
    with pytest.raises(HfHubHTTPError, match="A commit has happened since") as caught:
        pushed.upload_file(**push, parent_commit=parent.sha)
    assert caught.value.response.status_code == 412
    assert hub.commits(ID)[0] == head
    pushed.upload_file(**push, parent_commit=head.sha)
    assert hub.commits(ID)[1] == head


@pytest.mark.usefixtures("api")
def test_bytes_that_were_spoilt_on_the_way_are_refused(hub: LoopbackHub) -> None:
    request = urllib.request.Request(f"{hub.storage_url}/model/{ID}/{'0' * 64}", data=b"spoilt", method="PUT")
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(request)
    assert not hub.repo(ID).lfs_objects


# Failures while pushing: the bytes are retried, the first and the last step are not


@pytest.mark.parametrize("step", ["/api/repos/create", "/api/validate-yaml", "/commit/main"])
@pytest.mark.parametrize("status", [500, 429])
def test_a_failing_step_is_not_retried(
    api: HfApi, folder: Path, hub: LoopbackHub, waits: list[float], step: str, status: int
) -> None:
    hub.fail("POST", step, status, message="Try later.")

    def push() -> None:
        api.create_repo(ID, exist_ok=True)
        api.upload_folder(repo_id=ID, folder_path=folder)

    with pytest.raises(HfHubHTTPError, match="Try later") as caught:
        push()
    assert caught.value.response.status_code == status
    assert waits == []
    assert len(hub.commits(ID)) == 1
    hub.requests.clear()
    push()
    assert hub.files(ID) == contents(folder)
    assert len(uploads(hub)) == (step != "/commit/main")  # after a failed commit the bytes are already there


@pytest.mark.parametrize("step", ["/preupload/main", "/objects/batch", "/storage/", "/verify"])
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_failing_step_is_retried(
    api: HfApi, folder: Path, hub: LoopbackHub, waits: list[float], step: str, status: int
) -> None:
    hub.fail(None, step, status, times=2)
    api.upload_folder(repo_id=ID, folder_path=folder)
    assert waits == [1, 2]
    assert hub.files(ID) == contents(folder)


def test_a_step_that_goes_on_failing_is_given_up(
    api: HfApi, folder: Path, hub: LoopbackHub, waits: list[float]
) -> None:
    hub.fail("PUT", "/storage/", 503, times=None)
    with pytest.raises(RuntimeError, match=r"Error while uploading 'model.safetensors'") as caught:
        api.upload_folder(repo_id=ID, folder_path=folder)
    assert isinstance(caught.value.__cause__, HfHubHTTPError)
    assert waits == ALL_RETRIES
    assert len(hub.commits(ID)) == 1


def test_an_upload_that_is_cut_starts_again(api: HfApi, folder: Path, hub: LoopbackHub, waits: list[float]) -> None:
    hub.cut_upload("/storage/", after_bytes=1000, times=2)
    api.upload_folder(repo_id=ID, folder_path=folder)
    assert waits == [1, 2]
    assert hub.files(ID) == contents(folder)


def test_a_commit_that_is_cut_is_not_made(api: HfApi, folder: Path, hub: LoopbackHub, waits: list[float]) -> None:
    hub.cut_upload("/commit/main", after_bytes=100)
    with pytest.raises(httpx2.TransportError):
        api.upload_folder(repo_id=ID, folder_path=folder)
    assert waits == []
    assert len(hub.commits(ID)) == 1


def test_a_commit_whose_answer_is_lost_is_found_by_the_next_push(
    api: HfApi, folder: Path, hub: LoopbackHub, waits: list[float]
) -> None:
    hub.cut("/commit/main", after_bytes=10)
    with pytest.raises(httpx2.RemoteProtocolError):
        api.upload_folder(repo_id=ID, folder_path=folder)
    assert waits == []
    made = hub.commits(ID)
    assert len(made) == 2
    assert api.upload_folder(repo_id=ID, folder_path=folder).oid == made[0].sha
    assert hub.commits(ID) == made


def test_bad_requests_are_not_retried(api: HfApi, folder: Path, hub: LoopbackHub, waits: list[float]) -> None:
    hub.fail("POST", "/preupload/main", 400, times=None)
    with pytest.raises(BadRequestError):
        api.upload_folder(repo_id=ID, folder_path=folder)
    assert waits == []


# Failures while loading


@pytest.fixture
def no_rests() -> Iterator[None]:
    """A download that failed leaves no part of a file in the cache."""
    yield
    assert list(Path(os.environ["HF_HOME"]).rglob("*.incomplete")) == []


@pytest.mark.usefixtures("pushed", "no_rests")
def test_a_download_that_is_cut_once_is_repeated(hub: LoopbackHub, waits: list[float]) -> None:
    hub.cut("model.safetensors$", after_bytes=1000)
    assert Path(hf_hub_download(ID, "model.safetensors")).read_bytes() == WEIGHTS
    assert waits == [1]


@pytest.mark.usefixtures("pushed", "no_rests")
def test_a_small_file_that_is_always_cut_starts_from_its_beginning_and_is_given_up(
    hub: LoopbackHub, waits: list[float]
) -> None:
    hub.cut("model.safetensors$", after_bytes=len(WEIGHTS) - 1, times=None)
    with pytest.raises(httpx2.RemoteProtocolError):
        hf_hub_download(ID, "model.safetensors")
    assert waits == [1] * 5


@pytest.mark.usefixtures("no_rests")
def test_a_large_file_is_resumed_at_its_last_whole_chunk(api: HfApi, hub: LoopbackHub, waits: list[float]) -> None:
    content = os.urandom(CHUNK + 1000)
    api.upload_file(path_or_fileobj=content, path_in_repo="large.bin", repo_id=ID)
    hub.cut("large.bin$", after_bytes=CHUNK + 10, times=None)  # the rest, asked for as a range, is shorter than that
    assert Path(hf_hub_download(ID, "large.bin")).read_bytes() == content
    assert waits == [1]


@pytest.mark.usefixtures("pushed", "no_rests")
def test_a_download_whose_connection_is_reset_is_not_repeated(hub: LoopbackHub, waits: list[float]) -> None:
    hub.cut("model.safetensors$", after_bytes=1000, reset=True)
    with pytest.raises(httpx2.ReadError):
        hf_hub_download(ID, "model.safetensors")
    assert waits == []


@pytest.mark.usefixtures("pushed", "no_rests")
def test_a_hub_that_fails_is_asked_again_for_a_file_that_is_not_cached(hub: LoopbackHub, waits: list[float]) -> None:
    hub.fail("HEAD", "config.json", 503, times=None)
    with pytest.raises(LocalEntryNotFoundError) as caught:
        hf_hub_download(ID, "config.json")
    assert isinstance(caught.value.__cause__, HfHubHTTPError)
    assert waits == ALL_RETRIES


@pytest.mark.usefixtures("pushed", "no_rests")
def test_a_storage_that_fails_is_not_asked_again(hub: LoopbackHub, waits: list[float]) -> None:
    hub.fail("GET", "/storage/", 500, times=None)
    with pytest.raises(HfHubHTTPError):
        hf_hub_download(ID, "model.safetensors")
    assert waits == []


# The Hub is down


@pytest.mark.usefixtures("pushed")
def test_a_warm_cache_needs_no_hub(hub: LoopbackHub, waits: list[float]) -> None:
    path, whole = hf_hub_download(ID, "model.safetensors"), snapshot_download(ID)
    hub.stop()
    assert hf_hub_download(ID, "model.safetensors") == path
    assert hf_hub_download(ID, "model.safetensors", local_files_only=True) == path
    assert snapshot_download(ID) == whole
    assert waits == []


@pytest.mark.usefixtures("pushed")
def test_a_cold_cache_costs_all_retries_for_a_file_and_none_for_a_snapshot(
    hub: LoopbackHub, waits: list[float]
) -> None:
    hub.stop()
    with pytest.raises(LocalEntryNotFoundError) as caught:
        hf_hub_download(ID, "config.json")
    assert isinstance(caught.value.__cause__, httpx2.ConnectError)
    assert waits == ALL_RETRIES
    waits.clear()
    with pytest.raises(LocalEntryNotFoundError):
        snapshot_download(ID, allow_patterns=["config.json"])
    assert waits == []


def test_a_push_to_a_hub_that_is_down_fails_at_once(
    pushed: HfApi, folder: Path, hub: LoopbackHub, waits: list[float]
) -> None:
    hub.stop()
    with pytest.raises(httpx2.ConnectError):
        pushed.create_repo(ID, exist_ok=True)
    with pytest.raises(httpx2.ConnectError):  # here it is the check of the card
        pushed.upload_folder(repo_id=ID, folder_path=folder)
    assert waits == []
    (folder / "README.md").unlink()
    with pytest.raises(httpx2.ConnectError):
        pushed.upload_folder(repo_id=ID, folder_path=folder)
    assert waits == ALL_RETRIES


def test_a_hub_that_was_down_remembers_all(pushed: HfApi, folder: Path, hub: LoopbackHub) -> None:
    hub.stop()
    hub.start()
    assert hub.files(ID) == contents(folder)
    assert pushed.model_info(ID).sha == hub.commits(ID)[0].sha


def test_without_the_fixture_there_is_no_hub() -> None:
    assert constants.ENDPOINT.startswith("http://127.0.0.1:")
    with pytest.raises(httpx2.ConnectError):
        HfApi().whoami()


# This Hub itself


def test_each_test_starts_with_nothing(hub: LoopbackHub) -> None:
    assert (hub.repos, hub.collections, hub.requests) == ({}, {}, [])
    assert list(Path(os.environ["HF_HOME"]).iterdir()) == []


def test_faults_come_as_often_as_ordered(hub: LoopbackHub) -> None:
    api = HfApi()
    hub.fail("GET", "whoami", 403, times=2)
    hub.fail("POST", "whoami", 500, times=None)
    for _ in range(2):
        with pytest.raises(HfHubHTTPError, match="Told to fail"):
            api.whoami()
    assert api.whoami()["name"] == "ada"
    hub.fail("GET", "whoami", 403, times=None)
    hub.reset()
    assert api.whoami()["orgs"] == [{"type": "org", "name": "lab", "roleInOrg": "write"}]


def test_what_this_hub_does_not_know_is_said(hub: LoopbackHub) -> None:
    with pytest.raises(HfHubHTTPError, match="does not know GET /api/daily_papers") as caught:
        list(HfApi().list_daily_papers())
    assert caught.value.response.status_code == 501
    assert hub.requests == [("GET", "/api/daily_papers")]
