"""The other tabs in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture
def page(browser: Browser, server: str) -> Iterator[Page]:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(server)
    page.wait_for_selector("#pictures .way img")
    page.wait_for_selector("#beta input[aria-valuetext]")
    yield page
    assert errors == []
    page.context.close()


def open_tab(page: Page, name: str, selector: str) -> None:
    page.get_by_role("tab", name=name).click()
    page.wait_for_selector(selector)


def test_every_way_of_being_sparse_can_be_chosen(page: Page) -> None:
    for title, chosen in (
        ("KL per image", "kl-image-0.1"),
        ("KL per latent", "kl-neuron-0.1"),
        ("Exactly k", "topk-25"),
        ("Any k, one network", "adaptive-topk, k = 25"),
        ("Trained on noise", "l1-0.01-noise-0.6"),
        ("L1 penalty", "l1-0.3"),
    ):
        page.locator("#way").get_by_role("radio", name=title, exact=True).check()
        page.wait_for_function("name => document.querySelector('#told b').textContent === name", arg=chosen)
        page.wait_for_selector(f"#beta input[aria-valuetext='{chosen}']")
        assert page.locator("#pictures figure.chosen").count() == 1
        assert page.inner_text("#figures h2").startswith(chosen)


def test_one_network_serves_every_k(page: Page) -> None:
    page.locator("#way").get_by_role("radio", name="Any k, one network").check()
    page.wait_for_selector("#beta input[aria-valuetext='adaptive-topk, k = 25']")
    for stop, k in (("0", 1), ("8", 900)):
        page.fill("#beta input[type=range]", stop)
        page.wait_for_selector(f"#beta input[aria-valuetext='adaptive-topk, k = {k}']")


def test_a_click_on_a_map_introduces_that_latent(page: Page) -> None:
    open_tab(page, "Who fires for what", "#maps .maps img")
    assert page.locator("#maps .maps img").count() == 10
    picture = page.locator("#maps .maps img").nth(3)
    box = picture.bounding_box()
    # the middle of the cell in row 4, column 17
    picture.click(position={"x": (17.5 / 30) * box["width"], "y": (4.5 / 30) * box["height"]})
    page.wait_for_function("document.querySelector('#about h2').textContent.startsWith('Latent 137')")
    assert page.input_value("#latent input") == "137"


def test_a_latent_can_be_reached_by_its_number(page: Page) -> None:
    open_tab(page, "Who fires for what", "#about .exciting img")
    assert page.locator("#about .exciting img").count() == 12
    assert page.locator("#about .draws img").count() == 2
    page.fill("#latent input", "5")
    page.wait_for_function("document.querySelector('#about h2').textContent.startsWith('Latent 5')")


def test_the_cost_curves_follow_the_target(page: Page) -> None:
    open_tab(page, "What a rate costs", "#costs svg.chart")
    page.wait_for_selector("#scales svg.chart")
    before = page.locator("#costs polyline").first.get_attribute("points")
    page.fill("#target input[type=range]", "0.4")
    page.wait_for_function("document.querySelector('#costs .target-label').textContent === 'target 0.4'")
    assert page.locator("#costs polyline").first.get_attribute("points") != before
    assert "l1-0.3" in page.text_content("#costs .mean-label")


def test_target_and_measured_rate_of_a_kl_network_stand_on_its_curve(page: Page) -> None:
    page.locator("#way").get_by_role("radio", name="KL per image").check()
    page.wait_for_selector("#beta input[aria-valuetext='kl-image-0.1']")
    open_tab(page, "What a rate costs", "#costs svg.chart")
    page.wait_for_function("document.querySelector('#costs .mean-label')?.textContent.startsWith('kl-image-0.1: ')")
    page.wait_for_function("document.querySelector('#costs .target-label').textContent === 'target 0.1'")


@pytest.mark.parametrize("how", ["click", "keyboard"])
def test_the_frontier_chooses_a_network_for_all_tabs(page: Page, how: str) -> None:
    open_tab(page, "Frontier", "#frontier .point")
    point = page.locator("#frontier g.point[aria-label^='kl-neuron-0.02:']")
    if how == "click":
        point.click()
    else:
        point.focus()
        page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#frontier .now b').textContent === 'kl-neuron-0.02'")
    page.get_by_role("tab", name="See it work").click()
    page.wait_for_function("document.querySelector('#told b').textContent === 'kl-neuron-0.02'")
    assert page.locator("#way input:checked").get_attribute("value") == "kl-neuron"


@pytest.mark.parametrize("width", [1280, 390])
def test_no_word_on_the_frontier_stands_on_another(page: Page, width: int) -> None:
    open_tab(page, "Frontier", "#frontier .point")
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_timeout(300)
    boxes = page.evaluate(
        "[...document.querySelectorAll('#frontier .point text')].map(t => t.getBoundingClientRect())"
        ".filter(b => b.width).map(b => [b.left, b.top, b.right, b.bottom, (b.bottom - b.top) / 4])"
    )
    assert len(boxes) >= 15
    for i, (left, top, right, bottom, air) in enumerate(boxes):  # air: letters do not fill their line
        for other in boxes[:i]:
            beside = right <= other[0] or other[2] <= left
            assert beside or bottom - air <= other[1] + air or other[3] - air <= top + air


def test_the_pictures_for_print_are_drawn(page: Page) -> None:
    page.get_by_role("tab", name="For print").click()
    page.wait_for_function("document.querySelectorAll('#prints img').length >= 5", timeout=60_000)
