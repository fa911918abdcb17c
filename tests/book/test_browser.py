"""The built book in a real browser with no network: every figure drawn, nothing asked of others."""

from __future__ import annotations

import functools
import http.server
import re
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import pytest
from accessible import OVERFLOW, find_barriers

PHONE, DESK = {"width": 360, "height": 844}, {"width": 1280, "height": 900}  # CSS pixels
TOY_PAGE = "notebooks/01_toy.html"
TOUCH = 44  # pixels: a finger's width
HEAVY = 6e6  # bytes of a page with all that it loads, packed as servers send it
DRAWN = 60_000  # milliseconds for all figures of a page, in software on a busy machine
IS_DRAWN = "[...document.querySelectorAll('.dat-live')].every(area => area.dataset.ready === '1')"
TOO_WIDE = (
    "[...document.querySelectorAll('.measures th, .measures .num')]"
    ".filter(cell => cell.scrollWidth > cell.clientWidth).map(cell => cell.textContent)"
)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""


@dataclass
class Visit:
    """A tab on a served book, with what it asked for in vain and what went wrong."""

    tab: object
    base: str
    remote: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    loaded: set[str] = field(default_factory=set)

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
        self.loaded.add(response.url.removeprefix(f"{self.base}/").partition("?")[0])

    def open(self, page: str) -> None:
        self.loaded.clear()
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


@lru_cache
def packed(path: Path) -> int:
    return len(zlib.compress(path.read_bytes(), 6)) if path.is_file() else 0


def names(html: Path) -> list[str]:
    found = (path.relative_to(html) for path in sorted(html.rglob("*.html")))
    return [path.as_posix() for path in found if path.parts[0] != "_static"]


def test_every_page_draws_all_asks_nobody_else_and_keeps_nobody_out(
    browser: object, html: Path
) -> None:
    with visiting(browser, html) as visit:
        barriers, heavy = {}, {}
        for name in names(html):
            visit.open(name)
            visit.draw()
            assert visit.tab.evaluate(OVERFLOW) <= 0, f"{name} is wider than a phone"
            barriers[name] = find_barriers(visit.tab)
            weight = sum(packed(html / path) for path in visit.loaded)
            heavy |= {name: weight} if weight > HEAVY else {}
        assert visit.remote == [] and visit.errors == []
    assert {name: found for name, found in barriers.items() if found} == {}
    assert heavy == {}


def test_what_only_a_wide_page_shows_keeps_nobody_out(browser: object, toy: Visit) -> None:
    """The contents at the sides."""
    toy.tab.set_viewport_size(DESK)
    assert find_barriers(toy.tab) == []
    toy.tab.set_viewport_size(PHONE)


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
    toy.open(TOY_PAGE)
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
    slider = toy.tab.locator(".dat-slider input")
    slider.press("End")
    toy.tab.wait_for_function(f"{bar} !== {before!r}")
    assert (
        slider.get_attribute("aria-valuetext") == toy.tab.locator(".dat-slider output").inner_text()
    )
    assert toy.tab.locator(".slider-rail-touch-rect").count() == 0, "one slider a figure, not two"
    solid = toy.tab.get_by_role("button", name="3-D")
    solid.click()
    assert solid.get_attribute("aria-pressed") == "true"
    assert float(toy.tab.get_by_label("hide below").input_value()) > 0, "else one sees only cortex"
    toy.tab.get_by_label("overlay").fill("0.1")


def test_a_reader_turns_a_volume_to_the_radiological_view(toy: Visit) -> None:
    toy.draw()
    canvas = toy.tab.locator(".dat-niivue canvas")
    before = canvas.screenshot()
    toy.tab.get_by_label("left on the right").check()
    assert canvas.screenshot() != before
    toy.tab.get_by_label("left on the right").uncheck()
    assert canvas.screenshot() == before


