"""The canvas in a real browser: what is drawn on it, or put onto it, becomes an image as MNIST's are, and a text."""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFilter
from playwright.sync_api import Page, expect

from space.languages import catalog
from tests.space.browser import at, pixels, stroke, touching, visit
from training.data import Split

SIDE, CANVAS = 28, 112
WORDS = catalog("en")
LINK = (
    "eNpjYKADiJ7phMS7___fGSBYDOG5u6_9-____R8wWUZHF2e5b8i64w8icRjfByDxOP4ZIPHsvyBr69-ArO08skL238gK_R8jK7y_AInH81cBiaf_"
    "FYnDdL8A2SH_kc33Q-HVoxhSfxBrEAEA3Y4jug"
)
"""A link of the page when Python made it: the first test digit."""


@pytest.fixture(scope="module")
def digit(tab: Page) -> Callable[..., Any]:
    """Calls a function of digit.js; arrays go and come as lists, and an error comes as its key and its values."""

    def call(name: str, first: object, *others: object) -> Any:
        return tab.evaluate(
            """async ([name, first, others]) => {
              const [digit, { resized }] = await Promise.all([import('web/digit.js'), import('web/resample.js')]);
              const called = { ...digit, resized }[name];
              try {
                const result = await called(Array.isArray(first) ? Float64Array.from(first) : first, ...others);
                return typeof result === 'string' ? result : [...result];
              } catch (error) {
                if (!error.key) throw error;
                return { key: error.key, values: error.values };
              }
            }""",
            [name, first.flatten().tolist() if isinstance(first, np.ndarray) else first, others],
        )

    return call


def as_mnist(ink: np.ndarray) -> np.ndarray:
    """The same in numpy and Pillow."""
    border = np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]])
    ink = np.maximum(ink - np.quantile(border, 0.25, method="lower"), 0)
    rows, columns = (np.flatnonzero((ink > 0.05 * ink.max()).any(axis)) for axis in (1, 0))
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = (max(1, int(side * 20 / max(cut.shape) + 0.5)) for side in cut.shape)
    scaled = np.array(Image.fromarray(cut.astype(np.float32)).resize((width, height), Image.Resampling.BOX))
    image = np.zeros((SIDE, SIDE))
    centres = [(scaled.sum(1 - axis) * np.arange(scaled.shape[axis])).sum() / scaled.sum() for axis in (0, 1)]
    top, left = (min(max(int(14.5 - at), 0), SIDE - side) for at, side in zip(centres, scaled.shape, strict=True))
    image[top : top + height, left : left + width] = scaled / scaled.max()
    return image


def packed(image: bytes) -> str:
    return base64.urlsafe_b64encode(zlib.compress(image, 9)).decode().rstrip("=")


def text_of(image: np.ndarray) -> str:
    """As Python wrote it into links."""
    levels = np.round(image * 15).astype(np.uint8).reshape(-1, 2)
    return packed(bytes(levels[:, 0] * 16 + levels[:, 1]))


def drawings(digits: Split) -> list[np.ndarray]:
    """Test digits in many sizes and places, and shapes that are no digits."""
    random = np.random.default_rng(0)
    made = []
    for number in range(14):
        size = int(random.integers(30, CANVAS))
        large = Image.fromarray(digits.images[number, 0].numpy()).resize((size, size), Image.Resampling.BICUBIC)
        canvas = np.full((CANVAS, CANVAS), 0.1 * (number % 3))
        top, left = random.integers(0, CANVAS - size + 1, 2)
        canvas[top : top + size, left : left + size] += np.asarray(large) / 255 * (0.3 + 0.05 * number)
        made.append(canvas)
    thin, flat, half, corner = np.zeros((4, CANVAS, CANVAS))
    thin[20:100, 50] = flat[50, 3:104] = half[:, :60] = corner[90:110, 10:110] = corner[10:90, 10] = 1
    return [*made, thin, flat, half, corner, random.random((200, 31)), np.pad([[1.0]], 1)]


def test_a_drawing_becomes_what_python_made_of_it(digits: Split, digit: Callable[..., Any]) -> None:
    for ink in drawings(digits):
        image = np.reshape(digit("asMnist", ink, *ink.shape[::-1]), (SIDE, SIDE))
        assert np.abs(image - as_mnist(ink)).max() < 1e-5
        assert image.max() == 1
    for empty in (np.zeros((1, 1)), np.ones((1, 1)), np.full((64, 9), 0.5), np.eye(9) / 25):
        assert digit("asMnist", empty, *empty.shape[::-1]) == {"key": "draw.empty", "values": {}}


