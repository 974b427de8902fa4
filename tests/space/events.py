"""The page's private events as a hostile client sends them: without a browser, with any data."""

from __future__ import annotations

import base64
import json
import re
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# What Python, its libraries or the server's folders would say; nothing of it is for visitors.
INTERNALS = re.compile(
    r"Traceback|\w+Error\b|object has no attribute|not supported between|NoneType|positional argument"
    r"|unexpected keyword|object is not|must be real number|can't be|codec can|surrogate|not iterable|unhashable"
    r"|concatenate|/tmp/|\.py\b|site-packages|invalid literal|could not convert|index out of range"
    r"|cannot be interpreted|null byte|float NaN"
)
GRADIO = re.compile(r"Could not preprocess input component|An event handler|.*validation error|str is not valid UTF-8")
"""How Gradio's own refusals begin; they repeat what was sent, at whatever length, to the one who sent it."""


@dataclass(frozen=True)
class Answer:
    """How an event ended."""

    ok: bool
    output: list[Any]
    """The values of its outputs; none where it failed."""
    error: str | None
    """What the visitor reads, if anything."""

    @property
    def said(self) -> dict[str, Any]:
        """What the page's `answers` got; {} where that is nothing."""
        return json.loads(self.output[0]) if self.output and isinstance(self.output[0], str) else {}

    @property
    def key(self) -> str:
        """The words that it says, by their key."""
        return self.said.get("key", "")


def assert_plain(answer: Answer, secret: str) -> None:
    """What a visitor reads are plain words, and no secret of the server is in the answer."""
    told = answer.error or ""
    assert GRADIO.match(told) or (not INTERNALS.search(told) and told.isprintable() and len(told) < 330), told
    values = json.dumps(answer.said.get("values", {}), ensure_ascii=False)
    assert not INTERNALS.search(values), values
    assert len(values) < 700, values
    assert secret not in str(answer)


class Client:
    """A visitor of a running page, by its address."""

    def __init__(self, address: str) -> None:
        self.address, self.session = address, uuid.uuid4().hex
        self.headers: dict[str, str] = {}
        """Of its requests, besides the usual ones."""
        with urllib.request.urlopen(f"{address}/config", timeout=120) as answer:
            config = json.load(answer)
        self.parts = {part["id"]: part for part in config["components"]}
        self.events = {event["api_name"]: event for event in config["dependencies"] if event["backend_fn"]}
        bench = next(part for part in self.parts.values() if part["props"].get("elem_id") == "bench")
        self.state: str = bench["props"]["value"]

    def send(self, name: str, event_data: Any = None, state: Any = ..., seconds: float = 120) -> Answer:
        """Send an event, with the state that the page opens with where no other is given, and wait for its end.

        Raises:
            OSError: no answer came.
        """
        for message in self.messages(name, event_data, state, seconds):
            if message["msg"] == "process_completed":
                output = message["output"]
                return Answer(message["success"], output.get("data") or [], output.get("error"))
            if message["msg"] in ("unexpected_error", "server_stopped"):
                return Answer(False, [], message.get("message"))
        raise ConnectionError("The stream of events ended without an answer.")

    def messages(
        self, name: str, event_data: Any = None, state: Any = ..., seconds: float = 120
    ) -> Iterator[dict[str, Any]]:
        """Send an event, as `send` does, and hear all that the server says of it."""
        event = self.events[name]
        data = [self.state if state is ... else state for _ in event["inputs"]]
        body = {"data": data, "fn_index": event["id"], "session_hash": self.session, "event_data": event_data}
        self.post("queue/join", body, seconds)
        stream = f"{self.address}/gradio_api/queue/data?session_hash={self.session}"
        with urllib.request.urlopen(stream, timeout=seconds) as lines:
            for line in lines:
                if line.startswith(b"data: "):
                    yield json.loads(line.removeprefix(b"data: "))

    def settings(self, **others: Any) -> dict[str, Any]:
        """What Learn sends when a training starts."""
        image = base64.b64encode(bytes(4 * 784)).decode()
        return {"kind": "l1", "strength": "1", "size": 100, "noise": 0, "seed": 0, "image": image} | others

    def post(self, where: str, body: dict[str, Any], seconds: float = 120) -> Any:
        """Post to Gradio."""
        headers = {"Content-Type": "application/json", **self.headers}
        request = urllib.request.Request(f"{self.address}/gradio_api/{where}", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return json.load(answer)
