"""Export a class's challenge as a bundle for Codabench: the same challenge, the same bytes."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from datkit import NOT_CLINICAL
from datkit.challenge.classroom import Classroom
from datkit.challenge.codabench.check import check_bundle
from datkit.challenge.codabench.programs.score import METRICS
from datkit.challenge.description import Challenge, ChallengeMetric
from datkit.errors import ChallengeError, UsageError
from datkit.files import replace_atomically
from datkit.problems import Problem, found_instead
from datkit.submit.pack import write_zip

__all__ = ["export_codabench"]

HERE = Path(__file__).parent
IMAGE = "codalab/codalab-legacy:py312"  # Codabench's own newest, with NumPy, pandas, scikit-learn
SAMPLE = "starting_kit/submission.csv"
DAYS = 28  # of a phase without dates


def export_codabench(
    room: Classroom,
    out: str | os.PathLike[str],
    *,
    start: datetime | None = None,
    days: int = DAYS,
) -> list[Problem]:
    """Write a bundle: competition, pages, programs, exams, starting kit; labels apart.

    Each phase has a task of its own, whose input are the volumes that its submissions predict.

    Parameters
    ----------
    room : Classroom
        The folder of :func:`datkit.challenge.init_class`.
    out : path
        The zip.
    start : datetime, optional
        Of a first phase that has none in ``challenge.yaml``.
    days : int
        How long a phase lasts that has no end there; the last one goes on.

    Returns
    -------
    list of Problem
        What the check finds in it: warnings at most.

    Raises
    ------
    UsageError
        If there is no start, or a phase lies outside the years of a calendar.
    ChallengeError
        If a metric is none that the scoring program has.
    """
    challenge = room.challenge
    wrong = [one.name for one in challenge.metrics if one.name.partition("@")[0] not in METRICS]
    expected, remedy = f"metrics among {', '.join(METRICS)}", "Leave the others out."
    problems = found_instead("metric", "challenge.yaml", expected, wrong, remedy)
    ChallengeError.raise_any(problems, where=room.folder)
    try:
        members = _texts(challenge, start, days) | _data(room)
    except OverflowError:
        raise UsageError(f"Expected phases before the year 10000, found {days} days.") from None
    with replace_atomically(out) as part:
        write_zip(part, members)
    return check_bundle(out)


def _texts(challenge: Challenge, start: datetime | None, days: int) -> dict[str, bytes | Path]:
    """Return the settings, pages, programs and logo."""
    from jinja2 import Environment, StrictUndefined

    texts = Environment(trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    values: dict[str, Any] = {
        "challenge": challenge,
        "columns": _columns(challenge),
        "image": challenge.runtime.image or IMAGE,
        "note": NOT_CLINICAL,
        "phases": _phases(challenge, start, days),
    }
    members: dict[str, bytes | Path] = {"logo.png": HERE / "logo.png"}
    for path in (one for one in (HERE / "template").rglob("*") if one.is_file()):
        text = texts.from_string(path.read_text(encoding="utf-8")).render(values)
        members[path.relative_to(HERE / "template").as_posix()] = f"{text}\n".encode()
    members["scoring_program/score.py"] = HERE / "programs" / "score.py"
    members["ingestion_program/ingest.py"] = HERE / "programs" / "ingest.py"
    task, columns = challenge.task, values["columns"]
    settings = {
        "column": task.column,
        "grades": len(task.classes) if task.predicts == "grade" else 0,
        "scores": {one["key"]: [one["place"], *_call(one["metric"])] for one in columns},
    }
    members["scoring_program/settings.json"] = json.dumps(settings, indent=1).encode()
    return members


def _columns(challenge: Challenge) -> list[dict[str, Any]]:
    """Return a column a metric; hidden ones where private scores come beside public ones."""
    both = any(len(phase.scored_on) > 1 for phase in challenge.phases)
    return [
        {"key": f"{lead}_{one.name}".strip("_"), "place": place, "lead": lead, "metric": one}
        for place, lead in enumerate(["", *["private"] * both])
        for one in challenge.metrics
    ]


def _call(metric: ChallengeMetric) -> list[object]:
    """Return the name of a metric in the scoring program, and its argument if it has one."""
    name, _, threshold = metric.name.partition("@")
    return [name, *([float(threshold)] if threshold else [metric.costs] if metric.costs else [])]


def _phases(challenge: Challenge, start: datetime | None, days: int) -> list[dict[str, Any]]:
    """Return the phases with their dates, as Codabench reads them: the next starts later."""
    phases: list[dict[str, Any]] = []
    for phase in challenge.phases:
        start = phase.start or start
        if start is None:
            raise UsageError(
                f"Expected a start of the phase {phase.name}, found none in challenge.yaml; "
                "give --start."
            )
        if phases and phases[-1]["end"] == _utc(start):
            phases[-1]["end"] = _utc(start - timedelta(seconds=1))
        last = phase is challenge.phases[-1]
        end = phase.end or (None if last else start + timedelta(days))
        phases.append({**dict(phase), "start": _utc(start), "end": end and _utc(end)})
        start = end and end + timedelta(days=1)
    return phases


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _data(room: Classroom) -> dict[str, bytes | Path]:
    """Return the exams of each phase and, apart, their labels; and the starting kit."""
    task, train = room.challenge.task, room.folder / "train"
    members: dict[str, bytes | Path] = {}
    for phase in reversed(room.challenge.phases):  # the sample is of the first
        tables = [room.labels[part][["label"]].assign(part=part) for part in phase.scored_on]
        members[f"reference_{phase.name}/truth.csv"] = _csv(truth := pd.concat(tables))
        same = pd.DataFrame({task.column: 0 if task.predicts == "grade" else 0.5}, truth.index)
        for place in (f"input_{phase.name}/submission_format.csv", SAMPLE):
            members[place] = _csv(same)
        for uid, part in truth["part"].items():
            place = f"niftis/{uid}.nii.gz"
            members[f"input_{phase.name}/{place}"] = room.folder / part / place
    for path in (one for one in train.rglob("*") if one.is_file()):
        members[f"starting_kit/train/{path.relative_to(train).as_posix()}"] = path
    return members


def _csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index_label="uid", lineterminator="\n").encode()
