"""The planner's figure in a real browser from the disk: its numbers are Python's."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from itertools import product
from math import inf
from pathlib import Path

import pytest
from accessible import OVERFLOW, find_barriers

from datkit.challenge.planner import Contest
from datkit.cli import main

REPOSITORY = Path(__file__).resolve().parents[2]
CHAPTER = (REPOSITORY / "book" / "chapters" / "how_many_exams.md").read_text(encoding="utf-8")
# Colours of the book's theme, which the page has not: what is drawn in them must be readable.
THEME = """<style>
html { --pst-color-link: #1059c4; --pst-color-background: #fff; --pst-color-text-base: #222832; }
html[data-theme="dark"] {
  --pst-color-link: #5ca1f5; --pst-color-background: #14181e; --pst-color-text-base: #ced6dd; }
body { background: var(--pst-color-background); color: var(--pst-color-text-base); }
</style>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the figure as the book has it, without its theme."""
    folder = tmp_path_factory.mktemp("planner")
    (folder / "_static").mkdir()
    for path in (REPOSITORY / "book" / "static").glob("dat-planner.*"):
        shutil.copy(path, folder / "_static")
    body = re.search(r"```\{raw\} html\n(.*?)```", CHAPTER, re.S)[1]
    head = "<meta charset=utf-8><meta name=viewport content='width=device-width'><title>p</title>"
    (folder / "chapters").mkdir()
    file = folder / "chapters" / "page.html"
    file.write_text(f"<!doctype html><html lang=en>{head}{THEME}<h1>p</h1>{body}", encoding="utf-8")
    return file.as_uri()


@pytest.fixture
def tab(browser: object, page: str) -> Iterator:
    """The page, on a small phone that may reach nothing but the disk."""
    context = browser.new_context(viewport={"width": 360, "height": 740})
    tab, asked, errors = context.new_page(), [], []
    tab.set_default_timeout(60_000)  # milliseconds, on a busy machine
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(page)
    yield tab
    assert errors == []
    assert [url for url in asked if not url.startswith("file:")] == []
    context.close()


def test_chances_and_exams_are_those_of_python(tab: object) -> None:
    spreads = ((0.4, 0.04, 0.035), (0.2, 0.0, 0.2), (0.8, 0.15, 0.0))
    tried = [*product((2, 20, 400), (0.005, 0.05, 0.1), (2, 40), (1, 3, 7), spreads)]
    names = "teams", "gap", "centres", "readers"
    asked = [
        dict(zip(names, one[:4], strict=True))
        | dict(zip(("examSd", "centreSd", "slip"), one[4], strict=True))
        for one in tried
    ]
    said = tab.evaluate(
        """(asked) => asked.map((one) => [
            ...[10, 300, 10000].map((exams) => datPlanner.chance(one, exams)),
            datPlanner.examsNeeded(one, 0.8)])""",
        asked,
    )
    chances = []
    for (teams, gap, centres, readers, spread), (*shown, needed) in zip(tried, said, strict=True):
        contest = Contest(teams, gap, *spread)
        chances += [contest.chance(exams, centres, readers) for exams in (10, 300, 10000)]
        assert shown == pytest.approx(chances[-3:], abs=1e-5)
        assert needed == pytest.approx(contest.exams_needed(0.8, centres, readers), rel=1e-4, abs=1)
    assert min(chances) < 0.01 and max(chances) > 0.99, "else equal chances would prove little"


def test_it_moves_by_keyboard_and_says_where_the_chance_is_reached(tab: object) -> None:
    said = tab.locator(".dp-said")
    exams = Contest().exams_needed(0.8, 10)
    told = f"with {exams:.0f} exams the best team is first with a chance of 0.80."
    assert said.inner_text().endswith(told)
    before = tab.locator(".dp-curve").get_attribute("d")
    tab.get_by_role("button", name="Keep this curve").press("Enter")
    tab.locator("#dp-centres").press("ArrowRight")
    assert tab.locator("#dp-centres").get_attribute("aria-valuetext") == "14"
    exams = Contest().exams_needed(0.8, 14)
    assert f"14 centres, 1 reader: with {exams:.0f} exams" in said.inner_text()
    assert said.inner_text() in tab.locator("#dat-planner svg").get_attribute("aria-label")
    assert tab.locator(".dp-kept").get_attribute("d") == before
    assert tab.locator(".dp-curve").get_attribute("d") != before
    rows = tab.locator(".dp-numbers tr").all_inner_texts()
    assert rows[3].split() == ["300", f"{Contest().chance(300, 14):.2f}"]


def test_what_exams_cannot_buy_is_said(tab: object) -> None:
    tab.locator("#dp-gap").press("Home")
    assert "no number of exams is enough for 0.80" in tab.locator(".dp-said").inner_text()
    limit = Contest(gap=0.005).chance(1e15, 10)
    assert f"the chance is {limit:.2f}; more centres" in tab.locator(".dp-said").inner_text()
    assert tab.locator(".dp-point").count() == 0
    tab.locator("#dp-teams").press("Home")
    tab.locator("#dp-wanted").press("Home")
    assert "drawing lots gives the best team a chance of 0.50" in (
        tab.locator(".dp-said").inner_text()
    )


@pytest.mark.parametrize("width", [360, 1280])
def test_it_keeps_nobody_out(tab: object, width: int) -> None:
    tab.set_viewport_size({"width": width, "height": 740})
    tab.locator("summary").click()
    assert tab.evaluate(OVERFLOW) <= 0
    assert tab.locator("#dat-planner input").count() == 8
    assert find_barriers(tab) == []


def test_the_figure_follows_its_column(tab: object) -> None:
    """The sidebar moves the column some time after the window's resize, or without one."""
    tab.set_viewport_size({"width": 1280, "height": 740})
    for wide in ("60rem", "30rem"):
        tab.evaluate("wide => { document.getElementById('dat-planner').style.width = wide; }", wide)
        tab.wait_for_function(
            "() => { const plot = document.querySelector('#dat-planner svg');"
            " return plot.viewBox.baseVal.width === plot.clientWidth; }"
        )


def test_without_scripts_the_table_is_named(browser: object, page: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(page)
    assert "stand in the table below" in tab.locator("noscript").inner_text()
    context.close()


def test_the_numbers_of_the_chapter_are_the_planners(capsys: pytest.CaptureFixture) -> None:
    asked, printed = re.search(r"```console\n\$ datkit (.*?)\n(.*?)```", CHAPTER, re.S).groups()
    assert main(asked.split()) == 0
    assert capsys.readouterr().out == printed
    sd = 0.009 * 1300**0.5
    contests = [Contest(10, 0.02, round(sd, 2)), Contest(10, 0.02, round(sd, 2), 0)]
    rows = re.findall(r"^\| ([\d,]+|endless) \| ([\d.]+) \| ([\d.]+) \|$", CHAPTER, re.M)
    assert len(rows) == 5
    for name, *shown in rows:
        exams = 1e15 if name == "endless" else int(name.replace(",", ""))
        assert shown == [f"{contest.chance(exams, 10):.2f}" for contest in contests]
    assert contests[0].exams_needed(0.8, 20) == inf
    assert f"with 40 it would take {contests[0].exams_needed(0.8, 40):,.0f} exams" in CHAPTER
