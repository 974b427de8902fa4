"""What a visitor touches, in a real browser: latents, strokes, thumbnails, classes, links; also with the keys alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.space.browser import NARROW, open_page, stroke

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NOISE, BETA = "#noise input[type=range]", "#beta input[type=range]"
MAP = "#images .latent-map"


def error_of_this_image(page: Page) -> float:
    return float(page.inner_text("#metrics td >> nth=0"))


def brightest(page: Page) -> int:
    """The latent with the lightest cell, read from the map's pixels."""
    return page.evaluate(
        "async selector => { const image = document.querySelector(selector + ' img'); await image.decode();"
        "const c = document.createElement('canvas'); c.width = c.height = image.naturalWidth;"
        "const x = c.getContext('2d'); x.drawImage(image, 0, 0);"
        "const d = x.getImageData(0, 0, c.width, c.width).data; let best = 0;"
        "for (let i = 0; i < c.width * c.width; i++) if (d[4*i] + d[4*i+1] > d[4*best] + d[4*best+1]) best = i;"
        "return best }",
        MAP,
    )


def point_at(page: Page, selector: str, latent: int, side: int = 30) -> tuple[float, float]:
    page.locator(selector).first.scroll_into_view_if_needed()
    box = page.locator(f"{selector} img").first.bounding_box()
    row, column = divmod(latent, side)
    return box["x"] + (column + 0.5) / side * box["width"], box["y"] + (row + 0.5) / side * box["height"]


def test_a_latent_under_the_pointer_is_shown_large(page: Page) -> None:
    latent = brightest(page)
    page.mouse.move(*point_at(page, MAP, latent))
    page.wait_for_function(
        "name => document.querySelector('#card h2')?.textContent.startsWith(name)", arg=f"Latent {latent} "
    )
    assert page.locator("#card").is_visible()
    assert "Atom of latent" in page.get_attribute("#card img >> nth=0", "alt")
    assert page.locator("#card .class-bar").count() == 10
    assert re.search(r"on: z = \d+\.\d\d", page.inner_text("#card"))
    assert page.locator("#card input").count() == 0
    page.mouse.move(5, 5)
    page.wait_for_selector("#card", state="hidden")


def test_a_latent_can_be_switched_off_and_set_and_the_error_is_seen_to_change(page: Page) -> None:
    unedited, latent = error_of_this_image(page), brightest(page)
    reconstruction = page.get_attribute("#images .steps img >> nth=3", "src")
    page.mouse.click(*point_at(page, MAP, latent))
    page.wait_for_selector("#card.open .off")
    page.click("#card .off")
    page.wait_for_selector("#images .steps.of5")
    page.wait_for_function("old => document.querySelector('#metrics td').textContent !== old", arg=f"{unedited:.4f}")
    assert error_of_this_image(page) > 1.2 * unedited
    assert page.get_attribute("#images .steps img >> nth=4", "src") == reconstruction
    assert f"{unedited:.4f}" in page.inner_text("#summary")
    page.wait_for_function("document.querySelector('#card').innerText.includes('As encoded: z =')")

    off = error_of_this_image(page)
    slider = page.locator("#card input[type=range]")
    value = round(0.5 * float(slider.get_attribute("max")), 2)
    slider.fill(str(value))
    page.wait_for_function(
        "words => document.querySelector('#card .facts').innerText.includes(words)", arg=f"z = {value:.2f}"
    )
    page.wait_for_function("old => document.querySelector('#metrics td').textContent !== old", arg=f"{off:.4f}")
    assert error_of_this_image(page) < off

    page.click("#card .close")
    page.wait_for_selector("#card", state="hidden")
    page.get_by_role("tab", name="Strokes").click()
    page.wait_for_selector("#built .undo")  # an edit is told wherever it counts
    page.get_by_role("tab", name="See").click()
    page.click("#summary .undo")
    page.wait_for_selector("#images .steps:not(.of5)")
    page.wait_for_function("old => document.querySelector('#metrics td').textContent === old", arg=f"{unedited:.4f}")


