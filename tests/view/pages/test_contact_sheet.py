"""The contact sheet: what failed and what to look at first, every exam there, small and whole."""

from __future__ import annotations

import base64
import io

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from datkit.prepare import GRID, PreparedCohort
from datkit.view.pages.contact_sheet import render_contact_sheet, write_contact_sheet

TABLE = pd.DataFrame(
    {
        "centre": ["B", "A", "A", "<b>C</b>", np.nan],
        "similarity": [0.99, 0.97, 0.95, 0.98, 0.94],
        "scale": [0.9, 0.9, 0.9, 1.3, 0.9],
    },
    index=["u0", "u1", "u2", "u3", "u4"],
)


def cohort(table: pd.DataFrame = TABLE, failures: dict | None = None) -> PreparedCohort:
    """Flat brains, in which exam i has a left half of uptake i + 1."""
    volumes = np.ones((len(table), *GRID.shape), dtype=np.float32)
    for row, volume in enumerate(volumes):
        volume[: GRID.shape[0] // 2] = row % 5 + 1
    return PreparedCohort(volumes, table, failures or {})


@pytest.fixture(scope="module")
def sheet() -> BeautifulSoup:
    failures = {"u5": "u5.nii.gz: expected <counts>, found none; export it again."}
    return BeautifulSoup(
        render_contact_sheet(cohort(failures=failures), "five & more"), "html.parser"
    )


def test_failures_come_first_then_what_to_look_at_then_centres(sheet) -> None:
    assert [heading.text for heading in sheet.find_all("h2")] == [
        "Not prepared (1)",
        "Look at it (1)",
        "A (2)",
        "B (1)",
        "no centre given (1)",
    ]
    assert sheet.find("td", class_="reason").text.startswith("u5.nii.gz: expected <counts>")
    assert "5 exams prepared, 1 to look at; 1 could not be prepared." in sheet.text


def test_the_least_similar_lead_their_group(sheet) -> None:
    assert [name.text for name in sheet.select(".exam b")] == ["u3", "u2", "u1", "u0", "u4"]


def test_each_exam_tells_who_it_is_and_what_was_found(sheet) -> None:
    look = sheet.find("figure", class_="look")
    words = " ".join(look.get_text(" ").split())
    assert words == (
        "u3 <b>C</b> ! look at it, similarity 0.98 head size is 1.30, expected 0.75 to 1.15. "
        "Check the voxel size in the file’s header."
    )
    assert look.img["alt"] == "u3: highest uptake 4.0 in the left hemisphere, 1.0 in the right"


def first_picture(sheet: BeautifulSoup) -> np.ndarray:
    source = sheet.select(".exam.look img")[0]["src"]
    packed = base64.b64decode(source.removeprefix("data:image/webp;base64,"))
    return np.asarray(Image.open(io.BytesIO(packed)).convert("RGB")).astype(int)


def letter(half: np.ndarray) -> np.ndarray:
    """The white pixels of one half of a thumbnail, cut to what they cover."""
    white = half[half.shape[0] // 2 - 12 : half.shape[0] // 2 + 12].min(axis=2) > 160
    return white[np.ix_(white.any(axis=1), white.any(axis=0))]


def test_the_radiological_sheet_mirrors_the_pixels_and_not_the_letters(sheet) -> None:
    turned = BeautifulSoup(render_contact_sheet(cohort(), radiological=True), "html.parser")
    assert "patient’s left (L) is on the picture’s left." in " ".join(sheet.text.split())
    assert "patient’s left (L) is on the picture’s right." in " ".join(turned.text.split())
    assert turned.select(".exam.look img")[0]["alt"] == sheet.select(".exam.look img")[0]["alt"]
    was, now = first_picture(sheet), first_picture(turned)
    corner = slice(0, was.shape[0] // 3)  # without letters
    assert np.abs(was[corner] - now[corner, ::-1]).mean() < 2 < np.abs(was - now)[corner].mean()
    half = was.shape[1] // 2
    for one, same in ((was[:, :half], now[:, half:]), (was[:, half:], now[:, :half])):
        assert letter(one).shape == letter(same).shape
        assert (
            (letter(one) == letter(same)).mean()
            > 0.9
            > (letter(one) == letter(same)[:, ::-1]).mean()
        )


def test_the_picture_has_the_patients_left_on_its_left_and_both_sides_marked(sheet) -> None:
    picture = first_picture(sheet)
    height, width, _ = picture.shape
    assert (width, height) == (192, 240)
    assert picture[20, 20].sum() > 2 * picture[20, -20].sum()  # uptake 4 beside uptake 1
    letters = picture[height // 2 - 10 : height // 2 + 10].min(axis=2) > 200  # white on the map
    assert letters[:, : width // 6].any() and letters[:, -width // 6 :].any()
    assert not letters[:, width // 4 : -width // 4].any()


def test_the_sheet_is_whole_and_says_what_it_is(sheet) -> None:
    assert not sheet.find_all(["script", "link"]) and "://" not in str(sheet)
    assert all(image["src"].startswith("data:") and image["alt"] for image in sheet.find_all("img"))
    places = {link["href"] for link in sheet.find_all("a")}
    assert places == {f"#{sheet_group['id']}" for sheet_group in sheet.select("h2[id^=group-]")}
    assert sheet.text.count("For education and research, not for diagnosis.") == 2
    assert sheet.h1.text == "Contact sheet: five & more"
    assert "one fixed linear scale" in sheet.text and "The patient’s left (L)" in sheet.text


def test_a_cohort_without_centres_is_one_group() -> None:
    sheet = render_contact_sheet(cohort(TABLE.drop(columns="centre").iloc[:2]))
    assert "Every exam (2)" in sheet and "Look at it" not in sheet


def test_the_same_cohort_gives_the_same_bytes(tmp_path) -> None:
    first, second = (write_contact_sheet(cohort(), tmp_path / name) for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


def test_fourteen_hundred_exams_stay_below_thirty_megabytes() -> None:
    prepared = cohort(pd.concat([TABLE.iloc[:2]] * 10).set_axis([f"u{i}" for i in range(20)]))
    noise = np.random.default_rng(0).uniform(0, 5, prepared.volumes.shape)  # packs worst
    prepared.volumes[:] = noise
    assert len(render_contact_sheet(prepared)) / len(prepared) * 1400 < 30e6
