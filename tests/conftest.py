"""Shared by all tests: the test digits, one model that was really trained, briefly, and a Hub on loopback.

No test talks to the real Hub: the environment below sends huggingface_hub, here and in every process that a test
starts, to a port of 127.0.0.1 where nothing listens unless a test uses `hub`.
"""

# ruff: noqa: E402, the environment must be set before anything imports huggingface_hub, which reads it only then

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

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
    "GRADIO_ANALYTICS_ENABLED": "False",
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
}

import pytest
import torch

from sae_model import L1, SparseAutoencoder
from training.data import Split, load_split
from training.loop import fit
from training.recipe import Recipe

BRIEF = Recipe(sparsity=L1(0.1), limit=12_000, epochs=4, batch_size=64, hidden_dim=128)


@pytest.fixture(scope="session")
def digits() -> Split:
    """The 10,000 test digits."""
    return load_split("mnist", train=False)


@pytest.fixture(scope="session")
def training_digits() -> Split:
    """The training digits that `BRIEF` asks for."""
    return load_split("mnist", train=True, limit=BRIEF.limit)


@pytest.fixture(scope="session")
def brief_model(training_digits: Split) -> SparseAutoencoder:
    """A model after a few seconds of training; tests must not change it."""
    model = BRIEF.new_model()
    for _ in fit(model, training_digits.images, BRIEF):
        pass
    return model


@pytest.fixture
def tiny_model() -> SparseAutoencoder:
    """A small model with random weights, free to be changed."""
    torch.manual_seed(1)
    return SparseAutoencoder(latent_dim=30, hidden_dim=16, sparsity=L1(0.1)).eval()


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
