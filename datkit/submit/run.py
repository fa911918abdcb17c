"""Run a submission as the platform would: fresh folders, read-only data, no network, limits."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from datkit.submit.archive import archive_problems
from datkit.submit.check import check_submission
from datkit.submit.isolation import Limits, choose_level, describe_level
from datkit.submit.judge import judge_run
from datkit.submit.predictions import check_against, read_predictions
from datkit.submit.process import execute
from datkit.submit.replica import build_replica, choose_uids
from datkit.submit.report import RunReport
from datkit.submit.runtime import version_differences

if TYPE_CHECKING:
    from datkit.cohort import Cohort

__all__ = ["RunReport", "run_submission"]

# The platform's smoke test: the challenge's code submission page (see datkit.submit.runtime).
SMOKE_EXAMS = 20
SMOKE_SECONDS = 360


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

    In Docker or bubblewrap, submitted code may be hostile; :mod:`datkit.submit.isolation` says what
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
    say = _speak if progress else _be_silent
    cohort = _open(cohort)
    say(f"checking {zip_path}")
    problems = check_submission(zip_path)
    if archive_problems(zip_path):
        return RunReport(str(zip_path), problems)  # not to be unpacked, let alone run
    uids, level = choose_uids(cohort.uids, exams, seed), choose_level(isolation)
    with tempfile.TemporaryDirectory(prefix="datkit-run-") as folder:
        say(f"copying {len(uids)} exams of {cohort.name}")
        replica = build_replica(zip_path, cohort, uids, Path(folder), level=level)
        say(f"running main.py, for {time_limit:.0f} s at most, in {describe_level(level)}")
        ending = execute(replica, time_limit, smoke, say, limits)
        wrong = check_against(replica.written, uids)
        predictions = {} if wrong else read_predictions(replica.written)
        problems += [*judge_run(replica, ending), *wrong]
    say(f"{len(problems)} problems found")
    return RunReport(
        str(zip_path),
        problems,
        exams=len(uids),
        seconds=ending.seconds,
        exit_code=ending.exit_code,
        isolation=ending.isolation,
        log=ending.log,
        log_loss=_log_loss(cohort, predictions),
        predictions=predictions,
        versions=version_differences(),
    )


def _open(cohort: Cohort | str | os.PathLike[str]) -> Cohort:
    from datkit.cohort import Cohort, open_folder

    return cohort if isinstance(cohort, Cohort) else open_folder(cohort, require_labels=False)


def _log_loss(cohort: Cohort, predictions: dict[str, float]) -> float | None:
    """Return the mean log loss over the predicted exams with a label, if there are any."""
    from sklearn.metrics import log_loss

    labels = cohort.labels.reindex(list(predictions)).dropna()
    if labels.empty:
        return None
    return float(log_loss(labels, [predictions[uid] for uid in labels.index], labels=[0, 1]))


def _speak(message: str) -> None:
    print(f"submit run: {message}", file=sys.stderr, flush=True)


def _be_silent(message: str) -> None:
    """Say nothing."""