def test_a_native_slider_turns_a_volume_and_follows_keys_and_drags(toy: Visit) -> None:
    toy.draw()
    figure = toy.tab.locator(".dat-figure:has(.dat-niivue)")
    turn, canvas = figure.get_by_role("slider", name="turn"), figure.locator("canvas")
    solid = figure.get_by_role("button", name="3-D")
    figure.get_by_role("button", name="slices").click()
    turn.press("ArrowRight")
    assert solid.get_attribute("aria-pressed") == "true", "what turns is shown"
    seen = {turn.get_attribute("aria-valuetext"): canvas.screenshot()}
    turn.press("Home")
    seen[turn.get_attribute("aria-valuetext")] = canvas.screenshot()
    canvas.focus()
    for _ in range(5):
        toy.tab.keyboard.press("l")
    seen[turn.get_attribute("aria-valuetext")] = canvas.screenshot()
    box = canvas.bounding_box()
    toy.tab.mouse.move(box["x"] + 50, box["y"] + 50)
    toy.tab.mouse.down()
    toy.tab.mouse.move(box["x"] + 90, box["y"] + 50)
    toy.tab.mouse.up()
    said = figure.locator(".dat-range output").first.inner_text()
    assert list(seen) == ["10°", "−180°", "−175°"] and said not in seen
    assert len({*seen.values(), canvas.screenshot()}) == 4
    letters = figure.locator(".dat-side")
    for degrees, sides in (("-180", ["R", "L"]), ("90", ["", ""]), ("0", ["L", "R"])):
        turn.fill(degrees)
        assert letters.all_inner_texts() == sides, "from in front the patient's left is right"
    assert turn.bounding_box()["height"] >= TOUCH and toy.tab.evaluate(OVERFLOW) <= 0


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


@pytest.fixture(scope="module")
def pages(exam_report: object, normal_table: object, tmp_path_factory: object) -> Path:
    """A report with and without a normal range, its name hard to wrap, and a contact sheet."""
    import numpy as np
    import pandas as pd

    from datkit.prepare import PreparedCohort
    from datkit.view.pages.contact_sheet import write_contact_sheet
    from datkit.view.pages.page import write_page
    from datkit.view.pages.report import render

    folder = tmp_path_factory.mktemp("pages")
    name = "a_name_without_any_blank" * 6 + ".nii.gz"
    measures = dict(exam_report.measures) | {"a_measure_of_a_long_name_that_no_page_knows": 1.0}
    plain = replace(exam_report, name=name, measures=measures)
    write_page(render(plain), folder / "plain.html")
    known = replace(plain, normals=normal_table, age=67, sex="F")
    write_page(render(known), folder / "ranged.html")
    quality = {"centre": "C" * 60, "similarity": 0.9, "scale": 2.0}
    table = pd.DataFrame([quality] * 3, index=["u0", "u1", "u2" * 40])
    volumes = np.stack([exam_report.prepared.volume] * 3)
    prepared = PreparedCohort(volumes, table, {"u9" * 40: "/a/path/" + "without_blank" * 20})
    write_contact_sheet(prepared, folder / "sheet.html")
    return folder


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_written_pages_fit_and_show_every_picture(browser: object, pages: Path, size: dict) -> None:
    with visiting(browser, pages) as visit:
        visit.tab.set_viewport_size(size)
        for name in names(pages):
            visit.open(name)
            assert visit.tab.evaluate(OVERFLOW) <= 0, f"{name} is wider than {size['width']} pixels"
            drawn = "[...document.images].every(image => image.complete && image.naturalWidth > 0)"
            visit.tab.wait_for_function(drawn)
            assert visit.tab.evaluate(TOO_WIDE) == [], f"{name} at {size['width']} pixels"
        assert visit.remote == [] and visit.errors == []


def test_written_pages_follow_the_readers_light_or_dark(browser: object, pages: Path) -> None:
    with visiting(browser, pages) as visit:
        visit.open("ranged.html")
        paper = "getComputedStyle(document.body).backgroundColor"
        colours = []
        for scheme in ("light", "dark"):
            visit.tab.emulate_media(color_scheme=scheme)
            colours.append(visit.tab.evaluate(paper))
        assert colours[0] == "rgb(255, 255, 255)" and colours[1] != colours[0]


def test_a_report_prints_on_one_page(browser: object, pages: Path) -> None:
    with visiting(browser, pages) as visit:
        visit.open("ranged.html")
        printed = visit.tab.pdf(prefer_css_page_size=True)
        assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1
