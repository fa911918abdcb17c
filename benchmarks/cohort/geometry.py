"""Is the cohort as varied as a hospital's files: matrices, angles, intensities, glands, borders?

Everything is read from the volumes on disk, except where the head lies: that is the drawn pose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.common.figures import Figure, share
from datkit.data.cohort import Cohort
from datkit.prepare.sampling import transform
from datkit.simulate.camera.acquisition import Acquisition
from datkit.simulate.exam import Drawn, draw_exam
from datkit.simulate.patient.anatomy import AFFINE, standard_anatomy
from datkit.simulate.patient.head_shape import Shape
from datkit.simulate.patient.person import GLANDS, SIDES

CHALLENGE_EXAMS = 1362
# Families of the DaT-Park challenge: exams in its training set, and what its files look like, from
# counts that entrants published.
FAMILIES: dict[str, tuple[int, Callable[[np.ndarray, np.ndarray], bool]]] = {
    "2.46 mm, 256³": (460, lambda n, mm: _near(mm, 2.46) and n[0] == 256),
    "2.46 mm, cropped": (68, lambda n, mm: _near(mm, 2.46) and n[0] < 256),
    "thin axial stack": (254, lambda n, mm: _near(mm[:2], 3.895) and n[2] < 64),
    "2.30 mm": (207, lambda _, mm: _near(mm, 2.30)),
    "2.40 mm": (143, lambda _, mm: _near(mm, 2.3976)),
    "3.895 mm": (71, lambda n, mm: _near(mm, 3.895) and n[2] == 128),
    "zoomed, 3 mm slices": (54, lambda _, mm: mm[0] < 1.95 and _near(mm[2], 3.0)),
    "fine": (32, lambda _, mm: mm[0] < 1.55 and _near(mm[2], 1.5)),
    "3.30 mm": (39, lambda _, mm: _near(mm[:2], 3.30)),
    "2.0 × 4.0 mm": (10, lambda _, mm: _near(mm[:2], 2.0) and _near(mm[2], 4.0)),
    "3.59 and 4.42 mm": (18, lambda _, mm: _near(mm, 3.591) or _near(mm, 4.4196)),
}
OBLIQUE = 0.1  # degrees; below, a header's rounding
REACH_MM = 8.0  # around a gland or striatum: blur and motion move its hottest voxel
STRIATUM = tuple(f"{name}_{side}" for name in ("caudate", "putamen") for side in SIDES)


def measure(cohort: Cohort, n_jobs: int = 1, progress: bool = True) -> Iterator[Figure]:
    """Yield the figures of geometry for a simulated cohort."""
    looks = look_at_cohort(cohort, n_jobs, progress)
    abnormal = cohort.labels.loc[looks.index] == 1
    yield family_shares(looks)
    yield share("oblique affines", looks["tilt"] > OBLIQUE, (35, 45), "40 % in the challenge")
    yield share(
        "yaw beyond 5° to either side",
        looks["yaw"].abs() > 5,
        (25, 40),
        _range("yaw", looks["yaw"]),
    )
    brighter = looks["gland"] > looks["striatum"]
    beside = f"{100 * brighter[~abnormal].mean():.1f} % of normal exams"
    yield share("glands above striatum, abnormal exams", brighter[abnormal], (20, 30), beside)
    yield intensity_span(looks)
    sick = f"{int((looks['border'] & abnormal).sum())} of {int(looks['border'].sum())} abnormal"
    yield share("hottest voxel on the border", looks["border"], (1, 4), sick)


def look_at_cohort(cohort: Cohort, n_jobs: int = 1, progress: bool = True) -> pd.DataFrame:
    """Return one row for each exam: what its file, and its drawn pose, say."""
    from joblib import Parallel, delayed
    from tqdm.auto import tqdm

    jobs = (delayed(partial(look_at_exam, cohort))(uid) for uid in cohort.uids)
    rows = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")(jobs)
    bar = tqdm(rows, "geometry", total=len(cohort), unit="exam", disable=not progress)
    return pd.DataFrame(list(bar), index=pd.Index(cohort.uids, name="uid"))


def look_at_exam(cohort: Cohort, uid: str) -> dict[str, Any]:
    """Return family, angles, intensities and where the hottest voxel lies, of one exam."""
    scan = cohort.load(uid)
    drawn = drawn_exam(uid)
    acquisition, shape = drawn.acquisition, drawn.patient.shape
    to_voxels = np.linalg.inv(scan.affine) @ standard_to_scanner(acquisition, shape)
    hottest = np.argwhere(scan.data == scan.data.max())
    pose = acquisition.head_to_scanner[:3, :3]
    return {
        "family": family_of(np.array(scan.shape), scan.spacing),
        "tilt": tilt_degrees(scan.affine),
        "yaw": float(np.degrees(np.arctan2(pose[1, 0], pose[0, 0]))),
        "gland": _peak(scan.data, to_voxels, GLANDS),
        "striatum": _peak(scan.data, to_voxels, STRIATUM),
        "level": _median(scan.data, to_voxels),
        "border": bool(((hottest == 0) | (hottest == np.array(scan.shape) - 1)).any()),
        "centre": cohort.exams.at[uid, "centre"],
    }


def drawn_exam(uid: str) -> Drawn:
    """Return what was drawn of an exam."""
    return draw_exam(int(uid.split("-")[1]), uid)


def standard_to_scanner(acquisition: Acquisition, shape: Shape) -> np.ndarray:
    """Return the (4, 4) matrix from the standard head's mm to an exam's; the warp is left out."""
    return acquisition.head_to_scanner @ np.diag([*shape.scale, 1.0])


def tilt_degrees(affine: np.ndarray) -> float:
    """Return the largest angle between an axis of the array and the closest of the scanner's.

    Examples
    --------
    >>> tilt_degrees(np.diag([-2.0, 2, 3, 1]))
    0.0
    """
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return float(np.degrees(np.arccos(np.clip(np.abs(axes).max(axis=0), 0, 1))).max())


def family_of(matrix: np.ndarray, spacing: np.ndarray) -> str:
    """Return the family of a file by its matrix and spacing, or ``"none"``.

    Examples
    --------
    >>> family_of(np.array([128, 128, 41]), np.array([3.895, 3.895, 3.9]))
    'thin axial stack'
    """
    return next((name for name, (_, fits) in FAMILIES.items() if fits(matrix, spacing)), "none")


def _near(values: np.ndarray, mm: float) -> bool:
    return bool(np.all(np.abs(values - mm) < 0.011))


def family_shares(looks: pd.DataFrame) -> Figure:
    """Return the largest difference of a family's share from the challenge's, in points."""
    wanted = {name: 100 * count / CHALLENGE_EXAMS for name, (count, _) in FAMILIES.items()}
    found = {name: 100 * float((looks["family"] == name).mean()) for name in (*wanted, "none")}
    worst = max(abs(found[name] - share) for name, share in wanted.items())
    note = "; ".join(f"{name} {p:.1f} ({wanted.get(name, 0.4):.1f})" for name, p in found.items())
    name = "family shares, largest difference"
    return Figure(name, worst, (None, 5), None, "points", f"% (wanted): {note}")


def intensity_span(looks: pd.DataFrame) -> Figure:
    """Return how many decades the brain's stored value spans over the exams."""
    decades = np.log10(looks["level"].clip(lower=1e-3))
    medians = decades.groupby(looks["centre"]).median()
    note = f"between the centres' medians {np.ptp(medians):.2f} decades"
    return Figure("span of brain intensities", np.ptp(decades), (3.5, None), None, "decades", note)


