"""The state of a page as the server checks it, and what the page carries for its first image."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import asdict
from urllib.parse import unquote

import gradio as gr
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sae_model import load_variant
from space.bench import Bench
from space.errors import InputError
from space.head import MOST_CARRIED, WEB, carried, head
from space.lab import Lab
from space.state import State, opening, read

LAB = Lab()
USUAL = asdict(opening(LAB))
DEEP = json.loads("[" * 500 + "]" * 500)


STOPS = st.sampled_from(sorted(LAB.stops))


@given(
    st.fixed_dictionaries(
        {
            "digit": st.integers(0, 9999),
            "draw": st.from_regex("[A-Za-z0-9_-]{0,400}", fullmatch=True),
            "sigma": st.floats(0, 1),
            "seed": st.integers(0, 2**32 - 1),
            "stop": STOPS,
            "edits": st.dictionaries(STOPS, st.dictionaries(st.integers(0, 899).map(str), st.floats(-1e4, 1e4))),
        }
    )
)
def test_what_a_page_sends_is_read(changed: dict[str, object]) -> None:
    sent = USUAL | changed
    assert read(json.dumps(sent), LAB) == State(**sent)


def test_what_is_no_state_is_an_error_message() -> None:
    for text in ("", "[", "{}", "[]", "null", "3", None, 7, ["{}"], "[" * 100_000, "x" * 50_000):
        with pytest.raises(InputError, match=r"The page sent a value that is not allowed \(state\): reload it\."):
            read(text, LAB)


WRONG = {
    "digit": (-1, 10_000, 1.5, True, None, "0", float("nan")),
    "draw": ("!", "a" * 1001, "é", "a\n", None, 3),
    "sigma": (-0.1, 1.1, float("nan"), float("inf"), "0.3", None, True, 10**400),
    "seed": (-1, 2**32, 0.5, None),
    "family": (None, "x" * 301, "a\n", 3, ["l1"]),
    "stop": (None, "x" * 301, {}),
    "beside": (None, "\ud800"),
    "edits": (
        None, [], {"dense": 3}, {"dense": {"x": 1}}, {"dense": {"1": True}}, {"dense": {"1": "0"}},
        {"dense": {"1": 1e5}}, {"dense": {"1": float("inf")}}, {"dense": {"²": 1}}, {"dense": {"1" * 9: 1}},
        {"dense": {str(latent): 1 for latent in range(51)}}, {"x" * 301: {}},
    ),
    "tab": ("figures", None, []),
    "lang": ("xx", None, {}),
    "bins": ("three", None),
    "label": (-1, 10, 0.5),
    "reveal": (-1, 1.5, None),
    "target": (0, 1, None, float("nan")),
}  # fmt: skip


def test_each_field_is_checked() -> None:
    assert USUAL.keys() == WRONG.keys()
    for name, values in WRONG.items():
        for wrong in (*values, DEEP):
            with pytest.raises(InputError, match=rf"\({name}\)|\(state\)"):
                read(json.dumps(USUAL | {name: wrong}), LAB)
        with pytest.raises(InputError):
            read(json.dumps({key: value for key, value in USUAL.items() if key != name}), LAB)
    with pytest.raises(InputError):
        read(json.dumps(USUAL | {"another": 1}), LAB)


def test_the_component_checks_its_value_and_draws_nothing() -> None:
    with gr.Blocks(analytics_enabled=False):
        bench = Bench(LAB)
    assert bench.preprocess(bench.value) == opening(LAB)
    with pytest.raises(gr.Error, match="The page sent a value that is not allowed"):
        bench.preprocess("<img src=x onerror=alert()>")
    assert len(bench.value) < 400


def numbers(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f2").astype(float)


def test_the_page_carries_what_its_first_image_needs_unless_that_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    content = carried(LAB)
    assert len(json.dumps(content)) < 45_000 < MOST_CARRIED
    assert content["looks"].keys() == {USUAL["stop"], USUAL["beside"]}
    np.testing.assert_allclose(numbers(content["clean"]), LAB.images[USUAL["digit"]].flatten() / 255, atol=1e-3)
    for stop, there in content["looks"].items():
        look, model = LAB.look(opening(LAB).specimen, stop), load_variant(LAB.stop(stop).model)
        np.testing.assert_allclose(numbers(there["latents"]), look.latents, atol=1e-2, rtol=1e-3)
        np.testing.assert_allclose(numbers(there["reconstruction"]), look.reconstruction.flatten(), atol=1e-3)
        assert set(map(int, there["atoms"])) == set(look.latents.topk(6).indices.tolist())
        for latent, atom in there["atoms"].items():
            np.testing.assert_allclose(numbers(atom), model.dictionary[int(latent)].flatten(), atol=1e-2, rtol=1e-3)
        with torch.no_grad():
            bias = model.logits(torch.zeros(1, 900))
        np.testing.assert_allclose(numbers(there["bias"]), bias.flatten(), atol=2e-2, rtol=1e-3)
    monkeypatch.setattr("space.head.MOST_CARRIED", 1000)
    assert carried(LAB) is None


def test_the_head_has_every_module_as_it_lies_in_its_file_under_a_name() -> None:
    first, last = head(LAB, "gradio.js")
    assert not re.search(r"[^ -~]", first)
    imports = json.loads(re.search(r'<script type="importmap">(.*?)</script>', first)[1])["imports"]
    modules = [path for path in WEB.glob("*.js") if path.name != "static.js"]
    assert imports.keys() == {f"web/{path.name}" for path in modules}
    for path in modules:
        start, _, code = imports[f"web/{path.name}"].partition(",")
        assert start == "data:text/javascript;charset=utf-8"
        named = re.findall(r'^(?:import|export)\b[^;]*?\bfrom "([^"]*)"', unquote(code), re.M)
        assert set(named) <= imports.keys(), path
        lines = re.sub(r'from "web/', 'from "./', unquote(code)).splitlines()
        assert lines == [*path.read_text(encoding="utf-8").splitlines(), f"//# sourceURL=web/{path.name}"]
    assert first.endswith('<script type="module">import "web/gradio.js";</script>')
    assert all(path.read_text(encoding="utf-8") in last for path in WEB.glob("*.css"))


def test_no_name_ends_the_script_that_carries_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("space.head.carried", lambda _: {"looks": {"</script><b>": {}}})
    first, _ = head.__wrapped__(LAB, "gradio.js")  # which keeps what it made
    host = re.search(r'<script type="application/json" id="host">(.*?)</script>', first)[1]
    assert json.loads(host)["opening"] == {"looks": {"</script><b>": {}}}
