"""A cohort: one folder of exams in the challenge's layout, simulated or real, opened and checked.

    <cohort>/niftis/<uid>.nii.gz    one volume per exam
    <cohort>/train_labels.csv       uid, is_pathologic (0 normal, 1 abnormal)
    <cohort>/exams.csv              optional: uid, centre, camera, age, sex, …
    <cohort>/truth.csv              optional, simulated only: uid, true uptake, reader votes, …
    <cohort>/cohort.json            optional: name, version, licence, source, seed, settings, sha256

This module belongs to the inference path: it needs numpy and pandas only.
"""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datkit.errors import ChecksumError, CohortError, ScanError, UsageError
from datkit.files import sha256_file
from datkit.scan import Scan, check_uid, load_scan

__all__ = ["Cohort", "grouped_folds", "open_folder"]

LABEL = "is_pathologic"
TABLES = ("train_labels.csv", "exams.csv", "truth.csv", "submission_format.csv")
# Codes even where they look like numbers: hospital "01" is not hospital "1".
TEXT_COLUMNS = ("centre", "camera", "sex")
NUMBER = r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?"  # no leading zeros: "007" is a code


@dataclass(frozen=True, eq=False, repr=False)
class Cohort:
    """Exams, their labels and where their volumes lie. Volumes are read one at a time.

    Attributes
    ----------
    name : str
        The name in ``cohort.json``, else the folder's.
    folder : Path
        The cohort folder.
    exams : pandas.DataFrame
        One row per exam, indexed by `uid` (str), in the order of the label table. Column
        ``is_pathologic`` (float: 0 normal, 1 abnormal, NaN unknown), then those of ``exams.csv``.
    truth : pandas.DataFrame or None
        ``truth.csv`` in the same order; None for real exams.
    info : dict
        The content of ``cohort.json``; empty if there is none.

    Examples
    --------
    >>> exams = pd.DataFrame({"is_pathologic": [0.0, 1.0]}, index=["007", "1e5"])
    >>> cohort = Cohort("demo", Path("demo"), exams)
    >>> cohort
    <Cohort demo: 2 exams, 1 normal, 1 abnormal>
    >>> cohort.uids
    ['007', '1e5']
    """

    name: str
    folder: Path
    exams: pd.DataFrame
    truth: pd.DataFrame | None = None
    info: dict[str, Any] = field(default_factory=dict)

    @property
    def uids(self) -> list[str]:
        """The exams' identifiers, in order."""
        return list(self.exams.index)

    @property
    def labels(self) -> pd.Series:
        """0 normal, 1 abnormal, NaN unknown; float, indexed by uid."""
        return self.exams[LABEL]

    def __len__(self) -> int:
        return len(self.exams)

    def __iter__(self) -> Iterator[str]:
        return iter(self.uids)

    def __repr__(self) -> str:
        normal, abnormal = (int((self.labels == label).sum()) for label in (0, 1))
        counts = f"{len(self)} exams, {normal} normal, {abnormal} abnormal"
        unknown = len(self) - normal - abnormal
        return f"<Cohort {self.name}: {counts}{f', {unknown} unknown' if unknown else ''}>"

    def path_of(self, uid: str) -> Path:
        """Return the path of an exam's volume.

        Raises
        ------
        CohortError
            If the cohort has no such exam.
        """
        self._check_known([uid])
        return _volume(self.folder, uid)

    def load(self, uid: str, **settings: Any) -> Scan:
        """Read an exam's volume, after hashing it if ``cohort.json`` lists its sha256.

        Parameters
        ----------
        uid : str
            An exam of this cohort.
        **settings
            Handed to :func:`datkit.scan.load_scan`, such as ``repair=True``.

        Raises
        ------
        CohortError
            If the cohort has no such exam.
        ChecksumError
            If the file's bytes are not those that ``cohort.json`` lists.
        UsageError, ScanError
            If the file is gone, or :func:`datkit.scan.load_scan` finds it unsound.
        """
        path = self.path_of(uid)
        if problem := _checksum_problem(path, self.folder, self.info):
            raise ChecksumError(f"{self.folder}: {problem}")
        return load_scan(path, **settings)

    def subset(self, uids: Iterable[str]) -> Cohort:
        """Return the cohort of some of the exams, in the order given.

        Raises
        ------
        CohortError
            If an exam is unknown, or named twice (it could then land on both sides of a split).

        Examples
        --------
        >>> exams = pd.DataFrame({"is_pathologic": [0.0, 1.0]}, index=["007", "1e5"])
        >>> Cohort("demo", Path("demo"), exams).subset(["1e5"]).uids
        ['1e5']
        """
        uids = [uids] if isinstance(uids, str) else list(uids)
        self._check_known(uids)
        if repeated := _repeated(uids):
            raise CohortError(
                f"{self.name}: expected each exam once, found {_some(repeated)} several times; "
                "name every uid once."
            )
        truth = None if self.truth is None else self.truth.loc[uids]
        return replace(self, exams=self.exams.loc[uids], truth=truth)

    def _check_known(self, uids: list[str]) -> None:
        unknown = [repr(uid) for uid in uids if uid not in self.exams.index]
        if unknown:
            raise CohortError(
                f"{self.name}: expected exams of this cohort, found {_some(unknown)}; choose "
                "from .uids (they are text: '007', not 7)."
            )


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
    problems = _Problems()
    info = _read_info(folder, problems)
    labels = _read_labels(folder, require_labels, problems)
    _check_volumes(folder, labels, require_labels, problems)
    exams = _read_companion(folder / "exams.csv", labels, problems)
    truth = _read_companion(folder / "truth.csv", labels, problems)
    changed = (_checksum_problem(folder / table, folder, info) for table in TABLES)
    problems.extend(problem for problem in changed if problem)
    if problems:
        raise CohortError.of(problems, where=folder)
    exams = labels.to_frame() if exams is None else labels.to_frame().join(exams)
    return Cohort(str(info.get("name", folder.resolve().name)), folder, exams, truth, info)


