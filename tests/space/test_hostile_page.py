"""What no page sends, sent to a running Space: whatever comes, visitors read plain words and the rest goes on."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.loopback_hub import TOKEN
from tests.space.events import GRADIO, INTERNALS, Client, assert_plain

if TYPE_CHECKING:
    from tests.space.server import Server

ODD = (None, float("nan"), "\ud800\0", {"index": [None]}, [[]], -1e300, True, 10**400, "x")
MARK = "<img src=x onerror=attacked()>"
FIELDS = {
    "start": ("kind", "strength", "size", "noise", "seed", "image"),
    "step": ("kind", "strength", "size", "noise", "seed", "image"),
    "load": ("address",),
    "send": ("repo",),
    "pause": (),
    "stop": (),
    "discard": (),
    "keep": ("name",),
}
"""What the page sends with its events."""
EVENTS = {"start": "run", "step": "one_step"}
"""Events of the bench -> what their handlers are called, where it is another name."""


@pytest.fixture(scope="module")
def space(small_space: Server) -> Server:
    return small_space


@pytest.fixture(scope="module")
def server(space: Server) -> str:
    return space.address


def test_the_tests_know_all_events_and_components(visitor: Client) -> None:
    known = {EVENTS.get(name, name) for name in FIELDS}
    assert set(visitor.events) == known | {"leave", "reconstruct"}
    shown = [part["props"]["elem_id"] for part in visitor.parts.values() if part["type"] != "api"]
    assert shown == ["bench", "answers"]


def test_odd_states_are_refused_in_plain_words(visitor: Client) -> None:
    state = json.loads(visitor.state)
    for event in ("pause", "stop", "keep", "send", "one_step"):
        for odd in (*ODD, "[" * 10_000, "x" * 100_000, json.dumps(state | {"digit": -1}), MARK):
            answer = visitor.send(event, visitor.settings(), state=odd)
            assert_plain(answer, TOKEN)
            assert not answer.ok
            assert "<img" not in (answer.error or "")
    assert visitor.send("one_step", visitor.settings()).ok  # and all goes on


@pytest.mark.slow
def test_each_field_of_each_event_is_checked(visitor: Client, space: Server) -> None:
    """What is no value of a field ends in words, and comes back as a value of their templates alone.

    Only Gradio's own refusals leave a traceback in the log.
    """
    before = len(space.log.read_text(errors="replace"))
    for event, names in FIELDS.items():
        name = EVENTS.get(event, event)
        usual = {field: visitor.settings().get(field, "x") for field in names}
        for odd in (*ODD, MARK):
            for sent in (odd, *(usual | {field: odd} for field in names)):
                answer = visitor.send(name, sent)
                assert_plain(answer, TOKEN)
                assert MARK not in ("" if GRADIO.match(answer.error or "") else (answer.error or ""))
                assert MARK not in json.dumps({key: value for key, value in answer.said.items() if key != "values"})
        assert_plain(visitor.send(name, usual | {"another": 1} if event != "start" else {}), TOKEN)
    told = space.log.read_text(errors="replace")[before:].split("Traceback (most recent call last)")
    ours = re.compile(r"/(sae_model|training|space)/(?!languages|edge)\w+\.py")
    assert [traceback for traceback in told if ours.search(traceback)] == []


def test_settings_of_a_training_that_do_not_fit_are_told(visitor: Client, space: Server) -> None:
    before = len(space.log.read_text(errors="replace"))
    for change in (
        {"kind": "topk"},  # which has no 1
        {"kind": None},
        {"strength": None},
        {"size": None},
        {"size": 101},
        {"noise": float("nan")},
        {"noise": 0.9},
        {"seed": -1},
        {"image": "AAAA"},
        {"image": visitor.settings()["image"] + "AAAA"},
        {"image": "/" * 4182 + "w=="},  # no numbers
    ):
        said = visitor.send("one_step", visitor.settings(**change)).said
        assert (said["key"], said["error"]) == ("errors.state", True), change
    assert "Traceback" not in space.log.read_text(errors="replace")[before:]


@pytest.mark.parametrize(
    "typed",
    [
        "\ud800", "ada/\udfff", "a\0b", "\0", "~\0/x", "ada/mine@\ud800", "x" * 100_000, "../../etc/passwd",
        "/proc/self/environ", "file:///etc/passwd", "http://127.0.0.1/x", "ada/mine@../../x",
        "<script>alert(1)</script>", "\u202eevil\x1b[2J", 7, None, ["ada/mine"], {"a": 1},
    ],
)  # fmt: skip
def test_whatever_is_typed_as_a_model_is_answered_in_plain_words(visitor: Client, typed: object) -> None:
    answer = visitor.send("load", {"address": typed})
    assert_plain(answer, TOKEN)
    if answer.ok:
        assert answer.said["error"]
        values = json.dumps(answer.said["values"], ensure_ascii=False)
        assert not INTERNALS.search(values), values
        assert len(values) < 500
        assert "root:" not in values


def test_files_that_are_too_large_are_not_taken(server: str) -> None:
    def upload(content: bytes) -> int:
        body = (
            b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
            + content
            + b"\r\n--x--\r\n"
        )
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        request = urllib.request.Request(f"{server}/gradio_api/upload", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    assert upload(b"x" * 100) == 200
    assert upload(b"x" * 2_000_000) == 413


@pytest.mark.parametrize("path", ["/etc/passwd", str(Path(__file__)), "/proc/self/environ", "../../etc/passwd"])
def test_files_of_the_server_are_not_served(server: str, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{server}/gradio_api/file={path}", timeout=60)
    assert caught.value.code in (403, 404)


def test_nothing_draws_its_value_as_html(visitor: Client) -> None:
    """Neither what a client sent nor what it is answered; the page's own script inserts both as text."""
    taken = {number for event in visitor.events.values() for number in (*event["inputs"], *event["outputs"])}
    assert len(taken) >= 2
    assert [visitor.parts[number]["props"] for number in taken if visitor.draws_html(number)] == []


def test_a_deep_link_of_gradio_is_refused(visitor: Client) -> None:
    for event in visitor.events:
        if event not in ("run", "leave", "reconstruct"):
            visitor.send(event, None, state=MARK)  # which Gradio keeps
    with httpx.Client(base_url=visitor.address) as client:
        assert client.get("/gradio_api/deep_link", params={"session_hash": visitor.session}).status_code == 404
        for path in ("/", "/ru", "/config", "/gradio_api/deep_link/"):
            answer = client.get(path, params={"deep_link": "x", "session_hash": "x"}, follow_redirects=True)
            assert answer.status_code == 404, path
