"""The page as it opens, its controls and its layout, in a real browser that computes everything itself."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Request, expect

from space.state import TABS
from tests.space.browser import NARROW, pixels, settle, slide, visit, wait_for_models

CLEAN, NOISY = ".given .clean canvas", ".given .noisy canvas"
RECONSTRUCTION, LATENTS = "#reconstruction canvas", "#latents canvas"
FIRST_SCREEN = {"width": 1280, "height": 800}
WIDTHS = (390, 1280, 1920)


def error_of(page: Page, model: int = 0) -> float:
    """The squared error of a reconstruction, as the page says it."""
    words = page.inner_text(f".model:nth-child({model + 1}) .reconstruction figcaption")
    return float(re.search(r"\d\.\d{4}", words)[0])


def everything(page: Page) -> list[object]:
    return [pixels(page, selector) for selector in (CLEAN, NOISY, LATENTS, RECONSTRUCTION)]


def ask_for_method(page: Page, name: str) -> None:
    page.get_by_label(name, exact=True).check()


def test_the_first_page_shows_two_models_as_sums_on_the_first_screen(page: Page) -> None:
    page.wait_for_function("() => document.querySelectorAll('#strip button').length === 9")
    assert page.locator("#method input").count() == 7
    assert page.locator(".model h2 bdi").all_inner_texts() == ["l1-3", "dense"]
    for number in (0, 1):
        model = page.locator(".model").nth(number)
        assert model.locator(".sum .atom").count() == 6
        values = [float(words.strip("+ ×")) for words in model.locator(".tile figcaption").all_inner_texts()[1:]]
        assert values == sorted(values, reverse=True)
        assert "bias" in model.inner_text()
    # the noise of one image comes through dense, and not through l1-3
    assert error_of(page) < 0.25 * error_of(page, 1)
    loss = page.inner_text(".loss")
    cross_entropy, weight, activation, total = (
        float(part) for part in re.findall(r"\d+\.?\d*", loss.partition("image:")[2])
    )
    assert cross_entropy + weight * activation == pytest.approx(total, abs=2e-4)
    page.wait_for_selector("#histograms svg")
    assert page.locator("#metrics tbody tr").count() == 7
    page.set_viewport_size(FIRST_SCREEN)
    for atom in page.locator(".model .sum .atom").all():
        assert bottom(atom) <= FIRST_SCREEN["height"]
    page.set_viewport_size(NARROW)  # what one chooses is right below
    for atom in page.locator(".model:first-child .sum .atom").all():
        assert bottom(atom) <= page.locator("#sliders").bounding_box()["y"]
    parts = [page.locator(part) for part in ("#sum", "#method", "#digit", "#strip", "#numbers")]
    for above, below in itertools.pairwise(parts):
        assert bottom(above) <= below.bounding_box()["y"]


def bottom(part: Locator) -> float:
    box = part.bounding_box()
    return box["y"] + box["height"]


def test_noise_beta_and_the_digit_change_what_follows_from_them(page: Page) -> None:
    before = everything(page)
    slide(page, "#noise", 0.6)
    after = everything(page)
    assert after[0] == before[0]
    assert all(a != b for a, b in zip(after[1:], before[1:], strict=True))
    slide(page, "#noise", 0.3)
    assert everything(page) == before
    slide(page, "#beta", int(page.input_value("#beta input[type=range]")) + 1)
    wait_for_models(page)
    after = everything(page)
    assert after[:2] == before[:2]
    assert after[2] != before[2]
    assert after[3] != before[3]
    assert page.get_attribute("#beta input[type=range]", "aria-valuetext") == "l1-10"
    page.wait_for_function("() => document.querySelector('#strip [aria-pressed=true] b')?.textContent === 'l1-10'")
    page.get_by_role("button", name="New noise").click()
    assert everything(page)[1] != before[1]
    page.locator("#digit .digits label", has_text="3").click()
    first = pixels(page, CLEAN)
    assert page.inner_text(".given .clean figcaption").startswith("Clean\n3,")
    page.get_by_role("button", name="Another one").click()
    second = pixels(page, CLEAN)
    assert second != first
    assert page.locator("#digit .digits :checked").input_value() == "3"
    page.get_by_role("button", name="Any digit").click()
    assert pixels(page, CLEAN) != second


def test_nothing_is_asked_of_the_server_while_one_plays(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for method in ("L1 penalty", "Top k"):  # whose models are then here
        ask_for_method(page, method)
        for _ in range(2):  # what is asked for, and what that draws
            settle(page)
    asked.clear()
    for method in ("L1 penalty", "Top k"):
        ask_for_method(page, method)
        for position in range(3):
            slide(page, "#beta", position)
            slide(page, "#noise", 0.1 * position)
    box = page.locator(LATENTS).bounding_box()
    for i in range(10):
        page.mouse.move(box["x"] + 9 * i + 4, box["y"] + 7 * i + 4)
    page.click("#tab-atoms")
    page.click("#play")
    page.wait_for_timeout(600)
    page.click("#tab-classes")
    page.click("#tab-frontier")
    page.wait_for_timeout(300)
    assert asked == []


def test_keys_labels_clicks_and_typed_values_move_the_sliders(page: Page) -> None:
    beta = page.locator("#beta input[type=range]")
    beta.focus()
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(re.compile("model=l1-1"))
    page.focus("#noise input[type=range]")
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile("sigma=0.31"))
    for typed in ("7", ""):  # is kept inside, and is the last one
        page.fill("#noise input[type=number]", typed)
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile("sigma=1"))
        assert page.input_value("#noise input[type=number]") == "1"
    page.locator("#beta .ticks button", has_text="10").click()
    wait_for_models(page)
    expect(page).to_have_url(re.compile("model=l1-10"))
    page.locator("#beta .ticks button").get_by_text("3", exact=True).click()
    page.locator("#beta .others button").first.click()
    wait_for_models(page)
    expect(page).to_have_url(re.compile("model=lecture"))  # which has no place on the slider
    assert "not a sum" in page.inner_text(".model:first-child .sum")
    box, place = beta.bounding_box(), int(beta.input_value()) / int(beta.get_attribute("max"))
    thumb = 16  # and a click on it chooses what it stands for
    page.mouse.click(box["x"] + thumb / 2 + place * (box["width"] - thumb), box["y"] + box["height"] / 2)
    page.wait_for_function("() => location.search.includes('model=l1-3&')")


def test_a_second_model_is_pinned_and_a_change_of_method_keeps_its_place(page: Page) -> None:
    page.select_option("#beside", "topk-25")
    wait_for_models(page)
    assert page.locator(".model h2 bdi").all_inner_texts() == ["l1-3", "topk-25"]
    expect(page).to_have_url(re.compile("beside=topk-25"))
    page.select_option("#beside", "")
    assert page.locator(".model").count() == 1
    ask_for_method(page, "KL per image")
    page.locator("#beta .ticks button", has_text=".1").last.click()
    ask_for_method(page, "KL per latent")
    assert page.get_attribute("#beta input[type=range]", "aria-valuetext") == "kl-neuron-0.1"
    ask_for_method(page, "Adaptive L1")  # one model for every beta
    wait_for_models(page)
    last = int(page.get_attribute("#beta input[type=range]", "max"))
    assert last >= 300
    errors = set()
    for position in range(0, last + 1, last // 6):
        slide(page, "#beta", position)
        errors.add(page.inner_text("#reconstruction figcaption"))
    assert len(errors) >= 5
    expect(page).to_have_url(re.compile("beta="))
    page.reload()
    wait_for_models(page)
    assert page.locator(".model").count() == 1


COLLISIONS = """() => {
  const found = [];
  if (document.documentElement.scrollWidth > innerWidth) found.push('the page scrolls sideways');
  const metrics = document.querySelector('#metrics');  // where the page is narrower the table scrolls
  if (innerWidth >= 1280 && metrics?.scrollWidth > metrics?.clientWidth) found.push('the table of metrics is cut');
  const ticks = [...document.querySelectorAll('#beta .ticks button')].map(e => e.getBoundingClientRect());
  if (ticks.some(({ right }, i) => right > ticks[i + 1]?.left + 0.5)) found.push('two labels of the slider');
  for (const svg of document.querySelectorAll('svg.plot')) {
    if (!svg.checkVisibility()) continue;
    if (!svg.getAttribute('role') || !svg.getAttribute('aria-label')) found.push('a chart that says nothing');
    const frame = svg.getBoundingClientRect();
    const words = [...svg.querySelectorAll('text')].filter(t => t.textContent.trim());
    const boxes = words.map(t => t.getBoundingClientRect());
    words.forEach((t, i) => {
      if (parseFloat(getComputedStyle(t).fontSize) < 11) found.push(`small: ${t.textContent}`);
      const a = boxes[i];
      if (a.left < frame.left - 1 || a.right > frame.right + 1 || a.top < frame.top - 2 || a.bottom > frame.bottom + 2)
        found.push(`cut: ${t.textContent}`);
      boxes.slice(0, i).forEach((b, j) => {
        const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (across > 1 && down > 3) found.push(`${t.textContent} on ${words[j].textContent}`);
      });
    });
  }
  for (const words of document.querySelectorAll('.sum .tile figcaption'))
    if (words.scrollWidth > words.clientWidth + 1) found.push(`wider than its atom: ${words.textContent}`);
  for (const entry of document.querySelectorAll('svg.histogram-plot g:has(> rect + text)')) {
    const [mark, words] = [...entry.children].map(part => part.getBoundingClientRect());
    if (mark.top < words.top - 2 || mark.bottom > words.bottom + 2) found.push(`no mark: ${entry.textContent}`);
  }
  return found;
}"""


def test_nothing_sticks_out_is_cut_or_collides(page: Page) -> None:
    opened = (("dense", "logarithmic", TABS), ("lecture", "equal", ("see", "classes", "frontier")))
    for (model, bins, tabs), lang in itertools.product(opened, ("en", "ru")):
        visit(page, f"?model={model}&beside=kl-image-0.05&lang={lang}")
        page.wait_for_selector(f"html[lang={lang}]")
        page.check(f"#bins [value={bins}]")
        for tab in tabs:
            page.click(f"#tab-{tab}")
            settle(page)
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
                assert page.evaluate(COLLISIONS) == [], (tab, width, lang, model)


def test_in_gradio_it_is_there_at_once_fits_and_asks_nobody_else(window: BrowserContext, server: str) -> None:
    page = window.new_page()
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request))
    page.route("**/assets/*.js", lambda _: None)  # held back until the route is gone
    page.goto(server, wait_until="commit")
    slider = page.locator("#noise input[type=range]")
    page.wait_for_function("performance.getEntriesByName('live image').length")
    assert page.locator("#early #reconstruction").count() == 1
    assert page.locator("#bench").count() == 0
    before, size = pixels(page, RECONSTRUCTION), page.locator("#sum").bounding_box()
    slider.focus()
    page.keyboard.press("End")
    drawn = pixels(page, RECONSTRUCTION)
    assert drawn != before
    page.unroute("**/assets/*.js")
    page.wait_for_selector("#bench #reconstruction")  # Gradio took it in
    assert page.locator("#early").count() == 0
    assert pixels(page, RECONSTRUCTION) == drawn
    assert slider.evaluate("slider => slider === document.activeElement")
    assert page.locator("#sum").bounding_box()["y"] == pytest.approx(size["y"], abs=4)
    count = -1
    while count != len(asked):  # until what is fetched in idle time is there
        count = len(asked)
        page.wait_for_timeout(1500)
    assert [request.url for request in asked if not request.url.startswith((server, "data:", "blob:"))] == []
    assert "POST" not in {request.method for request in asked}  # though Gradio triggers every event called load
    asked.clear()
    page.wait_for_timeout(2000)  # a page that nobody touches asks for nothing
    assert [request.url for request in asked if "heartbeat" not in request.url] == []
    page.wait_for_function("document.querySelectorAll('#sum .model .sum .tile').length === 14")
    page.set_viewport_size({"width": 1920, "height": 1000})
    rows = page.evaluate(  # at once, for a drawing may replace tiles
        """() => [...document.querySelectorAll('#sum .model .sum')].map((sum) =>
          [...sum.querySelectorAll('.tile')].map((tile) => tile.getBoundingClientRect().top))"""
    )
    assert [len(tops) for tops in rows] == [7, 7]
    assert [len(set(tops)) for tops in rows] == [1, 1]
    page.set_viewport_size(NARROW)
    for lang in ("en", "ru"):
        visit(page, f"?lang={lang}")
        page.wait_for_selector(f"html[lang={lang}]")
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
        assert page.locator("#main > [role=tablist]").evaluate("e => e.scrollWidth - e.clientWidth") <= 0
    page.close()


def test_a_picture_is_never_another_models(open_tab: Callable[[str], Page], site: str) -> None:
    """While weights are under way the old picture stays, marked; then the new one comes by itself."""
    page = open_tab(site)
    held = []
    page.route("**/models/topk-25/**", lambda route: held.append(route))
    before = pixels(page, RECONSTRUCTION)
    page.get_by_label("Top k", exact=True).check()
    page.wait_for_selector("#sum.waiting[data-waiting]")
    assert "topk-25" in page.get_attribute("#sum", "data-waiting")
    assert page.locator(".model h2 bdi").first.inner_text() == "l1-3"
    assert pixels(page, RECONSTRUCTION) == before
    while not held:
        page.wait_for_timeout(50)
    held.pop().fulfill(body=bytes(1000))  # which is cut off: it is asked for again, after a while
    page.wait_for_timeout(3500)
    slide(page, "#noise", 0.4)
    page.wait_for_timeout(500)
    assert len(held) == 1
    assert page.locator(".model h2 bdi").first.inner_text() == "l1-3"
    held[0].continue_()
    wait_for_models(page)
    assert page.locator(".model h2 bdi").first.inner_text() == "topk-25"
    assert pixels(page, RECONSTRUCTION) != before
