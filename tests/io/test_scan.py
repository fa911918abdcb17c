"""A scan is sound, or there is one sentence that says why not."""

import os

import nibabel as nib
import numpy as np
import pytest

from datkit.errors import UsageError
from datkit.io.scan import is_safe_uid, load_scan, save_scan

AFFINE = np.diag([3.0, 3.0, 3.0, 1.0])


@pytest.fixture
def head() -> np.ndarray:
    """A block of distinct counts, shape (10, 12, 14)."""
    return np.arange(10 * 12 * 14, dtype=np.float32).reshape(10, 12, 14)


def test_voxels_and_affine_come_back_as_they_were(head, tmp_path):
    affine = nib.affines.from_matvec([[0, -2, 0], [2, 0, 0], [0, 0, 3]], [5, -6, 7])
    scan = load_scan(save_scan(head, affine, tmp_path / "exam.nii.gz"))
    np.testing.assert_array_equal(scan.data, head)
    np.testing.assert_allclose(scan.affine, affine)
    np.testing.assert_allclose(scan.spacing, [2, 2, 3])
    assert scan.data.dtype == np.float32 and scan.repairs == ()


def test_same_voxels_same_bytes(head, tmp_path):
    first = save_scan(head, AFFINE, tmp_path / "a.nii.gz").read_bytes()
    second = save_scan(head.copy(), AFFINE, tmp_path / "b.nii.gz").read_bytes()
    assert first == second


def test_uint16_clips_instead_of_wrapping(tmp_path):
    data = np.zeros((8, 8, 8), dtype=np.float32)
    data[0, 0, :3] = [-5, 70_000, 2.6]
    scan = load_scan(save_scan(data, AFFINE, tmp_path / "x.nii.gz", dtype="uint16"))
    np.testing.assert_array_equal(scan.data[0, 0, :3], [0, 65_535, 3])


def test_a_failed_write_leaves_the_old_file_and_no_part(head, tmp_path):
    path = save_scan(head, AFFINE, tmp_path / "exam.nii.gz")
    before = path.read_bytes()
    with pytest.raises(Exception):  # noqa: B017, PT011  whatever nibabel makes of a bad affine
        save_scan(head, np.eye(3), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["exam.nii.gz"]


def test_a_missing_file_is_wrong_use(tmp_path):
    with pytest.raises(UsageError, match="found none"):
        load_scan(tmp_path / "nowhere.nii.gz")


@pytest.mark.parametrize("uid", ["", "../x", "a/b", "a b", ".hidden", "-rf", "é", "x" * 101, 7])
def test_unsafe_uids_are_refused(uid):
    assert not is_safe_uid(uid)


@pytest.mark.parametrize("name", ["exam.nii", "exam.nii.gz", "exam.dcm", "exam"])
def test_a_pipe_is_not_waited_for(name, tmp_path):
    os.mkfifo(tmp_path / name)
    with pytest.raises(UsageError, match="found a pipe, socket or device. Check the path"):
        load_scan(tmp_path / name)
    with pytest.raises(UsageError, match="found a pipe, socket or device"):
        load_scan(os.devnull)
