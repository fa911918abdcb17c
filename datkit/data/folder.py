"""A cohort folder in the challenge's layout: opened, with everything that is wrong told at once.

<cohort>/niftis/<uid>.nii.gz    one volume per exam
<cohort>/train_labels.csv       uid, is_pathologic (0 normal, 1 abnormal)
<cohort>/exams.csv              optional: uid, centre, camera, age, sex, subject, tracer, …
<cohort>/truth.csv              optional, simulated only: uid, true uptake, reader votes, …
<cohort>/cohort.json            optional: name, version, licence, source, seed, settings, sha256
"""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datkit.data.cohort import LABEL, Cohort, checksum_problems, volume_path
from datkit.errors import CohortError, UsageError
from datkit.files import read_sealed
from datkit.io.scan import is_safe_uid
from datkit.problems import Problem, found_instead, repeated

__all__ = ["UNFINISHED", "open_folder", "read_table", "typed"]

UNFINISHED = ".unfinished"  # in a set that datkit simulate is at
TABLES = ("train_labels.csv", "exams.csv", "truth.csv", "submission_format.csv")
# Codes even where they look like numbers: hospital "01" is not hospital "1".
TEXT_COLUMNS = ("centre", "camera", "sex", "subject", "session", "tracer")
# No leading zeros: "007" is a code; and no more digits than a float has a place for.
NUMBER = r"-?(0|[1-9]\d{0,15})(\.\d+)?([eE][+-]?\d{1,2})?"


