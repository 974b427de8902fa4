"""What axe-core finds wrong in the page and in each tab by WCAG 2, levels A and AA: names, roles, contrast."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from space.state import TABS
from tests.space.browser import settle

RULES = {"light": ["wcag2a", "wcag2aa"], "dark": ["color-contrast"]}
"""Only colours differ in the dark."""


@pytest.mark.slow
def test_no_tab_breaks_a_rule(open_tab: Callable[[str], Page], server: str) -> None:
    page = open_tab(server)
    page.evaluate(Axe().axe_script)
    settle(page)
    assert broken_rules(page, "html") == {}
    page.locator("#latents canvas").first.click()
    page.wait_for_selector("#card button")
    assert broken_rules(page, "#card") == {}
    page.keyboard.press("Escape")
    for tab in TABS[1:]:
        page.click(f"#tab-{tab}")
        settle(page)
        assert broken_rules(page, "#page") == {}, tab


def broken_rules(page: Page, part: str) -> dict[tuple[str, str], list[str]]:
    """By the colours and the rule, what breaks it in a part of the page."""
    found = {}
    for scheme, rules in RULES.items():
        page.emulate_media(color_scheme=scheme)
        page.wait_for_selector("body.dark" if scheme == "dark" else "body:not(.dark)")
        page.wait_for_timeout(300)
        options = {"runOnly": rules, "resultTypes": ["violations"]}
        for broken in page.evaluate("given => axe.run(...given)", [part, options])["violations"]:
            found[scheme, broken["id"]] = [node["html"][:200] for node in broken["nodes"]][:5]
    return found
