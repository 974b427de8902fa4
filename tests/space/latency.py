"""How live the page is: `python tests/space/latency.py` starts the Space and moves its sliders in a real browser.

Prints the seconds from start to first page beside those that the imports alone take, and the milliseconds from a
slider's move to the new image on the page.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from playwright.sync_api import Page

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.space.browser import chromium
from tests.space.server import in_words, running_space

MOVES, PAUSE = 100, 50
"""So many moves, and so many milliseconds between the image of one and the next, where a hand is slow."""

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


def measure(page: Page, selector: str, values: list[float], pause: int = 0) -> str:
    """Move a slider to each value in turn; median and 95th percentile of the times, as text."""
    times = []
    for value in values:
        if float(page.input_value(selector)) == value:  # no move
            continue
        times.append(page.evaluate(MOVE, [selector, value]) / 1000)
        page.wait_for_timeout(pause)
    return in_words(times)


def seconds_of_imports() -> float:
    """How long `import torch, gradio` takes in a process of its own."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch, gradio"], check=True)
    return time.perf_counter() - began


def seconds_to_page() -> float:
    """How long it takes from the start of the app to its first page."""
    with running_space() as server:
        return server.seconds


def main() -> None:
    seconds_of_imports()  # from now on the files are in memory
    pairs = [(seconds_to_page(), seconds_of_imports()) for _ in range(3)]
    page_seconds, import_seconds = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(page / imports for page, imports in pairs)
    print(
        f"first page after {page_seconds:.1f} s; imports of torch and gradio {import_seconds:.1f} s; ratio {ratio:.2f}"
    )
    with running_space() as server, chromium() as browser:
        page = browser.new_page()
        page.goto(server.address)
        page.wait_for_selector("#images .steps img")
        page.wait_for_timeout(1000)
        stops = int(page.get_attribute("#beta input[type=range]", "max"))
        noise = [round(0.01 * i, 2) for i in range(MOVES)]
        beta = [(i + stops) % (stops + 1) for i in range(MOVES)]
        measure(page, "#noise input[type=range]", noise[:10])  # warm-up
        for pause, how in ((0, "each move as soon as the last one is seen"), (PAUSE, f"{PAUSE} ms later")):
            print(f"noise slider, {how}:", measure(page, "#noise input[type=range]", noise[::-1], pause))
            print(f"beta slider, {how}:", measure(page, "#beta input[type=range]", beta, pause))


if __name__ == "__main__":
    main()
