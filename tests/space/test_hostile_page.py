"""What no page sends, sent to a running Space: whatever comes, visitors read plain words and the rest goes on."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.loopback_hub import TOKEN
from tests.space.events import INTERNALS, Client, assert_plain

ODD = (None, float("nan"), "\ud800\0", {"index": [None]}, [[]], -1e300, True)


@pytest.fixture
def visitor(server: str) -> Client:
    return Client(server)


def test_private_events_with_odd_fields_are_answered_in_plain_words(visitor: Client) -> None:
    """Fields that no page sends, and clicks without coordinates."""
    for event in visitor.events:
        usual = visitor.usual(event)
        for odd in ODD:
            assert_plain(visitor.send(event, [odd for _ in usual]), TOKEN)
            if event["collects_event_data"]:
                assert_plain(visitor.send(event, usual, event_data=odd), TOKEN)
    slider, _ = visitor.moved("noise")
    assert visitor.send(slider, visitor.usual(slider)).ok  # and all goes on


@pytest.mark.parametrize(
    "typed",
    [
        "\ud800",
        "ada/\udfff",
        "a\0b",
        "\0",
        "~\0/x",
        "ada/mine@\ud800",
        "x" * 100_000,
        "../../etc/passwd",
        "/proc/self/environ",
        "file:///etc/passwd",
        "http://127.0.0.1/x",
        "ada/mine@../../x",
        "<script>alert(1)</script>",
        "\u202eevil\x1b[2J",
        7,
        None,
        ["ada/mine"],
        {"a": 1},
    ],
)
def test_whatever_is_typed_as_a_model_is_answered_in_plain_words(visitor: Client, typed: object) -> None:
    event = next(event for event in visitor.events if event["api_name"] == "load")
    answer = visitor.send(event, [typed, *visitor.usual(event)[1:]])
    assert_plain(answer, TOKEN)
    if answer.ok:
        html = str(answer.output[0])
        assert "error" in html
        message = re.sub(r"<[^>]*>", "", html)
        assert not INTERNALS.search(message), message
        assert len(message) < 400
        assert "<script" not in html
        assert "root:" not in html


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


def test_a_stop_beyond_the_sliders_end_is_the_last_one(visitor: Client) -> None:
    """While the method changes, what a page sends may be of the slider as it was."""
    event, place = visitor.moved("beta")
    fields = visitor.usual(event)
    shown = []
    for stop in (8, 99):
        fields[place] = stop
        answer = visitor.send(event, fields)
        assert answer.ok, answer
        shown.append(re.findall(r'<img src="([^"]*)"', answer.output[0]))
    assert len(shown[0]) == 4
    assert shown[0] == shown[1]
