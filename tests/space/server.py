"""A real Space on loopback, for the tests of the page and for the scripts that measure it."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120.0


@dataclass(frozen=True)
class Server:
    """A running Space."""

    address: str
    pid: int
    log: Path
    """What it prints."""


def running_space(**options: Any) -> AbstractContextManager[Server]:
    """Run `python space/app.py`, as `running` runs a command."""
    return running([sys.executable, str(ROOT / "space" / "app.py")], **options)


@contextmanager
def running(command: list[str], environment: Mapping[str, str] = os.environ, port: int = 0) -> Iterator[Server]:
    """Run a command that serves a Gradio app, on a port of 127.0.0.1, a free one where none is named.

    It runs in a folder that is empty, as a hosted Space may do.

    Raises:
        RuntimeError: it stopped, or did not answer in two minutes; the message is what it had printed.
    """
    if not port:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    environment = {**environment, "GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port)}
    with tempfile.TemporaryDirectory() as scratch, (Path(scratch) / "log").open("w+") as log:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=scratch, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            while not _answers(address):
                if process.poll() is not None or time.perf_counter() - began > PATIENCE:
                    log.seek(0)
                    raise RuntimeError(f"The Space did not come up:\n{log.read()}")
                time.sleep(0.05)
            yield Server(address, process.pid, Path(log.name))
        finally:
            process.terminate()
            process.wait(timeout=30)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder, as any web server serves it."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def resident_mb(pid: int | str = "self") -> float:
    """Memory of a process that is resident now, in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def in_words(seconds: list[float]) -> str:
    """How long many answers took."""
    times = sorted(1000 * s for s in seconds)
    return f"median {statistics.median(times):.0f} ms, 95th percentile {times[int(0.95 * len(times))]:.0f} ms"


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=5).read()
    except OSError:
        return False
    return True
