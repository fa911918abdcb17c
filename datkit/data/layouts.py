"""Other ways in which exams lie on a disk, each opened as a cohort without moving a file.

    exam.nii.gz, exam.dcm                                one exam
    <folder>/niftis/, train_labels.csv                   the challenge's layout, or ours
    <folder>/sub-01[/ses-1]/<datatype>/sub-01_….nii.gz   a tree in the style of BIDS
    <folder>/3001/<series>/<date>/I123456/…              an image collection of PPMI
    <folder>/….nii.gz, <folder>/…/….dcm                  volumes, one an exam
    <folder>/DICOMDIR, DICOM/S1/IM1, …                   what an archive or a disc gives

What is no exam (raw projections, screen captures, maps of attenuation) is left out and counted. An
exam is named by its place in the folder. Where that makes no safe name, or holds the person's name
or date of birth, a DICOM exam is named by a hash of its own unique identifier, and another file by
its safe letters and a hash of its place: the same files give the same names. Files that would have
one name, such as a.nii and a.nii.gz, have a hash of their place behind it.

Labels are known only where a table gives them: a diagnosis in a file is not a reading, and none is
made up.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datkit.data.cohort import LABEL, Cohort
from datkit.data.folder import open_folder, read_table, typed
from datkit.errors import CohortError, UsageError
from datkit.files import read_sealed
from datkit.io.dicom_files import DicomExam, files_below, find_exams
from datkit.io.dicom_header import is_dicom
from datkit.io.nifti import header_path, is_nifti
from datkit.io.scan import is_safe_uid, scan_name
from datkit.problems import Problem, found_instead, list_some, repeated

__all__ = ["open_path"]

OURS = ("niftis", "train_labels.csv", "submission_format.csv", "cohort.json")
OTHER_DATATYPES = {"anat", "beh", "dwi", "eeg", "fmap", "func", "ieeg", "meg", "perf"}
COLUMNS = ("subject", "tracer", "camera", "series")  # of what a DICOM file says of itself
PEOPLE, LABELS = "participants.tsv", ("0", "1", "0.0", "1.0")
_PPMI_DATE = re.compile(r"\d{4}-\d{2}-\d{2}_.*")
_PPMI_IMAGE = re.compile(r"[IS]\d+")

Row = dict[str, Any]  # uid, path and what else is known of one exam


def open_path(path: str | os.PathLike[str], *, require_labels: bool = True) -> Cohort:
    """Open whatever holds exams: a folder in one of the layouts above, or a single file.

    Parameters
    ----------
    path : path
        A folder or a file.
    require_labels : bool
        For a folder in the challenge's layout, as for :func:`datkit.data.open_folder`. In other
        layouts a label that no table gives is NaN.

    Raises
    ------
    UsageError
        If there is nothing at `path`.
    CohortError
        If no exam is found, or names clash; every problem is listed. If a file is
        no exam.
    """
    path = Path(path)
    if path.is_file():
        if not (is_nifti(path) or is_dicom(path)):
            expected = "an exam (.nii, .nii.gz, .hdr with .img, or DICOM)"
            remedy = "Convert it first, as with dcm2niix."
            problem = Problem("no-exam", str(path), expected, "another file", remedy)
            raise CohortError.of([problem], where=path)
        exam = [*find_exams([path])[0], DicomExam(path, {})][0]
        return replace(_cohort(path.parent, [_row(exam, path.parent)], {}), name=scan_name(path))
    if not path.is_dir():
        raise UsageError(f"Expected exams at {path}, found nothing; check the path.")
    if any((path / name).exists() for name in OURS):
        return open_folder(path, require_labels=require_labels)
    if any(path.glob("sub-*/")):
        return _open_bids(path)
    exams, left_out = _exams(files_below(path))
    rows = [row for row in (_ppmi_row(exam, path) for exam in exams) if row]
    return _cohort(path, rows or [_row(exam, path) for exam in exams], left_out)


def _exams(files: Iterable[Path]) -> tuple[list[DicomExam], dict[str, int]]:
    """Return the exams among files, in the same order, and what else of DICOM there is."""
    rank = {file: number for number, file in enumerate(files)}
    exams, others = find_exams(filter(is_dicom, rank))
    nifti = (file for file in rank if is_nifti(file) and not is_dicom(file))
    exams += [DicomExam(file, {}) for file in nifti if header_path(file) == file]
    return sorted(exams, key=lambda exam: rank[exam.path]), dict(others)


def _row(exam: DicomExam, folder: Path, name: str = "") -> Row:
    """Name an exam by its place in the folder, so that equal names in other places stay apart."""
    name = name or "-".join([*exam.path.parent.relative_to(folder).parts, scan_name(exam.path)])
    facts = {key: value for key, value in exam.facts.items() if value and key in COLUMNS}
    return {"uid": _safe_uid(exam, name), "path": exam.path} | facts


def _safe_uid(exam: DicomExam, name: str) -> str:
    plain = re.sub(r"[\W_]", "", name.lower())
    if is_safe_uid(name) and not any(word in plain for word in exam.private):
        return name
    letters = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:40] or "exam"
    return exam.code or f"{letters}-{_short_hash(name)}"


def _short_hash(name: str) -> str:
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:8]


# ---------------------------------------------------------------- PPMI


def _ppmi_row(exam: DicomExam, folder: Path) -> Row | None:
    """Read person, series, date and image from where PPMI's archive puts a file."""
    parts = exam.path.relative_to(folder).parts[:-1]
    for start in range(len(parts) - 3):  # an unpacked download may have a folder more on top
        person, series, date, image = parts[start : start + 4]
        if _PPMI_DATE.fullmatch(date) and _PPMI_IMAGE.fullmatch(image):
            facts = {"subject": person, "series": series, "date": date[:10]}
            return _row(exam, folder, f"{person}-{image}") | facts
    return None


