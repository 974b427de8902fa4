"""Training on the page, in a real browser."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from itsdangerous import TimestampSigner

from sae_model import SparseAutoencoder
from tests.loopback_hub import STRANGER_TOKEN, TOKEN, LoopbackHub
from tests.space.browser import open_page
from tests.space.server import running_space

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

STEP = "Number(document.querySelector('#train table td')?.textContent.split(' ')[0] ?? -1)"
PATIENCE = 120_000


@pytest.fixture
def page(browser: Browser, server: str) -> Iterator[Page]:
    page = open_page(browser, server)
    open_tab(page)
    yield page
    assert page.errors == []
    page.context.close()


def open_tab(page: Page, latents: int = 100) -> None:
    page.get_by_role("tab", name="Learn").click()
    page.wait_for_selector("#train-start")
    page.get_by_label("Latents", exact=True).click()
    page.get_by_role("option", name=str(latents), exact=True).click()


def begin(page: Page) -> None:
    page.click("#train-start")
    page.wait_for_function(f"{STEP} > 0", timeout=PATIENCE)


def hold(page: Page) -> int:
    page.click("#train-pause")
    page.wait_for_function("document.querySelector('#train-said').innerText.startsWith('Paused')", timeout=PATIENCE)
    return page.evaluate(STEP)


def test_a_training_starts_is_seen_pauses_steps_and_stops(page: Page) -> None:
    begin(page)
    early = page.get_attribute("#train img >> nth=0", "src")
    loss = float(page.inner_text("#train table td >> nth=1"))
    page.wait_for_function(f"{STEP} > 60", timeout=PATIENCE)
    assert page.get_attribute("#train img >> nth=0", "src") != early
    assert page.locator("#train svg").count() == 3
    held = hold(page)
    assert float(page.inner_text("#train table td >> nth=1")) < loss
    page.wait_for_timeout(700)
    assert page.evaluate(STEP) == held
    page.click("#train-step")
    page.wait_for_function(f"{STEP} === {held + 4}", timeout=PATIENCE)
    page.click("#train-stop")
    page.wait_for_selector("#train table", state="detached")
    page.click("#train-start")
    page.wait_for_function(f"{STEP} > 4", timeout=PATIENCE)
    page.click("#train-stop")  # while it runs
    page.wait_for_selector("#train table", state="detached")
    page.wait_for_timeout(700)
    assert "Press Start" in page.inner_text("#train-said")
    assert page.locator("#train table").count() == 0
    page.click("#train-keep")
    page.wait_for_selector("#train-said .error")
    assert "start a training first" in page.inner_text("#train-said")


def test_what_was_trained_stands_in_every_tab_and_can_be_taken_home(page: Page, tmp_path: Path) -> None:
    begin(page)
    page.wait_for_function(f"{STEP} > 100", timeout=PATIENCE)
    held = hold(page)
    page.click("#train-keep")
    page.wait_for_function(
        "document.querySelector('#train-said').innerText.includes('stands beside')", timeout=PATIENCE
    )
    name = page.inner_text("#train-said b")
    assert name.startswith("trained here/l1-1-")
    assert page.locator("#method input:checked").get_attribute("value").endswith(name)
    page.get_by_role("tab", name="See", exact=True).click()
    page.wait_for_function("name => document.querySelector('#summary b')?.textContent === name", arg=name)
    assert "of 100 latents" in page.inner_text("#summary")
    page.get_by_role("tab", name="Strokes").click()
    page.wait_for_function("name => document.querySelector('#atoms h2')?.textContent.includes(name)", arg=name)
    page.get_by_role("tab", name="Frontier").click()
    page.wait_for_function("name => document.querySelector('#frontier .now b')?.textContent === name", arg=name)
    page.get_by_role("tab", name="Learn").click()
    with page.expect_download() as download:
        page.click("#train-file")
    download.value.save_as(tmp_path / "model.zip")
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        archive.extractall(tmp_path)
    (folder,) = (path.parent for path in tmp_path.rglob("config.json"))
    assert {path.name for path in folder.iterdir()} >= {
        "README.md", "config.json", "evaluation.json", "model.safetensors", "recipe.json",
    }  # fmt: skip
    model = SparseAutoencoder.from_pretrained(folder)
    assert (model.latent_dim, model.sparsity.name) == (100, "l1-1")
    fvu = json.loads((folder / "evaluation.json").read_text())["fvu"]
    page.get_by_role("tab", name="See", exact=True).click()
    page.wait_for_function("fvu => document.querySelector('#metrics').innerText.includes(fvu)", arg=f"{fvu:.1%}")
    page.wait_for_function("location.search.includes('model=trained') && !location.search.includes('tab=')")
    assert "tmp" not in page.url  # where the server keeps it is nobody's business
    page.reload()
    page.wait_for_function("name => document.querySelector('#summary b')?.textContent === name", arg=name)
    assert held < 428


def keep(page: Page) -> None:
    begin(page)
    hold(page)
    page.click("#train-keep")
    page.wait_for_selector("#train-said b", timeout=PATIENCE)


def push(page: Page, repo_id: str) -> str:
    """What the page says about a push."""
    if not page.get_by_label("A repo of yours").is_visible():
        page.get_by_text("Publish it on the Hugging Face Hub").click()
    before = page.evaluate("document.querySelector('#train-said p')?.textContent")
    page.get_by_label("A repo of yours").fill(repo_id)
    page.get_by_role("button", name="Publish", exact=True).click()
    page.wait_for_function(
        """before => {
          const said = document.querySelector('#train-said p');
          return said && said.textContent !== before && !said.textContent.startsWith('Pushing');
        }""",
        arg=before, timeout=PATIENCE,
    )  # fmt: skip
    return page.inner_text("#train-said p")


def test_what_was_kept_is_pushed_with_ones_own_login(page: Page, hub: LoopbackHub) -> None:
    assert push(page, "ada/learned") == "Keep a model first; then it can be pushed."
    keep(page)
    assert push(page, "no id") == "'no id' is no Hub id of the form owner/name."
    page.click("#train-stop")  # what was kept stays
    page.wait_for_selector("#train table", state="detached")
    assert push(page, "ada/learned") == "Pushed: ada/learned."
    assert SparseAutoencoder.from_pretrained("ada/learned").latent_dim == 100
    assert "L1 penalty (beta = 1)" in hub.files("ada/learned")["README.md"].decode()
    assert "this login may not write there" in push(page, "eve/learned")
    assert ("model", "eve/learned") not in hub.repos


def test_on_a_space_each_visitor_pushes_with_a_login_of_their_own(browser: Browser, hub: LoopbackHub) -> None:
    client = {"OAUTH_CLIENT_ID": "by-touch", "OAUTH_CLIENT_SECRET": "secret", "OAUTH_SCOPES": "contribute-repos"}
    hosted = os.environ | client | {"SYSTEM": "spaces", "SPACE_ID": "eve/by-touch", "OPENID_PROVIDER_URL": hub.url}
    with running_space(environment=hosted | {"HF_TOKEN": STRANGER_TOKEN}) as space:
        stranger = open_page(browser, space.address)
        open_tab(stranger)
        keep(stranger)
        assert push(stranger, "eve/learned") == "Sign in first, with the button above."
        stranger.context.close()
        user = {"name": "Ada", "preferred_username": "ada", "profile": "", "picture": ""}
        login = {"access_token": TOKEN, "scope": "contribute-repos", "expires_at": time.time() + 900, "userinfo": user}
        signer = TimestampSigner(hashlib.sha256(b"secret-v4").hexdigest())
        cookie = signer.sign(base64.b64encode(json.dumps({"oauth_info": login}).encode())).decode()
        context = browser.new_context()
        context.add_cookies([{"name": "session", "value": cookie, "url": space.address}])
        page = context.new_page()
        page.goto(space.address)
        open_tab(page)
        keep(page)
        assert push(page, "ada/learned") == "Pushed: ada/learned."
        context.close()
        assert hub.commits("ada/learned")
        said = space.log.read_text()
        assert TOKEN not in said
        assert STRANGER_TOKEN not in said
    assert ("model", "eve/learned") not in hub.repos


def test_a_step_during_a_training_pauses_it(page: Page) -> None:
    """And nobody is said to be ahead: the training that goes on is one's own."""
    open_tab(page, latents=900)
    begin(page)
    page.wait_for_function(f"{STEP} > 20", timeout=PATIENCE)
    before = page.evaluate(STEP)
    page.evaluate(
        "window.said = []; new MutationObserver(() => said.push(document.querySelector('#train-said').innerText))"
        ".observe(document.querySelector('#train-said'), {childList: true, subtree: true, characterData: true})"
    )
    page.click("#train-step")
    page.wait_for_function("document.querySelector('#train-said').innerText.startsWith('Paused')", timeout=PATIENCE)
    page.wait_for_timeout(1500)  # the step itself
    step = page.evaluate(STEP)
    page.wait_for_timeout(1000)
    assert before < page.evaluate(STEP) == step
    assert not any("ahead of you" in words for words in page.evaluate("said"))


def test_visitors_train_one_after_the_other_and_one_who_leaves_makes_room(
    browser: Browser, server: str, page: Page
) -> None:
    other, third = open_page(browser, server), open_page(browser, server)
    open_tab(other)
    open_tab(third)
    open_tab(page, latents=900)  # takes longest, and the others wait all the while
    begin(page)
    other.click("#train-start")
    other.wait_for_function("document.querySelector('#train-said').innerText.includes('ahead of you in the line: 1.')")
    assert other.evaluate(STEP) == -1
    third.click("#train-start")
    third.wait_for_function("document.querySelector('#train-said').innerText.includes('ahead of you in the line: 2.')")
    third.close()
    page.close()
    other.wait_for_function(f"{STEP} > 0", timeout=PATIENCE)
    other.fill("#noise input[type=range]", "0.9")  # and sliders go on
    other.get_by_role("tab", name="See", exact=True).click()
    other.wait_for_function("document.querySelector('#images').innerText.includes('With noise 0.9')")
    other.context.close()
