"""A cohort folder in the challenge's layout: opened, with everything that is wrong told at once.

<cohort>/niftis/<uid>.nii.gz    one volume per exam
<cohort>/train_labels.csv       uid, is_pathologic (0 normal, 1 abnormal)
<cohort>/exams.csv              optional: uid, centre, camera, age, sex, subject, tracer, …
<cohort>/truth.csv              optional, simulated only: uid, true uptake, reader votes, …
<cohort>/cohort.json            optional: name, version, licence, source, seed, settings, sha256
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datkit.data.cohort import LABEL, Cohort, checksum_problem, volume_path
from datkit.data.problems import Problems
from datkit.data.tables import by_uid, read_table, typed
from datkit.errors import CohortError, UsageError

__all__ = ["open_folder"]

TABLES = ("train_labels.csv", "exams.csv", "truth.csv", "submission_format.csv")


def open_folder(path: str | os.PathLike[str], *, require_labels: bool = True) -> Cohort:
    """Open a cohort folder and check that tables and volumes fit together.

    Parameters
    ----------
    path : path
        A folder in the challenge's layout (see the top of this module).
    require_labels : bool
        Expect a label for every exam and volume. Without it, the exams are the rows of
        ``train_labels.csv``, else those of ``submission_format.csv`` (whose values are place
        holders), else all volumes, sorted by uid; a label that is not there is NaN.

    Raises
    ------
    UsageError
        If there is no such folder.
    CohortError
        With every problem found: a table or column that is missing, rows of the wrong length, uids
        that are repeated or unsafe, labels other than 0 and 1, exams without a volume or a label,
        tables that list other exams, tables that are not those that ``cohort.json`` describes.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "train_labels.csv").write_text("uid,is_pathologic\\n007,1.0\\n007,2\\n")
    >>> open_folder(folder)
    Traceback (most recent call last):
    datkit.errors.CohortError: 3 problems in ...:
      - train_labels.csv: expected 0 or 1 in is_pathologic, found '2' for '007'; correct the labels.
      - train_labels.csv: expected each uid once, found several rows for '007'; keep one per exam.
      - niftis: expected a folder of <uid>.nii.gz, found none; put the volumes there.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise UsageError(f"Expected a cohort folder at {folder}, found none; check the path.")
    problems = Problems()
    info = _read_info(folder, problems)
    labels = _read_labels(folder, require_labels, problems)
    _check_volumes(folder, labels, require_labels, problems)
    exams = _read_companion(folder / "exams.csv", labels, problems)
    truth = _read_companion(folder / "truth.csv", labels, problems)
    changed = (checksum_problem(folder / table, folder, info) for table in TABLES)
    problems.extend(problem for problem in changed if problem)
    if problems:
        raise CohortError.of(problems, where=folder)
    exams = labels.to_frame() if exams is None else labels.to_frame().join(exams)
    return Cohort(str(info.get("name", folder.resolve().name)), folder, exams, truth, info)


def _uids_on_disk(folder: Path) -> list[str]:
    names = (path.name for path in (folder / "niftis").glob("*.nii.gz"))
    return sorted(name.removesuffix(".nii.gz") for name in names if not name.startswith("."))


def _read_info(folder: Path, problems: Problems) -> dict[str, Any]:
    path = folder / "cohort.json"
    if not path.exists():
        return {}
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        problems.append(f"cohort.json: expected JSON, found an error ({error}); restore the file.")
        return {}
    hashes = info.get("sha256", {}) if isinstance(info, dict) else None
    if isinstance(hashes, dict) and all(isinstance(value, str) for value in hashes.values()):
        return info
    problems.append("cohort.json: expected keys and values, text under 'sha256'; restore it.")
    return {}


def _read_labels(folder: Path, required: bool, problems: Problems) -> pd.Series | None:
    """Return the label of each exam, indexed by uid; None if no table can tell."""
    name, needed = "train_labels.csv", ("uid", LABEL)
    if not required and not (folder / name).exists():
        name, needed = "submission_format.csv", ("uid",)
    if not required and not (folder / name).exists():
        name, table = "niftis", pd.DataFrame({"uid": _uids_on_disk(folder)}, dtype=object)
    else:
        table = read_table(folder / name, needed, problems)
    if table is None:
        return None
    if table.empty:
        problems.append(f"{name}: expected at least one exam, found none; add its row or volume.")
    values = np.nan  # what submission_format.csv says is a place holder
    if name == "train_labels.csv":
        values = _label_values(table, required, problems)
    return by_uid(table.assign(**{LABEL: values}), name, problems)[LABEL].astype(float)


def _label_values(table: pd.DataFrame, required: bool, problems: Problems) -> pd.Series:
    values = pd.to_numeric(table[LABEL], errors="coerce")
    bad = table[~values.isin([0, 1]) & (required | (table[LABEL] != ""))]
    found = [f"{row[LABEL]!r} for {row['uid']!r}" for _, row in bad.iterrows()]
    problems.expect("train_labels.csv", f"0 or 1 in {LABEL}", found, "correct the labels")
    return values


def _check_volumes(
    folder: Path, labels: pd.Series | None, required: bool, problems: Problems
) -> None:
    if not (folder / "niftis").is_dir():
        problems.append(
            "niftis: expected a folder of <uid>.nii.gz, found none; put the volumes there."
        )
    elif labels is not None:
        # Each path is asked for by name: a freshly mounted folder can list as empty for a while.
        problems.expect(
            "niftis",
            "a volume for every exam",
            [repr(uid) for uid in labels.index if not volume_path(folder, uid).is_file()],
            "add the files or correct the uids (a spreadsheet turns 007 into 7)",
            "none for ",
        )
        unlabelled = [repr(uid) for uid in _uids_on_disk(folder) if uid not in labels.index]
        problems.expect(
            "train_labels.csv",
            "a row for every volume",
            unlabelled if required else [],
            "add the rows, remove the volumes or open with require_labels=False",
            "none for ",
        )


def _read_companion(
    path: Path, labels: pd.Series | None, problems: Problems
) -> pd.DataFrame | None:
    """Read exams.csv or truth.csv, if it is there, in the order of the labels."""
    table = read_table(path, ("uid",), problems) if path.exists() else None
    if table is None:
        return None
    table = by_uid(table, path.name, problems)
    double = [LABEL] if LABEL in table else []
    problems.expect(path.name, "the labels in train_labels.csv alone", double, "remove the column")
    if labels is None:
        return None
    extra = [repr(uid) for uid in table.index if uid not in labels.index]
    problems.expect(path.name, "exams of this cohort", extra, "remove those rows")
    absent = [repr(uid) for uid in labels.index if uid not in table.index]
    problems.expect(path.name, "a row for every exam", absent, "add those rows", "none for ")
    return table.reindex(labels.index).apply(typed)
