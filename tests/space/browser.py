"""How the tests open the page in a real browser."""

from __future__ import annotations

import base64
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
    page.wait_for_selector("#images .steps img", state="attached")  # a link may open another tab
    page.wait_for_selector("#beta input[aria-valuetext]")
    return page


def hand_over(page: Page, event: str, content: bytes, kind: str = "image/png", onto: str = "#draw canvas") -> None:
    """Drop or paste a file."""
    page.evaluate(
        """([event, data, kind, onto]) => {
          const files = new DataTransfer();
          files.items.add(new File([Uint8Array.from(atob(data), c => c.charCodeAt(0))], 'a', {type: kind}));
          const options = {bubbles: true, cancelable: true};
          document.querySelector(onto).dispatchEvent(
            event === 'paste' ? new ClipboardEvent(event, {...options, clipboardData: files})
                              : new DragEvent(event, {...options, dataTransfer: files}));
        }""",
        [event, base64.b64encode(content).decode(), kind, onto],
    )
