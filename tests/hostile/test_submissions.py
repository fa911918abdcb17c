"""Submissions that are broken, each found by its own code, and good ones of which none is.

The corpus lies in ``tests/parts``: ``broken_archives``, ``broken_code`` and ``good_submissions``.
Whole programs that a replica runs lie in ``submissions`` beside this file.
"""

from __future__ import annotations

import broken_archives  # noqa: F401  (it fills the corpus)
import broken_code  # noqa: F401
import good_submissions  # noqa: F401
import nibabel as nib
import numpy as np
import pytest
from exams import save_stand_ins
from submissions import BROKEN, GOOD

from datkit.data import open_folder
from datkit.inspect.submission import Submission, find_problems
from datkit.replica import SCENARIOS, run_submission

pytestmark = pytest.mark.usefixtures("any_isolation")

UIDS = ["007", "1e5", "00031", "100012", "12"]  # text, though each reads as a number
DYNAMIC = {name for name, one in BROKEN.items() if one.dynamic}
# What shows only in several runs, or beside damaged exams.
VARIED = sorted(name for name in DYNAMIC if SCENARIOS.codes & {*BROKEN[name].dynamic})


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Five files that only look like exams: the programs of the corpus read their sizes."""
    folder = save_stand_ins(tmp_path_factory.mktemp("stand-in"), UIDS)
    return open_folder(folder, require_labels=False)


@pytest.fixture(scope="module")
def volumes(tmp_path_factory):
    """Five small volumes, each of another size on disk."""
    folder = tmp_path_factory.mktemp("volumes")
    (folder / "niftis").mkdir()
    for number, uid in enumerate(UIDS):
        data = np.random.default_rng(number).random((8, 8, 8 + number), dtype=np.float32)
        nib.save(nib.Nifti1Image(data, np.eye(4)), folder / "niftis" / f"{uid}.nii.gz")
    return open_folder(folder, require_labels=False)


def test_the_corpus_is_large():
    assert len(BROKEN) >= 60 and len(GOOD) >= 10
    assert len({name for name, one in BROKEN.items() if not one.dynamic}) >= 60, "by reading alone"
    assert all(one.fault for one in [*BROKEN.values(), *GOOD.values()])


@pytest.mark.parametrize("name", BROKEN)
def test_each_fault_is_found_by_its_code_and_no_other(name, tmp_path):
    with Submission(BROKEN[name].write(tmp_path)) as submission:
        found = {problem.code for problem in find_problems(submission)}
    assert tuple(sorted(found)) == BROKEN[name].codes


@pytest.mark.parametrize("name", GOOD)
def test_what_is_good_is_not_flagged(name, tmp_path):
    with Submission(GOOD[name].write(tmp_path)) as submission:
        assert [*find_problems(submission)] == []


@pytest.mark.parametrize("name", GOOD)
def test_what_is_good_runs(name, tmp_path, cohort):
    report = run_submission(GOOD[name].write(tmp_path), cohort, progress=False)
    assert report.ok, str(report)


@pytest.mark.parametrize("name", sorted(DYNAMIC - {*VARIED}))
def test_what_only_a_run_shows_is_found_by_running(name, tmp_path, cohort):
    path = BROKEN[name].write(tmp_path)
    with Submission(path) as submission:
        assert not submission.problems, "it must be safe to unpack"
    report = run_submission(path, cohort, progress=False)
    found = {problem.code for problem in report.problems if problem.is_error}
    assert found == set(BROKEN[name].dynamic), str(report)


@pytest.mark.parametrize("name", VARIED)
def test_what_only_several_runs_show_is_found_in_a_scenario(name, tmp_path, volumes):
    [code] = BROKEN[name].dynamic
    path = BROKEN[name].write(tmp_path)
    report = run_submission(path, volumes, exams=6, scenarios=[code], progress=False)
    found = {problem.code for problem in report.problems}
    assert found == {code, *BROKEN[name].codes}, str(report)
