"""Submissions: taken in, checked and run in the sandbox, and what they predicted, recorded.

Two lines of the record belong to a submission: ``received``, written when its file is on the disk,
and ``marked``, written when all that is wrong with it, and what it predicts, is known. What is
received and not marked waits. So a machine that is switched off at any moment loses nothing and
counts nothing twice: what it was at is marked anew. Who watches the process that marks gives a
submission up that has killed it twice.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock

from datkit.challenge.classroom import Classroom
from datkit.challenge.description import Phase, team_name
from datkit.challenge.record import Entry
from datkit.errors import ChallengeError, DatkitError
from datkit.files import replace_atomically, sha256_file
from datkit.problems import Problem, shown
from datkit.replica.run import run_submission
from datkit.replica.sandbox import Limits, choose_level
from datkit.rules import finding
from datkit.submit.predictions import check_predictions, read_predictions

__all__ = ["mark_next", "receive", "waiting"]

CODE, TABLE = "submission.zip", "submission.csv"
KINDS = {"code": "a zip with main.py", "table": "a table as CSV", "notebook": "a notebook"}
Marked = tuple[list[Problem], dict[str, float]]  # what is wrong, what it predicts
LARGEST_TABLE = 2**19  # bytes: 10,000 exams; each of its lines may be a finding
MOST_DEATHS = 2  # of the process that marks at one submission: the first may be bad luck
MOST_PROBLEMS = 200  # of one submission that the record keeps


def receive(
    room: Classroom, team: str, file: Path | BinaryIO, name: str = "", meant: str = ""
) -> Entry:
    """Take a submission in: keep its file, and write the line that says so.

    Parameters
    ----------
    room : Classroom
    team : str
    file : Path, or binary stream that can go back
        A zip or a table. The same file of the same team is the same submission, handed in once.
    name : str
        What the team calls the file; by default its name.
    meant : str
        The phase that it is meant for; by default the one that is open.

    Returns
    -------
    dict
        The line, ``received``.

    Raises
    ------
    ChallengeError
        If no phase is open, the team is not of this challenge, the file is too large or of a kind
        that is not taken, or the team has made all submissions that it may.
    OSError
        If the file cannot be read or kept.
    """
    if isinstance(file, Path):
        # Whoever may put a link into the folder could have the labels read; a pipe never ends.
        if file.is_symlink() or not file.is_file():
            raise ChallengeError(f"{file}: expected a file, found a link or none; give the file.")
        with file.open("rb") as stream:
            return receive(room, team, stream, name or file.name, meant)
    team, name = team_name(team), shown(name)[:80]
    kind = CODE if file.read(2) == b"PK" or name.lower().endswith(".zip") else TABLE
    file.seek(0)
    digest, size = hashlib.file_digest(file, "sha256").hexdigest(), file.tell()  # type: ignore[arg-type]
    file.seek(0)
    with room.record.lock:
        phase, received = room.phase(), [*room.record.of("received")]
        if phase is None or meant not in ("", phase.name):
            found = phase.name if phase else "none"
            expected = f"{team}: expected {meant or 'an open phase'}, found {found}"
            raise ChallengeError(f"{expected}; nothing is taken.")
        own = [entry for entry in received if entry["team"] == team]
        for entry in own:
            if (entry["sha256"], entry["phase"]) == (digest, phase.name):
                return entry
        problems = _refusals(room, phase, team, own, kind, name, size)
        ChallengeError.raise_any(problems, where=team)
        place = room.folder / "kept" / digest / kind
        if not place.exists():
            with replace_atomically(place) as part, part.open("wb") as kept:
                shutil.copyfileobj(file, kept)
        facts = {"phase": phase.name, "sha256": digest, "file": kind}
        return room.record.add("received", team=team, name=name, **facts)


def _refusals(
    room: Classroom, phase: Phase, team: str, own: list[Entry], kind: str, name: str, size: int
) -> Iterator[Problem]:
    """Yield every reason to refuse a file of a team that has handed in `own`."""
    limits, takes = room.challenge.limits, room.challenge.runtime.takes
    known = {*map(team_name, room.challenge.teams.names)} or room.teams
    if known and team not in known:
        expected, remedy = "a team of this challenge", "Ask who organises it: datkit class team."
        yield Problem("team-unknown", "the team", expected, f"{team!r}", remedy)
    found = "notebook" if name.endswith(".ipynb") else "code" if kind == CODE else "table"
    if found not in takes:
        remedy = "Hand in what the rules say; a notebook is shared in a form of its own."
        expected = " or ".join(map(KINDS.__getitem__, takes))
        yield Problem("kind", name, expected, KINDS[found], remedy)
    if size > (most := limits.upload_mib * 2**20 if kind == CODE else LARGEST_TABLE):
        expected, remedy = f"at most {most / 2**20:g} MiB", "Leave out what is not needed."
        yield Problem("size", name, expected, f"{size / 2**20:.1f} MiB", remedy)
    own = [entry for entry in own if entry["phase"] == phase.name]
    today = room.record.today("received", team)
    of_today = sum(entry["phase"] == phase.name for entry in today)
    if limits.a_day and of_today >= limits.a_day:
        expected, remedy = f"at most {limits.a_day} submissions a day", "Come back tomorrow (UTC)."
        yield Problem("a-day", "the team", expected, f"{of_today} made today", remedy)
    failed = {entry["of"] for entry in room.record.of("marked") if not entry["predictions"]}
    made = sum(entry["number"] not in failed for entry in own)
    if phase.submissions and made >= phase.submissions:
        expected, remedy = f"at most {phase.submissions} in this phase", "It stands as it is."
        yield Problem("in-phase", "the team", expected, f"{made} made", remedy)


def waiting(entries: list[Entry]) -> list[Entry]:
    """Return the submissions that are not marked yet, in the order in which they came."""
    marked = {entry["of"] for entry in entries if entry["kind"] == "marked"}
    return [one for one in entries if one["kind"] == "received" and one["number"] not in marked]


def mark_next(room: Classroom, isolation: str | None = None) -> Entry | None:
    """Mark the submission that has waited longest, and return its line; None if none waits.

    Parameters
    ----------
    room : Classroom
    isolation : str, optional
        As of :func:`datkit.replica.run_submission`; code is not run where no sandbox works, unless
        ``"plain"`` is asked for, which can read the labels.
    """
    with FileLock(room.folder / "marking.lock"):
        if not (queue := waiting(room.record.entries)):
            return None
        entry, started = queue[0], time.monotonic()
        path = room.folder / "kept" / entry["sha256"] / entry["file"]
        try:
            phase = {one.name: one for one in room.challenge.phases}.get(entry["phase"])
            if phase is None or sha256_file(path) != entry["sha256"]:
                expected = f"phase {entry['phase']}, and a file of the sha256 of its record"
                raise ChallengeError(f"Expected {expected}; one of them was changed.")
            read = _run if entry["file"] == CODE else _read
            problems, values = read(room, phase, path, isolation)
        except Exception as error:  # whatever it is, the others go on
            said = str(error) if isinstance(error, DatkitError) else type(error).__name__
            problems, values = [finding("replica", entry["name"], "a run", said.rstrip("."))], {}
        return _mark(room, entry, problems, values, time.monotonic() - started)


def give_up(room: Classroom, number: int) -> None:
    """Mark a submission, if it still waits, as one that killed the process that marks."""
    with FileLock(room.folder / "marking.lock"):
        for entry in waiting(room.record.entries):
            if entry["number"] == number:
                found = f"one that killed the process that marks {MOST_DEATHS} times"
                _mark(room, entry, [finding("replica", entry["name"], "a run", found)], {}, 0)


def _mark(
    room: Classroom, entry: Entry, problems: list[Problem], values: dict[str, float], seconds: float
) -> Entry:
    told = [problem.to_dict() for problem in problems[:MOST_PROBLEMS]]
    facts = {"problems": told, "found": len(problems), "seconds": round(seconds, 1)}
    return room.record.add("marked", of=entry["number"], predictions=values, **facts)


def _run(room: Classroom, phase: Phase, path: Path, isolation: str | None) -> Marked:
    """Return what is wrong with a zip, and what it predicts if nothing grave is."""
    runtime, level = room.challenge.runtime, choose_level(isolation)
    memory = min(runtime.memory_gib * 2**30, Limits().memory)
    report = run_submission(
        path, room.tests(phase), exams=None, time_limit=runtime.seconds, smoke=False,
        isolation=level, limits=Limits(memory, runtime.processes, runtime.disk_gib * 2**30),
        progress=False, **room.challenge.task.table,
    )  # fmt: skip
    return report.problems, report.predictions if report.ok else {}


def _read(room: Classroom, phase: Phase, path: Path, _isolation: str | None) -> Marked:
    """Return what is wrong with a table, and what it holds if nothing is."""
    task = room.challenge.task
    problems = check_predictions(path, room.uids(phase), **task.table)
    return problems, {} if problems else read_predictions(path, column=task.column)
