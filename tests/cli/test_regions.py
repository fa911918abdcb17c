"""`datkit readers draw, overlap, seg`."""

from __future__ import annotations

import json

import numpy as np
import pytest
from exams import save_dicom, small

from datkit.cli import main
from datkit.io.scan import load_scan
from datkit.reading import save_region

AFFINE = np.array([[5.0, 0, 0, -70], [0, 5.5, 0, -90], [0, 0, 6.0, -60], [0, 0, 0, 1]])


@pytest.fixture
def exam(tmp_path):
    pytest.importorskip("highdicom", reason="the extra segmentation is not installed")
    uids = {"StudyInstanceUID": "1.2.3.4", "SeriesInstanceUID": "1.2.3.4.5"}
    return save_dicom(tmp_path / "exam.dcm", small(), AFFINE, **uids)


def mask(exam, reader, first=8):
    path, drawn = exam.with_name(f"{reader}.nii.gz"), np.zeros(load_scan(exam).shape, np.uint8)
    drawn[first : first + 4, 10:14, 8:12] = 2  # columns run to the patient's left
    drawn[20:24, 10:14, 8:12] = 1
    save_region(drawn, exam, path, reader=reader, how={"tool": "scripted"})
    return path


def test_a_page_and_a_segmentation_are_written_and_a_mask_comes_back(tmp_path, exam, capsys):
    page, out, back = (tmp_path / name for name in ("draw.html", "seg.dcm", "back.nii.gz"))
    assert main(["readers", "draw", str(exam), "--out", str(page)]) == 0
    assert "not for diagnosis" in page.read_text(encoding="utf-8")
    assert main(["readers", "seg", str(exam), str(mask(exam, "anna")), "--out", str(out)]) == 0
    assert main(["readers", "seg", str(exam), str(out), "--out", str(back)]) == 0
    assert back.with_name("back.json").exists() and "written" in capsys.readouterr().out
    before = exam.read_bytes()
    assert main(["readers", "seg", str(exam), str(mask(exam, "ben")), "--out", str(exam)]) == 2
    assert exam.read_bytes() == before and "Expected a new .dcm" in capsys.readouterr().err


@pytest.mark.parametrize(("ending", "needed"), [(".nii.gz", ".dcm"), (".dcm", ".nii.gz")])
def test_a_region_is_not_written_under_the_other_kinds_name(ending, needed, tmp_path, capsys):
    words = ["exam.dcm", f"region{ending}", "--out", str(tmp_path / f"out{ending}")]
    assert main(["readers", "seg", *words]) == 2
    assert f"Expected a new {needed}, found" in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []


def test_one_reader_twice_is_no_comparison(exam, capsys):
    path = str(mask(exam, "anna"))
    assert main(["readers", "overlap", str(exam), path, path]) == 2
    assert "several of 'anna'" in capsys.readouterr().err


def test_readers_are_compared(tiny_cohort, tmp_path, capsys):
    from datkit.simulate import draw_exam, true_regions

    uid = tiny_cohort.uids[3]
    exam, paths = tiny_cohort.path_of(uid), []
    for reader, by in (("anna", 0), ("ben", 1)):
        drawn = np.roll(true_regions(draw_exam(2026, uid)), by, axis=1)
        paths.append(str(tmp_path / f"{reader}.nii.gz"))
        save_region(drawn, exam, paths[-1], reader=reader, how={"tool": "scripted"})
    assert main(["readers", "overlap", str(exam), *paths, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["reader"] for row in rows] == ["anna", "ben", "majority"] * 2
    assert all(0.5 < row["dice"] <= 1 for row in rows)
