"""Where the striata of a simulated exam really lie: what a preparation is judged by."""

from __future__ import annotations

import numpy as np

from datkit.simulate.camera.acquisition import Acquisition
from datkit.simulate.exam import Drawn
from datkit.simulate.patient.anatomy import standard_anatomy
from datkit.simulate.patient.head_shape import sample
from datkit.simulate.patient.loss import SIDES

__all__ = ["mean_pose", "true_striata"]

# A box around both striata in the patient's head: voxels of 2 mm, the first at BOX_START.
BOX, BOX_MM, BOX_START = (61, 61, 56), 2.0, (-60.0, -64.0, -50.0)


def true_striata(drawn: Drawn) -> np.ndarray:
    """Return the true centroids of the left and the right striatum of an exam.

    Caudate and putamen of the standard head, deformed into the patient's and posed. Of a head that
    moves it is the mean over the acquisition.

    Parameters
    ----------
    drawn : Drawn
        Of :func:`datkit.simulate.exam.draw_exam`; no volume is needed.

    Returns
    -------
    ndarray (2, 3)
        Left, then right; x, y, z in scan mm.

    Examples
    --------
    >>> from datkit.simulate.exam import draw_exam
    >>> left, right = true_striata(draw_exam(2026, 3))
    >>> bool(30 < np.linalg.norm(right - left) < 45)
    True
    """
    affine = np.diag([BOX_MM, BOX_MM, BOX_MM, 1.0])
    affine[:3, 3] = BOX_START
    to_scan, regions = mean_pose(drawn.acquisition) @ affine, standard_anatomy().regions
    voxels, centres = np.indices(BOX).reshape(3, -1), []
    for side in SIDES:
        striatum = regions[f"caudate_{side}"] + regions[f"putamen_{side}"]
        weight = sample(striatum, drawn.patient.shape, affine, BOX).ravel()
        middle = (voxels * weight).sum(axis=1) / weight.sum()
        centres.append(to_scan[:3, :3] @ middle + to_scan[:3, 3])
    return np.array(centres)


def mean_pose(acquisition: Acquisition) -> np.ndarray:
    """Return the pose of a head, averaged over the acquisition if it moves.

    Returns
    -------
    ndarray (4, 4)
        The patient's head, mm, to scan mm.
    """
    pose, motion = acquisition.head_to_scanner, acquisition.motion
    if motion is None:
        return pose
    return motion.start * pose + (1 - motion.start) * (motion.transform @ pose)
