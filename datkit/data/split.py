"""Splits that are proved: no person, no image and, where asked, no centre on both sides.

A split is made on groups of exams that belong together, proved afterwards from the exams alone, and
saved with its proof and a hash, so that two people can say that they used the same one. The order
of the rows in a table is an accident and changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datkit.data.cohort import Cohort
from datkit.data.groups import check_count, connected, grouped_folds, ties_of
from datkit.errors import ChecksumError, CohortError, UsageError
from datkit.files import write_json
from datkit.problems import Problem, found_instead, list_some

__all__ = ["Fold", "Split", "grouped_split", "leave_one_out_split", "official_split",
           "random_split", "read_split"]  # fmt: skip


Settings = dict[str, Any]
Pair = tuple[np.ndarray, np.ndarray]  # positions: train, test


@dataclass(frozen=True)
class Fold:
    """One way to learn and test: a name, and the uids of both sides."""

    name: str
    train: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class Split:
    """Folds, how they were made, and what was proved of each.

    Attributes
    ----------
    kind : str
        ``"random"``, ``"grouped"``, ``"leave-one-out"`` or ``"official"``.
    cohort : str
        The cohort's name.
    settings : dict
        Seed, number of folds, what exams are grouped by.
    folds : tuple of Fold
    proved : tuple of str
        What no fold has on both sides: ``"subject"``, ``"image"`` and the grouping, if any.
    """

    kind: str
    cohort: str
    settings: Settings
    folds: tuple[Fold, ...]
    proved: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """The hash of all of the above; equal for equal splits."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def positions(self, cohort: Cohort) -> list[Pair]:
        """Return the folds as positions in a cohort, (train, test) each, as scikit-learn wants.

        Raises
        ------
        CohortError
            If an exam is not in the cohort, as those of the official test sets are not.
        """
        index = cohort.exams.index
        asked = dict.fromkeys(uid for fold in self.folds for uid in (*fold.train, *fold.test))
        if absent := [repr(uid) for uid in asked if uid not in index]:
            raise CohortError(
                f"{cohort.name}: expected the exams of the split, found none for "
                f"{list_some(absent)}; open the cohort that it was made of."
            )
        sides = ((pd.Index(fold.train), pd.Index(fold.test)) for fold in self.folds)
        return [(index.get_indexer(train), index.get_indexer(test)) for train, test in sides]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the split, its proof and its hash as JSON.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        write_json(path, asdict(self) | {"sha256": self.sha256})
        return Path(path)


def read_split(path: str | os.PathLike[str], cohort: Cohort | None = None) -> Split:
    """Read a split back, after hashing it; with its cohort, prove it once more.

    Raises
    ------
    UsageError
        If there is no such file.
    ChecksumError
        If it is not the split that was saved.
    CohortError
        If it is no split, or does not hold for `cohort`.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        expected = content.pop("sha256")
        folds = [Fold(f["name"], tuple(f["train"]), tuple(f["test"])) for f in content["folds"]]
        content |= {"folds": tuple(folds), "proved": tuple(content["proved"])}
        split = Split(**content)
    except OSError as error:
        raise UsageError(f"Expected a split at {path}, found {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CohortError(
            f"{path}: expected a split saved by datkit, found another file ({error}); make it anew."
        ) from error
    if split.sha256 != expected:
        raise ChecksumError(
            f"{path}: expected sha256 {expected}, found {split.sha256}; restore or make it again."
        )
    if cohort is not None:
        split.positions(cohort)
        prove_folds(split.folds, ties_of(cohort, split.settings.get("by")), path)
    return split


def random_split(cohort: Cohort, n_splits: int = 5, seed: int = 0) -> Split:
    """Split at random, with about equal shares of abnormal exams; a person stays on one side.

    It flatters: exams of one centre stand on both sides. Show it beside a grouped one.

    Raises
    ------
    UsageError
        If there are fewer people than folds, or fewer exams of the commoner label, or not 2 folds
        at least.
    CohortError
        If volumes cannot be read.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    cohort, ties = _sorted(cohort, None)
    groups = connected(ties)
    labels = cohort.labels.fillna(-1)
    check_count(n_splits, len(set(groups)), "people")
    check_count(n_splits, labels.value_counts().max(), "exams of the commoner label")
    splitter = StratifiedGroupKFold(n_splits, shuffle=True, random_state=seed)
    folds = _numbered(splitter.split(np.zeros(len(cohort)), labels, groups))
    return _make("random", cohort, {"n_splits": n_splits, "seed": seed}, folds, ties)


