"""Where is the head? The similarity transform from the DaT template to a scan.

The scan is explained by linear regression. At points spread over the template's head, the scan's
value is a sum of the template; of what may differ from it in any exam, each with an amplitude of
its own (scalp, skull, fluids, deep nuclei, both ends of each putamen ..., a trend as attenuation
leaves it, a little more or less blur); and of what all this would change by under a small shift,
rotation or scaling. The coefficients of the last group say how far the pose is off; it is
corrected, the scan is sampled again, and after a few rounds nothing is left to correct. So neither
a lost putamen nor a bright scalp moves the head. This is Gauss-Newton on the template's side (Baker
and Matthews 2004, 10.1023/B:VISI.0000011205.11775.fd): the regressors carry no noise and are the
same for every exam. Striata tell where a head is, not how it is turned, nor how large it is: in the
two public maps of healthy people they want another turn and size than the brain's outline.

There is no second aligner to fall back on: where this one does not convince, it starts again from
eleven other places. Of the exams that ``benchmarks/prepare`` spoils (section `spoilt`),
SimpleITK's affine finds none that is lost here, and loses turned heads and hot borders itself.

Whatever is done to the scan is done along its own voxel axes, so a head that its header rotates
gives the same numbers, rotated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

import numpy as np
from scipy.linalg import expm

from datkit.errors import PrepareError, UsageError
from datkit.prepare.levels import (
    BRAIN_ML,
    GENERATORS,
    RADIUS,
    Level,
    brain_level,
    head_centre,
    load_levels,
    template_centre,
)
from datkit.prepare.sampling import (
    blur,
    crop,
    is_inside,
    regress,
    sample,
    shift,
    shrink,
    spacing,
    transform,
)
from datkit.problems import Problem

__all__ = ["PrepareSettings", "find_pose"]

TOLERANCE = 0.003  # mm at the head's surface; moves no measure by 0.1 %
ROUGH = 0.3  # mm; enough where a finer level follows
MAX_STEP, MAX_ROUNDS = 20.0, 60  # mm
CROP_MM = 30.0  # the blur's reach, and what the fine level may still move
# Coarse similarity of simulated exams, also with half of the head cut off: 0.975 and more; of heads
# that start 90° off or more: 0.92 and less. Then other starts are tried.
TRUSTED = 0.95
TURNS = (-90, 90, 180)  # degrees, about each axis
LIFTS = (-80.0, 80.0)  # mm along z
# Fine similarity of simulated exams: 0.97 and more, in noise of 160 % still 0.7; of noise: 0.3.
LIKE_A_HEAD = 0.6
SMALL = 0.7  # times the template: no grown-up's head is
MIN_IN_VIEW = 0.1  # of the points; the similarity of fewer means nothing
NO_BRAIN = Problem(
    "no-brain", "the scan", f"uptake in at least {BRAIN_ML} mL, half a brain", "less",
    "Look at it: is the head in it, and is the voxel size right?",
)  # fmt: skip
NO_HEAD = Problem(
    "no-head", "the scan", f"a head, whose similarity to the template is {LIKE_A_HEAD} or more",
    "none", "Look at it: is it a brain’s?",
)  # fmt: skip


@dataclass(frozen=True)
class PrepareSettings:
    """How scans are prepared.

    Attributes
    ----------
    scaling : bool
        Fit the head's size too. Without it the pose is rigid and striata keep their own size.
    ceiling : float
        Uptake outside the striata counts up to this multiple of the brain's, so that salivary
        glands do not attract the fit.
    striatal_weight : float
        Weight of the points around the striata, those elsewhere having 1.
    order : int
        Of the spline that resamples the scan: 1 linear, 3 cubic.

    Raises
    ------
    UsageError
        If a value makes no sense.

    Examples
    --------
    >>> PrepareSettings(order=1).to_dict()
    {'scaling': True, 'ceiling': 1.6, 'striatal_weight': 2.5, 'order': 1}
    """

    scaling: bool = True
    ceiling: float = 1.6
    striatal_weight: float = 2.5
    order: int = 3

    def __post_init__(self) -> None:
        if not (self.ceiling > 1 and self.striatal_weight > 0 and self.order in range(6)):
            raise UsageError(
                "Expected ceiling > 1, striatal_weight > 0 and order 0 to 5, found "
                f"{self.to_dict()}; correct the settings."
            )

    def to_dict(self) -> dict[str, bool | float]:
        """Return the settings as a plain dictionary, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Pose:
    """Where the template's head lies in a scan, and how sure that is.

    Attributes
    ----------
    matrix : numpy.ndarray, shape (4, 4)
        Template mm to scan mm.
    similarity : float
        Correlation of the scan with its explanation, both blurred.
    in_view : float
        Share of the head that lies inside the scan.
    fallback : str
        ``"none"``, or ``"other starts"`` if the head was found only from another place or turn.
    """

    matrix: np.ndarray
    similarity: float
    in_view: float
    fallback: str = "none"


