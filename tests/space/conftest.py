"""The Space as visitors get it: a real server on loopback, and a real browser where the machine has one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sae_model import SparseAutoencoder
from space.export import export
from space.lab import Lab
from space.user_models import UserModels
from tests.space.browser import open_page
from tests.space.server import Server, running_space, served
from training.data import Split

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="session")
def lab() -> Lab:
    """What the page shows, without the page."""
    return Lab()


@pytest.fixture(scope="session")
def space() -> Iterator[Server]:
    """A running Space."""
    with running_space() as space:
        yield space


@pytest.fixture(scope="session")
def server(space: Server) -> str:
    """Its address."""
    return space.address


@pytest.fixture(scope="session")
def site(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page as a folder of files, which opens much faster than in Gradio."""
    folder = tmp_path_factory.mktemp("site") / "page"
    export(lab, folder)
    with served(folder) as address:
        yield address


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    """The page as it opens; in the end none of its scripts has failed."""
    page = open_page(browser, site)
    yield page
    assert page.errors == []
    page.context.close()


@pytest.fixture
def few(digits: Split) -> Split:
    """Images on which a model is measured fast."""
    return Split(digits.images[:200], digits.labels[:200])


@pytest.fixture
def models(few: Split) -> UserModels:
    """The users' models of a page."""
    return UserModels(few, 10)


@pytest.fixture
def folder(tiny_model: SparseAutoencoder, tmp_path: Path) -> Path:
    """A user's model."""
    tiny_model.save_pretrained(tmp_path / "mine")
    return tmp_path / "mine"
