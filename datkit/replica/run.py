"""Run a submission as the platform would: fresh folders, read-only data, no network, limits."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datkit.inspect.runtime import version_differences
from datkit.inspect.submission import check_submission
from datkit.inspect.zip_file import archive_problems
from datkit.problems import Problem
from datkit.replica.assess import judge_run
from datkit.replica.folders import build_replica, choose_uids
from datkit.replica.mount import Mount
from datkit.replica.process import Ending, execute
from datkit.replica.run_report import RunReport
from datkit.replica.sandbox import Limits, choose_level, describe_level
from datkit.submit.predictions import check_against, read_predictions
from datkit.submit.score import score_predictions

if TYPE_CHECKING:
    from datkit.data import Cohort
    from datkit.replica.hostile_exams import SpoiltExams

__all__ = ["Run", "RunReport", "Runner", "be_silent", "open_exams", "run_submission", "speak"]

# The platform's smoke test: the challenge's code submission page (see datkit.inspect.runtime).
SMOKE_EXAMS = 20
SMOKE_SECONDS = 360


def be_silent(message: str) -> None:
    """Say nothing."""


def speak(message: str) -> None:
    """Say on standard error what is going on."""
    print(f"submit run: {message}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Run:
    """One run of a submission: how it ended, what is wrong with it, what it predicted."""

    ending: Ending
    problems: list[Problem]
    predictions: dict[str, float]
    table: bytes


@dataclass(frozen=True)
class Runner:
    """Runs one submission, each time in a fresh replica: the same settings for every run."""

    zip_path: str | os.PathLike[str]
    level: str
    time_limit: float = SMOKE_SECONDS
    smoke: bool = True
    limits: Limits | None = None
    say: Callable[[str], None] = be_silent

    def run(self, exams: Cohort | SpoiltExams, uids: list[str], mount: Mount | None = None) -> Run:
        """Run it on `uids`, in that order; `mount` may delay or veil the data."""
        with tempfile.TemporaryDirectory(prefix="datkit-run-") as folder:
            replica = build_replica(self.zip_path, exams, uids, Path(folder), level=self.level)
            mount = mount or Mount()
            mount.begin(replica)
            later = [(mount.seconds, lambda: mount.finish(replica))]
            ending = execute(replica, self.time_limit, self.smoke, self.say, self.limits, later)
            mount.finish(replica)
            wrong = check_against(replica.written, uids)
            predictions = {} if wrong else read_predictions(replica.written)
            table = replica.written.read_bytes() if replica.written.exists() else b""
            return Run(ending, [*judge_run(replica, ending), *wrong], predictions, table)


def run_submission(
    zip_path: str | os.PathLike[str],
    cohort: Cohort | str | os.PathLike[str],
    *,
    exams: int | None = SMOKE_EXAMS,
    time_limit: float = SMOKE_SECONDS,
    smoke: bool = True,
    seed: int = 0,
    isolation: str | None = None,
    limits: Limits | None = None,
    progress: bool = True,
) -> RunReport:
    """Check a submission, run it in a replica of the platform, and check what it wrote.

    The replica holds the unpacked zip, read-only copies of the exams in a shuffled order, and no
    labels. `main.py` runs in a fresh process with an environment of its own. Packages that the
    platform lacks cannot be imported; what it must not touch is refused and reported.

    In Docker or bubblewrap, submitted code may be hostile; :mod:`datkit.replica.sandbox` says what
    holds it. A plain process, the last resort, finds mistakes and holds nobody.

    Parameters
    ----------
    zip_path : path
        The submission.
    cohort : Cohort or path
        Where the exams come from; labels may be missing.
    exams : int, optional
        How many exams to draw; None takes all. The platform's smoke test has about 20.
    time_limit : float
        Seconds; the platform gives 360 to its smoke test and 3 hours to the test set.
    smoke : bool
        Whether to set IS_SMOKE_TEST.
    seed : int
        Of the draw and the order.
    isolation : str, optional
        ``"docker"``, ``"bubblewrap"`` or ``"plain"``; by default the strongest one at hand.
    limits : Limits, optional
        Of memory, processes and disk; by default the platform's, or what this machine has.
    progress : bool
        Say on standard error what is going on.

    Raises
    ------
    UsageError
        If there is no such zip or cohort folder, or not that isolation.
    CohortError
        If the cohort folder breaks the layout.
    SubmissionError
        If the cohort has no exams.
    """
    say = speak if progress else be_silent
    cohort = open_exams(cohort)
    say(f"checking {zip_path}")
    problems = check_submission(zip_path)
    if archive_problems(zip_path):
        return RunReport(str(zip_path), problems)  # not to be unpacked, let alone run
    uids, level = choose_uids(cohort.uids, exams, seed), choose_level(isolation)
    say(f"running main.py on {len(uids)} exams of {cohort.name}, for {time_limit:.0f} s at most")
    say(f"isolation: {describe_level(level)}")
    runner = Runner(zip_path, level, time_limit, smoke, limits, say)
    run = runner.run(cohort, uids)
    problems += run.problems
    say(f"{len(problems)} problems found")
    return RunReport(
        str(zip_path),
        problems,
        exams=len(uids),
        seconds=run.ending.seconds,
        exit_code=run.ending.exit_code,
        isolation=run.ending.isolation,
        log=run.ending.log,
        log_loss=score_predictions(run.predictions, cohort.labels),
        predictions=run.predictions,
        versions=version_differences(),
    )


def open_exams(cohort: Cohort | str | os.PathLike[str]) -> Cohort:
    """Open a cohort's folder, labelled or not; pass an open cohort through."""
    from datkit.data import Cohort, open_folder

    return cohort if isinstance(cohort, Cohort) else open_folder(cohort, require_labels=False)
