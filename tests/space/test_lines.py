"""The page's queue: who does not listen keeps nothing in it, and one kind of event does not shut out the others."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator

import gradio as gr
import httpx
import pytest

from space import lines
from tests.space.events import Client

TURNS = 600
"""Of a tenth of a second: after so many what has not happened never will."""


def eventually(happened: Callable[[], bool]) -> bool:
    return any(happened() or time.sleep(0.1) for _ in range(TURNS))


class App:
    """A page with an event that goes on until nobody listens, one that waits for `open`, and one that is quick."""

    def __init__(self) -> None:
        self.running, self.open = 0, False
        with gr.Blocks(analytics_enabled=False) as self.blocks:
            shown = gr.Textbox()
            gr.Button().click(self.endless, None, shown, api_name="endless")
            gr.Button().click(self.wait, None, shown, api_name="wait")
            gr.Button().click(lambda: "x" * 1000, None, shown, api_name="quick")
        self.queue = self.blocks._queue = lines.Lines(self.blocks)
        self.blocks.launch(server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
        self.client = httpx.Client(base_url=self.blocks.local_url, timeout=60)

    def endless(self) -> Iterator[str]:
        self.running += 1
        try:
            while True:
                time.sleep(0.05)
                yield uuid.uuid4().hex
        finally:
            self.running -= 1

    def wait(self) -> str:
        eventually(lambda: self.open)
        return "done"

    def post(self, name: str, session: str) -> int:
        """Post an event, and read nothing but the status."""
        index = next(i for i, fn in self.blocks.fns.items() if fn.api_name == name)
        body = {"data": [], "fn_index": index, "session_hash": session}
        return self.client.post("/gradio_api/queue/join", json=body).status_code

    def listen(self, session: str) -> Iterator[str]:
        """The kinds of messages that a session gets, as they come."""
        with self.client.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as stream:
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    yield json.loads(line[5:])["msg"]


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    app = App()
    app.post("quick", "first")  # what Gradio imports for its first event takes longer than the patience of the tests
    assert "process_completed" in app.listen("first")
    monkeypatch.setattr(lines, "PATIENCE", 0.5)
    yield app
    app.open = True
    app.blocks.close()


def test_who_does_not_listen_loses_the_place_and_the_messages(app: App) -> None:
    sessions = {"one", "two", "three"}  # one of them runs, two wait
    for session in sessions:
        assert app.post("endless", session) == 200
    assert eventually(lambda: app.running == 1)
    assert eventually(lambda: not sessions & app.queue.pending_messages_per_session.keys())
    assert eventually(lambda: app.running == 0)
    assert not app.queue.event_ids_to_events
    assert not sessions & app.queue.pending_event_ids_session.keys()
    assert app.post("quick", "one") == 200  # and may come again
    assert list(app.listen("one"))[-2:] == ["process_completed", "close_stream"]


def test_who_listens_is_kept(app: App) -> None:
    assert app.post("endless", "one") == 200
    heard = app.listen("one")
    assert sum(next(heard) == "process_generating" for _ in range(60)) > 50  # six times as long as it may be silent
    heard.close()
    assert eventually(lambda: app.running == 0)


def test_an_answer_is_kept_for_a_while(app: App) -> None:
    """A program may ask for it later."""
    event = app.client.post("/gradio_api/call/quick", json={"data": []}).json()["event_id"]
    assert eventually(lambda: not app.queue.event_ids_to_events)
    time.sleep(3 * lines.PATIENCE)
    assert "event: complete" in app.client.get(f"/gradio_api/call/quick/{event}").text


def test_a_session_that_does_not_read_sends_no_more(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MOST_UNREAD_MESSAGES", 10)
    statuses = [app.post("quick", "one") for _ in range(50)]
    assert statuses[0] == 200
    assert statuses[-1] == 503
    assert app.queue.pending_messages_per_session["one"].qsize() < 10 + 4 * 10  # each that was taken has a few
    assert app.post("quick", "two") == 200


def test_a_line_that_is_full_shuts_out_its_own_kind_alone(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MOST_IN_A_LINE", 3)
    monkeypatch.setattr(lines, "PATIENCE", 1000.0)
    statuses = [app.post("wait", f"session {number}") for number in range(8)]
    assert statuses[0] == 200
    assert statuses[-1] == 503
    assert app.post("quick", "another") == 200
    assert "process_completed" in app.listen("another")


def test_more_starts_than_a_line_holds_of_a_client_that_never_listens_shut_nobody_out(visitor: Client) -> None:
    client = httpx.Client(base_url=visitor.address, timeout=60)
    for _ in range(lines.MOST_IN_A_LINE + 20):
        body = {"data": [visitor.state], "fn_index": visitor.events["run"]["id"], "event_data": visitor.settings()}
        status = client.post("/gradio_api/queue/join", json=body | {"session_hash": uuid.uuid4().hex}).status_code
        assert status in (200, 503)
    assert visitor.send("load", {"address": "l1-1"}).key == "box.bundled"
    assert visitor.send("stop").said["status"] == "idle"
    assert eventually(lambda: visitor.send("one_step", visitor.settings()).said.get("status") == "paused")
