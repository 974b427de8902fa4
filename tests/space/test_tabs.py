"""The other tabs: strokes, classes, rates, frontier; the lessons; the languages; a server that is gone."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from sae_model.bundle import BUNDLE
from space.state import TABS
from tests.space.browser import english_in, open_page, pixels, slide, stroke, wait_for_models
from training.measure.evaluation import Evaluation

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


def test_strokes_build_the_image_and_come_nearer_to_it(page: Page) -> None:
    page.click("#tab-atoms")
    quality = []
    for count in (0, 1, 5, 60):
        slide(page, "#reveal", count)
        quality.append(float(re.search(r"(\d+\.\d)\sdB", page.inner_text(".built .main figcaption"))[1]))
        assert page.locator(".atoms .in").count() >= min(count, 54)
    assert quality == sorted(quality)
    assert pixels(page, ".built .main canvas") == pixels(page, ".built figure:nth-child(3) canvas")
    assert "all" in page.inner_text("#reveal output")  # the last place of the slider says what it does


def test_play_adds_one_latent_after_the_other(page: Page) -> None:
    page.click("#tab-atoms")
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


LESSONS = {
    "copying": lambda page: page.locator("#beta .ticks button").first.click() or slide(page, "#noise", 0.3),
    "penalty": lambda page: page.locator("#beta .ticks button", has_text="30").click(),
    "noise": lambda page: page.locator("#beta .ticks button").get_by_text("3", exact=True).click(),
    "ten": lambda page: page.select_option("#beside", "topk-10"),
    "length": lambda page: [
        page.locator("#digit .digits label", has_text=digit).click() or page.wait_for_timeout(200) for digit in "18"
    ],
    "mean": lambda page: page.select_option("#beside", "l1-0.1-noise-0.6"),
    "dead": lambda page: page.locator("#beta .ticks button", has_text="10").click(),
    "rate": lambda page: [
        page.get_by_label("KL per image").check(),
        page.locator("#beta .ticks button", has_text=".05").click(),
        slide(page, "#noise", 0.4),
    ],
    "k": lambda page: (page.locator("#beta .ticks button", has_text="50").click(), slide(page, "#noise", 0.3)),
    "letter": lambda page: stroke(page, (0.2, 0.9), (0.5, 0.1), (0.8, 0.9)),
}  # fmt: skip


def test_every_lesson_opens_undone_and_is_done_by_hand(open_tab: Callable[[str], Page], site: str) -> None:
    page = open_tab(site)
    assert page.locator("#lessons button[data-lesson]").count() == len(LESSONS)
    for lesson, do in LESSONS.items():
        button = page.locator(f"#lessons [data-lesson={lesson}]")
        button.click()
        wait_for_models(page)
        page.wait_for_timeout(150)
        assert page.locator("#lessons .why > *").count() == 0, f"{lesson} opens on its own answer"
        page.locator("#lessons input[type=radio]").first.check()
        do(page)
        page.wait_for_selector("#lessons .why > *", timeout=20_000)
        assert re.match("Your prediction was (right|wrong)", page.inner_text("#lessons .why"))
        assert "done" in button.get_attribute("class")
    page.reload()
    wait_for_models(page)
    page.wait_for_function(f"() => document.querySelectorAll('#lessons .done').length === {len(LESSONS)}")
    page.locator("#lessons [data-lesson=noise]").click()  # what was said is kept
    assert "most of the noise is dropped" in page.inner_text("#lessons .why")
    assert page.locator("#lessons input[type=radio]").first.is_checked()
    page.locator("#lessons [data-lesson=length]").click()
    for i, name in enumerate(("l1-1", "kl-image-0.05", "kl-neuron-0.05"), start=1):
        means = Evaluation.read(BUNDLE / name / "evaluation.json").mean_activation_by_class
        told = [*(f"{mean:.4f}"[1:] for mean in means), f"{max(means) / min(means):.2f}"]
        assert page.locator("#lessons .why tr").nth(i).inner_text().split() == [name, *told]


def test_a_lesson_is_not_done_by_half(open_tab: Callable[[str], Page], site: str) -> None:
    page = open_tab(site)
    page.locator("#lessons [data-lesson=k]").click()
    wait_for_models(page)
    page.locator("#lessons input[type=radio]").first.check()
    page.locator("#beta .ticks button", has_text="50").click()
    wait_for_models(page)
    page.wait_for_timeout(150)
    assert page.locator("#lessons .why > *").count() == 0
    slide(page, "#noise", 0.3)
    page.wait_for_selector("#lessons .why > *")
    page.evaluate("window.said = document.querySelector('#lessons .why > *')")
    slide(page, "#noise", 0.4)
    page.wait_for_timeout(300)
    assert page.evaluate("window.said.isConnected")  # a screen reader hears it once


def test_an_explanation_moves_nothing_under_the_pen(open_tab: Callable[[str], Page], site: str) -> None:
    page = open_tab(site)
    page.locator("#lessons [data-lesson=letter]").click()
    wait_for_models(page)
    page.get_by_role("button", name="Show the canvas").click()
    place = "document.querySelector('#draw canvas').getBoundingClientRect().top"
    before = page.evaluate(place)
    stroke(page, (0.2, 0.9), (0.5, 0.1), lift=False)
    page.wait_for_timeout(800)
    assert page.locator("#lessons .why > *").count() == 0
    assert page.evaluate(place) == before
    page.mouse.up()
    page.wait_for_selector("#lessons .why > *")
    assert page.evaluate(place) == pytest.approx(before, abs=1)


def test_the_lesson_on_dead_latents_is_about_those_that_a_strong_penalty_turned_off(
    open_tab: Callable[[str], Page], site: str
) -> None:
    page = open_tab(site)
    page.set_viewport_size({"width": 1280, "height": 600})
    page.locator("#lessons [data-lesson=dead]").click()
    for weak in ("dense", "l1-0.01"):  # which have more than 2%, but those are on in most images
        page.locator(f"#beta [data-stop='{weak}']").click()
        wait_for_models(page)
        page.wait_for_timeout(150)
        assert page.locator("#lessons .why > *").count() == 0
    page.locator("#beta [data-stop='l1-3']").click()
    page.wait_for_selector("#lessons .why > *", timeout=20_000)
    assert page.is_hidden("#lesson-sign")  # since the explanation is on the screen


def test_a_lesson_that_is_done_off_the_screen_leads_to_its_explanation(
    open_tab: Callable[[str], Page], site: str
) -> None:
    page = open_tab(site)
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator("#lessons [data-lesson=letter]").click()
    wait_for_models(page)
    page.get_by_role("button", name="Show the canvas").click()
    stroke(page, (0.2, 0.9), (0.5, 0.1))
    page.get_by_role("button", name="Lesson 10 is done").click()
    expect(page.locator("#lessons .why")).to_be_in_viewport()
    expect(page.locator("#lesson-sign")).to_be_hidden()


def test_what_needs_no_server_goes_on_without_one(browser: Browser, server: str) -> None:
    page = open_page(browser, server)
    page.wait_for_function("() => !document.querySelector('.strip .waiting')")
    page.wait_for_timeout(2500)  # what is fetched in idle time
    page.context.set_offline(True)
    before = pixels(page, "#reconstruction canvas")
    slide(page, "#noise", 0.5)
    slide(page, "#beta", 2)
    assert pixels(page, "#reconstruction canvas") != before
    page.locator("#digit .digits label", has_text="4").click()
    stroke(page, (0.3, 0.2), (0.3, 0.8))
    page.wait_for_function("() => location.search.includes('draw=')")
    page.locator("#latents").click()
    assert page.locator("#card.open").is_visible()
    page.keyboard.press("Escape")
    for tab in ("atoms", "classes", "rates", "frontier"):
        page.click(f"#tab-{tab}")
        page.wait_for_timeout(200)
        assert page.locator("#panel svg, #panel canvas").count() > 0
    page.locator("#lessons [data-lesson=copying]").click()
    page.locator("#languages button").click()
    page.wait_for_selector("html[lang=ru]")
    page.click("#tab-learn")
    page.click("#train-start")
    page.wait_for_function("() => document.querySelector('#panel').textContent.includes('сервер')", timeout=30_000)
    assert page.errors == []
    page.context.close()


def test_charts_follow_the_chosen_model(page: Page) -> None:
    for tab, method in (("classes", "KL per image"), ("rates", "KL per latent")):
        page.click(f"#tab-{tab}")
        page.wait_for_selector("#panel svg")
        page.wait_for_timeout(1500)
        before = page.inner_html("#panel")
        page.get_by_label(method).check()
        wait_for_models(page)
        page.wait_for_timeout(1500)
        assert page.inner_html("#panel") != before


def test_all_atoms_are_sorted_and_dead_ones_are_marked(open_tab: Callable[[str], Page], site: str) -> None:
    page = open_tab(f"{site}?model=l1-30&tab=atoms")
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


def test_the_lines_of_python_run_as_they_stand(open_tab: Callable[[str], Page], site: str) -> None:
    page = open_tab(f"{site}?model=adaptive-topk&k=10")
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