def test_other_sizes_are_as_torch_makes_them(digits: Split, digit: Callable[..., Any]) -> None:
    image = digits.images[3:4].float() / 255
    for size in ((28, 28), (14, 14), (56, 40), (8, 30), (64, 64), (1, 1)):
        made = torch.tensor(digit("resized", image.numpy(), *size, 3)).reshape(3, *size)
        expected = torch.nn.functional.interpolate(image, size, mode="bilinear", antialias=True)[0].expand(3, *size)
        assert (made - expected).abs().max() < 1e-5


def test_a_text_is_the_image_in_16_levels_and_short(digits: Split, digit: Callable[..., Any]) -> None:
    random = np.random.default_rng(0)
    digits_of_mnist = [image[0].numpy() / 255 for image in digits.images[:12]]
    for image in [*digits_of_mnist, random.random((SIDE, SIDE)), np.eye(SIDE), np.full((SIDE, SIDE), 0.5)]:
        text = digit("toText", image)
        levels = np.round(image * 15)
        pairs = zlib.decompress(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        assert pairs == bytes((levels.reshape(-1, 2) @ [16, 1]).astype(np.uint8))
        for written in (text, text_of(image)):
            assert np.abs(np.reshape(digit("fromText", written), (SIDE, SIDE)) * 15 - levels).max() < 1e-9
        assert digit("toText", digit("fromText", text)) == text
        assert len(text) < (400 if image.mean() < 0.4 else 541)
    of_a_link = np.reshape(digit("fromText", LINK), (SIDE, SIDE))
    assert np.abs(of_a_link - as_mnist(digits.images[0, 0].numpy() / 255)).max() <= 1 / 30 + 1e-6


GOOD = text_of(np.eye(SIDE))
BAD = [
    "", None, 7, [GOOD], {}, GOOD + " ", GOOD + "\n", GOOD + "=", "+/" + GOOD, "ä" + GOOD, "A" * 1001, "A" * 1_000_000,
    "hello", "x", GOOD[:-8], GOOD[:12] + ("A" if GOOD[12] != "A" else "B") + GOOD[13:], GOOD[:-5] + "A" + GOOD[-4:],
    packed(bytes(392))[:-2] + "AAAAAAAA",
    base64.urlsafe_b64encode(zlib.compress(bytes(392)) + b"more").decode().rstrip("="),
    packed(bytes(391)), packed(bytes(393)), packed(b""), packed(bytes(700_000)),
]  # fmt: skip


def test_any_other_text_is_told(digit: Callable[..., Any]) -> None:
    for text in BAD:
        assert digit("fromText", text) == {"key": "draw.broken", "values": {}}, text


def drawing(page: Page) -> str:
    """The drawing in the address of the page, as text; "" where there is none."""
    return page.evaluate("new URLSearchParams(location.search).get('draw') ?? ''")


def wait_for_drawing(page: Page, before: str = "") -> str:
    """Wait until the page has another drawing than before, and return its text."""
    page.wait_for_function("before => (new URLSearchParams(location.search).get('draw') ?? '') !== before", arg=before)
    return drawing(page)


def last_image(page: Page) -> np.ndarray:
    """The drawing that the page has, (28, 28) in [0, 1]: its clean image."""
    return np.reshape(pixels(page, ".given .clean canvas")[::3], (SIDE, SIDE)) / 255


def shown(page: Page) -> np.ndarray:
    """What the canvas shows, (112, 112) in [0, 1]."""
    data = page.evaluate("document.querySelector('#draw canvas').toDataURL()").partition(",")[2]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("L")) / 255


def expect_message(page: Page, key: str | None) -> None:
    """Wait until the canvas says something, or nothing."""
    expect(page.locator("#draw .message")).to_have_text(WORDS[f"draw.{key}"] if key else "")


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def paper(size: tuple[int, int], background: object, ink: object, mode: str = "RGB", width: int = 9) -> bytes:
    """A PNG on which a line runs down the middle."""
    image = Image.new(mode, size, background)
    line = [(size[0] / 2, 0.2 * size[1]), (size[0] / 2, 0.8 * size[1])]
    ImageDraw.Draw(image).line(line, fill=ink, width=width)
    return png(image)


