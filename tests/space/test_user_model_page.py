"""Loading a user's model on the page, in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import make_archive

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from sae_model import L1, KLPerImage, SparseAutoencoder
from space.user_model_process import LARGEST_FILE
from tests.space.browser import NARROW, open_in, slide, visit, wait_for_models
from tests.space.loading import push

CHOSEN = "document.querySelector('#beta output')?.textContent"
PATIENCE = 60_000


@pytest.fixture(scope="module")
def tab(window: BrowserContext, server: str) -> Iterator[Page]:
    """One for all tests, since Gradio takes seconds to open; `page` resets it, but for the models that it knows."""
    tab = open_in(window, server)
    yield tab
    tab.evaluate("localStorage.clear()")
    tab.close()


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


def test_a_users_model_stands_beside_the_bundled_ones_in_every_tab(page: Page, folder: Path) -> None:
    ask_for(page, folder)
    wait_for(page, folder)
    assert page.inner_text("#message").startswith(f"{folder.parent.name}/mine, 30 latents, trained as l1-0.1,")
    assert page.locator("#method input:checked").get_attribute("value") == f"user:{folder}"
    assert page.get_attribute("#beta input", "aria-valuetext") == str(folder)
    page.locator("#beta input").focus()
    page.keyboard.press("ArrowRight")  # to a bundled one of its method
    page.wait_for_function("location.search.includes('model=l1-') || location.search.includes('model=dense')")
    page.click("#tab-frontier")
    assert page.locator(".frontier-chart .user text").text_content() == "mine"
    page.locator("#beta .others button", has_text="mine").click()
    wait_for(page, folder)
    for tab in ("atoms", "classes", "rates", "frontier", "see"):
        page.click(f"#tab-{tab}")
        wait_for_models(page)
        assert "mine" in page.inner_text("#panel"), tab
    page.locator(".map canvas").first.click()
    page.wait_for_selector("#card button")
    page.get_by_role("button", name=f"Remove {folder.parent.name}/mine").click()
    page.wait_for_selector("#card", state="hidden")
    assert page.locator("#method input[value^='user:']").count() == 0
    assert page.evaluate(CHOSEN) == "l1-3"
    assert page.inner_text("#message") == ""
    assert page.evaluate("document.activeElement.name") == "method"  # the keys go on there


def test_a_broken_model_ends_in_an_error_message_and_all_else_stays(page: Page, folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"<b>nothing</b>")
    before = page.url, page.evaluate(CHOSEN)
    ask_for(page, folder)
    page.wait_for_selector("#message.error", timeout=PATIENCE)
    assert "not a complete safetensors file" in page.inner_text("#message")
    assert (page.url, page.evaluate(CHOSEN)) == before
    assert page.get_attribute("#message", "role") == "status"
    page.get_by_role("button", name="Русский").click()
    page.wait_for_function("document.querySelector('#message').innerText.startsWith('Сообщение программы')")
    slide(page, "#noise", 0.8)  # and all goes on
    page.wait_for_function("location.search.includes('sigma=0.8')")
    visit(page, "?model=ada/other&lang=en")  # of a Hub that is down
    page.wait_for_function(
        "document.querySelector('#message.error')?.innerText.includes('could not be asked for')", timeout=PATIENCE
    )
    assert page.is_visible("#reconstruction canvas")


def test_what_one_typed_is_text_that_does_not_stick_out_or_the_name_of_a_bundled_model(page: Page) -> None:
    page.set_viewport_size(NARROW)
    for typed in ("<img src=x onerror=window.hurt=true>", "x" * 190):
        ask_for(page, typed)
        expect(page.locator("#message.error")).to_contain_text(typed)
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    assert page.evaluate("window.hurt") is None
    for typed, chosen, family in (
        ("topk-50", "topk-50", "topk"),
        ("adaptive-topk", "adaptive-topk, k = 1", "adaptive-topk"),
    ):
        ask_for(page, typed)
        wait_for(page, chosen)
        assert page.locator("#method input:checked").get_attribute("value") == family


@pytest.mark.usefixtures("hub")
def test_a_link_loads_a_model_from_the_hub(open_tab: Callable[[str], Page], server: str, folder: Path) -> None:
    push(folder, "ada/mine")
    page = open_tab(f"{server}/?digit=12&model=ada%2Fmine&set=5:3")
    wait_for(page, "ada/mine")
    assert "digit=12" in page.url
    assert "model=ada/mine&set=5:3" in page.url
    assert page.get_attribute("#message a", "href") == "?model=ada%2Fmine"
    page = open_tab(f"{server}/?model=l1-1&beside=ada%2Fmine")  # another visitor, who sees no other's models
    page.wait_for_function(
        "document.querySelector('.model.second h2 bdi')?.textContent === 'ada/mine'", timeout=PATIENCE
    )
    assert page.inner_text("#beta output") == "l1-1"
    assert page.locator("#method input[value^='user:']").evaluate_all("all => all.map(e => e.value)") == [
        "user:ada/mine"
    ]
    page.locator("#method input[value='user:ada/mine']").check()
    slide(page, "#noise", 0.8)
    page.wait_for_function("location.search.includes('sigma=0.8&seed=0&model=ada/mine')")


def test_a_model_is_given_back_from_disk_unless_it_is_too_large(page: Page, folder: Path, tmp_path: Path) -> None:
    archive = make_archive(str(tmp_path / "my model"), "zip", folder.parent, folder.name)
    page.set_input_files("#model-files", [folder / "config.json"])
    page.wait_for_function("document.querySelector('#message.error')?.innerText.endsWith('you chose config.json.')")
    page.set_input_files("#model-files", archive)
    page.wait_for_function(f"{CHOSEN}?.startsWith('from disk/my-model-')", timeout=PATIENCE)
    assert "30 latents, trained as l1-0.1" in page.inner_text("#message")
    assert page.locator("#method input:checked").get_attribute("value").startswith("user:from disk/")
    with (tmp_path / "large.zip").open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    sent: list[str] = []
    page.on("request", lambda request: request.method == "POST" and sent.append(request.url))
    page.evaluate(
        "() => { File.prototype.arrayBuffer = async () => { window.isRead = true; return new ArrayBuffer(0); } }"
    )
    page.set_input_files("#model-files", tmp_path / "large.zip")
    page.wait_for_function("document.querySelector('#message.error')?.innerText.startsWith('large.zip: 50 MB')")
    halves = [tmp_path / "config.json", tmp_path / "model.safetensors"]
    for half in halves:
        with half.open("wb") as file:
            file.truncate(LARGEST_FILE // 2 + 1)
    page.set_input_files("#model-files", halves)
    page.wait_for_function(
        "document.querySelector('#message.error')?.innerText.startsWith('config.json, model.safetensors: 50 MB')"
    )
    assert not page.evaluate("window.isRead")
    assert sent == []


def test_two_models_of_one_long_title_have_edits_and_rates_of_their_own(page: Page, tmp_path: Path) -> None:
    page.set_viewport_size(NARROW)
    for parent, method in (("x", L1(0.1)), ("y", KLPerImage(0.005))):
        place = tmp_path / parent / "runs" / ("m" * 60)
        SparseAutoencoder(36, method).save_pretrained(place)
        ask_for(page, place)
        wait_for(page, place)
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
        assert "set=" not in page.url
        visit(page, f"{page.url}&set=3:2")
        assert page.locator(".undo").count() == 1
    page.click("#tab-rates")
    page.wait_for_function("document.querySelector('#panel').innerText.includes('0.005')")
