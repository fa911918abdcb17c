"""What the geometry of a volume tells of where it was acquired.

Centres are seldom named, but a camera and its protocol leave their matrix and spacing. In the
challenge 131 exact signatures fall into about a dozen families, and a model that knows the family
knows something of the label. The families here are coarse on purpose: a group that is too large
costs a little variety in training; one that is too small lets a scanner stand on both sides.
"""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from datkit.data.cohort import Cohort, is_nifti, load_volume
from datkit.errors import CohortError, DatkitError, ScanError
from datkit.io.scan import open_image

__all__ = ["family_of", "geometry_of", "infer_families"]

# In-plane spacing over slice distance. The challenge's zoomed protocols lie between 0.5 and 0.63,
# the others between 0.91 and 1.1.
EVEN = (0.8, 1.25)


def geometry_of(path: Path) -> tuple[tuple[int, int, int], tuple[float, float, float]]:
    """Return number of voxels and spacing in mm along x, y and z, the nearest axes of the body.

    Only the header of a NIfTI file is read.

    Raises
    ------
    ScanError
        If the file cannot be read.
    """
    if not is_nifti(path):
        scan = load_volume(path)
        shape, affine = scan.shape, scan.affine
    else:
        image = open_image(path)
        shape, affine = image.shape[:3], image.affine
    return _along_body(shape, affine, path)


def _along_body(shape: tuple[int, ...], affine: np.ndarray, path: Path) -> tuple:
    if len(shape) < 3 or not np.isfinite(affine).all():
        raise ScanError(
            f"{path}: expected three axes and a finite affine, found the shape {shape}; "
            "export the exam again."
        )
    axes = nib.io_orientation(affine)[:, 0]
    if np.isnan(axes).any():
        raise ScanError(f"{path}: expected three axes of the body, found a flat affine; export it.")
    order, spacing = np.argsort(axes), nib.affines.voxel_sizes(affine)
    return tuple(int(shape[i]) for i in order), tuple(float(spacing[i]) for i in order)


def family_of(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> str:
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
    problems: list[str] = []
    for uid in cohort.uids:
        try:
            families[uid] = family_of(*geometry_of(cohort.path_of(uid)))
        except (DatkitError, OSError) as error:
            problems.append(str(error))
    if problems:
        raise CohortError.of(problems, where=cohort.folder)
    return pd.Series(families, name="family", dtype=object).loc[cohort.uids]
