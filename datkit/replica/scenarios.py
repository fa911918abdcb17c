"""Run a submission several times, each time under another condition, and compare its answers.

A clean run shows that a submission works once. Here it works again, in another order, with fewer
exams, with spoilt ones beside them, on a late mount: the same exam must get the same probability.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from datkit.errors import DatkitError
from datkit.inspect.rules import finding
from datkit.inspect.zip_file import archive_problems
from datkit.problems import Problem
from datkit.replica.assess import LOG_LINES
from datkit.replica.folders import choose_uids
from datkit.replica.hostile_exams import NAN, SpoiltExams
from datkit.replica.mount import LateMount, VeiledMount
from datkit.replica.run import SMOKE_EXAMS, SMOKE_SECONDS, Run, Runner, be_silent, open_exams, speak
from datkit.replica.sandbox import Limits, choose_level, describe_level

if TYPE_CHECKING:
    from datkit.data import Cohort

__all__ = ["TRIALS", "run_checks"]

TOLERANCE = 1e-6  # in probability: the last decimal that a table commonly holds
TEST_EXAMS, TEST_SECONDS = 3000, 3 * 3600  # the challenge's code submission page
LATEST_SECONDS = 20.0  # for so long the challenge's mount could look empty
ALONE = 2  # exams that are run on their own
NAN_CHANGE = 0.05  # in probability; one NaN voxel moved an entrant's by 0.59


@dataclass(frozen=True)
class _Bench:
    """What every trial needs: the runner, the exams, and the first run, which was clean."""

    runner: Runner
    cohort: Cohort
    uids: list[str]
    first: Run


def run_checks(
    zip_path: str | os.PathLike[str],
    cohort: Cohort | str | os.PathLike[str],
    *,
    exams: int = 6,
    time_limit: float = SMOKE_SECONDS,
    seed: int = 0,
    isolation: str | None = None,
    limits: Limits | None = None,
    trials: Sequence[str] | None = None,
    progress: bool = True,
) -> list[Problem]:
    """Return every problem that shows only when a submission runs; the zip itself is not judged.

    First one run on a few exams in a shuffled order, judged as :func:`run_submission` judges it. If
    that has predictions, each of :data:`TRIALS` follows: determinism, independence of the exams,
    a folder that cannot be listed, a late mount, hostile exams, and what time and log would be on
    the whole test set.

    Parameters
    ----------
    zip_path, cohort, time_limit, seed, isolation, limits, progress
        As for :func:`run_submission`.
    exams : int
        How many to draw, 3 or more: about ten runs are made on them.
    trials : sequence of str, optional
        Names of :data:`TRIALS`; by default all.

    Raises
    ------
    UsageError, CohortError, SubmissionError
        As for :func:`run_submission`.
    """
    say = speak if progress else be_silent
    cohort = open_exams(cohort)
    if archive_problems(zip_path):
        return []  # not to be unpacked; the check of the zip says why
    level, uids = choose_level(isolation), choose_uids(cohort.uids, exams, seed)
    runner = Runner(zip_path, level, time_limit, True, limits, be_silent)
    say(f"isolation: {describe_level(level)}")
    say(f"first run, on {len(uids)} exams")
    first = runner.run(cohort, uids)
    problems = [*first.problems]
    for name in trials or TRIALS if first.predictions else ():
        say(f"trial: {name}")
        problems += TRIALS[name](_Bench(runner, cohort, uids, first))
    return problems


def _check_repeat(bench: _Bench) -> Iterator[Problem]:
    again = bench.runner.run(bench.cohort, bench.uids)
    if again.table == bench.first.table:
        return
    moved = _moved(bench.first, again)
    found = f"another file ({moved or 'the same numbers, written otherwise'})"
    yield finding("not-deterministic", "a second run", "the same bytes", found)


def _check_order(bench: _Bench) -> Iterator[Problem]:
    yield from _compare(bench, bench.uids[::-1], "a run in another order")


def _check_subset(bench: _Bench) -> Iterator[Problem]:
    half = bench.uids[: max(1, len(bench.uids) // 2)]
    yield from _compare(bench, half, f"a run on {len(half)} of {len(bench.uids)} exams")


def _check_alone(bench: _Bench) -> Iterator[Problem]:
    for number, uid in enumerate(bench.uids[-ALONE:], start=1):
        found = [*_compare(bench, [uid], f"a run on one exam alone (number {number} of {ALONE})")]
        yield from found
        if found:
            return


def _compare(bench: _Bench, uids: list[str], where: str) -> Iterator[Problem]:
    run = bench.runner.run(bench.cohort, uids)
    found = _failure(run) or _moved(bench.first, run)
    if found:
        expected = f"the same probabilities as in the first run, to {TOLERANCE:g}"
        yield finding("depends-on-others", where, expected, found)


def _check_constant(bench: _Bench) -> Iterator[Problem]:
    values = set(bench.first.predictions.values())
    if len(bench.uids) > 2 and len(values) == 1:
        found = f"{values.pop():g} for each of {len(bench.uids)} exams"
        expected = "probabilities that differ"
        yield finding("constant-output", "submission.csv", expected, found)


def _check_listing(bench: _Bench) -> Iterator[Problem]:
    run = bench.runner.run(bench.cohort, bench.uids, VeiledMount(3600))
    if found := _failure(run) or _moved(bench.first, run):
        where, expected = "a run where data/niftis cannot be listed", "the same probabilities"
        yield finding("needs-listing", where, expected, found)


def _check_late(bench: _Bench) -> Iterator[Problem]:
    # So late that a first run would have been over: imports alone can take some seconds.
    seconds = min(LATEST_SECONDS, 2 + bench.first.ending.seconds)
    run = bench.runner.run(bench.cohort, bench.uids, LateMount(seconds))
    if found := _failure(run) or _moved(bench.first, run):
        where = f"a run where data/ is empty for the first {seconds:.0f} s"
        yield finding("late-mount", where, "the same probabilities", found)


def _check_hostile(bench: _Bench) -> Iterator[Problem]:
    """Run all spoilt exams beside sound ones; if that fails, one by one, to name the culprits."""
    sound = [uid for uid in bench.uids if _is_sound(bench.cohort, uid)][:1]
    if not sound:
        return
    spoilt = SpoiltExams(bench.cohort, *sound)
    run = bench.runner.run(spoilt, [*spoilt.spoilt, *sound])
    if not _failure(run):
        yield from _judge_spoilt(bench, spoilt, run)
        return
    for kind in spoilt.spoilt.values():
        one = SpoiltExams(bench.cohort, *sound, [kind])
        if found := _failure(bench.runner.run(one, [*one.spoilt, *sound])):
            where = f"a run with an exam that has {kind}"
            yield finding("hostile-exam", where, "a probability for every exam", found)


def _is_sound(cohort: Cohort, uid: str) -> bool:
    try:
        cohort.load(uid)
    except DatkitError:
        return False
    return True


def _judge_spoilt(bench: _Bench, spoilt: SpoiltExams, run: Run) -> Iterator[Problem]:
    if moved := _moved(bench.first, run):
        where, expected = "a run with spoilt exams", "no change for the sound ones"
        yield finding("depends-on-others", where, expected, moved)
    for uid, kind in spoilt.spoilt.items():
        change = abs(run.predictions[uid] - bench.first.predictions[spoilt.uid])
        if kind == NAN and change > NAN_CHANGE:
            where, expected = f"an exam that has {kind}", f"a change of at most {NAN_CHANGE:g}"
            yield finding("nan-moves", where, expected, f"one of {change:.2f}")


def _check_growth(bench: _Bench) -> Iterator[Problem]:
    """Project time and log to the whole test set from runs on one exam, on several, on twice those.

    The others are copies of the first exam, which must get its answer too.
    """
    count, uid = len(bench.uids), bench.uids[0]
    copies = SpoiltExams(bench.cohort, uid, ["no fault at all"] * count)
    few, many = bench.runner.run(bench.cohort, [uid]), bench.first
    twice = bench.runner.run(copies, [*bench.uids, *copies.spoilt])
    if _failure(few) or _failure(twice):
        return  # what fails is named by other trials
    answers = {twice.predictions[copy] for copy in copies.spoilt} | {twice.predictions[uid]}
    if max(answers) - min(answers) > TOLERANCE:
        where, expected = f"a run with {count} copies of one exam", "one probability for all"
        found = f"{min(answers):g} to {max(answers):g}"
        yield finding("depends-on-others", where, expected, found)
    yield from _project_time(few.ending.seconds, twice.ending.seconds, 2 * count)
    yield from _project_log([len(run.ending.log) for run in (few, many, twice)], count)


def _project_time(few: float, many: float, exams: int) -> Iterator[Problem]:
    each = max(0.0, (many - few) / (exams - 1))
    for number, limit in ((SMOKE_EXAMS, SMOKE_SECONDS), (TEST_EXAMS, TEST_SECONDS)):
        seconds = few + each * (number - 1)
        if seconds > limit:
            found = f"about {seconds:.0f} s here ({each:.1f} s for each exam)"
            where, expected = f"{number} exams, projected", f"at most {limit} s"
            yield finding("time-projected", where, expected, found)


def _project_log(lines: list[int], exams: int) -> Iterator[Problem]:
    """Judge by the lines of 1, `exams` and twice as many: only what grows steadily will go on."""
    early = (lines[1] - lines[0]) / max(1, exams - 1)
    late = (lines[2] - lines[1]) / exams
    total = lines[2] + min(early, late) * (TEST_EXAMS - 2 * exams)
    if total > LOG_LINES:
        where, expected = f"the log of {TEST_EXAMS} exams, projected", f"at most {LOG_LINES} lines"
        yield finding("log-projected", where, expected, f"about {total:.0f}")


# In the order in which they run.
TRIALS = {
    "repeat": _check_repeat,
    "constant": _check_constant,
    "order": _check_order,
    "subset": _check_subset,
    "alone": _check_alone,
    "listing": _check_listing,
    "late mount": _check_late,
    "hostile exams": _check_hostile,
    "growth": _check_growth,
}


def _failure(run: Run) -> str:
    """Say in a phrase why a run has no predictions; empty if it has them."""
    if run.predictions and run.ending.exit_code == 0:
        return ""
    problem = run.problems[0]
    return f"no answer ({problem.where}: {problem.found})"


def _moved(first: Run, other: Run) -> str:
    """Say how far the probabilities of two runs are apart; empty if no further than tolerated."""
    shared = first.predictions.keys() & other.predictions.keys()
    apart = {uid: abs(first.predictions[uid] - other.predictions[uid]) for uid in shared}
    count = sum(distance > TOLERANCE for distance in apart.values())
    return f"{count} of {len(apart)} differ, by up to {max(apart.values()):.2g}" if count else ""
