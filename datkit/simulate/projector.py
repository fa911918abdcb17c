"""A rotating gamma camera: from a volume to its projections, and the exact way back.

Each view turns the volume until the camera looks along y, dims every plane by what lies between it
and the camera, blurs it by what the collimator lets through at its distance, and adds the planes
up. :meth:`Projector.backproject` is the transpose of these steps, in reverse order, which is what
iterative reconstruction needs; a test holds ``<Px, y> == <x, P'y>``.

Volumes have axes (x, y, z): x to the right, y to the front, z along the axis of rotation. View 0
has the camera in front of the face; it then turns towards the right. Projections have axes
(view, bin, z). Scatter is not in here: see :mod:`datkit.simulate.camera`.
"""

from __future__ import annotations

import warnings
from copy import copy
from functools import lru_cache

import numpy as np
import torch

from datkit.errors import UsageError
from datkit.simulate.scanner import Collimator

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
    Turning by linear interpolation blurs x and y by ``spacing² / 6`` in variance on average. That
    much is taken off the collimator's blur, so that a point has the resolution that was asked for.

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
        _check(n, nz, spacing_mm, views, radius_mm, attenuation)
        self.n, self.nz, self.views, self.spacing_mm = n, nz, views, spacing_mm
        self.device = torch.device(device)
        self._turns = _turns(n, views, str(self.device))
        x, y = np.indices((n, n)).reshape(2, -1) - (n - 1) / 2
        self.inside = self.to_device(np.hypot(x, y) <= n / 2 - 3)  # what every view sees whole
        self._blurs = None
        if collimator is not None:
            self._blurs = tuple(
                torch.as_tensor(blur, device=self.device)
                for blur in _blurs(n, nz, spacing_mm, radius_mm, collimator)
            )
        self._transmission = None if attenuation is None else self._transmit(attenuation)

    def project(self, volume: np.ndarray, views: np.ndarray | range | None = None) -> np.ndarray:
        """Return projections, float32 (views, n, nz): the sum of voxels along each line of sight.

        Parameters
        ----------
        volume : array (n, n, nz)
        views : sequence of int, optional
            Which views; all by default.
        """
        flat = self.to_device(volume).reshape(-1, self.nz)
        chosen = range(self.views) if views is None else views
        return torch.stack([self.view_of(flat, view) for view in chosen]).cpu().numpy()

    def backproject(
        self, projections: np.ndarray, views: np.ndarray | range | None = None
    ) -> np.ndarray:
        """Return the transpose of :meth:`project` applied to projections, float32 (n, n, nz)."""
        chosen = range(self.views) if views is None else views
        lines = self.to_device(projections)
        total = sum(self.smear(line, view) for line, view in zip(lines, chosen, strict=True))
        return total.reshape(self.n, self.n, self.nz).cpu().numpy()

    def mean_transmission(self) -> np.ndarray:
        """Return the share of photons that leave the head, mean over views, float32 (n, n, nz)."""
        if self._transmission is None:
            return np.ones((self.n, self.n, self.nz), np.float32)
        total = sum(
            back @ self._transmission[view].reshape(-1, self.nz)
            for view, (_, back) in enumerate(self._turns)
        )
        ones = torch.ones(self.n * self.n, 1, device=self.device)
        weight = sum(back @ ones for _, back in self._turns)
        mean = total / weight.clamp_min(1e-6)
        return mean.reshape(self.n, self.n, self.nz).cpu().numpy()

    def without_blur(self) -> Projector:
        """Return this camera as a reconstruction that ignores the collimator sees it."""
        other = copy(self)
        other._blurs = None
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
        turned = (self._turns[view][0] @ flat).reshape(self.n, self.n, self.nz)  # x, y, z
        if self._transmission is not None:
            turned = turned * self._transmission[view]
        if self._blurs is None:
            return turned.sum(1)
        across, along = self._blurs
        planes = _grouped(turned)  # group, x, z
        return torch.bmm(torch.bmm(across, planes), along).sum(0)

    def smear(self, line: torch.Tensor, view: int) -> torch.Tensor:
        """Return the transpose of :meth:`view_of`: a tensor (n * n, nz) from one (n, nz)."""
        if self._blurs is None:
            turned = line[:, None].expand(self.n, self.n, self.nz)
        else:
            across, along = self._blurs  # symmetric matrices: their own transposes
            planes = torch.bmm(across, torch.matmul(line, along))
            turned = planes.repeat_interleave(GROUP, 0)[: self.n].transpose(0, 1)
        if self._transmission is not None:
            turned = turned * self._transmission[view]
        return self._turns[view][1] @ turned.reshape(-1, self.nz)

    def _transmit(self, attenuation: np.ndarray) -> torch.Tensor:
        """Return the share of photons from each voxel that reach the camera, (view, x, y, z)."""
        flat = self.to_device(attenuation).reshape(-1, self.nz)
        out = torch.empty((self.views, self.n, self.n, self.nz), device=self.device)
        for view, (turn, _) in enumerate(self._turns):
            turned = (turn @ flat).reshape(self.n, self.n, self.nz)
            beyond = turned.flip(1).cumsum(1).flip(1) - turned / 2  # half of the voxel's own
            out[view] = torch.exp(-self.spacing_mm * beyond)
        return out


