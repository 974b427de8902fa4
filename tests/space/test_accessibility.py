"""What axe-core finds wrong in each tab by WCAG 2, levels A and AA: names, roles, contrast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe

from space.state import TABS
from tests.space.browser import open_page, wait_for_models

if TYPE_CHECKING:
    from playwright.sync_api import Browser

RULES = {"light": ["wcag2a", "wcag2aa"], "dark": ["color-contrast"]}
"""Only colours differ in the dark."""


@pytest.mark.slow
@pytest.mark.parametrize("scheme", RULES)
def test_no_tab_breaks_a_rule(browser: Browser, server: str, scheme: str) -> None:
    rules = {"runOnly": RULES[scheme]}
    page = open_page(browser, server, color_scheme=scheme)
    found = {}
    for tab in TABS:
        page.click(f"#tab-{tab}")
        wait_for_models(page)
        page.wait_for_timeout(1000)
        for broken in Axe().run(page, options=rules).response["violations"]:
            found[tab, broken["id"]] = [node["html"][:200] for node in broken["nodes"]][:5]
    assert found == {}
    page.click("#tab-see")
    page.locator("#latents canvas").first.click()
    page.wait_for_selector("#card button")
    assert Axe().run(page, options=rules).violations_count == 0
    page.context.close()
