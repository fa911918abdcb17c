"""Labelled exams of several cohorts as one list, whose volumes are read where they are needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd

from benchmarks.common.curves import truth_of
from datkit.data.cohort import Cohort
from datkit.data.folder import open_folder
from datkit.evaluate.benchmark.exams import Volumes
from datkit.prepare.cohort import prepare_cohort

__all__ = ["Pool"]


@dataclass(frozen=True, eq=False)
class Pool:
    """Exams of several cohorts, with the rows of some or all of their sets.

    Attributes
    ----------
    volumes : Volumes
        Prepared; a row an exam of the table.
    table : pandas.DataFrame
        Indexed by uid: label, centre, truth, and which set.
    """

    volumes: Volumes
    table: pd.DataFrame

    @classmethod
    def gather(cls, cohorts: Sequence[Cohort], sets: Sequence[str], n_jobs: int) -> Self:
        """Prepare sets of cohorts: ``"train"``, ``"public"``, ``"private"``."""
        tables, places = [], []
        for cohort in cohorts:
            for name in sets:
                one = cohort if name == "train" else open_folder(cohort.folder / f"{name}_test")
                prepared = prepare_cohort(one, n_jobs=n_jobs)
                file = prepared.volumes.filename  # type: ignore[attr-defined]
                places += [(str(file), row) for row in range(len(prepared))]
                tables.append(prepared.table.join(truth_of(one)).assign(set=name))
        return cls(Volumes(places), pd.concat(tables))

    @cached_property
    def y(self) -> np.ndarray:
        """Labels."""
        return self.table["is_pathologic"].to_numpy().astype(int)

    @cached_property
    def centres(self) -> np.ndarray:
        """Names."""
        return self.table["centre"].astype(str).to_numpy()

    def __len__(self) -> int:
        return len(self.table)
