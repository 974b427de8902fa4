"""Users' models are loaded in a process of its own, whose end, size and silence hurt nobody; and hostile Hubs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import load as load_weights

from sae_model import L1, SparseAutoencoder
from space import user_models as module
from space.errors import InputError
from space.user_model_process import work
from space.user_models import Address, UserModels
from tests.loopback_hub import TOKEN
from tests.space.events import Answer, assert_plain
from tests.space.loading import is_here, load
from tests.space.server import ROOT

ENDLESS = 10**12


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


def test_a_model_that_its_own_process_loaded_is_the_one_that_was_saved(
    models: UserModels, folder: Path, started: list
) -> None:
    assert load(models, folder) == ["box.fetching", "box.measuring"]
    mine, saved = models.find(str(folder)), SparseAutoencoder.from_pretrained(folder)
    assert (mine.sparsity, mine.config["latent_dim"]) == (saved.sparsity, saved.latent_dim)
    tensors = load_weights(mine.weights)
    assert all(torch.equal(tensors[name].float(), tensor) for name, tensor in saved.state_dict().items())
    (process,) = started
    assert process.returncode == 0


def test_a_visitor_who_leaves_ends_the_process(models: UserModels, folder: Path, started: list) -> None:
    steps = models.load(models.address(str(folder), is_owner=True))
    assert [next(steps)["key"] for _ in range(2)] == ["box.fetching", "box.measuring"]
    steps.close()
    assert started[0].returncode is not None
    assert not is_here(models, folder)
    assert load(models, folder)  # nobody waits for that one


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


ANSWERS: dict[str, tuple[bool, bytes, int | None, str | None]] = {
    "too short": (True, b"x" * 10, 1000, None),
    "no size": (True, b"x" * 1000, None, None),
    "to a file of the server": (True, b"", 0, "file:///etc/passwd"),
    "no JSON": (False, b"\x00<html>" * 10, 80, None),
    "another JSON": (False, b"[[]]", 4, None),
}
"""By mode: whether it is the answer to a request for a file, what is sent, how long it is said to be, and where else
the Hub says that the file is."""


class HostileHub(BaseHTTPRequestHandler):
    """A Hub that answers as its mode says, and notes who asked with which token."""

    mode = ""
    asked: list[tuple[str, str | None]] = []  # noqa: RUF012 (emptied by the fixture)

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("Authorization")))
        commit, file = "0" * 40, "/resolve/" in self.path
        sent = b"x" * 1000 if file else json.dumps({"id": "ada/mine", "sha": commit, "siblings": []}).encode()
        size, location, endless = len(sent), None, file and self.mode == "endless"
        if self.mode in ANSWERS and ANSWERS[self.mode][0] == file:
            _, sent, size, location = ANSWERS[self.mode]
        elif endless:
            size, sent = ENDLESS, bytes(1_000_000)
        elif file and self.mode == "elsewhere" and not self.path.startswith("/else"):
            location = f"http://localhost:{self.server.server_port}/else{self.path}"
        elif file and self.mode == "round and round":
            location = self.path
        self.send_response(200 if location is None else 307)
        headers = {"ETag": '"1"', "X-Repo-Commit": commit, "Location": location}
        headers["Content-Length"] = None if size is None else str(size)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        with suppress(OSError):
            while self.command == "GET":
                self.wfile.write(sent)
                if not endless:
                    break

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hostile_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[HostileHub]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), HostileHub)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    template = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setenv("HF_ENDPOINT", address)  # for processes that are started
    HostileHub.asked.clear()
    yield HostileHub
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("mode", ["plain rubbish", *ANSWERS, "endless", "elsewhere", "round and round"])
def test_a_hostile_hub_ends_in_an_error_message_and_gets_no_token(
    models: UserModels,
    hostile_hub: type[HostileHub],
    mode: str,
    capfd: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    hostile_hub.mode = mode
    if mode != "endless":  # which the limits of a process of its own end
        request.getfixturevalue("in_this_process")
    with pytest.raises(InputError) as caught:
        load(models, "ada/mine", is_owner=False)
    assert_plain(Answer(False, [], str(caught.value)), TOKEN)
    assert hostile_hub.asked
    assert {token for _, token in hostile_hub.asked} == {None}
    assert TOKEN not in "".join(capfd.readouterr())
    assert not is_here(models, "ada/mine")


@pytest.mark.usefixtures("in_this_process")
def test_a_token_goes_to_the_hub_and_not_to_where_that_redirects(
    models: UserModels, hostile_hub: type[HostileHub]
) -> None:
    """The page of somebody who is logged in, on a machine of their own."""
    hostile_hub.mode = "elsewhere"
    with pytest.raises(InputError):
        load(models, "ada/mine")
    tokens = {path.startswith("/else"): token for path, token in hostile_hub.asked}
    assert tokens == {False: f"Bearer {TOKEN}", True: None}
