"""Which exams belong together, and folds that keep them together.

Centres are seldom named, but a camera and its protocol leave their matrix and spacing. In the
challenge 131 exact signatures fall into about a dozen families, and a model that knows the family
knows something of the label. The families here are coarse on purpose: a group that is too large
costs a little variety in training; one that is too small lets a scanner stand on both sides.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from datkit.data.check import image_hashes
from datkit.data.cohort import Cohort
from datkit.errors import CohortError, UsageError, problems_of
from datkit.io.nifti import is_nifti, open_nifti
from datkit.io.scan import load_scan, scan_error
from datkit.problems import Problem

__all__ = ["connected", "family_of", "geometry_of", "grouped_folds", "infer_families", "ties_of",
           "usual_grouping"]  # fmt: skip

Triple = tuple[float, float, float]
# In-plane spacing over slice distance. The challenge's zoomed protocols lie between 0.5 and 0.63,
# the others between 0.91 and 1.1.
EVEN = (0.8, 1.25)


def grouped_folds(
    groups: Iterable[object], n_splits: int | None = None
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
    series = pd.Series(list(groups))
    if missing := int(series.isna().sum()):
        raise CohortError(
            f"Expected a group for every exam, found none for {missing} of {len(series)}; "
            "drop those exams or give them a group."
        )
    codes = pd.factorize(series.astype(str), sort=True)[0]
    count = len(set(codes))
    check_count(count if n_splits is None else n_splits, count, "groups")
    from sklearn.model_selection import GroupKFold, LeaveOneGroupOut

    splitter = LeaveOneGroupOut() if n_splits is None else GroupKFold(n_splits)
    return list(splitter.split(np.zeros(len(codes)), groups=codes))


def check_count(n_splits: int, groups: int, what: str) -> None:
    """Refuse fewer folds than two, or more than there are groups to fill them.

    Raises
    ------
    UsageError
        With both numbers.
    """
    if not 2 <= n_splits <= groups:
        raise UsageError(
            f"Expected from 2 folds up to one for each of {groups} {what}, found {n_splits}; ask "
            "for fewer folds or group the exams differently."
        )


def usual_grouping(cohort: Cohort) -> str:
    """Return what exams are kept together by: ``"centre"``; where one is unnamed, ``"family"``."""
    named = "centre" in cohort.exams and cohort.exams["centre"].notna().all()
    return "centre" if named else "family"


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
        centres = cohort.exams.get("centre", pd.Series(np.nan, uids.index, dtype=object))
        if missing := int(centres.isna().sum()):
            raise CohortError(
                f"{cohort.name}: expected a centre in exams.csv for every exam, found none for "
                f"{missing} of {len(centres)}; fill them in, or group by 'family', which is "
                "inferred from geometry."
            )
        ties["centre"] = centres.astype(str)
    elif by is not None:
        raise UsageError(f"Expected to group by centre or family, found {by!r}.")
    return pd.DataFrame(ties, index=uids.index)


def geometry_of(path: Path) -> tuple[Triple, Triple]:
    """Return number of voxels and spacing in mm along x, y and z, the nearest axes of the body.

    Only the header of a NIfTI file is read.

    Raises
    ------
    ScanError
        If the file cannot be read.
    """
    if is_nifti(path):
        file = open_nifti(path)
        whole, affine = file.shape, file.header.get_best_affine()
    else:
        scan = load_scan(path)
        whole, affine = scan.shape, scan.affine
    shape = whole[:3]
    axes = nib.io_orientation(affine)[:, 0] if np.isfinite(affine).all() else np.full(3, np.nan)
    if len(shape) < 3 or np.isnan(axes).any():
        found = f"the shape {whole} and a flat or infinite affine"
        expected = "three axes and a sound affine"
        raise scan_error(path, "axes", expected, found)
    order = np.argsort(axes)
    return tuple(np.array(shape)[order]), tuple(nib.affines.voxel_sizes(affine)[order])


def family_of(shape: Triple, spacing: Triple) -> str:
    """Name the acquisition family of a volume by its slice distance and its form.

    Parameters
    ----------
    shape : (int, int, int)
        Voxels along x, y, z.
    spacing : (float, float, float)
        Millimetres along x, y, z.

    Returns
    -------
    str
        The slice distance to 0.1 mm; whether voxels are ``even``, ``zoomed`` (finer in plane) or
        ``flat`` (coarser); ``cube`` or ``stack`` (fewer slices than rows). An in-plane matrix or
        zoom that is fitted to each patient does not change it.

    Examples
    --------
    >>> family_of((256, 256, 256), (2.46, 2.46, 2.46))
    '2.5 mm even cube'
    >>> family_of((128, 128, 49), (1.63, 1.63, 3.0)) == family_of((128, 128, 44), (1.8, 1.8, 3.0))
    True
    """
    ratio = spacing[0] / spacing[2]
    voxel = "zoomed" if ratio < EVEN[0] else "flat" if ratio > EVEN[1] else "even"
    form = "cube" if shape[2] >= shape[0] else "stack"
    return f"{spacing[2]:.1f} mm {voxel} {form}"


def infer_families(cohort: Cohort) -> pd.Series:
    """Return the acquisition family of every exam, indexed by uid.

    Raises
    ------
    CohortError
        If volumes cannot be read; every one is named.
    """
    families: dict[str, str] = {}
    problems: list[Problem] = []
    for uid in cohort.uids:
        try:
            families[uid] = family_of(*geometry_of(cohort.path_of(uid)))
        except Exception as error:
            problems += problems_of(error, str(cohort.path_of(uid)))
    CohortError.raise_any(problems, where=cohort.folder)
    return pd.Series(families, name="family", dtype=object).loc[cohort.uids]


def connected(ties: pd.DataFrame) -> np.ndarray:
    """Give a number to each group of exams that any tie holds together, directly or through others.

    Examples
    --------
    >>> ties = pd.DataFrame({"subject": ["p", "q", "q"], "centre": ["A", "A", "B"]})
    >>> connected(ties).tolist()  # q was seen at both centres
    [0, 0, 0]
    """
    from scipy.sparse import bmat
    from scipy.sparse.csgraph import connected_components
    from sklearn.preprocessing import OneHotEncoder

    members = OneHotEncoder().fit_transform(ties)  # exams by groups, of every column
    graph = bmat([[None, members], [members.T, None]])
    return connected_components(graph, directed=False)[1][: len(ties)]
