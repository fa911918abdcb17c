"""The built book in a real browser with no network: every figure drawn, nothing asked of others."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
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


@pytest.fixture
def visit(browser: object, html: Path) -> Iterator[Visit]:
    handler = functools.partial(_Quiet, directory=str(html))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        context = browser.new_context(viewport=PHONE)
        visit = Visit(context.new_page(), f"http://127.0.0.1:{server.server_port}")
        visit.watch()
        yield visit
        context.close()
        server.shutdown()


def names(html: Path) -> list[str]:
    found = (path.relative_to(html) for path in sorted(html.rglob("*.html")))
    return [path.as_posix() for path in found if path.parts[0] != "_static"]


def test_every_page_draws_all_and_asks_nobody_else(visit: Visit, html: Path) -> None:
    for name in names(html):
        visit.open(name)
        visit.draw()
        assert visit.tab.evaluate(OVERFLOW) <= 0, f"{name} is wider than a phone"
    assert visit.remote == [] and visit.errors == []


@pytest.mark.parametrize("html", ["toy_html"], indirect=True)
class TestTheBookOfTwoPages:
    page = "notebooks/01_toy.html"

    def test_formulas_are_set(self, visit: Visit) -> None:
        visit.open("index.html")
        visit.tab.wait_for_selector("mjx-container", state="attached")
        assert visit.remote == [] and visit.errors == []

    def test_figures_fit_and_still_pictures_give_way(self, visit: Visit) -> None:
        visit.open(self.page)
        assert visit.tab.locator(".dat-still").is_visible(), "a picture until the drawing is there"
        visit.draw()
        assert not visit.tab.locator(".dat-still").is_visible()
        for size in (PHONE, DESK):
            visit.tab.set_viewport_size(size)
            visit.tab.wait_for_timeout(500)
            assert visit.tab.evaluate(OVERFLOW) <= 0
            for drawing in visit.tab.query_selector_all(".dat-live canvas, .dat-live .main-svg"):
                box = drawing.bounding_box()
                assert box is None or box["x"] + box["width"] <= size["width"]

    def test_figures_move_without_a_kernel(self, visit: Visit) -> None:
        visit.open(self.page)
        visit.draw()
        height = "document.querySelector('.dat-plotly').data[0].y[0]"
        before = visit.tab.evaluate(height)
        visit.tab.locator(".slider-rail-touch-rect").click(position={"x": 190, "y": 5})
        visit.tab.wait_for_function(f"{height} !== {before}")
        solid = visit.tab.get_by_role("button", name="3-D")
        solid.click()
        assert solid.get_attribute("aria-pressed") == "true"
        visit.tab.get_by_label("overlay").fill("0.1")
        assert visit.errors == []

    def test_figures_take_the_colours_of_the_page(self, visit: Visit) -> None:
        visit.open(self.page)
        visit.draw()
        ink = "getComputedStyle(document.querySelector('.dat-plotly .ytick text')).fill"
        colours = []
        for theme in ("light", "dark"):
            visit.tab.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
            page = visit.tab.evaluate("getComputedStyle(document.body).color")
            visit.tab.wait_for_function(f"{ink} === {page!r}")
            colours.append(page)
        assert colours[0] != colours[1]

    def test_no_button_sends_a_figure_away(self, visit: Visit) -> None:
        visit.open(self.page)
        visit.draw()
        titles = visit.tab.eval_on_selector_all(
            ".modebar-btn", "buttons => buttons.map(button => button.dataset.title || '')"
        )
        assert titles and not [title for title in titles if "hare" in title or "loud" in title]

    def test_without_scripts_the_still_picture_stays(self, browser: object, visit: Visit) -> None:
        context = browser.new_context(java_script_enabled=False)
        tab = context.new_page()
        tab.goto(f"{visit.base}/{self.page}")
        assert tab.locator(".dat-still").is_visible()
        assert tab.locator(".dat-still").get_attribute("alt")
        context.close()

    def test_on_paper_the_still_picture_returns(self, visit: Visit) -> None:
        visit.open(self.page)
        visit.draw()
        visit.tab.emulate_media(media="print")
        assert visit.tab.locator(".dat-still").is_visible()
        assert not visit.tab.locator(".dat-niivue").is_visible()
