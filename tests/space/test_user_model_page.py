"""Loading a user's model on the page, in a real browser."""

from __future__ import annotations

from pathlib import Path
from shutil import make_archive
from typing import TYPE_CHECKING

import pytest
from huggingface_hub import HfApi

from sae_model import L1, KLPerImage, SparseAutoencoder
from tests.space.browser import open_page, slide, wait_for_models

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

CHOSEN = "document.querySelector('#beta output')?.textContent"
PATIENCE = 60_000


@pytest.fixture
def page(browser: Browser, server: str) -> Iterator[Page]:
    page = open_page(browser, server)
    yield page
    assert page.errors == []
    page.context.close()


def ask_for(page: Page, address: object) -> None:
    """With the keyboard alone."""
    if not page.is_visible("#user-model input"):
        page.focus("#user-model summary")
        page.keyboard.press("Enter")
    page.fill("#user-model input", "")
    page.focus("#user-model input")
    page.keyboard.insert_text(str(address))
    page.keyboard.press("Enter")


def wait_for(page: Page, name: object) -> None:
    page.wait_for_function(f"name => {CHOSEN} === name", arg=str(name), timeout=PATIENCE)
    wait_for_models(page)


def test_a_users_model_stands_beside_the_bundled_ones_in_every_tab(
    browser: Browser, server: str, page: Page, folder: Path
) -> None:
    ask_for(page, folder)
    wait_for(page, folder)
    assert page.inner_text("#message").startswith(f"{folder.parent.name}/mine, 30 latents, trained as l1-0.1,")
    assert page.locator("#method input:checked").get_attribute("value") == f"user:{folder}"
    assert page.get_attribute("#beta input", "aria-valuetext") == str(folder)
    page.locator("#beta input").focus()
    page.keyboard.press("ArrowRight")  # to a bundled one of its method
    page.wait_for_function("location.search.includes('model=l1-') || location.search.includes('model=dense')")
    page.locator("#beta .others button", has_text="mine").click()
    wait_for(page, folder)
    for tab in ("atoms", "classes", "rates", "frontier", "see"):
        page.click(f"#tab-{tab}")
        wait_for_models(page)
        assert "mine" in page.inner_text("#panel"), tab
    other = open_page(browser, server)  # another visitor sees none of it
    assert other.locator("#method input").count() == page.locator("#method input").count() - 1
    other.context.close()
    page.get_by_role("button", name=f"Remove {folder.parent.name}/mine").click()
    assert page.locator("#method input[value^='user:']").count() == 0
    assert page.evaluate(CHOSEN) == "l1-3"


def test_a_broken_model_ends_in_an_error_message_and_all_else_stays(page: Page, folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"<b>nothing</b>")
    before = page.url, page.evaluate(CHOSEN)
    ask_for(page, folder)
    page.wait_for_selector("#message.error", timeout=PATIENCE)
    assert "no whole safetensors file" in page.inner_text("#message")
    assert (page.url, page.evaluate(CHOSEN)) == before
    assert page.get_attribute("#message", "role") == "status"
    page.get_by_role("button", name="Русский").click()
    page.wait_for_function("document.querySelector('#message').innerText.startsWith('Сообщение программы')")
    slide(page, "#noise", 0.8)  # and all goes on
    page.wait_for_function("location.search.includes('sigma=0.8')")


def test_long_names_do_not_stick_out_of_a_narrow_page(page: Page, folder: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    ask_for(page, "x" * 190)
    page.wait_for_selector("#message.error")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    long = folder.rename(folder.with_name("y" * 60))
    ask_for(page, long)
    wait_for(page, long)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_name_of_a_bundled_model_chooses_it(page: Page) -> None:
    ask_for(page, "topk-50")
    wait_for(page, "topk-50")
    assert page.locator("#method input:checked").get_attribute("value") == "topk"
    ask_for(page, "adaptive-topk")
    wait_for(page, "adaptive-topk, k = 1")


@pytest.mark.usefixtures("hub")
def test_a_link_loads_a_model_from_the_hub(browser: Browser, server: str, folder: Path) -> None:
    HfApi().create_repo("ada/mine")
    HfApi().upload_folder(repo_id="ada/mine", folder_path=folder)
    page = open_page(browser, f"{server}/?digit=12&model=ada%2Fmine&set=5:3")
    wait_for(page, "ada/mine")
    assert "digit=12" in page.url
    assert "model=ada/mine&set=5:3" in page.url
    assert page.get_attribute("#message a", "href") == "?model=ada%2Fmine"
    assert page.errors == []
    page.context.close()
    page = open_page(browser, f"{server}/?model=ada%2Fmine")  # another visitor, for whom it is measured already
    wait_for(page, "ada/mine")
    assert page.locator("#method input:checked").get_attribute("value") == "user:ada/mine"
    slide(page, "#noise", 0.8)
    page.wait_for_function("location.search.includes('sigma=0.8&seed=0&model=ada/mine')")
    page.context.close()


def test_a_link_to_a_model_while_the_hub_is_down_ends_in_an_error_message(browser: Browser, server: str) -> None:
    page = open_page(browser, f"{server}/?model=ada/other")
    page.wait_for_selector("#message.error", timeout=PATIENCE)
    assert "could not be asked for" in page.inner_text("#message")
    assert page.is_visible("#reconstruction canvas")
    page.context.close()


def test_a_model_is_given_back_from_disk(page: Page, folder: Path, tmp_path: Path) -> None:
    archive = make_archive(str(tmp_path / "my model"), "zip", folder.parent, folder.name)
    page.set_input_files("#model-files", [folder / "config.json"])
    page.wait_for_function("document.querySelector('#message.error')?.innerText.endsWith('this is config.json.')")
    page.set_input_files("#model-files", archive)
    page.wait_for_function(f"{CHOSEN}?.startsWith('from disk/my-model-')", timeout=PATIENCE)
    assert "30 latents, trained as l1-0.1" in page.inner_text("#message")
    assert page.locator("#method input:checked").get_attribute("value").startswith("user:from disk/")


def test_two_models_of_one_title_have_edits_of_their_own(page: Page, tmp_path: Path) -> None:
    places = [tmp_path / parent / "runs" / "mine" for parent in "xy"]
    for place, latents in zip(places, (64, 36), strict=True):
        SparseAutoencoder(latents, L1(0.1)).save_pretrained(place)
        ask_for(page, place)
        wait_for(page, place)
        assert "set=" not in page.url
        page.goto(f"{page.url}&set=3:2")
        wait_for(page, place)
        page.wait_for_function("location.search.includes('set=3:2')")


def test_a_model_that_was_asked_for_a_rate_of_its_own_is_shown(page: Page, tmp_path: Path) -> None:
    SparseAutoencoder(30, KLPerImage(0.005)).save_pretrained(tmp_path / "kl005")
    ask_for(page, tmp_path / "kl005")
    wait_for(page, tmp_path / "kl005")
    page.click("#tab-rates")
    page.wait_for_function("document.querySelector('#panel').innerText.includes('0.005')")
