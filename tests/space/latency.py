"""How live the page is: `python tests/space/latency.py` starts the Space and moves its sliders in a real browser.

Prints the seconds from start to first page, and the milliseconds from a slider's move to the new image on the page.
"""

from __future__ import annotations

import shutil
import statistics
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.space.server import running_space

MOVES = 100

MOVE = """([selector, value]) => new Promise(resolve => {
  const shown = () => document.querySelectorAll('#images .steps img')[3].src;
  const before = shown(), began = performance.now();
  const observer = new MutationObserver(() => {
    if (shown() !== before) { observer.disconnect(); resolve(performance.now() - began); }
  });
  observer.observe(document.querySelector('#images'), {childList: true, subtree: true, attributes: true});
  const slider = document.querySelector(selector);
  slider.value = value;
  slider.dispatchEvent(new Event('input', {bubbles: true}));
})"""


def measure(page: Page, selector: str, values: list[float]) -> str:
    """Move a slider to each value in turn; median and 95th percentile of the times, as text."""
    times = sorted(page.evaluate(MOVE, [selector, value]) for value in values)
    return f"median {statistics.median(times):.0f} ms, 95th percentile {times[int(0.95 * len(times))]:.0f} ms"


def main() -> None:
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    if browser_path is None:
        sys.exit("No Chromium on this machine: install one (apt-get install chromium) to measure the page.")
    with running_space() as server, sync_playwright() as playwright:
        print(f"first page after {server.seconds:.1f} s")
        browser = playwright.chromium.launch(
            executable_path=browser_path, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        page = browser.new_page()
        page.goto(server.address)
        page.wait_for_selector("#images .steps img")
        page.wait_for_timeout(1000)
        stops = int(page.get_attribute("#beta input[type=range]", "max"))
        noise = [round(0.01 * i, 2) for i in range(MOVES)]
        beta = [(i + stops) % (stops + 1) for i in range(1, MOVES + 1)]
        measure(page, "#noise input[type=range]", noise[:10])  # warm-up
        print("noise slider:", measure(page, "#noise input[type=range]", noise[::-1]))
        print("beta slider: ", measure(page, "#beta input[type=range]", beta))
        browser.close()


if __name__ == "__main__":
    main()
