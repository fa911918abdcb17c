"""Run a submission several times, each time under another condition, and compare its answers.

A clean run shows that a submission works once. Here it works again, in another order, with fewer
exams, with damaged ones beside them, on a late mount: the same exam must get the same probability.
A rule looks at the first run and asks the :class:`Context` for the others that it needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial

from datkit.data.cohort import Cohort
from datkit.errors import DatkitError
from datkit.replica.assess import LOG_LINES
from datkit.replica.conditions import KINDS, NAN, DamagedExams, Mount, late_mount, unlistable_mount
from datkit.replica.runner import Run, Runner
from datkit.rules import Found, RuleGroup

__all__ = ["SCENARIOS", "SMOKE_EXAMS", "SMOKE_SECONDS", "Context"]

TOLERANCE = 1e-6  # in probability: the last decimal that a table commonly holds
# The platform's smoke test and its test set: the challenge's code submission page.
SMOKE_EXAMS, SMOKE_SECONDS = 20, 360
TEST_EXAMS, TEST_SECONDS = 3000, 3 * 3600
LATEST_SECONDS = 20.0  # for so long the challenge's mount could look empty
ALONE = 2  # exams that are run on their own
# What pandas, unless told otherwise, reads as numbers, or as nothing; 64 characters in each.
NUMBERS = f"0007 1e5 00012 3E2 010 {1234:064}"
WORDS = f"NA null nan None NULL {'x' * 64}"
NAN_CHANGE = 0.05  # in probability; one NaN voxel moved an entrant's by 0.59


@dataclass(frozen=True)
class Context:
    """What the rules look at: a first run, which was clean, and others that they ask for."""

    runner: Runner
    cohort: Cohort
    uids: list[str]
    first: Run

    def run(self, name: str, uids: list[str] | None = None, mount: Mount = nullcontext) -> Run:
        """Run the submission again, on all exams or on some."""
        return self.runner.run(name, self.cohort, uids or self.uids, mount)

    def run_beside(self, name: str, damaged: DamagedExams) -> Run:
        """Run it on damaged exams, then on the sound one that they are made of."""
        return self.runner.run(name, damaged, [*damaged.damaged, damaged.uid])

    @cached_property
    def damaged(self) -> tuple[DamagedExams, Run] | None:
        """Damaged copies of the first exam that can be read, and a run on all of them and it."""
        for uid in self.uids:
            try:
                self.cohort.load(uid)
            except DatkitError:
                continue
            damaged = DamagedExams(self.cohort, uid)
            return damaged, self.run_beside("a run with damaged exams", damaged)
        return None

    @cached_property
    def growing(self) -> tuple[Run, Run, Run] | None:
        """Runs on one exam, on all, on all and as many copies of the first; None if one fails.

        What fails is named by other rules.
        """
        uid, kinds = self.uids[0], ["no fault at all"] * len(self.uids)
        copies = DamagedExams(self.cohort, uid, kinds)
        name = f"a run with {len(kinds)} copies of one exam"
        one = self.run("a run on the first exam alone", [uid])
        twice = self.runner.run(name, copies, [*self.uids, *copies.damaged])
        return None if one.failure or twice.failure else (one, self.first, twice)

    def moved(self, run: Run) -> str:
        """Say how far a run's answers are from the first's; empty if no further than may be."""
        before, after = self.first.predictions, run.predictions
        apart = [abs(before[uid] - after[uid]) for uid in before.keys() & after.keys()]
        count = sum(distance > TOLERANCE for distance in apart)
        return f"{count} of {len(apart)} differ, by up to {max(apart):.2g}" if count else ""

    def differences(self, run: Run) -> list[Found]:
        """Return how a run fails, or by how much its answers differ from the first's."""
        found = run.failure or self.moved(run)
        return [Found(run.name, found)] if found else []


#: What several runs can show: ``SCENARIOS.codes`` are the codes that ``run_submission`` takes.
SCENARIOS: RuleGroup[Context] = RuleGroup("Several runs")


@SCENARIOS.rule("not-deterministic", expected="the same bytes")
def is_random(context: Context) -> Iterator[Found]:
    """Two runs on the same exams wrote other bytes.

    Seed every random draw; put networks into eval mode; sum in one order.
    """
    again = context.run("a second run")
    if again.table != context.first.table:
        moved = context.moved(again) or "the same numbers, written otherwise"
        yield Found(again.name, f"another file ({moved})")


@SCENARIOS.rule("constant-output", expected="probabilities that differ", severity="warning")
def is_constant(context: Context) -> Iterator[Found]:
    """Every exam gets the same probability.

    Find what fails for every exam: weights not found, an exception that is swallowed.
    """
    values, count = set(context.first.predictions.values()), len(context.uids)
    if count > 2 and len(values) == 1:
        yield Found("submission.csv", f"{values.pop():g} for each of {count} exams")


