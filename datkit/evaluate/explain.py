"""What a model looked at: maps of the voxels that move its logit, in template space.

A map answers the question that it asks: what if nothing bound here, what if this part were normal,
what if a voxel held a little more. It does not say why an exam is abnormal. Before one believes a
map, a network with random weights must give another one (:func:`randomise_network`).
"""

from __future__ import annotations

from copy import deepcopy
from itertools import product

import nibabel as nib
import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from scipy.stats import spearmanr

from datkit.errors import UsageError
from datkit.measure.exam import measure_volume
from datkit.measure.regions import shifts_of
from datkit.models.base import LogitClassifier
from datkit.models.network import NetworkClassifier, mirror_mean
from datkit.models.training.loop import seeded
from datkit.prepare.grid import GRID, to_striata
from datkit.prepare.striatum import locate_striata

__all__ = ["gradient_map", "map_correlation", "mean_map", "occlusion_map", "randomise_network"]

Cube = tuple[slice, ...]
NOTHING = (slice(0),) * 3  # no voxel
BATCH = 64  # volumes that a model sees at once: 63 MB


def occlusion_map(
    model: LogitClassifier,
    X: ArrayLike,
    *,
    side: int = 6,
    stride: int = 4,
    reach: float = 8.0,
    level: ArrayLike = 1.0,
) -> np.ndarray:
    """Return how far each place of an exam moves the logit: what changes when it is covered.

    A cube is replaced, the model is asked again, and the cube moves on. A voxel's value is the mean
    of ``logit(exam) − logit(exam with the cube replaced)`` over the cubes that cover it: above 0
    where the exam speaks for *abnormal* more than the replacement does (Zeiler and Fergus 2014,
    10.1007/978-3-319-10590-1_53). Nothing finer than a cube is seen.

    Parameters
    ----------
    model : LogitClassifier
        Fitted: any of :mod:`datkit.models`. One that reads measures has them taken anew from each
        changed volume, where the exam's own striata lie, some 10 ms each.
    X : array, shape (n, 64, 80, 48)
        Prepared volumes.
    side, stride : int
        Of the cube and of its steps, voxels of 2 mm. 12 mm is about what a camera resolves.
    reach : float
        A cube that is wholly farther than this from the striata is left out, mm; ``numpy.inf``
        covers the whole grid.
    level : float or array, shape (64, 80, 48)
        What replaces: 1 is non-specific uptake, as if nothing bound there. The mean normal exam
        asks another question: what if this part were normal?

    Returns
    -------
    array, shape (n, 64, 80, 48), float32
        Logits; 0 where no cube was. Axes x (left → right), y (back → front), z (bottom → top).

    Raises
    ------
    UsageError
        If the shape is another, a cube does not fit the grid, its steps leave gaps, or the reach is
        negative.
    ModelError, PrepareError
        If the model cannot read the volumes, or they cannot be measured.

    Examples
    --------
    What is bright speaks against abnormal:

    >>> from datkit.models import VoxelsClassifier
    >>> X = np.ones((4, *GRID.shape), dtype=np.float32)
    >>> X[::2, 20:44, 46:66, 14:24] = 3.0  # bright striata in every second exam
    >>> model = VoxelsClassifier(n_splits=2).fit(X, [0, 1, 0, 1])
    >>> maps = occlusion_map(model, X[:1], side=8, stride=8)
    >>> maps.shape, bool(maps[0, 24, 50, 18] < 0)
    ((1, 64, 80, 48), True)
    """
    cubes, volumes = _cubes(side, stride, reach), _check_grid(X)
    filling = np.broadcast_to(np.asarray(level, np.float32), GRID.shape)
    maps, covers = np.zeros_like(volumes), np.zeros(GRID.shape, np.float32)
    for volume, sums in zip(volumes, maps, strict=True):
        own, *others = _logits_without(model, volume, [NOTHING, *cubes], filling)
        for cube, other in zip(cubes, others, strict=True):
            sums[cube] += own - other
    for cube in cubes:
        covers[cube] += 1
    return maps / np.maximum(covers, 1)


def gradient_map(model: NetworkClassifier, X: ArrayLike) -> np.ndarray:
    """Return how fast a network's logit rises with the uptake of each voxel.

    ``∂ logit / ∂ voxel``, by automatic differentiation (Simonyan et al. 2014,
    https://arxiv.org/abs/1312.6034), of the mean over an exam and its mirror image, as in
    prediction. ``gradient_map(model, X) * (X - 1)`` is, to first order, what the binding there adds
    to the logit.

    Parameters
    ----------
    model : NetworkClassifier
        Fitted.
    X : array, shape (n, 64, 80, 48)
        Prepared volumes.

    Returns
    -------
    array, shape (n, 64, 80, 48), float32
        Logits per unit of SBR in one voxel of 2 mm; 0 outside what the network sees.

    Raises
    ------
    UsageError
        If the model is no network.
    ModelError
        If the shape is another, or a voxel that the network sees is not finite.

    Examples
    --------
    >>> from datkit.models import VolumeClassifier
    >>> X = np.ones((4, *GRID.shape), dtype=np.float32)
    >>> model = VolumeClassifier(epochs=1, width=2, batch_size=4).fit(X, [0, 1, 0, 1])
    >>> gradient_map(model, X).shape
    (4, 64, 80, 48)
    """
    if not isinstance(model, NetworkClassifier):
        raise UsageError(f"{type(model).__name__} is no network: ask it by occlusion_map.")
    network, view = model.network_.eval(), model.plan.view
    device, slopes = next(network.parameters()).device, []
    for part in torch.from_numpy(view.crop(X)).split(BATCH):
        boxes = part.to(device).requires_grad_()
        logits = mirror_mean(network, boxes)
        slopes.append(torch.autograd.grad(logits.sum(), boxes)[0].cpu())
    each = torch.cat(slopes).numpy() / view.voxels**3  # a voxel's part in the mean that is seen
    maps = np.zeros((len(each), *GRID.shape), np.float32)
    maps[(slice(None), *view.box)] = np.kron(each, np.ones((1, *[view.voxels] * 3)))
    return maps


