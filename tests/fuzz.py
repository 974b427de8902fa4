"""100,000 calls with whatever hypothesis thinks of: `python -m tests.fuzz`. It ends in a table, and fails if one broke.

The public functions, a model's methods, loading, the command line, and a running page on loopback; nothing leaves this
machine. What each may answer is written beside it: its documented result, or its documented error.
"""

# ruff: noqa: E402, the environment must be set before anything imports huggingface_hub or torch, which read it then

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

SECRET = "hf_secret_of_the_server"
os.environ |= {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_TOKEN": SECRET, "OMP_NUM_THREADS": "1"}

import torch
import typer
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import sae_model
from sae_model import SparseAutoencoder
from tests.command_line import assert_refused, run
from tests.sae_model import test_storage
from tests.sae_model.test_storage import SCALARS, SPARSITIES, VALUES
from tests.space.events import Client, assert_plain
from tests.space.server import resident_mb, running_space

FLOATS = st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64])
SCALES = st.sampled_from([0.0, 1e-40, 1e-20, 1e-3, 1.0, 1e3, 1e18, math.inf, math.nan])
SHAPES = st.sampled_from([(2, 1, 4, 4), (0, 1, 4, 4), (1, 1, 4, 5), (1, 16), (1, 4, 4), (), (2, 9), (4, 9), (3, 2)])
NUMBERS_KEPT = st.one_of(
    st.integers(-2, 12),
    SCALARS,
    st.lists(st.integers(-1, 9), max_size=4).map(lambda values: torch.tensor(values, dtype=torch.long)),
    st.lists(st.floats(-1, 9), min_size=1, max_size=4).map(torch.tensor),
)
WORDS = st.sampled_from(
    ["", "-1", "0", "nan", "inf", "1e400", "9" * 30, "9" * 5000, "\u202e", "meta", "ada/mine", "--"]
)
OPTIONS = ("--sparsity", "--beta", "--target", "--k", "--epochs", "--noise", "--latent-dim", "--seed", "--limit")
MODELS = [
    SparseAutoencoder(latent_dim=9, sparsity=method, image_shape=(1, 4, 4)).eval()
    for method in (None, sae_model.L1(0.1), sae_model.TopK(3), sae_model.AdaptiveTopK(5), sae_model.KLPerImage(0.1))
]
SCRATCH = tempfile.TemporaryDirectory(prefix="fuzz-")
FOLDER = Path(SCRATCH.name)


def tensors(data: st.DataObject, shape: tuple[int, ...]) -> torch.Tensor:
    """Numbers of any type and scale."""
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**32 - 1)))
    return (torch.randn(shape, generator=generator) * data.draw(SCALES)).to(data.draw(FLOATS))


@contextmanager
def or_a_short(*errors: type[Exception]) -> Iterator[None]:
    """What it holds may raise one of these errors, in a few words."""
    message = ""
    try:
        yield
    except errors as error:
        message = str(error)
    assert len(message) < 300, message[:400]


def functions(data: st.DataObject) -> None:
    """Finite results of finite latents at any scale; a ValueError for a wrong k or target. (20 calls.)"""
    drawn, k = tensors(data, data.draw(st.tuples(st.integers(0, 4), st.integers(1, 9)))), data.draw(NUMBERS_KEPT)
    target, rate = data.draw(st.floats()), torch.tensor(data.draw(st.floats(0, 1)), dtype=data.draw(FLOATS))
    for scale in (1.0, -1.0, 2.0**-20, 2.0**20):
        latents = drawn * scale
        finite = bool(latents.isfinite().all())
        activations, carried = sae_model.unit_activation(latents), sae_model.effective_l0(latents)
        assert (activations.shape, carried.shape) == (latents.shape, latents.shape[:1])
        if finite:
            assert ((activations >= 0) & (activations <= 1)).all()
            assert ((carried >= 0) & (carried <= 1.02 * latents.shape[1])).all()
            assert len(latents) == 0 or sae_model.load_balancing_loss(latents).isfinite()
        with or_a_short(ValueError):
            kept = sae_model.keep_top_k(latents, k)
            assert kept.shape == latents.shape
            assert not finite or (kept.count_nonzero(1) <= torch.as_tensor(k)).all()
        with or_a_short(ValueError):
            assert 0 <= sae_model.bernoulli_kl(target, rate) < math.inf


