"""Looking into every volume: all that is wrong is told at once."""

from __future__ import annotations

import gzip
import time
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from exams import save_dicom, save_small, small

from datkit.data import Cohort, check_cohort, find_problems, open_path
from datkit.data.check import image_hash, image_hashes
from datkit.errors import CohortError
from datkit.io.scan import load_scan, save_scan

AFFINE = np.diag([5.0, 5.0, 6.0, 1.0])


def test_every_problem_of_every_volume_is_told_at_once(tmp_path):
    save_small(tmp_path / "a.nii.gz", 1)
    save_small(tmp_path / "b.nii.gz", 1)  # the same image under another name
    save_small(tmp_path / "c.nii", 1)  # and once more, in another format
    save_small(tmp_path / "far.nii.gz", 2, spacing=0.001)
    save_small(tmp_path / "tiny.nii.gz", 3, spacing=2.0)
    (tmp_path / "web.nii.gz").write_bytes(b"<html>")
    problems = find_problems(open_path(tmp_path))
    assert [(problem.code, Path(problem.where).name) for problem in problems] == [
        ("spacing-impossible", "far.nii.gz"),
        ("field-impossible", "tiny"),
        ("no-nifti", "web.nii.gz"),
        ("image-repeated", "a"),
    ]
    assert problems[0].found == "0.001 × 0.001 × 0.001 mm"
    assert problems[1].expected == "a field of view of 80–1000 mm along each axis"
    assert problems[3].found == "the same one under 'a', 'b', 'c'"
    with pytest.raises(CohortError, match="4 problems in "):
        check_cohort(open_path(tmp_path))


def test_a_sound_cohort_has_no_problem(tiny_cohort):
    some = tiny_cohort.subset(tiny_cohort.uids[:4])
    assert find_problems(some) == []
    check_cohort(some)


def test_a_cohort_of_2200_exams_is_opened_and_checked_in_seconds(tmp_path):
    """The challenge's exams and those announced are as many; voxels are few, files are not."""
    (tmp_path / "niftis").mkdir()
    head = nib.Nifti1Image(np.zeros((8, 8, 8), np.uint16), np.diag([12.0, 12.0, 12.0, 1.0]))
    header = head.to_bytes()[:352]
    uids = [f"{number:04}" for number in range(2200)]
    for number, uid in enumerate(uids):
        voxels = np.full(512, number, "<u2")
        voxels[0] = 2201
        packed = gzip.compress(header + voxels.tobytes(), 1)
        (tmp_path / "niftis" / f"{uid}.nii.gz").write_bytes(packed)
    rows = "".join(f"{uid},{number % 2}\n" for number, uid in enumerate(uids))
    (tmp_path / "train_labels.csv").write_text("uid,is_pathologic\n" + rows)

    start = time.process_time()  # of this process alone: others may be at work beside it
    cohort = open_path(tmp_path)
    assert find_problems(cohort) == [] and len(cohort) == 2200
    assert time.process_time() - start < 10


def test_the_same_image_has_the_same_hash_in_every_format(tmp_path, pydicom):
    data = small()
    big = nib.Nifti1Image(data.astype(">f4"), AFFINE, nib.Nifti1Header(endianness=">"))
    nib.save(big, tmp_path / "big.nii")
    save_scan(data, AFFINE, tmp_path / "packed.nii.gz")
    hashes = {image_hash(load_scan(tmp_path / name)) for name in ("big.nii", "packed.nii.gz")}
    assert len(hashes) == 1
    other = data.copy()
    other[0, 0, 0] += 1
    save_scan(other, AFFINE, tmp_path / "other.nii.gz")
    save_scan(data, AFFINE * [[-1], [1], [1], [1]], tmp_path / "mirrored.nii.gz")
    for name in ("other", "mirrored"):
        assert image_hash(load_scan(tmp_path / f"{name}.nii.gz")) not in hashes


def test_a_listed_hash_is_taken_as_it_is(tiny_cohort):
    listed = tiny_cohort.info["sha256"]
    hashes = image_hashes(tiny_cohort)
    assert hashes.tolist() == [listed[f"niftis/{uid}.nii.gz"] for uid in tiny_cohort.uids]


@pytest.mark.parametrize(
    ("tracers", "found"),
    [
        (["[123I]FP-CIT", "DaTSCAN", "Ioflupane I-123", None, ""], None),
        (["[123I]FP-CIT", "[99mTc]TRODAT-1", "FPCIT"], "fp-cit (2), trodat (1)"),
        (["something", "FDOPA"], "something (1), fdopa (1)"),
    ],
)
def test_mixed_tracers_are_told_where_they_are_known(tmp_path, tracers, found):
    uids = [f"exam-{number}" for number in range(len(tracers))]
    for number, uid in enumerate(uids):
        save_small(tmp_path / f"{uid}.nii", number)
    exams = pd.DataFrame({"is_pathologic": np.nan, "tracer": tracers}, index=uids)
    paths = {uid: tmp_path / f"{uid}.nii" for uid in uids}
    problems = find_problems(Cohort("demo", tmp_path, exams, paths=paths))
    assert bool(problems) == bool(found)
    if found:
        assert problems[0].code == "tracers-mixed"
        assert {*problems[0].found.split(", ")} == {*found.split(", ")}


def test_dicom_and_nifti_of_one_exam_are_one_image(tmp_path, pydicom):
    save_dicom(tmp_path / "a.dcm", small(), AFFINE)
    scan = load_scan(save_scan(small(), AFFINE, tmp_path / "b.nii.gz"))
    dicom = open_path(tmp_path / "a.dcm").load("a")
    turned = nib.as_closest_canonical(nib.Nifti1Image(dicom.data, dicom.affine))
    np.testing.assert_array_equal(np.asarray(turned.dataobj), scan.data)
    np.testing.assert_allclose(turned.affine, scan.affine, atol=1e-4)


def test_a_qform_that_is_turned_against_the_sform_is_told(tmp_path):
    image = nib.Nifti1Image(small().astype(np.int16), AFFINE)
    turn = np.radians(10)
    turned = AFFINE @ nib.affines.from_matvec(nib.eulerangles.euler2mat(z=turn))
    image.set_qform(turned, 1)
    image.set_sform(AFFINE, 1)
    nib.save(image, tmp_path / "a.nii")
    [problem] = find_problems(open_path(tmp_path))
    assert problem.code == "orientation-contradictory" and "by 10°" in problem.found
    settled = replace(open_path(tmp_path), reading={"repair": True})
    assert find_problems(settled) == []


def fails_on_b(uid, scan):
    if uid == "b":
        raise np.linalg.LinAlgError("Singular matrix")
    return []


def test_what_nobody_foresaw_in_one_exam_is_told_and_the_others_are_looked_at(tmp_path):
    for number, name in enumerate(("a", "b", "c"), start=1):
        save_small(tmp_path / f"{name}.nii.gz", number)
    (tmp_path / "web.nii.gz").write_bytes(b"<html>")
    problems = find_problems(open_path(tmp_path), look=fails_on_b)
    assert [Path(problem.where).name for problem in problems] == ["b.nii.gz", "web.nii.gz"]
    assert problems[0].found == "LinAlgError: Singular matrix; please report it"
