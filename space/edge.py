"""What the server's edge does with a request before Gradio sees it."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class NoDeepLinks:
    """Refuses Gradio's deep links: they put what anybody posted into another visitor's page.

    The page has links of its own, whose parts are checked.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        is_one = scope.get("path", "").rstrip("/").endswith("/deep_link") or "deep_link" in query
        answer = PlainTextResponse("This page has no deep links.", 404) if is_one else self.app
        await answer(scope, receive, send)
