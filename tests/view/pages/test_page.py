"""Pages: whole in one file, safe with any text, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from jinja2 import UndefinedError

from datkit import NOT_CLINICAL
from datkit.view.pages.page import data_uri, describe_sides, number, render_page, write_page


def test_a_page_refuses_every_address_but_its_own() -> None:
    page = render_page("base.html", title="exam")
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in page
    assert "://" not in page and "@import" not in page and "url(" not in page


def test_the_notice_stands_at_the_top_and_at_the_bottom() -> None:
    header, footer = render_page("base.html", title="exam").split("<main>")
    assert NOT_CLINICAL in header and NOT_CLINICAL in footer


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="title"):
        render_page("base.html")


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch) -> None:
    path = write_page("old", tmp_path / "page.html")

    def fill_the_disk(part: Path, text: str, **_: object) -> None:
        part.write_bytes(text[:2].encode())
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_text", fill_the_disk)
    with pytest.raises(OSError, match="no space left"):
        write_page("half", path)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_lines_end_alike_on_every_system(tmp_path) -> None:
    assert write_page("a\nb – c", tmp_path / "page.html").read_bytes() == "a\nb – c".encode()


@pytest.mark.parametrize(
    ("value", "digits", "signed", "text"),
    [
        (1.005, 1, False, "1.0"),
        (-0.04, 1, True, "0.0"),
        (12.34, 1, True, "+12.3"),
        (-12.34, 1, True, "−12.3"),
        (float("nan"), 2, True, "–"),
    ],
)
def test_numbers_are_written_for_reading(value, digits, signed, text) -> None:
    assert number(value, digits, signed=signed) == text


def test_a_picture_travels_in_its_address() -> None:
    assert data_uri(b"\x00\xff", "webp") == "data:image/webp;base64,AP8="


def test_a_mirrored_slab_swaps_its_words() -> None:
    plane = np.array([[1.0, 4.0], [2.0, 3.0]])
    assert describe_sides(plane) == "highest uptake 4.0 in the left hemisphere, 3.0 in the right"
    said = "highest uptake 3.0 in the left hemisphere, 4.0 in the right"
    assert describe_sides(plane[::-1]) == said


def test_a_name_that_is_no_utf_8_can_be_written(tmp_path) -> None:
    path = write_page("J\udcfcrgen.nii", tmp_path / "page.html")
    assert path.read_text(encoding="utf-8") == "J\\udcfcrgen.nii"


def test_what_turns_round_or_hides_a_text_is_shown_as_an_escape() -> None:
    page = render_page("base.html", title="Zoë 検査\x1b[2J\x9b\u202e\u2066\u2028\ufeff<b>.nii")
    assert r"<title>Zoë 検査\x1b[2J\u009b\u202e\u2066\u2028\ufeff&lt;b&gt;.nii</title>" in page
    assert all(character.isprintable() for character in page.replace("\n", ""))
