"""A whole cohort on the canonical grid: spread over cores, kept on disk, one bad file at a time."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datkit.cohort import Cohort
from datkit.errors import DatkitError, PrepareError
from datkit.files import data_folder, replace_atomically, sha256_file, write_json
from datkit.prepare.exam import Prepared, PrepareSettings, prepare_scan
from datkit.prepare.grid import GRID, RESOURCES

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

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        look = int((self.table["verdict"] != "good").sum())
        return (
            f"<PreparedCohort: {len(self)} exams, {look} to look at, {len(self.failures)} failed>"
        )


def prepare_cohort(
    cohort: Cohort,
    settings: PrepareSettings | None = None,
    *,
    n_jobs: int | None = None,
    progress: bool = True,
) -> PreparedCohort:
    """Prepare every exam, or read them back if the same files were prepared the same way before.

    The result is kept in ``data_folder()/prepared/<key>``, where the key is made of the volumes'
    hashes, the settings, the shipped template and this package's code. An exam that cannot be read
    or prepared does not stop the others: see :attr:`PreparedCohort.failures`.

    Parameters
    ----------
    cohort : Cohort
        The exams.
    settings : PrepareSettings, optional
        How to prepare them.
    n_jobs : int, optional
        Processes; by default one for each core. The result does not depend on it.
    progress : bool
        Show a progress bar over exams.

    Raises
    ------
    PrepareError
        If not a single exam could be prepared.
    OSError
        If the result cannot be written; nothing half-written is left.
    """
    settings = settings or PrepareSettings()
    folder = data_folder() / "prepared" / _key(cohort, settings)
    if not all((folder / name).is_file() for name in ("volumes.npy", "prepared.json")):
        _prepare_into(folder, cohort, settings, n_jobs, progress)
    record = json.loads((folder / "prepared.json").read_text(encoding="utf-8"))
    quality = pd.DataFrame.from_dict(record["quality"], orient="index")
    uids = [uid for uid in cohort.uids if uid in record["quality"]]
    volumes = np.load(folder / "volumes.npy", mmap_mode="r")[: len(uids)]
    return PreparedCohort(volumes, cohort.exams.loc[uids].join(quality), record["failures"])


def _key(cohort: Cohort, settings: PrepareSettings) -> str:
    parts = {
        "code": [sha256_file(path) for path in sorted(Path(__file__).parent.glob("*.py"))],
        "settings": settings.to_dict(),
        "resources": [sha256_file(path) for path in sorted(RESOURCES.glob("*.nii.gz"))],
        "volumes": [[uid, _hash_or_absent(cohort.path_of(uid))] for uid in cohort.uids],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _hash_or_absent(path: Path) -> str:
    return sha256_file(path) if path.is_file() else "absent"


def _prepare_into(
    folder: Path, cohort: Cohort, settings: PrepareSettings, n_jobs: int | None, progress: bool
) -> None:
    """Write volumes.npy, then prepared.json, whose presence says that all is there."""
    quality: dict[str, Any] = {}
    failures: dict[str, str] = {}
    with replace_atomically(folder / "volumes.npy") as part:
        shape = (len(cohort), *GRID.shape)
        volumes = np.lib.format.open_memmap(part, mode="w+", dtype=np.float32, shape=shape)
        exams = _prepare_each(cohort, settings, n_jobs)
        for uid, exam in _count(zip(cohort.uids, exams, strict=True), len(cohort), progress):
            if isinstance(exam, str):
                failures[uid] = exam
            else:  # failed exams leave no gap: their rows stay empty, at the end
                volumes[len(quality)] = exam.volume
                quality[uid] = exam.quality
        volumes.flush()
        del volumes
        if not quality:
            raise PrepareError.of(failures.values(), where=cohort.folder)
    write_json(folder / "prepared.json", {"quality": quality, "failures": failures})


def _prepare_each(
    cohort: Cohort, settings: PrepareSettings, n_jobs: int | None
) -> Iterator[Prepared | str]:
    from joblib import Parallel, delayed

    one = delayed(partial(_prepare_one, cohort, settings))
    workers = min(n_jobs or os.cpu_count() or 1, len(cohort))
    return Parallel(n_jobs=workers, return_as="generator")(one(uid) for uid in cohort.uids)


def _prepare_one(cohort: Cohort, settings: PrepareSettings, uid: str) -> Prepared | str:
    """Return the prepared exam, or the sentence that says why there is none."""
    try:
        return prepare_scan(cohort.load(uid), settings)
    except DatkitError as error:
        return str(error)


def _count(items: Iterable, total: int, progress: bool) -> Iterable:
    if not progress:
        return items
    from tqdm.auto import tqdm

    return tqdm(items, total=total, desc="preparing", unit="exam")
