"""The Hub on loopback as a test sees it, and its HTTP."""

from __future__ import annotations

import random
import re
import socket
import threading
import traceback
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.loopback_hub.endpoints import Call, Commit, RefusalError, Reply, Repo


@dataclass
class Fault:
    method: str | None
    path: str
    times: int | None
    reply: Reply | None = None
    after_bytes: int = 0
    """Where the connection is cut, if there is no reply."""


class LoopbackHub:
    """A Hub at `http://127.0.0.1:PORT`. Between `stop` and `start` it is down and keeps all that it holds.

    It knows `TOKEN` (user ada, who also writes to the organisation lab), `READ_TOKEN` (ada, reading only) and
    `STRANGER_TOKEN` (bob). Paths in `requests` and for faults are unquoted and without query, as in
    "/api/models/ada/sae/commit/main". LFS files are uploaded to "/storage/SHA-256".
    """

    def __init__(self) -> None:
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.lock = threading.RLock()
        self._server: _Server | None = None
        self.reset()

    def reset(self) -> None:
        """Forget all repos, collections, requests and faults."""
        with self.lock:
            self.repos: dict[tuple[str, str], Repo] = {}
            self.stored: dict[str, bytes] = {}
            self.collections: dict[str, dict[str, Any]] = {}
            self.requests: list[tuple[str, str, str | None]] = []
            """Method, path and Authorization of each."""
            self._faults: list[Fault] = []

    def start(self) -> None:
        self._server = _Server(("127.0.0.1", self.port), _Handler)
        self._server.hub = self
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections from now on. Nothing is kept alive between requests, so this is at once."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def repo(self, repo_id: str, repo_type: str = "model") -> Repo:
        """A repo as the Hub holds it.

        Raises:
            KeyError: there is none.
        """
        return self.repos[repo_type, repo_id]

    def files(self, repo_id: str, revision: str = "main", repo_type: str = "model") -> dict[str, bytes]:
        """What a revision holds: path -> bytes."""
        files = self.repo(repo_id, repo_type).revisions[revision].files
        return {path: file.content for path, file in files.items()}

    def commits(self, repo_id: str, revision: str = "main", repo_type: str = "model") -> list[Commit]:
        """The commits of a revision, newest first; the last one is the Hub's own "initial commit"."""
        commits, commit = [], self.repo(repo_id, repo_type).revisions.get(revision)
        while commit is not None:
            commits.append(commit)
            commit = commit.parent
        return commits

    def fail(self, method: str | None, path: str, status: int, times: int | None = 1) -> None:
        """Answer the next `times` requests that match (None: all until `reset`) with `status`, and do nothing else.

        Args:
            method: as in "POST"; None matches any.
            path: a regular expression that is searched in the path.
        """
        self._faults.append(Fault(method, path, times, RefusalError(status, "Told to fail.").reply))

    def reply(self, path: str, reply: Reply) -> None:
        """Answer all requests that match with `reply`."""
        self._faults.append(Fault(None, path, None, reply))

    def cut(self, path: str, after_bytes: int, times: int | None = 1) -> None:
        """Hang up `after_bytes` into the body: of a request that has one, and do nothing else; or of the answer."""
        self._faults.append(Fault(None, path, times, after_bytes=after_bytes))

    def fault(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets, counted down. An answer to HEAD has no body to be cut."""
        with self.lock:
            for fault in self._faults:
                matches = fault.method in (None, method) and re.search(fault.path, path)
                if matches and fault.times != 0 and (fault.reply or method != "HEAD"):
                    fault.times = None if fault.times is None else fault.times - 1
                    return fault
        return None


def _free_port() -> int:
    """A port of 127.0.0.1 that is free, below those that systems hand out by themselves and would not leave free."""
    for port in random.Random().sample(range(20_000, 32_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("No free port between 20000 and 32000 on 127.0.0.1.")


class _Server(ThreadingHTTPServer):
    hub: LoopbackHub


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def serve(self) -> None:
        hub, method = self.server.hub, self.command
        path, size = unquote(urlsplit(self.path).path), int(self.headers.get("Content-Length", 0))
        hub.requests.append((method, path, self.headers.get("Authorization")))
        fault = hub.fault(method, path)
        cut = fault.after_bytes if fault and not fault.reply else None
        if cut is not None and size:
            self.rfile.read(cut)
            self.close_connection = True
            return
        body = self.rfile.read(size)
        reply = (fault and fault.reply) or self.reply_to(Call(hub, method, self.path, self.headers, body))
        self.send_response(reply.status)
        # No connection outlives its request: so `stop` is heard by everybody, also by those who were connected.
        headers = {"Content-Length": str(len(reply.body)), "Connection": "close"} | reply.headers
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        if method != "HEAD":
            self.wfile.write(reply.body[:cut])

    do_GET = do_HEAD = do_POST = do_PUT = serve  # noqa: N815

    def reply_to(self, call: Call) -> Reply:
        try:
            with call.hub.lock:
                return call.answer()
        except RefusalError as refusal:
            return refusal.reply
        except Exception as error:  # not the client's fault: say so, with a status that the client does not retry
            traceback.print_exc()
            return RefusalError(501, f"The loopback Hub broke: {error!r}").reply

    def log_message(self, *_: Any) -> None:
        """Keep quiet: tests look at `LoopbackHub.requests`."""
