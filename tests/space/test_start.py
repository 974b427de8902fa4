"""How the Space starts: without the Hub, and on ZeroGPU."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.space.server import ROOT, running_space

# ZeroGPU stops an app that decorates nothing.
FAKE_SPACES = """
decorated = []

def GPU(function):
    decorated.append(function.__name__)
    return function
"""


def test_the_page_starts_without_the_hub_and_is_fetched_from_its_own_address_behind_a_proxy() -> None:
    """A proxy may strip the prefix of a path or leave it."""
    with socket.create_server(("127.0.0.1", 0)) as silent_hub:
        port = silent_hub.getsockname()[1]
        environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
        environment |= {"HF_ENDPOINT": f"http://127.0.0.1:{port}", "GRADIO_ROOT_PATH": "/demo"}
        with running_space(environment=environment) as space:
            for prefix in ("", "/demo"):
                page = httpx.get(f"{space.address}{prefix}/")
                assert page.headers["content-encoding"] == "gzip"
                assert page.text.index('<script type="importmap">') < page.text.index('<script type="module"')
                for name in ("lab.json", "words/ru.json"):
                    words = httpx.get(f"{space.address}{prefix}/files/{name}", headers={"Accept-Encoding": "br"})
                    assert (words.status_code, words.headers["content-encoding"]) == (200, "br")
                moved = httpx.get(f"{space.address}{prefix}/ru?digit=3&lang=en&set=5:1")  # an address of earlier links
                assert (moved.status_code, moved.headers["location"]) == (307, "./?digit=3&set=5%3A1&lang=ru")
            assert httpx.get(f"{space.address}/en").status_code == 404
            silent_hub.setblocking(False)
            with pytest.raises(BlockingIOError):  # nobody has connected
                silent_hub.accept()


def test_the_page_asks_its_host_for_a_gpu_where_it_has_to(tmp_path: Path) -> None:
    (tmp_path / "spaces.py").write_text(FAKE_SPACES)
    done = subprocess.run(
        [sys.executable, "-c", "import spaces, space.app; print(spaces.decorated)"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout == "['needs_no_gpu']\n", done.stderr
