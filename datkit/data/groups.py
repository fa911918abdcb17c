"""Which exams belong together, and folds that keep them together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from datkit.data.check import image_hashes
from datkit.data.cohort import Cohort
from datkit.data.geometry import infer_families
from datkit.errors import CohortError, UsageError

__all__ = ["connected", "grouped_folds", "ties_of"]

GROUPS = ("centre", "family")


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


def ties_of(cohort: Cohort, by: str | None) -> pd.DataFrame:
    """Return what ties exams together, a column each: person, image, and the grouping asked for.

    Parameters
    ----------
    cohort : Cohort
        Without a column ``subject`` every exam is a person of its own.
    by : str or None
        ``"centre"`` or ``"family"``.

    Raises
    ------
    UsageError
        If `by` is neither.
    CohortError
        If an exam has no centre, or volumes cannot be read.
    """
    uids = pd.Series(cohort.uids, cohort.uids, dtype=object)
    people = cohort.exams.get("subject", uids)
    ties = {"subject": people.fillna(uids).astype(str), "image": image_hashes(cohort)}
    if by == "family":
        ties["family"] = infer_families(cohort)
    elif by == "centre":
        ties["centre"] = _centres(cohort)
    elif by is not None:
        raise UsageError(f"Expected to group by one of {', '.join(GROUPS)}, found {by!r}.")
    return pd.DataFrame(ties, index=uids.index)


def _centres(cohort: Cohort) -> pd.Series:
    if "centre" not in cohort.exams:
        raise CohortError(
            f"{cohort.name}: expected a column centre in exams.csv, found none; add it, or group "
            "by 'family', which is inferred from geometry."
        )
    centres = cohort.exams["centre"]
    if missing := int(centres.isna().sum()):
        raise CohortError(
            f"{cohort.name}: expected a centre for every exam, found none for {missing} of "
            f"{len(centres)}; fill them in, or group by 'family'."
        )
    return centres.astype(str)


def connected(ties: pd.DataFrame) -> np.ndarray:
    """Number the groups of exams that any tie holds together, directly or through others.

    Examples
    --------
    >>> ties = pd.DataFrame({"subject": ["p", "q", "q"], "centre": ["A", "A", "B"]})
    >>> connected(ties).tolist()  # q was seen at both centres
    [0, 0, 0]
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n, links = len(ties), []
    for column in ties:
        codes = pd.factorize(ties[column])[0]
        first = pd.Series(np.arange(n)).groupby(codes).transform("first").to_numpy()
        links.append((np.arange(n), first))
    rows, columns = (np.concatenate(side) for side in zip(*links, strict=True))
    graph = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(n, n))
    return connected_components(graph, directed=False)[1]
