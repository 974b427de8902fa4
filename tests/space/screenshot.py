"""README's picture of the page: `python tests/space/screenshot.py` starts the Space and writes space/screenshot.png."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.space.server import ROOT, running_space


def main() -> None:
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    if browser_path is None:
        sys.exit("No Chromium on this machine: install one (apt-get install chromium) to draw the page.")
    with running_space() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_path, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(server.address)
        page.wait_for_selector("#images .steps img")
        page.wait_for_selector("#beta input[aria-valuetext]")
        page.screenshot(path=ROOT / "space" / "screenshot.png")
        browser.close()


if __name__ == "__main__":
    main()
