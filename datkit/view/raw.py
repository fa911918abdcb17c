"""A scan as the camera delivered it: three planes through its affine, in millimetres."""

from __future__ import annotations

from collections.abc import Sequence

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.processing import resample_to_output
from scipy.ndimage import center_of_mass

from datkit.io.scan import Scan
from datkit.view.canvas import BELOW, Picture, house_style
from datkit.view.planes import PANELS, axis_of, draw_slice, plane_grid

__all__ = ["plot_raw"]


@house_style()
def plot_raw(
    scan: Scan, title: str = "", *, at: Sequence[float] | None = None, top: float | None = None
) -> Picture:
    """Plot three planes of a scan as the camera delivered it, through its affine.

    The voxels are resampled into a grid that is straight in space, so an oblique, flipped or
    permuted file is drawn as the patient lay; grey lies outside the field of view.

    Parameters
    ----------
    scan : Scan
        An exam of any matrix, spacing and orientation.
    title : str
        What the exam is.
    at : three floats, optional
        Point x, y, z in mm where the planes meet; default the centre of the counts.
    top : float, optional
        Top of the colour scale; default the scan's maximum.

    Raises
    ------
    UsageError
        If `at` lies outside the field of view.

    Examples
    --------
    >>> counts = np.zeros((16, 16, 16), dtype=np.float32)
    >>> counts[4:12, 4:12, 4:12] = 100
    >>> figure = plot_raw(Scan(counts, np.diag([4.0, 4.0, 4.0, 1.0])))
    >>> print(figure.axes[3].texts[0].get_text().splitlines()[-1])
    64 × 64 × 64 mm
    """
    image = nib.Nifti1Image(scan.data, scan.affine)
    straight = resample_to_output(image, scan.spacing.max(), order=1, cval=np.nan)
    volume, affine = np.asarray(straight.dataobj), straight.affine
    centre = affine[:3, 3] + np.diag(affine)[:3] * center_of_mass(np.nan_to_num(volume))
    point = centre if at is None else at
    top = float(scan.data.max()) if top is None else top
    figure, grid = plane_grid(volume.shape, title)
    for axes, plane in zip(grid.flat, PANELS, strict=False):
        mm = point[axis_of(plane)]
        drawn = draw_slice(axes, volume, affine, plane, mm, high=top, colormap="viridis")
    grid[1, 1].text(0.05, 0.5, _geometry_text(scan), va="center", linespacing=1.4)
    figure.colorbar(drawn, ax=grid, label=f"counts (scanner units), 0 to {top:.5g}", **BELOW)
    return figure


def _geometry_text(scan: Scan) -> str:
    def times(values: npt.ArrayLike, form: str) -> str:
        return " × ".join(format(value, form) for value in np.asarray(values))

    return (
        f"matrix\n{times(scan.shape, 'd')} voxels\n"
        f"spacing\n{times(scan.spacing, '.3g')} mm\n"
        f"field of view\n{times(scan.spacing * scan.shape, '.0f')} mm"
    )
