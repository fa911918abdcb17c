"""Figures in the book: data stays data, words reach the page, scripts are local."""

from __future__ import annotations

import json
from importlib.metadata import entry_points
from pathlib import Path
from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup, Tag

from datkit.view.live import vendored_files
from datkit.view.sphinx import NiivueMime, PlotlyMime

WORDS = 'Two bars: "left" <right> & so on.'


def rendered(plugin: type, content: dict, **metadata: object) -> Tag:
    data = SimpleNamespace(mime_type=plugin.mime_type, content=content, cell_metadata=metadata)
    [figure] = plugin.handle_mime(None, data, False)
    return BeautifulSoup(figure.astext(), "html.parser")


def page(html: Path, name: str) -> BeautifulSoup:
    return BeautifulSoup((html / name).read_text(encoding="utf-8"), "html.parser")


@pytest.fixture
def toy_page(toy_html: Path) -> BeautifulSoup:
    return page(toy_html, "notebooks/01_toy.html")


def scripts(soup: BeautifulSoup) -> list[str]:
    names = (script.get("src", "").split("?")[0] for script in soup.find_all("script"))
    return [name.split("_static/")[-1] for name in names if name]


def test_alt_text_reaches_the_drawing_unharmed() -> None:
    metadata = {"mystnb": {"image": {"alt": WORDS}}}
    soup = rendered(PlotlyMime, {"data": [], "layout": {"height": 300}}, **metadata)
    assert soup.div["aria-label"] == WORDS and soup.div["role"] == "img"
    assert "300px" in soup.div["style"]


def test_data_cannot_end_its_script_early() -> None:
    content = {"data": [{"name": "</script><script>alert(1)</script>"}], "layout": None}
    soup = rendered(PlotlyMime, content)
    [script] = soup.find_all("script")
    assert json.loads(script.string)["data"] == content["data"]


def test_equal_figures_have_different_names() -> None:
    content = {"volumes": [], "height": 420}
    names = [rendered(NiivueMime, content).div["id"] for _ in range(2)]
    assert len(set(names)) == 2


def test_a_renderer_leaves_other_outputs_alone() -> None:
    png = SimpleNamespace(mime_type="image/png", content="", cell_metadata={})
    plot = SimpleNamespace(mime_type=PlotlyMime.mime_type, content={}, cell_metadata={})
    assert PlotlyMime.handle_mime(None, png, False) is None
    assert NiivueMime.handle_mime(None, plot, False) is None
    assert PlotlyMime.handle_mime(None, plot, True) is None, "figures are no part of a sentence"


def test_myst_nb_finds_the_renderers() -> None:
    found = {point.name: point.load() for point in entry_points(group="myst_nb.mime_renderers")}
    assert found["plotly"] is PlotlyMime and found["niivue"] is NiivueMime


def test_the_libraries_come_with_installed_wheels(toy_html: Path) -> None:
    for name, source in vendored_files().items():
        assert source.exists(), f"{source}: the wheel no longer carries {name}"
        assert (toy_html / "_static" / "vendor" / name).exists()


def test_a_page_loads_what_its_figures_need_in_order(toy_html: Path) -> None:
    loaded = [name for name in scripts(page(toy_html, "notebooks/01_toy.html"))
              if name.startswith(("vendor/p", "vendor/n", "dat-"))]  # fmt: skip
    assert loaded == ["vendor/niivue.umd.js", "dat-niivue.js", "vendor/plotly.min.js",
                      "dat-plotly.js", "dat-figures.js"]  # fmt: skip
    assert not [name for name in scripts(page(toy_html, "index.html")) if "dat-" in name]


def test_formulas_are_set_by_the_local_mathjax(toy_html: Path) -> None:
    assert "vendor/mathjax/tex-chtml.js" in scripts(page(toy_html, "index.html"))


def test_no_inline_script_stands_twice(toy_page: BeautifulSoup) -> None:
    bodies = [s.string for s in toy_page.find_all("script") if s.string and not s.get("type")]
    assert len(bodies) == len(set(bodies))


def test_volumes_keep_their_still_picture_with_its_words(toy_page: BeautifulSoup) -> None:
    figures = toy_page.select(".dat-figure")
    assert [figure.select_one(".dat-live")["data-kind"] for figure in figures] == [
        "niivue",
        "plotly",
    ]
    still = figures[0].select_one("img.dat-still")
    assert still["alt"] == figures[0].select_one(".dat-live")["aria-label"] != ""
    assert not figures[1].select("img")


def test_glued_numbers_stand_in_the_prose(toy_page: BeautifulSoup) -> None:
    sentence = next(p.get_text() for p in toy_page.select("p") if "Against a background" in p.text)
    assert sentence.count(".") == 3, f"two numbers and a full stop: {sentence}"
