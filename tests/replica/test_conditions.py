"""Mounts that are late or cannot be listed, and exams that are damaged: each as its name says."""

from __future__ import annotations

import time

import nibabel as nib
import numpy as np
import pytest
from nibabel.filebasedimages import ImageFileError
from zips import save_zip

from datkit.data import open_folder
from datkit.inspect.submission import Submission
from datkit.replica.conditions import KINDS, NAN, DamagedExams, late_mount, unlistable_mount
from datkit.replica.folders import build_replica


@pytest.fixture
def replica(cohort_folder, tmp_path):
    cohort = open_folder(cohort_folder, require_labels=False)
    with Submission(save_zip(tmp_path / "a.zip", {"main.py": ""})) as submission:
        yield build_replica(submission, cohort, cohort.uids, tmp_path / "replica")


@pytest.fixture
def cohort(tmp_path):
    """One exam of 8³ voxels."""
    (tmp_path / "one" / "niftis").mkdir(parents=True)
    data = np.ones((8, 8, 8), dtype=np.float32)
    data[4, 4, 4] += 1
    nib.save(nib.Nifti1Image(data, np.eye(4)), tmp_path / "one" / "niftis" / "007.nii.gz")
    return open_folder(tmp_path / "one", require_labels=False)


def test_late_data_come_in_time_and_are_the_same(replica):
    with late_mount(replica, 0.3):
        assert not [*replica.data.iterdir()]
        deadline = time.monotonic() + 60
        while not (replica.data / "submission_format.csv").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert len([*(replica.data / "niftis").iterdir()]) == 5  # the format file comes last
    assert replica.changed_data() == []
    assert replica.data.stat().st_mode & 0o777 == 0o555


def test_data_that_never_came_are_there_once_the_run_is_over(replica):
    with late_mount(replica, 3600):
        assert not [*replica.data.iterdir()]
    assert replica.changed_data() == []


def test_a_folder_that_cannot_be_listed_opens_by_name(replica):
    folder = replica.data / "niftis"
    with unlistable_mount(replica):
        assert folder.stat().st_mode & 0o777 == 0o311
        assert (folder / "007.nii.gz").read_bytes()
    assert folder.stat().st_mode & 0o777 == 0o555


def test_a_copy_to_which_nothing_is_done_is_the_exam(cohort, tmp_path):
    copies = DamagedExams(cohort, "007", ["no fault at all"] * 2)
    assert len(copies.damaged) == 2 and "007" not in copies.damaged
    for uid in copies.damaged:
        copies.save_volume(uid, tmp_path / "copy.nii.gz")
        assert (tmp_path / "copy.nii.gz").read_bytes() == cohort.path_of("007").read_bytes()


def test_damaged_exams_are_what_their_names_say(cohort, tmp_path):
    damaged = DamagedExams(cohort, "007")
    assert list(damaged.damaged.values()) == list(KINDS)
    paths = {kind: tmp_path / f"{uid}.nii.gz" for uid, kind in damaged.damaged.items()}
    for uid in damaged.damaged:
        damaged.save_volume(uid, tmp_path / f"{uid}.nii.gz")
    assert np.isnan(nib.load(paths[NAN]).get_fdata()).sum() == 1
    assert nib.load(paths["a fourth axis"]).ndim == 4
    assert nib.load(paths["voxels of a few micrometres"]).header.get_zooms()[0] < 0.01
    turned = nib.load(paths["big-endian numbers"])
    assert turned.header.endianness == ">" and turned.get_fdata().max() == 2
    assert not nib.load(paths["zero in every voxel"]).get_fdata().any()
    with pytest.raises((EOFError, OSError, ImageFileError)):
        nib.load(paths["a file that was cut short"]).get_fdata()
    assert paths["a file without content"].stat().st_size == 0 and not paths["no file"].exists()
