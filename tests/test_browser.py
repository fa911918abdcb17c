"""The built book in a real browser with no network: every figure drawn, nothing asked of others."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}  # CSS pixels
FLAGS = [
    "--no-sandbox",  # as root, Chromium starts only so
    "--disable-gpu",  # WebGL is drawn in software
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
TOY_PAGE = "notebooks/01_toy.html"
DRAWN = 60_000  # milliseconds for all figures of a page, in software on a busy machine
IS_DRAWN = "[...document.querySelectorAll('.dat-live')].every(area => area.dataset.ready === '1')"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


@dataclass
class Visit:
    """A tab on a served book, with what it asked for in vain and what went wrong."""

    tab: object
    base: str
    remote: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.tab.route("**/*", self._admit)
        self.tab.on("pageerror", lambda error: self.errors.append(str(error)))
        self.tab.on("response", self._note)

    def _admit(self, route: object) -> None:
        url = route.request.url
        if url.startswith((self.base, "data:", "blob:")):
            route.continue_()
        else:
            self.remote.append(url)
            route.abort()

    def _note(self, response: object) -> None:
        if response.status >= 400:
            self.errors.append(f"{response.status} {response.url}")

    def open(self, page: str) -> None:
        self.tab.goto(f"{self.base}/{page}", wait_until="load")

    def draw(self) -> None:
        """Scroll to each figure, as a reader would, until all are drawn."""
        for figure in self.tab.query_selector_all(".dat-figure"):
            figure.scroll_into_view_if_needed()
            self.tab.wait_for_timeout(100)
        self.tab.wait_for_function(IS_DRAWN, timeout=DRAWN)


@contextmanager
def visiting(browser: object, html: Path) -> Iterator[Visit]:
    """Serve a folder on this machine and open a tab on it, the size of a phone."""
    handler = functools.partial(_Quiet, directory=str(html))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        context = browser.new_context(viewport=PHONE)
        visit = Visit(context.new_page(), f"http://127.0.0.1:{server.server_port}")
        visit.watch()
        yield visit
        context.close()
        server.shutdown()


@pytest.fixture(scope="module")
def toy(browser: object, toy_html: Path) -> Iterator[Visit]:
    """The page with a figure of each kind, opened but not yet drawn; the tests go on in order."""
    with visiting(browser, toy_html) as visit:
        visit.open(TOY_PAGE)
        yield visit
        assert visit.remote == [] and visit.errors == []


def names(html: Path) -> list[str]:
    found = (path.relative_to(html) for path in sorted(html.rglob("*.html")))
    return [path.as_posix() for path in found if path.parts[0] != "_static"]


def test_every_page_draws_all_and_asks_nobody_else(browser: object, html: Path) -> None:
    with visiting(browser, html) as visit:
        for name in names(html):
            visit.open(name)
            visit.draw()
            assert visit.tab.evaluate(OVERFLOW) <= 0, f"{name} is wider than a phone"
        assert visit.remote == [] and visit.errors == []


def test_formulas_are_set(browser: object, toy_html: Path) -> None:
    with visiting(browser, toy_html) as visit:
        visit.open("index.html")
        visit.tab.wait_for_selector("mjx-container", state="attached")
        assert visit.remote == [] and visit.errors == []


def test_without_scripts_the_still_picture_stays(browser: object, toy: Visit) -> None:
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(f"{toy.base}/{TOY_PAGE}")
    assert tab.locator(".dat-still").is_visible()
    assert len(tab.locator(".dat-still").get_attribute("alt")) > 30
    context.close()


def test_still_pictures_give_way_to_drawings(toy: Visit) -> None:
    assert toy.tab.locator(".dat-still").is_visible(), "a picture until the drawing is there"
    toy.draw()
    assert not toy.tab.locator(".dat-still").is_visible()


def test_figures_keep_within_the_page(toy: Visit) -> None:
    toy.draw()
    for size in (DESK, PHONE):
        toy.tab.set_viewport_size(size)
        toy.tab.wait_for_timeout(500)
        assert toy.tab.evaluate(OVERFLOW) <= 0
        for drawing in toy.tab.query_selector_all(".dat-live canvas, .dat-live .main-svg"):
            box = drawing.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= size["width"]


def test_figures_move_without_a_kernel(toy: Visit) -> None:
    toy.draw()
    bar = "document.querySelector('.dat-plotly .point path').getAttribute('d')"
    before = toy.tab.evaluate(bar)
    rail = toy.tab.locator(".slider-rail-touch-rect")
    rail.click(position={"x": rail.bounding_box()["width"] - 5, "y": 5})
    toy.tab.wait_for_function(f"{bar} !== {before!r}")
    solid = toy.tab.get_by_role("button", name="3-D")
    solid.click()
    assert solid.get_attribute("aria-pressed") == "true"
    assert float(toy.tab.get_by_label("hide below").input_value()) > 0, "else one sees only cortex"
    toy.tab.get_by_label("overlay").fill("0.1")


def test_figures_take_the_colours_of_the_page(toy: Visit) -> None:
    toy.draw()
    ink = "getComputedStyle(document.querySelector('.dat-plotly .ytick text')).fill"
    colours = set()
    for theme in ("dark", "light"):
        toy.tab.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        page = toy.tab.evaluate("getComputedStyle(document.body).color")
        toy.tab.wait_for_function(f"{ink} === {page!r}")
        colours.add(page)
    assert len(colours) == 2


def test_no_button_sends_a_figure_away(toy: Visit) -> None:
    toy.draw()
    titles = toy.tab.eval_on_selector_all(
        ".modebar-btn", "buttons => buttons.map(button => button.dataset.title || '')"
    )
    assert titles and not [title for title in titles if "hare" in title or "loud" in title]


def test_on_paper_the_still_picture_returns(toy: Visit) -> None:
    toy.draw()
    toy.tab.emulate_media(media="print")
    assert toy.tab.locator(".dat-still").is_visible()
    assert not toy.tab.locator(".dat-niivue").is_visible()
    toy.tab.emulate_media(media="screen")
