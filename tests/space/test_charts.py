"""The charts of the page, by themselves in a real browser: their numbers, their words, their keys, their files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image

from sae_model import bernoulli_kl
from sae_model.bundle import BUNDLE
from space.languages import catalog
from tests.space.browser import WIDE
from tests.space.server import ROOT, served
from training.measure.histogram import histogram_of, percent

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

FAMILIES = {
    "l1": ["dense", "l1-0.01", "l1-0.1", "l1-0.3", "l1-1", "l1-3", "l1-10", "l1-30", "lecture"],
    "kl-image": ["kl-image-0.02", "kl-image-0.05", "kl-image-0.1", "kl-image-0.2"],
    "kl-neuron": ["kl-neuron-0.02", "kl-neuron-0.05", "kl-neuron-0.1", "kl-neuron-0.2"],
    "topk": ["topk-10", "topk-25", "topk-50", "batch-topk", "jumprelu", "matryoshka"],
    "noise": ["l1-0.1", "l1-0.1-noise-0.6"],
}
APART = {"lecture", "batch-topk", "jumprelu", "matryoshka"}
USERS = "me/mine"
LATENTS = 49
WIDTHS = (390, 1280, 1920)
PARTS = ("histograms", "rates", "frontier", "classes", "errorcurve")


def stop_of(name: str) -> dict[str, Any]:
    """As lab.json has it."""
    label = name if name in APART else name.rpartition("-")[2].removeprefix("0")
    target = float(name.rpartition("-")[2]) if name.startswith("kl") else None
    evaluation = json.loads((BUNDLE / name / "evaluation.json").read_text(encoding="utf-8"))
    return {
        "key": name, "model": name, "label": label, "short": name, "argument": None, "value": None, "k": None,
        "apart": name in APART, "evaluation": evaluation, "measured": name, "target": target,
    }  # fmt: skip


def given() -> dict[str, Any]:
    """What the stub page gets."""
    stops = {name: stop_of(name) for family in FAMILIES.values() for name in family}
    theirs = stop_of("l1-0.3") | dict.fromkeys(("key", "model", "measured"), USERS)
    theirs |= {"short": "mine", "label": "★", "users": True}
    theirs["evaluation"]["fvu"] *= 3
    families = {**FAMILIES, f"user:{USERS}": ["l1-1", USERS]}
    stops[USERS] = theirs
    index = {
        "latents": LATENTS, "sigma": 0.3, "shape": [1, 28, 28], "range": [0, 1], "output": "sigmoid",
        "classes": list("0123456789"), "images": {"count": 400}, "stops": stops,
        "families": [{"key": key, "stops": names} for key, names in families.items()],
        "models": {name: {"linear": name != "lecture", "url": name, "config": {"latent_dim": 900}} for name in stops},
    }  # fmt: skip
    state = {
        "digit": 7, "draw": "", "sigma": 0.3, "seed": 0, "family": "l1", "stop": "l1-10", "beside": "dense",
        "label": 3, "target": 0.1, "lang": "en", "tab": "rates", "bins": "logarithmic",
    }  # fmt: skip
    words = {code: catalog(code) for code in ("en", "ru")}
    return {"index": index, "words": words, "state": state, "measured": measured(), "equal": False}


def activations(seed: int, most: float, share: float) -> np.ndarray:
    """Made-up ones, of which a share is exactly 0."""
    random = np.random.default_rng(seed)
    return np.where(random.random(900) < share, 0, most * random.random(900) ** 4)


def measured() -> list[dict[str, Any]]:
    """Two models, the second one much less sparse."""
    return [
        {
            "title": title,
            "activations": activations(i, most, share).tolist(),
            "means": activations(i + 5, most / 5, share / 9).tolist(),
        }
        for i, (title, most, share) in enumerate((("l1-10", 0.999, 0.97), ("dense", 0.6, 0.01)))
    ]


@pytest.fixture(scope="module")
def stub(window: BrowserContext) -> Iterator[Page]:
    """One for all tests; each shows its own part."""
    page = window.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.add_init_script(f"window.given = {json.dumps(given())}")
    with served(ROOT) as root:
        page.goto(f"{root}tests/space/charts_stub.html")
        page.wait_for_function("window.ready")
        yield page
    assert errors == []
    page.close()


@pytest.fixture
def page(stub: Page) -> Page:
    """As it starts: English, wide, l1-10 beside dense, nothing shown."""
    stub.set_viewport_size(WIDE)
    stub.evaluate(
        "measured => { page.state = structuredClone(given.state); page.changes = [];"
        "Object.assign(given, {equal: false, measured}); }",
        measured(),
    )
    return stub


def show(page: Page, part: str, **changes: object) -> None:
    """Open a part, in a column as wide as the page gives it, and wait until nothing is under way."""
    page.evaluate(
        "part => (document.querySelector('main').style.maxWidth = part === 'errorcurve' ? '282px' : '')", part
    )
    page.evaluate("([part, changes]) => show(part, changes)", [part, changes])
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    # Jobs take turns, and none has more steps than this one.
    page.evaluate("new Promise(done => idle('last', function* () { for (let i = 0; i < 300; i++) yield; done(); }))")


def numbers(page: Page, selector: str, attribute: str) -> list[float]:
    return page.evaluate(
        "([at, name]) => [...document.querySelectorAll(at)].map(e => Number(e.getAttribute(name)))",
        [selector, attribute],
    )


@pytest.mark.parametrize("count", [1, 2])
def test_histograms_have_numpys_counts_of_two_models_on_one_scale(page: Page, count: int) -> None:
    models = measured()[:count]
    page.evaluate("models => (given.measured = models)", models)
    show(page, "histograms")
    first = page.locator(".histogram svg").first
    assert first.get_attribute("role") == "img"
    edges = np.append(np.append(0, np.logspace(-3, 0, 13, dtype=np.float32)[1:-1]), np.inf)
    shares = []
    for model in models:
        values = np.array(model["activations"], np.float32)
        shares.append(np.histogram(values[values > 0], edges)[0] / (values > 0).sum())
        assert f"{(values == 0).mean():.1%}" in first.text_content()
        assert f"overall mean {values.mean():.3g}" in first.text_content()
    of = [numbers(page, f".histograms > :first-child rect.{name}", "height") for name in ("bar", "outline")]
    drawn = [of[0][-12:], of[1][-12:]][:count]  # those of the legend and of exactly 0 come first
    scale = max(max(heights) for heights in drawn) / max(share.max() for share in shares)
    for heights, share in zip(drawn, shares, strict=True):
        assert np.allclose(heights, share * scale, atol=0.3)


def test_the_histogram_of_equal_bins_says_each_share(page: Page) -> None:
    page.evaluate("() => (given.equal = true)")
    show(page, "histograms")
    values = torch.tensor(measured()[0]["activations"])
    counts = np.histogram(values.numpy(), 10, (0, 1))[0]
    chart = page.locator(".histogram svg").first
    assert chart.locator(".share").all_text_contents() == [percent(count / 900) for count in counts]
    spoken = chart.get_attribute("aria-label")
    assert "Exactly 0: " not in spoken  # these are in the first of the equal bins
    assert [share for share in map(percent, counts / 900) if share != "0" and share not in spoken] == []
    assert list(histogram_of(values).linear) == counts.tolist()
    page.evaluate("() => { given.equal = false; page.draw(); }")
    assert "Exactly 0: " in page.locator(".histogram svg").first.get_attribute("aria-label")


def test_means_that_are_under_way_are_not_another_models(page: Page) -> None:
    show(page, "histograms")
    page.evaluate(
        "() => { given.measured = [{...given.measured[0], means: null}]; page.draw(); }"
    )  # the noise moved on
    means = page.locator(".histograms > :nth-child(2)")
    assert means.locator(".stale svg rect.bar").count() == 12
    page.evaluate("() => { given.measured = [{...given.measured[0], title: 'l1-3'}]; page.draw(); }")
    assert means.locator("svg rect.bar").count() == 0
    assert "…" in means.text_content()


@pytest.mark.parametrize("target", [0.05, 0.37, 0.99])
def test_the_curves_of_costs_are_the_packages(page: Page, target: float) -> None:
    points = page.evaluate(
        "async target => { const {COSTS, costCurve} = await import('/space/web/rates.js');"
        "return COSTS.map(({of}) => costCurve(rate => of(target, rate), target, 1)); }",
        target,
    )
    for curve, cost in zip(
        points,
        (lambda q: bernoulli_kl(target, q), lambda q: (q - target).abs(), lambda q: (q - target).square(), lambda q: q),
        strict=True,
    ):
        rates, costs = torch.tensor(curve, dtype=torch.float64).T
        expected = cost(rates).clamp(max=1)
        crossing = costs == 1  # between two points of the curve
        assert torch.allclose(costs[~crossing], expected[~crossing], atol=1e-9)
        assert torch.allclose(costs[crossing], cost(rates[crossing]), atol=0.15)
        assert (rates.diff() >= 0).all()
    kl = torch.tensor(points[0], dtype=torch.float64)
    assert kl[kl[:, 1].argmin(), 0] == pytest.approx(target)


def test_the_target_moves_by_slider_and_in_the_chart_and_follows_a_model_that_states_one(page: Page) -> None:
    show(page, "rates")
    page.locator("#target input").fill("0.15")
    assert page.locator("svg .target-label").first.text_content() == "target 0.15"
    lowest = page.evaluate("() => document.querySelector('polyline.style0').points")
    chart = page.locator(".cost-chart")
    box = chart.bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 150)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 150, steps=4)
    page.mouse.up()
    dragged = page.evaluate("page.state.target")
    assert 0.08 < dragged < 0.12
    assert lowest != page.evaluate("() => document.querySelector('polyline.style0').points")
    page.evaluate("page.set({stop: 'kl-image-0.02', family: 'kl-image'})")
    page.wait_for_function("page.state.target === 0.02")
    page.locator("#target input").fill("0.3")  # and it can be moved away from there
    assert page.evaluate("page.state.target") == 0.3


def test_the_table_of_costs_has_the_cost_and_the_slope_at_the_rate(page: Page) -> None:
    show(page, "rates", target=0.2)
    page.locator("#rate input").fill("0.1")
    row = page.locator(".costs tbody tr").first.locator("td").all_text_contents()
    cost = bernoulli_kl(0.2, torch.tensor(0.1, dtype=torch.float64)).item()
    assert row == [f"{cost:.4f}", f"−{0.1 / 0.09:.2f}"]


def test_scaling_lowers_the_mean_activation_and_leaves_the_effective_l0(page: Page) -> None:
    page.evaluate("window.encoded = 0")
    show(page, "rates")
    page.wait_for_function("document.querySelector('.scale-chart svg polyline')")
    page.wait_for_function("window.encoded >= 100")  # in idle time
    curves = page.evaluate(
        "() => [...document.querySelectorAll('.scale-chart polyline')].map(c => Array.from(c.points, p => p.y))"
    )
    carried, rates = curves
    assert max(carried) - min(carried) < 0.2
    assert rates == sorted(rates, reverse=True)
    assert rates[0] - rates[-1] > 100
    page.locator("#scale input").fill("-2")
    assert "Latents × 0.01" in page.locator(".scaled").text_content()
    assert page.locator(".scale-chart .target-label").text_content() == "s = 0.01"


def place(page: Page, key: str) -> tuple[float, float]:
    """Where in the window a point is."""
    x, y = page.evaluate(
        "key => { const box = document.querySelector(`[data-key='${key}'] .target-area`).getBoundingClientRect();"
        "return [box.x + box.width / 2, box.y + box.height / 2]; }",
        key,
    )
    return x, y


def test_a_point_of_the_frontier_says_its_name_and_is_chosen_by_a_click(page: Page) -> None:
    show(page, "frontier")
    assert page.locator(".frontier-chart .point").count() == len(given()["index"]["stops"])
    assert page.locator(".frontier-chart .user text").text_content() == "mine"
    page.mouse.move(*place(page, "topk-50"))
    evaluation = given()["index"]["stops"]["topk-50"]["evaluation"]
    assert page.locator("svg .tip text").all_text_contents() == [
        "topk-50", f"effective L0 {evaluation['effective_l0']:.0f}", f"variance lost {evaluation['fvu']:.1%}"
    ]  # fmt: skip
    fills = page.evaluate("[...document.querySelectorAll('svg .tip text')].map(t => getComputedStyle(t).fill)")
    assert fills == ["rgb(255, 255, 255)"] * 3  # on black
    page.mouse.down()
    page.mouse.up()
    assert page.evaluate("page.changes") == [{"stop": "topk-50", "family": "topk"}]
    assert page.locator(".frontier-chart .point:has(.ringed:not(.second))").get_attribute("data-key") == "topk-50"
    assert "topk-50 is chosen" in page.locator(".now").text_content()


def test_keys_move_over_the_frontier_and_choose(page: Page) -> None:
    show(page, "frontier")
    page.locator(".frontier-chart .point[tabindex='0']").focus()
    stops = given()["index"]["stops"]
    order = sorted(stops, key=lambda name: stops[name]["evaluation"]["effective_l0"])
    after = order[order.index("l1-10") + 1]
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.key") == after
    assert page.locator("svg .tip text").first.text_content() == after
    page.keyboard.press("Enter")
    assert page.evaluate("page.state.stop") == after
    assert page.evaluate("document.activeElement.dataset.key") == after  # still there, though all is drawn anew
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.dataset.key") == "l1-10"


def test_the_frontier_can_be_drawn_for_noise(page: Page) -> None:
    show(page, "frontier")
    page.get_by_label("noise 0.3").check()
    stops = given()["index"]["stops"]
    errors = {name: stop["evaluation"]["denoise_mse"]["0.3"] for name, stop in stops.items()}
    heights = {name: place(page, name)[1] for name in errors}
    by_error = sorted(errors, key=errors.get)
    drawn = [heights[name] for name in by_error]
    assert drawn == sorted(drawn, reverse=True)
    assert "squared error with noise 0.3" in page.locator(".frontier-chart svg").text_content()


def test_classes_show_two_models_on_one_scale_and_rank_latents(page: Page) -> None:
    show(page, "classes")
    assert page.locator(".two h2").all_text_contents() == ["l1-10", "dense"]
    means = np.array(page.evaluate("page.lab.statistics('l1-10').means.map(m => [...m])"))
    order = np.argsort(means.mean(0) - means[3], kind="stable")[:8]
    rows = page.locator(".two > section").first.locator("tbody tr")
    assert rows.count() == 8
    assert [row.locator("td").nth(3).text_content() for row in rows.all()] == [f"{means[3, i]:.3f}" for i in order]
    page.locator(".class-maps button").nth(7).click()
    assert page.evaluate("page.state.label") == 7
    assert rows.first.locator("td").nth(3).text_content() == f"{means[7, np.argmax(means[7] - means.mean(0))]:.3f}"
    rows.first.locator("button.atom").click()
    assert page.evaluate("window.cards") >= 1
    brightest = """i => {
      const canvas = document.querySelectorAll('.two > section')[i].querySelector('.latent-map canvas');
      const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      return Math.max(...data.filter((_, p) => p % 4 === 0));
    }"""
    assert page.evaluate(brightest, 0) < page.evaluate(brightest, 1)  # the stub's dense is twice as active
    page.evaluate("page.set({beside: ''})")
    assert page.locator(".two h2").all_text_contents() == ["l1-10"]


def test_the_typical_image_of_a_class_is_decoded_from_its_mean_latents(page: Page) -> None:
    show(page, "classes", label=4, beside="")
    same = page.evaluate(
        """() => {
          const model = page.lab.model('l1-10'), sum = new Float64Array(model.latentDim);
          const {image} = page.lab.pictures;
          for (let i = 4; i < 200; i += 10) model.encode(image(i)).forEach((z, k) => (sum[k] += z / 20));
          const wanted = model.decode(sum), canvas = document.querySelector('.class-map figure:nth-child(2) canvas');
          const data = canvas.getContext('2d').getImageData(0, 0, 28, 28).data;
          return wanted.every((x, p) => Math.abs(255 * x - data[4 * p]) <= 1);
        }"""
    )
    assert same


def test_the_error_curve_has_the_errors_of_now_and_its_points_choose(page: Page) -> None:
    show(page, "errorcurve")
    assert page.locator(".stale").count() == 0
    drawn = page.evaluate(
        "() => [...document.querySelectorAll('.error-curve .point.style0')]"
        ".map(p => [p.dataset.key.slice(2), p.ariaLabel])"
    )
    errors = page.evaluate(
        "keys => keys.map(key => { const {reconstruction: r, clean} = page.look(key);"
        "return r.reduce((s, x, p) => s + (x - clean[p]) ** 2, 0) / r.length; })",
        [key for key, _ in drawn],
    )
    assert sorted(key for key, _ in drawn) == sorted(
        set(FAMILIES["l1"]) - {"lecture"}
    )  # which has no place on the axis
    for (_, said), error in zip(drawn, errors, strict=True):
        assert f"{error:.4f}" in said
    page.mouse.click(*place(page, "1 l1-1"))
    assert page.evaluate("page.changes") == [{"stop": "l1-1"}]
    show(page, "errorcurve", stop="lecture")
    assert "lecture 0." in page.locator(".error-curve svg").first.text_content()


def test_words_avoid_a_curve_where_there_is_room(page: Page) -> None:
    aside, moved = page.evaluate(
        """async () => {
          const { placeWords, widthOf } = await import('/space/web/labels.js');
          const point = { x: 50, y: 50, r: 4, words: ['0.0123'], weight: 400 };
          const frame = { left: 0, right: 200, top: 0, bottom: 100 };
          const [aside] = placeWords([point], frame, [], []);
          const left = 50 + aside.dx;
          const curve = { left, right: left + 5, top: 50 + aside.dy - 3, bottom: 50 + aside.dy };
          return [aside, placeWords([point], frame, [], [curve])[0]];
        }"""
    )
    assert (aside["anchor"], aside["words"]) == ("start", moved["words"])
    assert moved != aside


def test_in_a_crowd_words_stand_further_away(page: Page) -> None:
    beside, around = page.evaluate(
        """async () => {
          const { placeWords } = await import('/space/web/labels.js');
          const marks = Array.from({ length: 12 }, (_, i) => ({ x: 150, y: 150, r: 8, words: [`name ${i}`] }));
          const frame = { left: 0, right: 300, top: 0, bottom: 300 };
          return [[], [26, 38, 52, 68]].map((distances) => placeWords(marks, frame, [], [], distances));
        }"""
    )
    assert None in beside
    assert not any(place["isFar"] for place in beside if place)
    assert {place["isFar"] for place in around} == {False, True}


OVERLAPS = """() => {
  const found = [];
  if (document.documentElement.scrollWidth > innerWidth) found.push('the page scrolls sideways');
  for (const svg of document.querySelectorAll('svg.plot')) {
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
  return found;
}"""


@pytest.mark.parametrize("part", PARTS)
def test_no_words_are_cut_or_collide(page: Page, part: str) -> None:
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        for lang in ("en", "ru"):
            for equal, stop in ((False, "l1-10"), (True, "lecture")):
                page.evaluate("equal => (given.equal = equal)", equal)
                show(page, part, lang=lang, stop=stop, beside="kl-image-0.05", target=0.17)
                assert page.evaluate(OVERLAPS) == [], f"{width} {lang} {stop}"


def saved(page: Page, kind: str) -> tuple[str, Path]:
    """The name of the file in which the first figure is saved, and where it is."""
    page.locator(".save summary").first.click()
    with page.expect_download() as download:
        page.get_by_text(f"as {kind}").first.click()
    return download.value.suggested_filename, download.value.path()


def test_a_figure_is_saved_as_it_looks(page: Page) -> None:
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


def test_canvases_are_saved_too(page: Page) -> None:
    show(page, "classes")
    name, path = saved(page, "SVG")
    assert name == "l1-10-classes.svg"
    drawing = path.read_text(encoding="utf-8")
    assert drawing.count("data:image/png") == 10
    assert drawing.count("stop-color") == 6  # the bar of colours


def test_idle_work_stops_after_8_ms_and_is_dropped_for_newer(page: Page) -> None:
    most, done = page.evaluate(
        """() => new Promise(done => {
          const ask = window.requestIdleCallback.bind(window), slices = [], finished = [];
          window.requestIdleCallback = (call, options) => ask(deadline => { slices.push(0); call(deadline); }, options);
          const task = name => function* () {
            for (let i = 0; i < 12; i++) {
              for (const end = performance.now() + 3; performance.now() < end; );
              slices[slices.length - 1]++;
              yield;
            }
            finished.push(name);
            if (name === 'new') { window.requestIdleCallback = ask; done([Math.max(...slices), finished]); }
          };
          idle('work', task('old'));
          idle('work', task('new'));
        })"""
    )
    assert most <= 2  # steps of 3 ms
    assert done == ["new"]
