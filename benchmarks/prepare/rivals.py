"""Other ways to the same grid, each from a file to a prepared volume: SimpleITK, ANTs, a crop.

Each way takes a file's path and returns where it puts the template (4, 4; template mm to scan mm)
and the volume on the canonical grid.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "1")

import nibabel as nib
import numpy as np
from scipy import ndimage

from datkit.io.scan import load_scan
from datkit.prepare import GRID, prepare_scan
from datkit.prepare.grid import load_template
from datkit.prepare.sampling import sample, shift, transform

if TYPE_CHECKING:
    import ants  # type: ignore[import-not-found, unused-ignore]
    import SimpleITK as sitk

LPS = np.diag([-1.0, -1, 1, 1])  # ITK's axes point left and back
FINE_MM = 2.0  # voxels of ANTs' template
Way = tuple[np.ndarray, np.ndarray]


def as_in_notebooks(method: sitk.ImageRegistrationMethod) -> None:
    """Set metric and optimiser as SimpleITK's own introduction to registration does."""
    method.SetMetricAsMattesMutualInformation(50)
    method.SetMetricSamplingPercentage(0.01, 1)
    method.SetOptimizerAsGradientDescent(1.0, 100, 1e-6, 10)


def tuned(method: sitk.ImageRegistrationMethod) -> None:
    """Set correlation, ten times the samples, and a step that shrinks."""
    method.SetMetricAsCorrelation()
    method.SetMetricSamplingPercentage(0.1, 1)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 0.01, 200)


def by_datkit(path: Path) -> tuple[np.ndarray, np.ndarray, dict]:
    """Prepare a file with this package; the quality record too."""
    prepared = prepare_scan(load_scan(path))
    return prepared.to_scan, prepared.volume, prepared.quality


def by_floor(path: Path) -> Way:
    """Put the template's middle into the array's, and resample: the least that one can do."""
    image = nib.Nifti1Image.from_filename(path)
    data = np.asarray(image.dataobj, np.float32)
    middle = transform(image.affine, (np.array(data.shape).reshape(3, 1) - 1) / 2).ravel()
    to_scan = shift(middle - transform(GRID.affine, np.array([[31.5], [39.5], [23.5]])).ravel())
    to_voxels = np.linalg.inv(image.affine) @ to_scan @ GRID.affine
    volume = ndimage.affine_transform(
        data, to_voxels[:3, :3], to_voxels[:3, 3], GRID.shape, order=1
    )
    return to_scan, volume


def by_simpleitk(path: Path) -> Way:
    """Read with nibabel, register as SimpleITK's notebooks do, resample with nilearn."""
    return _by_simpleitk(path, as_in_notebooks)


def by_simpleitk_tuned(path: Path) -> Way:
    """Do the same with the best of six plain settings for these volumes."""
    return _by_simpleitk(path, tuned)


def _by_simpleitk(path: Path, settings: Callable) -> Way:
    from nilearn.image import resample_img

    image = nib.Nifti1Image.from_filename(path)
    data = np.asarray(image.dataobj, np.float32)
    to_scan = simpleitk_affine(data, image.affine, settings)
    moved = nib.Nifti1Image(data, np.linalg.inv(to_scan) @ image.affine)
    options = {"force_resample": True, "copy_header": True}
    there = resample_img(moved, GRID.affine, GRID.shape, interpolation="linear", **options)
    return to_scan, there.get_fdata(dtype=np.float32)


def simpleitk_affine(
    data: np.ndarray, affine: np.ndarray, settings: Callable = tuned
) -> np.ndarray:
    """Fit an affine to the template from the moments, at three levels."""
    import SimpleITK as sitk

    template = load_template()
    fixed, moving = _itk(template.data, template.affine), _itk(data, affine)
    start = sitk.CenteredTransformInitializer(
        fixed, moving, sitk.AffineTransform(3), sitk.CenteredTransformInitializerFilter.MOMENTS
    )
    method = sitk.ImageRegistrationMethod()
    settings(method)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([2, 1, 0])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetNumberOfThreads(1)
    method.SetInitialTransform(start, True)
    method.Execute(fixed, moving)
    return _as_matrix(start.TransformPoint)


def _itk(volume: np.ndarray, affine: np.ndarray) -> sitk.Image:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.T, np.float32))
    spacing, origin, direction = _itk_geometry(affine)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(origin.tolist())
    image.SetDirection(direction.ravel().tolist())
    return image


def _itk_geometry(affine: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    lps = LPS @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    return spacing, lps[:3, 3], lps[:3, :3] / spacing


def _as_matrix(move: Callable[[list[float]], Sequence[float]]) -> np.ndarray:
    """Return the (4, 4) matrix, in RAS, of a function that moves points in LPS."""
    matrix = np.eye(4)
    matrix[:3, 3] = move([0.0, 0.0, 0.0])
    for axis in range(3):
        matrix[:3, axis] = np.array(move(100 * np.eye(3)[axis])) / 100 - matrix[:3, 3] / 100
    return LPS @ matrix @ LPS


def has_ants() -> bool:
    """Return whether antspyx is installed."""
    return importlib.util.find_spec("ants") is not None


def by_ants(path: Path) -> Way:
    """Register with antspyx's affine, as it comes, to the template at 2 mm, and resample."""
    import ants

    image = nib.Nifti1Image.from_filename(path)
    moving = _ants(np.asarray(image.dataobj, np.float32), image.affine)
    found = ants.registration(_ants(*_fine_template()), moving, type_of_transform="Affine")
    grid = _ants(np.zeros(GRID.shape, np.float32), GRID.affine)
    moved = ants.apply_transforms(grid, moving, found["fwdtransforms"])
    point = ants.read_transform(found["fwdtransforms"][0]).apply_to_point
    for name in {*found["fwdtransforms"], *found["invtransforms"]}:
        Path(name).unlink(missing_ok=True)
    return _as_matrix(point), moved.numpy()


def _ants(volume: np.ndarray, affine: np.ndarray) -> ants.ANTsImage:
    import ants

    spacing, origin, direction = _itk_geometry(affine)
    return ants.from_numpy(
        np.ascontiguousarray(volume, np.float32), origin.tolist(), spacing.tolist(),
        direction=direction,
    )  # fmt: skip


@cache
def _fine_template() -> Way:
    template = load_template()
    shape = tuple((np.array(template.shape) * template.spacing / FINE_MM).astype(int))
    affine = template.affine @ np.diag([*FINE_MM / template.spacing, 1.0])
    points = transform(affine, np.indices(shape).reshape(3, -1))
    return sample(template.data, template.affine, points)[0].reshape(shape), affine
