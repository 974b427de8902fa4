"""README's pictures of the page: `python tests/space/pictures.py` starts the Space, looks at it, and writes them.

space/screenshot.png is the page as it opens; space/training.webp is a training, at twice its speed.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.space.browser import chromium, wait_for_models
from tests.space.server import ROOT, running_space

FRAMES, PAUSE = 36, 500
"""So many images of a training, so many milliseconds apart."""
WIDTH = 720


def main() -> None:
    with chromium() as browser, running_space() as server:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(server.address)
        wait_for_models(page)
        page.wait_for_function("() => !document.querySelector('.strip .waiting, .stale')", timeout=120_000)
        page.wait_for_timeout(1000)
        page.screenshot(path=ROOT / "space" / "screenshot.png")
        first, *others = training(page)
        first.save(
            ROOT / "space" / "training.webp",
            save_all=True, append_images=others, duration=PAUSE // 2, loop=0, quality=40, method=6,
        )  # fmt: skip


def training(page: Page) -> list[Image.Image]:
    """A training from its first steps on, as the page shows it."""
    page.set_viewport_size({"width": 1280, "height": 1200})
    page.click("#tab-learn")
    page.click("#train-start")
    page.wait_for_selector("#train canvas")
    frames = []
    for _ in range(FRAMES):
        shot = Image.open(io.BytesIO(page.locator("#train").screenshot())).convert("RGB")
        frames.append(shot.resize((WIDTH, round(shot.height * WIDTH / shot.width)), Image.Resampling.LANCZOS))
        page.wait_for_timeout(PAUSE)
    return [frame.resize(frames[0].size) for frame in frames]


if __name__ == "__main__":
    main()
