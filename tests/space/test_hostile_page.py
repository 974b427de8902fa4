"""What no page sends, sent to a running Space: whatever comes, visitors read plain words and the rest goes on."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.loopback_hub import TOKEN
from tests.space.events import GRADIO, Client, assert_plain

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


def test_the_tests_know_all_events_and_components(visitor: Client) -> None:
    known = {EVENTS.get(name, name) for name in FIELDS}
    assert set(visitor.events) == known | {"leave", "reconstruct"}
    shown = [part["props"] for part in visitor.parts.values() if part["type"] != "api"]
    assert [props["elem_id"] for props in shown] == ["bench", "answers"]
    assert [props["html_template"] for props in shown] == ["", ""]  # so that no value is drawn as HTML


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


def test_whatever_is_typed_as_a_model_is_answered_in_plain_words(visitor: Client) -> None:
    for typed in (
        "\ud800", "ada/\udfff", "a\0b", "\0", "~\0/x", "ada/mine@\ud800", "x" * 100_000, "../../etc/passwd",
        "/proc/self/environ", "file:///etc/passwd", "http://127.0.0.1/x", "ada/mine@../../x",
        "<script>alert(1)</script>", "\u202eevil\x1b[2J", 7, None, ["ada/mine"], {"a": 1},
    ):  # fmt: skip
        answer = visitor.send("load", {"address": typed})
        assert_plain(answer, TOKEN)
        if answer.ok:
            assert answer.said["error"]
            assert "root:" not in json.dumps(answer.said["values"])


def test_files_that_are_too_large_are_not_taken_and_those_of_the_server_not_served(server: str) -> None:
    for size, status in ((100, 200), (2_000_000, 413)):
        answer = httpx.post(f"{server}/gradio_api/upload", files={"files": ("a.png", b"x" * size)}, timeout=60)
        assert answer.status_code == status
    for path in ("/etc/passwd", str(Path(__file__)), "/proc/self/environ"):
        assert httpx.get(f"{server}/gradio_api/file={path}", timeout=60).status_code in (403, 404), path


def test_a_deep_link_of_gradio_is_refused(visitor: Client) -> None:
    for event in visitor.events:
        if event not in ("run", "leave", "reconstruct"):
            visitor.send(event, None, state=MARK)  # which Gradio keeps
    with httpx.Client(base_url=visitor.address) as client:
        assert client.get("/gradio_api/deep_link", params={"session_hash": visitor.session}).status_code == 404
        for path in ("/", "/ru", "/config", "/gradio_api/deep_link/"):
            answer = client.get(path, params={"deep_link": "x", "session_hash": "x"}, follow_redirects=True)
            assert answer.status_code == 404, path
