"""Striatal length: how far the uptake of a striatum reaches from caudate head to putamen tail."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from datkit.prepare import GRID, load_regions
from datkit.prepare.volume import blur, transform

REACH_MM = 8.0  # around the masks, so that a striatum a little off is not cut
LEVEL = 2.0  # times non-specific uptake: SBR above 1
FWHM = 6.0  # mm; lest single noisy voxels lengthen a striatum
END = 10  # per cent of the caudate, and of the putamen, that are its front and its tail


class Zone(NamedTuple):
    """Where one striatum may be: a box, the voxels of it that count, and their place along it."""

    box: tuple[slice, ...]
    inside: np.ndarray  # bool, the box's shape
    along: np.ndarray  # mm from the caudate's front towards the putamen's tail, the box's shape


def striatal_length(volume: np.ndarray) -> float:
    """Return the length in mm of the shorter striatum of a prepared volume.

    A striatum is the connected part, around its hottest voxel, that holds more than twice the
    non-specific uptake; its length is measured in the axial plane along the line from the front of
    the caudate to the tail of the putamen (after Oliveira et al. 2018, 10.1007/s00259-017-3918-7,
    who found length to tell patients apart as well as binding does).

    Parameters
    ----------
    volume : array, shape (64, 80, 48)
        A prepared volume; non-specific uptake is 1.

    Returns
    -------
    float
        mm; 0 where a side nowhere reaches the level.
    """
    return min(_length(volume, zone) for zone in _zones())


def _length(volume: np.ndarray, zone: Zone) -> float:
    values = np.where(zone.inside, blur(volume[zone.box], GRID.affine, FWHM), -np.inf)
    labels, count = ndimage.label(values > LEVEL)
    if not count:
        return 0.0
    part = zone.along[labels == labels[np.unravel_index(values.argmax(), values.shape)]]
    return float(np.ptp(part)) + GRID.affine[0, 0]


@cache
def _zones() -> tuple[Zone, Zone]:
    """Return the zones of the left and the right striatum."""
    return _zone("left"), _zone("right")


def _zone(side: str) -> Zone:
    regions = load_regions()
    near = ndimage.distance_transform_edt(~regions[f"striatum_{side}"], sampling=2.0) <= REACH_MM
    box = ndimage.find_objects(near.astype(int))[0]
    mm = transform(GRID.affine, np.indices(GRID.shape).reshape(3, -1)).reshape(3, *GRID.shape)
    caudate, putamen = (mm[:, regions[f"{name}_{side}"]] for name in ("caudate", "putamen"))
    front = caudate[:, caudate[1] >= np.percentile(caudate[1], 100 - END)].mean(axis=1)
    tail = putamen[:, putamen[1] <= np.percentile(putamen[1], END)].mean(axis=1)
    axis = (tail - front) * (1, 1, 0)
    along = np.tensordot(axis / np.linalg.norm(axis), mm, axes=1)
    return Zone(box, near[box], along[box])