def choose(page: Page, content: bytes, kind: str = "image/png") -> None:
    page.set_input_files("#draw input[type=file]", {"name": "a", "mimeType": kind, "buffer": content})


def hand_over(
    page: Page, event: str, content: bytes | None = None, kind: str = "image/png", onto: str = "#metrics"
) -> list[bool]:
    """Drag, drop or paste a file, or words; returns whether the page takes it, and whether it shows that."""
    return page.evaluate(
        """([name, data, kind, onto]) => {
          const dataTransfer = new DataTransfer();
          if (data === null) dataTransfer.setData('text/plain', 'words');
          else dataTransfer.items.add(new File([Uint8Array.from(atob(data), c => c.charCodeAt(0))], 'a', {type: kind}));
          const options = {bubbles: true, cancelable: true, dataTransfer, clipboardData: dataTransfer};
          const event = name === 'paste' ? new ClipboardEvent(name, options) : new DragEvent(name, options);
          document.querySelector(onto).dispatchEvent(event);
          return [event.defaultPrevented, document.querySelector('.bench').classList.contains('file-over')];
        }""",
        [event, None if content is None else base64.b64encode(content).decode(), kind, onto],
    )


def has_line_in_the_middle(ink: np.ndarray) -> bool:
    return bool(ink[40:72, 55:57].min() > 0.9 and ink[:, :40].max() < 0.1 and ink[:, 72:].max() < 0.1)


def alike(a: np.ndarray, b: np.ndarray) -> float:
    """Their correlation where one is moved by a pixel at most."""
    shifts = [(down, right) for down in (0, -1, 1) for right in (0, -1, 1)]
    return max(np.corrcoef(a.ravel(), np.roll(b, shift, (0, 1)).ravel())[0, 1] for shift in shifts)


def test_the_page_gets_what_the_mouse_drew_as_mnist_has_it(page: Page) -> None:
    page.mouse.move(*at(page, 0.5, 0.5))
    page.mouse.down(button="right")
    page.mouse.up(button="right")
    assert shown(page).max() == 0
    stroke(page, (0.25, 0.25), (0.25, 0.75), (0.75, 0.75))
    wait_for_drawing(page)
    page.wait_for_timeout(300)
    ink = shown(page)  # what the page has is much coarser, and does not come back
    assert ink[28:85, 26:30].min() > 0.95
    assert ink[82:86, 28:84].min() > 0.95
    far = ink.copy()
    far[20:92, 20:36] = far[76:92, 20:92] = 0
    assert far.max() == 0
    assert 8 <= (ink[50] > 0.5).sum() <= 10
    assert ((ink[50] > 0) & (ink[50] < 1)).any(), "the brush is soft"
    assert np.abs(last_image(page) - as_mnist(ink)).max() <= 1 / 30 + 1e-5


def test_a_click_is_a_dot_a_stroke_may_leave_the_canvas_and_clear_empties_it(page: Page) -> None:
    page.mouse.click(*at(page, 0.5, 0.5))
    wait_for_drawing(page)
    assert 40 < shown(page).sum() < 90
    page.click("#draw .clear")
    stroke(page, (0.5, 0.5), (0.5, 1.9), (1.6, 1.9), (1.6, 0.5), (0.6, 0.5))
    assert shown(page)[110, 56] == 1
    assert shown(page)[56, 108] > 0
    stroke(page, (0.2, 0.5), (0.8, 0.5), lift=False)
    page.keyboard.press("Escape")
    page.mouse.up()
    page.click("#draw .clear")
    assert shown(page).max() == 0
    page.wait_for_timeout(400)
    assert drawing(page) == "", "no stroke is sent late"
    assert shown(page).max() == 0


def test_a_finger_draws_and_does_not_scroll(page: Page) -> None:
    at(page, 0.5, 0.9)
    before = page.evaluate("scrollY")
    with touching(page) as touch:
        touch("Start", at(page, 0.5, 0.9))
        for y in (0.7, 0.5, 0.3, 0.2):
            touch("Move", at(page, 0.5, y))
        touch("Move", at(page, 0.5, 0.2), at(page, 0.1, 0.1))  # the palm
        touch("End")
    wait_for_drawing(page)
    assert has_line_in_the_middle(shown(page))
    assert page.evaluate("scrollY") == before


