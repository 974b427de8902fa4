"""Gradio's queue with bounds: a line for each kind of event, and nothing is kept for a client that does not listen."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

import fastapi
import gradio as gr
from gradio.data_classes import PredictBodyInternal
from gradio.queueing import Queue
from gradio.utils import run_coro_in_background

BETWEEN_LOOKS = 0.01
"""Seconds between two looks for a waiting event. Gradio's 0.001 costs several percent of a core while nobody waits."""
MOST_IN_A_LINE = 100
"""Events of one kind that wait; more of them are refused, and all others go on."""
MOST_UNREAD_MESSAGES = 50
"""Messages to a session; it sends no more events until it has read them."""
PATIENCE = 10.0
"""Seconds after which a session has no events any more, waiting or under way, if it does not read what it is sent."""
KEPT = 120.0
"""Seconds for which the answers to what is done are kept."""


class Messages(asyncio.Queue[Any]):
    """What a session has not read yet, and since when it has read nothing."""

    since = 0.0

    def _get(self) -> Any:
        self.since = time.monotonic()
        return super()._get()

    def _put(self, item: Any) -> None:
        if self.empty():
            self.since = time.monotonic()
        super()._put(item)


class Lines(Queue):
    """The queue of a page. Gradio's own has one bound for all events together, and keeps what nobody reads."""

    def __init__(self, blocks: gr.Blocks) -> None:
        super().__init__(True, blocks.max_threads, 1, None, blocks)
        self.sleep_when_free = BETWEEN_LOOKS

    def start(self) -> None:
        super().start()
        run_coro_in_background(self._tidy)

    async def push(self, body: PredictBodyInternal, request: fastapi.Request, username: str | None) -> tuple[Any, ...]:
        kind = None if body.fn_index is None else self.blocks.fns.get(body.fn_index)
        line = self.event_queue_per_concurrency_id.get(kind.concurrency_id) if kind else None
        if line and len(line.queue) >= MOST_IN_A_LINE:
            return False, "Too many wait for this: try again in a minute.", "queue_full"
        session = body.session_hash = body.session_hash or uuid.uuid4().hex
        messages = self.pending_messages_per_session
        if session not in messages:
            messages[session] = Messages()
        if messages[session].qsize() >= MOST_UNREAD_MESSAGES:
            return False, "Read the answers to what was sent first.", "queue_full"
        return await super().push(body, request, username)

    async def _tidy(self) -> None:
        while not self.stopped:
            await asyncio.sleep(PATIENCE / 10)
            busy = {event.session_hash for event in self.event_ids_to_events.values()}
            for session in self.pending_event_ids_session.keys() - self.pending_messages_per_session.keys():
                del self.pending_event_ids_session[session]
            for session, messages in list(self.pending_messages_per_session.items()):
                patience = PATIENCE if session in busy else KEPT
                if not messages.empty() and time.monotonic() - messages.since > patience:
                    await self.clean_events(session_hash=session)
                    self.pending_messages_per_session.pop(session, None)
                    self.pending_event_ids_session.pop(session, None)


def unread(request: gr.Request) -> int:
    """How many messages the session of a request has not read yet."""
    assert request.request is not None, "this request did not come in by HTTP"
    messages = request.request.app.get_blocks()._queue.pending_messages_per_session.get(request.session_hash)
    return messages.qsize() if messages else 0
