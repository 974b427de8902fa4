"""The canvas in a real browser: what is drawn on it or put onto it reaches Python, and what Python sets is shown."""

from __future__ import annotations

import base64
import io
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import gradio as gr
import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from space import draw
from space.errors import InputError
from space.own_digit import CANVAS, SIDE
from tests.space.browser import at, hand_over, stroke

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ADDRESS = "() => document.querySelector('#draw canvas').toDataURL()"
SIZE = CANVAS * CANVAS
NO_IMAGE = "This file is no image that the browser can read."
SHOWN = torch.zeros(SIDE, SIDE)
SHOWN[4:24, 10:14] = 1


@dataclass
class App:
    """A page with the canvas, and what it sent since it was last opened: a drawing, or None for "clear"."""

    address: str = ""
    opened: int = 0
    slowness: float = 0.0
    """Seconds that Python takes to answer."""
    sent: list[Tensor | None] = field(default_factory=list)


@pytest.fixture(scope="module")
def app() -> Iterator[App]:
    app = App()

    def note(drawing: Tensor | None, request: gr.Request) -> None:
        time.sleep(app.slowness)
        if request.headers["referer"].endswith(f"?{app.opened}"):  # what an earlier page sent may come in late
            app.sent.append(drawing)

    def take(value: str, request: gr.Request) -> None:
        note(draw.drawn(value), request)

    with gr.Blocks(analytics_enabled=False) as blocks:
        canvas = draw.build("digit")
        canvas.input(take, canvas, trigger_mode="always_last", show_progress="hidden")
        canvas.clear(take, canvas, show_progress="hidden")
        gr.Button("Show", elem_id="show").click(lambda: draw.address(SHOWN), outputs=canvas)
        gr.Button("Empty", elem_id="empty").click(lambda: "", outputs=canvas)
        gr.Textbox(label="Other", elem_id="other")
    blocks.launch(server_name="127.0.0.1", prevent_thread_lock=True, quiet=True, css_paths=draw.STYLE)
    app.address = blocks.local_url
    yield app
    blocks.close()


def open_page(browser: Browser, app: App, **options: object) -> Page:
    app.opened += 1
    app.sent.clear()
    page = browser.new_context(viewport={"width": 340, "height": 500}, **options).new_page()
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(f"{app.address}?{app.opened}")
    page.wait_for_selector("#draw canvas")
    page.wait_for_selector("#other textarea, #other input")  # the last part: nothing moves any more
    return page


@pytest.fixture
def page(browser: Browser, app: App) -> Iterator[Page]:
    page = open_page(browser, app)
    yield page
    assert page.errors == []
    page.context.close()


def wait(page: Page, done: Callable[[], object]) -> None:
    """Until it is so, ten seconds at most."""
    for _ in range(200):
        if done():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not happen")


def shown(page: Page) -> Tensor:
    """What the canvas shows, (112, 112) in [0, 1]."""
    data = page.evaluate(ADDRESS).partition(",")[2]
    pixels = Image.open(io.BytesIO(base64.b64decode(data))).convert("L")
    return torch.tensor(list(pixels.tobytes())).reshape(CANVAS, CANVAS) / 255


def is_empty(page: Page) -> bool:
    return shown(page).max() == 0


def paper(size: tuple[int, int], background: object, ink: object, mode: str = "RGB", width: int = 9) -> bytes:
    """A PNG on which a line runs down the middle."""
    image = Image.new(mode, size, background)
    line = [(size[0] / 2, 0.2 * size[1]), (size[0] / 2, 0.8 * size[1])]
    ImageDraw.Draw(image).line(line, fill=ink, width=width)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def choose(page: Page, content: bytes, name: str = "a.png", kind: str = "image/png") -> None:
    page.set_input_files("#draw input[type=file]", {"name": name, "mimeType": kind, "buffer": content})


def has_line_in_the_middle(ink: Tensor) -> bool:
    return bool(ink[40:72, 55:57].min() > 0.9 and ink[:, :40].max() < 0.1 and ink[:, 72:].max() < 0.1)


