"""Loading a user's model on the page, in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from huggingface_hub import HfApi

from sae_model import L1, KLPerImage, SparseAutoencoder
from tests.space.browser import open_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SHOWN = """[
  ...['#images .sae', '#strip .sae', '#summary .sae', '#metrics .sae', '#stops .stops', '#method .wrap:last-child']
    .map(part => document.querySelector(part).innerText),
  ...[...document.querySelectorAll('#images img')].map(image => image.src),
  document.querySelector('#beta input').value,
]"""


def ask_for(page: Page, address: object) -> None:
    """With the keyboard alone."""
    if not page.get_by_label("Its address").is_visible():
        page.get_by_role("button", name="Load your own model").click()
    page.get_by_label("Its address").focus()
    page.keyboard.insert_text(str(address))
    page.keyboard.press("Enter")


def wait_for_model(page: Page, name: str) -> None:
    page.wait_for_function(
        "name => document.querySelector('#message b')?.textContent.endsWith(name)"
        "&& document.querySelector('#summary b').textContent.endsWith(name)",
        arg=name,
        timeout=60_000,
    )


def test_a_users_model_is_compared_live_and_shown_in_every_tab(
    browser: Browser, server: str, page: Page, folder: Path
) -> None:
    ask_for(page, folder)
    wait_for_model(page, "/mine")
    assert page.locator("#method input:checked").get_attribute("value") == f"user:{folder}"
    page.wait_for_function("document.querySelector('#strip .chosen b')?.textContent === 'mine'")
    cards = page.locator("#strip button")
    assert "dense" in cards.first.inner_text()
    assert "mine" in cards.last.inner_text()
    assert "chosen" in cards.last.get_attribute("class")
    assert "of 30 latents" in page.inner_text("#summary")
    page.wait_for_selector("#beta input[aria-valuetext$='/mine']")

    reconstruction = cards.last.locator("img").get_attribute("src")
    page.fill("#noise input[type=range]", "0.8")
    page.wait_for_function("old => [...document.querySelectorAll('#strip img')].at(-1).src !== old", arg=reconstruction)
    page.focus("#beta input[type=range]")
    page.keyboard.press("ArrowLeft")  # to the last bundled one
    page.wait_for_function("document.querySelector('#summary b').textContent === 'lecture'")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('#summary b').textContent.endsWith('/mine')")

    page.get_by_role("tab", name="Strokes").click()
    page.wait_for_function("document.querySelector('#atoms h2')?.textContent.includes('/mine')")

    page.get_by_role("tab", name="Classes").click()
    page.wait_for_selector("#ranks .latent-map[data-latents='30']")
    assert page.inner_text("#ranks section >> nth=1").split()[0].endswith("/mine")

    page.get_by_role("tab", name="Rates").click()
    page.wait_for_function("document.querySelector('#scales h2')?.textContent.includes('/mine')")

    page.get_by_role("tab", name="Frontier").click()
    page.wait_for_function("document.querySelector('#frontier .now b')?.textContent.endsWith('/mine')")
    page.locator("#frontier svg.wide g.point[aria-label^='dense:']").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#frontier .now b').textContent === 'dense'")
    page.locator("#frontier svg.wide g.point[data-method^='user:']").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#frontier .now b').textContent.endsWith('/mine')")

    page.get_by_role("tab", name="Figures").click()
    page.wait_for_function("document.querySelectorAll('#report img').length >= 5", timeout=60_000)

    other = open_page(browser, server)  # another visitor sees none of it
    assert other.locator("#method input").count() == page.locator("#method input").count() - 1
    other.context.close()


def test_a_broken_model_ends_in_an_error_message_and_all_else_stays(page: Page, folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"<b>nothing</b>")
    before = page.evaluate(SHOWN)
    ask_for(page, folder)
    page.wait_for_selector("#message .error")
    assert "no whole safetensors file" in page.inner_text("#message")
    assert page.evaluate(SHOWN) == before
    assert page.get_attribute("#message [aria-live]", "aria-live") == "polite"
    page.fill("#noise input[type=range]", "0.8")  # and all goes on
    page.wait_for_function(f"old => JSON.stringify({SHOWN}) !== JSON.stringify(old)", arg=before)


def test_what_a_visitor_types_is_shown_as_text(page: Page) -> None:
    ask_for(page, "<img src=x onerror=document.title='owned'>")
    page.wait_for_selector("#message .error")
    assert "<img src=x" in page.inner_text("#message")
    assert page.locator("#message img").count() == 0


def test_long_names_do_not_stick_out_of_a_narrow_page(page: Page, folder: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    ask_for(page, "x" * 190)
    page.wait_for_selector("#message .error")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    long = folder.rename(folder.with_name("y" * 60))
    page.get_by_label("Its address").fill("")
    ask_for(page, long)
    wait_for_model(page, "y" * 60)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_name_of_a_bundled_model_chooses_it(page: Page) -> None:
    ask_for(page, "topk-50")
    wait_for_model(page, "topk-50")
    assert page.locator("#method input:checked").get_attribute("value") == "topk"


@pytest.mark.usefixtures("hub")
def test_a_link_loads_a_model_from_the_hub(browser: Browser, server: str, folder: Path) -> None:
    HfApi().create_repo("ada/mine")
    HfApi().upload_folder(repo_id="ada/mine", folder_path=folder)
    page = open_page(browser, f"{server}/?digit=12&model=ada%2Fmine&set=5:3")
    page.wait_for_timeout(1500)  # it is being measured
    assert "model=ada%2Fmine&set=5:3" in page.url
    page.wait_for_function("document.querySelector('#message b')?.textContent === 'ada/mine'", timeout=60_000)
    page.wait_for_selector("#summary .undo[data-latent='5']")
    page.wait_for_function("location.search.includes('seed=0&model=ada%2Fmine&set=5:3')")
    assert page.get_attribute("#message a", "href") == "?model=ada%2Fmine"
    assert page.errors == []
    page.context.close()
    page = open_page(browser, f"{server}/?model=ada%2Fmine")  # another visitor, for whom it is there already
    page.wait_for_function("document.querySelector('#summary b').textContent === 'ada/mine'")
    assert page.locator("#method input:checked").get_attribute("value") == "user:ada/mine"
    page.fill("#noise input[type=range]", "0.8")
    page.wait_for_function("location.search.includes('sigma=0.8&seed=0&model=ada%2Fmine')")
    page.context.close()


def test_a_link_to_a_model_while_the_hub_is_down_ends_in_an_error_message(browser: Browser, server: str) -> None:
    page = open_page(browser, f"{server}/?model=ada/other")
    page.wait_for_selector("#message .error", timeout=60_000)
    assert "could not be asked for" in page.inner_text("#message")
    assert page.locator("#images .steps img").count() == 4
    page.context.close()


def test_two_models_of_one_title_have_edits_of_their_own(page: Page, tmp_path: Path) -> None:
    for parent, latents in (("x", 64), ("y", 36)):
        SparseAutoencoder(latents, L1(0.1)).save_pretrained(tmp_path / parent / "runs" / "mine")
    ask_for(page, tmp_path / "x" / "runs" / "mine")
    page.wait_for_selector("#images .latent-map[data-latents='64']", timeout=60_000)
    side = page.locator("#images .latent-map img").bounding_box()["width"]
    page.locator("#images .latent-map img").click(position={"x": side * 15 / 16, "y": side * 15 / 16})  # the last one
    page.locator("#card .off").click()
    page.wait_for_selector("#summary .undo")
    page.get_by_label("Its address").fill("")
    ask_for(page, tmp_path / "y" / "runs" / "mine")
    page.wait_for_selector("#images .latent-map[data-latents='36']", timeout=60_000)
    page.wait_for_selector("#summary .undo", state="detached")


def test_a_target_beyond_the_slider_is_drawn(page: Page, tmp_path: Path) -> None:
    SparseAutoencoder(30, KLPerImage(0.005)).save_pretrained(tmp_path / "kl005")
    ask_for(page, tmp_path / "kl005")
    wait_for_model(page, "/kl005")
    page.get_by_role("tab", name="Rates").click()
    page.wait_for_function("document.querySelector('#costs')?.textContent.includes('0.005')")
    page.fill("#beta input[type=range]", "1")
    page.wait_for_function("!document.querySelector('#costs').textContent.includes('/kl005')")