def randomise_network(
    model: NetworkClassifier, layers: int | None = None, *, seed: int = 0
) -> NetworkClassifier:
    """Return a copy of a trained network whose last layers have random weights.

    The control of Adebayo et al. (2018), https://arxiv.org/abs/1810.03292: a map that stays as it
    was shows the images, not what the network has learnt.

    Parameters
    ----------
    model : NetworkClassifier
        Fitted; it stays as it is.
    layers : int, optional
        How many, counted from the logit backwards; by default all.
    seed : int
        Of the new weights.

    Examples
    --------
    >>> from datkit.models import VolumeClassifier
    >>> X = np.ones((4, *GRID.shape), dtype=np.float32)
    >>> model = VolumeClassifier(epochs=1, width=2, batch_size=4).fit(X, [0, 1, 0, 1])
    >>> other = randomise_network(model, layers=1)
    >>> bool((other.network_.logit.weight == model.network_.logit.weight).any())
    False
    """
    copy = deepcopy(model)
    weighted = [one for one in copy.network_.modules() if hasattr(one, "reset_parameters")]
    with seeded(seed):
        for one in weighted[::-1][:layers]:
            one.reset_parameters()  # type: ignore[operator]  # asked above
    return copy


def map_correlation(first: ArrayLike, second: ArrayLike) -> np.ndarray:
    """Return Spearman's rank correlation of two maps of each exam, shape (n,).

    Voxels where both are 0, which no model looked at, are left out: there any two maps agree.

    Parameters
    ----------
    first, second : array, shape (n, 64, 80, 48)
        Maps of the same exams; signs count.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> first = np.zeros((1, *GRID.shape))
    >>> first[0, 0, 0, :3] = 1.0, 2.0, 4.0
    >>> map_correlation(first, first**2).round(6).tolist()
    [1.0]
    """
    pairs = np.stack([first, second], axis=1)  # (n, 2, 64, 80, 48)
    return np.array([spearmanr(*pair[:, pair.any(axis=0)])[0] for pair in pairs])


def mean_map(maps: ArrayLike) -> nib.Nifti1Image:
    """Return the mean of maps as an image in template space; ``nibabel.save`` writes it.

    Its affine takes voxels of 2 mm to MNI152 mm (RAS+): a viewer lays it over any MNI template, and
    :func:`datkit.view.plot_maps` over ours.

    Parameters
    ----------
    maps : array, shape (n, 64, 80, 48)
        Such as those of one class, ``maps[labels == 1]``.

    Raises
    ------
    UsageError
        If there is none, or the shape is another.

    Examples
    --------
    >>> image = mean_map(np.arange(3)[:, None, None, None] + np.zeros(GRID.shape))
    >>> float(image.get_fdata().max()), image.affine[:3, 3].tolist()
    (1.0, [-63.0, -112.0, -36.0])
    """
    image = nib.Nifti1Image(_check_grid(maps).mean(axis=0), GRID.affine)
    image.header.set_xyzt_units("mm")
    return image


def _check_grid(X: ArrayLike) -> np.ndarray:
    values = np.asarray(X, np.float32)
    if not len(values) or values.shape[1:] != GRID.shape:
        raise UsageError(f"Expected one or more of shape (n, 64, 80, 48), found {values.shape}.")
    return values


def _cubes(side: int, stride: int, reach: float) -> list[Cube]:
    """Return where the cube stands, in steps that leave as much at either end of each axis."""
    if not (1 <= stride <= side <= min(GRID.shape) and reach >= 0):
        found = f"found {stride}, {side} and {reach:g} mm"
        raise UsageError(f"Expected 1 ≤ stride ≤ side ≤ 48 voxels and 0 ≤ reach, {found}.")
    steps = [range((n - side) % stride // 2, n - side + 1, stride) for n in GRID.shape]
    cubes = [tuple(slice(i, i + side) for i in corner) for corner in product(*steps)]
    return [cube for cube in cubes if to_striata()[cube].min() <= reach]


def _logits_without(
    model: LogitClassifier, volume: np.ndarray, cubes: list[Cube], filling: np.ndarray
) -> np.ndarray:
    """Return the logit of an exam with each cube in turn replaced, shape (cubes,)."""
    measured, logits = model.reads == "measures", []
    places = shifts_of(locate_striata(volume)) if measured else None
    for first in range(0, len(cubes), BATCH):
        part = cubes[first : first + BATCH]
        X = np.repeat(volume[None], len(part), axis=0)
        for one, cube in zip(X, part, strict=True):
            one[cube] = filling[cube]
        read = pd.DataFrame([measure_volume(one, places) for one in X]) if measured else X
        logits.append(model.decision_function(read))
    return np.concatenate(logits)
