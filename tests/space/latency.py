"""How fast the page is: `python tests/space/latency.py` starts the Space and moves its controls in a real browser.

The browser is 100 ms of round trip and 10 Mbit/s away from the server, as Chromium emulates them. Prints when a bare
Gradio page is there, and ours, with the bytes that it took; then the milliseconds from a move of a slider, or of the
pointer over a cell, to the frame that shows the answer; what Play did; and how many requests left the browser.
"""

from __future__ import annotations

import itertools
import statistics
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.space.browser import WIDE, chromium
from tests.space.server import running, running_space

ROUND_TRIP, BYTES_A_SECOND = 100, 10e6 / 8
OPENINGS, MOVES, STEPS = 5, 200, 40
BARE = """
import os, gradio as gr
with gr.Blocks(analytics_enabled=False) as app:
    gr.HTML("<p id='bare'>here</p>")
app.launch(ssr_mode=False)
"""

# From the time stamp of an event to when the page has drawn its answer, and to the end of the frame that shows it.
WATCH = """(name) => {
  window.times = [];
  window.drawn = [];
  document.removeEventListener(...(window.watched ?? ['none', null]));
  if (!window.after) {
    window.after = (event) => drawn.push(performance.now() - event.timeStamp);
    for (const kind of ['input', 'pointermove']) document.addEventListener(kind, after);
  }
  window.watched = [name, (event) => requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => times.push(performance.now() - event.timeStamp);
    port2.postMessage(0);
  }), true];
  document.addEventListener(...watched);
}"""


def far_page(browser: Browser) -> tuple[Page, list[int]]:
    """A page in a fresh browser profile, far from the server; and the bytes of each answer, as they come."""
    page = browser.new_context(viewport=WIDE).new_page()
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    speed = {"downloadThroughput": BYTES_A_SECOND, "uploadThroughput": BYTES_A_SECOND}
    network.send("Network.emulateNetworkConditions", {"offline": False, "latency": ROUND_TRIP, **speed})
    received: list[int] = []
    network.on("Network.dataReceived", lambda event: received.append(event["encodedDataLength"]))
    return page, received


MARKED = "performance.getEntriesByName('{} image')[0]?.startTime"
"""When the page drew that for the first time, in milliseconds."""


def opening(browser: Browser, address: str, *times: str) -> tuple[float, ...]:
    """Seconds until the page tells each of some times, in milliseconds; and the megabytes until then."""
    page, received = far_page(browser)
    page.goto(address, wait_until="commit")
    wait = (
        "async () => {{ let at; while (!(at = {})) await new Promise((go) => setTimeout(go, 5)); return at / 1000; }}"
    )
    seconds = [page.evaluate(wait.format(time)) for time in times]
    megabytes = sum(received) / 1e6
    page.context.close()
    return *seconds, megabytes


def in_words(milliseconds: list[float]) -> str:
    """Median and 95th percentile."""
    times = sorted(milliseconds)
    return f"p50 {statistics.median(times):.1f} ms, p95 {times[int(0.95 * len(times))]:.1f} ms"


def keys(page: Page, selector: str, moves: int) -> str:
    """Move a slider by the arrow keys, back and forth."""
    slider = page.locator(selector)
    slider.focus()
    page.evaluate(WATCH, "input")
    least, most = (float(slider.get_attribute(name) or 0) for name in ("min", "max"))
    key = "ArrowLeft"
    for _ in range(moves):
        value = float(slider.input_value())
        key = "ArrowRight" if value <= least else "ArrowLeft" if value >= most else key
        page.keyboard.press(key)
        page.wait_for_timeout(30)
    return watched(page)


def watched(page: Page) -> str:
    """What `WATCH` saw."""
    page.wait_for_timeout(200)
    drawn, framed = in_words(page.evaluate("drawn")), in_words(page.evaluate("times"))
    return f"drawn after {drawn}; its frame is done after {framed}"


def hover(page: Page, moves: int) -> str:
    """Move the pointer over the cells of the map."""
    box = page.locator("#latents canvas").bounding_box()
    assert box
    page.evaluate(WATCH, "pointermove")
    for i in range(moves):
        row, column = divmod(i % 900, 30)
        page.mouse.move(box["x"] + (column + 0.5) / 30 * box["width"], box["y"] + (row + 0.5) / 30 * box["height"])
        page.wait_for_timeout(30)
    return watched(page)


def play(page: Page, seconds: float) -> str:
    """Let Play run, and see when its steps came."""
    page.click("#tab-atoms")
    page.evaluate(
        """() => {
          window.steps = [];
          const output = document.querySelector('#reveal output');
          new MutationObserver(() => steps.push(performance.now())).observe(output, {childList: true});
        }"""
    )
    page.click("#play")
    page.wait_for_timeout(1000 * seconds)
    page.click("#play")
    steps = page.evaluate("steps")
    gaps = [after - before for before, after in itertools.pairwise(steps)]
    return f"{len(steps)} steps in {seconds:.0f} s, the longest after {max(gaps):.0f} ms"


def main() -> None:
    with running_space() as server, running([sys.executable, "-c", BARE]) as bare, chromium() as browser:
        is_there = "document.querySelector('#bare') && performance.now()"
        there = statistics.median(opening(browser, bare.address, is_there)[0] for _ in range(OPENINGS))
        marked = MARKED.format("first"), MARKED.format("live")
        opened = [opening(browser, server.address, *marked) for _ in range(OPENINGS)]
        first, live, megabytes = (statistics.median(values) for values in zip(*opened, strict=True))
        print(f"bare Gradio page: {there:.2f} s")
        print(f"first image: {first:.2f} s, {first - there:+.2f} s; with its own weights {live - first:.2f} s later")
        print(f"fetched until then: {megabytes:.1f} MB")
        page, _ = far_page(browser)
        page.goto(server.address)
        page.wait_for_selector("#strip button:not(.waiting)")
        page.wait_for_function("() => !document.querySelector('.waiting')", timeout=120_000)
        page.wait_for_timeout(20_000)  # until all that is fetched in idle time is there
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        keys(page, "#noise input[type=range]", 20)  # warm-up
        print("noise slider to image:", keys(page, "#noise input[type=range]", MOVES))
        print("beta slider to image:", keys(page, "#beta input[type=range]", MOVES))
        print("pointer over a cell to card:", hover(page, MOVES))
        print("Play:", play(page, STEPS / 5))
        print(f"requests meanwhile: {len(requests)} {requests[:3] if requests else ''}")


if __name__ == "__main__":
    main()
