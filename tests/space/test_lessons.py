"""The lessons: each is done by what it asks for, and by nothing less; and the page ticks it off."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sae_model import load_variant
from space.bench import Bench, opening
from space.controls import _description
from space.lab import Lab
from space.lessons import LESSONS, _text

if TYPE_CHECKING:
    from playwright.sync_api import Page


def bench_of(lab: Lab, variant: str, sigma: float = 0.3, k: int | None = None) -> Bench:
    method, position = lab.find(variant)
    if k is not None:
        position = [stop.value for stop in lab.stops(method)].index(k)
    return replace(opening(lab), method=method, position=position, sigma=sigma)


@pytest.mark.parametrize(
    ("number", "right", "wrong"),
    [
        (0, [("dense",), ("dense", 0.5)], [("dense", 0.2), ("l1-0.1",), ("adaptive-topk",)]),
        (1, [("l1-1", 0.0), ("topk-10",)], [("dense", 0.0), ("kl-neuron-0.2", 0.0)]),
        (2, [], [("dense",), ("l1-30",), ("lecture",), ("l1-0.1-noise-0.6",)]),
        (3, [("topk-25",), ("topk-10",)], [("dense", 0.0), ("kl-image-0.2",)]),
        (4, [("kl-image-0.05",), ("kl-neuron-0.05",)], [("kl-image-0.1",), ("l1-1",)]),
        (5, [("topk-50",), ("adaptive-topk", 0.3, 50)], [("topk-25",), ("l1-10",), ("adaptive-topk", 0.3, 25)]),
    ],
)
def test_a_lesson_is_done_by_what_it_asks_for(lab: Lab, number: int, right: list, wrong: list) -> None:
    lesson = LESSONS[number]
    for place in right:
        bench = bench_of(lab, *place)
        assert lesson.is_done(lab, bench), place
        assert "nan" not in lesson.shows(lab, bench)
    for place in wrong:
        assert not lesson.is_done(lab, bench_of(lab, *place)), place


def test_the_noise_lesson_is_done_at_the_lowest_error(lab: Lab) -> None:
    stops = lab.compared("l1")
    best = min(stops, key=lambda stop: lab.evaluation(stop).denoise_mse["0.3"])
    done = [stop for stop in stops if LESSONS[2].is_done(lab, bench_of(lab, stop.variant))]
    assert done == [best]
    assert f"{lab.evaluation(best).denoise_mse['0.3']:.4f} at {best.variant}" in LESSONS[2].shows(
        lab, bench_of(lab, best.variant)
    )


def test_the_lesson_of_a_rate_sets_images_and_latents_of_both_penalties_side_by_side(lab: Lab) -> None:
    shown = LESSONS[4].shows(lab, bench_of(lab, "kl-image-0.05"))
    for name, title in (("kl-image-0.05", "KL per image"), ("kl-neuron-0.05", "KL per latent")):
        activations = np.tanh(load_variant(name).encode(lab.images[:2500] / 255).detach().numpy() / 2)
        images, latents = (np.percentile(activations.mean(axis), [5, 95]) for axis in (1, 0))
        words = "images {:.3f} to {:.3f} and latents {:.3f} to {:.3f}".format(*images, *latents)
        assert f"with {title}, {words}" in shown


def test_what_noise_in_training_does_is_claimed_of_the_bundled_models_alone(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = "removes more noise than sparsity alone"
    stop = lab.stop_at(*lab.find("l1-0.1-noise-0.6"))
    assert claim in _description(lab, stop)
    monkeypatch.setattr(lab, "is_bundled", False)
    assert claim not in _description(lab, stop)
    assert "sigma up to 0.6" in _description(lab, stop)


def test_what_is_shown_on_hover_fits_into_an_attribute() -> None:
    assert _text('<b>1.</b> "A" &lt; <button title="x">B</button>') == "1. &quot;A&quot; &lt; B"


def test_all_six_are_done_by_hand_and_ticked_off(page: Page) -> None:
    def ticked(number: int) -> None:
        page.wait_for_function("n => document.querySelectorAll('#lessons li.done').length === n", arg=number)

    def method(name: str) -> None:
        page.locator("#method").get_by_role("radio", name=name, exact=True).check()

    def stop(name: str) -> None:
        page.locator("#strip button").filter(has_text=name).first.click()
        page.wait_for_function("name => document.querySelector('#summary b').textContent === name", arg=name)

    assert page.locator("#lessons li.done").count() == 0
    stop("dense")
    ticked(1)
    assert "squared error" in page.inner_text("#lessons p")
    stop("l1-30")
    ticked(2)
    best = page.inner_text("#stops .turn b").rpartition(" ")[2]
    stop(best)
    ticked(3)
    stop("l1-30")
    ticked(4)
    method("KL per image")
    page.wait_for_function("document.querySelector('#summary b').textContent.startsWith('kl-image')")
    stop("kl-image-0.05")
    ticked(5)
    method("Top k")
    page.wait_for_function("document.querySelector('#summary b').textContent.startsWith('topk')")
    stop("topk-50")
    ticked(6)
    assert "All lessons are done" in page.inner_text("#lessons p")
    for title, words in (("Copying", "latents are on"), ("Exactly k", "with 10 9.1%")):  # each can be read again
        page.locator("#lessons").get_by_role("button", name=title).hover()
        assert words in page.inner_text("#tip")
