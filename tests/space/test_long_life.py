"""A page that lives for weeks: sessions are forgotten, and the pages that were left open go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from space.app import MOST_SESSIONS
from tests.space.events import Client

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.mark.slow
def test_a_page_whose_session_was_forgotten_goes_on(open_tab: Callable[[str], Page], server: str) -> None:
    page = open_tab(server)
    page.click("#tab-learn")
    page.click("#train-step")
    step = "document.querySelector('#train table td')?.textContent.split(' ')[0]"
    page.wait_for_function(f"{step} === '4'", timeout=60_000)
    others = Client(server)
    for number in range(MOST_SESSIONS + 1):
        others.session = f"another-{number}"
        assert others.send("stop").ok
    page.click("#train-step")
    page.wait_for_function(f"{step} === '8'", timeout=60_000)  # its training is not of the session
