"""The page in a real browser: every control does what its label says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from sae_model.zoo import ZOO
from tests.space.browser import NARROW, WIDE, open_page, stroke
from training.fit.zoo import LECTURE, RECIPES
from training.measure.evaluation import Evaluation
from training.words import CATALOGS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# The stops of the slider as the page opens
STOPS = [recipe.name for recipe in RECIPES if recipe.family == "l1"] + [LECTURE.name]
NOISE, BETA = "#noise input[type=range]", "#beta input[type=range]"


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
    assert page.locator("#strip button").count() == len(STOPS)
    assert page.locator("#strip button.chosen").count() == 1
    assert page.locator("#histograms svg").count() == 2
    for words in ("Mean activation", "Effective L0", "Variance lost"):
        assert words in page.inner_text("#metrics table")
    decibels = page.locator("#strip button").all_inner_texts()
    assert all(re.search(r"\d+\.\d dB", text) for text in decibels)
    # What those hear who do not see it
    assert all(page.eval_on_selector_all("img", "images => images.map(image => image.alt)"))
    assert all(page.eval_on_selector_all("#histograms svg", "charts => charts.map(c => c.getAttribute('aria-label'))"))
    for selector in (NOISE, BETA):
        assert page.get_attribute(selector, "aria-label"), selector


def test_noise_changes_all_but_the_clean_image(page: Page) -> None:
    change(page, NOISE, "0.1")
    little = sources(page)
    before = [page.inner_html(f"#histograms svg >> nth={i}") for i in (0, 1)]
    change(page, NOISE, "0.9")
    much = sources(page)
    page.wait_for_function("old => document.querySelectorAll('#histograms svg')[1].innerHTML !== old", arg=before[1])
    assert page.inner_html("#histograms svg >> nth=0") != before[0]
    assert little[0] == much[0]
    assert all(one != other for one, other in zip(little[1:], much[1:], strict=True))
    change(page, NOISE, "0.1")
    assert sources(page) == little, "the draw of the noise must stay the same"
    change(page, NOISE, "0")
    clean, noisy, _, _ = sources(page)
    assert clean == noisy


def test_beta_changes_latents_reconstruction_histograms_and_table(page: Page) -> None:
    seen = []
    for stop in (len(STOPS) - 1, 1):
        change(page, BETA, str(stop))
        page.wait_for_function(
            "name => document.querySelector('#metrics th').textContent === name"
            "&& document.querySelector('#strip .chosen b').textContent === name",
            arg=STOPS[stop],
        )
        assert STOPS[stop] in page.inner_text("#summary")
        page.wait_for_selector(f"{BETA}[aria-valuetext='{STOPS[stop]}']")
        seen.append((*sources(page), page.inner_html("#histograms svg >> nth=0"), page.inner_text("#metrics table")))
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
    clean = float(page.inner_text("#metrics td >> nth=0"))
    change(page, BETA, "0")
    page.wait_for_function("document.querySelector('#metrics th').textContent === 'dense'")
    noisy = float(page.inner_text("#metrics td >> nth=0"))
    assert errors["dense"] > 2 * errors[best]
    assert noisy > 2 * clean


def test_arrow_keys_move_both_sliders(page: Page) -> None:
    for selector in (NOISE, BETA):
        before = sources(page)
        page.focus(selector)
        page.keyboard.press("ArrowRight")
        wait_for_another(page, before[3])


def test_a_digit_can_be_picked_and_another_one_of_it_and_any_one_and_new_noise(page: Page) -> None:
    first = sources(page)
    page.locator("#digit").get_by_role("radio", name="3", exact=True).check()
    wait_for_another(page, first[3])
    three = sources(page)
    assert three[0] != first[0]
    page.wait_for_function("document.querySelector('#summary').innerText.includes('carry this 3')")
    page.get_by_role("button", name="Another one").click()
    wait_for_another(page, three[3])
    another = sources(page)
    assert another[0] != three[0]
    page.wait_for_function("document.querySelector('#summary').innerText.includes('carry this 3')")
    page.get_by_role("button", name="New noise").click()
    wait_for_another(page, another[3])
    noisy = sources(page)
    assert noisy[0] == another[0]
    assert noisy[1] != another[1]
    page.get_by_role("button", name="Any digit").click()
    wait_for_another(page, noisy[3])
    label = page.locator("#digit input:checked").get_attribute("value")  # the class of what came
    page.wait_for_function(f"document.querySelector('#summary').innerText.includes('carry this {label}')")


def test_a_drawing_becomes_the_image_until_it_is_cleared_or_a_digit_is_picked(page: Page) -> None:
    first = sources(page)
    strip = page.locator("#strip img").first.get_attribute("src")
    page.locator("#draw canvas").scroll_into_view_if_needed()
    stroke(page, (0.5, 0.2), (0.5, 0.8))
    page.wait_for_function("document.querySelector('#summary').innerText.includes('carry this drawing')")
    page.wait_for_timeout(500)  # the last of several answers to one stroke
    drawn = sources(page)
    assert all(one != other for one, other in zip(first, drawn, strict=True))
    assert page.locator("#digit input:checked").count() == 0
    assert page.locator("#strip img").first.get_attribute("src") != strip
    change(page, NOISE, "0.6")
    assert sources(page)[0] == drawn[0]
    change(page, BETA, "0")
    assert sources(page)[0] == drawn[0]
    page.locator("#draw").get_by_role("button", name="Clear").click()
    page.wait_for_function("document.querySelector('#summary').innerText.includes('carry this 7')")
    assert sources(page)[0] == first[0]
    assert page.locator("#digit input:checked").get_attribute("value") == "7"
    page.locator("#draw canvas").click()
    page.wait_for_function("document.querySelector('#summary').innerText.includes('carry this drawing')")
    page.get_by_role("button", name="Another one").click()  # of the class that was there before
    page.wait_for_function("document.querySelector('#summary').innerText.includes('carry this 7')")
    page.wait_for_selector("#digit input[value='7']:checked")
    page.locator("#draw canvas").click()
    page.wait_for_function("document.querySelector('#summary').innerText.includes('carry this drawing')")
    page.locator("#digit").get_by_role("radio", name="3", exact=True).check()
    page.wait_for_function("document.querySelector('#summary').innerText.includes('carry this 3')")
    page.wait_for_selector("#draw .frame.empty")


@pytest.mark.parametrize("language", CATALOGS)
def test_everything_of_the_first_tab_is_on_one_screen(browser: Browser, server: str, language: str) -> None:
    page = open_page(browser, f"{server}/?lang={language}")
    page.set_viewport_size({"width": 1280, "height": 800})
    page.wait_for_timeout(300)
    for part in (
        "#method",
        "#beta",
        "#noise",
        "#digit",
        "#draw",
        "#images",
        "#summary",
        "#strip",
        "#histograms",
        "#metrics",
    ):
        box = page.locator(part).bounding_box()
        assert box["y"] >= 0, part
        assert box["y"] + box["height"] <= 800, part
    page.context.close()


def test_nothing_sticks_out_at_the_side(page: Page) -> None:
    for size in (WIDE, NARROW):
        page.set_viewport_size(size)
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


def test_on_a_phone_sliders_and_images_are_seen_together_and_every_tab_is_in_reach(page: Page) -> None:
    page.set_viewport_size(NARROW)
    page.wait_for_timeout(500)
    for scrolled in (0, 60):
        page.evaluate(f"window.scrollTo(0, {scrolled})")
        top = page.locator("#sliders").bounding_box()["y"]
        assert top > 600  # in reach of a thumb
        for slider in (NOISE, BETA):
            box = page.locator(slider).bounding_box()
            assert top < box["y"] < NARROW["height"] - 5
    shown = [image.bounding_box() for image in page.locator("#images .steps img").all()]
    assert all(box["y"] > 0 and box["y"] + box["height"] < top for box in shown)
    before = sources(page)
    page.fill(NOISE, "0.8")
    wait_for_another(page, before[3])
    for name in ("Strokes", "Classes", "Rates", "Frontier", "Figures", "See"):
        tab = page.locator("#tabs").get_by_role("tab", name=name, exact=True)
        box = tab.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= NARROW["width"]
        tab.click()
        page.wait_for_selector(f"#tabs [role=tab][aria-selected=true]:text-is('{name}')")


def test_the_tens_bins_of_the_lecture_are_one_click_away(page: Page) -> None:
    logarithmic = page.inner_html("#histograms")
    assert logarithmic.count("exactly 0") >= 2
    page.locator("#bins").get_by_role("radio", name="ten equal").check()
    page.wait_for_function("!document.querySelector('#histograms').textContent.includes('exactly 0')")
    assert page.locator("#histograms svg rect.bar").count() == 20


def test_the_page_asks_nobody_else(browser: Browser, server: str) -> None:
    page = browser.new_context().new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server)
    page.wait_for_selector("#images .steps img")
    assert [url for url in asked if not url.startswith((server, "data:", "blob:"))] == []
    page.context.close()


def test_a_page_that_nobody_touches_asks_for_nothing(page: Page) -> None:
    """Two listeners of Gradio's client can wake each other without end."""
    page.fill("#noise input[type=range]", "0.55")
    page.wait_for_function("document.querySelector('#images').innerText.includes('With noise 0.55')")
    page.wait_for_timeout(1500)
    asked = []
    page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    page.wait_for_timeout(1500)
    assert asked == []


