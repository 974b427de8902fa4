"""How the tests, and the scripts that look at the page, open it in a real browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

# Names of models, metrics, parameters, files and sites, and what one types; each is the same in every language.
NAMES = set(
    re.findall(
        r"\w+",
        "dense lecture topk adaptive noise l1 kl image neuron KL L0 L1 Top top log tanh beta sigma seed bce PSNR FVU "
        "JumpReLU jumprelu batch jump nested matryoshka "
        "MNIST model bias lg Hub Hugging Face Space Enter Escape Tab owner name revision python training report push "
        "Gradio English README exp",
    )
)

STEP = "Number(document.querySelector('#train table td')?.textContent.split(' ')[0] ?? -1)"
SAID = "document.querySelector('#train-said').innerText"
"""Of a training in Learn: the step that is shown, and what is said."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium, the one that is installed.

    Raises:
        FileNotFoundError: there is none.
    """
    found = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if found is None:
        raise FileNotFoundError("No Chromium on this machine: install one (apt-get install chromium) to see the page.")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"]
        )
        yield browser
        browser.close()


def new_window(browser: Browser, **options: object) -> BrowserContext:
    """A window in which the page is wide and in English, unless `options` say otherwise."""
    return browser.new_context(**{"viewport": WIDE, "locale": "en-GB"} | options)


def open_in(window: BrowserContext, address: str) -> Page:
    """The page in a tab of a window, ready; errors of its scripts are collected in `errors`."""
    page = window.new_page()
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(address)
    wait_for_models(page)
    return page


def wait_for_models(page: Page) -> None:
    """Wait until what is asked for is drawn, by the models that are named."""
    page.wait_for_selector("#panel > *", state="attached")
    page.wait_for_function("() => !document.querySelector('#panel .waiting')")
    # What the page itself carries is drawn first, in half precision.
    page.wait_for_function(
        "() => { const drawn = (name) => performance.getEntriesByName(name).length;"
        " return drawn('live image') >= drawn('first image'); }"
    )
    page.wait_for_timeout(200)  # what is drawn when the hand rests


def settle(page: Page) -> None:
    """Wait until what is drawn when the hand rests, and in idle time, is drawn: much shorter than `wait_for_models`."""
    page.wait_for_function("() => !document.querySelector('#panel .waiting')")
    page.evaluate(
        """async () => {
          const { idle } = await import('web/idle.js');
          await new Promise((done) => setTimeout(done, 150));
          const ask = window.requestIdleCallback;
          window.requestIdleCallback = (call) => setTimeout(call);  // a busy machine has few idle moments
          // Jobs take turns, and none has more steps than this one.
          await new Promise((done) => idle('last', function* () { for (let i = 0; i < 300; i++) yield; done(); }));
          window.requestIdleCallback = ask;
          await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        }"""
    )


def visit(page: Page, query: str) -> None:
    """Let the page read another query of its address, as Back and Forward do; much faster than to open it anew."""
    page.evaluate(
        """async (query) => {
          history.pushState(null, '', query);
          dispatchEvent(new PopStateEvent('popstate'));
          await new Promise((done) => setTimeout(done, 100));
        }""",
        query,
    )


def keep_a_model(page: Page, patience: float = 120_000) -> None:
    """Train for a moment in Learn, and keep what it came to."""
    page.click("#train-step")
    page.wait_for_function(f"/Paused|Done/.test({SAID})", timeout=patience)
    page.click("#train-keep")
    page.wait_for_selector("#train-file[href]", timeout=patience)


def pixels(page: Page, selector: str) -> list[int]:
    """Red, green and blue of a canvas, row by row."""
    return page.eval_on_selector(
        selector,
        """(canvas) => {
          const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
          return [...data].filter((_, i) => i % 4 < 3);
        }""",
    )


def slide(page: Page, selector: str, value: float) -> None:
    """Move a slider to a value, as a hand does."""
    page.locator(f"{selector} input[type=range]").fill(str(value))


def at(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where in the window a place of the canvas is, in shares of its sides."""
    page.locator("#draw canvas").scroll_into_view_if_needed()
    box = page.locator("#draw canvas").bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def stroke(page: Page, *places: tuple[float, float], lift: bool = True) -> None:
    """Draw with the mouse from place to place."""
    page.mouse.move(*at(page, *places[0]))
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*at(page, *place), steps=5)
    if lift:
        page.mouse.up()


@contextmanager
def touching(page: Page) -> Iterator[Callable[..., None]]:
    """A finger's screen: call it with "Start", "Move" or "End", and with the places in the window that are touched."""
    client = page.context.new_cdp_session(page)

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
        client.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})

    client.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    yield touch
    client.send("Emulation.setTouchEmulationEnabled", {"enabled": False})
    client.detach()


def english_in(page: Page) -> set[str]:
    """English words that a visitor reads or hears."""
    texts = page.evaluate(
        """() => {
          const found = [document.title];
          const names = ['aria-label', 'aria-valuetext', 'alt', 'title', 'placeholder', 'data-tip'];
          for (const e of document.querySelectorAll('.bench *'))
            for (const name of names) found.push(e.getAttribute(name) ?? '');
          const nodes = document.createTreeWalker(document.querySelector('.bench'), NodeFilter.SHOW_TEXT);
          while (nodes.nextNode())
            if (nodes.currentNode.parentElement.checkVisibility()) found.push(nodes.currentNode.data);
          return found;
        }"""
    )
    return set(re.findall(r"[A-Za-z]{2,}", " ".join(texts))) - NAMES