def open_folder(path: str | os.PathLike[str], *, require_labels: bool = True) -> Cohort:
    r"""Open a cohort folder and check that tables and volumes fit together.

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
        With every problem found: a simulation that was stopped; a table or column that is missing,
        rows of the wrong length, uids that are repeated or unsafe, labels other than 0 and 1, exams
        without a volume or a label, tables that list other exams, tables that are not those that
        ``cohort.json`` describes.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "train_labels.csv").write_text("uid,is_pathologic\n007,1.0\n007,2\n")
    >>> open_folder(folder)
    Traceback (most recent call last):
    datkit.errors.CohortError: 3 problems in ...:
      - train_labels.csv: expected 0 or 1 in is_pathologic, found '2' for '007'. Correct the labels.
      - train_labels.csv: expected each uid once, found several rows for '007'. Keep one per exam.
      - niftis: expected a folder of <uid>.nii.gz, found none. Put the volumes there.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise UsageError(f"Expected a cohort folder at {folder}, found none; check the path.")
    problems: list[Problem] = []
    if (folder / UNFINISHED).exists():
        found, remedy = "one that is unfinished", "Run the same datkit simulate again: it goes on."
        problems.append(Problem("unfinished", UNFINISHED, "a whole cohort", found, remedy))
    info = _read_info(folder, problems)
    labels = _read_labels(folder, require_labels, problems)
    _check_volumes(folder, labels, require_labels, problems)
    exams = _read_companion(folder / "exams.csv", labels, problems)
    truth = _read_companion(folder / "truth.csv", labels, problems)
    if "exams.csv" in info.get("sha256", {}) and exams is None:  # groups would be others
        expected, remedy = "the table that cohort.json lists", "Restore the file."
        problems.append(Problem("table-missing", "exams.csv", expected, "none", remedy))
    for table in TABLES:
        problems += checksum_problems(folder / table, folder, info)
    if problems or labels is None:
        raise CohortError.of(problems, where=folder)
    exams = labels.to_frame() if exams is None else labels.to_frame().join(exams)
    return Cohort(str(info.get("name", folder.resolve().name)), folder, exams, truth, info)


def read_table(
    path: Path, needed: tuple[str, ...], problems: list[Problem], separator: str = ","
) -> pd.DataFrame | None:
    """Read a CSV file as text, exactly as written, so that '007' and '1e5' stay what they are."""
    name, wanted = path.name, " and ".join(needed)
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:  # spreadsheets write a BOM
            reader = csv.reader(stream, delimiter=separator, strict=True)
            header = next(reader, [])
            rows = [(reader.line_num, row) for row in reader if row]
    except FileNotFoundError:
        expected = f"CSV with the columns {wanted}"
        problems.append(Problem("table-missing", name, expected, "no such file", "Add it."))
        return None
    except (OSError, ValueError, csv.Error) as error:
        problems.append(Problem("table", name, "CSV in UTF-8", str(error), "Save it again."))
        return None
    if not set(needed) <= set(header) or len(set(header)) < len(header):
        expected = f"distinct columns, {wanted} among them"
        remedy = f"Correct the first line (the separator is {separator!r})."
        problems.append(Problem("columns", name, expected, str(header), remedy, line=1))
        return None
    width = len(header)
    uneven = [f"{len(row)} in line {line}" for line, row in rows if len(row) != width]
    expected = f"{width} values in each line"
    problems += found_instead("row-length", name, expected, uneven, "Correct those lines.")
    return pd.DataFrame([row for _, row in rows if len(row) == width], columns=header)


def typed(text: pd.Series) -> pd.Series:
    """Give a column numbers if all its filled cells are numbers; an empty cell is NaN."""
    filled = text.where(text != "")
    known = filled.dropna()
    is_code = text.name in TEXT_COLUMNS or known.empty or not known.str.fullmatch(NUMBER).all()
    return filled if is_code else pd.to_numeric(filled)


def _by_uid(table: pd.DataFrame, name: str, problems: list[Problem]) -> pd.DataFrame:
    """Check the uids and make them the index; what is repeated or unsafe is left out."""
    safe = table["uid"].map(is_safe_uid).astype(bool)
    expected, unsafe = "uids of letters, digits, '_', '-' and '.'", map(repr, table["uid"][~safe])
    remedy = "Rename those exams here and on disk."
    problems += found_instead("uid-unsafe", name, expected, unsafe, remedy)
    twice, once, lead = repeated(table["uid"]), "each uid once", "several rows for "
    problems += found_instead("uid-repeated", name, once, twice, "Keep one per exam.", lead)
    return table[safe].drop_duplicates("uid").set_index("uid")


def _uids_on_disk(folder: Path) -> list[str]:
    names = (path.name for path in (folder / "niftis").glob("*.nii.gz"))
    return sorted(name.removesuffix(".nii.gz") for name in names if not name.startswith("."))


def _read_info(folder: Path, problems: list[Problem]) -> dict[str, Any]:
    try:
        info = read_sealed(folder / "cohort.json", needed=False)
        if all(isinstance(value, str) for value in info.get("sha256", {}).values()):
            return info
        found = "other values under 'sha256'"
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as error:
        found = f"an error ({error})"
    expected = "JSON, keys and values, text under 'sha256'"
    problems.append(Problem("cohort-json", "cohort.json", expected, found, "Restore the file."))
    return {}


def _read_labels(folder: Path, required: bool, problems: list[Problem]) -> pd.Series[float] | None:
    """Return the label of each exam, indexed by uid; None if no table can tell."""
    columns = {"train_labels.csv": ("uid", LABEL), "submission_format.csv": ("uid",)}
    name = next((one for one in columns if required or (folder / one).exists()), "niftis")
    table: pd.DataFrame | None = pd.DataFrame({"uid": _uids_on_disk(folder)}, dtype=object)
    if name in columns:
        table = read_table(folder / name, columns[name], problems)
    if table is None:
        return None
    if table.empty:
        remedy = "Add its row or volume."
        problems.append(Problem("exams-missing", name, "at least one exam", "none", remedy))
    values = pd.Series(np.nan, table.index)  # submission_format.csv holds place holders
    if name == "train_labels.csv":
        values = pd.to_numeric(table[LABEL], errors="coerce")
        bad = table[~values.isin([0, 1]) & (required | (table[LABEL] != ""))]
        pairs, expected = zip(bad["uid"], bad[LABEL], strict=True), f"0 or 1 in {LABEL}"
        found = [f"{label!r} for {uid!r}" for uid, label in pairs]
        problems += found_instead("label-unknown", name, expected, found, "Correct the labels.")
    return _by_uid(table.assign(**{LABEL: values}), name, problems)[LABEL].astype(float)


def _check_volumes(
    folder: Path, labels: pd.Series[float] | None, required: bool, problems: list[Problem]
) -> None:
    if not (folder / "niftis").is_dir():
        expected, remedy = "a folder of <uid>.nii.gz", "Put the volumes there."
        problems.append(Problem("volumes-missing", "niftis", expected, "none", remedy))
    elif labels is not None:
        # Each path is asked for by name: a freshly mounted folder can list as empty for a while.
        absent = [repr(uid) for uid in labels.index if not volume_path(folder, uid).is_file()]
        expected, lead = "a volume for every exam", "none for "
        remedy = "Add the files or correct the uids (a spreadsheet turns 007 into 7)."
        problems += found_instead("volume-missing", "niftis", expected, absent, remedy, lead)
    if labels is not None and required:
        name, expected, lead = "train_labels.csv", "a row for every volume", "none for "
        extra = [repr(uid) for uid in _uids_on_disk(folder) if uid not in labels.index]
        remedy = "Add the rows, remove the volumes or open with require_labels=False."
        problems += found_instead("label-missing", name, expected, extra, remedy, lead)


def _read_companion(
    path: Path, labels: pd.Series[float] | None, problems: list[Problem]
) -> pd.DataFrame | None:
    """Read exams.csv or truth.csv, if it is there, in the order of the labels."""
    table = read_table(path, ("uid",), problems) if path.exists() else None
    if table is None:
        return None
    name, table = path.name, _by_uid(table, path.name, problems)
    double, expected = [LABEL] if LABEL in table else [], "the labels in train_labels.csv alone"
    problems += found_instead("label-repeated", name, expected, double, "Remove the column.")
    if labels is None:
        return None
    extra = [repr(uid) for uid in table.index if uid not in labels.index]
    expected, lead = "exams of this cohort", "none for "
    problems += found_instead("uid-unknown", name, expected, extra, "Remove those rows.")
    absent = [repr(uid) for uid in labels.index if uid not in table.index]
    expected = "a row for every exam"
    problems += found_instead("uid-missing", name, expected, absent, "Add those rows.", lead)
    return table.reindex(labels.index).apply(typed)
