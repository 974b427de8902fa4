"""What axe-core finds wrong in each tab by WCAG 2, levels A and AA: names, roles, contrast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe

from space.app import TABS
from tests.space.browser import open_page

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
    for module in TABS:
        page.locator(f"#tabs [role=tablist] [data-tab-id={module.KEY}]").click()
        page.wait_for_timeout(1500)
        for broken in Axe().run(page, options=rules).response["violations"]:
            found[module.KEY, broken["id"]] = [node["html"][:200] for node in broken["nodes"]][:5]
    assert found == {}
    page.locator("#tabs [role=tablist] [data-tab-id=see]").click()
    page.locator("#images .latent-map img").click()
    page.wait_for_selector("#card .off")
    assert Axe().run(page, options=rules).violations_count == 0
    page.context.close()