def test_the_chosen_method_is_seen_under_the_mouse_too(page: Page) -> None:
    page.locator("#method label").nth(1).click()
    page.focus(BETA)
    dot = "getComputedStyle(document.querySelector('#method input:checked')).backgroundColor"
    page.mouse.move(900, 500)
    page.wait_for_timeout(400)
    away = page.evaluate(dot)
    page.locator("#method label").nth(1).locator("input").hover()
    page.wait_for_timeout(400)
    assert page.evaluate(dot) == away != "rgb(255, 255, 255)"


def test_what_is_typed_beyond_a_slider_is_its_end(page: Page) -> None:
    field = page.locator("#noise input[type=number]")
    for typed, sigma, words in (("5", "1", "With noise 1"), ("", "0", "no noise")):
        field.fill(typed)
        page.wait_for_timeout(600)  # it is drawn as it is typed; the browser mends the field when one leaves it
        page.keyboard.press("Tab")
        page.wait_for_function("words => document.querySelector('#images').innerText.includes(words)", arg=words)
        assert page.input_value(NOISE) == sigma


def test_the_slider_of_a_method_cannot_be_reset_to_that_of_another(page: Page) -> None:
    assert page.locator("#beta button").filter(visible=True).count() == 0
    page.get_by_role("radio", name="Top k", exact=True).check()
    page.wait_for_function("document.querySelector('#summary b').textContent.startsWith('topk')")
    page.get_by_role("tab", name="Frontier").click()
    page.wait_for_function("document.querySelector('#frontier .now b')?.textContent.startsWith('topk')")
