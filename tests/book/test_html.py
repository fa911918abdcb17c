"""The built pages are whole: nothing from elsewhere, nothing missing, no picture without words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

from bs4 import BeautifulSoup, Tag

from datkit.book.address import ADDRESS

LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}
REMOTE = re.compile(r"(?:https?:)?//")


@lru_cache(maxsize=2)  # the book of two pages and the real one: each is parsed once
def pages(html: Path) -> list[tuple[Path, BeautifulSoup]]:
    found = [path for path in sorted(html.rglob("*.html")) if "_static" not in path.parts]
    assert found, f"no page in {html}"
    return [
        (path, BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")) for path in found
    ]


def addresses(soup: BeautifulSoup) -> Iterator[tuple[Tag, str]]:
    """Yield what a page loads by itself, with its address."""
    for tag in soup.find_all(list(LOADED)):
        if (address := tag.get(LOADED[tag.name])) and "canonical" not in tag.get("rel", []):
            yield tag, address


def missing(html: Path, path: Path, address: str) -> bool:
    target = unquote(re.split("[?#]", address)[0])
    return bool(target) and not (path.parent / target).resolve().exists()


def test_nothing_is_loaded_from_elsewhere(html: Path) -> None:
    remote = [
        f"{path.name}: {address}"
        for path, soup in pages(html)
        for _, address in addresses(soup)
        if REMOTE.match(address)
    ]
    assert remote == []


def test_no_style_sheet_loads_from_elsewhere(html: Path) -> None:
    for sheet in html.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert not re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", text), sheet


def test_every_local_file_and_page_is_there(html: Path) -> None:
    gone = [
        f"{path.name}: {address}"
        for path, soup in pages(html)
        for address in [
            *(address for _, address in addresses(soup)),
            *(link["href"] for link in soup.find_all("a", href=True)),
        ]
        if not re.match(r"[a-z]+:|//|#", address) and missing(html, path, address)
    ]
    assert gone == []


def test_every_anchor_within_a_page_leads_somewhere(html: Path) -> None:
    for path, soup in pages(html):
        names = {tag["id"] for tag in soup.find_all(id=True)} | {"", "top"}
        article = soup.select_one("article") or soup
        lost = [
            a["href"] for a in article.select("a[href^='#']") if unquote(a["href"][1:]) not in names
        ]
        assert lost == [], path.name


def test_every_picture_and_drawing_has_words(html: Path) -> None:
    for path, soup in pages(html):
        for picture in soup.find_all("img"):
            assert len(picture.get("alt", "")) >= 10, f"{path.name}: {picture.get('src')}"
        for drawing in soup.select(".dat-live"):
            assert 30 <= len(drawing["aria-label"]) <= 300, f"{path.name}: {drawing['id']}"


def test_every_page_has_one_title_and_a_language(html: Path) -> None:
    for path, soup in pages(html):
        assert soup.html.get("lang"), path.name
        if path.name not in ("genindex.html", "search.html"):
            assert len(soup.select("article h1")) == 1, path.name


def test_every_page_says_what_it_is_not_for(html: Path) -> None:
    for path, soup in pages(html):
        assert "For education and research, not for diagnosis." in soup.get_text(), path.name


def test_every_page_has_an_icon_its_licence_and_a_way_to_report_a_mistake(html: Path) -> None:
    for path, soup in pages(html):
        icon = soup.find("link", rel="icon")
        assert icon and not missing(html, path, icon["href"]), path.name
        footer = soup.select_one("footer.bd-footer-content").get_text()
        assert "Text, figures and code: MIT licence;" in " ".join(footer.split()), path.name
        links = [a["href"] for a in soup.select("footer a[href]")]
        report = [link for link in links if link.endswith("/issues/new/choose")]
        assert bool(report) is ADDRESS.is_public, path.name


def test_no_path_of_the_machine_is_published(html: Path) -> None:
    for path, soup in pages(html):
        assert not re.search(r"/(?:home|Users|root|tmp)/\w", soup.get_text()), path.name


def test_no_page_is_too_heavy(html: Path) -> None:
    heavy = {
        path.name: path.stat().st_size / 1e6
        for path, _ in pages(html)
        if path.stat().st_size > 6e6  # the heaviest page worth waiting for on a phone's network
    }
    assert heavy == {}


def test_exams_unlike_their_label_are_folded_without_scripts_too(built_book: Path) -> None:
    """Whoever sees the list first does not read those exams."""
    [soup] = [soup for path, soup in pages(built_book) if path.stem == "reading"]
    [folded] = [one for one in soup.select("details") if "like their label" in one.summary.text]
    assert not folded.has_attr("open") and folded.find(string=re.compile("^Block 1, exam"))


def test_chapters_fold_without_scripts() -> None:
    """A dropdown is an HTML element; the class of that name stands open until a script folds it."""
    chapters = [*(Path(__file__).parents[2] / "book").rglob("*.md")]
    folded = [path.name for path in chapters if "{dropdown}" in path.read_text(encoding="utf-8")]
    assert {"reading.md", "where_you_stand.md", "network_in_the_page.md"} <= {*folded}
    opened = re.compile(r"^:class:.*\bdropdown\b", re.M)
    assert [p.name for p in chapters if opened.search(p.read_text(encoding="utf-8"))] == []
