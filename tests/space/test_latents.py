"""The card of a latent, and what one does to a latent: with the pointer, the keys, a finger."""

from __future__ import annotations

import re

import numpy as np
import torch
from playwright.sync_api import Page, expect
from safetensors.torch import load

from sae_model import load_variant
from sae_model.bundle import BUNDLE
from tests.space.browser import NARROW, WIDE, pixels, touching, wait_for_models
from training.measure.latent_statistics import read_statistics

SIDE, MAP = 30, "#latents canvas"


def brightest(page: Page) -> int:
    """The latent with the lightest cell."""
    levels = pixels(page, MAP)
    return max(range(900), key=lambda i: levels[3 * i] + levels[3 * i + 1])


def place(page: Page, latent: int) -> tuple[float, float]:
    """Where in the window the cell of a latent is."""
    page.locator(MAP).scroll_into_view_if_needed()
    box = page.locator(MAP).bounding_box()
    row, column = divmod(latent, SIDE)
    return box["x"] + (column + 0.5) / SIDE * box["width"], box["y"] + (row + 0.5) / SIDE * box["height"]


def error(page: Page) -> float:
    return float(re.search(r"\d\.\d{4}", page.inner_text("#reconstruction figcaption"))[0])


def test_a_latent_is_shown_large_switched_off_and_set_and_the_error_changes(page: Page) -> None:
    latent, card = brightest(page), page.locator("#card")
    page.mouse.move(*place(page, latent))
    assert card.is_visible()
    assert card.locator("h2").inner_text() == f"Latent {latent} of l1-3"
    assert re.search(r"on: z = \d+\.\d\d", card.inner_text())
    assert "Number 1 in size" in card.inner_text()
    page.wait_for_selector("#card .class-bar")
    assert card.locator(".class-bar").count() == 10
    assert card.locator(".top-images canvas").count() == 5
    assert not card.locator("input").is_visible()
    page.mouse.move(5, 5)
    assert card.is_hidden()
    unedited, before = error(page), pixels(page, "#reconstruction canvas")
    page.mouse.click(*place(page, latent))
    page.get_by_role("button", name="Switch it off").click()
    assert error(page) > 2 * unedited
    assert pixels(page, "#reconstruction canvas") != before
    psnr = page.inner_text("#reconstruction figcaption").split("PSNR")[1].strip()
    page.wait_for_function(f"document.querySelector('#strip [aria-pressed=true]').innerText.includes('{psnr}')")
    expect(page).to_have_url(re.compile(f"set={latent}:0"))
    assert page.locator("#latents .ring.edited").count() == 1
    card.locator("input").fill("3.25")
    assert card.locator("output").inner_text() == "3.25"
    assert "in size among" not in card.inner_text()  # which was said of the encoded value
    expect(page).to_have_url(re.compile(f"set={latent}:3.25"))
    page.get_by_role("button", name="As encoded").click()
    assert pixels(page, "#reconstruction canvas") == before
    expect(page).not_to_have_url(re.compile("set="))
    page.get_by_role("button", name="Switch it off").click()
    page.get_by_role("button", name="Close").click()
    assert card.is_hidden()
    page.locator("#beta .ticks button", has_text="10").click()
    wait_for_models(page)
    assert page.locator(".undo").count() == 0  # the edit is of its model
    page.locator("#beta .ticks button").get_by_text("3", exact=True).click()
    page.locator(".undo").click()
    assert error(page) == unedited


def test_the_keys_alone_reach_a_latent_and_change_it(page: Page) -> None:
    page.focus("#noise input[type=number]")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "latents":
            break
    assert page.evaluate("document.activeElement.id") == "latents"
    first = page.inner_text("#card h2")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert page.inner_text("#card h2") != first
    page.keyboard.press("Enter")
    for key in ("Tab", "Shift+Tab"):
        for _ in range(12):  # more than it has controls
            page.keyboard.press(key)
            assert page.evaluate("document.activeElement.closest('#card') !== null")
    assert page.evaluate("document.activeElement.type") == "range"
    page.keyboard.press("End")
    expect(page).to_have_url(re.compile("set="))
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "latents"


def test_every_atom_has_the_same_card(page: Page) -> None:
    atom = page.locator(".model:nth-child(2) .atom").first
    atom.hover()
    assert page.inner_text("#card h2").endswith("of dense")
    page.click("#tab-atoms")
    page.locator(".atoms .atom").nth(2).hover()
    assert "Number 3 in size" in page.inner_text("#card")
    page.locator(".atoms .atom").nth(2).click()
    page.get_by_role("button", name="Switch it off").click()
    assert page.locator(".undo").count() == 1


def test_an_atom_of_a_model_that_is_no_sum_is_what_its_latent_adds_at_its_largest_value(page: Page) -> None:
    page.locator("#beta .others button").first.click()
    wait_for_models(page)
    page.click("#tab-atoms")
    atom = page.locator(".atoms .atom").first
    latent = int(re.search(r"\d+", atom.get_attribute("aria-label"))[0])
    drawn = np.array(pixels(page, ".atoms .atom canvas")).reshape(-1, 3)
    model, peak = load_variant("lecture"), load(read_statistics(BUNDLE / "lecture"))["peak"]
    values = torch.zeros(3, model.latent_dim)
    values[1, latent], values[2, latent] = peak[latent].item(), 1.0
    with torch.no_grad():
        nothing, at_peak, at_one = model.logits(values).flatten(1).numpy()
    orange = drawn[:, 0] - drawn[:, 2]
    alike = [np.corrcoef(orange, of - nothing)[0, 1] for of in (at_peak, at_one)]
    assert alike[0] > max(0.95, alike[1])


def test_no_card_opens_because_the_page_is_scrolled(page: Page) -> None:
    box = page.locator("#sum .atom").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 - 200)
    page.mouse.wheel(0, 200)
    page.wait_for_selector("#sum .atom:hover")
    assert page.locator("#card").is_hidden()
    page.locator("#sum .atom:hover").hover(position={"x": 20, "y": 20})
    assert page.locator("#card").is_visible()


def test_the_card_covers_no_reconstruction(page: Page) -> None:
    for size in (WIDE, NARROW):
        page.set_viewport_size(size)
        for latent in (0, 435, 899):
            if size is WIDE:
                page.mouse.click(*place(page, latent))
            else:
                with touching(page) as touch:
                    touch("Start", place(page, latent))
                    touch("End")
            page.wait_for_selector("#card.open .class-bar")
            card, seen = (page.locator(selector).bounding_box() for selector in ("#card", "#reconstruction canvas"))
            beside = any(
                a[side] >= b[side] + b[length]
                for a, b in ((card, seen), (seen, card))
                for side, length in (("x", "width"), ("y", "height"))
            )
            assert beside, (latent, card, seen)
            page.keyboard.press("Escape")


def test_a_term_explains_itself_on_hover_and_on_focus(page: Page) -> None:
    word = page.locator("#summary .term").first
    word.hover()
    assert "How many latents carry an image" in page.inner_text("#tip")
    page.mouse.move(2, 2)
    assert page.locator("#tip").is_hidden()
    word.focus()
    assert page.locator("#tip").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("#tip").is_hidden()
