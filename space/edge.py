"""What the server does with a request before Gradio sees it, and whose request it is."""

from __future__ import annotations

import gzip
import os
from ipaddress import ip_address
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import gradio as gr
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from space.languages import CATALOGS, DEFAULT

GRADIO = b"<gradio-app"
"""What Gradio's page has, and no other that the server sends."""
FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
"""Headers in which a proxy says that it passes on the request of another client."""


def is_hosted() -> bool:
    """Whether this is a Space."""
    return "SPACE_ID" in os.environ


HAS_LOGIN = is_hosted() and "OAUTH_CLIENT_ID" in os.environ
"""Whether this is a Space whose visitors can sign in: its front matter says `hf_oauth: true`."""


def is_owner(request: gr.Request) -> bool:
    """Whether a request comes from a browser on the page's own machine, and from this page.

    Its owner alone may use the machine's login and open its folders. Another site that is open in the owner's browser
    can send requests to this address, too; the browser then names that site in Origin. Or the site gives this address a
    name of its own, which then stands in Host.
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


class EarlyHead:
    """Puts elements first and last into the head of Gradio's page as it is sent, and compresses all pages.

    Gradio would add them when its scripts run: too late.
    """

    def __init__(self, app: ASGIApp, first: str, last: str) -> None:
        self.app, self.first, self.last = app, first.encode(), last.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message = {}
        parts: list[bytes] = []

        async def changed(message: Message) -> None:
            nonlocal start
            is_start = message["type"] == "http.response.start"
            start = message if is_start else start
            headers = MutableHeaders(raw=start["headers"])
            if not headers.get("content-type", "").startswith("text/html"):
                await send(message)
            elif not is_start:
                parts.append(message.get("body", b""))
                if not message.get("more_body"):
                    body = b"".join(parts)
                    if GRADIO in body:
                        body = body.replace(b"<head>", b"<head>" + self.first, 1)
                        body = body.replace(b"</head>", self.last + b"</head>", 1)
                    if "gzip" in Headers(scope=scope).get("accept-encoding", ""):
                        body, headers["Content-Encoding"] = gzip.compress(body, 5), "gzip"
                        headers.add_vary_header("Accept-Encoding")
                    headers["Content-Length"] = str(len(body))
                    await send(start)
                    await send({"type": "http.response.body", "body": body})

        await self.app(scope, receive, changed if scope["type"] == "http" else send)


def old_addresses() -> list[Route]:
    """Where the page of a language once was, such as /ru: now `?lang=` says it."""

    def moved(request: Request) -> RedirectResponse:
        code = request.url.path.rstrip("/").rpartition("/")[2]
        query = [(name, value) for name, value in parse_qsl(request.url.query) if name != "lang"]
        return RedirectResponse(f"./?{urlencode([*query, ('lang', code)])}")

    return [Route(f"/{code}", moved) for code in CATALOGS if code != DEFAULT]
