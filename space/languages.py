"""The page in each visitor's language: the default one at the root, every other at a path of its code, such as /ru."""

from __future__ import annotations

from contextlib import suppress
from html import escape
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from training.words import CATALOGS, DEFAULT, language

OTHERS = tuple(code for code in CATALOGS if code != DEFAULT)


class ByLanguage:
    """Sends whoever opens the page to the one of the language that `?lang=` names; or that the browser prefers, where
    the address names none."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer, path = self.app, scope.get("path", "").removeprefix("/")
        if scope["type"] == "http" and path in ("", *OTHERS):
            query = scope["query_string"].decode("latin-1")
            named = parse_qs(query).get("lang", [""])[-1]
            wanted = named if named in CATALOGS else path or preferred(Headers(scope=scope).get("accept-language", ""))
            if wanted != (path or DEFAULT):
                page = "./" if wanted == DEFAULT else wanted
                answer = RedirectResponse(f"{page}?{query}" if query else page)
        await answer(scope, receive, send)


def preferred(header: str) -> str:
    """The language that an Accept-Language header, such as "ru-RU,ru;q=0.9,en;q=0.8", weighs most of ours."""
    weights: dict[str, float] = {}
    for entry in header.split(","):
        tag, _, weight = entry.strip().partition(";q=")
        code = tag.partition("-")[0].lower()
        if code in CATALOGS:
            with suppress(ValueError):
                weights.setdefault(code, float(weight or 1))
    return max(weights, key=weights.__getitem__, default=DEFAULT)


def switch() -> str:
    """Links to the page in the other languages; link.js lets them keep what is on it."""
    return "".join(
        f'<a href="?lang={code}" lang="{code}" hreflang="{code}">{escape(CATALOGS[code]["language"])}</a>'
        for code in CATALOGS
        if code != language()
    )