def _check(
    n: int,
    nz: int,
    spacing_mm: float,
    views: int,
    radius_mm: float,
    attenuation: np.ndarray | None,
) -> None:
    """Refuse impossible settings, naming the first."""
    sizes = {"n": n, "nz": nz, "spacing_mm": spacing_mm, "views": views, "radius_mm": radius_mm}
    for name, value in sizes.items():
        if not value > 0:
            raise UsageError(f"A projector needs {name} above 0, found {value!r}.")
    if attenuation is None:
        return
    if np.shape(attenuation) != (n, n, nz) or not np.min(attenuation) >= 0:
        raise UsageError(
            f"Expected attenuation of shape {(n, n, nz)}, 0 or more per mm, found shape "
            f"{np.shape(attenuation)}, least {np.min(attenuation):g}."
        )


@lru_cache(maxsize=2)
def _turns(n: int, views: int, device: str) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return each view's rotation of a slice and its transpose, sparse (n * n, n * n)."""
    angles = 2 * np.pi * np.arange(views) / views
    return [
        tuple(_to_torch(m, device) for m in (turn, turn.T))
        for turn in map(lambda angle: _turn(n, angle), angles)
    ]


def _turn(n: int, angle: float):
    """Return the sparse matrix that turns a slice (x, y), flattened, by linear interpolation."""
    from scipy.sparse import csr_matrix

    middle = (n - 1) / 2
    x, y = (index.ravel() - middle for index in np.indices((n, n)))
    inside = np.flatnonzero(np.hypot(x, y) <= n / 2 - 1)  # with room for the interpolation
    x, y = x[inside], y[inside]
    source_x = np.cos(angle) * x + np.sin(angle) * y + middle
    source_y = -np.sin(angle) * x + np.cos(angle) * y + middle
    low_x, low_y = np.floor(source_x).astype(int), np.floor(source_y).astype(int)
    rows, columns, weights = [], [], []
    for step_x in (0, 1):
        for step_y in (0, 1):
            weight = 1 - np.abs(source_x - low_x - step_x)
            weights.append(weight * (1 - np.abs(source_y - low_y - step_y)))
            columns.append(np.clip((low_x + step_x) * n + low_y + step_y, 0, n * n - 1))
            rows.append(inside)
    entries = np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))
    return csr_matrix(entries, shape=(n * n, n * n))


def _to_torch(matrix, device: str) -> torch.Tensor:
    """Return a SciPy sparse matrix as PyTorch's."""
    matrix = matrix.tocsr()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse", UserWarning)  # "in beta state", once a process
        return torch.sparse_csr_tensor(
            torch.as_tensor(matrix.indptr, dtype=torch.int32),
            torch.as_tensor(matrix.indices, dtype=torch.int32),
            torch.as_tensor(matrix.data, dtype=torch.float32),
            matrix.shape,
            device=device,
            check_invariants=False,
        )


def _grouped(turned: torch.Tensor) -> torch.Tensor:
    """Add neighbouring planes up: (x, y, z) to (group, x, z)."""
    n, _, nz = turned.shape
    short = -n % GROUP
    padded = torch.nn.functional.pad(turned, (0, 0, 0, short)) if short else turned
    return padded.reshape(n, -1, GROUP, nz).sum(2).transpose(0, 1).contiguous()


def _blurs(
    n: int, nz: int, spacing_mm: float, radius_mm: float, collimator: Collimator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the blur of each group of planes, across (group, n, n) and along (group, nz, nz)."""
    planes = GROUP * np.arange(-(-n // GROUP)) + (GROUP - 1) / 2 - (n - 1) / 2
    distance = np.clip(radius_mm - spacing_mm * planes, 0, None)
    variance = (SIGMA * collimator.fwhm(distance) / spacing_mm) ** 2  # in voxels
    across = [_kernel(n, np.sqrt(max(v - 1 / 6, 0.04))) for v in variance]
    along = [_kernel(nz, np.sqrt(v)) for v in variance]
    return np.stack(across), np.stack(along)


def _kernel(size: int, sd: float) -> np.ndarray:
    """Return the symmetric matrix (size, size) of a Gaussian blur; ends lose what leaves them."""
    reach = int(np.ceil(REACH * sd))
    offset = np.arange(-reach, reach + 1)
    weight = np.exp(-0.5 * (offset / sd) ** 2)
    weight /= weight.sum()
    out = np.zeros((size, size), np.float32)
    for shift, value in zip(offset, weight, strict=True):
        out += value * np.eye(size, k=shift, dtype=np.float32)
    return out
