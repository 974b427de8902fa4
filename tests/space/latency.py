"""How live the page is: `python tests/space/latency.py` starts the Space and moves its sliders in a real browser.

Prints the seconds from start to first page, and the milliseconds from a slider's move to the new picture on the page.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
PORT = "7999"
MOVES = 100

MOVE = """([selector, value]) => new Promise(resolve => {
  const shown = () => document.querySelectorAll('#pictures .way img')[3].src;
  const before = shown(), began = performance.now();
  const observer = new MutationObserver(() => {
    if (shown() !== before) { observer.disconnect(); resolve(performance.now() - began); }
  });
  observer.observe(document.querySelector('#pictures'), {childList: true, subtree: true, attributes: true});
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
    environment = os.environ | {"GRADIO_SERVER_PORT": PORT}
    began = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, str(ROOT / "space" / "app.py")], env=environment, stdout=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{PORT}", timeout=5).read()
                break
            except OSError:
                if server.poll() is not None:
                    sys.exit("The Space stopped before it answered.")
                time.sleep(0.05)
        print(f"first page after {time.perf_counter() - began:.1f} s")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=browser_path, args=["--no-sandbox", "--disable-dev-shm-usage"]
            )
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{PORT}")
            page.wait_for_selector("#pictures .way img")
            page.wait_for_timeout(1000)
            stops = int(page.get_attribute("#beta input[type=range]", "max"))
            noise = [round(0.01 * i, 2) for i in range(MOVES)]
            beta = [(i + stops) % (stops + 1) for i in range(1, MOVES + 1)]
            measure(page, "#noise input[type=range]", noise[:10])  # warm-up
            print("noise slider:", measure(page, "#noise input[type=range]", noise[::-1]))
            print("beta slider: ", measure(page, "#beta input[type=range]", beta))
            browser.close()
    finally:
        server.terminate()
        server.wait(timeout=30)


if __name__ == "__main__":
    main()
