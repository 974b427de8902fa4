"""The Space as visitors get it: a real server on loopback, and a real browser where the machine has one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sae_model import SparseAutoencoder
from sae_model.bundle import BUNDLE
from space.export import export
from space.files import Files
from space.lab import Lab
from space.user_model_process import work
from space.user_models import UserModels
from tests.space.browser import WIDE, new_window, open_in, visit, wait_for_models
from tests.space.events import Client
from tests.space.server import Server, running_space, served
from training.data import Split

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page


@pytest.fixture(scope="session")
def lab() -> Lab:
    """What the page shows, without the page."""
    return Lab()


@pytest.fixture(scope="session")
def files(lab: Lab) -> Files:
    """What a browser may fetch."""
    return Files(lab, {"hosted": False})


@pytest.fixture(scope="session")
def index(files: Files) -> dict[str, Any]:
    """What a browser is told in lab.json."""
    return json.loads(files.table["lab.json"].body)


@pytest.fixture(scope="session")
def few_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of some of the bundled models."""
    folder = tmp_path_factory.mktemp("few-models")
    for name in ("dense", "l1-1", "l1-3", "l1-10", "topk-50", "adaptive-topk"):
        (folder / name).symlink_to(BUNDLE / name)
    return folder


@pytest.fixture(scope="session")
def space(few_models: Path, few_digits: Path) -> Iterator[Server]:
    """A running Space with few models and few digits, on which a model is measured fast."""
    environment = os.environ | {"SAE_MODELS": str(few_models), "SAE_DATA_DIR": str(few_digits)}
    with running_space(environment=environment) as space:
        yield space


@pytest.fixture(scope="session")
def server(space: Server) -> str:
    """Its address."""
    return space.address


@pytest.fixture
def visitor(server: str) -> Client:
    """Somebody on the running Space who has no browser."""
    return Client(server)


@pytest.fixture(scope="session")
def exported(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page as a folder of files, within the folders of a site."""
    folder = tmp_path_factory.mktemp("site") / "some" / "where"
    export(lab, folder)
    return folder


@pytest.fixture(scope="session")
def site(exported: Path) -> Iterator[str]:
    """The address of that page, which opens much faster than in Gradio."""
    with served(exported.parents[1]) as address:
        yield f"{address}some/where/"


@pytest.fixture(scope="session")
def window(browser: Browser) -> Iterator[BrowserContext]:
    """One for all tests that ask for nothing special, since a new one takes a second; it has an empty tab."""
    window = new_window(browser, permissions=["clipboard-read", "clipboard-write"])
    window.new_page()
    yield window
    window.close()


@pytest.fixture
def open_tab(window: BrowserContext) -> Iterator[Callable[[str], Page]]:
    """Opens an address in a new tab; in the end none of the tabs' scripts has failed, and nothing is remembered."""
    tabs: list[Page] = []

    def open_tab(address: str) -> Page:
        tabs.append(open_in(window, address))
        return tabs[-1]

    yield open_tab
    for tab in tabs:
        if not tab.is_closed():
            tab.evaluate("localStorage.clear()")
            tab.close()
    assert [error for tab in tabs for error in tab.errors] == []


@pytest.fixture(scope="session")
def tab(window: BrowserContext, site: str) -> Page:
    """The page in a tab that stays open."""
    return open_in(window, site)


@pytest.fixture
def page(tab: Page) -> Iterator[Page]:
    """The page in the state in which it opens, though other tests used it before: to open it anew takes seconds."""
    tab.errors.clear()
    tab.set_viewport_size(WIDE)
    tab.evaluate("scrollTo(0, 0)")
    tab.mouse.move(0, 0)
    tab.keyboard.press("Escape")
    visit(tab, "?")
    wait_for_models(tab)
    yield tab
    assert tab.errors == []


@pytest.fixture
def few(digits: Split) -> Split:
    """Images on which a model is measured fast."""
    return Split(digits.images[:200], digits.labels[:200])


@pytest.fixture
def models(few: Split) -> UserModels:
    """The users' models of a page."""
    return UserModels(few, 10)


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare a test the seconds that the process of a user's model takes to start."""
    monkeypatch.setattr(UserModels, "_messages", lambda _, job, *__: work(job))


@pytest.fixture
def folder(tiny_model: SparseAutoencoder, tmp_path: Path) -> Path:
    """A user's model."""
    tiny_model.save_pretrained(tmp_path / "mine")
    return tmp_path / "mine"
