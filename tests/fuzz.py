"""100,000 calls with whatever hypothesis thinks of: `python -m tests.fuzz`. It ends in a table, and fails if one broke.

The public functions, a model's methods, loading, the command line, and a running page on loopback; nothing leaves this
machine. What each may answer is written beside it: its documented result, or its documented error.
"""

# ruff: noqa: E402, the environment must be set before anything imports huggingface_hub or torch, which read it then

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

os.environ["HF_ENDPOINT"], os.environ["HF_TOKEN"] = "http://127.0.0.1:9", "hf_secret_of_the_server"
os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}

import torch
import typer
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import sae_model
from sae_model import ModelLoadError, SparseAutoencoder
from tests.command_line import run
from tests.sae_model.test_storage import CONFIGS, ENTRIES, SCALARS, SPARSITIES, VALUES
from tests.space.events import Client, assert_plain
from tests.space.server import resident_mb, running_space

SHARES = {"functions": 0.715, "models": 0.25, "loading": 0.01, "command line": 0.005, "page": 0.02}
FLOATS = st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64])
SCALES = st.sampled_from([0.0, 1e-40, 1e-20, 1e-3, 1.0, 1e3, 1e18, math.inf, math.nan])
SECRET = os.environ["HF_TOKEN"]


@st.composite
def tensors(draw: st.DrawFn, *, width: int | None = None, shape: tuple[int, ...] | None = None) -> torch.Tensor:
    """Numbers of any type and scale; (0 to 4, width) unless a shape is given."""
    size = (draw(st.integers(0, 4)), width or draw(st.integers(1, 9))) if shape is None else shape
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    return (torch.randn(size, generator=generator) * draw(SCALES)).to(draw(FLOATS))


def fuzzed(**strategies: st.SearchStrategy) -> Callable[[Callable[..., None]], Callable[[int], None]]:
    """Make a check of examples into a function that checks so many of them."""

    def decorated(check: Callable[..., None]) -> Callable[[int], None]:
        def checked(calls: int) -> None:
            bounds = {"max_examples": calls, "database": None, "deadline": None, "phases": [Phase.generate]}
            settings(suppress_health_check=list(HealthCheck), **bounds)(given(**strategies)(check))()

        return checked

    return decorated


NUMBERS_KEPT = st.one_of(
    st.integers(-2, 12),
    SCALARS,
    st.lists(st.integers(-1, 9), max_size=4).map(lambda values: torch.tensor(values, dtype=torch.long)),
    st.lists(st.floats(-1, 9), min_size=1, max_size=4).map(torch.tensor),
)


@fuzzed(latents=tensors(), k=NUMBERS_KEPT, target=st.floats(), rate=st.floats(0, 1), dtype=FLOATS)
def functions(latents: torch.Tensor, k: object, target: float, rate: float, dtype: torch.dtype) -> None:
    """Finite results of finite latents at any scale; a ValueError for a wrong k or target. (20 calls.)"""
    for scale in (1.0, -1.0, 2.0**-20, 2.0**20):
        _functions(latents * scale, k, target, rate, dtype)


def _functions(latents: torch.Tensor, k: object, target: float, rate: float, dtype: torch.dtype) -> None:
    finite = bool(latents.isfinite().all())
    activations, carried = sae_model.unit_activation(latents), sae_model.effective_l0(latents)
    assert activations.shape == latents.shape
    assert carried.shape == latents.shape[:1]
    if finite:
        assert ((activations >= 0) & (activations <= 1)).all()
        assert ((carried >= 0) & (carried <= 1.02 * latents.shape[1])).all()
        if len(latents):
            assert sae_model.load_balancing_loss(latents).isfinite()
    try:
        kept = sae_model.keep_top_k(latents, k)
        assert kept.shape == latents.shape
        assert not finite or (kept.count_nonzero(1) <= torch.as_tensor(k)).all()
    except ValueError as error:
        assert_short(error)
    try:
        divergence = sae_model.bernoulli_kl(target, torch.tensor(rate, dtype=dtype))
        assert divergence.isfinite()
        assert divergence >= 0
    except ValueError as error:
        assert_short(error)


MODELS = [
    SparseAutoencoder(latent_dim=9, sparsity=method, image_shape=(1, 4, 4)).eval()
    for method in (None, sae_model.L1(0.1), sae_model.TopK(3), sae_model.AdaptiveTopK(5), sae_model.KLPerImage(0.1))
]
SHAPES = st.sampled_from([(2, 1, 4, 4), (0, 1, 4, 4), (1, 1, 4, 5), (1, 16), (1, 4, 4), ()])


@fuzzed(
    images=SHAPES.flatmap(lambda shape: tensors(shape=shape)),
    k=st.none() | NUMBERS_KEPT,
    latents=tensors(width=9) | tensors(),
    arguments=st.tuples(SCALARS, SPARSITIES | VALUES, SCALARS, st.lists(SCALARS, max_size=4)),
)
@torch.no_grad()
def models(images: torch.Tensor, k: object, latents: torch.Tensor, arguments: tuple) -> None:
    """Reconstructions of any images of the right shape and of any latents; a ValueError for all else. (11 calls.)"""
    encodings = [(partial(model.encode, images, k=k), images) for model in MODELS]
    for call, given_ in encodings + [(partial(model.decode, latents), latents) for model in MODELS]:
        try:
            result = call()
            assert result.dtype == torch.float32
            assert not bool((given_.float().abs() < 1e4).all()) or result.isfinite().all()
        except ValueError as error:
            assert_short(error)
    try:
        with torch.device("meta"):
            SparseAutoencoder(*arguments)
    except (ValueError, RuntimeError, OverflowError) as error:  # the last two: sizes that torch cannot count
        assert_short(error)


FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-"))


@fuzzed(changes=CONFIGS, names=st.lists(st.text(max_size=5), max_size=2), data=st.data())
def loading(changes: dict[str, object], names: list[str], data: st.DataObject) -> None:
    """A model whose weights are finite, or a ModelLoadError."""
    folder = FOLDER / "broken"
    if not folder.exists():
        MODELS[1].save_pretrained(folder)
        shutil.copytree(folder, FOLDER / "whole")
    config = json.loads((FOLDER / "whole" / "config.json").read_text())
    weights = (FOLDER / "whole" / "model.safetensors").read_bytes()
    length = int.from_bytes(weights[:8], "little")
    header = json.loads(weights[8 : 8 + length])
    if data.draw(st.booleans()):
        (folder / "config.json").write_text(json.dumps(config | changes))
        (folder / "model.safetensors").write_bytes(weights)
    else:
        for name in [*names, data.draw(st.sampled_from(sorted(header)))]:
            entry = header[name] if isinstance(header.get(name), dict) else {}
            header[name] = data.draw(VALUES | ENTRIES.map(lambda changes, entry=entry: entry | changes))
        text = json.dumps(header).encode()
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + weights[8 + length :])
    try:
        loaded = SparseAutoencoder.from_pretrained(folder)
        assert all(tensor.isfinite().all() for tensor in loaded.state_dict().values())
    except ModelLoadError as error:
        assert_short(error)


WORDS = st.sampled_from(
    ["", "-1", "0", "nan", "inf", "1e400", "9" * 30, "9" * 5000, "\u202e", "meta", "ada/mine", "--"]
)
OPTIONS = ("--sparsity", "--beta", "--target", "--k", "--epochs", "--noise", "--latent-dim", "--seed", "--limit")


@fuzzed(options=st.dictionaries(st.sampled_from((*OPTIONS, "--device", "--init", "--dataset")), WORDS, max_size=3))
def command_line(options: dict[str, str]) -> None:
    """An end with words and no traceback, whatever is asked for; there are no images, so nothing is trained."""
    arguments = [word for option in options.items() for word in option]
    done = run("fit", *arguments, "--data-dir", FOLDER / "nothing", "--output", FOLDER / "output")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    if done.stderr.startswith("Error: "):  # ours; the others are typer's, in a frame
        assert done.stderr.strip().isprintable()
        assert len(done.stderr) < 310


def assert_short(error: Exception) -> None:
    assert len(str(error)) < 300, str(error)[:400]
    assert not isinstance(error, ModelLoadError) or str(error).isprintable()


class Page:
    """A running page, and how long its answers take."""

    def __init__(self, address: str) -> None:
        self.address, self.visitor, self.calls = address, Client(address), 0
        self.slowest = 0.0
        self.events = [name for name in self.visitor.events if name not in ("run", "leave", "reconstruct")]

    def fuzz(self, data: st.DataObject) -> None:
        """An answer in plain words to any event, with any state and any data."""
        self.calls += 1
        if self.calls % 500 == 0:
            self.visitor = Client(self.address)
        event = data.draw(st.sampled_from(self.events))
        asked: object = self.visitor.settings() | {"address": "l1-1", "repo": "ada/mine"}
        if event != "keep":  # which measures a model for ten seconds where there is one
            for name in data.draw(st.lists(st.sampled_from(sorted(asked)), max_size=2)):
                asked[name] = data.draw(VALUES)
        state = json.loads(self.visitor.state)
        for name in data.draw(st.lists(st.sampled_from(sorted(state)), max_size=2)):
            state[name] = data.draw(VALUES)
        sent = data.draw(st.just(json.dumps(state)) | VALUES)
        began = time.perf_counter()
        answer = self.visitor.send(event, data.draw(st.just(asked) | VALUES), state=sent)
        self.slowest = max(self.slowest, time.perf_counter() - began)
        assert_plain(answer, SECRET)


def main(calls: Annotated[int, typer.Option(min=1000, help="Calls in all.")] = 100_000) -> None:
    """Fuzz the public API, loading, the command line and the page, and print a table."""
    print("| what | calls | seconds | memory before and after, MB | broke |\n|---|---|---|---|---|")
    broke: list[str] = []

    def row(name: str, check: Callable[[int], None], calls_each: int = 1, pid: int | str = "self") -> None:
        share = round(calls * SHARES[name] / calls_each)
        count, before, began = len(broke), 0.0, time.perf_counter()
        try:
            check(share // 10)  # what is set up on first use is not counted as growth
            before = resident_mb(pid)
            check(share - share // 10)
        except Exception as error:
            broke.append(f"{name}: {type(error).__name__}: {str(error)[:1000]}")
        seconds = time.perf_counter() - began
        grown = f"{before:.0f}, {resident_mb(pid):.0f}"
        print(
            f"| {name} | {share * calls_each:,} | {seconds:.0f} | {grown} | {'yes' if len(broke) > count else 'no'} |",
            flush=True,
        )

    row("functions", functions, calls_each=20)
    row("models", models, calls_each=11)
    row("loading", loading)
    row("command line", command_line)
    with running_space() as space:
        page = Page(space.address)
        row("page", fuzzed(data=st.data())(lambda data: page.fuzz(data)), pid=space.pid)
        told = space.log.read_text(errors="replace")
    if SECRET in told:
        broke.append("page: the token of the server is in its log")
    shutil.rmtree(FOLDER)
    print(f"\nThe slowest answer of the page took {page.slowest:.2f} seconds.")
    sys.exit("\n".join(broke) or 0)


if __name__ == "__main__":
    typer.run(main)
