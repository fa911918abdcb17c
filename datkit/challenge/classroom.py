"""The folder of a class's challenge, and how it is made from a cohort.

<folder>/challenge.yaml    what describes it
<folder>/train/            for teams: a cohort in the challenge's layout, with labels
<folder>/public/           volumes of a test set and submission_format.csv, without labels
<folder>/private/          mode 0700: the same of the other test set
<folder>/labels/           mode 0700: the labels, which exam was which, and the split with its proof
<folder>/kept/             mode 0700: every file that was handed in, in a folder of its sha256
<folder>/record.jsonl      all that happened: see `datkit.challenge.record`

Exams get new names, drawn anew each time, since an old one may tell the label ("PD-012") or how to
simulate it again ("sim-2026-0007"). Their files are written anew from voxels and affine alone: what
else a header or its packer holds (texts, limits, a time) may tell as much.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from random import SystemRandom

import numpy as np
import pandas as pd

from datkit.challenge.controls import control_predictions
from datkit.challenge.description import (
    Challenge,
    ChallengeData,
    Phase,
    Task,
    find_description,
    load_challenge,
    team_name,
)
from datkit.challenge.record import Record
from datkit.data.cohort import LABEL, Cohort
from datkit.data.groups import ties_of, usual_grouping
from datkit.data.split import Fold, Split, grouped_split, random_split
from datkit.errors import ChallengeError, ChecksumError, UsageError
from datkit.files import sha256_file
from datkit.io.scan import save_scan
from datkit.problems import Problem

__all__ = ["Classroom", "hash_token", "init_class", "team_name"]

DESCRIPTION, RECORD = "challenge.yaml", "record.jsonl"
Parts = dict[str, list[str]]  # train, public, private: the exams


@dataclass(frozen=True)
class Classroom:
    """A class's challenge on disk.

    Attributes
    ----------
    folder : Path
    challenge : Challenge
    record : Record
    """

    folder: Path
    challenge: Challenge
    record: Record

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Classroom:
        """Open the folder that :func:`init_class` made.

        Raises
        ------
        UsageError
            If it is none.
        ChallengeError
            If its challenge.yaml has problems, or is not the one that the record speaks of.
        """
        folder = Path(folder).resolve()
        record = Record(folder / RECORD)
        if not any(record.of("made")):
            raise UsageError(
                f"Expected the folder of a class's challenge at {folder}, found no {RECORD} of "
                "one; make one with datkit class init, or restore the record from a copy."
            )
        room = cls(folder, load_challenge(path := folder / DESCRIPTION), record)
        room.record.mend()
        if (found := sha256_file(path)) != room.described:
            raise ChallengeError(
                f"{path}: expected sha256 {room.described}, as the record says, found {found}. "
                "Restore the file; or put the change on record: datkit class amend."
            )
        return room

    @classmethod
    def amend(cls, folder: Path) -> Classroom:
        """Put a challenge.yaml that was changed on record, where all can see when, and open it.

        Raises
        ------
        UsageError, ChallengeError
            As :meth:`open`.
        """
        load_challenge(folder / DESCRIPTION)  # one with problems is not put on record
        if (folder / RECORD).is_file():
            Record(folder / RECORD).add("amended", described=sha256_file(folder / DESCRIPTION))
        return cls.open(folder)

    @property
    def described(self) -> str:
        """The sha256 of challenge.yaml, as the record last has it."""
        return [*self.record.of("made", "amended")][-1].get("described", "(none)")

    @property
    def teams(self) -> set[str]:
        """The teams that have tokens."""
        return {entry["name"] for entry in self.record.of("team")}

    @cached_property
    def labels(self) -> dict[str, pd.DataFrame]:
        """Of each test set, a row an exam: label and centre, by uid in the format's order.

        Raises
        ------
        ChecksumError
            If they are not those that the challenge was made with.
        """
        tables, kinds = {}, {"uid": str, "centre": str}
        made = next(self.record.of("made"))["sha256"]
        for part in ("public", "private"):
            path = self.folder / "labels" / f"{part}.csv"
            if (found := sha256_file(path)) != made[path.name]:
                raise ChecksumError(
                    f"{path}: expected sha256 {made[path.name]}, as the record says, found "
                    f"{found}; restore the file."
                )
            tables[part] = pd.read_csv(path, dtype=kinds, index_col="uid")
        return tables

    def uids(self, phase: Phase) -> list[str]:
        """Return the exams that a phase's submissions predict, in the format's order."""
        return [uid for part in phase.scored_on for uid in self.labels[part].index]

    def tests(self, phase: Phase) -> Cohort:
        """Return them as a cohort without labels."""
        places = {
            uid: self.folder / part / "niftis" / f"{uid}.nii.gz"
            for part in phase.scored_on
            for uid in self.labels[part].index
        }
        exams = pd.DataFrame({LABEL: np.nan}, index=list(places))
        return Cohort(f"{self.challenge.name}, {phase.name}", self.folder, exams, paths=places)

    def phase(self, now: datetime | None = None) -> Phase | None:
        """Return the phase that takes submissions now; None before the first and after the last."""
        now, closed = now or datetime.now(UTC), self._closed
        for phase in self.challenge.phases:
            if phase.name not in closed and not (phase.end and now >= phase.end):
                return None if phase.start and now < phase.start else phase
        return None

    def is_over(self, now: datetime | None = None) -> bool:
        """Tell whether the last phase has ended, so that private scores are shown."""
        last, now = self.challenge.phases[-1], now or datetime.now(UTC)
        return last.name in self._closed or bool(last.end and now >= last.end)

    @property
    def _closed(self) -> set[str]:
        return {entry["phase"] for entry in self.record.of("closed")}

    def issue_token(self, team: str) -> str:
        """Return a new token of a team; an older one of it is worth nothing from now on.

        Raises
        ------
        ChallengeError
            If the name is none.
        """
        token = secrets.token_urlsafe(16)
        self.record.add("team", name=team_name(team), sha256=hash_token(token))
        return token

    def close(self) -> Phase:
        """End the phase that is open, and return it.

        Raises
        ------
        ChallengeError
            If none is open.
        """
        phase = self.phase()
        with self.record.lock:
            if phase is None or phase != self.phase():  # another one has closed it
                raise ChallengeError(f"{self.folder}: expected an open phase to close, found none.")
            self.record.add("closed", phase=phase.name)
        return phase


def hash_token(token: str) -> str:
    """Return what the record has of a token."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def init_class(
    folder: str | os.PathLike[str],
    cohort: Cohort,
    description: str | os.PathLike[str] = "class",
) -> Classroom:
    """Make a challenge from a cohort: share out its exams, and put the labels apart.

    Parameters
    ----------
    folder : path
        What is to be made; it must not exist, or be empty.
    cohort : Cohort
        Exams without a label are left out.
    description : path or str
        A ``challenge.yaml``, or an example's name.

    Raises
    ------
    UsageError
        If the folder holds something, or there are fewer centres than parts.
    ChallengeError
        If the description has problems, the cohort lacks the labels, or a part lacks a class.
    CohortError
        If an exam has no centre, or volumes cannot be read.
    """
    folder, challenge = Path(folder).resolve(), load_challenge(description)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"Expected a new or empty folder, found {folder}; name another one.")
    labels = _labels_of(cohort, challenge.task)
    cohort = cohort.subset(labels.index)
    split = share_out(cohort, challenge.data)
    parts: Parts = {"train": [*split.folds[0].train]}
    parts |= {fold.name: [*fold.test] for fold in split.folds}
    _check_classes(parts, labels, challenge.task)
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".class-"))
    try:
        for closed in ("labels", "kept", "private"):
            (made / closed).mkdir(mode=0o700)
        shutil.copyfile(find_description(description), made / DESCRIPTION)
        split.save(made / "labels" / "split.json")
        names = _write_parts(made, cohort, labels, parts, challenge.task)
        record, tables = Record(made / RECORD), sorted((made / "labels").iterdir())
        described = sha256_file(made / DESCRIPTION)
        hashes = {path.name: sha256_file(path) for path in tables}
        record.add("made", sha256=hashes, described=described)
        for name, values in control_predictions(cohort, labels, parts, challenge).items():
            told = {names[uid]: value for uid, value in values.items()}
            record.add("control", name=name, predictions=told)
        made.chmod(0o755)
        made.replace(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return Classroom.open(folder)


def share_out(cohort: Cohort, data: ChallengeData) -> Split:
    """Split a cohort into train, public and private, of whole groups.

    Returns
    -------
    Split
        Of two folds, ``public`` and ``private``, each with the training exams on the other side.

    Raises
    ------
    UsageError, CohortError
        As :func:`datkit.data.grouped_split` and :func:`datkit.data.random_split`.
    """
    shares = data.public, data.private
    count = max(3, round(1 / min(*shares, 1 - sum(shares))))
    if data.together:
        split = grouped_split(cohort, data.together, count)
    else:
        fewest = int(cohort.labels.value_counts().min())  # each fold takes some of each class
        count = max(3, min(count, fewest))
        split = random_split(cohort, count, data.seed)
    start, end = np.cumsum([max(1, round(share * count)) for share in shares])
    sides = split.folds[:start], split.folds[start:end]
    public, private = (tuple(uid for fold in side for uid in fold.test) for side in sides)
    train = tuple(uid for uid in cohort.uids if uid not in {*public, *private})
    folds = (Fold("public", train, public), Fold("private", train, private))
    settings = {**split.settings, "public": data.public, "private": data.private}
    return Split(split.kind, split.cohort, settings, folds, split.proved)


def _labels_of(cohort: Cohort, task: Task) -> pd.Series:
    """Return the label of every exam that has one, an integer, by uid."""
    for table in (cohort.exams, cohort.truth):
        if table is not None and task.column in table:
            known = pd.to_numeric(table[task.column], errors="coerce").dropna()
            if len(known) and known.isin(range(len(task.classes))).all():
                return known.astype(int)
    raise ChallengeError(
        f"{cohort.name}: expected a column {task.column} with the numbers 0 to "
        f"{len(task.classes) - 1}, found none in train_labels.csv, exams.csv or truth.csv; add it, "
        "or name another one in challenge.yaml."
    )


def _check_classes(parts: Parts, labels: pd.Series, task: Task) -> None:
    """Refuse a part without a class, but for grades of the test sets."""
    problems = []
    for part, uids in parts.items():
        absent = [task.classes[n] for n in sorted({*range(len(task.classes))} - {*labels[uids]})]
        if absent and (task.predicts == "probability" or part == "train"):
            expected, found = "exams of every class", f"none that is {' or '.join(absent)}"
            remedy = "Give more exams, or change the shares."
            problems.append(Problem("class-missing", part, expected, found, remedy))
    ChallengeError.raise_any(problems, where="the split")


def _write_parts(
    made: Path, cohort: Cohort, labels: pd.Series, parts: Parts, task: Task
) -> dict[str, str]:
    """Write volumes and tables of each part; return {uid: its new name}."""
    shuffled = SystemRandom().sample(cohort.uids, len(cohort))
    names = {uid: f"exam-{number:04d}" for number, uid in enumerate(shuffled, start=1)}
    known = pd.DataFrame({"label": labels, "was": labels.index})
    known["centre"] = ties_of(cohort, by := usual_grouping(cohort))[by]
    for part, uids in parts.items():
        (made / part / "niftis").mkdir(parents=True)
        ordered = sorted(uids, key=names.__getitem__)
        for uid in ordered:
            scan = cohort.load(uid)
            save_scan(scan.data, scan.affine, made / part / "niftis" / f"{names[uid]}.nii.gz")
        told = known.loc[ordered].rename(names).rename_axis("uid")
        told.to_csv(made / "labels" / f"{part}.csv")
        if part == "train":
            exams = cohort.exams.loc[ordered].rename(names).rename_axis("uid")
            exams[task.column] = told["label"]
            columns = [*dict.fromkeys((LABEL, task.column))]
            exams[columns].to_csv(made / part / "train_labels.csv")
            exams.drop(columns=columns).to_csv(made / part / "exams.csv")
        else:
            told.assign(**{task.column: 0})[[task.column]].to_csv(
                made / part / "submission_format.csv"
            )
    return names
