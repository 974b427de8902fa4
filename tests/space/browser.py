"""How the tests open the page in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def open_page(browser: Browser, address: str, **options: object) -> Page:
    """The page in a window of its own, ready; errors of its scripts are collected in `errors`."""
    page = browser.new_context(viewport=WIDE, **options).new_page()
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(address)
    page.wait_for_selector("#images .steps img")
    page.wait_for_selector("#beta input[aria-valuetext]")
    return page
