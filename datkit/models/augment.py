"""Random changes to training volumes that leave the label as it is.

Left–right is the only flip that keeps a DaT SPECT exam plausible. Small shifts stand for imperfect
registration, gain for the choice of reference, noise and blur for other counts and cameras: strong
blur and noise are what made models of the DaT-Park challenge hold on unseen scanners.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

__all__ = ["Draw", "augment", "draw_changes"]

MOST_SHIFT = 4.0  # mm on each axis: twice the registration error
MOST_BLUR = 4.0  # mm, SD of the Gaussian: 9 mm FWHM becomes 13 mm, the poorest camera met
MOST_NOISE = 0.3  # SD, in units of the reference uptake, before the blur
GAIN_SD = 0.08  # of ln(gain): about how far two reference regions disagree


class Draw(NamedTuple):
    """What happens to each of n exams; the first axis of every field is the exam."""

    flip: np.ndarray  # (n,) bool: mirror left and right
    gain: np.ndarray  # (n,) factor on the specific uptake, volume − 1
    noise: np.ndarray  # (n, i, j, k) added before the blur
    shift: np.ndarray  # (n, 3) mm, towards right, front and top
    blur: np.ndarray  # (n,) mm, SD of the Gaussian


def draw_changes(shape: tuple[int, ...], rng: np.random.Generator) -> Draw:
    """Draw the changes for a batch of `shape` (n, i, j, k); floats are float32."""
    n = shape[0]
    noise_sd = rng.uniform(0, MOST_NOISE, (n, 1, 1, 1)).astype(np.float32)
    return Draw(
        flip=rng.random(n) < 0.5,
        gain=np.exp(GAIN_SD * rng.standard_normal(n)).astype(np.float32),
        noise=noise_sd * rng.standard_normal(shape, dtype=np.float32),
        shift=rng.uniform(-MOST_SHIFT, MOST_SHIFT, (n, 3)).astype(np.float32),
        blur=rng.uniform(0, MOST_BLUR, n).astype(np.float32),
    )


def augment(boxes: torch.Tensor, draw: Draw, spacing: float) -> torch.Tensor:
    """Apply drawn changes to boxes (n, i, j, k) whose voxels measure `spacing` mm.

    A pure function: the same boxes and the same draw give the same result.
    """
    flip, gain, noise, shift, blur = (torch.from_numpy(part).to(boxes.device) for part in draw)
    boxes = torch.where(flip[:, None, None, None], boxes.flip(1), boxes)
    boxes = 1 + (boxes - 1) * gain[:, None, None, None] + noise
    for axis in (1, 2, 3):
        boxes = _move(boxes, axis, shift[:, axis - 1] / spacing, blur / spacing)
    return boxes


def _move(boxes: torch.Tensor, axis: int, shift: torch.Tensor, sd: torch.Tensor) -> torch.Tensor:
    """Shift and blur along one axis: one small matrix per exam, its rows Gaussians that sum to 1.

    `shift` and `sd` are in voxels, (n,). Below an SD of 0.2 voxels the rows are as good as linear
    interpolation; at the border they weigh what is inside.
    """
    place = torch.arange(boxes.shape[axis], dtype=boxes.dtype, device=boxes.device)
    offset = place[:, None] - place - shift[:, None, None]  # (n, side, side)
    kernel = torch.softmax(-0.5 * (offset / sd.clamp(min=0.2)[:, None, None]) ** 2, dim=-1)
    front = boxes.movedim(axis, 1)  # (n, side, …)
    return (kernel @ front.flatten(2)).reshape(front.shape).movedim(1, axis)
