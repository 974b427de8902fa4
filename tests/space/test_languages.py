"""The page in several languages: which one a visitor gets, what goes along, and that all of it is in that language."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from space.languages import preferred
from tests.space.browser import english_in, open_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture
def russian(browser: Browser, server: str) -> Page:
    """The page as a Russian browser opens it."""
    page = open_page(browser, server, locale="ru-RU")
    yield page
    assert page.errors == []
    page.context.close()


def test_a_browser_gets_its_language_and_the_address_may_name_another(browser: Browser, server: str) -> None:
    for locale, query, path, button in (
        ("ru-RU", "", "/ru", "Ссылка"),
        ("en-GB", "", "/", "Copy link"),
        ("de-DE", "", "/", "Copy link"),
        ("ru-RU", "?lang=en", "/", "Copy link"),
        ("en-GB", "?lang=ru", "/ru", "Ссылка"),
        ("en-GB", "?lang=xx", "/", "Copy link"),
    ):
        page = open_page(browser, f"{server}/{query}", locale=locale)
        assert page.evaluate("location.pathname") == path
        assert page.inner_text("#copy-link") == button
        assert page.evaluate("document.documentElement.lang") == ("ru" if path == "/ru" else "en")
        assert page.errors == []
        page.context.close()


@pytest.mark.slow
def test_no_english_is_left_on_the_russian_page(russian: Page) -> None:
    page = russian
    assert page.title() == "Разреженные автоэнкодеры"
    for method in page.locator("#method input").all():
        method.check()
        page.wait_for_timeout(400)
        assert english_in(page) == set()
    page.get_by_text("десять равных").click()
    page.wait_for_function("document.querySelectorAll('#histograms .share').length === 20")
    page.locator("#images .latent-map img").click()
    page.wait_for_selector("#card .off")
    assert english_in(page) == set()
    page.locator("#card .off").click()
    page.wait_for_selector("#summary .undo")
    assert english_in(page) == set()
    page.keyboard.press("Escape")
    page.locator("#user-model button").first.click()
    page.locator("#user-model input").fill("ничего такого")
    page.get_by_text("Загрузить и измерить").click()
    page.wait_for_function("document.querySelector('#message').textContent.includes('не адрес')")
    for tab in page.locator("#tabs [role=tab]").all():
        tab.click()
        if tab.get_attribute("data-tab-id") == "figures":
            page.wait_for_selector("#report .wrap:not(.hide) svg")  # it is seen to work
            assert english_in(page) == set()  # while they are drawn
            page.wait_for_selector("#report img", timeout=60_000)
        page.wait_for_timeout(800)
        assert english_in(page) == set(), tab.inner_text()


@pytest.mark.slow
def test_a_training_speaks_russian(russian: Page) -> None:
    page = russian
    page.get_by_role("tab", name="Обучение").click()
    page.locator("#train-step button, button#train-step").first.click()
    page.wait_for_function("document.querySelector('#train-said')?.textContent.includes('Пауза')")
    assert english_in(page) == set()


def test_lessons_are_ticked_off_in_russian(russian: Page) -> None:
    page = russian
    page.locator("#beta input[type=range]").fill("0")
    page.wait_for_selector("#lessons li.done")
    words = page.inner_text("#lessons p")
    assert words.startswith("✓ Копирование. Включено нейронов: ")
    assert "2. Двигайте beta вправо" in words


def test_the_other_language_shows_the_same(browser: Browser, server: str) -> None:
    query = urlencode({"digit": 12, "sigma": 0.2, "seed": 5, "model": "topk-25", "set": "137:0", "tab": "strokes"})
    page = open_page(browser, f"{server}/?{query}")
    page.wait_for_selector("#built img")
    page.locator("#noise input[type=range]").fill("0.4")
    page.wait_for_function("location.search.includes('sigma=0.4')")
    page.locator('#method input[value="l1"]').check()
    page.wait_for_selector("#beta [aria-valuetext^='l1']")
    page.locator("#beta input[type=range]").fill("0")  # the first lesson
    page.wait_for_function("document.querySelectorAll('#lessons .done').length === 1")
    page.get_by_role("radio", name="Top k", exact=True).check()
    page.wait_for_selector("#beta [aria-valuetext^='topk']")
    page.locator("#beta input[type=range]").fill("1")
    page.wait_for_function("location.search.includes('topk-25')")
    page.wait_for_function("document.querySelectorAll('#lessons .done').length === 2")  # few latents carry the image
    assert "lang=en" in page.evaluate("location.search")
    page.get_by_role("link", name="Русский").click()
    page.wait_for_function("location.pathname === '/ru'")
    page.wait_for_selector("#built img")
    page.wait_for_function("document.querySelector('#beta [aria-valuetext]')?.ariaValueText === 'topk-25'")
    address = page.evaluate("location.search")
    page.wait_for_function("document.querySelectorAll('#lessons .done').length === 2")
    assert "✓ Штраф" in page.inner_text("#lessons")
    for part in ("digit=12", "sigma=0.4", "seed=5", "model=topk-25", "set=137", "tab=strokes", "lang=ru"):
        assert part in address.replace("%3A", ":")
    assert page.get_by_role("tab", name="Атомы").get_attribute("aria-selected") == "true"
    assert page.errors == []
    page.context.close()


def test_errors_speak_russian(browser: Browser, server: str) -> None:
    page = open_page(browser, f"{server}/?lang=ru&sigma=much")
    page.wait_for_function(
        "document.querySelector('#trouble').textContent.includes('Параметр sigma в ссылке — не число')"
    )
    page.context.close()


def test_the_api_and_a_program_without_a_language_stay_english(server: str) -> None:
    with urllib.request.urlopen(f"{server}/") as answer:
        assert answer.url == f"{server}/"
        assert b'"current_page":""' in answer.read()


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("ru", "ru"),
        ("ru-RU,ru;q=0.9,en;q=0.8", "ru"),
        ("ru-RU", "ru"),
        ("en-US,en;q=0.9,ru;q=0.8", "en"),
        ("de-DE,de;q=0.9,ru;q=0.5", "ru"),
        ("de, en;q=0.1, ru;q=0.2", "ru"),
        ("*", "en"),
        ("ru;q=much,;;,=", "en"),
    ],
)
def test_the_language_that_a_browser_prefers(header: str, language: str) -> None:
    assert preferred(header) == language