def test_a_file_is_chosen_dropped_or_pasted_and_dark_ink_on_white_becomes_bright_ink(page: Page) -> None:
    image = paper((112, 112), "white", "black")
    for way, onto in (
        ("choose", ""),
        ("drop", "#draw canvas"),
        ("drop", "#metrics"),  # far below
        ("paste", "#draw canvas"),
        ("paste", "#metrics"),
    ):
        if way == "choose":
            choose(page, image)
        else:
            hand_over(page, way, image, onto=onto)
        wait_for_drawing(page)
        assert has_line_in_the_middle(shown(page)), (way, onto)
        assert alike(last_image(page), as_mnist(shown(page))) > 0.99
        expect_message(page, None)
        visit(page, "?")
    hand_over(page, "paste", image, onto="#noise [type=number]")  # is left alone
    page.wait_for_timeout(300)
    assert drawing(page) == ""


def test_the_page_shows_that_it_takes_a_file_and_leaves_other_things_alone(page: Page) -> None:
    assert hand_over(page, "dragover") == [False, False]
    assert hand_over(page, "drop") == [False, False]
    for last, taken in (("dragleave", False), ("drop", True)):
        assert hand_over(page, "dragover", b"x") == [True, True]
        assert hand_over(page, last, b"x") == [taken, False]
    expect_message(page, "unreadable")


IMAGES = {
    "as MNIST": paper((28, 28), "black", "white", width=3),
    "paper": paper((900, 900), (225, 215, 190), (60, 60, 160), width=70),
    "faint": paper((100, 100), (120, 120, 120), (90, 90, 90)),
    "dark on nothing": paper((100, 100), (0, 0, 0, 0), (0, 0, 0, 255), "RGBA"),
    "bright on nothing": paper((100, 100), (0, 0, 0, 0), (255, 255, 255, 255), "RGBA"),
    "high": paper((60, 300), "white", "black", width=20),
    "wide": paper((1200, 400), "white", "black", width=110),
}


def test_images_of_many_kinds_become_ink_in_proportion(page: Page) -> None:
    for kind, image in IMAGES.items():
        choose(page, image)
        text = wait_for_drawing(page)
        ink = shown(page)
        assert ink[52:60, 54:58].min() > 0.9, kind
        assert max(ink[:, :40].max(), ink[:, 72:].max()) < 0.1, kind
        length, width = ((ink > 0.5).any(axis).sum() for axis in (1, 0))
        assert abs(length - {"wide": 23, "as MNIST": 72}.get(kind, 67)) <= 2, kind
        assert abs(width - {"as MNIST": 12, "high": 7}.get(kind, 10)) <= 2, kind
        expect_message(page, None)
        page.click("#draw .clear")
        wait_for_drawing(page, text)  # until it is gone
    image = Image.new("L", (400, 400), 230)
    ImageDraw.Draw(image).line([(200, -10), (200, 410)], fill=40, width=60)
    choose(page, png(image))
    wait_for_drawing(page)
    ink = shown(page)  # which may cross the border of the image
    assert ink[:, 50:62].min() > 0.9
    assert max(ink[:, :46].max(), ink[:, 66:].max()) < 0.1


