"""A page that lives for weeks: sessions are forgotten, and the pages that were left open go on."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from space.app import MOST_SESSIONS
from tests.space.events import Client
from tests.space.load import Page as LoadPage
from tests.space.load import Visitor

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.mark.slow
def test_a_page_whose_session_was_forgotten_goes_on(page: Page, server: str) -> None:
    page.get_by_role("radio", name="3", exact=True).check()
    page.wait_for_function("document.querySelector('#images figcaption').innerText.includes('3, test split')")
    page.get_by_role("button", name="New noise").click()
    page.wait_for_function("/seed=[1-9]/.test(location.search)")
    before = page.url
    shown = page.get_attribute("#images img >> nth=0", "src")
    others = Client(server)
    link = others.event("open_link")
    for number in range(MOST_SESSIONS + 1):
        others.session = f"another-{number}"
        assert others.send(link, ["?digit=3", None]).ok
    page.fill("#noise input[type=range]", "0.55")
    page.wait_for_function("document.querySelector('#images').innerText.includes('With noise 0.55')")
    page.wait_for_function("location.search.includes('sigma=0.55')")
    assert page.url == before.replace("sigma=0.3", "sigma=0.55")
    assert page.get_attribute("#images img >> nth=0", "src") == shown
    page.get_by_role("button", name="Another one").click()
    page.wait_for_function("url => !location.href.includes(/digit=[0-9]+/.exec(url)[0])", arg=page.url)
    assert "3, test split" in page.inner_text("#images figcaption >> nth=0")


def test_a_visitor_of_the_load_command_opens_the_page_moves_and_leaves(server: str) -> None:
    async def visit() -> str:
        async with httpx.AsyncClient(base_url=server, timeout=60) as client:
            visitor = Visitor(client, LoadPage((await client.get("/config")).json()))
            await visitor.visit()
            return visitor.values[visitor.page.ids["link"]]

    with ThreadPoolExecutor(1) as elsewhere:  # a browser of other tests may have a loop running here
        assert "digit=" in elsewhere.submit(asyncio.run, visit()).result()
