"""Trainings that visitors watch, without the page."""

from __future__ import annotations

import copy
import gc
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from sae_model import L1, SparseAutoencoder
from space.errors import InputError
from space.live_training import MOST_OF_AN_ADDRESS, MOST_TRAININGS, MOST_WAITING, LiveTraining, LiveTrainings
from training.data import Split, as_floats, open_dataset
from training.fit.loop import fit
from training.fit.recipe import Recipe, tuned

RECIPE = replace(tuned(L1(1.0)), latent_dim=40, epochs=2, limit=600, batch_size=100)


def begin(digits: Split, recipe: Recipe = RECIPE) -> LiveTraining:
    return LiveTraining(recipe, digits.images[:600], as_floats(digits.images[:8]))


@pytest.fixture
def trainings(digits: Split) -> LiveTrainings:
    return LiveTrainings(open_dataset("mnist"), as_floats(digits.images[:8]))


def test_moment_by_moment_it_ends_as_the_command_line_does(digits: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    training, held = begin(digits), []

    def deepcopy(model: SparseAutoencoder) -> SparseAutoencoder:
        held.append(training.lock.locked())  # since other threads take steps while one saves
        return copy.deepcopy(model)

    monkeypatch.setattr("space.live_training.copy", SimpleNamespace(deepcopy=deepcopy))
    while not training.finished:
        training.advance(0.0)
        activations, carried = training.watched()
        assert activations.shape == (8, 40)
        assert 0 < carried <= 40
        training.reconstruct(as_floats(digits.images[:1]))
        training.trained()
    assert held == [True] * 3  # after 4, 4 and 4 steps
    assert (training.step, training.steps) == (12, 12)
    expected = RECIPE.new_model(digits.images[:600])
    for _ in fit(expected, digits.images[:600], RECIPE):
        pass
    for here, there in zip(training.trained().parameters(), expected.parameters(), strict=True):
        assert torch.equal(here, there)
    assert not training.trained().training


def test_each_session_has_its_own_and_too_many_are_dropped(trainings: LiveTrainings) -> None:
    recipe = replace(RECIPE, limit=100)
    first = trainings.begin("a", recipe)
    assert trainings.find("a") is first
    assert trainings.find("b") is None
    sessions = list(map(str, range(MOST_TRAININGS)))
    for session in sessions:
        trainings.begin(session, recipe)
    assert trainings.find("a") is None
    assert first.paused
    assert all(trainings.find(session) for session in sessions)
    for session in (*sessions, "0", "new"):
        trainings.keep(session, "mine", lambda folder: folder.mkdir())
    assert [session for session in (*sessions, "new") if trainings.kept(session) is None] == ["1"]
    trainings.drop("3")
    assert trainings.find("3") is None
    trainings.drop("nobody")


def test_those_who_want_to_train_stand_in_a_line_that_has_an_end_and_few_places_for_an_address(
    trainings: LiveTrainings,
) -> None:
    tickets = [trainings.wait(session, f"of {session}") for session in "abac"]
    assert [trainings.ahead(ticket) for ticket in tickets] == [[], ["a"], ["a", "b"], ["a", "b", "a"]]
    trainings.leave(tickets[0])
    trainings.leave(tickets[0])
    assert [trainings.ahead(ticket) for ticket in tickets] == [None, [], ["b"], ["b", "a"]]
    trainings.drop("a")  # the visitor left
    assert [trainings.ahead(ticket) for ticket in tickets] == [None, [], None, ["b"]]
    for ticket in tickets:
        trainings.leave(ticket)
    tickets = [trainings.wait(f"{number}", "one") for number in range(MOST_OF_AN_ADDRESS)]
    with pytest.raises(InputError, match="The queue is full"):
        trainings.wait("more", "one")
    trainings.leave(tickets[0])
    for number in range(MOST_WAITING - len(tickets)):
        trainings.wait("another", f"another {number}")
    trainings.wait("more", "one")
    with pytest.raises(InputError, match="The queue is full"):
        trainings.wait("last", "a new one")


def test_of_what_a_session_kept_the_last_is_found_by_its_whole_address_until_it_leaves(
    trainings: LiveTrainings,
) -> None:
    addresses = [trainings.keep("a", name, lambda folder: folder.mkdir()) for name in ("one", "two")]
    gc.collect()
    assert trainings.archive(addresses[0]) is None
    secret, _, name = addresses[1].partition("/")
    assert len(secret) >= 32
    assert trainings.archive(addresses[1]).name == name == "two.zip"
    for other in ("", "/", secret, f"{secret}/", f"{secret}/one.zip", f"/{name}", f"a/{name}", f"{secret}/../{name}"):
        assert trainings.archive(other) is None, other
    folder = trainings.kept("a")
    assert folder is not None
    assert (folder.name, folder.is_dir()) == ("two", True)
    trainings.drop("a")
    assert trainings.kept("a") == folder
    assert trainings.kept("b") is None
    trainings.leave_page("a")
    gc.collect()
    assert not folder.exists()
    assert trainings.archive(addresses[1]) is None


def test_a_loss_that_is_no_number_is_told(digits: Split) -> None:
    training = begin(digits, replace(RECIPE, sparsity=L1(1e299)))
    with pytest.raises(Exception, match="not finite"):
        training.advance(10.0)
    assert training.finished