def photo(image: np.ndarray, light: np.ndarray | float, seed: int, paper: float, pen: float) -> bytes:
    """A JPEG of ink, (height, width) in [0, 1], on paper with grain, under a light of at most 1."""
    level = (paper + (pen - paper) * image) * light + np.random.default_rng(seed).normal(0, 4, image.shape)
    buffer = io.BytesIO()
    Image.fromarray(level.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def large(digits: Split, number: int) -> np.ndarray:
    """A test digit as a pen draws it, (400, 300) in [0, 1]."""
    sheet = Image.new("L", (300, 400))
    digit = Image.fromarray(digits.images[number, 0].numpy()).resize((270, 270), Image.Resampling.BICUBIC)
    sheet.paste(digit, (15 + number % 5 * 7 - 14, 65 + number % 7 * 15 - 45))
    return ((np.asarray(sheet) / 255 - 0.25) / 0.5).clip(0, 1)


ROWS, COLUMNS = np.mgrid[0:1:400j, 0:1:300j]


def shadow(edge: float, *line: tuple[int, int]) -> np.ndarray:
    """Of an arm and a hand, along a line from the border, with an edge so soft."""
    image = Image.new("L", (300, 400), 255)
    draw = ImageDraw.Draw(image)
    draw.line(line, fill=150, width=80)
    (x, y) = line[-1]
    draw.ellipse((x - 55, y - 55, x + 55, y + 55), fill=150)
    return np.asarray(image.filter(ImageFilter.GaussianBlur(edge))) / 255


LIGHTS: dict[str, np.ndarray | float] = {
    "even": 1.0,
    "chalk on a board": 0.7,
    "from one side, a little": 1 - 0.2 * COLUMNS,
    "from one side": 1 - 0.55 * COLUMNS,
    "from a corner": 1 - 0.25 * (ROWS + COLUMNS),
    "vignette": 1 - (ROWS - 0.5) ** 2 - (COLUMNS - 0.5) ** 2,
    "flash": 0.5 + 0.5 * np.exp(-6 * ((ROWS - 0.5) ** 2 + (COLUMNS - 0.5) ** 2)),
    "half a shadow": np.where(COLUMNS + 0.4 * ROWS > 0.75, 0.6, 1.0),
    "corner in shadow": np.where(COLUMNS + ROWS > 1.6, 0.55, 1.0),
    "hand over the digit": shadow(3, (330, 420), (150, 180)),
    "hand beside it, soft": shadow(9, (-30, 420), (60, 300)) * (1 - 0.2 * COLUMNS),
    "hand from above": shadow(1, (150, -20), (150, 60)),
}


def test_digits_on_paper_are_read_in_any_light(digits: Split, page: Page) -> None:
    """Of the photos in uneven light that are not, the page says so."""
    worse, text = [], ""
    for number in range(24):
        name, light = list(LIGHTS.items())[number % len(LIGHTS)]
        ink = large(digits, number)
        paper, pen = (40, 200) if name == "chalk on a board" else (220, 40 + 3 * (number % 12))
        choose(page, photo(ink, light, number, paper, pen))
        text = wait_for_drawing(page, text)
        likeness, said = alike(last_image(page), as_mnist(ink)), page.inner_text("#draw .message")
        if isinstance(light, float):
            assert likeness > 0.93, number
            assert said == ""
        elif likeness < 0.9:
            worse.append((number, name, likeness, said))
    assert len(worse) <= 2, worse
    assert all(said == WORDS["draw.uneven"] for *_, said in worse), worse


def test_a_stroke_at_one_side_has_no_neighbours_at_the_other(page: Page) -> None:
    """What is left of a shadow at the left side is no part of the stroke at the right one."""
    ink = np.zeros((60, 40))
    ink[15:45, 18:21] = ink[25:31, 37:] = 0.8
    ink[25:31, :3] = 0.5
    level = 220 * (1 - ink) * (1 - 0.5 * np.arange(40) / 40)
    found = page.evaluate(
        """async (level) => {
          const { standsOut } = await import('web/photo.js');
          return [...standsOut({ levels: Float32Array.from(level), width: 40, height: 60 }).ink];
        }""",
        level.flatten().tolist(),
    )
    of_all = np.reshape(found, ink.shape)
    assert of_all[26:30, 38:].min() > 200
    assert of_all[:, :10].max() == 0


def test_light_that_nothing_can_be_read_in_is_told(page: Page) -> None:
    choose(page, png(Image.new("L", (50, 50), 255)))
    expect_message(page, "one_shade")
    assert drawing(page) == ""
    light = np.random.default_rng(0).random((8, 6))
    blotches = Image.fromarray((60 + 195 * light).astype(np.uint8)).resize((300, 400), Image.Resampling.BICUBIC)
    choose(page, png(blotches))
    wait_for_drawing(page)
    page.wait_for_timeout(300)  # it stays
    expect_message(page, "uneven")


def test_a_file_that_is_no_image_is_told_where_it_is_seen_and_changes_nothing(page: Page) -> None:
    page.mouse.click(*at(page, 0.5, 0.5))
    text, before = wait_for_drawing(page), shown(page)
    page.set_viewport_size({"width": 340, "height": 500})
    line = page.locator("#draw .message")
    assert line.get_attribute("role") == "status"
    words = (b"just words", "text/plain")
    for give, leave in (
        (lambda: hand_over(page, "drop", *words), lambda: page.mouse.click(1, 250)),
        (lambda: hand_over(page, "paste", *words), lambda: page.keyboard.press("Escape")),
        (lambda: choose(page, *words), lambda: stroke(page, (0.2, 0.2), (0.8, 0.2))),
    ):
        page.evaluate("scrollTo(0, 2400)")
        give()
        expect_message(page, "unreadable")
        box = line.bounding_box()
        assert 0 <= box["x"] < box["x"] + box["width"] <= 340
        assert 0 <= box["y"] < box["y"] + box["height"] <= 500
        assert (drawing(page), np.abs(shown(page) - before).max()) == (text, 0)
        page.keyboard.press("Tab")
        expect_message(page, "unreadable")
        leave()
        expect_message(page, None)


def test_a_slow_image_does_not_replace_a_newer_stroke(page: Page) -> None:
    page.evaluate("""() => {
      const make = createImageBitmap;
      const held = new Promise((go) => (window.release = () => go(window.createImageBitmap = make)));
      window.createImageBitmap = (...given) => held.then(() => make(...given));
    }""")
    choose(page, paper((112, 112), "white", "black"))
    stroke(page, (0.2, 0.9), (0.8, 0.9))
    wait_for_drawing(page)
    page.evaluate("release()")
    page.wait_for_timeout(500)
    assert shown(page)[101, 56] > 0.9
    assert shown(page)[50, 56] == 0


def test_clear_empties_the_canvas_and_tells_the_page(page: Page) -> None:
    stroke(page, (0.2, 0.5), (0.8, 0.5), lift=False)
    page.keyboard.press("Escape")
    page.evaluate(  # at once, while the stroke is on its way to the page
        """() => {
          document.querySelector('#draw canvas').dispatchEvent(new PointerEvent('pointerup', { pointerId: 1 }));
          document.querySelector('#draw .clear').click();
        }"""
    )
    page.mouse.up()
    assert shown(page).max() == 0
    page.wait_for_timeout(400)
    assert drawing(page) == "", "no stroke is sent late"
    assert shown(page).max() == 0


def test_the_canvas_shows_what_comes_from_elsewhere_and_goes_on_from_it(page: Page) -> None:
    bar = np.zeros((SIDE, SIDE))
    bar[4:24, 10:14] = 1
    link = f"?draw={text_of(bar)}"
    for _ in range(2):  # also where it is what came before the visitor drew
        visit(page, link)
        ink = shown(page)
        assert ink[20:92, 42:54].min() > 0.9
        assert ink[:, :36].max() < 0.1
        stroke(page, (0.2, 0.5), (0.8, 0.5))
        wait_for_drawing(page, text_of(bar))
        assert shown(page)[56, 80] > 0.9
        assert shown(page)[20:92, 44:52].min() > 0.9
    visit(page, "?")
    assert shown(page).max() == 0
    stroke(page, (0.2, 0.9), (0.8, 0.9), lift=False)
    visit(page, link)
    assert shown(page)[30, 48] == 0, "a stroke goes on"
    page.mouse.up()


def test_without_a_mouse_the_buttons_do_all(page: Page) -> None:
    assert page.get_by_role("img", name=WORDS["draw.digit_aria"]).count() == 1
    page.get_by_role("button", name=WORDS["draw.choose"]).focus()
    with page.expect_file_chooser() as chooser:
        page.wait_for_timeout(500)  # the browser takes a while until it tells of choosers
        page.keyboard.press("Enter")
    chooser.value.set_files({"name": "a", "mimeType": "image/png", "buffer": paper((99, 99), "white", "black")})
    wait_for_drawing(page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Clear"
    page.keyboard.press("Space")
    page.wait_for_function("!location.search.includes('draw=')")


def test_it_is_small(page: Page) -> None:
    for width in (340, 1280):
        page.set_viewport_size({"width": width, "height": 500})
        canvas, whole = (page.locator(part).bounding_box() for part in ("#draw canvas", "#draw"))
        assert 95 < canvas["width"] == canvas["height"] <= 150
        assert whole["height"] <= 190
        assert page.evaluate("document.documentElement.scrollWidth") <= width
