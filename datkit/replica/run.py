"""Run a submission as the platform would: fresh folders, read-only data, no network, limits."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Collection
from dataclasses import asdict, dataclass, field

from datkit.data.cohort import Cohort
from datkit.data.folder import open_folder
from datkit.errors import SubmissionError, UsageError
from datkit.inspect.findings import findings_table
from datkit.inspect.runtime import version_differences
from datkit.inspect.submission import Submission, check_submission
from datkit.problems import Problem, shown
from datkit.replica.folders import Settings
from datkit.replica.runner import Run, Runner
from datkit.replica.sandbox import LEVELS, Limits, choose_level
from datkit.replica.scenarios import SCENARIOS, SMOKE_EXAMS, SMOKE_SECONDS, Context
from datkit.submit.predictions import HEADER
from datkit.submit.score import score_predictions

__all__ = ["RunReport", "choose_uids", "run_submission"]

SCENARIO_EXAMS = 6  # about a dozen runs are made on them


@dataclass(frozen=True)
class RunReport:
    """What a run showed.

    Attributes
    ----------
    zip_path : str
    problems : list of Problem
        Of the zip, of the run and of its predictions, warnings too; empty if all is well.
    exams : int
        How many exams were to be predicted; 0 if the zip could not be run at all.
    seconds : float
        Wall time of `main.py`.
    exit_code : int or None
        Its exit code; None if it was stopped, or never started.
    isolation : str
        What stood between it and this machine.
    log : tuple of str
        What it printed, as :func:`datkit.problems.shown` writes it.
    log_loss : float or None
        Of the exams whose labels are known: a figure to look at, not a measure of the model.
    predictions : dict
        {uid: probability}, if they have no problem.
    versions : dict
        {package: (version here, version on the platform)} where they differ.
    """

    zip_path: str
    problems: list[Problem]
    exams: int = 0
    seconds: float = 0.0
    exit_code: int | None = None
    isolation: str = "not run"
    log: tuple[str, ...] = ()
    log_loss: float | None = None
    predictions: dict[str, float] = field(default_factory=dict)
    versions: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether no error was found; there may be warnings."""
        return not any(problem.is_error for problem in self.problems)

    def to_dict(self) -> dict[str, object]:
        """Return the fields and ``ok`` as plain data, for JSON."""
        return {"ok": self.ok, **asdict(self)}

    def __str__(self) -> str:
        ran = f"{self.exams} exams in {self.seconds:.1f} s ({self.isolation})"
        lines = [f"{shown(self.zip_path)}: {ran}"]
        if self.log_loss is not None:
            few = f"on these {self.exams} exams: of few, mostly chance"
            lines.append(f"log loss {self.log_loss:.3f} {few}")
        lines += findings_table(self.problems).splitlines()
        if self.exit_code and self.log:
            lines += ["The end of its log:", *(f"  | {line}" for line in self.log[-15:])]
        return shown("\n".join(lines), newline="\n")


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
    scenarios: bool | Collection[str] = False,
    progress: bool = True,
    column: str = HEADER[1],
    grades: int = 0,
) -> RunReport:
    """Check a submission, run it in a replica of the platform, and check what it wrote.

    The replica holds the unpacked zip, read-only copies of the exams in a shuffled order, and no
    labels. `main.py` runs in a fresh process with an environment of its own. Packages that the
    platform lacks cannot be imported; what it must not touch is refused and reported.

    In Docker or bubblewrap, submitted code may be hostile; :mod:`datkit.replica.sandbox` says what
    holds it. A plain process finds mistakes and holds nobody: it is for code of one's own.

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
        ``"docker"``, ``"bubblewrap"`` or ``"plain"``; by default the stronger of the first two that
        work here.
    limits : Limits, optional
        Of memory, processes and disk; by default the platform's, or what this machine has.
    scenarios : bool or collection of str
        Whether to make a dozen more runs on six of the exams, each under another condition, if
        the first gave predictions; or the codes of :data:`datkit.replica.SCENARIOS` to look for.
    progress : bool
        Say on standard error what is going on.
    column, grades : str, int
        What it predicts: see :func:`datkit.submit.predictions.check_predictions`.

    Raises
    ------
    UsageError
        If there is no such zip, cohort folder, isolation or scenario, or no sandbox works.
    CohortError
        If the cohort folder breaks the layout.
    SubmissionError
        If the cohort has no exams.
    """

    def say(message: str) -> None:
        if progress:
            print(f"submit run: {shown(message)}", file=sys.stderr, flush=True)

    codes = SCENARIOS.codes if scenarios is True else {*(scenarios or ())}
    if not codes <= SCENARIOS.codes:
        known = ", ".join(sorted(SCENARIOS.codes))
        raise UsageError(f"Expected scenarios of {known}; found {', '.join(sorted(codes))}.")
    if not isinstance(cohort, Cohort):
        cohort = open_folder(cohort, require_labels=False)
    say(f"checking {zip_path}")
    with Submission(zip_path) as submission:
        problems = check_submission(submission)
        if submission.problems:
            return RunReport(str(zip_path), problems)  # not to be unpacked, let alone run
        uids, level = choose_uids(cohort.uids, exams, seed), choose_level(isolation)
        say(f"isolation: {LEVELS[level]}")
        settings = Settings(
            level, time_limit, smoke, limits or Limits(), column=column, grades=grades
        )
        runner = Runner(submission, settings, say)
        run = runner.run(f"main.py on {len(uids)} exams of {cohort.name}", cohort, uids)
        problems += run.problems
        if codes and run.predictions:
            problems += _vary(runner, cohort, uids, run, codes)
    problems = [*dict.fromkeys(problems)]
    say(f"{len(problems)} problems found")
    return RunReport(
        str(zip_path),
        problems,
        exams=len(uids),
        seconds=run.ending.seconds,
        exit_code=run.ending.exit_code,
        isolation=LEVELS[level],
        log=tuple(map(shown, run.ending.log)),
        log_loss=score_predictions(run.predictions, cohort.labels),
        predictions=run.predictions,
        versions=version_differences(),
    )


def _vary(
    runner: Runner, cohort: Cohort, uids: list[str], run: Run, codes: Collection[str]
) -> list[Problem]:
    """Return the problems of more runs, on a few exams; of the first on these few too."""
    few = uids[:SCENARIO_EXAMS]
    first = run if few == uids else runner.run(f"main.py on {len(few)} of them", cohort, few)
    if not first.predictions:
        return first.problems
    context = Context(runner, cohort, few, first)
    return [*first.problems, *SCENARIOS.problems(context, codes)]


def choose_uids(uids: list[str], count: int | None, seed: int) -> list[str]:
    """Draw some exams at random, in an order that is surely not the sorted one.

    The order of the format file is the platform's own; a submission that sorts, or lists the
    folder, must not be right by luck.

    Raises
    ------
    SubmissionError
        If there is no exam.

    Examples
    --------
    >>> choose_uids(["a", "b"], None, seed=0)
    ['b', 'a']
    """
    chosen = random.Random(seed).sample(uids, len(uids))[:count]
    if not chosen:
        raise SubmissionError("Expected exams to predict, found none. Give a cohort with exams.")
    return chosen[::-1] if chosen == sorted(chosen) else chosen
