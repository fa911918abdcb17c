"""A cohort in memory: its volumes are hashed, its subsets hold what was asked for."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest
from exams import describe_cohort, save_block

from datkit.data import Cohort, open_folder
from datkit.errors import ChecksumError, CohortError, ScanError, UsageError


def test_a_volume_whose_bytes_changed_is_never_loaded_not_on_the_second_call_either(make):
    folder = make(["a", "b"])
    describe_cohort(folder)
    cohort = open_folder(folder)
    save_block(cohort.path_of("a"), fill=9)
    found = hashlib.sha256(cohort.path_of("a").read_bytes()).hexdigest()
    for some in (cohort, cohort, cohort.subset(["a"])):
        with pytest.raises(ChecksumError, match=found) as caught:
            some.load("a", repair=True)
        assert "niftis/a.nii.gz" in str(caught.value) and "\n" not in str(caught.value)
    assert cohort.load("b").data[0, 0, 0] == 1


def test_a_volume_whose_bytes_changed_is_not_copied(make, tmp_path):
    folder = make(["a", "b"])
    describe_cohort(folder)
    cohort = open_folder(folder)
    save_block(cohort.path_of("a"), fill=9)
    with pytest.raises(ChecksumError, match=r"niftis/a\.nii\.gz"):
        cohort.save_volume("a", tmp_path / "copy.nii.gz")
    assert not (tmp_path / "copy.nii.gz").exists()
    cohort.save_volume("b", tmp_path / "copy.nii.gz")
    assert (tmp_path / "copy.nii.gz").read_bytes() == cohort.path_of("b").read_bytes()


def test_a_volume_that_went_away_or_broke_is_told(make):
    folder = make(["a", "b"])
    cohort = open_folder(folder)
    cohort.path_of("a").unlink()
    with pytest.raises(UsageError, match="a.nii.gz"):
        cohort.load("a")
    cohort.path_of("b").write_bytes(cohort.path_of("b").read_bytes()[:100])
    with pytest.raises(ScanError, match="b.nii.gz"):
        cohort.load("b")


def test_a_subset_keeps_the_order_asked_for_and_leaves_the_whole_alone(make):
    table = "uid,age\na,1\nb,2\nc,3\n"
    cohort = open_folder(make(["a", "b", "c"], exams=table, truth=table))
    some = cohort.subset(["c", "a"])
    assert isinstance(some, Cohort) and some.uids == ["c", "a"]
    assert some.exams["age"].tolist() == some.truth["age"].tolist() == [3, 1]
    assert some.load("c").data[0, 0, 0] == 2 and len(cohort) == 3
    with pytest.raises(CohortError, match="expected exams of this cohort, found 'b'"):
        some.path_of("b")


def test_a_subset_of_unknown_or_repeated_exams_is_refused(make):
    cohort = open_folder(make(["007", "8"]))
    with pytest.raises(CohortError, match=r"found 7; .*text: '007', not 7"):
        cohort.subset([7])
    with pytest.raises(CohortError, match="found '8' several times"):
        cohort.subset(["8", "007", "8"])
    with pytest.raises(CohortError, match="found '../007'"):
        cohort.load("../007")


def test_the_inference_path_stays_light():
    absent = {"pydantic", "yaml", "pooch", "requests", "nilearn", "matplotlib", "sklearn", "torch"}
    # nibabel takes pydicom along where that is installed, and pydicom takes requests
    code = "import sys; sys.modules['pydicom'] = None; import datkit.data; "
    code += f"print({absent} & set(sys.modules))"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