def grouped_split(cohort: Cohort, by: str = "centre", n_splits: int = 5) -> Split:
    """Split so that no centre, or no acquisition family, stands on both sides.

    Parameters
    ----------
    cohort : Cohort
    by : str
        ``"centre"``, a column of ``exams.csv``, or ``"family"``, inferred from geometry where
        centres are not named.
    n_splits : int
        Folds, filled with whole groups. A person seen at two centres ties them together.

    Raises
    ------
    UsageError
        If `by` is neither, or there are fewer groups than folds.
    CohortError
        If an exam has no centre, or volumes cannot be read.
    """
    cohort, ties = _sorted(cohort, by)
    folds = _numbered(grouped_folds(connected(ties), n_splits))
    return _make("grouped", cohort, {"by": by, "n_splits": n_splits}, folds, ties)


def leave_one_out_split(cohort: Cohort, by: str = "centre") -> Split:
    """Split into as many folds as there are centres, or families: each is tested once, alone.

    Raises
    ------
    UsageError, CohortError
        As :func:`grouped_split`.
    """
    cohort, ties = _sorted(cohort, by)
    pairs = grouped_folds(connected(ties))
    folds = {" + ".join(sorted(set(ties[by].iloc[pair[1]]))): pair for pair in pairs}
    return _make("leave-one-out", cohort, {"by": by}, folds, ties)


def official_split(cohort: Cohort) -> Split:
    """Return train, public and private of a simulated cohort of the size ``"full"``.

    The test exams lie in folders of their own inside the cohort's; each is a fold with all training
    exams. Centres are shared, but for the one that the private set alone has.

    Raises
    ------
    CohortError
        If the cohort has no test sets, or a person or an image of one is in another.
    """
    from datkit.data.folder import open_folder

    folders = [cohort.folder / f"{name}_test" for name in ("public", "private")]
    if absent := [folder.name for folder in folders if not folder.is_dir()]:
        raise CohortError(
            f"{cohort.folder}: expected the folders public_test and private_test, found no "
            f"{' and no '.join(absent)}; only the simulated size 'full' has them."
        )
    tests = {folder.name: open_folder(folder) for folder in folders}
    ties = pd.concat([ties_of(one, None) for one in (cohort, *tests.values())])
    if twice := ties.index[ties.index.duplicated()].tolist():
        raise CohortError(
            f"{cohort.folder}: expected each uid in one set, found {twice[0]!r} twice."
        )
    train = tuple(sorted(cohort.uids))
    folds = [Fold(name, train, tuple(sorted(test.uids))) for name, test in tests.items()]
    folds.append(Fold("private_test against public_test", folds[0].test, folds[1].test))
    prove_folds(folds, ties, cohort.folder)
    return Split("official", cohort.name, {}, tuple(folds), tuple(map(str, ties)))


def _sorted(cohort: Cohort, by: str | None) -> tuple[Cohort, pd.DataFrame]:
    cohort = cohort.subset(sorted(cohort.uids))
    return cohort, ties_of(cohort, by)


def _numbered(pairs: Iterable[Pair]) -> dict[str, Pair]:
    return {f"fold {number}": pair for number, pair in enumerate(pairs, start=1)}


def _make(
    kind: str, cohort: Cohort, settings: Settings, pairs: dict[str, Pair], ties: pd.DataFrame
) -> Split:
    uids = np.array(cohort.uids, dtype=object)
    folds = [Fold(n, tuple(uids[train]), tuple(uids[test])) for n, (train, test) in pairs.items()]
    prove_folds(folds, ties, cohort.folder)
    return Split(kind, cohort.name, settings, tuple(folds), tuple(map(str, ties)))


def prove_folds(folds: Iterable[Fold], ties: pd.DataFrame, where: object) -> None:
    """Refuse folds with anything on both sides, looking at the exams and nothing else.

    Raises
    ------
    CohortError
        With every breach.
    """
    problems: list[Problem] = []
    ties = ties.assign(uid=ties.index)
    for fold in folds:
        train, test = ties.loc[list(fold.train)], ties.loc[list(fold.test)]
        for what in ties:
            common = [repr(one) for one in sorted({*train[what]} & {*test[what]})]
            expected, lead = f"no {what} on both sides", f"{len(common)}: "
            remedy = "Make the split again."
            problems += found_instead("split-leaks", fold.name, expected, common, remedy, lead)
    CohortError.raise_any(problems, where=where)