@SCENARIOS.rule("depends-on-others", expected=f"the first run's probabilities, to {TOLERANCE:g}")
def uses_other_exams(context: Context) -> Iterator[Found]:
    """An exam's probability depends on the other exams of the run.

    Predict each exam by itself: no mean, rank, batch statistic or state across exams.
    """
    uids = context.uids
    half = uids[: max(1, len(uids) // 2)]
    yield from context.differences(context.run("a run in another order", uids[::-1]))
    yield from context.differences(context.run(f"a run on {len(half)} of {len(uids)} exams", half))
    alone = (context.run("a run on one exam alone", [uid]) for uid in uids[-ALONE:])
    yield from next(filter(None, map(context.differences, alone)), [])
    if context.damaged and (moved := context.moved(context.damaged[1])):
        yield Found(context.damaged[1].name, moved, "no change for the sound one")
    if runs := context.growing:
        twice = runs[-1].predictions
        answers = [twice[uid] for uid in twice if uid == uids[0] or uid not in uids]
        if max(answers) - min(answers) > TOLERANCE:
            found = f"{min(answers):g} to {max(answers):g}"
            yield Found(runs[-1].name, found, "one probability for all")


def _renamed(context: Context, odd: str) -> list[Found]:
    """Run it on the same exams under other uids, of which each is one word of `odd`."""
    names = dict(zip(odd.split(), context.uids, strict=False))
    paths = {name: context.cohort.path_of(uid) for name, uid in names.items()}
    exams = replace(context.cohort, exams=context.cohort.exams.reindex([*names]), paths=paths)
    run = context.runner.run(f"a run under uids such as {next(iter(names))}", exams, [*names])
    own = {names[name]: p for name, p in run.predictions.items()}
    return context.differences(replace(run, predictions=own))


@SCENARIOS.rule("depends-on-uid", expected="the same probabilities")
def reads_uids_as_numbers(context: Context) -> Iterable[Found]:
    """The same exams under other uids get no probabilities, or others.

    Read uids as text: `pandas.read_csv(…, dtype={'uid': str}, keep_default_na=False)`; 0007 is not
    7, and 1e5 no number. Compute nothing from them.
    """
    return _renamed(context, NUMBERS)


@SCENARIOS.rule("uid-as-nothing", expected="the same probabilities", severity="warning")
def reads_uids_as_nothing(context: Context) -> Iterable[Found]:
    """A uid such as NA or null is read as a missing value.

    Keep it: `pandas.read_csv(…, dtype={'uid': str}, keep_default_na=False)`, or the module `csv`.
    """
    return _renamed(context, WORDS)


@SCENARIOS.rule("needs-listing", expected="the same probabilities")
def lists_the_folder(context: Context) -> Iterable[Found]:
    """The run fails where the folder of exams cannot be listed.

    Open `data/niftis/<uid>.nii.gz` for each uid of the format file; list nothing.
    """
    name = "a run where data/niftis cannot be listed"
    return context.differences(context.run(name, mount=unlistable_mount))


@SCENARIOS.rule("late-mount", expected="the same probabilities", severity="warning")
def does_not_wait(context: Context) -> Iterable[Found]:
    """The run does not wait for data that are mounted some seconds late.

    Wait for `data/submission_format.csv` and the first exam before you begin.
    """
    # So late that a first run would have been over: imports alone can take some seconds.
    seconds = min(LATEST_SECONDS, 2 + context.first.ending.seconds)
    name = f"a run where data/ is empty for the first {seconds:.0f} s"
    return context.differences(context.run(name, mount=partial(late_mount, seconds=seconds)))


@SCENARIOS.rule("hostile-exam", expected="a probability for every exam")
def fails_for_all(context: Context) -> Iterator[Found]:
    """One damaged exam stops the run for all.

    Catch every error of one exam and answer with the training prevalence.
    """
    if context.damaged and context.damaged[1].failure:
        for kind in KINDS:  # one by one, to name the culprits
            one = DamagedExams(context.cohort, context.damaged[0].uid, [kind])
            run = context.run_beside(f"a run with an exam that has {kind}", one)
            if run.failure:
                yield Found(run.name, run.failure)


@SCENARIOS.rule("nan-moves", expected=f"a change of at most {NAN_CHANGE:g}", severity="warning")
def reads_nan(context: Context) -> Iterator[Found]:
    """One voxel that is not a number moves a probability by more than 0.05.

    Set what is not finite to 0 before anything else reads the exam.
    """
    damaged, beside = context.damaged or (None, None)
    if damaged and beside and not beside.failure:
        uid = next(uid for uid, kind in damaged.damaged.items() if kind == NAN)
        change = abs(beside.predictions[uid] - context.first.predictions[damaged.uid])
        if change > NAN_CHANGE:
            yield Found(f"an exam that has {NAN}", f"one of {change:.2f}")


@SCENARIOS.rule("time-projected", severity="warning")
def is_slow(context: Context) -> Iterator[Found]:
    """The whole test set would take longer than the platform allows.

    Do less for each exam, or several at once: there are a GPU and 24 cores.
    """
    if runs := context.growing:
        few, many = runs[0].ending.seconds, runs[-1].ending.seconds
        each = max(0.0, (many - few) / (2 * len(context.uids) - 1))
        for number, limit in ((SMOKE_EXAMS, SMOKE_SECONDS), (TEST_EXAMS, TEST_SECONDS)):
            seconds = few + each * (number - 1)
            if seconds > limit:
                found = f"about {seconds:.0f} s here ({each:.1f} s for each exam)"
                yield Found(f"{number} exams, projected", found, f"at most {limit} s")


@SCENARIOS.rule("log-projected", expected=f"at most {LOG_LINES} lines")
def prints_too_often(context: Context) -> Iterator[Found]:
    """On the whole test set the log would have more than 300 lines.

    Print every so many exams, not for each: ten lines tell as much.
    """
    if runs := context.growing:
        exams, lines = len(context.uids), [len(run.ending.log) for run in runs]
        # Of 1, `exams` and twice as many: only what grows steadily will go on.
        early, late = (lines[1] - lines[0]) / max(1, exams - 1), (lines[2] - lines[1]) / exams
        total = lines[2] + min(early, late) * (TEST_EXAMS - 2 * exams)
        if total > LOG_LINES:
            yield Found(f"the log of {TEST_EXAMS} exams, projected", f"about {total:.0f}")