# ---------------------------------------------------------------- BIDS


def _open_bids(folder: Path) -> Cohort:
    depth = len(folder.parts)
    files = (path for path in files_below(folder) if path.parts[depth].startswith("sub-"))
    files = (path for path in files if path.parent.name not in OTHER_DATATYPES)
    problems: list[Problem] = []
    people = _participants(folder / PEOPLE, problems)
    exams, left_out = _exams(files)
    rows = [_bids_row(exam, folder, people) for exam in exams]
    return _cohort(folder, rows, left_out, problems)


def _bids_row(exam: DicomExam, folder: Path, people: dict[str, Row]) -> Row:
    person = exam.path.relative_to(folder).parts[0]
    if not is_nifti(exam.path):
        who = {"subject": person.removeprefix("sub-")}
        return people.get(person, {}) | _row(exam, folder) | who
    name = scan_name(exam.path)
    words = dict(re.findall(r"(?:^|_)([a-z]+)-([A-Za-z0-9]+)", name))
    sidecar = read_json(exam.path.with_name(f"{name}.json"))
    tracer = sidecar.get("TracerName") or words.get("trc")
    facts = {"subject": words.get("sub"), "session": words.get("ses"), "tracer": tracer}
    facts |= {"camera": sidecar.get("ManufacturersModelName")}
    known = {key: str(value) for key, value in facts.items() if value}
    row = _row(exam, folder, re.sub(r"_(spect|pet|nm)$", "", name))
    return people.get(f"sub-{words.get('sub')}", {}) | row | known


def _participants(path: Path, problems: list[Problem]) -> dict[str, Row]:
    """Read what the tree says of each person; what is not said is left out."""
    table = read_table(path, ("participant_id",), problems, "\t") if path.is_file() else None
    if table is None:
        return {}
    twice, lead = repeated(table["participant_id"]), "several rows for "
    expected = "each person once"
    problems += found_instead("uid-repeated", path.name, expected, twice, "Keep one row.", lead)
    rows = table.drop(columns=["uid", "path"], errors="ignore").to_dict("records")
    known = [{str(k): v for k, v in row.items() if v not in ("n/a", "")} for row in rows]
    return {row.pop("participant_id", ""): row for row in known}


def read_json(path: Path) -> dict[str, Any]:
    """Read an object from a JSON file; an empty one if it is absent, damaged or no object."""
    with suppress(OSError, ValueError):
        return read_sealed(path, needed=False) if path.is_file() else {}  # no pipe
    return {}


# ---------------------------------------------------------------- the cohort


def _cohort(
    folder: Path, rows: list[Row], left_out: dict[str, int], problems: Iterable[Problem] = ()
) -> Cohort:
    uids = Counter(row["uid"] for row in rows)
    for row in rows:
        if uids[row["uid"]] > 1:  # such as a.nii beside a.nii.gz
            place = os.path.relpath(row["path"], folder)
            row["uid"] = f"{row['uid'][:90]}-{_short_hash(place)}"
    CohortError.raise_any([*problems, *_row_problems(folder, rows, left_out)], where=folder)
    facts = [{k: v for k, v in row.items() if k != "path"} for row in rows]
    exams = pd.DataFrame(facts, dtype=object).set_index("uid").apply(typed)
    labels = exams.pop(LABEL) if LABEL in exams else pd.Series(np.nan, exams.index)
    exams.insert(0, LABEL, labels.astype(float))
    paths = {row["uid"]: row["path"] for row in rows}
    return Cohort(folder.resolve().name, folder, exams, paths=paths, left_out=left_out)


def _row_problems(folder: Path, rows: list[Row], left_out: dict[str, int]) -> list[Problem]:
    if not rows:
        expected = "exams (.nii, .nii.gz, DICOM, or niftis/ and train_labels.csv)"
        found = list_some(["none", *(f"{count} {kind}" for kind, count in left_out.items())], 9)
        return [Problem("exams-missing", str(folder), expected, found, "Check the folder.")]
    labels = [repr(row[LABEL]) for row in rows if row.get(LABEL, "0") not in LABELS]
    expected = f"0 or 1 in {LABEL}"
    return found_instead("label-unknown", PEOPLE, expected, labels, "Correct the labels.")
