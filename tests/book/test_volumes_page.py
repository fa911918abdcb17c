"""More volumes on a page than a browser draws at a time: none goes blank without a word."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from datkit.prepare import GRID
from datkit.view.live import STATIC, figure_area, vendored_files
from datkit.view.surface import MIME, VolumeView

REPOSITORY = Path(__file__).resolve().parents[2]
COUNT = 7  # a page holds six
SCRIPTS = ("vendor/niivue.umd.js", "dat-niivue.js", "dat-figures.js")
LOST = """[...document.querySelectorAll('canvas')]
    .filter(one => one.getContext('webgl2').isContextLost()).length"""


@pytest.fixture
def tab(browser: object, tmp_path: Path) -> Iterator:
    """Seven figures, all near the screen, each with its still picture."""
    static = tmp_path / "_static"
    shutil.copytree(STATIC, static)
    (static / "vendor").mkdir()
    shutil.copy(vendored_files()["niivue.umd.js"], static / "vendor")
    shutil.copy(REPOSITORY / "book" / "static" / "dat.css", static)
    content = VolumeView(np.ones(GRID.shape, np.float32))._repr_mimebundle_()[MIME]
    figures = "".join(
        f'<div class="dat-figure">{figure_area("niivue", f"f{n}", content | {"height": 60}, "one")}'
        '<img class="dat-still" alt="one" width="9" height="9"></div>'
        for n in range(COUNT)
    )
    scripts = "".join(f'<script defer src="_static/{name}"></script>' for name in SCRIPTS)
    head = f'<meta charset=utf-8><link rel="stylesheet" href="_static/dat.css">{scripts}'
    (tmp_path / "page.html").write_text(f"<!doctype html>{head}{figures}", encoding="utf-8")
    tab, errors = browser.new_page(viewport={"width": 500, "height": 900}), []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.set_default_timeout(60_000)  # milliseconds, in software on a busy machine
    tab.goto((tmp_path / "page.html").as_uri())
    yield tab
    assert errors == []
    tab.close()


def state(tab: object) -> tuple[list[int], list[int]]:
    """Which figures are drawn, and which show a still picture with an offer to draw them."""
    figures = [f".dat-figure:nth-of-type({n + 1})" for n in range(COUNT)]
    ready = [
        n for n, one in enumerate(figures) if tab.locator(f"{one} [data-ready] canvas").count()
    ]
    stills = [
        n
        for n, one in enumerate(figures)
        if tab.locator(f"{one} .dat-still").is_visible()
        and tab.locator(one).get_by_role("button", name="Draw this volume again").count() == 1
        and tab.locator(f"{one} canvas, {one} .dat-range").count() == 0
    ]
    return ready, stills


def test_the_first_gives_its_place_and_can_have_it_again(tab: object) -> None:
    tab.locator("#f6[data-ready]").wait_for()
    assert state(tab) == ([1, 2, 3, 4, 5, 6], [0])
    tab.locator(".dat-figure:nth-of-type(1) .dat-toolbar button").click()
    tab.locator("#f0[data-ready]").wait_for()
    assert state(tab) == ([0, 2, 3, 4, 5, 6], [1])
    assert tab.evaluate(LOST) == 0
