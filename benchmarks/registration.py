"""Our registration against SimpleITK's, on the same simulated exams, in one run.

    python benchmarks/registration.py [EXAMS]

Both fit a similarity (shift, rotation, one scale) of the same template. SimpleITK starts at the
true pose, which favours it; ours starts from nothing. The error is the largest distance between
where the found and the true pose put the centre of a caudate or putamen. Times are CPU seconds of
one thread; on a shared machine only their ratio means something.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import numpy as np
import SimpleITK as sitk

from datkit.prepare.align import find_pose
from datkit.prepare.grid import load_template
from datkit.prepare.levels import brain_level
from datkit.prepare.volume import blur, shrink, transform
from datkit.simulate.acquisition import draw_acquisition
from datkit.simulate.camera import acquire
from datkit.simulate.centres import CENTRES
from datkit.simulate.patient import standard_normal
from datkit.simulate.shape import standard_shape
from datkit.simulate.uptake import paint

SEED = 11
# Centres of the caudates and putamina, mm in template space.
STRIATA = np.array([[-12, 10, 9], [12, 10, 9], [-26, 2, 0], [26, 2, 0]], float).T


def simulate(index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a noisy exam of the standard head: volume, affine, true pose."""
    rng = np.random.default_rng([SEED, index])
    drawn = draw_acquisition(rng, CENTRES[index % len(CENTRES)])
    acquisition = replace(drawn, motion=None)  # a head that moves has no one true pose
    volume = acquire(paint(standard_normal())[0], standard_shape(), acquisition)
    return volume.astype(np.float32), acquisition.affine, acquisition.head_to_scanner


def error_mm(found: np.ndarray, true: np.ndarray) -> float:
    """Return the largest distance between where two poses put a striatum."""
    return np.linalg.norm(transform(found, STRIATA) - transform(true, STRIATA), axis=0).max()


def simpleitk_pose(data: np.ndarray, affine: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Fit a similarity with SimpleITK's correlation metric and gradient descent."""
    template = load_template()
    images = [
        _image(*_clipped(*part)) for part in ((template.data, template.affine), (data, affine))
    ]
    lps = np.diag([-1.0, -1, 1, 1])
    matrix = lps @ start @ lps
    fitted = sitk.Similarity3DTransform()
    fitted.SetMatrix(matrix[:3, :3].ravel().tolist())
    fitted.SetTranslation(matrix[:3, 3].tolist())
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsCorrelation()
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 0.01, 100, gradientMagnitudeTolerance=1e-7)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetNumberOfThreads(1)
    method.SetInitialTransform(fitted, True)
    method.Execute(*images)
    found = np.eye(4)
    found[:3, :3] = np.reshape(fitted.GetMatrix(), (3, 3))
    found[:3, 3] = fitted.GetTranslation()
    return lps @ found @ lps


def _clipped(data: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return 4 mm voxels, cut off so that glands matter little, blurred by 8 mm."""
    small, to_mm = shrink(data, affine, 5.0)
    return blur(np.minimum(small / brain_level(small, to_mm), 1.6), to_mm, 8.0), to_mm


def _image(volume: np.ndarray, affine: np.ndarray) -> sitk.Image:
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.T, np.float32))
    axes, sizes = affine[:3, :3], np.linalg.norm(affine[:3, :3], axis=0)
    flip = np.diag([-1.0, -1, 1])
    image.SetSpacing(sizes.tolist())
    image.SetOrigin((flip @ affine[:3, 3]).tolist())
    image.SetDirection((flip @ axes / sizes).ravel().tolist())
    return image


def _time(fit, *arguments) -> tuple[np.ndarray, float]:
    start = time.process_time()
    return fit(*arguments), time.process_time() - start


def main(exams: int = 12) -> None:
    """Print the median error and time of both, and the ratio of the times."""
    find_pose(*simulate(0)[:2])  # what is computed once per process is not counted
    rows = []
    for index in range(exams):
        volume, affine, true = simulate(index)
        (ours, seconds), (theirs, slow) = (
            _time(find_pose, volume, affine),
            _time(simpleitk_pose, volume, affine, true),
        )
        rows.append((error_mm(ours.matrix, true), seconds, error_mm(theirs, true), slow))
    medians = np.median(rows, axis=0)
    print(f"{exams} simulated exams of the standard head, seed {SEED}, {len(CENTRES)} centres")
    print(f"datkit     median error {medians[0]:.2f} mm, {medians[1]:.2f} s")
    print(f"SimpleITK  median error {medians[2]:.2f} mm, {medians[3]:.2f} s")
    print(f"SimpleITK takes {medians[3] / medians[1]:.0f} times as long")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
