"""A rotating gamma camera: from a volume to its projections, and the exact way back.

Each view turns the volume until the camera looks along y, dims every plane by what lies between it
and the camera, blurs it by what the collimator lets through at its distance, and adds the planes
up. :meth:`Projector.backproject` is the transpose of these steps, in reverse order, which is what
iterative reconstruction needs; a test holds ``<Px, y> == <x, P'y>``.

Volumes have axes (x, y, z): x to the right, y to the front, z along the axis of rotation. View 0
has the camera in front of the face; it then turns towards the right. Projections have axes
(view, bin, z). Scatter is not in here: see :mod:`datkit.simulate.camera.imaging`.
"""

from __future__ import annotations

import warnings
from copy import copy
from functools import lru_cache, reduce

import numpy as np
import torch
from scipy.linalg import toeplitz
from scipy.sparse import csr_matrix

from datkit.errors import UsageError
from datkit.simulate.camera.protocols import Collimator

__all__ = ["Projector"]

SIGMA = 1 / 2.3548  # standard deviation of a Gaussian over its full width at half maximum
GROUP = 4  # planes that share one blur: 0.3 % error at most, 1.5 times faster
REACH = 3.5  # standard deviations after which a kernel is cut: denormal tails are slow


class Projector:
    """Project volumes (n, n, nz), and transpose.

    Parameters
    ----------
    n, nz : int
        Voxels across (x and y) and along the axis. What lies outside the inscribed circle is air.
    spacing_mm : float
        Isotropic.
    views : int
        Camera positions, evenly over 360 degrees.
    radius_mm : float
        From the axis to the collimator's face.
    collimator : Collimator, optional
        None projects without blur.
    attenuation : ndarray (n, n, nz), optional
        Linear attenuation coefficient, 1/mm. None projects without attenuation.
    device : str
        Where to compute, as PyTorch names it: ``"cpu"``, ``"cuda"``.

    Raises
    ------
    UsageError
        If a size is not positive, or `attenuation` has another shape or is negative.

    Notes
    -----
    Turning shares each voxel out among its four nearest: counts are kept, and x and y are blurred
    by ``spacing² / 6`` in variance on average (not at all in the four views along the axes, nor on
    the axis itself). That much is taken off the collimator's blur, so that over all views a point
    has the resolution that was asked for.

    Examples
    --------
    >>> projector = Projector(n=9, nz=3, spacing_mm=4, views=8)
    >>> point = np.zeros((9, 9, 3))
    >>> point[4, 4, 1] = 1
    >>> projections = projector.project(point)
    >>> projections.shape, projections.sum(axis=(1, 2)).round(3).tolist()
    ((8, 9, 3), [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    """

    def __init__(
        self,
        n: int,
        nz: int,
        spacing_mm: float,
        views: int,
        radius_mm: float = 140.0,
        collimator: Collimator | None = None,
        attenuation: np.ndarray | None = None,
        device: str = "cpu",
    ) -> None:
        sizes = {"n": n, "nz": nz, "spacing_mm": spacing_mm, "views": views, "radius_mm": radius_mm}
        if faults := [f"{name} above 0, found {v!r}" for name, v in sizes.items() if not v > 0]:
            raise UsageError(f"A projector needs {'; '.join(faults)}.")
        self.n, self.nz, self.views, self.spacing_mm = n, nz, views, spacing_mm
        self.device = torch.device(device)
        self._planes = (-(-n // GROUP), GROUP, n, nz)  # group, plane, x, z, filled up with air
        self._turns = _turns(n, views, str(self.device))
        x, y = np.indices((n, n)).reshape(2, -1) - (n - 1) / 2
        self.inside = self.to_device(np.hypot(x, y) <= n / 2 - 3)  # what every view sees whole
        self._blurs: list[torch.Tensor] = []  # across and along the axis, if there is a collimator
        if collimator is not None:
            blurs = _blurs(n, nz, spacing_mm, radius_mm, collimator)
            self._blurs = [self.to_device(blur) for blur in blurs]
        self._transmission = None if attenuation is None else self._transmit(attenuation)

    def project(self, volume: np.ndarray, views: np.ndarray | range | None = None) -> np.ndarray:
        """Return projections, float32 (views, n, nz): the sum of voxels along each line of sight.

        Parameters
        ----------
        volume : array (n, n, nz)
        views : sequence of int, optional
            Which views; all by default.

        Raises
        ------
        UsageError
            If `volume` has another shape.
        """
        check_shape("a volume (x, y, z)", volume, (self.n, self.n, self.nz))
        flat = self.to_device(volume).reshape(-1, self.nz)
        chosen = range(self.views) if views is None else views
        return torch.stack([self.view_of(flat, view) for view in chosen]).cpu().numpy()

    def backproject(
        self, projections: np.ndarray, views: np.ndarray | range | None = None
    ) -> np.ndarray:
        """Return the transpose of :meth:`project` applied to projections, float32 (n, n, nz).

        Raises :class:`~datkit.errors.UsageError` if `projections` do not fit the views.
        """
        chosen = range(self.views) if views is None else views
        check_shape("projections (view, bin, z)", projections, (len(chosen), self.n, self.nz))
        lines = self.to_device(projections)
        total = reduce(torch.add, map(self.smear, lines, chosen))
        return total.reshape(self.n, self.n, self.nz).cpu().numpy()

    def mean_transmission(self) -> np.ndarray:
        """Return the share of photons that leave the head, mean over views, float32 (n, n, nz)."""
        if self._transmission is None:
            return np.ones((self.n, self.n, self.nz), np.float32)
        parts = zip(self._transmission, self._turns, strict=True)
        total = reduce(torch.add, (back @ p.reshape(-1, self.nz) for p, (_, back, _) in parts))
        return (total / self.views).reshape(self.n, self.n, self.nz).cpu().numpy()

    def without_blur(self) -> Projector:
        """Return this camera as a reconstruction that ignores the collimator sees it."""
        other = copy(self)
        other._blurs = []
        return other

    def with_attenuation(self, attenuation: np.ndarray | None) -> Projector:
        """Return this camera with another attenuation, 1/mm (n, n, nz), or with none."""
        other = copy(self)
        other._transmission = None if attenuation is None else self._transmit(attenuation)
        return other

    def to_device(self, array: np.ndarray) -> torch.Tensor:
        """Return an array as a float32 tensor where this projector computes."""
        return torch.as_tensor(np.ascontiguousarray(array, np.float32), device=self.device)

    def view_of(self, flat: torch.Tensor, view: int) -> torch.Tensor:
        """Return one projection, tensor (n, nz), of a volume as a tensor (n * n, nz)."""
        turned = (self._turns[view][0] @ flat).reshape(self._planes)
        if self._transmission is not None:
            turned = turned * self._transmission[view]
        if not self._blurs:
            return turned.sum((0, 1))
        across, along = self._blurs  # (n, groups * n) and (groups, nz, nz)
        return across @ torch.bmm(turned.sum(1), along).reshape(-1, self.nz)

    def smear(self, line: torch.Tensor, view: int) -> torch.Tensor:
        """Return the transpose of :meth:`view_of`: a tensor (n * n, nz) from one (n, nz)."""
        planes = line
        if self._blurs:
            across, along = self._blurs  # `along` is symmetric: its own transpose
            planes = torch.bmm((across.T @ line).reshape(-1, self.n, self.nz), along)[:, None]
        if self._transmission is None:
            turned = planes.expand(self._planes)
        else:
            turned = planes * self._transmission[view]
        return self._turns[view][1] @ turned.reshape(-1, self.nz)

    def _transmit(self, attenuation: np.ndarray) -> torch.Tensor:
        """Return the share of photons from each voxel that reach the camera, (view, *planes)."""
        check_shape("attenuation (x, y, z)", attenuation, (self.n, self.n, self.nz))
        if not np.min(attenuation) >= 0:
            said = "Attenuation must be 0 or more per mm"
            raise UsageError(f"{said}, found {np.min(attenuation):g}.")
        flat = self.to_device(attenuation).reshape(-1, self.nz)
        depth = self._planes[0] * GROUP
        beyond = torch.ones(depth, depth, device=self.device).triu(1)
        beyond.fill_diagonal_(0.5)  # a voxel lies in the middle of itself
        out = torch.empty((self.views, *self._planes), device=self.device)
        for view, (_, _, read) in enumerate(self._turns):
            passed = beyond @ (read @ flat).reshape(depth, -1)
            out[view] = torch.exp(-self.spacing_mm * passed).reshape(self._planes)
        return out


def check_shape(what: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    """Refuse an array of another shape: equal numbers of voxels would be misread silently."""
    if np.shape(array) != shape:
        raise UsageError(f"Expected {what} of shape {shape}, found {np.shape(array)}.")


@lru_cache(maxsize=2)
def _turns(n: int, views: int, device: str) -> list[tuple[torch.Tensor, ...]]:
    """Return each view's sparse matrices: share a slice out, its transpose, and read a slice.

    A slice (x, y) and the turned one (depth, x) are flattened; depth is y, filled up to whole
    groups. Uptake is shared out among the four nearest voxels, so that no count is lost; a map
    of attenuation is read by interpolation, so that water stays even.
    """
    shape = -(-n // GROUP) * GROUP * n, n * n
    matrices = []
    for angle in 2 * np.pi * np.arange(views) / views:
        x, y, turned_x, turned_y, weight = _neighbours(n, -angle)
        share = csr_matrix((weight, (turned_y * n + turned_x, x * n + y)), shape)
        turned_x, turned_y, x, y, weight = _neighbours(n, angle)
        read = csr_matrix((weight, (turned_y * n + turned_x, x * n + y)), shape)
        matrices.append(tuple(_to_torch(matrix, device) for matrix in (share, share.T, read)))
    return matrices


def _neighbours(n: int, angle: float) -> tuple[np.ndarray, ...]:
    """Turn the voxels of a slice; return x, y, those of the four nearest voxels, and weights."""
    middle = (n - 1) / 2
    x, y = np.indices((n, n)).reshape(2, -1)
    inside = np.hypot(x - middle, y - middle) <= n / 2 - 1  # with room for the interpolation
    x, y = x[inside], y[inside]
    far_x = np.cos(angle) * (x - middle) + np.sin(angle) * (y - middle) + middle
    far_y = np.cos(angle) * (y - middle) - np.sin(angle) * (x - middle) + middle
    corners = []
    for step in ((0, 0), (0, 1), (1, 0), (1, 1)):
        near_x, near_y = np.floor(far_x) + step[0], np.floor(far_y) + step[1]
        weight = (1 - np.abs(far_x - near_x)) * (1 - np.abs(far_y - near_y))
        near_x, near_y = (np.clip(near, 0, n - 1).astype(int) for near in (near_x, near_y))
        corners.append((x, y, near_x, near_y, weight))
    return tuple(np.concatenate(parts) for parts in zip(*corners, strict=True))


def _to_torch(matrix: csr_matrix, device: str) -> torch.Tensor:
    """Return a SciPy sparse matrix as PyTorch's."""
    matrix = matrix.tocsr().astype(np.float32)
    rows, columns, values = map(torch.from_numpy, (matrix.indptr, matrix.indices, matrix.data))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse", UserWarning)  # "in beta state", once a process
        csr = torch.sparse_csr_tensor(rows, columns, values, matrix.shape, check_invariants=False)
    return csr.to(device)


def _blurs(
    n: int, nz: int, spacing_mm: float, radius_mm: float, collimator: Collimator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the blur of each group of planes, across (n, groups * n), along (groups, nz, nz)."""
    planes = GROUP * np.arange(-(-n // GROUP)) + (GROUP - 1) / 2 - (n - 1) / 2
    distance = np.clip(radius_mm - spacing_mm * planes, 0, None)
    variance = (SIGMA * collimator.fwhm(distance) / spacing_mm) ** 2  # in voxels
    across = [_kernel(n, np.sqrt(max(v - 1 / 6, 0.04))) for v in variance]
    along = [_kernel(nz, np.sqrt(v)) for v in variance]
    return np.hstack(across), np.stack(along)


def _kernel(size: int, sd: float) -> np.ndarray:
    """Return the symmetric matrix (size, size) of a Gaussian blur; ends lose what leaves them."""
    reach = int(np.ceil(REACH * sd))
    weight = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sd) ** 2)
    column = np.zeros(size + reach + 1, np.float32)
    column[: reach + 1] = weight[reach:] / weight.sum()
    return toeplitz(column[:size])
