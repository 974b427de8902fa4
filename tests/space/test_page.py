"""The page as it opens, its controls and its layout, in a real browser that computes everything itself."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from space.state import TABS
from tests.space.browser import NARROW, open_page, pixels, settle, slide, visit, wait_for_models

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


def wait_until_idle(page: Page, asked: list[str]) -> None:
    """Wait until what is fetched in idle time is there."""
    count = -1
    while count != len(asked):
        count = len(asked)
        page.wait_for_timeout(1500)


def test_the_first_page_shows_two_models_as_sums(page: Page) -> None:
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


def test_noise_changes_all_but_the_clean_image(page: Page) -> None:
    before = everything(page)
    slide(page, "#noise", 0.6)
    after = everything(page)
    assert after[0] == before[0]
    assert all(a != b for a, b in zip(after[1:], before[1:], strict=True))
    slide(page, "#noise", 0.3)
    assert everything(page) == before
    page.get_by_role("button", name="New noise").click()
    assert everything(page)[1] != before[1]


def test_beta_changes_latents_and_reconstruction(page: Page) -> None:
    before = everything(page)
    position = int(page.input_value("#beta input[type=range]"))
    slide(page, "#beta", position + 1)
    wait_for_models(page)
    after = everything(page)
    assert after[:2] == before[:2]
    assert after[2] != before[2]
    assert after[3] != before[3]
    assert page.get_attribute("#beta input[type=range]", "aria-valuetext") == "l1-10"
    page.wait_for_function("() => document.querySelector('#strip [aria-pressed=true] b')?.textContent === 'l1-10'")


def test_one_model_serves_every_beta(page: Page) -> None:
    page.get_by_label("Adaptive L1").check()
    wait_for_models(page)
    errors = set()
    last = int(page.get_attribute("#beta input[type=range]", "max"))
    assert last >= 300
    for position in range(0, last + 1, last // 6):
        slide(page, "#beta", position)
        errors.add(page.inner_text("#reconstruction figcaption"))
    assert len(errors) >= 5
    expect(page).to_have_url(re.compile("beta="))


def test_nothing_is_asked_of_the_server_while_one_plays(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for method in ("L1 penalty", "Top k"):  # whose models are then here
        page.get_by_label(method, exact=True).check()
        for _ in range(2):  # what is asked for, and what that draws
            settle(page)
    asked.clear()
    for method in ("L1 penalty", "Top k"):
        page.get_by_label(method, exact=True).check()
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


def test_arrow_keys_move_both_sliders_and_a_typed_value_is_kept_inside(page: Page) -> None:
    page.focus("#beta input[type=range]")
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(re.compile("model=l1-1"))
    page.focus("#noise input[type=range]")
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile("sigma=0.31"))
    page.fill("#noise input[type=number]", "7")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("sigma=1"))
    assert page.input_value("#noise input[type=number]") == "1"
    page.fill("#noise input[type=number]", "")
    page.keyboard.press("Enter")
    assert page.input_value("#noise input[type=number]") == "1"


def test_a_digit_can_be_picked_and_another_one_of_it_and_any_one(page: Page) -> None:
    page.locator("#digit .digits label", has_text="3").click()
    first = pixels(page, CLEAN)
    assert page.inner_text(".given .clean figcaption").startswith("Clean\n3,")
    page.get_by_role("button", name="Another one").click()
    second = pixels(page, CLEAN)
    assert second != first
    assert page.locator("#digit .digits :checked").input_value() == "3"
    page.get_by_role("button", name="Any digit").click()
    assert pixels(page, CLEAN) != second


def test_labels_below_the_slider_choose_and_a_click_on_the_thumb_chooses_what_it_stands_for(page: Page) -> None:
    page.locator("#beta .ticks button", has_text="10").click()
    wait_for_models(page)
    expect(page).to_have_url(re.compile("model=l1-10"))
    page.locator("#beta .ticks button").get_by_text("3", exact=True).click()
    page.locator("#beta .others button").first.click()
    wait_for_models(page)
    expect(page).to_have_url(re.compile("model=lecture"))  # which has no place on the slider
    assert "not a sum" in page.inner_text(".model:first-child .sum")
    slider = page.locator("#beta input[type=range]")
    box, place = slider.bounding_box(), int(slider.input_value()) / int(slider.get_attribute("max"))
    thumb = 16
    page.mouse.click(box["x"] + thumb / 2 + place * (box["width"] - thumb), box["y"] + box["height"] / 2)
    page.wait_for_function("() => location.search.includes('model=l1-3&')")


def test_a_second_model_is_pinned_and_taken_away(page: Page) -> None:
    page.select_option("#beside", "topk-25")
    wait_for_models(page)
    assert page.locator(".model h2 bdi").all_inner_texts() == ["l1-3", "topk-25"]
    expect(page).to_have_url(re.compile("beside=topk-25"))
    page.select_option("#beside", "")
    assert page.locator(".model").count() == 1
    page.reload()
    wait_for_models(page)
    assert page.locator(".model").count() == 1


def test_a_change_of_method_keeps_its_place(page: Page) -> None:
    page.get_by_label("KL per image").check()
    page.locator("#beta .ticks button", has_text=".1").last.click()
    page.get_by_label("KL per latent").check()
    assert page.get_attribute("#beta input[type=range]", "aria-valuetext") == "kl-neuron-0.1"


def test_the_sum_is_on_the_first_screen_and_on_a_phone_what_one_chooses_right_below(page: Page) -> None:
    page.set_viewport_size(FIRST_SCREEN)
    for atom in page.locator(".model .sum .atom").all():
        assert bottom(atom) <= FIRST_SCREEN["height"]
    page.set_viewport_size(NARROW)
    for atom in page.locator(".model:first-child .sum .atom").all():
        assert bottom(atom) <= page.locator("#sliders").bounding_box()["y"]
    parts = [page.locator(part) for part in ("#sum", "#method", "#digit", "#strip", "#numbers")]
    for above, below in itertools.pairwise(parts):
        assert bottom(above) <= below.bounding_box()["y"]


def bottom(part: Locator) -> float:
    box = part.bounding_box()
    return box["y"] + box["height"]


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


def test_in_gradio_nothing_sticks_out_of_a_phone_and_a_wide_page_has_each_sum_in_one_row(
    browser: Browser, server: str
) -> None:
    page = open_page(browser, server, viewport=NARROW)
    for lang in ("en", "ru"):
        visit(page, f"?lang={lang}")
        page.wait_for_selector(f"html[lang={lang}]")
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
        assert page.locator("#main > [role=tablist]").evaluate("e => e.scrollWidth - e.clientWidth") <= 0
    page.set_viewport_size({"width": 1920, "height": 1000})
    page.wait_for_function("document.querySelectorAll('#sum .model .sum .tile').length === 14")
    rows = page.evaluate(  # at once, for a drawing may replace tiles
        """() => [...document.querySelectorAll('#sum .model .sum')].map((sum) =>
          [...sum.querySelectorAll('.tile')].map((tile) => tile.getBoundingClientRect().top))"""
    )
    assert [len(tops) for tops in rows] == [7, 7]
    assert [len(set(tops)) for tops in rows] == [1, 1]
    page.context.close()


def test_the_page_is_there_before_gradio_which_then_takes_it_in(window: BrowserContext, server: str) -> None:
    page = window.new_page()
    page.route("**/assets/*.js", lambda _: None)  # held back until the route is gone
    page.goto(server, wait_until="commit")
    slider = page.locator("#noise input[type=range]")
    page.wait_for_function("performance.getEntriesByName('live image').length")
    assert page.locator("#early #reconstruction").count() == 1
    assert page.locator("#bench").count() == 0
    before, size = pixels(page, "#reconstruction canvas"), page.locator("#sum").bounding_box()
    slider.focus()
    page.keyboard.press("End")
    drawn = pixels(page, "#reconstruction canvas")
    assert drawn != before
    page.unroute("**/assets/*.js")
    page.wait_for_selector("#bench #reconstruction")
    assert page.locator("#early").count() == 0
    assert pixels(page, "#reconstruction canvas") == drawn
    assert slider.evaluate("slider => slider === document.activeElement")
    assert page.locator("#sum").bounding_box()["y"] == pytest.approx(size["y"], abs=4)
    page.close()


def test_the_page_asks_nobody_else_and_its_server_for_files_alone(window: BrowserContext, server: str) -> None:
    page = window.new_page()
    asked: list[str] = []
    methods: set[str] = set()
    page.on("request", lambda request: asked.append(request.url) or methods.add(request.method))
    page.goto(server)
    wait_for_models(page)
    wait_until_idle(page, asked)
    assert [url for url in asked if not url.startswith((server, "data:", "blob:"))] == []
    assert "POST" not in methods  # though Gradio triggers every event called load
    asked.clear()
    page.wait_for_timeout(2000)
    assert [url for url in asked if "heartbeat" not in url] == []  # a page that nobody touches asks for nothing
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
    held[0].continue_()
    wait_for_models(page)
    assert page.locator(".model h2 bdi").first.inner_text() == "topk-25"
    assert pixels(page, RECONSTRUCTION) != before
