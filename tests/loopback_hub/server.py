"""The Hub on loopback as a test sees it, and its HTTP."""

from __future__ import annotations

import random
import re
import socket
import struct
import threading
import traceback
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.loopback_hub.endpoints import Call, RefusalError, Reply
from tests.loopback_hub.store import Collection, Commit, Repo


@dataclass
class Fault:
    kind: str
    method: str | None
    path: re.Pattern[str]
    times: int | None
    status: int = 0
    after_bytes: int = 0
    reset: bool = False


class LoopbackHub:
    """A Hub at `http://127.0.0.1:PORT`. Between `stop` and `start` it is down and keeps all that it holds.

    It knows `TOKEN` (user ada, who also writes to the organisation lab), `READ_TOKEN` (ada, reading only) and
    `STRANGER_TOKEN` (bob). Paths in `requests` and for faults are unquoted and without query, as in
    "/api/models/ada/sae/commit/main". The bytes of LFS files come and go under "/storage/..." of another origin.
    """

    def __init__(self) -> None:
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.storage_url = f"http://localhost:{self.port}/storage"
        self.lock = threading.RLock()
        self._server: _Server | None = None
        self.reset()

    def reset(self) -> None:
        """Forget all repos, collections, requests and faults."""
        with self.lock:
            self.repos: dict[tuple[str, str], Repo] = {}
            self.collections: dict[str, Collection] = {}
            self.requests: list[tuple[str, str]] = []
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
        """What a revision holds: path -> bytes. `.gitattributes`, which each repo is born with, is left out."""
        files = self.commits(repo_id, revision, repo_type)[0].files
        return {path: file.content for path, file in files.items() if path != ".gitattributes"}

    def commits(self, repo_id: str, revision: str = "main", repo_type: str = "model") -> list[Commit]:
        """The commits of a revision, newest first; the last one is the Hub's own "initial commit"."""
        return self.repo(repo_id, repo_type).history(revision)

    def fail(self, method: str | None, path: str, status: int, times: int | None = 1) -> None:
        """Answer the next `times` requests that match (None: all until `reset`) with `status`, and do nothing else.

        Args:
            method: as in "POST"; None matches any.
            path: a regular expression that is searched in the path.
        """
        self._faults.append(Fault("fail", method, re.compile(path), times, status=status))

    def cut(self, path: str, after_bytes: int, times: int | None = 1, reset: bool = False) -> None:
        """Do what is asked, but hang up `after_bytes` into the body of the answer, if that is longer.

        With `reset` the connection is torn down (RST) instead of closed (FIN): the client treats the two differently.
        """
        self._faults.append(Fault("cut", None, re.compile(path), times, after_bytes=after_bytes, reset=reset))

    def cut_upload(self, path: str, after_bytes: int = 0, times: int | None = 1) -> None:
        """Hang up `after_bytes` into the body of a request, and do nothing else."""
        self._faults.append(Fault("cut_upload", None, re.compile(path), times, after_bytes=after_bytes, reset=True))

    def _fault(self, kind: str, method: str, path: str, size: int = 0) -> Fault | None:
        """The fault that this request (with a body of `size` bytes) meets, counted down."""
        with self.lock:
            for fault in self._faults:
                due = fault.kind == kind and fault.times != 0 and fault.method in (None, method)
                if due and size >= fault.after_bytes and fault.path.search(path):
                    fault.times = None if fault.times is None else fault.times - 1
                    return fault
        return None


def _free_port() -> int:
    """A port of 127.0.0.1 that is free, below those that systems hand out by themselves and would not leave free."""
    for port in random.Random().sample(range(20_000, 32_000), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
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
        hub.requests.append((method, path))
        if fault := hub._fault("cut_upload", method, path, size):
            self.rfile.read(fault.after_bytes)
            self.hang_up(fault)
            return
        body = self.rfile.read(size)
        if fault := hub._fault("fail", method, path):
            reply = RefusalError(fault.status, "Told to fail.").reply
        else:
            reply = self.reply_to(Call(hub, method, self.path, self.headers, body))
        fault = None if method == "HEAD" else hub._fault("cut", method, path, len(reply.body) - 1)
        self.send_response(reply.status)
        # No connection outlives its request: so `stop` is heard by everybody, also by those who were connected.
        for name, value in {**reply.headers, "Content-Length": str(len(reply.body)), "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        if method != "HEAD":
            self.wfile.write(reply.body[: fault.after_bytes] if fault else reply.body)
        if fault:
            self.hang_up(fault)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = serve  # noqa: N815

    def reply_to(self, call: Call) -> Reply:
        try:
            with call.hub.lock:
                return call.answer()
        except RefusalError as refusal:
            return refusal.reply
        except Exception as error:  # not the client's fault: say so, with a status that the client does not retry
            traceback.print_exc()
            return RefusalError(501, f"The loopback Hub broke: {error!r}").reply

    def hang_up(self, fault: Fault) -> None:
        self.close_connection = True
        if fault.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            socket.close(self.connection.detach())

    def log_message(self, *_: Any) -> None:
        """Keep quiet: tests look at `LoopbackHub.requests`."""