def _range(name: str, values: pd.Series) -> str:
    return f"{name} from {values.min():.0f}° to {values.max():.0f}°"


@cache
def _region_points(names: tuple[str, ...]) -> np.ndarray:
    """Return the standard mm (3, n) of all voxels within REACH_MM of some regions."""
    from scipy.ndimage import distance_transform_edt

    regions = standard_anatomy().regions
    inside = np.logical_or.reduce([regions[name] > 0.5 for name in names])
    near = distance_transform_edt(~inside, sampling=np.diag(AFFINE)[:3]) <= REACH_MM
    return transform(AFFINE, np.argwhere(near).T)


def _values(data: np.ndarray, to_voxels: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the nearest voxels' values at points (3, n) of the standard head, inside the field."""
    index = np.rint(transform(to_voxels, points)).astype(int)
    seen = ((index >= 0) & (index < np.array(data.shape)[:, None])).all(axis=0)
    return data[tuple(index[:, seen])]


def _peak(data: np.ndarray, to_voxels: np.ndarray, names: tuple[str, ...]) -> float:
    return float(_values(data, to_voxels, _region_points(names)).max(initial=0.0))


def _median(data: np.ndarray, to_voxels: np.ndarray) -> float:
    """Return the median stored value of the occipital region, which every exam should show."""
    seen = _values(data, to_voxels, _region_points(("occipital",)))
    return float(np.median(seen)) if seen.size else float("nan")
