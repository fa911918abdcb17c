"""What the tests of the replica share: stand-in exams, and a machine with bubblewrap."""

from __future__ import annotations

from pathlib import Path

import pytest
from exams import save_stand_ins

from datkit.replica.sandbox import _failure_of

UIDS = ["007", "1e5", "00031", "100012", "12"]  # text, though each reads as a number


@pytest.fixture(scope="session")
def cohort_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five exams that only look like exams, and the labels that no submission may see."""
    folder = save_stand_ins(tmp_path_factory.mktemp("stand-in"), UIDS)
    rows = [f"{uid},{index % 2}.0\n" for index, uid in enumerate(UIDS)]
    (folder / "train_labels.csv").write_text("uid,is_pathologic\n" + "".join(rows))
    return folder


@pytest.fixture(scope="session")
def bubblewrap(needed):
    """The sandbox that needs no image; a test that asks for it is skipped where there is none."""
    failure = _failure_of("bubblewrap")
    needed(not failure, f"bubblewrap does not work here: {failure}")
