"""One centre's exam of one patient, at image level: blur, background, pose, noise, storage.

This is a stand-in for a projector and a reconstruction. A reconstructed exam is modelled as the
uptake blurred by the centre's resolution, diluted by what the centre does not correct (scatter,
attenuation), resampled into the centre's matrix, with noise that is correlated over about the
resolution and stronger where activity is higher, times the centre's intensity scale.

:mod:`datkit.simulate.acquisition` draws every parameter; :func:`acquire` applies them.
"""

from __future__ import annotations

import numpy as np

from datkit.simulate.acquisition import Acquisition
from datkit.simulate.anatomy import AFFINE
from datkit.simulate.centres import Centre

__all__ = ["acquire"]

SIGMA = 1 / 2.3548  # standard deviation of a Gaussian over its full width at half maximum
SCATTER_MM = 30.0  # SD of the scatter kernel; 25-40 mm, design
SCATTER_SHARE = 0.80  # scatter 0.25-0.40 of primary counts (no firm source) and septal penetration,
# up to 28 % of all counts (Cot 2006, IEEE TNS 53:198), over primary counts
SCATTER_LEFT = 0.08  # what correction leaves: it raises SBR by 24-32 % (Tossici-Bolt 2017)
CUPPING = 0.33  # without attenuation correction deep activity loses up to this share; design,
# set so that correction raises SBR by about 16 % (Tossici-Bolt 2017, 10.1186/s40658-017-0175-6)
NOISE_POWER = 0.7  # noise SD over activity: 0.5 counting, 1 iterative; design
VOXEL_MM = float(AFFINE[0, 0])


def acquire(uptake: np.ndarray, exam: Acquisition) -> np.ndarray:
    """Make the stored volume of one exam.

    Parameters
    ----------
    uptake : ndarray, float32 (99, 121, 128)
        Uptake in the patient's head, from :func:`datkit.simulate.uptake.paint`.
    exam : Acquisition
        The drawn parameters.

    Returns
    -------
    ndarray, uint16, shape `exam.shape`
        Stored values, at most 65535; voxels outside the head's box are 0.
    """
    from scipy.ndimage import gaussian_filter

    blurred = gaussian_filter(uptake, exam.fwhm * SIGMA / VOXEL_MM, truncate=3)
    voxel_to_head = np.linalg.inv(exam.head_to_scanner) @ exam.affine
    box = _head_box(uptake, voxel_to_head, exam.shape)
    voxel_to_head = voxel_to_head.copy()
    voxel_to_head[:3, 3] += voxel_to_head[:3, :3] @ [part.start for part in box]
    size = tuple(part.stop - part.start for part in box)
    image = _resample(blurred, AFFINE, voxel_to_head, size)
    image = _leave_uncorrected(image, blurred, voxel_to_head, exam.centre)
    image += _noise(image, exam)
    stored = np.zeros(exam.shape, np.uint16)
    stored[box] = np.clip(np.rint(image * np.float32(exam.gain)), 0, 65535)
    return stored


def _head_box(uptake: np.ndarray, voxel_to_head: np.ndarray, shape: tuple) -> tuple[slice, ...]:
    """Return the part of a matrix that holds the head, with a margin for blur."""
    ends = []
    for axis in range(3):
        line = uptake.max(axis=tuple(k for k in range(3) if k != axis)) > 0.05
        ends.append(AFFINE[axis, 3] + VOXEL_MM * np.flatnonzero(line)[[0, -1]] + (-12, 12))
    corners = np.stack(np.meshgrid(*ends, indexing="ij")).reshape(3, -1)
    inverse = np.linalg.inv(voxel_to_head)
    voxels = inverse[:3, :3] @ corners + inverse[:3, 3:]
    low = np.clip(np.floor(voxels.min(1)).astype(int), 0, shape)
    high = np.clip(np.ceil(voxels.max(1)).astype(int) + 1, 0, shape)
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))


def _resample(
    volume: np.ndarray, affine: np.ndarray, voxel_to_head: np.ndarray, size: tuple[int, ...]
) -> np.ndarray:
    """Sample a volume whose voxels lie at `affine` (mm) on a grid at `voxel_to_head`."""
    from scipy.ndimage import affine_transform

    matrix = np.linalg.inv(affine) @ voxel_to_head
    return affine_transform(volume, matrix[:3, :3], matrix[:3, 3], size, np.float32, order=1)


def _leave_uncorrected(
    image: np.ndarray, blurred: np.ndarray, voxel_to_head: np.ndarray, centre: Centre
) -> np.ndarray:
    """Add scatter and dim deep activity, as far as the centre does not correct them."""
    from scipy.ndimage import gaussian_filter

    coarse = blurred[::4, ::4, ::4]  # 8 mm: both terms are smooth over 30 mm
    affine = AFFINE @ np.diag([4, 4, 4, 1])
    width = SCATTER_MM / (4 * VOXEL_MM)
    head = np.float32(coarse > 0.1)
    share = np.float32(SCATTER_LEFT if centre.scatter else SCATTER_SHARE)
    scatter = share * gaussian_filter(coarse, width) * gaussian_filter(head, 1)
    image = image + _resample(scatter, affine, voxel_to_head, image.shape)
    if not centre.attenuation:
        deep = np.float32(CUPPING) * gaussian_filter(head, width)
        image *= 1 - _resample(deep, affine, voxel_to_head, image.shape)
    return image


def _noise(image: np.ndarray, exam: Acquisition) -> np.ndarray:
    """Return noise correlated over about the resolution, stronger where activity is higher.

    White noise is smoothed and freed of its slowest part, as filtered back-projection does.
    """
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(exam.noise_seed)
    white = rng.standard_normal(image.shape, dtype=np.float32)
    spacing = np.linalg.norm(exam.affine[:3, :3], axis=0)
    width = 0.75 * exam.fwhm * SIGMA / spacing
    grain = gaussian_filter(white, width, truncate=3)
    grain -= gaussian_filter(grain, width, truncate=3)
    level = np.float32(exam.noise / grain.std())
    return grain * level * np.clip(image, 0.02, None) ** np.float32(NOISE_POWER)
