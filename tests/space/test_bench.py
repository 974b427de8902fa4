"""The state of the page, and the links that hold it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sae_model import SparseAutoencoder
from space.bench import Bench, opening, restored, with_edits
from space.errors import InputError
from space.lab import Lab, Stop
from space.latent_card import latent_card
from space.own_digit import to_text

TABS = ("see", "strokes")
LAB = Lab()
DRAWING = to_text((torch.arange(784) % 16).reshape(28, 28) / 15)
STOPS = [(method, position) for method, stops in LAB.families.items() for position in range(len(stops))]


@settings(deadline=None)  # the first look at a model loads it
@given(
    digit=st.integers(0, 9999),
    drawing=st.sampled_from(["", DRAWING]),
    percent=st.integers(0, 100),
    seed=st.integers(0, 2**32 - 1),
    place=st.sampled_from(STOPS),
    edits=st.dictionaries(st.integers(0, 899), st.integers(-99, 99), max_size=4),
    tab=st.sampled_from(TABS),
)
def test_a_link_restores_the_whole_bench(
    digit: int, drawing: str, percent: int, seed: int, place: tuple[str, int], edits: dict[int, float], tab: str
) -> None:
    bench = Bench(digit, drawing, percent / 100, seed, *place, "{}", tab)
    stop = bench.stop(LAB)
    bench = replace(bench, edits=with_edits("{}", stop, {latent: value / 2 for latent, value in edits.items()}))
    again, missing = restored(LAB, bench.query(LAB), TABS)
    assert missing == ""
    assert again.stop(LAB).title == stop.title
    assert again.method == bench.method
    assert again.edits_of(stop) == bench.edits_of(stop)
    assert replace(again, position=0, edits="") == replace(bench, position=0, edits="")


def test_an_empty_link_opens_the_page_as_ever() -> None:
    assert restored(LAB, "?", TABS) == (opening(LAB), "")
    assert restored(LAB, "", TABS) == (opening(LAB), "")


def test_a_model_that_is_not_here_is_named() -> None:
    bench, missing = restored(LAB, "?sigma=0.5&model=ada%2Fmine&set=5:3", TABS)
    assert missing == "ada/mine"
    assert bench.edits_of(Stop("ada/mine", "", is_users=True)) == {5: 3}  # they wait for it
    assert replace(bench, edits="{}") == replace(opening(LAB), sigma=0.5)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?digit=10000", "digit_index is a whole number from 0 to 9999"),
        ("?digit=x", "The link's digit is no number"),
        ("?sigma=2", "sigma is a number from 0 to 1"),
        ("?sigma=nan", "sigma is a number from 0 to 1"),
        ("?seed=-1", "seed is a whole number"),
        ("?draw=!", "This is no drawing's text"),
        ("?tab=none", "there are: see, strokes"),
        ("?model=dense&method=topk", "has it not"),
        ("?model=dense&method=nothing", "There is no sparsity method"),
        ("?model=l1-1&set=900:1", "A latent of l1-1 is a whole number from 0 to 899"),
        ("?model=l1-1&set=1:inf", "such as 137:0"),
        ("?model=l1-1&set=1", "such as 137:0"),
        ("?model=l1-1&set=" + "+".join(f"{i}:1" for i in range(51)), "At most 50 latents"),
    ],
)
def test_a_wrong_link_ends_in_an_error_message(query: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        restored(LAB, query, TABS)


def test_edits_belong_to_one_stop() -> None:
    bench = opening(LAB)
    stop, other = LAB.families["l1"][:2]
    edits = with_edits(with_edits("{}", stop, {3: 0.0}), other, {4: 1.0})
    bench = replace(bench, edits=edits)
    assert bench.edits_of(stop) == {3: 0.0}
    assert bench.edits_of(other) == {4: 1.0}
    assert replace(bench, edits=with_edits(edits, stop, {})).edits_of(stop) == {}


@pytest.mark.parametrize("edits", ["[", "[]", "3", '{"dense": 3}', '{"dense": {"x": 1}}', '{"dense": {"1": true}}',
                                   '{"dense": {"1": 1e999}}', '{"dense": {"1": "0"}}', "[" * 100_000])  # fmt: skip
def test_edits_that_the_page_does_not_write_end_in_an_error_message(edits: str) -> None:
    with pytest.raises(InputError, match="reload the page"):
        replace(opening(LAB), edits=edits).edits_of(LAB.families["l1"][0])


@pytest.mark.parametrize(
    "change", [{"latent": 900}, {"latent": -1}, {"latent": True}, {"latent": None}, {"bench": {}}, {"bench": None}]
)
def test_a_card_that_the_page_does_not_ask_for_is_an_error_message(change: dict) -> None:
    request = {"bench": asdict(opening(LAB)), "latent": 3, "open": False}
    assert "Latent 3" in latent_card(LAB, json.dumps(request))
    with pytest.raises(InputError):
        latent_card(LAB, json.dumps(request | change))
    with pytest.raises(InputError):
        latent_card(LAB, "[")


def test_the_card_says_what_the_model_does() -> None:
    bench = opening(LAB)
    stop, look = bench.stop(LAB), bench.look(LAB)
    latent = int(look.latents.argmax())
    request = {"bench": asdict(bench), "latent": latent, "open": True}
    card = latent_card(LAB, json.dumps(request))
    assert f"z = {look.latents[latent]:.2f}" in card
    for mean in LAB.statistics(stop).class_means[:, latent].tolist():
        assert f"<span>{mean:.3f}</span>" in card
    request["bench"]["edits"] = with_edits("{}", stop, {latent: 0.0})
    assert "<b>off</b>" in latent_card(LAB, json.dumps(request))


def test_a_link_to_a_bundled_stop_beside_a_users_model_opens_without_that_model(
    tiny_model: SparseAutoencoder, tmp_path: Path
) -> None:
    tiny_model.save_pretrained(tmp_path / "mine")
    lab = Lab()
    list(lab.user_models.load(lab.user_models.address(str(tmp_path / "mine"), is_owner=True)))
    bench = replace(opening(LAB), method=f"user:{tmp_path / 'mine'}", position=1)
    assert bench.stop(lab).variant == "l1-0.01"
    assert "mine" not in bench.query(lab)
    assert restored(LAB, bench.query(lab), TABS)[0].stop(LAB).variant == "l1-0.01"
