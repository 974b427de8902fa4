"""What the server does with a request before Gradio sees it, and whose request it is."""

from __future__ import annotations

import os
from ipaddress import ip_address
from urllib.parse import parse_qs, urlsplit

import gradio as gr
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
"""Headers by which a proxy tells that the request is another one's."""


def is_hosted() -> bool:
    """Whether this is a Space."""
    return "SPACE_ID" in os.environ


def is_owner(request: gr.Request) -> bool:
    """Whether a request comes from a browser on the page's own machine, and from this page.

    Its owner alone may use the machine's login and open its folders. A site that is open in the owner's browser, too,
    can send requests to this address, but the browser says so in Origin; or under a name of its own for this address,
    which then stands in Host.
    """
    headers, client = request.headers, request.client
    host, origin = headers.get("host", ""), headers.get("origin")
    return (
        not is_hosted()
        and client is not None
        and _is_loopback(client.host)
        and _is_loopback(urlsplit(f"//{host}").hostname)
        and (origin is None or urlsplit(origin).netloc == host)
        and not any(name in headers for name in FORWARDED)
    )


def address_of(request: gr.Request) -> str:
    """The address of a request's client; on a Space, which stands behind a proxy, what that says of it."""
    client = request.client.host if request.client else ""
    return request.headers.get("x-forwarded-for", client) if is_hosted() else client


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


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
