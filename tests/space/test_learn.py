"""Training on the page: what the server answers, and what a visitor sees of it in a real browser."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import time
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from itsdangerous import TimestampSigner

from sae_model import SparseAutoencoder
from sae_model.bundle import BUNDLE
from space.app import MOST_SESSIONS
from tests.loopback_hub import STRANGER_TOKEN, TOKEN, LoopbackHub
from tests.space.browser import SAID, STEP, keep_a_model
from tests.space.events import Client
from tests.space.server import running_space

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PATIENCE = 120_000


@pytest.fixture(scope="module")
def keeper(server: str) -> Client:
    """A visitor who trained a model for a moment."""
    visitor = Client(server)
    assert visitor.send("one_step", visitor.settings()).ok
    return visitor


@pytest.fixture(scope="module")
def kept(keeper: Client) -> dict:
    """What the server says when that visitor kept the model."""
    said = keeper.send("keep", {"name": "my.model_1"}).said
    assert said["key"] == "learn.kept_early"
    assert said["values"]["step"] == 4
    return said


def test_a_moment_has_all_that_is_drawn(visitor: Client) -> None:
    said = visitor.send("one_step", visitor.settings(size=225)).said
    assert (said["about"], said["status"]) == ("step", "paused")
    moment = said["moment"]
    assert (moment["step"], moment["latents"], moment["count"]) == (4, 225, 144)
    assert [step for step, _ in moment["history"]] == [4]
    atoms = np.frombuffer(zlib.decompress(base64.b64decode(moment["atoms"])), np.int8).reshape(144, 784)
    assert (np.abs(atoms).max(1) == 15).all()
    image = np.frombuffer(base64.b64decode(moment["reconstruction"]), "<f2")
    assert image.shape == (784,)
    assert 0 <= image.min() < image.max() <= 1
    assert sum(moment["means"]["linear"]) == 225
    assert len(json.dumps(said)) < 110_000
    following = visitor.send("one_step", visitor.settings(size=225)).said["moment"]
    assert [step for step, _ in following["history"]] == [4, 8]
    assert following["reconstruction"] != moment["reconstruction"]
    assert visitor.send("stop").said["status"] == "done"
    white = base64.b64encode(np.ones(784, "<f4").tobytes()).decode()
    anew = visitor.send("one_step", visitor.settings(size=225, image=white)).said["moment"]
    assert (anew["step"], anew["atoms"]) == (4, moment["atoms"])
    assert anew["reconstruction"] != moment["reconstruction"]  # of the image that was sent
    assert visitor.send("discard").said["status"] == "idle"
    assert visitor.send("keep").key == "learn.nothing"


def test_what_was_kept_has_the_name_that_one_chose_and_can_be_taken_home(
    kept: dict, keeper: Client, server: str, tmp_path: Path
) -> None:
    for name in ("../up", " ", "x" * 41, "a/b", 7, ["a"], {"a": 1}, "-a"):
        assert keeper.send("keep", {"name": name}).key == "errors.name"
    assert kept["values"]["title"].startswith("trained here/my.model_1-")
    assert kept["news"]["family"]["of"] == "l1"
    with urllib.request.urlopen(f"{server}/files/{kept['file']}", timeout=60) as answer:
        assert answer.headers["content-disposition"].startswith("attachment")
        with zipfile.ZipFile(io.BytesIO(answer.read())) as archive:
            archive.extractall(tmp_path)
    (folder,) = (path.parent for path in tmp_path.rglob("config.json"))
    assert {path.name for path in folder.iterdir()} >= {
        "README.md", "config.json", "evaluation.json", "model.safetensors", "recipe.json",
    }  # fmt: skip
    model = SparseAutoencoder.from_pretrained(folder)
    assert (model.latent_dim, model.sparsity.name) == (100, "l1-1")
    stop = kept["news"]["stops"][kept["news"]["choose"]]
    told, written = stop["evaluation"]["fvu"], json.loads((folder / "evaluation.json").read_text())["fvu"]
    assert told == pytest.approx(written, abs=1e-4)  # as it is shown
    (there,) = kept["news"]["models"].values()
    with urllib.request.urlopen(f"{server}/files/{there['url']}", timeout=60) as answer:
        assert answer.read() == (folder / "model.safetensors").read_bytes()


@pytest.mark.usefixtures("kept")
def test_what_was_kept_is_pushed_with_ones_own_login(visitor: Client, keeper: Client, hub: LoopbackHub) -> None:
    assert visitor.send("send", {"repo": "ada/learned"}).key == "learn.not_kept"
    assert "is not a Hub id" in keeper.send("send", {"repo": "no id"}).said["values"]["words"]
    keeper.send("discard")  # what was kept stays
    said = keeper.send("send", {"repo": "ada/learned"}).said
    assert (said["key"], said["values"]) == ("learn.pushed", {"repo": "ada/learned"})
    assert "/ada/learned/commit/" in said["link"]
    assert SparseAutoencoder.from_pretrained("ada/learned").latent_dim == 100
    assert "L1 penalty (beta = 1)" in hub.files("ada/learned")["README.md"].decode()
    refused = keeper.send("send", {"repo": "eve/learned"}).said
    assert "this login may not write there" in refused["values"]["words"]
    assert "/tmp" not in refused["values"]["words"]
    assert ("model", "eve/learned") not in hub.repos


@pytest.mark.usefixtures("kept")
def test_others_neither_open_folders_nor_push_with_the_machines_login(
    keeper: Client, server: str, hub: LoopbackHub, folder: Path
) -> None:
    for headers in ({"X-Forwarded-For": "203.0.113.9"}, {"Origin": "http://evil.example"}):  # as test_edge has them all
        keeper.headers = headers
        assert keeper.send("load", {"address": str(folder)}).key == "box.no_repo", headers
        assert keeper.send("send", {"repo": "ada/learned"}).key == "learn.no_login", headers
    assert hub.repos == {}
    keeper.headers = {"Origin": server}
    assert keeper.send("load", {"address": str(folder)}).key == "box.loaded"
    assert keeper.send("send", {"repo": "ada/learned"}).key == "learn.pushed"
    assert ("model", "ada/learned") in hub.repos


def test_on_a_space_each_visitor_pushes_with_a_login_of_their_own(
    browser: Browser, hub: LoopbackHub, few_digits: Path
) -> None:
    client = {"OAUTH_CLIENT_ID": "by-touch", "OAUTH_CLIENT_SECRET": "secret", "OAUTH_SCOPES": "contribute-repos"}
    hosted = os.environ | client | {"SYSTEM": "spaces", "SPACE_ID": "eve/by-touch", "OPENID_PROVIDER_URL": hub.url}
    hosted |= {"HF_TOKEN": STRANGER_TOKEN, "SAE_MODELS": str(BUNDLE / "l1-3"), "SAE_DATA_DIR": str(few_digits)}
    with running_space(environment=hosted) as space:
        context = browser.new_context()
        context.add_cookies([{"name": "session", "value": login_of_ada(), "url": space.address}])
        page = context.new_page()
        page.goto(space.address)
        open_learn(page)
        page.wait_for_selector("#login")
        with page.expect_request("**/queue/join*") as asked:
            keep_a_model(page)
        stranger = Client(space.address)  # on the same page, without the login
        stranger.session = asked.value.post_data_json["session_hash"]
        assert stranger.send("send", {"repo": "eve/learned"}).key == "learn.sign_in"
        page.click("#push summary")
        page.fill("#push input", "ada/learned")
        page.click("#train-send")
        page.wait_for_function(f"{SAID} === 'Published: ada/learned.'", timeout=PATIENCE)
        assert page.get_attribute("#train-said a", "href").startswith(f"{hub.url}/ada/learned/commit/")
        page.click("#tab-see")
        page.click("#take-home summary")
        assert 'pip install "git+https://huggingface.co/spaces/eve/by-touch"' in page.inner_text("#take-home code")
        context.close()
        assert hub.commits("ada/learned")
        said = space.log.read_text()
        assert TOKEN not in said
        assert STRANGER_TOKEN not in said
    assert ("model", "eve/learned") not in hub.repos


def login_of_ada() -> str:
    """The cookie of a visitor who is logged in, as Gradio signs it."""
    user = {"name": "Ada", "preferred_username": "ada", "profile": "", "picture": ""}
    login = {"access_token": TOKEN, "scope": "contribute-repos", "expires_at": time.time() + 900, "userinfo": user}
    signer = TimestampSigner(hashlib.sha256(b"secret-v4").hexdigest())
    return signer.sign(base64.b64encode(json.dumps({"oauth_info": login}).encode())).decode()


def open_learn(page: Page, latents: int = 100) -> None:
    page.click("#tab-learn")
    page.select_option("#train-size", str(latents))


def enabled(page: Page) -> set[str]:
    return {what for what in ("start", "pause", "step", "stop", "keep", "discard") if page.is_enabled(f"#train-{what}")}


def wait(page: Page, condition: str) -> None:
    page.wait_for_function(condition, timeout=PATIENCE)


def test_a_training_starts_is_seen_pauses_steps_stops_and_outlives_its_session(
    open_tab: Callable[[str], Page], server: str
) -> None:
    page = open_tab(server)
    open_learn(page)
    assert enabled(page) == {"start", "step"}
    assert not page.is_visible("#train-keep")
    page.click("#train-start")
    wait(page, f"{STEP} > 0")
    early = page.evaluate("document.querySelector('#train canvas').toDataURL()")
    assert enabled(page) == {"pause", "stop", "keep", "discard"}
    wait(page, f"{STEP} > 60")
    assert page.evaluate("document.querySelector('#train canvas').toDataURL()") != early
    assert page.locator("#train svg.plot").count() == 3
    page.click("#train-pause")
    wait(page, f"{SAID}.startsWith('Paused')")
    held = page.evaluate(STEP)
    assert page.is_disabled("#train-method")  # Start goes on with the same
    assert enabled(page) == {"start", "step", "stop", "keep", "discard"}
    first, last = re.search(r"from (\S+) to (\S+)", page.get_attribute("#train .loss svg", "aria-label")).groups()
    assert float(last) < float(first)
    others = Client(server)
    for number in range(MOST_SESSIONS + 1):  # so that the server forgets this one
        others.session = f"another-{number}"
        assert others.send("stop").ok
    assert page.evaluate(STEP) == held
    page.click("#train-step")
    wait(page, f"{STEP} === {held + 4}")
    page.click("#train-start")
    wait(page, f"{STEP} > {held + 4}")
    page.click("#train-stop")  # while it runs
    wait(page, f"{SAID}.startsWith('Stopped')")
    page.wait_for_timeout(1000)  # the last answer of the training comes after that of Stop
    assert page.evaluate(f"{SAID}.startsWith('Stopped')")
    assert enabled(page) == {"start", "step", "keep", "discard"}
    assert page.is_enabled("#train-method")
    page.click("#train-discard")
    wait(page, f"{SAID}.includes('Press Start')")
    page.wait_for_timeout(700)
    assert not page.is_visible("#train")
    assert enabled(page) == {"start", "step"}


def test_what_was_trained_stands_beside_the_others_in_every_language_and_who_leaves_makes_room(
    open_tab: Callable[[str], Page], server: str
) -> None:
    page = open_tab(server)
    open_learn(page)
    keep_a_model(page)
    name = page.inner_text("#train-said b")
    assert name.startswith("trained here/l1-1-")
    assert page.locator("#method input:checked").get_attribute("value") == f"user:{name}"
    assert "model=trained" in page.url
    assert "tmp" not in page.url  # where the server keeps it is nobody's business
    page.get_by_role("button", name="Русский").click()
    page.wait_for_function(f"/[а-я]/.test({SAID})")
    assert page.inner_text("#train-said b") == name
    assert page.evaluate(STEP) == 4
    with page.expect_download() as download:
        page.click("#train-file")
    assert download.value.suggested_filename.startswith("l1-1-")
    other = open_tab(page.url.replace("lang=ru", "lang=en"))  # the server has it still
    wait(other, f"document.querySelector('#beta output')?.textContent === '{name}'")
    page.click("#train-discard")
    open_learn(page, latents=900)  # takes longest, and the other waits all the while
    open_learn(other)
    page.click("#train-start")
    wait(page, f"{STEP} > 0")
    other.click("#train-start")
    other.wait_for_function(f"{SAID}.includes('ahead of yours in the queue: 1.')")
    assert other.evaluate(STEP) == -1
    page.close()
    wait(other, f"{STEP} > 0")
