"""The Space as visitors get it: a real server on loopback, and a real browser where the machine has one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.space.server import running_space

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Address of a running Space."""
    with running_space() as space:
        yield space.address


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """A headless Chromium, the one that is installed."""
    found = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if found is None:
        pytest.skip("no Chromium on this machine: install one (apt-get install chromium) to run the browser tests")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        instance = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"]
        )
        yield instance
        instance.close()