def grouped_folds(
    groups: Iterable[Any], n_splits: int | None = None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split exams so that no group, such as a centre, stands on both sides.

    Random folds flatter: a model may recognise the scanner. Grouped folds ask the question that
    matters, how it does on a centre that it has not seen.

    Parameters
    ----------
    groups : iterable, length n
        The group of each exam, such as ``cohort.exams["centre"]``.
    n_splits : int, optional
        Number of folds, filled with whole groups of about equal total size; by default one fold
        for each group.

    Returns
    -------
    list of (train, test)
        Positions of the exams, arrays of int.

    Raises
    ------
    UsageError
        If there are fewer than two groups, or not between 2 and that many folds are asked for.
    CohortError
        If an exam has no group.

    Examples
    --------
    >>> [test.tolist() for _, test in grouped_folds(["A", "B", "A"])]
    [[0, 2], [1]]
    """
    groups = pd.Series(list(groups))
    if missing := int(groups.isna().sum()):
        raise CohortError(
            f"Expected a group for every exam, found none for {missing} of {len(groups)}; "
            "drop those exams or give them a group."
        )
    codes = pd.factorize(groups.astype(str), sort=True)[0]
    count = len(set(codes))
    wanted = count if n_splits is None else n_splits
    if not 2 <= wanted <= count:
        raise UsageError(
            f"Expected from 2 folds up to one for each group, found {wanted} folds of {count} "
            "groups; ask for fewer folds or group the exams differently."
        )
    from sklearn.model_selection import GroupKFold, LeaveOneGroupOut

    splitter = LeaveOneGroupOut() if n_splits is None else GroupKFold(n_splits)
    return list(splitter.split(np.zeros(len(codes)), groups=codes))


class _Problems(list[str]):
    """Sentences about what is wrong, collected until all is looked at."""

    def expect(
        self, where: str, expected: str, wrong: Iterable[str], remedy: str, lead: str = ""
    ) -> None:
        """Note what was found instead of what was expected, if anything was."""
        if wrong := list(wrong):
            found = f"found {lead}{_some(wrong)}"
            self.append(f"{where}: expected {expected}, {found}; {remedy}.")


def _some(items: list[str]) -> str:
    """Name the first three of many."""
    more = f" and {len(items) - 3} more" if len(items) > 3 else ""
    return ", ".join(items[:3]) + more


def _volume(folder: Path, uid: str) -> Path:
    return folder / "niftis" / f"{uid}.nii.gz"


def _uids_on_disk(folder: Path) -> list[str]:
    names = (path.name for path in (folder / "niftis").glob("*.nii.gz"))
    return sorted(name.removesuffix(".nii.gz") for name in names if not name.startswith("."))


def _repeated(uids: Iterable[str]) -> list[str]:
    return [repr(uid) for uid, count in Counter(uids).items() if count > 1]


def _is_safe(uid: str) -> bool:
    try:
        check_uid(uid)
    except ScanError:
        return False
    return True


def _read_info(folder: Path, problems: _Problems) -> dict[str, Any]:
    path = folder / "cohort.json"
    if not path.exists():
        return {}
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        problems.append(f"cohort.json: expected JSON, found an error ({error}); restore the file.")
        return {}
    if isinstance(info, dict) and isinstance(info.get("sha256", {}), dict):
        return info
    problems.append("cohort.json: expected keys and values, and under 'sha256' too; restore it.")
    return {}


def _checksum_problem(path: Path, folder: Path, info: dict[str, Any]) -> str | None:
    """Compare a file with cohort.json; being absent or not listed there is no problem here."""
    name = path.relative_to(folder).as_posix()
    expected = info.get("sha256", {}).get(name)
    if expected is None or not path.is_file() or (found := sha256_file(path)) == expected:
        return None
    return (
        f"{name}: expected sha256 {expected} as in cohort.json, found {found}; restore the file or "
        "make the cohort again."
    )


def _read_table(path: Path, needed: tuple[str, ...], problems: _Problems) -> pd.DataFrame | None:
    """Read a CSV file as text, exactly as written, so that '007' and '1e5' stay what they are."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:  # spreadsheets write a BOM
            reader = csv.reader(stream, strict=True)
            header = next(reader, [])
            rows = [(reader.line_num, row) for row in reader if row]
    except (OSError, ValueError, csv.Error) as error:
        problems.append(f"{path.name}: expected CSV in UTF-8, found {error}; save it again.")
        return None
    if not set(needed) <= set(header) or len(set(header)) < len(header):
        problems.append(
            f"{path.name}: expected distinct columns, {' and '.join(needed)} among them, found "
            f"{header}; correct the first line (the separator is a comma)."
        )
        return None
    uneven = [f"{len(row)} in line {line}" for line, row in rows if len(row) != len(header)]
    problems.expect(path.name, f"{len(header)} values in each line", uneven, "correct those lines")
    return pd.DataFrame([row for _, row in rows if len(row) == len(header)], columns=header)


def _by_uid(table: pd.DataFrame, name: str, problems: _Problems) -> pd.DataFrame:
    """Check the uids and make them the index; what is repeated or unsafe is left out."""
    safe = np.array([_is_safe(uid) for uid in table["uid"]], dtype=bool)
    problems.expect(
        name,
        "uids of letters, digits, '_', '-' and '.'",
        map(repr, table["uid"][~safe]),
        "rename those exams here and on disk",
    )
    repeated = _repeated(table["uid"])
    problems.expect(name, "each uid once", repeated, "keep one per exam", "several rows for ")
    return table[safe].drop_duplicates("uid").set_index("uid")


def _read_labels(folder: Path, required: bool, problems: _Problems) -> pd.Series | None:
    """Return the label of each exam, indexed by uid; None if no table can tell."""
    name, needed = "train_labels.csv", ("uid", LABEL)
    if not required and not (folder / name).exists():
        name, needed = "submission_format.csv", ("uid",)
    if not required and not (folder / name).exists():
        name, table = "niftis", pd.DataFrame({"uid": _uids_on_disk(folder)}, dtype=object)
    else:
        table = _read_table(folder / name, needed, problems)
    if table is None:
        return None
    if table.empty:
        problems.append(f"{name}: expected at least one exam, found none; add its row or volume.")
    values = np.nan  # what submission_format.csv says is a place holder
    if name == "train_labels.csv":
        values = _label_values(table, required, problems)
    return _by_uid(table.assign(**{LABEL: values}), name, problems)[LABEL].astype(float)


def _label_values(table: pd.DataFrame, required: bool, problems: _Problems) -> pd.Series:
    values = pd.to_numeric(table[LABEL], errors="coerce")
    bad = table[~values.isin([0, 1]) & (required | (table[LABEL] != ""))]
    found = [f"{row[LABEL]!r} for {row['uid']!r}" for _, row in bad.iterrows()]
    problems.expect("train_labels.csv", f"0 or 1 in {LABEL}", found, "correct the labels")
    return values


def _check_volumes(
    folder: Path, labels: pd.Series | None, required: bool, problems: _Problems
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
            [repr(uid) for uid in labels.index if not _volume(folder, uid).is_file()],
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
    path: Path, labels: pd.Series | None, problems: _Problems
) -> pd.DataFrame | None:
    """Read exams.csv or truth.csv, if it is there, in the order of the labels."""
    table = _read_table(path, ("uid",), problems) if path.exists() else None
    if table is None:
        return None
    table = _by_uid(table, path.name, problems)
    double = [LABEL] if LABEL in table else []
    problems.expect(path.name, "the labels in train_labels.csv alone", double, "remove the column")
    if labels is None:
        return None
    extra = [repr(uid) for uid in table.index if uid not in labels.index]
    problems.expect(path.name, "exams of this cohort", extra, "remove those rows")
    absent = [repr(uid) for uid in labels.index if uid not in table.index]
    problems.expect(path.name, "a row for every exam", absent, "add those rows", "none for ")
    return table.reindex(labels.index).apply(_typed)


def _typed(text: pd.Series) -> pd.Series:
    """Give a column numbers if all its filled cells are numbers; an empty cell is NaN."""
    filled = text.where(text != "")
    known = filled.dropna()
    is_code = text.name in TEXT_COLUMNS or known.empty or not known.str.fullmatch(NUMBER).all()
    return filled if is_code else pd.to_numeric(filled)
