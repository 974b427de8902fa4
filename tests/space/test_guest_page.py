"""Bringing a network to the page, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from huggingface_hub import HfApi

from sae_model import SparseAutoencoder

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SHOWN = """[
  ...['#pictures', '#told', '#figures', '#stops', '#way'].map(id => document.querySelector(id).innerText),
  ...[...document.querySelectorAll('#pictures img')].map(image => image.src),
  document.querySelector('#beta input').value,
]"""


def open_page(browser: Browser, address: str) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(address)
    page.wait_for_selector("#pictures .way img")
    page.wait_for_selector("#beta input[aria-valuetext]")
    return page


@pytest.fixture
def page(browser: Browser, server: str) -> Iterator[Page]:
    page = open_page(browser, server)
    yield page
    assert page.errors == []
    page.context.close()


@pytest.fixture
def folder(tiny_model: SparseAutoencoder, tmp_path: Path) -> Path:
    tiny_model.save_pretrained(tmp_path / "mine")
    return tmp_path / "mine"


def ask_for(page: Page, address: object) -> None:
    """With the keyboard alone."""
    page.get_by_label("Bring your own network").focus()
    page.keyboard.insert_text(str(address))
    page.keyboard.press("Enter")


def wait_for_guest(page: Page, name: str) -> None:
    page.wait_for_function(
        "name => document.querySelector('#said b')?.textContent.endsWith(name)"
        "&& document.querySelector('#told b').textContent.endsWith(name)",
        arg=name,
        timeout=60_000,
    )


def test_a_guest_is_compared_live_and_shown_in_every_tab(
    browser: Browser, server: str, page: Page, folder: Path
) -> None:
    ask_for(page, folder)
    wait_for_guest(page, "/mine")
    assert page.locator("#way input:checked").get_attribute("value") == f"guest:{folder}"
    cards = page.locator("#pictures .strip figure")
    assert "dense" in cards.first.inner_text()
    assert "mine" in cards.last.inner_text()
    assert "chosen" in cards.last.get_attribute("class")
    assert "of its 30 latents" in page.inner_text("#told")
    page.wait_for_selector("#beta input[aria-valuetext$='/mine']")

    rebuilt = cards.last.locator("img").get_attribute("src")
    page.fill("#noise input[type=range]", "0.8")
    page.wait_for_function("old => [...document.querySelectorAll('.strip img')].at(-1).src !== old", arg=rebuilt)
    page.focus("#beta input[type=range]")
    page.keyboard.press("ArrowLeft")  # to the last bundled one
    page.wait_for_function("document.querySelector('#told b').textContent === 'l1-10'")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('#told b').textContent.endsWith('/mine')")

    page.get_by_role("tab", name="Who fires for what").click()
    page.wait_for_selector("#maps .maps[data-side='6'] img")
    box = page.locator("#maps .maps img").first.bounding_box()
    page.locator("#maps .maps img").first.click(position={"x": 4.5 / 6 * box["width"], "y": 2.5 / 6 * box["height"]})
    page.wait_for_function("document.querySelector('#about h2').textContent.startsWith('Latent 16')")
    assert page.get_attribute("#latent input", "max") == "29"

    page.get_by_role("tab", name="What a rate costs").click()
    page.wait_for_function("document.querySelector('#scales h2')?.textContent.endsWith('/mine')")

    page.get_by_role("tab", name="Frontier").click()
    page.wait_for_function("document.querySelector('#frontier .now b')?.textContent.endsWith('/mine')")
    page.locator("#frontier g.point[aria-label^='dense:']").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#frontier .now b').textContent === 'dense'")
    page.locator("#frontier g.point[data-way^='guest:']").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#frontier .now b').textContent.endsWith('/mine')")

    page.get_by_role("tab", name="For print").click()
    page.wait_for_function("document.querySelectorAll('#prints img').length >= 5", timeout=60_000)

    other = open_page(browser, server)  # another visitor is not bothered
    assert other.locator("#way input").count() == page.locator("#way input").count() - 1
    other.context.close()


def test_a_broken_guest_is_refused_in_a_sentence_and_all_else_stays(page: Page, folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"<b>nothing</b>")
    before = page.evaluate(SHOWN)
    ask_for(page, folder)
    page.wait_for_selector("#said .sorry")
    assert "no whole safetensors file" in page.inner_text("#said")
    assert page.evaluate(SHOWN) == before
    assert page.get_attribute("#said [aria-live]", "aria-live") == "polite"
    page.fill("#noise input[type=range]", "0.8")  # and all goes on
    page.wait_for_function(f"old => JSON.stringify({SHOWN}) !== JSON.stringify(old)", arg=before)


def test_what_a_visitor_types_is_shown_as_text(page: Page) -> None:
    ask_for(page, "<img src=x onerror=document.title='owned'>")
    page.wait_for_selector("#said .sorry")
    assert "<img src=x" in page.inner_text("#said")
    assert page.locator("#said img").count() == 0


def test_long_names_do_not_stick_out_of_a_narrow_page(page: Page, folder: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    ask_for(page, "x" * 190)
    page.wait_for_selector("#said .sorry")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    long = folder.rename(folder.with_name("y" * 60))
    page.get_by_label("Bring your own network").fill("")
    ask_for(page, long)
    wait_for_guest(page, "y" * 60)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_name_of_a_bundled_network_chooses_it(page: Page) -> None:
    ask_for(page, "topk-50")
    wait_for_guest(page, "topk-50")
    assert page.locator("#way input:checked").get_attribute("value") == "topk"


@pytest.mark.usefixtures("hub")
def test_a_link_brings_a_guest_from_the_hub(browser: Browser, server: str, folder: Path) -> None:
    HfApi().create_repo("ada/mine")
    HfApi().upload_folder(repo_id="ada/mine", folder_path=folder)
    page = open_page(browser, f"{server}/?model=ada%2Fmine")
    wait_for_guest(page, "ada/mine")
    assert page.get_by_label("Bring your own network").input_value() == "ada/mine"
    assert page.get_attribute("#said a", "href") == "?model=ada%2Fmine"
    assert page.errors == []
    page.context.close()


def test_a_link_to_a_guest_while_the_hub_is_down_ends_in_a_sentence(browser: Browser, server: str) -> None:
    page = open_page(browser, f"{server}/?model=ada/other")
    page.wait_for_selector("#said .sorry", timeout=60_000)
    assert "the Hub could not be asked" in page.inner_text("#said")
    assert page.locator("#pictures .way img").count() == 4
    page.context.close()
