"""How the Space starts: without the Hub, behind a proxy, on ZeroGPU; and how its page lives when it is gone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.space.browser import SAID, STEP, new_window, open_in, pixels, slide, stroke
from tests.space.server import ROOT, running_space

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PATIENCE = 120_000
# ZeroGPU stops an app that decorates nothing.
FAKE_SPACES = """
decorated = []

def GPU(function):
    decorated.append(function.__name__)
    return function
"""


def test_the_page_starts_without_the_hub_behind_a_proxy_and_lives_on_without_its_server(browser: Browser) -> None:
    """A proxy may strip the prefix of a path or leave it."""
    with socket.create_server(("127.0.0.1", 0)) as silent_hub:
        hub = f"http://127.0.0.1:{silent_hub.getsockname()[1]}"
        environment = os.environ | {"HF_ENDPOINT": hub, "GRADIO_ROOT_PATH": "/demo"}
        with running_space(environment=environment) as space:
            for prefix in ("", "/demo"):
                got = httpx.get(f"{space.address}{prefix}/")
                assert got.headers["content-encoding"] == "gzip"
                assert got.text.index('<script type="importmap">') < got.text.index('<script type="module"')
                for name in ("lab.json", "words/ru.json"):
                    words = httpx.get(f"{space.address}{prefix}/files/{name}", headers={"Accept-Encoding": "br"})
                    assert (words.status_code, words.headers["content-encoding"]) == (200, "br")
                moved = httpx.get(f"{space.address}{prefix}/ru?digit=3&lang=en&set=5:1")  # an address of earlier links
                assert (moved.status_code, moved.headers["location"]) == (307, "./?digit=3&set=5%3A1&lang=ru")
            assert httpx.get(f"{space.address}/en").status_code == 404
            page = open_in(new_window(browser), f"{space.address}/demo/")
            page.wait_for_function("() => !document.querySelector('.strip .waiting')")
            page.click("#tab-learn")
            page.select_option("#train-size", "100")
            page.click("#train-start")
            page.wait_for_function(f"{STEP} > 0", timeout=PATIENCE)
            page.wait_for_timeout(2500)  # what is fetched in idle time
        page.wait_for_function(f"{SAID}.includes('does not answer')", timeout=PATIENCE)
        assert page.is_disabled("#train-start")
        page.click("#tab-see")
        before = pixels(page, "#reconstruction canvas")
        slide(page, "#noise", 0.7)
        slide(page, "#beta", 2)
        assert pixels(page, "#reconstruction canvas") != before
        page.locator("#digit .digits label", has_text="4").click()
        stroke(page, (0.3, 0.2), (0.3, 0.8))
        page.wait_for_function("() => location.search.includes('draw=')")
        page.locator("#latents").click()
        assert page.locator("#card.open").is_visible()
        page.keyboard.press("Escape")
        for tab in ("atoms", "classes", "rates", "frontier"):
            page.click(f"#tab-{tab}")
            page.wait_for_timeout(200)
            assert page.locator("#panel svg, #panel canvas").count() > 0
        page.locator("#languages button").press("Enter")  # on which a message of Gradio's may lie
        page.wait_for_selector("html[lang=ru]")
        page.click("#tab-learn")
        assert "сервер" in page.inner_text("#panel")
        with running_space(environment=environment, port=int(space.address.rpartition(":")[2])):
            page.wait_for_function("!document.querySelector('#train-start')?.disabled", timeout=PATIENCE)
            page.wait_for_timeout(3000)  # Gradio may reload the page
            assert "sigma=0.7" in page.url
            page.click("#train-start")
            page.wait_for_function(f"{STEP} > 0", timeout=PATIENCE)
        assert page.errors == []
        page.context.close()
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
