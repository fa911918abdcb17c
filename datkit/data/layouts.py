"""Other ways in which exams lie on a disk, each opened as a cohort without moving a file.

    exam.nii.gz, exam.dcm                                one exam
    <folder>/niftis/, train_labels.csv                   the challenge's layout, or ours
    <folder>/sub-01[/ses-1]/<datatype>/sub-01_….nii.gz   a tree in the style of BIDS
    <folder>/3001/<series>/<date>/I123456/…              an image collection of PPMI
    <folder>/….nii.gz, <folder>/…/….dcm                  volumes, one an exam

Labels are known only where a table gives them: a diagnosis in a file is not a reading, and none is
made up.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datkit.data.cohort import LABEL, Cohort, is_nifti
from datkit.data.folder import open_folder
from datkit.data.problems import Problems, repeated
from datkit.data.tables import is_safe, read_table, typed
from datkit.errors import CohortError, ScanError, UsageError
from datkit.io.dicom import describe_dicom, is_dicom

__all__ = ["open_path"]

OURS = ("niftis", "train_labels.csv", "submission_format.csv", "cohort.json")
OTHER_DATATYPES = {"anat", "beh", "dwi", "eeg", "fmap", "func", "ieeg", "meg", "perf"}
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
        For a folder in the challenge's layout, as for :func:`datkit.cohort.open_folder`. In other
        layouts a label that no table gives is NaN.

    Raises
    ------
    UsageError
        If there is nothing at `path`.
    CohortError
        If no exam is found, or names clash or are unsafe; every problem is listed. If a file is
        no exam.
    """
    path = Path(path)
    if path.is_file():
        if not (is_nifti(path) or is_dicom(path)):
            raise CohortError(
                f"{path}: expected an exam (.nii, .nii.gz, or DICOM that begins as the standard "
                "says), found another file; convert it first, as with dcm2niix."
            )
        row = _row(path, _stem(path)) | {"modality": None}
        return _cohort(path.parent, [row], name=_stem(path))
    if not path.is_dir():
        raise UsageError(f"Expected exams at {path}, found nothing; check the path.")
    if any((path / name).exists() for name in OURS):
        return open_folder(path, require_labels=require_labels)
    if any(path.glob("sub-*/")):
        return _open_bids(path)
    files = [file for file in _files(path) if is_nifti(file) or is_dicom(file)]
    rows = [row for file in files if (row := _ppmi_row(file, path))]
    rows = rows or [_row(file, _joined(file, path)) for file in files]
    return _cohort(path, [row for row in rows if row.pop("modality", "NM") == "NM"])


def _files(folder: Path) -> Iterable[Path]:
    """List all files in a fixed order, hidden ones left out; links to folders are not followed."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files = (Path(place, name) for name in sorted(names) if not name.startswith("."))
        yield from (file for file in files if file.is_file())  # a pipe would be waited for


def _stem(path: Path) -> str:
    return re.sub(r"(\.nii\.gz|\.nii|\.dcm)$", "", path.name)


def _joined(path: Path, folder: Path) -> str:
    """Name a file by its place in the folder, so that equal names in other places stay apart."""
    return "-".join([*path.parent.relative_to(folder).parts, _stem(path)])


def _row(path: Path, uid: str) -> Row:
    row: Row = {"uid": uid, "path": path}
    if is_dicom(path):
        try:
            facts = describe_dicom(path)
        except ScanError:  # told when the volume is read: one bad file never hides the others
            return row
        row |= {key: value for key, value in facts.items() if value and key != "image_type"}
    return row


# ---------------------------------------------------------------- PPMI


def _ppmi_row(path: Path, folder: Path) -> Row | None:
    """Read person, series, date and image from where PPMI's archive puts a file."""
    parts = path.relative_to(folder).parts[:-1]
    for start in range(len(parts) - 3):  # an unpacked download may have a folder more on top
        person, series, date, image = parts[start : start + 4]
        if _PPMI_DATE.fullmatch(date) and _PPMI_IMAGE.fullmatch(image):
            facts = {"subject": person, "series": series, "date": date[:10]}
            return _row(path, f"{person}-{image}") | facts
    return None


# ---------------------------------------------------------------- BIDS


def _open_bids(folder: Path) -> Cohort:
    files = [
        path
        for path in _files(folder)
        if path.parts[len(folder.parts)].startswith("sub-")
        and is_nifti(path)
        and path.parent.name not in OTHER_DATATYPES
    ]
    problems = Problems()
    people = _participants(folder / "participants.tsv", problems)
    return _cohort(folder, [_bids_row(path, people) for path in files], problems=problems)


def _bids_row(path: Path, people: dict[str, Row]) -> Row:
    words = dict(re.findall(r"(?:^|_)([a-z]+)-([A-Za-z0-9]+)", _stem(path)))
    sidecar = _json(path.with_name(f"{_stem(path)}.json"))
    tracer = sidecar.get("TracerName") or words.get("trc")
    facts = {"subject": words.get("sub"), "session": words.get("ses"), "tracer": tracer}
    facts |= {"camera": sidecar.get("ManufacturersModelName")}
    known = {key: str(value) for key, value in facts.items() if value}
    uid = re.sub(r"_(spect|pet|nm)$", "", _stem(path))
    return people.get(f"sub-{words.get('sub')}", {}) | {"uid": uid, "path": path} | known


def _participants(path: Path, problems: Problems) -> dict[str, Row]:
    """Read what the tree says of each person; what is not said is left out."""
    table = read_table(path, ("participant_id",), problems, "\t") if path.exists() else None
    if table is None:
        return {}
    twice = repeated(table["participant_id"])
    problems.expect(path.name, "each person once", twice, "keep one row", "several rows for ")
    table = table.drop(columns=["uid", "path"], errors="ignore")
    table = table.drop_duplicates("participant_id").set_index("participant_id")
    rows = table.to_dict("index").items()
    return {who: {k: v for k, v in row.items() if v not in ("n/a", "")} for who, row in rows}


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


# ---------------------------------------------------------------- the cohort


def _cohort(
    folder: Path, rows: list[Row], name: str | None = None, problems: Iterable[str] = ()
) -> Cohort:
    if problems := [*problems, *_row_problems(rows)]:
        raise CohortError.of(problems, where=folder)
    facts = [{k: v for k, v in row.items() if k not in ("path", "modality")} for row in rows]
    table = pd.DataFrame(facts, dtype=object)
    exams = table.set_index("uid").apply(typed)
    labels = exams.pop(LABEL) if LABEL in exams else pd.Series(np.nan, exams.index)
    exams.insert(0, LABEL, labels.astype(float))
    paths = {row["uid"]: row["path"] for row in rows}
    return Cohort(name or folder.resolve().name, folder, exams, paths=paths)


def _row_problems(rows: list[Row]) -> list[str]:
    problems = Problems()
    if not rows:
        problems.append(
            "expected exams (.nii, .nii.gz, DICOM, or niftis/ and train_labels.csv), found none; "
            "check the folder."
        )
    uids = [row["uid"] for row in rows]
    unsafe = [repr(uid) for uid in uids if not is_safe(uid)]
    expected = "names of at most 100 letters, digits, '_', '-' and '.'"
    problems.expect("uids", expected, unsafe, "rename those files")
    problems.expect("uids", "each once", repeated(uids), "keep one file per exam", "several for ")
    labels = [str(row[LABEL]) for row in rows if LABEL in row]
    wrong = [repr(label) for label in labels if label not in ("0", "1", "0.0", "1.0")]
    problems.expect("participants.tsv", f"0 or 1 in {LABEL}", wrong, "correct the labels")
    return problems