@torch.no_grad()
def models(data: st.DataObject) -> None:
    """Reconstructions of any images of the right shape and of any latents; a ValueError for all else. (11 calls.)"""
    sent, k = tensors(data, data.draw(SHAPES)), data.draw(st.none() | NUMBERS_KEPT)
    for model in MODELS:
        for call in (partial(model.encode, k=k), model.decode):
            with or_a_short(ValueError):
                result = call(sent)
                assert result.dtype == torch.float32
                assert not bool((sent.float().abs() < 1e4).all()) or result.isfinite().all()
    arguments = data.draw(st.tuples(SCALARS, SPARSITIES | VALUES, SCALARS, st.lists(SCALARS, max_size=4)))
    with or_a_short(ValueError, RuntimeError, OverflowError), torch.device("meta"):  # or sizes that torch cannot count
        SparseAutoencoder(*arguments)


def loading(data: st.DataObject) -> None:
    """A model whose weights are finite, or a ModelLoadError."""
    whole = FOLDER / "whole"
    if not whole.exists():
        MODELS[1].save_pretrained(whole)
    damaged = data.draw(st.sampled_from([test_storage.with_any_config, test_storage.with_any_header]))
    test_storage.assert_loads_or_is_refused(damaged(whole, data))


def command_line(data: st.DataObject) -> None:
    """An end with words and no traceback, whatever is asked for; there are no images, so nothing is trained."""
    names = st.sampled_from((*OPTIONS, "--device", "--init", "--dataset"))
    arguments = [word for option in data.draw(st.dictionaries(names, WORDS, max_size=3)).items() for word in option]
    done = run("fit", *arguments, "--data-dir", FOLDER / "nothing", "--output", FOLDER / "output")
    if done.stderr.startswith("Error: "):
        assert_refused(done, "Error: ")
    else:  # typer's, in a frame
        assert done.returncode != 0
        assert "Traceback" not in done.stderr


def on_page(visitor: Client, data: st.DataObject) -> None:
    """An answer in plain words to any event, with any state and any data."""
    event = data.draw(st.sampled_from(sorted(visitor.events.keys() - {"run", "leave", "reconstruct"})))
    asked: object = visitor.settings() | {"address": "l1-1", "repo": "ada/mine"}
    state = json.loads(visitor.state)
    for changed in [state] if event == "keep" else [state, asked]:  # keep measures a model for ten seconds
        for name in data.draw(st.lists(st.sampled_from(sorted(changed)), max_size=2)):
            changed[name] = data.draw(VALUES)
    sent = data.draw(st.just(json.dumps(state)) | VALUES)
    assert_plain(visitor.send(event, data.draw(st.just(asked) | VALUES), state=sent), SECRET)


def fuzz(name: str, check: Callable[[st.DataObject], None], examples: int, each: int, pid: int | str) -> list[str]:
    """Check so many examples of so many calls each, print a row of the table, and return what broke."""
    broke = []
    bounds = {"max_examples": examples, "database": None, "deadline": None, "phases": [Phase.generate]}
    before, began = resident_mb(pid), time.perf_counter()
    try:
        settings(suppress_health_check=list(HealthCheck), **bounds)(given(st.data())(lambda data: check(data)))()
    except Exception as error:
        broke.append(f"{name}: {type(error).__name__}: {str(error)[:1000]}")
    seconds, memory = time.perf_counter() - began, f"{before:.0f}, {resident_mb(pid):.0f}"
    print(f"| {name} | {examples * each:,} | {seconds:.0f} | {memory} | {'yes' if broke else 'no'} |", flush=True)
    return broke


def main(calls: int = 100_000) -> None:
    """Fuzz the public API, loading, the command line and the page, and print a table."""
    print("| what | calls | seconds | memory before and after, MB | broke |\n|---|---|---|---|---|")
    broke = fuzz("functions", functions, round(0.715 * calls / 20), 20, "self")
    broke += fuzz("models", models, round(0.25 * calls / 11), 11, "self")
    broke += fuzz("loading", loading, round(0.01 * calls), 1, "self")
    broke += fuzz("command line", command_line, round(0.005 * calls), 1, "self")
    with running_space() as space:
        broke += fuzz("page", partial(on_page, Client(space.address)), round(0.02 * calls), 1, space.pid)
        if SECRET in space.log.read_text(errors="replace"):
            broke.append("page: the token of the server is in its log")
    sys.exit("\n".join(broke) or 0)


if __name__ == "__main__":
    typer.run(main)
