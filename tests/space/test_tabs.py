"""The other tabs in a real browser."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sae_model.zoo import ZOO
from tests.space.events import Client
from training.fit.zoo import RECIPES, family_title
from training.measure.evaluation import Evaluation, read_by

if TYPE_CHECKING:
    from playwright.sync_api import Page


def first_stop(family: str) -> str:
    """Title of the stop at which a slider starts: the one with the lowest error with noise of sigma 0.3."""
    errors = {}
    for recipe in (recipe for recipe in RECIPES if recipe.family == family):
        for name in {recipe.name, replace(recipe, noise=0.0).name}:
            by = {
                f"{name}, {argument} = {at:g}": evaluation
                for argument in ("k", "beta")
                for at, evaluation in read_by(ZOO / name, argument).items()
            }
            errors |= by or {name: Evaluation.read(ZOO / name / "evaluation.json")}
    return min(errors, key=lambda title: errors[title].denoise_mse["0.3"])


def open_tab(page: Page, name: str, selector: str) -> None:
    page.get_by_role("tab", name=name).click()
    page.wait_for_selector(selector)


def test_every_sparsity_method_can_be_chosen(page: Page) -> None:
    for title, family in (
        ("KL per image", "kl-image"),
        ("KL per latent", "kl-neuron"),
        ("Top k", "topk"),
        (family_title("adaptive-topk"), "adaptive-topk"),
        ("Trained on noise", "noise"),
        ("L1 penalty", "l1"),
    ):
        chosen = first_stop(family)
        page.locator("#method").get_by_role("radio", name=title, exact=True).check()
        page.wait_for_function("name => document.querySelector('#summary b').textContent === name", arg=chosen)
        page.wait_for_selector(f"#beta input[aria-valuetext='{chosen}']")
        page.wait_for_function("name => document.querySelector('#metrics th')?.textContent === name", arg=chosen)
        assert page.locator("#strip button.chosen").count() == 1


def test_one_model_serves_every_k(page: Page) -> None:
    page.locator("#method").get_by_role("radio", name=family_title("adaptive-topk")).check()
    page.wait_for_selector(f"#beta input[aria-valuetext='{first_stop('adaptive-topk')}']")
    for stop, k in (("0", 1), ("7", 200)):
        page.fill("#beta input[type=range]", stop)
        page.wait_for_selector(f"#beta input[aria-valuetext='adaptive-topk, k = {k}']")


def test_the_cost_curves_follow_the_target(page: Page) -> None:
    open_tab(page, "Rates", "#costs svg.chart")
    page.wait_for_selector("#scales svg.chart")
    before = page.locator("#costs polyline").first.get_attribute("points")
    page.fill("#target input[type=range]", "0.4")
    page.wait_for_function("document.querySelector('#costs .target-label').textContent === 'target 0.4'")
    assert page.locator("#costs polyline").first.get_attribute("points") != before
    assert first_stop("l1") in page.text_content("#costs .mean-label")


def test_target_and_measured_rate_of_a_kl_model_stand_on_its_curve(page: Page) -> None:
    page.locator("#method").get_by_role("radio", name="KL per image").check()
    chosen = first_stop("kl-image")
    page.wait_for_selector(f"#beta input[aria-valuetext='{chosen}']")
    open_tab(page, "Rates", "#costs svg.chart")
    page.wait_for_function(f"document.querySelector('#costs .mean-label')?.textContent.startsWith('{chosen}: ')")
    target = chosen.rpartition("-")[2]
    page.wait_for_function(f"document.querySelector('#costs .target-label').textContent === 'target {target}'")


def test_the_frontier_chooses_a_model_for_all_tabs(page: Page) -> None:
    open_tab(page, "Frontier", "#frontier .point")
    page.locator("#frontier svg.wide g.point[aria-label^='kl-neuron-0.02:']").click()
    page.wait_for_function("document.querySelector('#frontier .now b').textContent === 'kl-neuron-0.02'")
    page.get_by_role("tab", name="See").click()
    page.wait_for_function("document.querySelector('#summary b').textContent === 'kl-neuron-0.02'")
    assert page.locator("#method input:checked").get_attribute("value") == "kl-neuron"


def test_wide_and_narrow_screens_have_charts_of_their_own_whose_letters_can_be_read(page: Page) -> None:
    open_tab(page, "Frontier", "#frontier .point")
    for width, chart, other in ((1280, "wide", "narrow"), (390, "narrow", "wide")):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_selector(f"#frontier svg.{chart}")
        assert not page.locator(f"#frontier svg.{other}").is_visible()
        assert_no_word_stands_on_another(page)
    ticks = page.locator("#frontier svg.narrow .tick")
    assert min(ticks.evaluate_all("all => all.map(tick => tick.getBoundingClientRect().height)")) >= 10


def assert_no_word_stands_on_another(page: Page) -> None:
    page.wait_for_timeout(300)
    boxes = page.evaluate(
        "[...document.querySelectorAll('#frontier .point text')].map(t => t.getBoundingClientRect())"
        ".filter(b => b.width).map(b => [b.left, b.top, b.right, b.bottom, (b.bottom - b.top) / 4])"
    )
    assert len(boxes) >= 15
    for i, (left, top, right, bottom, air) in enumerate(boxes):  # air: letters do not fill their line
        for other in boxes[:i]:
            beside = right <= other[0] or other[2] <= left
            assert beside or bottom - air <= other[1] + air or other[3] - air <= top + air


def test_the_figures_are_drawn(page: Page) -> None:
    page.get_by_role("tab", name="Figures").click()
    page.wait_for_function("document.querySelectorAll('#report img').length >= 5", timeout=60_000)
    page.wait_for_function("[...document.querySelectorAll('#report img')].every(image => image.naturalWidth > 300)")
    assert page.locator("#report img[src^='data:image/svg+xml']").count() == 4
    assert all(page.eval_on_selector_all("#report img", "images => images.map(image => image.alt)"))


def test_a_control_of_a_tab_has_no_listener_that_an_older_drawing_could_overtake(server: str) -> None:
    client = Client(server)
    for elem_id in ("bins", "class", "beside", "target"):
        targets = [list(target) for event in client.events for target in event["targets"]]
        assert [client.page.ids[elem_id], "input"] not in targets, elem_id
