"""Shared by all tests: the digits, one model that was really trained, briefly, and a Hub on loopback.

No test talks to the real Hub: the environment below sends huggingface_hub, here and in every process that a test
starts, to a port of 127.0.0.1 where nothing listens unless a test uses `hub`.
"""

# ruff: noqa: E402, the environment must be set before anything imports huggingface_hub or torch, which read it then

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from tests.loopback_hub import TOKEN, LoopbackHub

assert "huggingface_hub" not in sys.modules, "huggingface_hub was imported before it was sent to loopback"
_HUB = LoopbackHub()
_HF_HOME = tempfile.TemporaryDirectory(prefix="hf-home-")
for name in [name for name in os.environ if name.startswith(("HF_", "HUGGING", "TRANSFORMERS_"))]:
    del os.environ[name]
os.environ |= {
    "HF_ENDPOINT": _HUB.url,
    "HF_HOME": _HF_HOME.name,
    "HF_TOKEN": TOKEN,
    "HF_HUB_DISABLE_XET": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "OMP_NUM_THREADS": "1",  # models of tests are too small for more threads, which would only wait for each other
    "GRADIO_ANALYTICS_ENABLED": "False",
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
}

import pytest
import torch

from sae_model import L1, SparseAutoencoder
from tests.idx import write_idx
from tests.space.browser import chromium
from training.data import Split, load_split
from training.fit.loop import fit
from training.fit.recipe import Recipe

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BRIEF = Recipe(sparsity=L1(0.3), limit=6_000, latent_dim=200, epochs=3, batch_size=64)


@pytest.fixture(scope="session")
def digits() -> Split:
    """The 10,000 test digits."""
    return load_split("mnist", "test")


@pytest.fixture(scope="session")
def training_digits() -> Split:
    """The training digits that `BRIEF` asks for."""
    return load_split("mnist", "train", limit=BRIEF.limit)


@pytest.fixture(scope="session")
def brief_model(training_digits: Split) -> SparseAutoencoder:
    """A model after a few seconds of training; tests must not change it."""
    model = BRIEF.new_model(training_digits.images)
    for _ in fit(model, training_digits.images, BRIEF):
        pass
    return model


@pytest.fixture
def tiny_model() -> SparseAutoencoder:
    """A small model with random weights, free to be changed."""
    torch.manual_seed(1)
    return SparseAutoencoder(latent_dim=30, sparsity=L1(0.1)).eval()


@pytest.fixture(scope="session")
def few_digits(tmp_path_factory: pytest.TempPathFactory, training_digits: Split, digits: Split) -> Path:
    """A data folder of 1,200 training digits (100 of them for validation) and 500 test digits, to be fast with."""
    folder = tmp_path_factory.mktemp("few-digits")
    for half, split, count in (("train", training_digits, 1_200), ("t10k", digits, 500)):
        write_idx(folder / "MNIST" / "raw", half, split.images[:count].squeeze(1).numpy(), split.labels[:count].numpy())
    return folder


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    """A running Hub that holds nothing yet, and an empty cache of the client."""
    _HUB.reset()
    shutil.rmtree(_HF_HOME.name)
    Path(_HF_HOME.name).mkdir()
    _HUB.start()
    yield _HUB
    _HUB.stop()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the Hub's client waits between its attempts; in this test they are noted, not waited."""
    seconds: list[float] = []
    for module in ("huggingface_hub.utils._http", "huggingface_hub.file_download"):
        monkeypatch.setattr(f"{module}.time", SimpleNamespace(sleep=seconds.append))
    return seconds


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One for all tests."""
    try:
        with chromium() as instance:
            yield instance
    except FileNotFoundError as error:
        pytest.skip(str(error))
