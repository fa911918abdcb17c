"""A cohort in memory: the exams' table, and where their volumes lie."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from datkit.errors import ChecksumError, CohortError
from datkit.files import sha256_file
from datkit.io.scan import Scan, load_scan, save_scan
from datkit.problems import Problem, list_some, repeated

__all__ = ["LABEL", "Cohort", "checksum_problems", "volume_path"]

LABEL = "is_pathologic"


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
    paths : dict of str to Path
        Where a volume lies that is not ``niftis/<uid>.nii.gz``: in another layout, or DICOM.
    reading : dict
        How volumes are read: keywords of :func:`datkit.io.scan.load_scan`, such as
        ``{"orientation": "RAS"}`` for files that do not say it. Empty if as they are.
    left_out : dict of str to int
        How many DICOM files of which kind lie in the folder that are no exams.

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
    paths: dict[str, Path] = field(default_factory=dict)
    reading: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)

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
        return self.paths.get(uid) or volume_path(self.folder, uid)

    def load(self, uid: str, **settings: str | bool | None) -> Scan:
        """Read an exam's volume, after hashing it if ``cohort.json`` lists its sha256.

        Parameters
        ----------
        uid : str
            An exam of this cohort.
        **settings
            Handed to :func:`datkit.io.scan.load_scan`, before those of :attr:`reading`, such as
            ``repair=True``.

        Raises
        ------
        CohortError
            If the cohort has no such exam.
        ChecksumError
            If the file's bytes are not those that ``cohort.json`` lists.
        UsageError, ScanError
            If the file is gone, or :func:`datkit.io.scan.load_scan` finds it unsound.
        """
        return load_scan(self._sound_path(uid), **self.reading | settings)

    def save_volume(self, uid: str, path: str | os.PathLike[str]) -> Path:
        """Write an exam's volume as ``.nii.gz``, whatever it is stored as: a copy where it can be.

        Raises
        ------
        CohortError, ChecksumError, UsageError, ScanError
            As :meth:`load`.
        OSError
            If the file cannot be written.
        """
        source = self._sound_path(uid)
        if source.name.endswith(".nii.gz") and not self.reading:
            return Path(shutil.copyfile(source, path))
        scan = load_scan(source, **self.reading)
        return save_scan(scan.data, scan.affine, path)

    def _sound_path(self, uid: str) -> Path:
        """Return the path of a volume, whose bytes are those that ``cohort.json`` lists."""
        path = self.path_of(uid)
        problems = checksum_problems(path, self.folder, self.info)
        ChecksumError.raise_any(problems, where=self.folder)
        return path

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
        if twice := repeated(uids):
            raise CohortError(
                f"{self.name}: expected each exam once, found {list_some(twice)} several times; "
                "name every uid once."
            )
        truth = None if self.truth is None else self.truth.loc[uids]
        return replace(self, exams=self.exams.loc[uids], truth=truth)

    def _check_known(self, uids: list[str]) -> None:
        if unknown := [repr(uid) for uid in uids if uid not in self.exams.index]:
            raise CohortError(
                f"{self.name}: expected exams of this cohort, found {list_some(unknown)}; choose "
                "from .uids (they are text: '007', not 7)."
            )


def volume_path(folder: Path, uid: str) -> Path:
    """Return where the challenge's layout has an exam's volume."""
    return folder / "niftis" / f"{uid}.nii.gz"


def checksum_problems(path: Path, folder: Path, info: dict[str, Any]) -> list[Problem]:
    """Compare a file with cohort.json; being absent or not listed there is no problem here."""
    name = path.relative_to(folder).as_posix()
    expected = info.get("sha256", {}).get(name)
    if expected is None or not path.is_file() or (found := sha256_file(path)) == expected:
        return []
    remedy = "Restore the file or make the cohort again."
    expected = f"sha256 {expected} as in cohort.json"
    return [Problem("checksum", name, expected, found, remedy)]