def find_pose(
    data: np.ndarray, affine: np.ndarray, settings: PrepareSettings | None = None
) -> Pose:
    """Find the template's head in a scan.

    Parameters
    ----------
    data : array, shape (i, j, k), float32
        Uptake in any unit.
    affine : array, shape (4, 4)
        Voxel indices to scan mm, RAS+. A head on its side or upside down is found too.
    settings : PrepareSettings, optional
        How to fit.

    Raises
    ------
    PrepareError
        If the scan holds less uptake than half a brain, or nothing that looks like a head.
    """
    how = settings or PrepareSettings()
    coarse, fine = load_levels(how.scaling, how.ceiling, how.striatal_weight)
    volume, its_affine = shrink(data, affine, coarse.largest_voxel)
    level = brain_level(volume, its_affine)
    if level <= 0:
        raise PrepareError.of([NO_BRAIN], where=NO_BRAIN.where)
    start = _fit_coarse(volume / level, its_affine, coarse)
    data, affine = crop(data, affine, transform(start.matrix, fine.points), CROP_MM)
    volume, affine = shrink(data, affine, fine.largest_voxel)
    pose = fit(blur(volume / level, affine, fine.fwhm), affine, fine, start.matrix)
    if pose.similarity < LIKE_A_HEAD:
        found = f"{pose.similarity:.2f} at best"
        raise PrepareError.of([replace(NO_HEAD, found=found)], where=NO_HEAD.where)
    return replace(pose, fallback=start.fallback)


def _fit_coarse(volume: np.ndarray, affine: np.ndarray, level: Level) -> Pose:
    """Fit from where the head seems to be; if that does not convince, from elsewhere too."""
    start = shift(head_centre(volume, affine) - template_centre())
    volume = blur(volume, affine, level.fwhm)
    pose = fit(volume, affine, level, start, ROUGH)
    if pose.similarity >= TRUSTED:
        return pose
    others = (fit(volume, affine, level, start @ turn, ROUGH) for turn in _turns())
    best = max(pose, *others, key=_explained)
    return best if best is pose else replace(best, fallback="other starts")


def _explained(pose: Pose) -> float:
    """Return how much of the scan a pose explains: a shrunken head fits, yet little of it."""
    size = np.cbrt(np.linalg.det(pose.matrix[:3, :3]))
    return float(pose.similarity**2 * pose.in_view * min(size / SMALL, 1.0))


def _turns() -> Iterator[np.ndarray]:
    """Yield the head turned in place, then higher and lower."""
    there, back = shift(template_centre()), shift(-template_centre())
    for axis in GENERATORS[3:6]:
        for angle in np.radians(TURNS):
            yield there @ expm(angle * RADIUS * axis) @ back
    for lift in LIFTS:
        yield shift([0, 0, lift])


def fit(
    volume: np.ndarray,
    affine: np.ndarray,
    level: Level,
    matrix: np.ndarray,
    tolerance: float = TOLERANCE,
) -> Pose:
    """Correct a pose until nothing is left to correct; see the module's text."""
    parts = level.parts.shape[1]
    amplitude = np.eye(parts)[0]
    for _ in range(MAX_ROUNDS):
        to_template = np.linalg.inv(matrix) @ affine
        uptake, inside = sample(volume, to_template, level.points, mode="nearest")
        index = transform(np.linalg.inv(to_template), level.points)
        weight = level.weight * is_inside(volume.shape, index, level.fwhm / 2 / spacing(affine))
        told = weight * (uptake <= level.ceiling)  # what is cut off tells no place
        uptake = np.minimum(uptake, level.ceiling)
        slopes = np.einsum("ngp,p->ng", level.slopes, amplitude)
        softer = np.einsum("np,p->n", level.softer, amplitude)
        fixed = [np.ones(uptake.size), level.parts, level.trend, softer]
        design = np.column_stack([*fixed, slopes])
        ridge = np.pad(level.held, (1, design.shape[1] - parts - 1))
        fitted = regress(design, uptake, told, ridge=ridge)
        amplitude, off = fitted[1 : 1 + parts], fitted[-slopes.shape[1] :]
        size = np.abs(off).max()
        off *= min(1.0, MAX_STEP / max(size, TOLERANCE))
        matrix = matrix @ expm(-np.tensordot(off, level.generators, axes=1))
        if size < tolerance:
            break
    look = np.column_stack([np.ones(uptake.size), level.parts[:, level.look]])
    explained = np.einsum("np,p->n", look, regress(look, uptake, weight))
    in_view = float(inside.mean())
    sound = amplitude[0] > 0 and in_view > MIN_IN_VIEW
    return Pose(matrix, _correlation(uptake, explained, weight) if sound else 0.0, in_view)


def _correlation(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> float:
    a, b = (x - np.average(x, weights=weight) for x in (a, b))
    norm = np.sqrt((weight * a**2).sum() * (weight * b**2).sum())
    return float((weight * a * b).sum() / norm) if norm > 0 else 0.0
