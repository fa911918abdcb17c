"""A department's own normal range: from its exams to a report and to measures, on few of them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from datkit.cli import main
from datkit.io.scan import save_scan
from datkit.measure import own_normals
from datkit.prepare.grid import load_template


@pytest.fixture
def exams(tmp_path, monkeypatch):
    """Four heads, the template with noise, and their ages; four, and alike, are enough for once."""
    monkeypatch.setattr(own_normals, "FEWEST", 4)
    monkeypatch.setattr(own_normals, "FEWEST_OF_A_SEX", 0)
    monkeypatch.setattr(own_normals, "LEAST_SD", 0)
    head, rng = load_template(), np.random.default_rng(1)
    for number in range(4):
        noisy = head.data + rng.normal(0, 4, head.data.shape) * (head.data > 20)
        save_scan(noisy, head.affine, tmp_path / "exams" / "niftis" / f"{number}.nii.gz")
    rows = ["0,50,F", "1,60,F", "2,70,M", "3,80,M"]
    (tmp_path / "ages.csv").write_text("\n".join(["uid,age,sex", *rows]))
    return tmp_path


def test_from_exams_to_a_report(exams, run_json, capsys):
    mine, scan = exams / "mine.json", exams / "exams" / "niftis" / "0.nii.gz"
    words = ("normals", "fit", exams / "exams", "--table", exams / "ages.csv", "--out", mine)
    code, made = run_json(*words, "--jobs", "1")
    assert (
        code == 0 and made["left_out"] == {} and json.loads(mine.read_text())["normals"]["n"] == 4
    )
    compare = (str(scan), "--age", "55", "--sex", "F", "--normals", str(mine))
    assert main(["measure", *compare]) == 0
    shown = capsys.readouterr().out
    assert "normals: 4 normal exams of mine.json (aged 50 to 80 years;" in shown
    assert shown.count(", normal ") > 25
    code, found = run_json("measure", *compare)
    (told,) = found["normals"].values()
    assert told["n"] == 4 and told["limits"] == [] and "z" in told["measures"]["putamen_left"]
    assert main(["report", *compare, "--out", str(exams / "page.html")]) == 0
    page = (exams / "page.html").read_text(encoding="utf-8")
    assert "of 4 normal exams of mine.json" in page and 'class="range"' in page


def test_what_is_wrong_is_told_and_nothing_is_written(exams, capsys):
    (exams / "ages.csv").write_text("uid,age,sex\n0,x,F\n1,60,F\n2,70,M")
    mine = exams / "mine.json"
    words = ["normals", "fit", str(exams / "exams"), "--table", str(exams / "ages.csv")]
    assert main([*words, "--out", str(mine)]) == 1 and not mine.exists()
    said = capsys.readouterr().err
    assert "found 0: 'x'" in said and "none for 3" in said and "found 3." in said


def test_a_missing_table_is_wrong_use_and_named_once(exams, capsys):
    table, mine = exams / "no_ages.csv", exams / "mine.json"
    words = ["normals", "fit", exams / "exams", "--table", table, "--out", mine]
    assert main([str(word) for word in words]) == 2 and not mine.exists()
    assert capsys.readouterr().err.count(str(table)) == 1


@pytest.mark.parametrize("options", [[], ["--age", "60", "--sex", "F", "--reconstruction", "FBP"]])
def test_normals_need_age_and_sex_and_are_the_only_ones(capsys, options):
    for verb in ("measure", "report"):
        assert main([verb, "scan.nii.gz", "--normals", "mine.json", *options]) == 2
        assert "Expected --age and --sex with --normals" in capsys.readouterr().err


def test_help_says_how_many_are_needed_and_what_is_assumed(shown_help):
    said = shown_help("normals", "fit")
    assert "At least 20 good exams" in said and "straight line in age" in said
    assert "Read every exam as normal before" in said


def test_resolutions_of_several_cameras_are_warned_of_and_what_is_assumed_is_said(
    exams, run_json, capsys, monkeypatch
):
    monkeypatch.setattr(own_normals, "WIDEST", -1.0)  # the four are alike
    words = ("normals", "fit", exams / "exams", "--table", exams / "ages.csv")
    words = (*words, "--out", exams / "mine.json", "--jobs", "1")
    assert main(list(map(str, words))) == 0
    shown = capsys.readouterr()
    assert "warning: the effective resolutions: expected a span of" in shown.err
    assert "exams that you have read as normal, since the fit cannot know it" in shown.out
    (warning,) = run_json(*words)[1]["warnings"]
    assert warning["code"] == "resolution" and "middle 95 %" in warning["found"]
