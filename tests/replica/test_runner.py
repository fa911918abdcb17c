"""Each run of a runner starts afresh, and says in a phrase why it has no predictions."""

from __future__ import annotations

import pytest
from attacks import ANSWER
from zips import save_zip

from datkit.data import open_folder
from datkit.inspect.submission import Submission
from datkit.replica.folders import Settings
from datkit.replica.runner import Runner


@pytest.fixture
def run(cohort_folder, tmp_path):
    """Run a main.py twice on two exams; return both runs and what was said."""

    def act(code: str):
        said, cohort = [], open_folder(cohort_folder)
        with Submission(save_zip(tmp_path / "a.zip", {"main.py": code})) as submission:
            runner = Runner(submission, Settings(seconds=60), said.append)
            runs = [runner.run(name, cohort, ["12", "007"]) for name in ("one", "two")]
        return runs, said

    return act


def test_a_run_leaves_nothing_to_the_next(run):
    code = "import os; assert not os.path.exists('note')\nopen('note', 'w').close()\n" + ANSWER
    (one, two), said = run(code)
    assert said == [one.name, two.name] == ["one", "two"]
    assert one.problems == two.problems == [] and one.failure == ""
    assert one.predictions == two.predictions == {"12": 0.5, "007": 0.5}
    assert one.table == two.table == b"uid,is_pathologic\n12,0.5\n007,0.5\n"


def test_a_failure_is_a_phrase(run):
    (one, _), _ = run("raise SystemExit(3)")
    assert one.failure == "no answer (main.py: 3 (no message))"
    assert (one.predictions, one.table) == ({}, b"")
