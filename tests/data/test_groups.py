"""Groups of exams: families told by geometry, and folds that keep every group on one side."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from exams import FAMILIES, save_dicom, save_small, small

from datkit.data import family_of, grouped_folds, infer_families, open_path
from datkit.data.groups import geometry_of
from datkit.errors import CohortError, ScanError, UsageError


@pytest.mark.parametrize("family", FAMILIES)
def test_the_families_of_the_challenge_are_told_apart(family):
    assert family_of(*FAMILIES[family]) == family


@pytest.mark.parametrize("n", [118, 142, 178])
def test_a_field_cut_to_each_patient_is_one_family(n):
    assert family_of((n, n, 112), (2.46, 2.46, 2.46)) == "2.5 mm even stack"


@pytest.mark.parametrize(("zoom", "slices"), [(1.50, 44), (1.63, 50), (1.88, 55)])
def test_a_zoom_chosen_for_each_patient_is_one_family(zoom, slices):
    assert family_of((128, 128, slices), (zoom, zoom, 3.0)) == "3.0 mm zoomed stack"


def test_families_do_not_depend_on_the_order_of_axes_or_a_tilt(tmp_path):
    data, spacing = small(shape=(20, 24, 16)), np.diag([4.0, 4.0, 5.0, 1.0])
    turned = np.array([[0, 0, -4.0, 0], [4.0, 0, 0, 0], [0, 5.0, 0, 0], [0, 0, 0, 1]])
    angle = np.deg2rad(10)
    tilt = np.eye(4)
    tilt[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    nib.save(nib.Nifti1Image(data, spacing), tmp_path / "a.nii")
    nib.save(nib.Nifti1Image(data.transpose(1, 2, 0)[..., ::-1], turned), tmp_path / "b.nii")
    nib.save(nib.Nifti1Image(data, tilt @ spacing), tmp_path / "c.nii")
    for name in "abc":
        shape, found = geometry_of(tmp_path / f"{name}.nii")
        assert shape == (20, 24, 16)
        np.testing.assert_allclose(found, [4, 4, 5], atol=1e-5)


def test_dicom_and_nifti_of_one_exam_are_one_family(tmp_path, pydicom):
    affine = np.diag([4.0, 4.0, 5.0, 1.0])
    nib.save(nib.Nifti1Image(small(), affine), tmp_path / "a.nii")
    save_dicom(tmp_path / "b.dcm", small(), affine)
    assert infer_families(open_path(tmp_path)).nunique() == 1


def test_every_simulated_centre_is_known_by_its_families(tiny_cohort):
    families = infer_families(tiny_cohort)
    assert families.index.tolist() == tiny_cohort.uids
    centres = tiny_cohort.exams["centre"].groupby(families).nunique()
    assert families.nunique() >= 8 and centres.max() <= 2


def test_volumes_without_a_geometry_are_all_named(tmp_path):
    save_small(tmp_path / "good.nii.gz")
    for name in ("bad", "worse"):
        (tmp_path / f"{name}.nii.gz").write_bytes(b"<html>")
    with pytest.raises(CohortError) as caught:
        infer_families(open_path(tmp_path))
    assert [(problem.code, Path(problem.where).name) for problem in caught.value.problems] == [
        ("no-nifti", "bad.nii.gz"),
        ("no-nifti", "worse.nii.gz"),
    ]


@pytest.mark.parametrize("affine", [np.full((4, 4), np.nan), np.diag([0.0, 4, 4, 1])])
def test_a_geometry_that_is_none_is_one_sentence(tmp_path, affine):
    image = nib.Nifti1Image(small(), None)
    image.header.set_sform(affine, code=1)
    image.header.set_qform(None, code=0)
    content = bytearray(image.to_bytes())
    (tmp_path / "a.nii").write_bytes(content)
    with pytest.raises(ScanError, match="a.nii"):
        geometry_of(tmp_path / "a.nii")


# ------------------------------------------------------------ folds


def test_left_out_centres_are_never_seen_in_training():
    centres = pd.Series(["north", "south", "north", "east", "south", "north"])
    folds = grouped_folds(centres)
    assert [sorted(set(centres[test])) for _, test in folds] == [["east"], ["north"], ["south"]]
    for train, test in folds:
        assert not set(centres[train]) & set(centres[test])
        assert sorted([*train, *test]) == list(range(6))


@pytest.mark.parametrize("n_splits", [None, 2, 3, 5])
def test_every_exam_is_tested_once_and_no_group_is_split(n_splits):
    groups = np.random.default_rng(0).integers(0, 5, 60)
    folds = grouped_folds(groups, n_splits)
    assert len(folds) == (n_splits or 5)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(60))
    assert all(not set(groups[train]) & set(groups[test]) for train, test in folds)


def test_folds_do_not_depend_on_what_the_groups_are_called():
    numbers = [2, 1, 2, 3, 1]
    renamed = [f"centre {number}" for number in numbers]
    for one, other in zip(grouped_folds(numbers), grouped_folds(renamed), strict=True):
        assert np.array_equal(one[1], other[1])


@pytest.mark.parametrize(
    ("groups", "n_splits"), [(["a", "a"], None), (["a", "b"], 3), (["a", "b"], 1), ([], None)]
)
def test_folds_that_cannot_be_made_are_wrong_use(groups, n_splits):
    with pytest.raises(UsageError, match="ask for fewer folds or group the exams differently"):
        grouped_folds(groups, n_splits)


def test_an_exam_without_a_group_is_refused():
    with pytest.raises(CohortError, match="found none for 1 of 3"):
        grouped_folds(["a", None, "b"])
