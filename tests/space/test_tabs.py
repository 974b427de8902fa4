"""The other tabs: strokes, classes, rates, frontier; the lessons; the languages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from sae_model.bundle import BUNDLE
from space.state import TABS
from tests.space.browser import WIDE, english_in, pixels, slide, stroke, visit, wait_for_models
from training.measure.evaluation import Evaluation

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_strokes_build_the_image_and_play_adds_one_after_the_other(page: Page) -> None:
    page.click("#tab-atoms")
    quality = []
    for count in (0, 1, 5, 60):
        slide(page, "#reveal", count)
        quality.append(float(re.search(r"(\d+\.\d)\sdB", page.inner_text(".built .main figcaption"))[1]))
        assert page.locator(".atoms .in").count() >= min(count, 54)
    assert quality == sorted(quality)
    assert pixels(page, ".built .main canvas") == pixels(page, ".built figure:nth-child(3) canvas")
    assert "all" in page.inner_text("#reveal output")  # the last place of the slider says what it does
    slide(page, "#reveal", 0)
    page.click("#play")
    page.wait_for_function("() => Number(document.querySelector('#reveal input').value) >= 3")
    page.click("#play")
    stopped = page.input_value("#reveal input")
    page.wait_for_timeout(500)
    assert page.input_value("#reveal input") == stopped


def test_the_language_changes_on_the_spot_and_nothing_is_lost(page: Page) -> None:
    stroke(page, (0.3, 0.2), (0.3, 0.8))
    page.wait_for_function("() => location.search.includes('draw=')")
    slide(page, "#noise", 0.1)
    page.hover("#latents")  # opens a card
    expect(page).to_have_url(re.compile("sigma=0.1"))
    before, shown = page.url, pixels(page, "#reconstruction canvas")
    page.evaluate("window.same = true")
    page.locator("#languages button").click()
    page.wait_for_selector("html[lang=ru]")
    assert page.evaluate("window.same")  # the same document
    assert page.url.replace("lang=ru", "lang=en") == before
    assert pixels(page, "#reconstruction canvas") == shown
    assert max(pixels(page, "#draw canvas")) > 200
    for tab in TABS:
        page.click(f"#tab-{tab}")
        page.wait_for_timeout(200)
        assert english_in(page) == set(), tab


def beta(stop: str) -> Callable[[Page], None]:
    return lambda page: page.locator(f"#beta [data-stop='{stop}']").click()


def noise(sigma: float) -> Callable[[Page], None]:
    return lambda page: slide(page, "#noise", sigma)


def digit(label: str) -> Callable[[Page], None]:
    return lambda page: page.locator("#digit .digits label", has_text=label).click()


LESSONS: dict[str, list[Callable[[Page], object]]] = {
    "copying": [beta("dense"), noise(0.3)],
    "penalty": [beta("l1-30")],
    "noise": [beta("l1-3")],
    "ten": [lambda page: page.select_option("#beside", "topk-10")],
    "length": [digit("1"), digit("8")],
    "mean": [lambda page: page.select_option("#beside", "l1-0.1-noise-0.6")],
    "dead": [beta("dense"), beta("l1-0.01"), beta("l1-3")],  # the first two have some that are on in most images
    "rate": [lambda page: page.get_by_label("KL per image").check(), beta("kl-image-0.05"), noise(0.4)],
    "k": [beta("topk-50"), noise(0.3)],
    "letter": [lambda page: stroke(page, (0.2, 0.9), (0.5, 0.1), lift=False), lambda page: page.mouse.up()],
}
"""What one does in each lesson; it is done with the last of it, and no sooner."""


def test_every_lesson_opens_undone_and_is_done_by_hand_and_not_by_half(
    open_tab: Callable[[str], Page], site: str
) -> None:
    page = open_tab(site)
    page.set_viewport_size({"width": 1280, "height": 600})
    why, sign, signs = page.locator("#lessons .why"), page.locator("#lesson-sign"), 0
    assert page.locator("#lessons button[data-lesson]").count() == len(LESSONS)
    for number, (lesson, (*half, last)) in enumerate(LESSONS.items(), start=1):
        button = page.locator(f"#lessons [data-lesson={lesson}]")
        button.click()
        page.locator("#lessons input[type=radio]").first.check()
        if lesson == "letter":
            page.set_viewport_size(WIDE)
            page.add_style_tag(content="* { overflow-anchor: none }")  # Safari keeps nothing in its place by itself
            page.get_by_role("button", name="Show the canvas").click()
        place = page.locator("#draw canvas").bounding_box()["y"]
        for do in (lambda _: None, *half):
            do(page)
            wait_for_models(page)
            page.wait_for_timeout(400)
            assert why.locator("> *").count() == 0, lesson
        last(page)
        page.wait_for_selector("#lessons .why > *", timeout=20_000)
        assert re.match("Your prediction was (right|wrong)", why.inner_text())
        assert "done" in button.get_attribute("class")
        if lesson == "letter":  # which moves nothing under the pen
            assert page.locator("#draw canvas").bounding_box()["y"] == pytest.approx(place, abs=1)
        if sign.is_visible():
            signs += 1
            assert sign.inner_text() == f"Lesson {number} is done: read why"
            sign.click()
        expect(why).to_be_in_viewport()
        expect(sign).to_be_hidden()
    assert 0 < signs < len(LESSONS)  # only where the explanation was off the screen
    page.reload()
    wait_for_models(page)
    page.wait_for_function(f"() => document.querySelectorAll('#lessons .done').length === {len(LESSONS)}")
    page.locator("#lessons [data-lesson=noise]").click()  # what was said is kept
    assert "most of the noise is dropped" in why.inner_text()
    assert page.locator("#lessons input[type=radio]").first.is_checked()
    page.evaluate("window.said = document.querySelector('#lessons .why > *')")
    slide(page, "#noise", 0.4)
    page.wait_for_timeout(300)
    assert page.evaluate("window.said.isConnected")  # a screen reader hears it once
    page.locator("#lessons [data-lesson=length]").click()
    for i, name in enumerate(("l1-1", "kl-image-0.05", "kl-neuron-0.05"), start=1):
        means = Evaluation.read(BUNDLE / name / "evaluation.json").mean_activation_by_class
        told = [*(f"{mean:.4f}"[1:] for mean in means), f"{max(means) / min(means):.2f}"]
        assert page.locator("#lessons .why tr").nth(i).inner_text().split() == [name, *told]


def test_all_atoms_are_sorted_and_dead_ones_are_marked(page: Page) -> None:
    visit(page, "?model=l1-30&tab=atoms")
    wait_for_models(page)
    page.select_option("#atoms-by", "use")
    page.wait_for_function("() => document.querySelectorAll('.atoms.all figure').length === 120")
    shares = [float(words.rstrip("%")) for words in page.locator(".atoms.all figcaption").all_inner_texts()]
    assert shares == sorted(shares, reverse=True)
    page.get_by_role("button", name="Show more").click()
    page.wait_for_function("() => document.querySelectorAll('.atoms.all figure').length === 240")
    page.select_option("#atoms-by", "least")
    page.wait_for_function("() => document.querySelectorAll('.atoms.all figure.dead').length === 120")
    said = page.inner_text("#all-atoms")
    assert re.search(r"900 atoms. On the first 2,500 test images 3\d\d of them are never among", said)
    assert "Over all test images 33.3% of the latents are dead" in said
    page.locator(".atoms.all .atom").first.click()
    assert page.locator("#card.open").is_visible()


def test_the_lines_of_python_run_as_they_stand(page: Page) -> None:
    visit(page, "?model=adaptive-topk&k=10")
    wait_for_models(page)
    page.locator("#take-home summary").click()
    page.get_by_role("button", name="Copy these lines").click()
    lines = page.evaluate("navigator.clipboard.readText()")
    assert "adaptive-topk" in lines
    names: dict[str, Any] = {}
    exec(lines, names)
    assert names["reconstruction"].shape == names["images"].shape
    assert (names["latents"] != 0).sum(1).max() <= 10
    with page.expect_download() as config:
        page.locator("#take-home a", has_text="config.json").click()
    assert config.value.suggested_filename == "config.json"
