"""The address holds the state: links, Back and Forward, copying, errors; two visitors apart."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.space.browser import at, pixels, slide, stroke, visit, wait_for_models

RECONSTRUCTION = "#reconstruction canvas"


def test_a_link_restores_everything_in_another_tab(open_tab: Callable[[str], Page], page: Page) -> None:
    link = "?digit=12&sigma=0.45&seed=7&model=adaptive-topk&k=10&set=137:2.5+9:0&beside=l1-1&tab=strokes&lang=ru"
    visit(page, f"{link}&label=3&target=0.25&bins=equal&reveal=3")
    wait_for_models(page)
    assert page.get_attribute("html", "lang") == "ru"
    assert page.get_attribute("#tab-atoms", "aria-selected") == "true"
    assert page.locator(".undo").count() == 2
    assert page.inner_text("#reveal output") == "3"
    page.click("#tab-see")
    assert page.locator(".model h2 bdi").all_inner_texts() == ["adaptive-topk, k = 10", "l1-1"]
    assert page.input_value("#noise input[type=number]") == "0.45"
    assert page.locator("#latents .ring.edited").count() == 2
    shown = pixels(page, RECONSTRUCTION)
    other = open_tab(page.url)
    assert pixels(other, RECONSTRUCTION) == shown
    assert other.is_checked("input[name=bins][value=equal]")
    other.click("#tab-classes")
    assert other.inner_text("#class button[aria-pressed=true]") == "3"
    other.click("#tab-rates")
    assert other.inner_text("#target output") == "0.25"
    other.click("#tab-see")
    slide(page, "#noise", 0.9)
    assert other.input_value("#noise input[type=range]") == "0.45"  # each tab has a state of its own


def test_links_of_earlier_pages_open(page: Page) -> None:
    for query, stop, value in (
        ("digit=3&sigma=0.3&seed=0&model=l1-1&lang=en", "l1-1", None),
        ("digit=3&model=l1-0.1&method=noise", "l1-0.1", None),
        ("model=adaptive-l1&beta=0.55", "adaptive-l1, beta ", 0.55),
        ("model=lecture&tab=rates", "lecture", None),
        ("model=dense", "dense", None),
    ):
        visit(page, f"?{query}")
        shown, _, asked = page.get_attribute("#beta input[type=range]", "aria-valuetext").partition("=")
        assert shown == stop
        assert value is None or float(asked) == pytest.approx(value, rel=0.02)
        assert page.locator("#trouble p").count() == 0


def test_a_wrong_link_is_answered_in_one_line(open_tab: Callable[[str], Page], site: str) -> None:
    page = open_tab(f"{site}?digit=99999")
    assert "digit_index" in page.inner_text("#trouble")
    for query, words in (
        ("digit=1.5", "digit_index"),
        ("sigma=2", "sigma"),
        ("sigma=x", "sigma"),
        ("seed=-1", "seed"),
        ("label=10", "label in the link must be a number from 0 to 9"),
        ("target=1", "target"),
        ("tab=nowhere", "nowhere"),
        ("model=l1-1&method=topk", "l1-1"),
        ("beside=nothing", "nothing"),
        ("beside=%3Cimg+src%3Dx+onerror%3D%22window.hurt%3D1%22%3E", "<img"),  # which is shown as text
        ("set=7", "137:0"),
        ("set=900:1", "899"),
        ("set=1:99999", "137:0"),
        ("draw=%3Cscript%3E", "damaged"),
        ("draw=abc", "damaged"),
    ):
        visit(page, f"?{query}")
        said = page.inner_text("#trouble")
        assert words in said, query
        assert "\n" not in said
        assert page.locator(RECONSTRUCTION).count() == 1  # the page is as it is without a link
    assert page.evaluate("window.hurt") is None


def test_back_and_forward_work_also_on_a_page_that_a_link_opened(open_tab: Callable[[str], Page], site: str) -> None:
    page = open_tab(f"{site}?digit=1&model=l1-1&lang=en&__theme=dark")
    opened, first = page.url, pixels(page, RECONSTRUCTION)
    page.locator("#digit .digits label", has_text="4").click()
    page.wait_for_timeout(900)
    slide(page, "#noise", 0.5)
    slide(page, "#noise", 0.6)  # a drag makes one entry
    expect(page).to_have_url(re.compile("sigma=0.6.*__theme=dark"))
    moved = page.url
    page.go_back()
    page.wait_for_function("() => document.querySelector('#noise input').value === '0.3'")
    page.go_back()
    page.wait_for_function("(url) => location.href === url", arg=opened)
    assert pixels(page, RECONSTRUCTION) == first
    page.go_forward()
    page.go_forward()
    page.wait_for_function("(url) => location.href === url", arg=moved)
    assert page.input_value("#noise input[type=range]") == "0.6"
    page.wait_for_timeout(900)
    page.locator("#languages button").click()
    page.wait_for_selector("html[lang=ru]")
    page.go_back()
    page.wait_for_selector("html[lang=en]")
    assert "lang=en" in page.url
    assert page.locator("#languages button").inner_text() == "Русский"
    button = page.locator("#copy-link")
    words = button.inner_text()
    button.dblclick()
    expect(button).to_have_text("Link copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    expect(button).to_have_text(words)


def test_a_browser_that_refuses_many_changes_of_the_address_gets_few_and_the_page_goes_on(page: Page) -> None:
    """Safari throws an error where a page writes its address more than 100 times in 30 seconds."""
    page.evaluate(
        """() => {
          Object.assign(window, { writes: [], refuses: false });
          for (const name of ['pushState', 'replaceState']) {
            history[name] = function (...given) {
              writes.push(performance.now());
              if (refuses) throw new DOMException('', 'SecurityError');
              return History.prototype[name].apply(this, given);
            };
          }
          const slider = document.querySelector('#noise input[type=range]');
          for (let i = 0; i < 60; i++) {
            slider.value = i / 100;
            slider.dispatchEvent(new Event('input', {bubbles: true}));
          }
        }"""
    )
    expect(page).to_have_url(re.compile("sigma=0.59"))
    assert page.evaluate("writes.length") == 2  # at the start of the drag and at its end
    page.evaluate("refuses = true")
    slide(page, "#noise", 0.8)
    assert "0.8" in page.inner_text(".given .noisy figcaption")
    page.wait_for_timeout(300)  # longer than an address waits until the hand rests
    page.evaluate("refuses = false")
    expect(page).to_have_url(re.compile("sigma=0.8"))
    page.evaluate("writes = []")
    stroke(page, (0.1, 0.1), lift=False)
    for turn in range(100):
        page.mouse.move(*at(page, 0.2 + 0.6 * (turn % 2), 0.1 + 0.008 * turn), steps=5)
        if page.evaluate("writes.length") > 3:
            break
    page.mouse.up()
    times = page.evaluate("writes")
    assert len(times) > 3
    assert np.diff(times).mean() > 180  # so often, in ms, a stroke is followed; one may be late, and the next one not
    page.evaluate("delete history.pushState, delete history.replaceState")
