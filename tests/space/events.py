"""The page's private events as a hostile client sends them: without a browser, with any data."""

from __future__ import annotations

import json
import re
import urllib.request
import uuid
from dataclasses import dataclass
from typing import Any

from tests.space.load import Page

# What Python, its libraries or the server's folders would say; nothing of it is for visitors.
INTERNALS = re.compile(
    r"Traceback|\w+Error\b|object has no attribute|not supported between|NoneType|positional argument"
    r"|unexpected keyword|object is not|must be real number|can't be|codec can|surrogate|not iterable|unhashable"
    r"|concatenate|/tmp/|\.py\b|site-packages|invalid literal|could not convert|index out of range"
    r"|cannot be interpreted|null byte|float NaN"
)


DRAW_NO_HTML = {
    "state", "radio", "dropdown", "slider", "number", "textbox", "button", "downloadbutton", "tabs", "api"
}  # fmt: skip
"""Types of components that draw their values as text, if at all."""

GRADIO = re.compile(
    r"Could not preprocess input component|An event handler|Value:? |.*validation error|Minimum|Maximum"
    r"|str is not valid UTF-8"
)
"""How Gradio's own refusals begin; they repeat what was sent, at whatever length, to the one who sent it."""


@dataclass(frozen=True)
class Answer:
    """How an event ended."""

    ok: bool
    output: list[Any]
    """The values of its outputs; none where it failed."""
    error: str | None
    """What the visitor reads, if anything."""


def assert_plain(answer: Answer, secret: str) -> None:
    """What a visitor reads are plain words, and no secret of the server is in the answer."""
    told = answer.error or ""
    assert GRADIO.match(told) or (not INTERNALS.search(told) and told.isprintable() and len(told) < 330), told
    assert secret not in str(answer)


class Client:
    """A visitor of a running page, by its address."""

    def __init__(self, address: str) -> None:
        self.address, self.session = address, uuid.uuid4().hex
        self.headers: dict[str, str] = {}
        """Of its requests, besides the usual ones."""
        with urllib.request.urlopen(f"{address}/config", timeout=120) as answer:
            self.page = Page(json.load(answer))  # the other languages have the same
        self.events = [event for event in self.page.dependencies if event["backend_fn"]]

    def send(self, event: dict[str, Any], data: list[Any], event_data: Any = None, seconds: float = 120) -> Answer:
        """Send an event and wait for its end.

        Raises:
            OSError: no answer came.
        """
        body = {"data": data, "fn_index": event["id"], "session_hash": self.session, "event_data": event_data}
        self._post("queue/join", body, seconds)
        stream = f"{self.address}/gradio_api/queue/data?session_hash={self.session}"
        with urllib.request.urlopen(stream, timeout=seconds) as lines:
            for line in lines:
                message = json.loads(line.removeprefix(b"data: ")) if line.startswith(b"data: ") else {}
                if message.get("msg") == "process_completed":
                    output = message["output"]
                    return Answer(message["success"], output.get("data") or [], output.get("error"))
                if message.get("msg") in ("unexpected_error", "server_stopped"):
                    return Answer(False, [], message.get("message"))
        raise ConnectionError("The stream of events ended without an answer.")

    def draws_html(self, component: int) -> bool:
        """Whether a component draws its value as HTML."""
        part = self.page.parts[component]
        if part["type"] == "html":
            return "value" in part["props"]["html_template"]
        return part["type"] not in DRAW_NO_HTML

    def is_sent(self, component: int) -> bool:
        """Whether its value comes from the client; a state's is the server's own."""
        return self.page.parts[component]["type"] != "state"

    def ask(self, elem_id: str, function: str, data: Any) -> Any:
        """Call a function that a component lends to its script."""
        body = {"data": data, "component_id": self.page.ids[elem_id], "fn_name": function, "session_hash": self.session}
        return self._post("component_server", body)

    def _post(self, where: str, body: dict[str, Any], seconds: float = 120) -> Any:
        headers = {"Content-Type": "application/json", **self.headers}
        request = urllib.request.Request(f"{self.address}/gradio_api/{where}", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return json.load(answer)

    def event(self, name: str) -> dict[str, Any]:
        """The event of a name."""
        return next(event for event in self.events if event["api_name"] == name)

    def usual(self, event: dict[str, Any]) -> list[Any]:
        """What a page that was just opened would send with an event."""
        return [self.page.values[number] for number in event["inputs"]]

    def moved(self, elem_id: str) -> tuple[dict[str, Any], int]:
        """What a slider draws first in the tab that opens: the event, and the slider's place among its inputs."""
        event = self.page.listeners(self.page.ids["draw-see"], "input")[0]
        return event, event["inputs"].index(self.page.ids[elem_id])
