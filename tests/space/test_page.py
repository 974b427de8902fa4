"""The page in a real browser: every control does what its label says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from sae_model.zoo import ZOO
from tests.space.browser import NARROW, WIDE, open_page
from training.evaluation import Evaluation
from training.zoo import LECTURE, RECIPES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# The stops of the slider as the page opens
STOPS = [recipe.name for recipe in RECIPES if recipe.family == "l1"] + [LECTURE.name]
NOISE, BETA = "#noise input[type=range]", "#beta input[type=range]"


@pytest.fixture
def page(browser: Browser, server: str) -> Iterator[Page]:
    page = open_page(browser, server)
    yield page
    assert page.errors == []
    page.context.close()


def sources(page: Page) -> list[str]:
    """Sources of the clean image, the noisy one, the latents and the reconstruction."""
    return page.eval_on_selector_all("#images .steps img", "images => images.map(image => image.src)")


def change(page: Page, selector: str, value: str) -> None:
    """Move a slider and wait until the reconstruction is another one."""
    before = sources(page)
    page.fill(selector, value)
    wait_for_another(page, before[3])


def wait_for_another(page: Page, reconstruction: str) -> None:
    page.wait_for_function(
        "old => { const images = document.querySelectorAll('#images .steps img');"
        "return images.length === 4 && images[3].src !== old && [...images].every(i => i.complete && i.naturalWidth) }",
        arg=reconstruction,
    )


def test_the_first_page_shows_everything_at_once(page: Page) -> None:
    assert page.title() == "Sparse autoencoders, by touch"
    assert page.locator("#images .steps img").count() == 4
    assert page.locator("#images .strip figure").count() == len(STOPS)
    assert page.locator("#images .strip figure.chosen").count() == 1
    assert page.locator("#metrics svg").count() == 2
    for words in ("Mean activation", "effective L0", "FVU"):
        assert words in page.inner_text("#metrics table")
    decibels = page.locator("#images .strip figcaption").all_inner_texts()
    assert all(re.search(r"\d+\.\d dB", text) for text in decibels)


def test_noise_changes_noisy_image_and_reconstruction_but_not_the_clean_image(page: Page) -> None:
    change(page, NOISE, "0.1")
    little = sources(page)
    change(page, NOISE, "0.9")
    much = sources(page)
    assert little[0] == much[0]
    assert all(one != other for one, other in zip(little[1:], much[1:], strict=True))
    change(page, NOISE, "0.1")
    assert sources(page) == little, "the draw of the noise must stay the same"


def test_without_noise_the_noisy_image_is_the_clean_one(page: Page) -> None:
    change(page, NOISE, "0")
    clean, noisy, _, _ = sources(page)
    assert clean == noisy


def test_beta_changes_latents_reconstruction_histograms_and_table(page: Page) -> None:
    seen = []
    for stop in (len(STOPS) - 1, 1):
        change(page, BETA, str(stop))
        page.wait_for_function(
            "name => document.querySelector('#metrics h2').textContent.startsWith(name)", arg=STOPS[stop]
        )
        assert STOPS[stop] in page.inner_text("#images .strip figure.chosen")
        assert STOPS[stop] in page.inner_text("#summary")
        page.wait_for_selector(f"{BETA}[aria-valuetext='{STOPS[stop]}']")
        seen.append((*sources(page), page.inner_html("#metrics svg >> nth=0"), page.inner_text("#metrics table")))
    strong, weak = seen
    assert weak[:2] == strong[:2]
    assert all(one != other for one, other in zip(weak[2:], strong[2:], strict=True))


def test_without_a_penalty_noise_comes_through_and_where_the_page_opens_it_is_left_out(page: Page) -> None:
    errors = {
        name: Evaluation.read(ZOO / name / "evaluation.json").denoise_mse["0.3"]
        for name in STOPS
        if name != LECTURE.name
    }
    best = min(errors, key=errors.get)
    assert best == page.inner_text("#summary b >> nth=0")
    assert best not in (STOPS[0], STOPS[-2])
    assert f"{errors[best]:.4f} at {best}, the lowest" in page.inner_text("#stops .turn")
    clean = float(page.inner_text("#metrics td >> nth=1"))
    change(page, BETA, "0")
    page.wait_for_selector(f"{BETA}[aria-valuetext='dense']")
    noisy = float(page.inner_text("#metrics td >> nth=1"))
    assert errors["dense"] > 2 * errors[best]
    assert noisy > 2 * clean


def test_arrow_keys_move_both_sliders(page: Page) -> None:
    for selector in (NOISE, BETA):
        before = sources(page)
        page.focus(selector)
        page.keyboard.press("ArrowRight")
        wait_for_another(page, before[3])


def test_a_digit_can_be_picked_and_another_one_of_it(page: Page) -> None:
    first = sources(page)
    page.locator("#digit").get_by_role("radio", name="3", exact=True).check()
    wait_for_another(page, first[3])
    three = sources(page)
    assert three[0] != first[0]
    assert "reconstructs this 3" in page.inner_text("#summary")
    page.get_by_role("button", name="Another one of these").click()
    wait_for_another(page, three[3])
    assert sources(page)[0] != three[0]
    assert "reconstructs this 3" in page.inner_text("#summary")


def test_any_digit_may_come_and_its_class_is_then_the_chosen_one(page: Page) -> None:
    before = sources(page)
    page.get_by_role("button", name="Any digit").click()
    wait_for_another(page, before[3])
    label = page.locator("#digit input:checked").get_attribute("value")
    assert f"reconstructs this {label}" in page.inner_text("#summary")


def test_a_drawing_becomes_the_image_and_the_digit_comes_back(page: Page) -> None:
    first = sources(page)
    strip = page.locator("#images .strip img").first.get_attribute("src")
    page.locator("#draw canvas").scroll_into_view_if_needed()
    box = page.locator("#draw canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 5
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 0.6 * box["height"], steps=6)
    page.mouse.up()
    page.wait_for_function("document.querySelector('#summary').innerText.includes('reconstructs this drawing')")
    page.wait_for_timeout(500)  # the last of several answers to one stroke
    drawn = sources(page)
    assert all(one != other for one, other in zip(first, drawn, strict=True))
    assert page.locator("#images .strip img").first.get_attribute("src") != strip
    change(page, NOISE, "0.6")
    assert sources(page)[0] == drawn[0]
    change(page, BETA, "0")
    assert sources(page)[0] == drawn[0]
    page.locator("#draw").get_by_role("button", name="Clear").click()
    page.wait_for_function("document.querySelector('#summary').innerText.includes('reconstructs this 7')")
    assert sources(page)[0] == first[0]


def test_a_digit_that_is_picked_takes_the_place_of_a_drawing(page: Page) -> None:
    page.locator("#draw canvas").click()
    page.wait_for_function("document.querySelector('#summary').innerText.includes('reconstructs this drawing')")
    page.locator("#digit").get_by_role("radio", name="3", exact=True).check()
    page.wait_for_function("document.querySelector('#summary').innerText.includes('reconstructs this 3')")
    page.wait_for_selector("#draw .frame.empty")


def test_noise_can_be_drawn_anew(page: Page) -> None:
    before = sources(page)
    page.get_by_role("button", name="Draw the noise anew").click()
    wait_for_another(page, before[3])
    after = sources(page)
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_every_image_and_control_has_a_name_for_those_who_do_not_see_it(page: Page) -> None:
    assert all(page.eval_on_selector_all("img", "images => images.map(image => image.alt)"))
    assert all(page.eval_on_selector_all("#metrics svg", "charts => charts.map(c => c.getAttribute('aria-label'))"))
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
    page.wait_for_selector("#images .steps img")
    assert [url for url in asked if not url.startswith((server, "data:", "blob:"))] == []
    page.context.close()
