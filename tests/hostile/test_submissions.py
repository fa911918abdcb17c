"""Submissions that are broken, each found by its own code, and good ones of which none is.

The corpus lies in ``tests/parts``: ``broken_archives``, ``broken_code`` and ``good_submissions``.
Whole programs that a replica runs lie in ``submissions`` beside this file.
"""

from __future__ import annotations

import broken_archives  # noqa: F401  (it fills the corpus)
import broken_code  # noqa: F401
import good_submissions  # noqa: F401
import pytest
from submissions import BROKEN, GOOD

from datkit.cohort import open_folder
from datkit.submit import check_submission, run_submission
from datkit.submit.archive import archive_problems
from datkit.submit.codes import CODES

UIDS = ["007", "1e5", "00031", "100012", "12"]  # text, though each reads as a number
DYNAMIC = {name for name, one in BROKEN.items() if one.dynamic}
# Codes of checks that compare several runs, or run on damaged exams: not reported yet. Whoever adds
# one to the list of codes takes it out here, and its submissions are run.
TO_COME = {
    "constant-output",
    "depends-on-others",
    "hostile-exam",
    "late-mount",
    "nan-moves",
    "not-deterministic",
    "read-outside",
}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Five files that only look like exams: the programs of the corpus read their sizes."""
    folder = tmp_path_factory.mktemp("stand-in")
    (folder / "niftis").mkdir()
    for number, uid in enumerate(UIDS):
        (folder / "niftis" / f"{uid}.nii.gz").write_bytes(b"\x1f\x8b" * (number + 1))
    return open_folder(folder, require_labels=False)


def test_the_corpus_is_large():
    assert len(BROKEN) >= 60 and len(GOOD) >= 10
    assert len({name for name, one in BROKEN.items() if not one.dynamic}) >= 60, "by reading alone"
    assert all(one.fault for one in [*BROKEN.values(), *GOOD.values()])


@pytest.mark.parametrize("name", BROKEN)
def test_each_fault_is_found_by_its_code_and_no_other(name, tmp_path):
    found = {problem.code for problem in check_submission(BROKEN[name].write(tmp_path))}
    assert tuple(sorted(found)) == BROKEN[name].codes


@pytest.mark.parametrize("name", GOOD)
def test_what_is_good_is_not_flagged(name, tmp_path):
    assert check_submission(GOOD[name].write(tmp_path)) == []


@pytest.mark.parametrize("name", GOOD)
def test_what_is_good_runs(name, tmp_path, cohort):
    report = run_submission(GOOD[name].write(tmp_path), cohort, progress=False)
    assert report.ok, str(report)


def test_no_code_is_to_come_that_is_there():
    assert {code for name in DYNAMIC for code in BROKEN[name].dynamic} - CODES.keys() == TO_COME


@pytest.mark.parametrize("name", sorted(n for n in DYNAMIC if not TO_COME & {*BROKEN[n].dynamic}))
def test_what_only_a_run_shows_is_found_by_running(name, tmp_path, cohort):
    path = BROKEN[name].write(tmp_path)
    assert not archive_problems(path), "it must be safe to unpack"
    report = run_submission(path, cohort, progress=False)
    found = {problem.code for problem in report.problems if problem.is_error}
    assert found == set(BROKEN[name].dynamic), str(report)