def test_the_keys_alone_reach_a_latent_and_change_it(page: Page) -> None:
    latent = brightest(page)
    page.focus("#bins input")
    page.evaluate("document.querySelector('#tabs [role=tab]').focus()")
    page.keyboard.press("Tab")
    while not page.evaluate("document.activeElement.matches('.latent-map')"):
        page.keyboard.press("Tab")
    start = 465
    for key, times in (("Down", latent // 30 - start // 30), ("Right", latent % 30 - start % 30)):
        opposite = {"Down": "Up", "Right": "Left"}[key]
        for _ in range(abs(times)):
            page.keyboard.press(f"Arrow{key if times > 0 else opposite}")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "name => document.querySelector('#card.open h2')?.textContent.startsWith(name)", arg=f"Latent {latent} "
    )
    page.wait_for_function("document.activeElement.matches('#card input')")
    page.keyboard.press("Home")  # the slider's lowest value
    page.wait_for_selector("#images .steps.of5")
    page.keyboard.press("Escape")
    page.wait_for_selector("#card", state="hidden")
    page.wait_for_timeout(500)  # and no answer that is late opens it again
    assert page.locator("#card").is_hidden()
    assert page.evaluate("document.activeElement.matches('.latent-map')")
    page.wait_for_selector(f"#summary .undo[data-latent='{latent}']")


def test_a_thumbnail_chooses_its_stop(page: Page) -> None:
    page.click("#strip button >> nth=0")
    page.wait_for_function("document.querySelector('#summary b').textContent === 'dense'")
    page.wait_for_selector("#strip button.chosen[data-position='0']")
    assert page.input_value(BETA) == "0"
    page.focus("#strip button >> nth=2")
    page.keyboard.press("Enter")
    page.wait_for_selector("#strip button.chosen[data-position='2']")


def test_strokes_build_the_image_and_come_nearer_to_it(page: Page) -> None:
    page.get_by_role("tab", name="Strokes").click()
    page.wait_for_selector("#atoms .atoms figure")
    page.fill("#reveal input[type=range]", "0")
    page.wait_for_selector(".built[data-k='0']")
    decibels = []
    for k in (0, 3, 10):
        page.fill("#reveal input[type=range]", str(k))
        page.wait_for_selector(f".built[data-k='{k}']")
        page.wait_for_function("k => document.querySelectorAll('.atoms .in').length === k", arg=k)
        decibels.append(float(re.search(r"([\d.]+) dB", page.inner_text(".built figure >> nth=1"))[1]))
    assert decibels == sorted(set(decibels))
    shares = [float(text.split()[-1][:-1]) for text in page.locator("#atoms figcaption").all_inner_texts()]
    assert shares == sorted(shares, reverse=True)
    page.fill("#reveal input[type=range]", page.get_attribute("#reveal input[type=range]", "max"))
    page.wait_for_function(
        "() => { const images = document.querySelectorAll('.built img'); return images[1].src === images[2].src }"
    )


def test_play_adds_one_latent_after_the_other(page: Page) -> None:
    page.get_by_role("tab", name="Strokes").click()
    page.wait_for_selector("#atoms .atoms figure")
    page.get_by_role("button", name="Play").click()
    for k in (7, 9):  # a busy server may skip one
        page.wait_for_function("k => Number(document.querySelector('.built').dataset.k) >= k", arg=k)
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Play").wait_for()


def test_two_models_stand_side_by_side_for_a_class(page: Page) -> None:
    page.get_by_role("tab", name="Classes").click()
    page.wait_for_selector("#ranks section")
    names = page.locator("#ranks section h2").all_inner_texts()
    assert names == ["dense", page.inner_text("#stops [data-stop] .chosen") and names[1]]
    assert page.locator("#ranks .ranks tbody tr").count() == 16
    page.locator("#class").get_by_role("radio", name="0", exact=True).check()
    page.wait_for_function("document.querySelector('#ranks').innerText.includes('Typical 0')")
    shares = [
        float(text.rstrip("%"))
        for text in page.locator("#ranks section:nth-child(2) tbody td:last-child").all_inner_texts()
    ]
    assert max(shares) > 60  # a sparse latent belongs to its class
    page.mouse.move(*point_at(page, "#ranks section:nth-child(1) .latent-map", 31))
    page.wait_for_function("document.querySelector('#card h2')?.textContent === 'Latent 31 of dense'")
    page.locator("#beside input").fill("topk-25")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#ranks h2').textContent === 'topk-25'")


def state(page: Page) -> tuple[object, ...]:
    return (
        page.input_value(NOISE),
        page.locator("#method input:checked").get_attribute("value"),
        page.input_value(BETA),
        page.locator("#images .steps img").evaluate_all("all => all.map(image => image.src)"),
        page.locator("#summary .undo").all_inner_texts(),
    )


def test_a_link_restores_everything_in_another_window(browser: Browser, page: Page) -> None:
    page.locator("#digit").get_by_role("radio", name="4", exact=True).check()
    page.wait_for_function("document.querySelector('#summary').innerText.includes('carry this 4')")
    page.get_by_role("button", name="New noise").click()
    page.locator("#method").get_by_role("radio", name="Top k", exact=True).check()
    page.wait_for_function("document.querySelector('#summary b').textContent.startsWith('topk')")
    page.fill(NOISE, "0.15")
    page.wait_for_function("location.search.includes('sigma=0.15')")
    page.mouse.click(*point_at(page, MAP, brightest(page)))
    page.click("#card .off")
    page.wait_for_function("location.search.includes('set=')")
    other = open_page(browser, page.url)
    other.wait_for_selector("#images .steps.of5")
    assert state(other) == state(page)
    assert other.locator("#digit input:checked").get_attribute("value") == "4"
    assert other.errors == []
    other.context.close()


def test_a_drawing_fits_into_a_link(browser: Browser, page: Page) -> None:
    page.locator("#draw canvas").scroll_into_view_if_needed()
    stroke(page, (0.5, 0.2), (0.58, 0.8))
    page.wait_for_function("location.search.includes('draw=')")
    page.wait_for_timeout(700)  # the last of several answers to one stroke
    page.get_by_role("tab", name="Strokes").click()
    page.wait_for_function("location.search.includes('tab=strokes')")
    assert len(page.url) < 1500
    other = open_page(browser, page.url)
    other.wait_for_selector("#tabs [role=tab][aria-selected=true]:text-is('Strokes')")
    other.wait_for_function("document.querySelector('.built img')?.alt.startsWith('The drawing')")
    other.get_by_role("tab", name="See").click()
    other.wait_for_function("document.querySelector('#summary').innerText.includes('this drawing')")
    page.get_by_role("tab", name="See").click()
    page.wait_for_timeout(500)
    assert state(other) == state(page)
    other.wait_for_selector("#draw .frame:not(.empty)")
    assert other.locator("#digit input:checked").count() == 0
    other.locator("#draw").get_by_role("button", name="Clear").click()
    other.wait_for_function("document.querySelector('#summary').innerText.includes('this 7')")
    other.context.close()


def test_back_and_forward_work(page: Page) -> None:
    first = state(page)
    page.wait_for_timeout(500)
    assert page.evaluate("location.search") == ""  # nothing was changed yet
    page.fill(NOISE, "0.8")
    page.wait_for_function("location.search.includes('sigma=0.8')")
    page.wait_for_timeout(900)
    page.locator("#method").get_by_role("radio", name="KL per image").check()
    page.wait_for_function("location.search.includes('kl-image')")
    page.wait_for_timeout(300)
    third = state(page)
    page.go_back()
    page.wait_for_function("document.querySelector('#method input:checked').value === 'l1'")
    assert page.input_value(NOISE) == "0.8"
    page.go_back()
    page.wait_for_function("document.querySelector('#noise input[type=range]').value === '0.3'")
    page.wait_for_function("old => document.querySelectorAll('#images .steps img')[3].src === old", arg=first[3][3])
    assert state(page) == first
    page.wait_for_timeout(300)
    assert page.evaluate("location.search") == ""
    page.go_forward()
    page.wait_for_function("document.querySelector('#noise input[type=range]').value === '0.8'")
    page.go_forward()
    page.wait_for_function("old => document.querySelectorAll('#images .steps img')[3].src === old", arg=third[3][3])
    assert state(page) == third


def test_the_link_is_copied(browser: Browser, server: str) -> None:
    page = open_page(browser, server, permissions=["clipboard-read", "clipboard-write"])
    page.fill(NOISE, "0.7")
    page.wait_for_function("location.search.includes('sigma=0.7')")
    page.click("#copy-link")
    page.wait_for_function("document.querySelector('#copy-link').innerText.includes('copied')")
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    page.context.close()


def test_a_wrong_link_is_answered_with_an_error_message(browser: Browser, server: str) -> None:
    page = open_page(browser, f"{server}/?digit=99999")
    page.wait_for_selector("#trouble .error")
    assert "from 0 to 9999; got 99999" in page.inner_text("#trouble")
    assert page.locator("#images .steps img").count() == 4
    page.context.close()


def test_a_term_explains_itself_on_hover_and_on_focus(page: Page) -> None:
    page.hover("#metrics .term >> nth=0")
    page.wait_for_selector("#tip", state="visible")
    assert "Squared error" in page.inner_text("#tip")
    page.mouse.move(5, 5)
    page.wait_for_selector("#tip", state="hidden")
    page.focus("#summary .term")
    page.wait_for_selector("#tip", state="visible")
    assert "carry an image" in page.inner_text("#tip")
    assert "carry an image" in page.get_attribute("#summary .term", "aria-label")
    page.keyboard.press("Escape")
    page.wait_for_selector("#tip", state="hidden")


def test_two_visitors_have_a_bench_each(browser: Browser, server: str, page: Page) -> None:
    other = open_page(browser, server)
    before = state(other)
    page.fill(NOISE, "0.9")
    page.mouse.click(*point_at(page, MAP, brightest(page)))
    page.click("#card .off")
    page.wait_for_selector("#images .steps.of5")
    other.fill(BETA, "0")
    other.wait_for_function("document.querySelector('#summary b').textContent === 'dense'")
    other.fill(BETA, before[2])
    other.wait_for_function("old => document.querySelectorAll('#images .steps img')[3].src === old", arg=before[3][3])
    assert state(other) == before
    other.context.close()


def test_a_latent_opens_on_a_phone_by_a_tap(browser: Browser, server: str) -> None:
    page = open_page(browser, server, has_touch=True)
    page.set_viewport_size(NARROW)
    page.wait_for_timeout(300)
    page.touchscreen.tap(*point_at(page, MAP, brightest(page)))
    page.wait_for_selector("#card.open .off")
    box = page.locator("#card").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    page.touchscreen.tap(*(lambda b: (b["x"] + 5, b["y"] + 5))(page.locator("#card .off").bounding_box()))
    page.wait_for_selector("#images .steps.of5")
    page.context.close()


def test_an_error_of_what_is_drawn_first_is_told(page: Page) -> None:
    page.locator("#images .latent-map img").click()
    page.wait_for_selector("#card .off")
    page.evaluate("""() => {
      const slider = document.querySelector('#card input[type=range]');
      slider.max = 1e6;
      slider.value = 1e6;
      slider.dispatchEvent(new Event('input', {bubbles: true}));
    }""")
    page.get_by_text("These are no latents set by hand").first.wait_for()
