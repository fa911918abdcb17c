"""A whole cohort on the canonical grid: spread over cores, kept on disk, one bad file at a time."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from tqdm.auto import tqdm

from datkit.data import Cohort
from datkit.errors import PrepareError, as_datkit_error
from datkit.files import RESOURCES, data_folder, locked, sha256_file, sweep_parts, tell_kept
from datkit.io.scan import sha256_scan
from datkit.prepare.exam import Prepared, PrepareSettings, prepare_scan
from datkit.prepare.grid import GRID
from datkit.prepare.journal import Journal
from datkit.prepare.quality import advise, find_reasons
from datkit.problems import Problem
from datkit.threads import workers

__all__ = ["PreparedCohort", "prepare_cohort"]

PACKAGE = Path(__file__).parents[1]
# What makes a prepared exam out of a file: where one of these is another, it is prepared again.
CODE = ("*.py", "data/cohort.py", "io/*.py", "prepare/*.py", "resources/*.toml")
LIBRARIES = ("numpy", "scipy", "nibabel", "pydicom", "pylibjpeg", "pylibjpeg-libjpeg")


@dataclass(frozen=True, eq=False, repr=False)
class PreparedCohort:
    """The prepared exams of a cohort.

    Attributes
    ----------
    volumes : numpy.ndarray, shape (n, 64, 80, 48), float32
        Memory-mapped, read-only; row i is ``uids[i]``. Axes x (left to right), y (back to front)
        and z (bottom to top), 2 mm; non-specific uptake is 1.
    table : pandas.DataFrame
        One row per exam, indexed by uid, in the cohort's order: its columns of ``Cohort.exams``
        (the label ``is_pathologic`` among them), then the quality of :class:`Prepared`.
    failures : dict
        Exams that could not be prepared: uid to reason. They are in neither of the above.
    """

    volumes: np.ndarray
    table: pd.DataFrame
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def uids(self) -> list[str]:
        """The prepared exams' identifiers, in order."""
        return list(self.table.index)

    @property
    def folder(self) -> Path:
        """Where they lie."""
        return Path(self.volumes.filename).parent  # type: ignore[attr-defined]

    @property
    def labels(self) -> pd.Series:
        """0 normal, 1 abnormal, NaN unknown; float, indexed by uid."""
        return self.table["is_pathologic"]

    @cached_property
    def reasons(self) -> dict[str, list[Problem]]:
        """The exams to look at: uid to :func:`datkit.prepare.quality.find_reasons`."""
        found = {uid: find_reasons(dict(self.table.loc[uid].dropna())) for uid in self.uids}
        return {uid: reasons for uid, reasons in found.items() if reasons}

    @property
    def advice(self) -> dict[str, str]:
        """The reasons in words, with what to do about them: uid to text."""
        return {uid: " ".join(map(advise, reasons)) for uid, reasons in self.reasons.items()}

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        look, failed = len(self.reasons), len(self.failures)
        return f"<PreparedCohort: {len(self)} exams, {look} to look at, {failed} failed>"


def prepare_cohort(
    cohort: Cohort,
    settings: PrepareSettings | None = None,
    *,
    n_jobs: int | None = None,
    scheduler: str | None = None,
    progress: bool = True,
) -> PreparedCohort:
    """Prepare every exam, or read them back if the same files were prepared the same way before.

    The result is kept in ``data_folder()/prepared/<key>``, where the key is made of the volumes'
    hashes, the settings, the shipped template, this package's code and the libraries' versions. It
    is hashed before it is used: what an interruption left or a disk has changed is prepared again,
    and a line says so. An exam that cannot be read or prepared does not stop the others: see
    :attr:`PreparedCohort.failures`.

    Parameters
    ----------
    cohort : Cohort
        The exams.
    settings : PrepareSettings, optional
        How to prepare them.
    n_jobs : int, optional
        Processes; by default one for each core. The result does not depend on it.
    scheduler : str, optional
        Address of a Dask scheduler, such as ``tcp://node1:8786``: its workers prepare the exams
        instead. They must see the cohort under the same path and have this package installed.
    progress : bool
        Show a progress bar over exams.

    Raises
    ------
    UsageError
        If no Dask scheduler answers, or Dask is not installed.
    PrepareError
        If not a single exam could be prepared.
    OSError
        If the result cannot be written.
    """
    settings = settings or PrepareSettings()
    folder = data_folder() / "prepared" / _key(cohort, settings)
    journal = Journal(folder, cohort.uids, GRID.shape)
    if journal.missing:
        with locked(folder), workers(n_jobs, scheduler) as parallel:
            while (journal := Journal(folder, cohort.uids, GRID.shape)).missing:
                _fill(journal, cohort, settings, parallel, progress)
    if not journal.quality:
        shutil.rmtree(folder)
        said = "".join(f"\n  - {uid}: {reason}" for uid, reason in journal.failures.items())
        every = f"{cohort.folder}: expected exams that can be prepared, found none:{said}"
        raise PrepareError(*journal.failures.values() if len(cohort) == 1 else [every])
    uids = [uid for uid in cohort.uids if uid in journal.quality]
    quality = pd.DataFrame.from_dict(journal.quality, orient="index")
    exams = cohort.exams.loc[uids].join(quality)
    return PreparedCohort(journal.volumes[: len(uids)], exams, journal.failures)


def _fill(
    journal: Journal, cohort: Cohort, settings: PrepareSettings, parallel: Parallel, progress: bool
) -> None:
    """Prepare what is missing; say so where a part of the cohort is there."""
    left, n = journal.missing, len(cohort)
    if journal.folder.exists():
        sweep_parts(journal.folder)
        tell_kept(journal.folder, n - len(left), n, "exams")
    journal.reserve()
    exams = parallel(delayed(_prepare_one)(cohort, settings, uid) for uid in left)
    bar = tqdm(left, "preparing", n, initial=n - len(left), disable=not progress)
    for uid, exam in zip(bar, exams, strict=True):
        journal.add(uid, exam)
    journal.finish()


def _key(cohort: Cohort, settings: PrepareSettings) -> str:
    paths = {uid: cohort.path_of(uid) for uid in cohort.uids}
    parts = {
        "code": [sha256_file(file) for each in CODE for file in sorted(PACKAGE.glob(each))],
        "libraries": {one: version(one) for one in LIBRARIES if find_spec(one.rsplit("-")[-1])},
        "settings": settings.to_dict() | cohort.reading,
        "resources": [sha256_file(path) for path in sorted(RESOURCES.glob("*.nii.gz"))],
        "volumes": [[uid, _hash(path)] for uid, path in paths.items()],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _hash(path: Path) -> str:
    try:
        return sha256_scan(path) if path.is_file() else "absent"
    except OSError as error:  # of a broken disk: a reason of this exam, and of no other
        return f"{error.strerror}"


def _prepare_one(cohort: Cohort, settings: PrepareSettings, uid: str) -> Prepared | str:
    """Return the prepared exam, or the sentence that says why there is none."""
    try:
        return prepare_scan(cohort.load(uid), settings)
    except Exception as error:  # what nobody thought of must not stop the other exams either
        return str(as_datkit_error(error, cohort.path_of(uid)))
