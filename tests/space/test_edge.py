"""The owner of the machine, and everybody else."""

from __future__ import annotations

import gradio as gr
import pytest
from starlette.requests import Request

from space.edge import is_owner


@pytest.mark.parametrize(
    ("client", "host", "origin", "expected"),
    [
        ("127.0.0.1", "127.0.0.1:7860", "http://127.0.0.1:7860", True),
        ("127.0.0.1", "localhost:8888", "http://localhost:8888", True),  # a tunnel
        ("::1", "[::1]:7860", "http://[::1]:7860", True),
        ("127.0.0.1", "127.0.0.1:7860", None, True),  # a program
        ("192.168.1.7", "192.168.1.5:7860", "http://192.168.1.5:7860", False),
        ("192.168.1.7", "127.0.0.1:7860", "http://127.0.0.1:7860", False),
        ("127.0.0.1", "evil.example:7860", "http://evil.example:7860", False),  # its name was pointed to this machine
        ("127.0.0.1", "127.0.0.1:7860", "http://127.0.0.1:3000", False),
        ("127.0.0.1", "127.0.0.1:7860", "null", False),
        ("127.0.0.1", "", None, False),
        (None, "localhost", None, False),
    ],
)
def test_the_owner_is_who_sits_at_the_machine(
    client: str | None, host: str, origin: str | None, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"host": host} | ({"origin": origin} if origin else {})
    scope = {
        "type": "http",
        "client": client and (client, 5000),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    request = gr.Request(Request(scope))
    assert is_owner(request) is expected
    for name in ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"):  # what proxies add
        proxied = scope | {"headers": [*scope["headers"], (name.encode(), b"127.0.0.1")]}
        assert not is_owner(gr.Request(Request(proxied)))
    monkeypatch.setenv("SPACE_ID", "ada/touch")
    assert not is_owner(request)
