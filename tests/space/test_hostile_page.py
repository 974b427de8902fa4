"""What no page sends, sent to a running Space: whatever comes, visitors read plain words and the rest goes on."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx
import pytest

from tests.loopback_hub import TOKEN
from tests.space.events import GRADIO, INTERNALS, Answer, Client, assert_plain

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.space.server import Server

ODD = (None, float("nan"), "\ud800\0", {"index": [None]}, [[]], -1e300, True)


MARK = "<img src=x onerror=attacked()>"
MARKS = (
    MARK,
    f"user:{MARK}",
    json.dumps({MARK: {MARK: MARK}}),
    json.dumps({"l1-1": {MARK: 1}}),
    json.dumps({"l1-1": {"1": MARK}}),
    *(f"?{name}={quote(MARK)}" for name in ("digit", "draw", "sigma", "seed", "model", "k", "set", "tab", "lessons")),
)
"""HTML with a script, in the places of all that the page's events take."""


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


@pytest.mark.slow
def test_each_field_of_each_event_is_checked(visitor: Client, space: Server) -> None:
    """What is no value of a field ends in words; only Gradio's own refusals leave a traceback in the log."""
    before = len(space.log.read_text(errors="replace"))
    for event in (event for event in visitor.events if event["api_name"] != "run"):  # one_step does the same
        usual = visitor.usual(event)
        for place in (place for place, number in enumerate(event["inputs"]) if visitor.is_sent(number)):
            for odd in (*ODD, 10**400, "x"):
                assert_plain(visitor.send(event, [*usual[:place], odd, *usual[place + 1 :]]), TOKEN)
        if event["collects_event_data"]:
            for odd in (*ODD, 10**400, "x"):
                assert_plain(visitor.send(event, usual, {"method": odd, "stop": 1}), TOKEN)
                assert_plain(visitor.send(event, usual, {"method": "l1", "stop": odd}), TOKEN)
    told = space.log.read_text(errors="replace")[before:].split("Traceback (most recent call last)")
    ours = re.compile(r"/(sae_model|training|space)/(?!languages|edge)\w+\.py")
    assert [traceback for traceback in told if ours.search(traceback)] == []


def test_settings_of_a_training_that_do_not_fit_are_told(visitor: Client, space: Server) -> None:
    before = len(space.log.read_text(errors="replace"))
    step = visitor.event("one_step")
    for place, value, words in (
        (0, "topk", r"The values of [^:]* are here: 10, 25, 50; got .*1"),  # which has no 1
        (0, None, "There is no sparsity method None"),
        (1, None, "The values of .* are here"),
        (2, None, "is trained here with 100, 225, 400, 900 latents; got None"),
        (3, float("nan"), "sigma is a number from 0 to 1; got nan"),
        (4, -1, "seed is a whole number"),
    ):
        fields = visitor.usual(step)
        fields[place] = value
        assert re.search(words, str(visitor.send(step, fields).output)), words
    assert "Traceback" not in space.log.read_text(errors="replace")[before:]


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


def test_what_draws_html_is_no_input_of_any_event(visitor: Client) -> None:
    """An input's value comes from the client."""
    inputs = {number for event in visitor.page.dependencies for number in event["inputs"]}
    assert [visitor.page.parts[number]["props"] for number in inputs if visitor.draws_html(number)] == []
    outputs = {number for event in visitor.events for number in event["outputs"]}
    assert sum(map(visitor.draws_html, outputs)) > 10


def test_nothing_that_a_client_sent_is_drawn_as_html(visitor: Client) -> None:
    sent = 0
    for event in (event for event in visitor.events if event["targets"]):  # the others are for programs
        usual = visitor.usual(event)
        taken = [place for place, number in enumerate(event["inputs"]) if visitor.is_sent(number)]
        answers = [
            visitor.send(event, [*usual[:place], mark, *usual[place + 1 :]])
            for place in taken
            for mark in (MARKS if event["api_name"] != "run" else ())  # which does the same as one_step, for long
        ]
        if event["collects_event_data"]:
            answers += [visitor.send(event, usual, {"method": mark, "stop": mark}) for mark in MARKS]
        for answer in answers:
            drawn = [value for n, value in zip(event["outputs"], answer.output, strict=False) if visitor.draws_html(n)]
            told = "" if GRADIO.match(answer.error or "") else answer.error  # repeats to the one who sent it, sanitised
            assert MARK not in f"{drawn} {told}", event["api_name"]
            sent += 1
    assert sent > 200


def test_nothing_that_a_client_asks_of_a_latent_is_drawn_as_html(visitor: Client) -> None:
    usual = {
        "digit": 0,
        "drawing": "",
        "sigma": 0.3,
        "seed": 0,
        "method": "l1",
        "position": 3,
        "edits": "{}",
        "tab": "see",
    }
    for request in (
        {"bench": usual, "latent": 3, "open": True},
        *({"bench": usual | {name: mark}, "latent": 3, "open": True} for name in usual for mark in MARKS[:5]),
        {"bench": usual, "latent": MARK, "open": MARK},
        {"bench": usual | {MARK: MARK}, "latent": 3, "open": True},
        MARK,
    ):
        card = visitor.ask("hand", "card", json.dumps(request))
        assert MARK not in card, request
        assert_plain(Answer(True, [card], re.sub("<[^>]*>|\n", "", card) if "error" in card else None), TOKEN)
    assert "<h2>" in visitor.ask("hand", "card", json.dumps({"bench": usual, "latent": 3, "open": True}))


def test_a_deep_link_of_gradio_is_refused_and_runs_nothing(visitor: Client, browser: Browser) -> None:
    for event in visitor.events:
        if event["api_name"] == "resume":
            visitor.send(event, [[MARK]])  # which Gradio keeps, as the handler fails
    with httpx.Client(base_url=visitor.address) as client:
        made = client.get("/gradio_api/deep_link", params={"session_hash": visitor.session})
        link = made.text.strip('"')
        page = browser.new_page()
        page.add_init_script("window.attacked = () => (window.wasAttacked = true)")
        page.goto(f"{visitor.address}/?deep_link={link}")
        page.wait_for_timeout(3000)
        assert not page.evaluate("window.wasAttacked")
        page.close()
        assert made.status_code == 404
        for path in ("/", "/ru", "/config", "/gradio_api/deep_link/"):
            answer = client.get(path, params={"deep_link": link, "session_hash": "x"}, follow_redirects=True)
            assert answer.status_code == 404, path


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