def test_python_gets_ink_where_the_mouse_went(page: Page, app: App) -> None:
    assert is_empty(page)
    stroke(page, (0.25, 0.25), (0.25, 0.75), (0.75, 0.75))
    wait(page, lambda: app.sent and app.sent[-1][84, 80] > 0)
    ink = app.sent[-1]
    assert torch.allclose(ink, shown(page))
    assert ink[28:85, 26:30].min() > 0.95
    assert ink[82:86, 28:84].min() > 0.95
    far = ink.clone()
    far[20:92, 20:36] = far[76:92, 20:92] = 0
    assert far.max() == 0
    width = (ink[50] > 0.5).sum()
    assert 8 <= width <= 10
    assert ((ink[50] > 0) & (ink[50] < 1)).any(), "the brush is soft"


def test_a_click_is_a_dot_and_another_button_draws_nothing(page: Page, app: App) -> None:
    page.mouse.move(*at(page, 0.5, 0.5))
    page.mouse.down(button="right")
    page.mouse.up(button="right")
    assert is_empty(page)
    page.mouse.click(*at(page, 0.5, 0.5))
    wait(page, lambda: app.sent)
    assert 40 < app.sent[0].sum() < 90


def photo(light: np.ndarray, digit: str) -> bytes:
    """A JPEG of a digit in dark ink on paper, 300 x 400 pixels, under light that is (400, 300)."""
    image = Image.new("L", (300, 400), 225)
    draw = ImageDraw.Draw(image)
    if digit == "7":
        draw.line([(90, 100), (210, 100), (150, 320)], fill=40, width=20, joint="curve")
    else:
        draw.ellipse((80, 90, 220, 310), outline=40, width=22)
    seen = np.asarray(image) * light + np.random.default_rng(0).normal(0, 3, light.shape)
    buffer = io.BytesIO()
    Image.fromarray(seen.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


ROWS, COLUMNS = np.mgrid[0:1:400j, 0:1:300j]
LIGHTS = {
    "from one side, a little": 1 - 0.2 * COLUMNS,
    "from one side": 1 - 0.55 * COLUMNS,
    "from below": 0.5 + 0.5 * ROWS,
    "from a corner": 1 - 0.25 * (ROWS + COLUMNS),
    "vignette": 1 - (ROWS - 0.5) ** 2 - (COLUMNS - 0.5) ** 2,
    "flash": 0.5 + 0.5 * np.exp(-6 * ((ROWS - 0.5) ** 2 + (COLUMNS - 0.5) ** 2)),
    "shadow of a hand": np.where(COLUMNS + 0.4 * ROWS > 0.87, 0.6, 1.0),
}


@pytest.mark.parametrize("digit", ["7", "0"])
def test_unevenly_lit_paper_is_no_ink(page: Page, app: App, digit: str) -> None:
    choose(page, photo(np.ones_like(ROWS), digit))
    wait(page, lambda: app.sent)
    expected = app.sent[-1] > 0.5
    for name, light in LIGHTS.items():
        count = len(app.sent)
        choose(page, photo(light, digit))
        wait(page, lambda count=count: len(app.sent) > count)
        ink = app.sent[-1]
        assert ((ink > 0.25) & ~expected).float().mean() < 0.02, name
        assert (ink > 0.25)[expected].float().mean() > 0.95, name


def test_a_stroke_may_leave_the_canvas(page: Page, app: App) -> None:
    stroke(page, (0.5, 0.5), (0.5, 1.9), (1.6, 1.9), (1.6, 0.5), (0.6, 0.5))
    wait(page, lambda: app.sent and app.sent[-1][56, 108] > 0)
    assert app.sent[-1][110, 56] == 1


def test_python_follows_a_long_stroke_at_most_five_times_a_second(page: Page, app: App) -> None:
    began = time.monotonic()
    stroke(page, (0.1, 0.1), lift=False)
    while time.monotonic() - began < 1.5:
        for x in (0.2, 0.8):
            page.mouse.move(*at(page, x, 0.5), steps=5)
    page.wait_for_timeout(400)
    during, seconds = len(app.sent), time.monotonic() - began
    page.mouse.up()
    wait(page, lambda: len(app.sent) > during)
    assert 2 <= during <= 5 * seconds + 1


def test_a_finger_draws_and_does_not_scroll(browser: Browser, app: App) -> None:
    page = open_page(browser, app, has_touch=True)
    client = page.context.new_cdp_session(page)

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [dict(zip("xy", at(page, *place), strict=True), id=i) for i, place in enumerate(places)]
        client.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})

    touch("Start", (0.5, 0.9))
    for y in (0.7, 0.5, 0.3, 0.2):
        touch("Move", (0.5, y))
    touch("Move", (0.5, 0.2), (0.1, 0.1))  # the palm
    touch("End")
    wait(page, lambda: app.sent and app.sent[-1][30, 56] > 0)
    assert has_line_in_the_middle(app.sent[-1])
    assert page.evaluate("scrollY") == 0
    assert page.errors == []
    page.context.close()


