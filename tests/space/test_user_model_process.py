"""Users' models are loaded in a process of its own, whose end, size and silence hurt nobody; and hostile Hubs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load as load_weights

from sae_model import L1, SparseAutoencoder
from space import user_models as module
from space.errors import InputError
from space.user_model_process import work
from space.user_models import Address, UserModels
from tests.loopback_hub import TOKEN, LoopbackHub, Reply
from tests.space.events import Answer, assert_plain
from tests.space.loading import is_here, load, push
from tests.space.server import ROOT


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen]:
    """The processes that are started in this test."""
    processes: list[subprocess.Popen] = []
    real = subprocess.Popen

    def start(*arguments: object, **options: object) -> subprocess.Popen:
        processes.append(real(*arguments, **options))
        return processes[-1]

    monkeypatch.setattr(module.subprocess, "Popen", start)
    return processes


def test_a_visitor_who_leaves_ends_the_process_and_one_who_waits_gets_the_model_that_was_saved(
    models: UserModels, folder: Path, started: list
) -> None:
    steps = models.load(models.address(str(folder), is_owner=True))
    assert [next(steps)["key"] for _ in range(2)] == ["box.fetching", "box.measuring"]
    steps.close()
    assert started[0].returncode is not None
    assert not is_here(models, folder)
    assert load(models, folder) == ["box.fetching", "box.measuring"]
    mine, saved = models.find(str(folder)), SparseAutoencoder.from_pretrained(folder)
    assert (mine.sparsity, mine.config["latent_dim"]) == (saved.sparsity, saved.latent_dim)
    tensors = load_weights(mine.weights)
    assert all(torch.equal(tensors[name].float(), tensor) for name, tensor in saved.state_dict().items())
    assert started[1].returncode == 0


@pytest.mark.parametrize("is_owner", [True, False])
def test_the_process_gets_no_secret_of_the_page(
    models: UserModels, folder: Path, monkeypatch: pytest.MonkeyPatch, is_owner: bool
) -> None:
    """The owner's own token, with which the process fetches, is none."""
    given: list[dict[str, str]] = []
    monkeypatch.setenv("OAUTH_CLIENT_SECRET", "a secret")
    monkeypatch.setattr(module.subprocess, "Popen", lambda *_, env, **__: given.append(env) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        list(models.load(Address(str(folder), from_owner=is_owner)))
    (environment,) = given
    assert "a secret" not in environment.values()
    assert (TOKEN in environment.values()) == is_owner
    assert environment["HF_ENDPOINT"] == os.environ["HF_ENDPOINT"]


def test_a_model_that_takes_too_long_is_stopped(
    models: UserModels, folder: Path, started: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_SECONDS", 0.2)
    with pytest.raises(InputError, match=r"was stopped: it took more than 0\.2 seconds, or more memory") as caught:
        load(models, folder)
    assert started[0].returncode == -9
    assert len(str(caught.value)) < 300


def test_the_process_has_limits_that_hold(tmp_path: Path) -> None:
    script = """
import os, resource, torch
from space import user_model_process as process
process._limit()
try:
    torch.zeros(4 * 10**9, dtype=torch.uint8)
except RuntimeError:
    print("memory")
try:
    with open(os.path.join(os.environ["FOLDER"], "large"), "wb") as file:
        file.write(bytes(process.LARGEST_FILE + 1))
except OSError:
    print("file")
print(resource.getrlimit(resource.RLIMIT_CPU)[0] == process.CPU_SECONDS)
"""
    environment = {"PYTHONPATH": str(ROOT), "FOLDER": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.stdout.split() == ["memory", "file", "True"], done.stderr


def test_many_loads_are_done_one_at_a_time(models: UserModels, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    busy, failed = threading.Lock(), []

    def messages(_: UserModels, job: Path, *__: object) -> Iterator[dict]:
        if not busy.acquire(blocking=False):
            failed.append("two at once")
        time.sleep(0.002)
        yield from work(job)
        busy.release()

    monkeypatch.setattr(UserModels, "_messages", messages)
    places = [folder.with_name(f"mine-{number}") for number in range(module.MOST_MODELS + 2)]
    for number, place in enumerate(places):
        SparseAutoencoder(latent_dim=20 + number, sparsity=L1(0.1)).save_pretrained(place)
    threads = [threading.Thread(target=load, args=(models, place)) for place in places]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    here = [place for place in places if is_here(models, place)]
    assert len(here) == module.MOST_MODELS
    for place in here:
        assert models.find(str(place)).config["latent_dim"] == 20 + places.index(place)


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("where", ["space.user_models.save_file", "space.user_model_process.to_bytes"])
def test_a_full_disk_ends_in_an_error_message(
    models: UserModels, folder: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device", "/tmp/secret")

    monkeypatch.setattr(where, fail)
    with pytest.raises(InputError, match=r"could not be loaded here: No space left on device\. Try again later\.$"):
        load(models, folder)
    assert not is_here(models, folder)


OF_A_FILE = {"ETag": '"1"', "X-Repo-Commit": "0" * 40}
HOSTILE: dict[str, tuple[str, int, bytes, dict[str, str | None]]] = {
    "rubbish": ("/resolve/", 200, b"x" * 1000, {}),
    "too short": ("/resolve/", 200, b"x" * 10, {"Content-Length": "1000"}),
    "no size": ("/resolve/", 200, b"x" * 1000, {"Content-Length": None}),
    "a file of the server": ("/resolve/", 307, b"", {"Location": "file:///etc/passwd"}),
    "round and round": ("/resolve/", 307, b"", {"Location": "/ada/mine/resolve/main/config.json"}),
    "elsewhere": ("/resolve/", 307, b"", {"Location": "http://localhost:PORT/elsewhere"}),
    "no JSON": ("/api/", 200, b"\x00<html>" * 10, {}),
    "another JSON": ("/api/", 200, b"[[]]", {}),
}
"""What is asked for, and a hostile answer: its status, its body, and headers."""


@pytest.mark.usefixtures("in_this_process", "waits")
@pytest.mark.parametrize("mode", HOSTILE)
def test_a_hostile_hub_ends_in_an_error_message_and_no_token_goes_astray(
    models: UserModels, folder: Path, hub: LoopbackHub, mode: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """The page of an owner, who is logged in, sends the token to the Hub, and nowhere else."""
    push(folder, "ada/mine")
    path, status, body, headers = HOSTILE[mode]
    headers = {name: value and value.replace("PORT", str(hub.port)) for name, value in headers.items()}
    hub.reply(path, Reply(status, body, OF_A_FILE | headers))
    for is_owner in (False, True):
        hub.requests.clear()
        with pytest.raises(InputError) as caught:
            load(models, "ada/mine", is_owner)
        if not is_owner:  # who may read the paths of the machine
            assert_plain(Answer(False, [], str(caught.value)), TOKEN)
        tokens = {path == "/elsewhere": token for _, path, token in hub.requests}
        assert tokens[False] == (f"Bearer {TOKEN}" if is_owner else None)
        assert tokens.get(True) is None
        assert (True in tokens) == (mode == "elsewhere")
        assert not is_here(models, "ada/mine")
    assert TOKEN not in "".join(capfd.readouterr())
