"""The page in a real browser: every control does what its label says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from sae_model import list_variants

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# The stops of the slider as the page opens
STOPS = [name for name in list_variants() if name == "dense" or (name.startswith("l1-") and "-noise-" not in name)]
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
NOISE, BETA = "#noise input[type=range]", "#beta input[type=range]"


def open_page(browser: Browser, address: str, **options: object) -> Page:
    page = browser.new_context(viewport=WIDE, **options).new_page()
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(address)
    page.wait_for_selector("#pictures .way img")
    page.wait_for_selector(BETA)
    return page


@pytest.fixture
def page(browser: Browser, server: str) -> Iterator[Page]:
    page = open_page(browser, server)
    yield page
    assert page.errors == []
    page.context.close()


def pictures(page: Page) -> list[str]:
    """Sources of clean, noisy, latents and rebuilt picture."""
    return page.eval_on_selector_all("#pictures .way img", "images => images.map(image => image.src)")


def change(page: Page, selector: str, value: str) -> None:
    """Move a slider and wait until the picture that follows from it is another one."""
    before = pictures(page)
    page.fill(selector, value)
    wait_for_another(page, before[3])


def wait_for_another(page: Page, rebuilt: str) -> None:
    page.wait_for_function(
        "old => { const images = document.querySelectorAll('#pictures .way img');"
        "return images.length === 4 && images[3].src !== old && [...images].every(i => i.complete && i.naturalWidth) }",
        arg=rebuilt,
    )


def test_the_first_page_shows_everything_at_once(page: Page) -> None:
    assert page.title() == "Sparse autoencoders, by touch"
    assert page.locator("#pictures .way img").count() == 4
    assert page.locator("#pictures .strip figure").count() == len(STOPS)
    assert page.locator("#pictures .strip figure.chosen").count() == 1
    assert page.locator("#figures svg").count() == 2
    for words in ("Mean activation", "effective L0", "FVU"):
        assert words in page.inner_text("#figures table")
    decibels = page.locator("#pictures .strip figcaption").all_inner_texts()
    assert all(re.search(r"\d+\.\d dB", text) for text in decibels)


def test_noise_changes_noisy_and_rebuilt_pictures_but_not_the_clean_one(page: Page) -> None:
    change(page, NOISE, "0.1")
    little = pictures(page)
    change(page, NOISE, "0.9")
    much = pictures(page)
    assert little[0] == much[0]
    assert all(one != other for one, other in zip(little[1:], much[1:], strict=True))
    change(page, NOISE, "0.1")
    assert pictures(page) == little, "the draw of the noise must stay the same"


def test_without_noise_the_noisy_picture_is_the_clean_one(page: Page) -> None:
    change(page, NOISE, "0")
    clean, noisy, _, _ = pictures(page)
    assert clean == noisy


def test_beta_changes_latents_rebuilt_picture_histograms_and_table(page: Page) -> None:
    seen = []
    for stop in (1, len(STOPS) - 1):
        change(page, BETA, str(stop))
        page.wait_for_function(
            "name => document.querySelector('#figures h2').textContent.startsWith(name)", arg=STOPS[stop]
        )
        assert STOPS[stop] in page.inner_text("#pictures .strip figure.chosen")
        assert STOPS[stop] in page.inner_text("#told")
        page.wait_for_selector(f"{BETA}[aria-valuetext='{STOPS[stop]}']")
        seen.append((*pictures(page), page.inner_html("#figures svg >> nth=0"), page.inner_text("#figures table")))
    weak, strong = seen
    assert weak[:2] == strong[:2]
    assert all(one != other for one, other in zip(weak[2:], strong[2:], strict=True))


def test_arrow_keys_move_both_sliders(page: Page) -> None:
    for selector in (NOISE, BETA):
        before = pictures(page)
        page.focus(selector)
        page.keyboard.press("ArrowLeft")
        wait_for_another(page, before[3])


def test_a_digit_can_be_picked_and_another_one_of_it(page: Page) -> None:
    first = pictures(page)
    page.locator("#digit").get_by_role("radio", name="3", exact=True).check()
    wait_for_another(page, first[3])
    three = pictures(page)
    assert three[0] != first[0]
    assert "rebuilds this 3" in page.inner_text("#told")
    page.get_by_role("button", name="Another one of these").click()
    wait_for_another(page, three[3])
    assert pictures(page)[0] != three[0]
    assert "rebuilds this 3" in page.inner_text("#told")


def test_any_digit_may_come_and_its_class_is_then_the_chosen_one(page: Page) -> None:
    before = pictures(page)
    page.get_by_role("button", name="Any digit").click()
    wait_for_another(page, before[3])
    label = page.locator("#digit input:checked").get_attribute("value")
    assert f"rebuilds this {label}" in page.inner_text("#told")


def test_noise_can_be_drawn_anew(page: Page) -> None:
    before = pictures(page)
    page.get_by_role("button", name="Draw the noise anew").click()
    wait_for_another(page, before[3])
    after = pictures(page)
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_every_picture_and_control_has_a_name_for_those_who_do_not_see_it(page: Page) -> None:
    assert all(page.eval_on_selector_all("img", "images => images.map(image => image.alt)"))
    assert all(page.eval_on_selector_all("#figures svg", "charts => charts.map(c => c.getAttribute('aria-label'))"))
    for selector in (NOISE, BETA):
        assert page.get_attribute(selector, "aria-label"), selector


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_nothing_sticks_out_at_the_side(browser: Browser, server: str, scheme: str, size: dict) -> None:
    page = open_page(browser, server, color_scheme=scheme)
    page.set_viewport_size(size)
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    page.context.close()


def test_the_page_asks_nobody_else(browser: Browser, server: str) -> None:
    page = browser.new_context().new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server)
    page.wait_for_selector("#pictures .way img")
    assert [url for url in asked if not url.startswith((server, "data:", "blob:"))] == []
    page.context.close()