@pytest.mark.parametrize("event", ["choose", "drop", "paste"])
def test_dark_ink_on_a_white_image_becomes_bright_ink(page: Page, app: App, event: str) -> None:
    image = paper((112, 112), "white", "black")
    choose(page, image) if event == "choose" else hand_over(page, event, image)
    wait(page, lambda: app.sent)
    assert has_line_in_the_middle(app.sent[0])
    assert torch.allclose(app.sent[0], shown(page))
    assert page.inner_text("#draw .message") == ""


@pytest.mark.parametrize(
    "image",
    [
        paper((28, 28), "black", "white", width=3),
        paper((900, 900), (225, 215, 190), (60, 60, 160), width=70),
        paper((100, 100), (120, 120, 120), (90, 90, 90)),
        paper((100, 100), (0, 0, 0, 0), (0, 0, 0, 255), "RGBA"),
        paper((100, 100), (0, 0, 0, 0), (255, 255, 255, 255), "RGBA"),
        paper((60, 300), "white", "black", width=20),
        paper((1200, 400), "white", "black", width=110),
    ],
    ids=["as MNIST", "paper", "faint", "dark on nothing", "bright on nothing", "high", "wide"],
)
def test_images_of_many_kinds_become_ink(page: Page, app: App, image: bytes) -> None:
    choose(page, image)
    wait(page, lambda: app.sent)
    ink = app.sent[0]
    assert ink[52:60, 54:58].min() > 0.9
    assert ink[:, :40].max() < 0.1
    assert ink[:, 72:].max() < 0.1
    rows = (ink.amax(dim=1) > 0.5).sum()
    assert rows > 20


def test_the_same_file_may_be_chosen_again(page: Page, app: App) -> None:
    for times in (1, 2):
        choose(page, paper((112, 112), "white", "black"))
        wait(page, lambda times=times: len(app.sent) == times)


@pytest.mark.parametrize("event", ["choose", "drop", "paste"])
def test_a_file_that_is_no_image_is_told_and_changes_nothing(page: Page, app: App, event: str) -> None:
    page.mouse.click(*at(page, 0.5, 0.5))
    wait(page, lambda: app.sent)
    before = page.evaluate(ADDRESS)
    if event == "choose":
        choose(page, b"just words", "words.txt", "text/plain")
    else:
        hand_over(page, event, b"just words", "text/plain")
    line = page.locator("#draw .message")
    wait(page, lambda: line.inner_text() == NO_IMAGE)
    assert line.get_attribute("aria-live") == "polite"
    assert (page.evaluate(ADDRESS), len(app.sent)) == (before, 1)
    stroke(page, (0.2, 0.2), (0.8, 0.2))
    assert line.inner_text() == ""
    wait(page, lambda: app.sent[-1][22, 80] > 0)


def test_an_image_of_one_shade_is_told(page: Page, app: App) -> None:
    choose(page, paper((50, 50), "white", "white"))
    wait(page, lambda: "one shade" in page.inner_text("#draw .message"))
    assert app.sent == []


def test_clear_empties_the_canvas_and_tells_python(page: Page, app: App) -> None:
    stroke(page, (0.2, 0.5), (0.8, 0.5))
    wait(page, lambda: app.sent)
    page.click("#draw .clear")
    assert is_empty(page)
    wait(page, lambda: app.sent[-1] is None)
    page.wait_for_timeout(300)
    assert app.sent[-1] is None, "no stroke is sent late"


def test_the_canvas_shows_what_python_sets(page: Page, app: App) -> None:
    page.click("#show")
    wait(page, lambda: not is_empty(page))
    ink = shown(page)
    assert ink[20:92, 42:54].min() > 0.9
    assert ink[:, :36].max() < 0.1
    page.click("#empty")
    wait(page, lambda: is_empty(page))
    assert app.sent == []


