"""A whole cohort on the canonical grid: spread over cores, kept on disk, one bad file at a time."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock
from joblib import delayed
from tqdm.auto import tqdm

from datkit.data import Cohort
from datkit.errors import DatkitError, PrepareError
from datkit.files import data_folder, sha256_file
from datkit.io.scan import sha256_scan
from datkit.prepare.exam import Prepared, PrepareSettings, prepare_scan
from datkit.prepare.grid import GRID, RESOURCES
from datkit.prepare.journal import ARRAY, TABLE, Journal, is_complete
from datkit.prepare.quality import advise, find_reasons
from datkit.problems import Problem
from datkit.threads import workers

__all__ = ["PreparedCohort", "prepare_cohort"]


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
    hashes, the settings, the shipped template and this package's code. An exam that cannot be read
    or prepared does not stop the others: see :attr:`PreparedCohort.failures`. An interrupted run
    goes on where it was: see :mod:`datkit.prepare.journal`.

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
    shape = len(cohort), *GRID.shape
    with _lock(folder):
        if not is_complete(folder, shape):
            journal = Journal(folder, cohort.uids, shape)
            left = cohort.uids[journal.done :]
            bar = tqdm(left, "preparing", len(cohort), initial=journal.done, disable=not progress)
            with workers(n_jobs, scheduler) as parallel:
                exams = parallel(delayed(_prepare_one)(cohort, settings, uid) for uid in left)
                for uid, exam in zip(bar, exams, strict=True):
                    journal.add(uid, exam)
            _finish(journal, cohort.folder)
    record = json.loads((folder / TABLE).read_text(encoding="utf-8"))
    quality = pd.DataFrame.from_dict(record["quality"], orient="index")
    uids = [uid for uid in cohort.uids if uid in record["quality"]]
    volumes = np.load(folder / ARRAY, mmap_mode="r")[: len(uids)]
    return PreparedCohort(volumes, cohort.exams.loc[uids].join(quality), record["failures"])


def _lock(folder: Path) -> FileLock:
    """Let one process at a time prepare a cohort; another waits, and reads what it made."""
    return FileLock(data_folder() / "locks" / f"{folder.name}.lock")


def _key(cohort: Cohort, settings: PrepareSettings) -> str:
    paths = {uid: cohort.path_of(uid) for uid in cohort.uids}
    parts = {
        "jpeg": find_spec("libjpeg") is not None,  # an exam that failed for it may be read now
        "code": [sha256_file(path) for path in sorted(Path(__file__).parent.glob("*.py"))],
        "settings": settings.to_dict() | cohort.reading,
        "resources": [sha256_file(path) for path in sorted(RESOURCES.glob("*.nii.gz"))],
        "volumes": [
            [uid, sha256_scan(path) if path.is_file() else "absent"] for uid, path in paths.items()
        ],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _finish(journal: Journal, where: Path) -> None:
    """Write the table, which says that all is there; leave nothing if nothing could be prepared."""
    if not journal.quality:
        shutil.rmtree(journal.folder)
        said = "".join(f"\n  - {uid}: {reason}" for uid, reason in journal.failures.items())
        raise PrepareError(f"{where}: expected exams that can be prepared, found none:{said}")
    journal.finish()


def _prepare_one(cohort: Cohort, settings: PrepareSettings, uid: str) -> Prepared | str:
    """Return the prepared exam, or the sentence that says why there is none."""
    try:
        return prepare_scan(cohort.load(uid), settings)
    except DatkitError as error:
        return str(error)
    except Exception as error:  # what nobody thought of must not stop the other exams either
        return (
            f"{cohort.path_of(uid)}: expected to prepare it, found {type(error).__name__}: {error};"
            " please report it."
        )
