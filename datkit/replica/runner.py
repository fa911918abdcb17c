"""One run of a submission: a fresh replica, what went wrong in it, and what it predicted."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from datkit.inspect.submission import Submission
from datkit.problems import Problem
from datkit.replica.assess import RUN, Finished
from datkit.replica.conditions import Mount
from datkit.replica.folders import Exams, Settings, build_replica
from datkit.replica.process import Ending, execute
from datkit.submit.predictions import check_predictions, read_predictions

__all__ = ["Run", "Runner"]


@dataclass(frozen=True)
class Run:
    """One run: which it was, how it ended, what is wrong with it, and what it wrote.

    `predictions` are {uid: probability}, empty where they have a problem; `table` are their bytes.
    """

    name: str
    ending: Ending
    problems: list[Problem]
    predictions: dict[str, float]
    table: bytes

    @property
    def failure(self) -> str:
        """Why it has no predictions, in a phrase; empty if it has them."""
        if self.predictions and self.ending.exit_code == 0:
            return ""
        return f"no answer ({self.problems[0].place}: {self.problems[0].found})"


@dataclass(frozen=True)
class Runner:
    """Runs one submission, each time in a fresh replica: the same settings for every run."""

    submission: Submission
    settings: Settings
    say: Callable[[str], None]

    def run(self, name: str, exams: Exams, uids: list[str], mount: Mount = nullcontext) -> Run:
        """Run it on `uids`, in that order; `mount` may change how the data appear."""
        self.say(name)
        with tempfile.TemporaryDirectory(prefix="datkit-run-") as folder:
            replica = build_replica(self.submission, exams, uids, Path(folder), self.settings)
            with mount(replica):
                ending = execute(replica, self.say)
            column, grades = self.settings.column, self.settings.grades
            wrong = check_predictions(replica.written, uids, column=column, grades=grades)
            predictions = {} if wrong else read_predictions(replica.written, column=column)
            table = replica.written.read_bytes() if replica.written.exists() else b""
            problems = [*RUN.problems(Finished(replica, ending)), *wrong]
            return Run(name, ending, problems, predictions, table)
