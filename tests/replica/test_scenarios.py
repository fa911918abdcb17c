"""A submission answers alike whatever else changes; where it does not, the trial says which."""

from __future__ import annotations

import textwrap
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.filebasedimages import ImageFileError

from datkit.data import open_folder
from datkit.replica.hostile_exams import KINDS, NAN, SpoiltExams
from datkit.replica.sandbox import choose_level
from datkit.replica.scenarios import TRIALS, run_checks

UIDS = ["007", "1e5", "00031", "100012"]
# A sound submission in few lines, with places where a fault can be put in.
GOOD = """
import csv, time
from pathlib import Path

import nibabel as nib
import numpy as np

for _ in range(600):
    if Path("data/submission_format.csv").exists():
        break
    time.sleep(0.1)
with open("data/submission_format.csv", newline="") as stream:
    uids = [row["uid"] for row in csv.DictReader(stream)]


def predict(uid):
    try:
        data = np.nan_to_num(np.asarray(nib.load(f"data/niftis/{uid}.nii.gz").dataobj, float))
        return float(np.clip(data.mean() / 10, 0.01, 0.99)) if data.any() else 0.5
    except Exception:
        return 0.5


found = [predict(uid) for uid in uids]
# then
with open("submission.csv", "w", newline="") as stream:
    csv.writer(stream).writerows([("uid", "is_pathologic"), *zip(uids, found)])
"""
FAULTS = {
    "draws at random": ("repeat", "not-deterministic", "found = [np.random.rand() for _ in uids]"),
    "swallows everything": ("constant", "constant-output", "found = [0.5 for _ in uids]"),
    "ranks": ("subset", "depends-on-others", "found = list(np.argsort(np.argsort(found)) / 100)"),
    "centres": (
        "alone",
        "depends-on-others",
        "found = list(0.5 + np.array(found) - np.mean(found))",
    ),
    "remembers": ("order", "depends-on-others", "found = list(np.cumsum(found) / len(found))"),
    "lists": ("listing", "needs-listing", "import os; os.listdir('data/niftis')"),
    "counts files": (
        "listing",
        "needs-listing",
        "import glob; found = [p / len(glob.glob('data/niftis/*')) for p in found]",
    ),
    "prints each": ("growth", "log-projected", "for p in found: print('an exam')"),
}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Four volumes of 8³ voxels, each of another mean."""
    folder = tmp_path_factory.mktemp("four")
    (folder / "niftis").mkdir()
    for index, uid in enumerate(UIDS):
        data = np.full((8, 8, 8), index + 1, dtype=np.float32)
        data[4, 4, 4] += 1
        nib.save(nib.Nifti1Image(data, np.eye(4)), folder / "niftis" / f"{uid}.nii.gz")
    rows = "".join(f"{uid},0.0\n" for uid in UIDS)
    (folder / "submission_format.csv").write_text("uid,is_pathologic\n" + rows)
    return open_folder(folder, require_labels=False)


def zip_of(code: str, tmp_path: Path) -> Path:
    path = tmp_path / "submission.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("main.py", textwrap.dedent(code))
    return path


def codes(code: str, cohort, tmp_path, **settings) -> list[str]:
    problems = run_checks(zip_of(code, tmp_path), cohort, progress=False, **settings)
    return [problem.code for problem in problems]


def test_a_sound_submission_passes_every_trial(cohort, tmp_path, capsys):
    assert run_checks(zip_of(GOOD, tmp_path), cohort) == []
    said = capsys.readouterr().err
    assert all(f"trial: {name}" in said for name in TRIALS)


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_shows_in_its_trial(name, cohort, tmp_path, needed):
    trial, code, fault = FAULTS[name]
    needed(trial != "listing" or choose_level() != "plain", "root may list any folder")
    found = codes(GOOD.replace("# then", fault), cohort, tmp_path, trials=[trial])
    assert found == [code]


def test_a_submission_that_does_not_wait_is_told(cohort, tmp_path):
    hasty = GOOD.replace("range(600)", "range(0)")
    assert codes(hasty, cohort, tmp_path, trials=["late mount"]) == ["late-mount"]


def test_a_slow_submission_is_told_before_it_is_uploaded(cohort, tmp_path, monkeypatch):
    monkeypatch.setattr("datkit.replica.scenarios.TEST_SECONDS", 600)
    slow = GOOD.replace("# then", "time.sleep(0.5 * len(uids))")  # 1500 s for 3,000 exams
    assert codes(slow, cohort, tmp_path, trials=["growth"]) == ["time-projected"]


def test_hostile_exams_are_named_one_by_one(cohort, tmp_path):
    trusting = GOOD.replace("except Exception", "except FileNotFoundError")
    packed = zip_of(trusting, tmp_path)
    problems = run_checks(packed, cohort, trials=["hostile exams"], progress=False)
    assert {problem.code for problem in problems} == {"hostile-exam"}
    culprits = {problem.where.partition(" that has ")[2] for problem in problems}
    assert culprits == {"a file that was cut short", "a file without content"}


def test_a_nan_that_moves_a_probability_is_found(cohort, tmp_path):
    moved = GOOD.replace("np.nan_to_num(", "np.nan_to_num(nan=500.0, x=")
    assert codes(moved, cohort, tmp_path, trials=["hostile exams"]) == ["nan-moves"]


def test_a_first_run_that_fails_is_reported_alone(cohort, tmp_path):
    assert codes("raise SystemExit(3)", cohort, tmp_path) == ["exit-code", "no-predictions"]
    unsafe = tmp_path / "nested.zip"
    with zipfile.ZipFile(unsafe, "w") as archive:
        archive.writestr("folder/main.py", "")
    assert run_checks(unsafe, cohort, progress=False) == []


def test_spoilt_exams_are_what_their_names_say(cohort, tmp_path):
    spoilt = SpoiltExams(cohort, "007")
    assert list(spoilt.spoilt.values()) == list(KINDS)
    paths = {kind: tmp_path / f"{uid}.nii.gz" for uid, kind in spoilt.spoilt.items()}
    for uid in spoilt.spoilt:
        spoilt.save_volume(uid, tmp_path / f"{uid}.nii.gz")
    assert np.isnan(nib.load(paths[NAN]).get_fdata()).sum() == 1
    assert nib.load(paths["a fourth axis"]).ndim == 4
    assert nib.load(paths["voxels of a few micrometres"]).header.get_zooms()[0] < 0.01
    turned = nib.load(paths["big-endian numbers"])
    assert turned.header.endianness == ">" and turned.get_fdata().max() == 2
    assert not nib.load(paths["zero in every voxel"]).get_fdata().any()
    with pytest.raises((EOFError, OSError, ImageFileError)):
        nib.load(paths["a file that was cut short"]).get_fdata()
    assert paths["a file without content"].stat().st_size == 0 and not paths["no file"].exists()
