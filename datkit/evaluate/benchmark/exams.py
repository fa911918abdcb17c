"""What the benchmark learns from and scores: all sets of one cohort, and the folds of each split.

Random folds have centres on both sides and flatter; the other splits ask how a model does where it
was not trained.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datkit.data import split as splits
from datkit.data.cohort import Cohort
from datkit.data.folder import open_folder
from datkit.data.groups import infer_families, usual_grouping
from datkit.data.split import Fold
from datkit.errors import UsageError
from datkit.measure.exam import measure_cohort
from datkit.prepare.cohort import PreparedCohort

__all__ = ["SETTINGS", "SPLITS", "BenchmarkExams", "Volumes"]

TESTS = ("public", "private")
#: What is scored: setting → in words.
SETTINGS = tomllib.loads(Path(__file__).with_name("settings.toml").read_text(encoding="utf-8"))
#: How exams are split → the settings that are then scored.
SPLITS: dict[str, tuple[str, ...]] = {one: (one,) for one in ("random", "grouped", "centres")}
SPLITS["tests"] = ("public", "private", "unseen")
SCANNER = ("centre", "camera", "reconstruction", "family")
# What references and controls are given, where the tables have it.
KNOWN = {"age": ["age"], "oracle": ["weaker_posterior_putamen"], "panel": ["votes", "likert"]}


@dataclass(frozen=True)
class Volumes:
    """Prepared volumes, each a row of a file, read where they are needed.

    Other processes and machines get the places, not the voxels.
    """

    places: list[tuple[str, int]]

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        files = {name: np.load(name, mmap_mode="r") for name in dict(self.places)}
        return np.stack([files[name][row] for name, row in (self.places[one] for one in rows)])


@dataclass(frozen=True, eq=False)
class BenchmarkExams:
    """The labelled exams of a cohort and of its test sets, those that could be prepared.

    Attributes
    ----------
    cohort : Cohort
        The training exams.
    table : pandas.DataFrame
        Indexed by uid: what is known of them, and ``label``, ``shuffled`` (the same labels in
        another order within each set), ``set``, ``centre`` (where centres are not named, the
        scanner's family) and ``scanner`` (a number for all that is known of it).
    inputs : dict
        What may be read: ``volumes``, ``measures``, ``scanner`` (what is known without a voxel),
        and, where they are known, ``age``, ``oracle`` and ``panel``.
    by : str
        ``"centre"`` or ``"family"``.
    """

    cohort: Cohort
    table: pd.DataFrame
    inputs: dict[str, Any]
    by: str

    @classmethod
    def gather(cls, cohort: Cohort, prepare: Callable[[Cohort], PreparedCohort]) -> BenchmarkExams:
        """Prepare a cohort, and its test sets if it has any.

        Raises
        ------
        UsageError
            If no training exam has a label.
        CohortError, PrepareError
            If volumes cannot be read, or none can be prepared.
        """
        folders = {name: cohort.folder / f"{name}_test" for name in TESTS}
        tests = {name: open_folder(path) for name, path in folders.items() if path.is_dir()}
        by, tables, measures, places = usual_grouping(cohort), [], [], []
        for name, one in {"train": cohort, **tests}.items():
            prepared = prepare(one)
            rows = np.flatnonzero(prepared.labels.notna())
            known = one.subset([prepared.uids[row] for row in rows])
            tables.append(_describe(known, by).assign(set=name))
            measures.append(measure_cohort(prepared).iloc[rows])
            file = prepared.volumes.filename  # type: ignore[attr-defined]
            places += [(str(file), int(row)) for row in rows]
        table = pd.concat(tables)
        training = table.index[table["set"] == "train"].tolist()
        if not training:
            raise UsageError(f"{cohort.folder}: expected exams with labels, found none; add some.")
        scanner = table[[name for name in SCANNER if name in table]].astype(str)
        within = table.groupby("set", sort=False)["label"]
        table["shuffled"] = within.transform(lambda y: y.sample(frac=1, random_state=0).to_numpy())
        table["scanner"] = scanner.groupby([*scanner]).ngroup()
        inputs = {"measures": pd.concat(measures), "volumes": Volumes(places)}
        inputs |= {"scanner": pd.get_dummies(scanner, dtype=float)}
        inputs |= {name: table[columns].astype(float) for name, columns in KNOWN.items()
                   if {*columns} <= {*table} and table[columns].notna().all(axis=None)}  # fmt: skip
        return cls(cohort.subset(training), table, inputs, by)

    @cached_property
    def sha256(self) -> str:
        """One hash of the exams: what is known of them, and their measures."""
        texts = self.table.to_csv(), self.inputs["measures"].to_csv(float_format="%.4g")
        return hashlib.sha256("".join(texts).encode()).hexdigest()

    def folds(self, split: str, n_splits: int) -> list[Fold]:
        """Return the folds of a split; no person and no image stands on both sides of one.

        Raises
        ------
        UsageError
            If there is no such split, or there are fewer groups than folds.
        CohortError
            If there are no test sets, or an exam of theirs is a training exam too.
        """
        if split not in SPLITS:
            raise UsageError(f"Expected a split among {', '.join(SPLITS)}, found {split!r}.")
        if split == "random":
            return [*splits.random_split(self.cohort, n_splits).folds]
        if split == "grouped":
            return [*splits.grouped_split(self.cohort, self.by, n_splits).folds]
        if split == "centres":
            return [*splits.leave_one_out_split(self.cohort, self.by).folds]
        splits.official_split(self.cohort)  # proves that no test exam is a training exam
        tests = self.table.index[self.table["set"] != "train"]  # one model predicts both sets
        return [Fold("all", tuple(self.cohort.uids), tuple(tests))]

    def scored(self, setting: str) -> pd.DataFrame:
        """Return the rows of the table that a setting scores."""
        sets, centres = self.table["set"], self.table["centre"]
        if setting == "unseen":
            return self.table[(sets != "train") & ~centres.isin(centres[sets == "train"])]
        return self.table[sets == (setting if setting in TESTS else "train")]


def _describe(cohort: Cohort, by: str) -> pd.DataFrame:
    """Return all that is known of exams without a voxel: label, scanner, patient and truth."""
    exams = cohort.exams.assign(label=cohort.labels.astype(int), family=infer_families(cohort))
    exams["centre"] = exams[by].astype(str)
    truth = pd.DataFrame(index=exams.index) if cohort.truth is None else cohort.truth
    return exams.join(truth.drop(columns=exams.columns, errors="ignore"))
