"""The atlas of the built book by keys alone, on a small phone: filters, anchors, volumes, dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from accessible import OVERFLOW

from datkit.book.atlas.entries import load_entries

CARDS = "[...document.querySelectorAll('.atlas-card')].map(mark => mark.closest('section'))"
ANCHOR = "card.querySelector(`[id^='atlas-']`).id"
# Drawings come one after the other: a last one ends when all before it have.
SETTLED = "() => datFigures.niivue.clear(document.body)"
SHOWN = f"{CARDS}.filter(card => card.checkVisibility()).map(card => {ANCHOR})"


@pytest.fixture(scope="module")
def atlas(browser: object, built_book: Path) -> Iterator:
    """The page in dark, 360 pixels wide, from the disk; each test leaves all cards shown."""
    size = {"width": 360, "height": 740}
    context = browser.new_context(viewport=size, color_scheme="dark")
    tab, errors = context.new_page(), []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto((built_book / "chapters" / "atlas.html").as_uri())
    tab.locator(".atlas-filter").wait_for()
    yield tab
    assert errors == []
    context.close()


def anchors(*keys: str) -> set[str]:
    return {f"atlas-{key}" for key in keys}


def shown(tab: object) -> set[str]:
    """The anchors of the cards that are seen."""
    return set(tab.evaluate(SHOWN))


def test_keys_alone_filter_the_cards(atlas: object) -> None:
    entries = load_entries().values()
    count = atlas.locator(".atlas-filter output")
    assert count.inner_text() == f"{len(entries)} of {len(entries)} exams"
    box = atlas.get_by_role("checkbox", name="normal", exact=True)
    box.focus()
    for _ in range(3):  # normal, degenerative, other causes: what is left are the traps
        atlas.keyboard.press("Space")
        atlas.keyboard.press("Tab")
    assert shown(atlas) == anchors(*(one.key for one in entries if one.group == "trap"))
    assert atlas.get_by_role("heading", name="Degenerative disease").count() == 0
    atlas.get_by_role("searchbox").press_sequentially("TILT")
    assert "atlas-tilt" in shown(atlas) and "atlas-counts" not in shown(atlas)
    assert count.inner_text() == f"{len(shown(atlas))} of {len(entries)} exams"
    atlas.get_by_role("button", name="Show all").press("Enter")
    atlas.wait_for_function(f"{SHOWN}.length === {len(entries)}")


def test_readers_who_disagree_are_found(atlas: object) -> None:
    atlas.get_by_role("combobox", name="Readers").select_option("divided")
    assert "atlas-vascular-putamen" in shown(atlas) and "atlas-grade-2" not in shown(atlas)
    atlas.evaluate("location.hash = '#atlas-grade-2'")  # a link to a card that is filtered away
    atlas.wait_for_function(f"{SHOWN}.length === {len(load_entries())}")


def test_the_filter_searches_the_words_that_are_seen(atlas: object) -> None:
    count, word = atlas.locator(".atlas-filter output"), atlas.get_by_role("searchbox")
    every = len(load_entries())
    for typed, number in (("h4sI", 0), ("cal_max", 0), ("posterior  putamen", every), ("", every)):
        word.fill(typed)  # volumes are stored as gzip, whose base64 starts with H4sI
        assert count.inner_text() == f"{number} of {every} exams", typed


def test_it_fits_a_small_phone(atlas: object) -> None:
    assert atlas.evaluate(OVERFLOW) <= 0
    assert atlas.evaluate("document.documentElement.dataset.theme") == "dark"


def test_a_volume_opens_by_keys_and_has_a_name(atlas: object) -> None:
    volume = atlas.locator(".atlas-volume").first
    volume.locator("summary").press("Enter")
    canvas = volume.locator(".atlas-live[data-ready='1'] canvas")
    canvas.wait_for(timeout=60_000)  # milliseconds, in software on a busy machine
    name = canvas.get_attribute("aria-label")
    assert "Normal at 45" in name and "H, J, K and L" in name
    assert atlas.evaluate(OVERFLOW) <= 0
    before = canvas.screenshot()
    canvas.focus()
    for _ in range(20):
        atlas.keyboard.press("l")
    by_key = canvas.screenshot()
    assert by_key != before, "the key turns it"
    turn = volume.get_by_role("slider", name="turn")
    turn.press("ArrowLeft")
    assert turn.get_attribute("aria-valuetext") == "10°" and canvas.screenshot() != by_key
    volume.locator("summary").press("Enter")
    volume.locator("canvas").wait_for(state="detached")  # "toggle" is told a moment later


def test_what_is_opened_and_closed_fast_leaves_what_is_seen(atlas: object) -> None:
    """A drawing takes longer than a click."""
    held = """() => [...document.querySelectorAll('.atlas-volume')]
        .flatMap(one => [...one.querySelectorAll('canvas, .dat-toolbar')])
        .map(one => one.className || one.localName)"""
    volume = atlas.locator(".atlas-volume").nth(1)
    for _ in range(3):  # open, closed, open
        volume.evaluate("one => { one.open = !one.open; }")
        atlas.wait_for_timeout(40)  # milliseconds
    volume.locator(".atlas-live[data-ready='1']").wait_for(timeout=60_000)
    atlas.evaluate(SETTLED)
    assert atlas.evaluate(held) == ["canvas", "dat-toolbar"]
    for _ in range(3):
        volume.evaluate("one => { one.open = !one.open; }")
        atlas.wait_for_timeout(40)
    atlas.evaluate(SETTLED)
    assert atlas.evaluate(held) == []


def test_a_drawing_that_the_browser_takes_away_closes(atlas: object) -> None:
    volume = atlas.locator(".atlas-volume").nth(2)
    volume.locator("summary").press("Enter")
    volume.locator(".atlas-live[data-ready='1']").wait_for(timeout=60_000)
    volume.locator("canvas").evaluate(
        "one => one.getContext('webgl2').getExtension('WEBGL_lose_context').loseContext()"
    )
    volume.locator("canvas").wait_for(state="detached")
    assert not volume.evaluate("one => one.open") and volume.locator(".dat-toolbar").count() == 0
