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

from datkit.data.cohort import LABEL, Cohort
from datkit.data.folder import open_folder, read_table, typed
from datkit.errors import CohortError, ScanError, UsageError
from datkit.io.dicom import describe_dicom, is_dicom
from datkit.io.nifti import header_path, is_nifti
from datkit.io.scan import is_safe_uid
from datkit.problems import Problem, found_instead, repeated

__all__ = ["open_path"]

OURS = ("niftis", "train_labels.csv", "submission_format.csv", "cohort.json")
OTHER_DATATYPES = {"anat", "beh", "dwi", "eeg", "fmap", "func", "ieeg", "meg", "perf"}
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
        If no exam is found, or names clash or are unsafe; every problem is listed. If a file is
        no exam.
    """
    path = Path(path)
    if path.is_file():
        if not (is_nifti(path) or is_dicom(path)):
            expected = "an exam (.nii, .nii.gz, .hdr with .img, or DICOM)"
            remedy = "Convert it first, as with dcm2niix."
            problem = Problem("no-exam", str(path), expected, "another file", remedy)
            raise CohortError.of([problem], where=path)
        row = _row(path, _stem(path)) | {"modality": None}
        return _cohort(path.parent, [row], name=_stem(path))
    if not path.is_dir():
        raise UsageError(f"Expected exams at {path}, found nothing; check the path.")
    if any((path / name).exists() for name in OURS):
        return open_folder(path, require_labels=require_labels)
    if any(path.glob("sub-*/")):
        return _open_bids(path)
    files = [one for one in _files(path) if _is_exam(one)]
    ppmi = [row for row in (_ppmi_row(file, path) for file in files) if row]
    rows = ppmi or [_row(file, _joined(file, path)) for file in files]
    return _cohort(path, [row for row in rows if row.pop("modality", "NM") == "NM"])


def _files(folder: Path) -> Iterable[Path]:
    """List all files in a fixed order, hidden ones left out; links to folders are not followed."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files = (Path(place, name) for name in sorted(names) if not name.startswith("."))
        yield from (file for file in files if file.is_file())  # a pipe would be waited for


def _is_exam(path: Path) -> bool:
    """Tell a file that names an exam; of a pair that is the header."""
    return (is_nifti(path) and header_path(path) == path) or is_dicom(path)


def _stem(path: Path) -> str:
    return re.sub(r"(\.(nii|hdr|img)(\.gz)?|\.dcm)$", "", path.name, flags=re.IGNORECASE)


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
        and header_path(path) == path
        and path.parent.name not in OTHER_DATATYPES
    ]
    problems: list[Problem] = []
    people = _participants(folder / PEOPLE, problems)
    return _cohort(folder, [_bids_row(path, people) for path in files], problems=problems)


def _bids_row(path: Path, people: dict[str, Row]) -> Row:
    words = dict(re.findall(r"(?:^|_)([a-z]+)-([A-Za-z0-9]+)", _stem(path)))
    sidecar = read_json(path.with_name(f"{_stem(path)}.json"))
    tracer = sidecar.get("TracerName") or words.get("trc")
    facts = {"subject": words.get("sub"), "session": words.get("ses"), "tracer": tracer}
    facts |= {"camera": sidecar.get("ManufacturersModelName")}
    known = {key: str(value) for key, value in facts.items() if value}
    uid = re.sub(r"_(spect|pet|nm)$", "", _stem(path))
    return people.get(f"sub-{words.get('sub')}", {}) | {"uid": uid, "path": path} | known


def _participants(path: Path, problems: list[Problem]) -> dict[str, Row]:
    """Read what the tree says of each person; what is not said is left out."""
    table = read_table(path, ("participant_id",), problems, "\t") if path.exists() else None
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
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


# ---------------------------------------------------------------- the cohort


def _cohort(
    folder: Path, rows: list[Row], name: str | None = None, problems: Iterable[Problem] = ()
) -> Cohort:
    CohortError.raise_any([*problems, *_row_problems(folder, rows)], where=folder)
    facts = [{k: v for k, v in row.items() if k not in ("path", "modality")} for row in rows]
    exams = pd.DataFrame(facts, dtype=object).set_index("uid").apply(typed)
    labels = exams.pop(LABEL) if LABEL in exams else pd.Series(np.nan, exams.index)
    exams.insert(0, LABEL, labels.astype(float))
    paths = {row["uid"]: row["path"] for row in rows}
    return Cohort(name or folder.resolve().name, folder, exams, paths=paths)


def _row_problems(folder: Path, rows: list[Row]) -> list[Problem]:
    if not rows:
        expected = "exams (.nii, .nii.gz, DICOM, or niftis/ and train_labels.csv)"
        return [Problem("exams-missing", str(folder), expected, "none", "Check the folder.")]
    uids = [row["uid"] for row in rows]
    unsafe = [repr(uid) for uid in uids if not is_safe_uid(uid)]
    labels = [repr(row[LABEL]) for row in rows if row.get(LABEL, "0") not in LABELS]
    expected = "names of at most 100 letters, digits, '_', '-' and '.'"
    one, zero_or_one = "Keep one file per exam.", f"0 or 1 in {LABEL}"
    return [
        *found_instead("uid-unsafe", "uids", expected, unsafe, "Rename those files."),
        *found_instead("uid-repeated", "uids", "each once", repeated(uids), one, "several for "),
        *found_instead("label-unknown", PEOPLE, zero_or_one, labels, "Correct the labels."),
    ]
