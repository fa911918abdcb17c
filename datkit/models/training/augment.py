"""Random changes to training exams, on the device, after which the label is still right.

Left–right is the only flip that keeps a DaT SPECT exam plausible. Small shifts, turns and zooms
stand for imperfect registration and other heads; gain, gamma and a smooth field for the choice of
reference and for corrections; noise and blur for other counts and cameras: strong blur and noise
are what made models of the DaT-Park challenge hold on unseen scanners. Two changes make new
patients: *chimera* joins the halves of two exams, a *lesion* dims the back of a putamen.

All are made anew whenever an exam is shown, from the exam itself: a copy of low resolution never
leaves the fold of its parent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from scipy import ndimage
from torch.nn.functional import affine_grid, grid_sample, interpolate

from datkit.prepare.grid import GRID, grid_mm, load_regions

__all__ = ["Augmentation", "Draw", "Strengths", "augment", "draw_changes", "join_halves"]

GRID_MM = float(GRID.affine[0, 0])
CAMERA = 9.0  # mm, FWHM of a typical clinical image: as sharp as a lesion can be seen
COARSE = (4.0, 8.0)  # mm, SD of the blur of a low-resolution copy: 13 to 21 mm FWHM
BLEND = 4.0  # mm to both sides of the midline, over which two halves are blended
DEPTH = (0.5, 0.9)  # share of its binding that a lesion takes, as in patients at diagnosis
FIELD = 3  # knots of the smooth field on each axis


@dataclass(frozen=True)
class Strengths:
    """How strongly exams are changed; 0 leaves out a change.

    Attributes
    ----------
    flip, coarse, chimera, lesion : float
        Probabilities: that left and right are mirrored; that the blur is that of a low resolution;
        that half of an exam is another's; that a normal exam gets a lesion.
    shift, blur : float
        The most, mm: along each axis, and SD of the Gaussian (4 mm make 13 mm FWHM of 9).
    turn : float
        The most about each axis, degrees.
    zoom, field : float
        The most, as a share: of the size, and of the uptake at a knot of the smooth field.
    noise : float
        The most, as SD in units of the reference uptake where uptake is 1; it grows with the square
        root of the uptake.
    gain, gamma : float
        SD of ln(gain), a factor on the specific uptake; the most of ln(gamma), a power of uptake.
    """

    flip: float = 0.5
    shift: float = 4.0
    turn: float = 0.0
    zoom: float = 0.0
    blur: float = 4.0
    coarse: float = 0.0
    noise: float = 0.3
    gain: float = 0.08
    gamma: float = 0.0
    field: float = 0.0
    chimera: float = 0.0
    lesion: float = 0.0


MILD = Strengths()
# As strong as entrants of the challenge found best: ±15°, ±10 %, ±10 mm, gamma 0.75 to 1.35, a
# quarter chimeras, a quarter of the normals with a blurred lesion; blur of an SD up to 8 mm.
STRONG = Strengths(
    shift=8.0, turn=12.0, zoom=0.1, coarse=0.2, gain=0.1, gamma=0.3, field=0.1, chimera=0.25,
    lesion=0.1,
)  # fmt: skip


class Draw(NamedTuple):
    """What happens to each of n exams; the first axis of every tensor is the exam."""

    flip: torch.Tensor  # (n,) bool: mirror left and right
    gain: torch.Tensor  # (n,) factor on the specific uptake, volume − 1
    gamma: torch.Tensor  # (n,) power of the uptake
    field: torch.Tensor  # (n, 3, 3, 3) factors on the uptake at the knots
    noise: torch.Tensor  # (n, i, j, k) added before the blur, times the root of the uptake
    shift: torch.Tensor  # (n, 3) mm, towards right, front and top
    turn: torch.Tensor  # (n, 3) radians about each axis
    zoom: torch.Tensor  # (n,) factor on the size
    blur: torch.Tensor  # (n,) mm, SD of the Gaussian


def draw_changes(
    shape: tuple[int, ...], generator: torch.Generator, strengths: Strengths = MILD
) -> Draw:
    """Draw the changes for a batch of `shape` (n, i, j, k), float32, where the generator is."""
    s, n, device = strengths, shape[0], generator.device

    def uniform(*sides: int) -> torch.Tensor:
        return torch.rand(n, *sides, generator=generator, device=device)

    def normal(*sides: int) -> torch.Tensor:
        return torch.randn(n, *sides, generator=generator, device=device)

    low, high = COARSE
    coarse = uniform() < s.coarse
    return Draw(
        flip=uniform() < s.flip,
        gain=torch.exp(s.gain * normal()),
        gamma=torch.exp(s.gamma * (2 * uniform() - 1)),
        field=1 + s.field * (2 * uniform(FIELD, FIELD, FIELD) - 1),
        noise=s.noise * uniform(1, 1, 1) * normal(*shape[1:]),
        shift=s.shift * (2 * uniform(3) - 1),
        turn=np.deg2rad(s.turn) * (2 * uniform(3) - 1),
        zoom=1 + s.zoom * (2 * uniform() - 1),
        blur=torch.where(coarse, low + (high - low) * uniform(), s.blur * uniform()),
    )


def augment(boxes: torch.Tensor, draw: Draw, spacing: float, s: Strengths = MILD) -> torch.Tensor:
    """Apply drawn changes to boxes (n, i, j, k) whose voxels measure `spacing` mm.

    A pure function: the same boxes and the same draw give the same result. What the strengths `s`
    leave out is not computed.
    """
    boxes = torch.where(_per_exam(draw.flip), boxes.flip(1), boxes)
    if s.gamma:
        boxes = boxes.clamp_min(0) ** _per_exam(draw.gamma)  # non-specific uptake stays 1
    boxes = 1 + (boxes - 1) * _per_exam(draw.gain)
    if s.field:
        field = draw.field[:, None]  # (n, 1, 3, 3, 3)
        sides = list(boxes.shape[1:])
        boxes = boxes * interpolate(field, sides, mode="trilinear", align_corners=True)[:, 0]
    boxes = boxes + draw.noise * boxes.clamp_min(0).sqrt()
    if s.turn:
        boxes = _turn(boxes, draw.turn)
    for axis in (1, 2, 3):
        shift, blur = draw.shift[:, axis - 1] / spacing, draw.blur / spacing
        boxes = _move(boxes, axis, shift, draw.zoom, blur)
    return boxes


def _per_exam(values: torch.Tensor) -> torch.Tensor:
    return values.view(-1, 1, 1, 1)


def _move(
    boxes: torch.Tensor, axis: int, shift: torch.Tensor, zoom: torch.Tensor, sd: torch.Tensor
) -> torch.Tensor:
    """Shift, zoom and blur along one axis: one small matrix per exam, rows of Gaussians of sum 1.

    `shift` and `sd` are in voxels, (n,). Below an SD of 0.2 voxels the rows are as good as linear
    interpolation; at the border they weigh what is inside.
    """
    middle = (boxes.shape[axis] - 1) / 2
    place = torch.arange(boxes.shape[axis], dtype=boxes.dtype, device=boxes.device) - middle
    source = (place - shift[:, None]) / zoom[:, None]  # (n, side)
    offset = source[:, :, None] - place  # (n, side, side)
    kernel = torch.softmax(-0.5 * (offset / sd.clamp(min=0.2)[:, None, None]) ** 2, dim=-1)
    front = boxes.movedim(axis, 1)  # (n, side, …)
    return (kernel @ front.flatten(2)).reshape(front.shape).movedim(1, axis)


def _turn(boxes: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
    """Turn boxes about their middle by angles (n, 3), radians; the border is continued."""
    sides = torch.tensor(boxes.shape[1:], dtype=boxes.dtype, device=boxes.device)
    # Where each voxel comes from; torch counts each axis from −1 to 1 and names the last one first.
    theta = (_rotations(-angles) * sides / sides[:, None]).flip(1, 2)
    theta = torch.cat([theta, theta.new_zeros(len(boxes), 3, 1)], dim=2)
    grid = affine_grid(theta, [len(boxes), 1, *boxes.shape[1:]], align_corners=False)
    return grid_sample(boxes[:, None], grid, padding_mode="border", align_corners=False)[:, 0]


def _rotations(angles: torch.Tensor) -> torch.Tensor:
    """Return the rotation (n, 3, 3) whose axis times angle is `angles` (n, 3), by Rodrigues."""
    zero, (a, b, c) = torch.zeros_like(angles[:, 0]), angles.unbind(1)
    cross = torch.stack([zero, -c, b, c, zero, -a, -b, a, zero], 1).view(-1, 3, 3)
    angle = angles.norm(dim=1).clamp_min(1e-6).view(-1, 1, 1)
    bend = (1 - angle.cos()) / angle**2
    return torch.eye(3, device=angles.device) + angle.sin() / angle * cross + bend * cross @ cross


def join_halves(
    host: torch.Tensor,
    donor: torch.Tensor,
    host_right: torch.Tensor,
    donor_right: torch.Tensor,
    spacing: float,
) -> torch.Tensor:
    """Return the hosts with the donor's half in place of their other half, boxes (n, i, j, k).

    The host keeps its right half where `host_right` (n,), the donor gives its right one where
    `donor_right`, mirrored where both would lie on the same side; it is scaled to the host's mean.
    """
    scale = host.mean((1, 2, 3)) / donor.mean((1, 2, 3)).clamp_min(1e-6)
    given = torch.where(_per_exam(host_right == donor_right), donor.flip(1), donor)
    x = torch.arange(host.shape[1], dtype=host.dtype, device=host.device)
    x = (x - (host.shape[1] - 1) / 2) * spacing  # mm to the right of the midline
    right = (0.5 + x / (2 * BLEND)).clamp(0, 1).view(1, -1, 1, 1)
    weight = torch.where(_per_exam(host_right), right, 1 - right)
    return weight * host + (1 - weight) * given * _per_exam(scale)


def dim_putamen(boxes: torch.Tensor, depth: torch.Tensor, backs: torch.Tensor) -> torch.Tensor:
    """Take a share `depth` (n, 2; left, right) of the binding from the backs of the putamina.

    The edge of `backs` (2, i, j, k) is as blurred as the camera would show it: a network that sees
    sharper ones learns to find the edge.
    """
    taken = torch.tensordot(depth, backs, dims=1)  # (n, i, j, k)
    return 1 + (boxes - 1) * (1 - taken)


def putamen_backs(box: tuple[slice, ...], voxels: int) -> torch.Tensor:
    """Return the back half of both putamina as a camera shows them, (2, i, j, k), left first.

    The highest value of each is 1.

    Parameters
    ----------
    box : tuple of slice
        The part of the canonical grid.
    voxels : int
        How many of its voxels, each way, are averaged.
    """
    regions, y = load_regions(), grid_mm()[1]
    putamina = [regions["putamen_left"], regions["putamen_right"]]
    backs = np.stack([mask & (y < y[mask].mean()) for mask in putamina]).astype(np.float32)
    blurred = ndimage.gaussian_filter(backs, (0, *[CAMERA / 2.355 / GRID_MM] * 3))
    cut = shrink(blurred[(slice(None), *box)], voxels)
    return torch.from_numpy(cut / cut.max((1, 2, 3), keepdims=True))


def shrink(volumes: np.ndarray, voxels: int) -> np.ndarray:
    """Return volumes (n, i, j, k) as float32, means of `voxels` each way.

    Examples
    --------
    >>> shrink(np.ones((1, 4, 6, 8)), 2).shape
    (1, 2, 3, 4)
    """
    fine = np.asarray(volumes, dtype=np.float32)
    i, j, k = (side // voxels for side in fine.shape[1:])
    return fine.reshape(-1, i, voxels, j, voxels, k, voxels).mean(axis=(2, 4, 6))


class Augmentation:
    """All changes of a batch, as the training loop calls them.

    Parameters
    ----------
    strengths : Strengths
    box, voxels
        What of the canonical grid the exams are, as for :func:`putamen_backs`.
    """

    def __init__(self, strengths: Strengths, box: tuple[slice, ...], voxels: int) -> None:
        self.strengths, self.spacing = strengths, GRID_MM * voxels
        self.backs = putamen_backs(box, voxels)

    def __call__(
        self, boxes: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, mine: slice
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the part `mine` of a batch changed, and its labels.

        All is drawn for the whole batch, so that two processes do to it what one would do.
        """
        self.backs = self.backs.to(boxes.device)
        if self.strengths.chimera:
            boxes = self._join(boxes, labels, generator)
        if self.strengths.lesion:
            depth = draw_lesions(labels, self.strengths.lesion, generator)
            boxes = dim_putamen(boxes, depth, self.backs)
            labels = torch.where(depth.any(1), 1.0, labels)
        draw = draw_changes(tuple(boxes.shape), generator, self.strengths)
        own = Draw(*(part[mine] for part in draw))
        return augment(boxes[mine], own, self.spacing, self.strengths), labels[mine]

    def _join(
        self, boxes: torch.Tensor, labels: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """Join halves of exams of one class: of abnormal ones the worse sides, so they stay so."""
        partner = draw_partners(labels, self.strengths.chimera, generator)
        level = torch.einsum("nijk,sijk->ns", boxes, self.backs)
        either = torch.rand(2, len(boxes), generator=generator, device=boxes.device) < 0.5
        worse = level[:, 1] < level[:, 0]
        host, donor = torch.where(labels > 0, torch.stack([worse, worse[partner]]), either)
        joined = join_halves(boxes, boxes[partner], host, donor, self.spacing)
        alone = partner == torch.arange(len(boxes), device=boxes.device)
        return torch.where(_per_exam(alone), boxes, joined)


def draw_partners(labels: torch.Tensor, share: float, generator: torch.Generator) -> torch.Tensor:
    """Draw another exam of the same label for a share of exams, (n,) places; else their own."""
    n, device = len(labels), labels.device
    own = torch.arange(n, device=device)
    others = (labels[:, None] == labels) & (own[:, None] != own)
    drawn = torch.rand(n, n, generator=generator, device=device).masked_fill(~others, -1)
    takes = (torch.rand(n, generator=generator, device=device) < share) & others.any(1)
    return torch.where(takes, drawn.argmax(1), own)


def draw_lesions(labels: torch.Tensor, share: float, generator: torch.Generator) -> torch.Tensor:
    """Draw lesions for a share of the normal exams: their depth (n, 2; left, right), else 0.

    One side is worse; the other has lost any part of that.
    """
    u = torch.rand(len(labels), 4, generator=generator, device=labels.device)
    low, high = DEPTH
    depth = low + (high - low) * u[:, :1]
    sides = torch.cat([depth, depth * u[:, 1:2]], dim=1)
    sides = torch.where(u[:, 2:3] < 0.5, sides, sides.flip(1))
    return sides * ((u[:, 3] < share) & (labels == 0))[:, None]
