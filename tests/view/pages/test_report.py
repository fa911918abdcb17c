"""The exam report: complete, whole offline, safe with any name, the same bytes each time."""

from __future__ import annotations

import base64
import io
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from datkit.errors import PrepareError, ScanError, UsageError
from datkit.files import RESOURCES, sha256_file
from datkit.io.scan import save_scan
from datkit.measure import MEASURES
from datkit.measure.definitions import DEFINITIONS
from datkit.prepare.grid import load_template
from datkit.prepare.sampling import blur
from datkit.view.pages.report import read_exam, render, render_report, write_report

HOSTILE = "<img src=x onerror=alert(1)> & \"'.nii.gz"


@pytest.fixture(scope="module")
def page(exam_report) -> BeautifulSoup:
    return BeautifulSoup(render(exam_report), "html.parser")


@pytest.fixture(scope="module")
def ranged(exam_report, normal_table) -> BeautifulSoup:
    known = {"normals": normal_table, "age": 67, "sex": "F", "reconstruction": "osem"}
    return BeautifulSoup(render(replace(exam_report, **known)), "html.parser")


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A head that prepares in a moment: the template itself."""
    return Path(shutil.copy(RESOURCES / "template.nii.gz", tmp_path / "head.nii.gz"))


def decoded(source: str) -> np.ndarray:
    packed = base64.b64decode(source.removeprefix("data:image/png;base64,"))
    return np.asarray(Image.open(io.BytesIO(packed)).convert("RGB")).astype(int)


def assert_whole(page: BeautifulSoup) -> None:
    """No script, and no address but pictures held by the page and places on it."""
    assert not page.find_all(["script", "link", "iframe", "object", "base", "form"])
    assert all(image["src"].startswith("data:image/") for image in page.find_all("img"))
    assert all(link["href"].startswith("#") for link in page.find_all(href=True))
    assert "://" not in str(page) and "url(" not in str(page)
    assert not [tag for tag in page.find_all() if any(name.startswith("on") for name in tag.attrs)]


def test_a_report_is_whole_in_one_file(page, ranged) -> None:
    assert_whole(page)
    assert_whole(ranged)
    assert len(str(ranged)) < 500_000


def test_everything_about_the_file_is_there(page) -> None:
    facts = dict(
        zip(*([tag.text for tag in page.find_all(name)] for name in ("dt", "dd")), strict=True)
    )
    assert facts == {
        "sha256": "0123456789ab…",
        "matrix": "128 × 128 × 64",
        "voxel size": "2.46 × 2.46 × 3.5 mm",
        "obliquity": "7.2°",
    }
    assert page.find(class_="file").text == "exam.nii.gz"
    assert re.search(r"Made by datkit \d.*scaling True, ceiling 1.6.*order 3", page.text, re.DOTALL)
    assert page.text.count("For education and research, not for diagnosis.") == 2


def test_a_reader_without_eyes_gets_a_page_too(page) -> None:
    assert page.html["lang"] == "en" and len(page.find_all("h1")) == 1
    assert all(30 <= len(image["alt"]) <= 300 for image in page.find_all("img"))
    assert all(cell.get("scope") for cell in page.find_all("th"))
    assert all(table.find("thead") for table in page.find_all("table"))
    assert all(axis.get("aria-label") for axis in page.find_all("svg", role="img"))


def test_pictures_tell_their_place_their_sides_and_the_scale(page) -> None:
    slab, *slices = [image["alt"] for image in page.select(".slices img")]
    assert slab.startswith("Axial slab, mean of 12 mm, the patient’s left on the left")
    assert [re.search("z = (.+?) mm", alt)[1] for alt in slices] == [
        "−8",
        "−2",
        "+4",
        "+10",
        "+16",
        "+22",
    ]
    assert "highest uptake 3.5 in the left hemisphere, 1.0 in the right" in slices[1]
    assert "One fixed linear scale, 0 to 5" in " ".join(page.text.split())
    assert [tick.text for tick in page.select(".ticks span")] == ["0", "1", "2", "3", "4", "5+"]


def test_left_and_right_are_printed_in_every_picture(exam_report, monkeypatch) -> None:
    from datkit.view.pages import report

    drawn = []
    draw = report.draw_plane
    monkeypatch.setattr(
        report, "draw_plane", lambda axes, *a, **k: drawn.append(axes) or draw(axes, *a, **k)
    )
    render(exam_report)
    assert len(drawn) == 7
    assert all([text.get_text() for text in axes.texts][:2] == ["L", "R"] for axes in drawn)
    assert {axes.images[0].get_clim() for axes in drawn} == {(0, 5)}


def test_the_radiological_report_draws_left_on_the_right_and_says_so(exam_report, page) -> None:
    turned = BeautifulSoup(render(replace(exam_report, radiological=True)), "html.parser")
    assert "patient’s left (L) is on the picture’s left." in page.text
    assert "patient’s left (L) is on the picture’s right." in turned.text
    for was, now in zip(*(each.select(".slices img") for each in (page, turned)), strict=True):
        assert now["alt"] == was["alt"].replace("left on the left", "left on the right")
        one, other = (decoded(image["src"]) for image in (was, now))
        top = slice(len(one) // 8, len(one) // 3)  # between the caption and the letters
        assert np.abs(one[top] - other[top, ::-1]).mean() < 2


def test_every_measure_stands_in_the_page(page) -> None:
    labels = [cell.text for cell in page.select(".measures tbody th")]
    assert labels == [one.label for one in DEFINITIONS.values() if "report" in one.shown]
    assert "2.50" in page.find("th", string="putamen L").parent.text


def test_without_age_and_sex_it_says_how_to_get_the_range(page) -> None:
    assert "Normal range" not in page.text and "age not given, sex not given" in page.text
    assert "datkit report SCAN --age 67 --sex F" in page.text


def test_values_outside_the_range_are_told_by_words_shape_and_colour(ranged) -> None:
    assert "67 years, female; reconstruction: osem" in ranged.text
    assert "3 of 4 measures lie outside the range of simulated normal exams." in ranged.text
    below = ranged.find("th", string="putamen R").parent
    assert [cell.text for cell in below.find_all("td")[:2]] == ["0.00", "1.00 to 3.00"]
    assert "▼" in below.text and "below the range" in below.text and "−4.0" in below.text
    inside = ranged.find("th", string="putamen L").parent
    assert inside.find("path")["class"] == ["in"] and below.find("path")["class"] == ["out"]
    assert inside.find("path")["d"] != below.find("path")["d"]


def test_a_row_draws_its_range_its_expectation_and_its_value(ranged) -> None:
    row = ranged.find("th", string="putamen L").parent  # 2.5; 1 to 3, expected 2, on 0 to 3
    assert [cell.text for cell in row.find_all("td")[:3]] == ["2.50", "1.00 to 3.00", "1.0"]
    drawn = row.find("svg", role="img")
    assert drawn["aria-label"] == "putamen L: 2.50, inside the normal range of 1.00 to 3.00"
    assert (drawn.rect["x"], drawn.rect["width"]) == ("33.33%", "66.67%")
    assert drawn.find(class_="expected")["x1"] == "66.67%" and drawn.svg["x"] == "83.33%"
    assert [tick["x1"] for tick in drawn.select(".grid")] == ["0.0%", "33.33%", "66.67%", "100.0%"]


def test_a_measure_without_a_range_or_a_value_draws_neither(exam_report, normal_table) -> None:
    measures = {"putamen_left": np.nan, "caudate_right": 1.5}
    shown = render(replace(exam_report, measures=measures, normals=normal_table))
    lost, unranged = BeautifulSoup(shown, "html.parser").select(".measures tbody tr")[::-1]
    assert lost.td.text == "–" and not lost.find("path") and lost.rect
    assert unranged.find_all("td")[1].text == "–" and unranged.find("path") and not unranged.rect
    assert unranged.find("svg", role="img")["aria-label"] == "caudate R: 1.50"


def test_a_verdict_comes_with_its_figures_and_what_to_do(exam_report) -> None:
    quality = exam_report.prepared.quality | {"scale": 1.3}
    odd = replace(exam_report, prepared=replace(exam_report.prepared, quality=quality))
    shown = BeautifulSoup(render(odd), "html.parser")
    assert "Quality: look at it" in shown.find(class_="verdict").text
    (reason,) = shown.select(".verdict li")
    assert reason.text == (
        "head size is 1.30, expected 0.75 to 1.15. Check the voxel size in the file’s header."
    )


def test_a_good_verdict_names_no_reason(page) -> None:
    assert "Quality: good" in page.find(class_="verdict").text and not page.select(".verdict li")


def test_a_hostile_name_is_text(scan) -> None:
    hostile = scan.rename(scan.with_name(HOSTILE))
    shown = BeautifulSoup(render_report(hostile), "html.parser")
    assert_whole(shown)
    assert shown.find(class_="file").text == HOSTILE
    assert shown.title.text.startswith(HOSTILE)


def test_a_hostile_patient_is_text(exam_report) -> None:
    shown = render(replace(exam_report, reconstruction="<script>alert(1)</script>", sex="<b>"))
    assert "<script" not in shown and "&lt;b&gt;" in shown


def test_the_same_file_gives_the_same_bytes(scan, tmp_path) -> None:
    first, second = (write_report(scan, tmp_path / name).read_bytes() for name in ("a", "b"))
    assert first == second and sha256_file(scan)[:12].encode() in first


def test_a_mirrored_exam_mirrors_its_report(exam_report) -> None:
    mirrored = replace(exam_report.prepared, volume=exam_report.prepared.volume[::-1])
    shown = BeautifulSoup(render(replace(exam_report, prepared=mirrored)), "html.parser")
    assert "1.0 in the left hemisphere, 3.5 in the right" in shown.select(".slices img")[2]["alt"]


def test_age_sex_and_resolution_reach_the_normals(scan, normal_table, monkeypatch) -> None:
    asked = []

    def compare(measures, *who, resolution, normals):
        asked.append((set(measures) >= set(MEASURES), *who, normals))
        assert 5 < resolution < 20
        return normal_table

    monkeypatch.setattr("datkit.measure.normals.compare_with_normals", compare)
    assert read_exam(scan, age=67, sex="F", reconstruction="osem").normals is normal_table
    assert read_exam(scan, age=67, sex="F", normals={"any": {}}).normals is normal_table
    assert asked == [(True, 67, "F", "osem", None), (True, 67, "F", None, {"any": {}})]
    assert read_exam(scan, age=67).normals is None and read_exam(scan, sex="F").normals is None
    assert len(asked) == 2


def test_a_scan_that_is_more_blurred_than_the_normals_gets_no_normal_range(tmp_path) -> None:
    head = load_template()
    save_scan(blur(head.data, head.affine, 16), head.affine, tmp_path / "blurred.nii.gz")
    report = read_exam(tmp_path / "blurred.nii.gz", age=60, sex="F")
    shown = BeautifulSoup(render(report), "html.parser")
    text = shown.select_one("section[aria-labelledby=measures]").get_text()
    assert "No normal range" in text and "lie outside" not in text
    told = report.prepared.quality["resolution"]
    assert f"! The effective resolution is {told:.1f} mm" in text and 15 < told < 20
    assert "blur changes every measure, none is compared" in text
    assert not shown.select("th.z") and not shown.select("rect.range")
    assert report.normals["z"].isna().all() and report.normals["value"].notna().all()


def test_the_mean_of_174_healthy_people_does_not_look_like_parkinson_s(real_map) -> None:
    normals = read_exam(real_map, age=60, sex="F").normals
    assert normals["value"].notna().all() and (normals["z"].abs() > 1.96).sum() <= 2


@pytest.mark.parametrize(
    ("voxels", "error", "said"),
    [
        (np.eye(32)[..., None] * np.ones(32), PrepareError, "half a brain, found less"),
        (np.full((32, 32, 32), 7.0), ScanError, "found the value 7 in every voxel"),
        (None, UsageError, "Check the path"),
    ],
)
def test_what_cannot_be_reported_says_why_and_writes_nothing(tmp_path, voxels, error, said) -> None:
    path, out = tmp_path / "scan.nii.gz", tmp_path / "out" / "report.html"
    if voxels is not None:
        save_scan(voxels, np.diag([4.0, 4.0, 4.0, 1.0]), path)
    with pytest.raises(error, match=said):
        write_report(path, out)
    assert not out.exists()
