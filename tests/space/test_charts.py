"""The charts of the page, in a real browser: their numbers, their words, their keys, their files."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Page, expect
from safetensors.torch import load

from sae_model import bernoulli_kl, load_variant, unit_activation
from sae_model.bundle import BUNDLE
from space.index import labelled
from space.lab import Lab
from space.state import opening
from tests.space.browser import pixels, settle, slide, visit
from training.data import as_floats
from training.measure.histogram import percent
from training.measure.latent_statistics import read_statistics

BARS = ("bar", "outline")
"""Of the first model, of the second one."""


def show(page: Page, tab: str, query: str = "model=l1-10") -> None:
    """Open a tab, and wait until nothing is under way."""
    visit(page, f"?{query}&tab={tab}")
    settle(page)


def activations(lab: Lab, stop: str) -> np.ndarray:
    """Of the image with which the page opens."""
    return unit_activation(lab.look(opening(lab).specimen, stop).latents).float().numpy()


def chosen_point(page: Page) -> str | None:
    return page.locator(".frontier-chart .point:has(.ringed:not(.second))").get_attribute("data-key")


def test_histograms_have_numpys_counts_of_both_models_on_one_scale(page: Page, lab: Lab) -> None:
    show(page, "see", "model=l1-10&beside=dense")
    first = page.locator(".histogram svg").first
    assert first.get_attribute("role") == "img"
    edges = np.append(np.append(0, np.logspace(-3, 0, 13, dtype=np.float32)[1:-1]), np.inf)
    shares = []
    for name in ("l1-10", "dense"):
        values = activations(lab, name)
        shares.append(np.histogram(values[values > 0], edges)[0] / (values > 0).sum())
        assert percent((values == 0).mean(), exact=True) in first.text_content()
        assert f"overall mean {values.mean():.3g}" in first.text_content()
    of = [first.locator(f"rect.{name}").evaluate_all("all => all.map(e => e.height.baseVal.value)") for name in BARS]
    drawn = [heights[-12:] for heights in of]  # those of the legend and of exactly 0 come first
    scale = max(max(heights) for heights in drawn) / max(share.max() for share in shares)
    for heights, share in zip(drawn, shares, strict=True):
        assert np.allclose(heights, share * scale, atol=0.3)
    assert "Exactly 0: " in first.get_attribute("aria-label")
    page.check("#bins [value=equal]")
    settle(page)
    counts = np.histogram(activations(lab, "l1-10"), 10, (0, 1))[0]
    assert first.locator(".share").all_text_contents() == [percent(count / 900) for count in counts]
    spoken = first.get_attribute("aria-label")
    assert "Exactly 0: " not in spoken  # these are in the first of the equal bins
    assert [share for share in map(percent, counts / 900) if share != "0" and share not in spoken] == []


def test_means_that_are_under_way_are_not_another_models(page: Page) -> None:
    show(page, "see", "model=l1-10&beside=")
    means = page.locator(".histograms > :nth-child(2)")
    page.evaluate("() => { window.ask = requestIdleCallback; requestIdleCallback = (call) => (window.held = call); }")
    try:
        slide(page, "#noise", 0.8)
        expect(means.locator(".stale svg rect.bar")).to_have_count(12)
        page.locator("#beta .ticks button", has_text="30").click()
        expect(means.locator("svg rect.bar")).to_have_count(0)
        assert "…" in means.text_content()
    finally:  # other tests need the idle work of this tab
        page.evaluate("() => { requestIdleCallback = ask; held(); }")


def test_the_curve_of_a_cost_goes_through_the_packages_divergences(page: Page) -> None:
    for target in (0.05, 0.37, 0.99):
        points = page.evaluate(
            "async target => { const {COSTS, costCurve} = await import('web/rates.js');"
            "return costCurve(rate => COSTS[0].of(target, rate), target, 1); }",
            target,
        )
        rates, costs = torch.tensor(points, dtype=torch.float64).T
        expected = bernoulli_kl(target, rates)
        crossing = costs == 1  # between two points of the curve
        assert torch.allclose(costs[~crossing], expected.clamp(max=1)[~crossing], atol=1e-9)
        assert torch.allclose(costs[crossing], expected[crossing], atol=0.15)
        assert (rates.diff() >= 0).all()
        assert rates[costs.argmin()] == pytest.approx(target)


def test_the_target_moves_by_slider_and_in_the_chart_and_follows_a_model_that_states_one(page: Page) -> None:
    visit(page, "?tab=rates")
    slide(page, "#target", 0.15)
    assert page.locator("svg .target-label").first.text_content() == "target 0.15"
    curve = page.locator(".cost-chart polyline.style0")
    before = curve.get_attribute("points")
    page.locator(".cost-chart").scroll_into_view_if_needed()
    box = page.locator(".cost-chart").bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 150)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 150, steps=4)
    page.mouse.up()
    assert 0.08 < float(page.input_value("#target input")) < 0.12
    assert curve.get_attribute("points") != before
    page.get_by_label("KL per image").check()
    expect(page.locator("#target input")).to_have_value("0.02")
    slide(page, "#target", 0.2)  # and it can be moved away from there
    slide(page, "#rate", 0.1)
    cost = bernoulli_kl(0.2, torch.tensor(0.1, dtype=torch.float64)).item()
    assert page.locator(".costs tbody td").all_text_contents() == [  # each cost, and its slope at the rate
        f"{cost:.4f}", f"−{0.1 / 0.09:.2f}", "0.1000", "−1.00", "0.0100", "−0.20", "0.1000", "+1.00"
    ]  # fmt: skip


def test_scaling_lowers_the_mean_activation_and_leaves_the_effective_l0(page: Page) -> None:
    show(page, "rates", "model=dense")
    carried, rates = page.evaluate(
        "() => [...document.querySelectorAll('.scale-chart polyline')].map(c => Array.from(c.points, p => p.y))"
    )
    assert max(carried) - min(carried) < 0.2
    assert rates == sorted(rates, reverse=True)
    assert rates[0] - rates[-1] > 100
    slide(page, "#scale", -2)
    assert "Latents × 0.01" in page.locator(".scaled").text_content()
    assert page.locator(".scale-chart .target-label").text_content() == "s = 0.01"


def test_the_frontier_is_read_and_used_by_pointer_and_keys(page: Page, lab: Lab) -> None:
    show(page, "frontier")
    of = {stop.key: lab.evaluation(stop) for stop in labelled(lab)}
    assert page.locator(".frontier-chart .point").count() == len(of)
    page.locator(".frontier-chart .point[tabindex='0']").focus()
    focused = "document.activeElement.dataset.key"
    order = sorted(of, key=lambda key: of[key].effective_l0)
    after = order[order.index("l1-10") + 1]
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused) == after
    assert page.locator("svg .tip text").first.text_content() == after
    page.keyboard.press("Enter")
    assert chosen_point(page) == after
    assert page.evaluate(focused) == after  # still there, though all is drawn anew
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(focused) == "l1-10"
    point = page.locator("[data-key='topk-50'] .target-area")
    point.hover(force=True)
    assert page.locator("svg .tip text").all_text_contents() == [
        "topk-50", f"effective L0 {of['topk-50'].effective_l0:.0f}", f"variance lost {of['topk-50'].fvu:.1%}"
    ]  # fmt: skip
    fills = page.evaluate("[...document.querySelectorAll('svg .tip text')].map(t => getComputedStyle(t).fill)")
    assert fills == ["rgb(255, 255, 255)"] * 3  # on black
    point.click(force=True)
    expect(page).to_have_url(re.compile("model=topk-50"))
    assert page.locator("#method input:checked").input_value() == "topk"
    assert chosen_point(page) == "topk-50"
    assert "topk-50 is chosen" in page.locator(".now").text_content()
    page.check("#frontier-cost [value=noise]")
    heights = page.evaluate(
        "keys => keys.map(key => document.querySelector(`[data-key='${key}'] .target-area`).getBoundingClientRect().y)",
        sorted(of, key=lambda key: of[key].denoise_mse["0.3"]),
    )
    assert heights == sorted(heights, reverse=True)
    assert "squared error with noise 0.3" in page.locator(".frontier-chart svg").text_content()
    page.check("#frontier-cost [value=fvu]")
    assert "variance lost" in page.locator(".frontier-chart svg").text_content()


def test_classes_show_two_models_on_one_scale_and_rank_latents(page: Page, lab: Lab) -> None:
    show(page, "classes")
    assert page.locator(".two h2").all_text_contents() == ["l1-10", "dense"]
    means = load(read_statistics(BUNDLE / "l1-10"))["class_means"].double().numpy()
    rows = page.locator(".two > section").first.locator("tbody tr")
    for label in (3, 4):
        page.locator(".class-maps button").nth(label).click()
        order = np.argsort(means.mean(0) - means[label], kind="stable")[:8]
        told = rows.evaluate_all("all => all.map(row => row.querySelectorAll('td')[3].textContent)")
        assert told == [f"{means[label, i]:.3f}" for i in order]
    settle(page)
    model = load_variant("l1-10")
    with torch.no_grad():
        latents = model.encode(as_floats(lab.images[:200][lab.labels[:200] == 4])).mean(0, keepdim=True)
        expected = 255 * model.decode(latents).flatten()
    drawn = torch.tensor(pixels(page, ".class-map figure:nth-child(2) canvas")[::3])
    assert (drawn[:784] - expected).abs().max() <= 1  # the typical image is decoded from the mean latents
    own_map = ".two > section:first-child .latent-map canvas"
    light = sum(pixels(page, own_map))
    rows.first.locator("button.atom").click()
    assert page.is_visible("#card")
    page.keyboard.press("Escape")
    page.select_option("#beside", "")
    assert page.locator(".two h2").all_text_contents() == ["l1-10"]
    assert sum(pixels(page, own_map)) > light  # dense is more active, and the full colour was its
    page.get_by_label("KL per image").check()
    expect(page.locator(".two h2")).to_have_text(["kl-image-0.02"])


def test_the_error_curve_has_the_errors_of_now_and_its_points_choose(page: Page, lab: Lab) -> None:
    show(page, "see")
    assert page.locator(".error-curve .stale").count() == 0
    drawn = page.evaluate(
        "() => [...document.querySelectorAll('.error-curve .point.style0')]"
        ".map(p => [p.dataset.key.slice(2), p.ariaLabel])"
    )
    own = {stop.key for stop in lab.families["l1"]} - {"lecture"}  # which has no place on the axis
    assert {key for key, _ in drawn} == own
    for key, said in drawn:
        assert f"{lab.look(opening(lab).specimen, key).mse:.4f}" in said
    page.locator("[data-key='1 l1-1'] .target-area").click(force=True)
    expect(page).to_have_url(re.compile("model=l1-1&"))
    show(page, "see", "model=lecture")
    assert "lecture 0." in page.locator(".error-curve svg").first.text_content()


def test_words_avoid_a_curve_and_in_a_crowd_stand_further_away(page: Page) -> None:
    aside, moved, beside, around = page.evaluate(
        """async () => {
          const { placeWords } = await import('web/labels.js');
          const point = { x: 150, y: 150, r: 4, words: ['0.0123'], weight: 400 };
          const frame = { left: 0, right: 300, top: 0, bottom: 300 };
          const [aside] = placeWords([point], frame, [], []);
          const left = 150 + aside.dx;
          const curve = { left, right: left + 5, top: 150 + aside.dy - 3, bottom: 150 + aside.dy };
          const marks = Array.from({ length: 12 }, (_, i) => ({ x: 150, y: 150, r: 8, words: [`name ${i}`] }));
          const crowds = [[], [26, 38, 52, 68]].map((distances) => placeWords(marks, frame, [], [], distances));
          return [aside, placeWords([point], frame, [], [curve])[0], ...crowds];
        }"""
    )
    assert (aside["anchor"], aside["words"]) == ("start", moved["words"])
    assert moved != aside
    assert None in beside
    assert not any(place["isFar"] for place in beside if place)
    assert {place["isFar"] for place in around} == {False, True}


def saved(page: Page, kind: str) -> tuple[str, Path]:
    """The name of the file in which the first figure of the tab is saved, and where it is."""
    page.locator("#panel .save summary").first.click()
    with page.expect_download() as download:
        page.locator("#panel").get_by_text(f"as {kind}").first.click()
    return download.value.suggested_filename, download.value.path()


def test_a_figure_is_saved_as_it_looks_and_its_canvases_too(page: Page) -> None:
    show(page, "frontier")
    name, path = saved(page, "SVG")
    assert name == "frontier.svg"
    drawing = ElementTree.parse(path)
    words = {element.text for element in drawing.iter("{http://www.w3.org/2000/svg}text")}
    assert {"l1-10", "50", "variance lost (FVU)"} <= words
    assert any("penalty" in (word or "") for word in words)  # the legend, which is HTML on the page
    assert not any("Save" in (word or "") for word in words)
    curve = drawing.find(".//{http://www.w3.org/2000/svg}polyline")
    assert curve.get("stroke").startswith("rgb")
    root = drawing.getroot()
    with Image.open(saved(page, "PNG")[1]) as image:
        assert image.size == (2 * int(root.get("width")), 2 * int(root.get("height")))
        assert len(image.convert("RGB").getcolors(1 << 24)) > 50
    page.click("#tab-classes")
    settle(page)
    name, path = saved(page, "SVG")
    assert name == "l1-10-classes.svg"
    svg = path.read_text(encoding="utf-8")
    assert svg.count("data:image/png") == 11  # with the bar of colours


def test_idle_work_stops_after_8_ms_and_is_dropped_for_newer(page: Page) -> None:
    most, done = page.evaluate(
        """async () => {
          const { idle } = await import('web/idle.js');
          const ask = window.requestIdleCallback.bind(window), slices = [], finished = [];
          window.requestIdleCallback = (call, options) => ask(deadline => { slices.push(0); call(deadline); }, options);
          const { promise, resolve } = Promise.withResolvers();
          const task = name => function* () {
            for (let i = 0; i < 12; i++) {
              for (const end = performance.now() + 3; performance.now() < end; );
              slices[slices.length - 1]++;
              yield;
            }
            finished.push(name);
            if (name === 'new') resolve();
          };
          idle('work', task('old'));
          idle('work', task('new'));
          await promise;
          window.requestIdleCallback = ask;
          return [Math.max(...slices), finished];
        }"""
    )
    assert most <= 2  # steps of 3 ms
    assert done == ["new"]