def test_python_may_take_back_a_drawing_and_it_may_go_on_from_an_image(page: Page, app: App) -> None:
    """Also where the value that Python sets is the one that it set before the visitor drew."""
    stroke(page, (0.2, 0.5), (0.8, 0.5))
    wait(page, lambda: app.sent)
    page.click("#empty")
    wait(page, lambda: is_empty(page))
    for _ in range(2):
        page.click("#show")
        wait(page, lambda: shown(page)[20:92, 44:52].min() > 0.9 and shown(page)[56, 80] == 0)
        app.sent.clear()
        stroke(page, (0.2, 0.5), (0.8, 0.5))
        wait(page, lambda: app.sent and app.sent[-1][56, 80] > 0.9)
        assert app.sent[-1][20:92, 44:52].min() > 0.9


def test_what_python_sets_does_not_replace_a_stroke_that_is_being_drawn(page: Page, app: App) -> None:
    stroke(page, (0.2, 0.9), (0.8, 0.9), lift=False)
    page.evaluate("document.querySelector('#show').click()")
    page.wait_for_timeout(700)
    assert shown(page)[30, 48] == 0
    page.mouse.up()
    wait(page, lambda: app.sent)
    assert app.sent[-1][30, 48] == 0


def test_without_a_mouse_the_buttons_do_all(page: Page, app: App) -> None:
    canvas = page.get_by_role("img", name="Draw a digit here with mouse or finger; or choose an image file")
    assert canvas.count() == 1
    choosers = []
    # Early, since the browser takes a while until it tells of choosers.
    page.on("filechooser", lambda chooser: choosers.append(chooser))
    page.wait_for_timeout(500)
    page.get_by_role("button", name="Choose an image").focus()
    page.keyboard.press("Enter")
    wait(page, lambda: choosers)
    choosers[0].set_files({"name": "a.png", "mimeType": "image/png", "buffer": paper((99, 99), "white", "black")})
    wait(page, lambda: app.sent)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Clear"
    page.keyboard.press("Space")
    wait(page, lambda: app.sent[-1] is None)


def test_an_image_that_is_pasted_elsewhere_is_left_alone(page: Page, app: App) -> None:
    hand_over(page, "paste", paper((112, 112), "white", "black"), onto="#other textarea, #other input")
    page.wait_for_timeout(500)
    assert is_empty(page)
    assert app.sent == []


@pytest.mark.parametrize("dark", [False, True])
def test_it_is_small(browser: Browser, app: App, dark: bool) -> None:
    page = open_page(browser, app, color_scheme="dark" if dark else "light")
    canvas, whole = (page.locator(f"#draw {part}").bounding_box() for part in ("canvas", ".draw"))
    assert 100 < canvas["width"] == canvas["height"] <= 150
    assert whole["height"] <= 190
    assert page.evaluate("document.documentElement.scrollWidth") <= 340
    page.context.close()


def test_the_last_stroke_reaches_a_slow_python(page: Page, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "slowness", 0.7)
    for y in (0.2, 0.4, 0.6, 0.8):
        stroke(page, (0.2, y), (0.8, y))
    wait(page, lambda: app.sent and app.sent[-1][90, 56] > 0.9)
    assert len(app.sent) < 6


def test_an_empty_canvas_is_no_drawing() -> None:
    assert draw.drawn("") is None


def value_of(pixels: bytes) -> str:
    return draw.DRAWN + base64.b64encode(pixels).decode()


def test_a_drawing_is_the_bytes_of_the_canvas() -> None:
    pixels = torch.arange(SIZE).reshape(CANVAS, CANVAS) % 256
    assert torch.allclose(draw.drawn(value_of(bytes(pixels.flatten().tolist()))), pixels / 255)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"pixels": ""},
        1,
        value_of(bytes(SIZE)).encode(),
        "pixels",
        "data:image/png;base64,AAAA",
        "ink:",
        "ink:AAAA",
        value_of(bytes(SIZE - 1)),
        value_of(bytes(SIZE + 1)),
        value_of(bytes(SIZE - 3)),
        draw.DRAWN + base64.urlsafe_b64encode(b"\xff" * SIZE).decode(),
        value_of(bytes(SIZE))[:-2] + "A=",
        value_of(bytes(SIZE))[:-1] + "é",
        draw.DRAWN + " " * 16728,
    ],
)
def test_any_other_value_is_an_error_of_one_line(value: object) -> None:
    with pytest.raises(InputError, match=r"^A drawing comes as base64 of 112 x 112 bytes\.$"):
        draw.drawn(value)


def test_an_address_is_a_small_image() -> None:
    data = re.fullmatch("data:image/png;base64,(.+)", draw.address(SHOWN))[1]
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert (image.size, image.mode) == ((SIDE, SIDE), "L")
