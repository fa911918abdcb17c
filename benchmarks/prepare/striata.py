"""Where are the striata of a simulated exam, and where does our preparation find them?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.cohort.geometry import drawn_exam, family_of
from benchmarks.common.figures import Figure, bootstrap, share
from datkit.data.cohort import Cohort
from datkit.errors import PrepareError
from datkit.prepare import GRID, load_regions, prepare_scan
from datkit.prepare.sampling import transform
from datkit.simulate.lab import true_striata
from datkit.simulate.patient.loss import SIDES

FAILED_MM = 8.0
MIN_FAMILY = 5  # exams; the median of fewer means little


def true_centres(uid: str) -> np.ndarray:
    """Return the centroids of the left and right striatum in scan mm, (2, 3)."""
    return true_striata(drawn_exam(uid))


def found_centres(to_scan: np.ndarray, quality: dict[str, Any] | None = None) -> np.ndarray:
    """Return where a pose, and the shifts if given, put the two striata in scan mm, (2, 3)."""
    centres = []
    for side in SIDES:
        mask = np.argwhere(load_regions()[f"striatum_{side}"]).mean(axis=0)
        place = transform(GRID.affine, mask.reshape(3, 1)).ravel()
        if quality is not None:
            place = place + [quality[f"{side}_shift_{axis}"] for axis in "xyz"]
        centres.append(transform(to_scan, place.reshape(3, 1)).ravel())
    return np.array(centres)


def distance_mm(found: np.ndarray, true: np.ndarray) -> float:
    """Return how far the worse side's centroid lies off.

    Examples
    --------
    >>> distance_mm(np.zeros((2, 3)), np.array([[0, 0, 1.0], [0, 3, 4]]))
    5.0
    """
    return float(np.linalg.norm(found - true, axis=1).max())


def rotation_left(to_scan: np.ndarray, pose: np.ndarray) -> float:
    """Return the angle between two poses, degrees; scales do not count."""
    found, true = (_nearest_rotation(matrix[:3, :3]) for matrix in (to_scan, pose))
    cosine = (np.trace(found.T @ true) - 1) / 2
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def _nearest_rotation(linear: np.ndarray) -> np.ndarray:
    u, _, v = np.linalg.svd(linear)
    return u @ v


def look_at_exam(cohort: Cohort, uid: str) -> dict[str, Any]:
    """Return one exam's errors and quality."""
    scan, true = cohort.load(uid), true_centres(uid)
    row = {"family": family_of(np.array(scan.shape), scan.spacing)}
    try:
        prepared = prepare_scan(scan)
    except PrepareError:
        return row | {"flagged": True, "similarity": 0.0}
    pose = drawn_exam(uid).acquisition.mean_pose
    return row | {
        "error": distance_mm(found_centres(prepared.to_scan, prepared.quality), true),
        "pose_error": distance_mm(found_centres(prepared.to_scan), true),
        "rotation_left": rotation_left(prepared.to_scan, pose),
        "flagged": bool(prepared.reasons),
        "similarity": prepared.quality["similarity"],
    }


def look_at_cohort(cohort: Cohort, n_jobs: int, progress: bool = True) -> pd.DataFrame:
    """Return one row for each exam: see look_at_exam."""
    from joblib import Parallel, delayed
    from tqdm.auto import tqdm

    jobs = (delayed(partial(look_at_exam, cohort))(uid) for uid in cohort.uids)
    rows = Parallel(n_jobs=n_jobs, return_as="generator")(jobs)
    bar = tqdm(rows, cohort.name, total=len(cohort), unit="exam", disable=not progress)
    return pd.DataFrame(list(bar), index=pd.Index(cohort.uids, name="uid"))


def figures(looks: pd.DataFrame) -> Iterator[Figure]:
    """Yield the figures of alignment; a refused exam counts as flagged, not as an error in mm."""
    found = looks.dropna(subset="error")
    error, flagged = found["error"].to_numpy(), found["flagged"].to_numpy(bool)
    refused = f"{len(looks)} exams, {len(looks) - len(found)} refused"
    pose = f"by the pose alone {found['pose_error'].median():.2f} mm; {refused}"
    yield _quantile("striatal error, median", error, 50, (None, 2), pose)
    pose = f"by the pose alone {np.percentile(found['pose_error'], 99):.2f} mm"
    yield _quantile("striatal error, 99 % of exams", error, 99, (None, 5), pose)
    yield _worst_family(found)
    yield _quantile(
        "residual rotation, median", found["rotation_left"].to_numpy(), 50, (None, 2), unit="°"
    )
    failed = error > FAILED_MM
    missed = int((failed & ~flagged).sum())
    note = f"{int(failed.sum())} failures beyond {FAILED_MM:g} mm, largest error {error.max():.1f}"
    yield Figure("failures not flagged", missed, (None, 0), None, "exams", note)
    yield share("good exams flagged", flagged[~failed], (None, 2))


def _quantile(
    name: str, values: np.ndarray, q: float, target: tuple, note: str = "", unit: str = "mm"
) -> Figure:
    interval = bootstrap(lambda rows: np.percentile(values[rows], q), len(values))
    return Figure(name, float(np.percentile(values, q)), target, tuple(interval), unit, note)


def _worst_family(found: pd.DataFrame) -> Figure:
    families = found.groupby("family")["error"].agg(["median", "size"])
    medians = families.loc[families["size"] >= MIN_FAMILY, "median"].sort_values(ascending=False)
    note = "; ".join(f"{name} {value:.2f}" for name, value in medians.items())
    worst = float(medians.max())
    return Figure("striatal error, worst family's median", worst, (None, 3), None, "mm", note)
