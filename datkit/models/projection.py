"""A compact 2-D network that reads a few fixed axial projections of the prepared volume.

On about 1,400 exams of the DaT-Park challenge, entrants found slabs and projections ahead of 3-D
networks. A mean over several millimetres lowers the noise, and there are fewer weights to train.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from datkit.models.network import (
    BOX_AFFINE,
    SPACING,
    NetworkClassifier,
    Plan,
    conv_block,
    crop_striata,
)
from datkit.models.registry import register
from datkit.models.training.augment import Draw, Strengths, augment, draw_changes
from datkit.models.training.loop import Change

__all__ = ["VIEWS", "ProjectionCNN", "ProjectionClassifier", "project_striata"]

# From z, to z (template mm) and what is taken along z. The putamen lies at −12 … +14 mm, the whole
# striatum at −12 … +24 mm. Thin slabs show its form; the mean of all of it changes least with the
# camera's resolution, and the maximum least with an error of registration.
VIEWS = {
    "ventral": (-11, -3, "mean"),
    "middle": (-3, 5, "mean"),
    "dorsal": (5, 13, "mean"),
    "caudate": (13, 21, "mean"),
    "whole": (-15, 25, "mean"),
    "brightest": (-15, 25, "max"),
}
BRIGHT_PIXELS = 20  # of the last view, "brightest": a tenth of both striata, so no single pixel
FEATURES = 32  # that each side is read into
MOST_TURN = 6.0  # degrees about the z axis: more than registration leaves


class Projections(nn.Module):
    """The fixed part: boxes (n, 24, 16, 16) of volumes to SBR images (n, 6, 24, 16), axes x, y."""

    def forward(self, box: torch.Tensor) -> torch.Tensor:
        bottom = BOX_AFFINE[2, 3] - SPACING / 2
        images = []
        for low, high, how in VIEWS.values():
            first, last = (round((z - bottom) / SPACING) for z in (low, high))
            slab = box[..., first:last]
            images.append(slab.mean(-1) if how == "mean" else slab.amax(-1))
        return torch.stack(images, dim=1) - 1  # non-specific uptake is 1


class Relative(nn.Module):
    """Add each exam's images over its own brightest uptake: (n, v, x, y) to (n, 2·v, x, y).

    Cameras and corrections scale SBR; the form of a striatum they leave.
    """

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        brightest = images[:, -1].flatten(1).topk(BRIGHT_PIXELS, dim=1).values.mean(1)
        return torch.cat([images, images / brightest.clamp_min(0.3).view(-1, 1, 1, 1)], dim=1)


class Sides(nn.Module):
    """Read both halves of images with the same weights, and take the worse and the better.

    An exam is as abnormal as its worse side, whichever that is. So half of the weights do, and a
    mirrored exam has the same logit.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.read = nn.Sequential(
            conv_block(2, 2 * len(VIEWS), width, stride=1),  # (n, width, 12, 16)
            conv_block(2, width, 2 * width, stride=2),
            conv_block(2, 2 * width, 4 * width, stride=2),  # (n, 4·width, 3, 4)
            nn.Flatten(),
            nn.Linear(4 * width * 3 * 4, FEATURES),
        )
        self.logit = nn.Linear(2 * FEATURES, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        middle = images.shape[2] // 2
        left, right = self.read(images[:, :, :middle].flip(2)), self.read(images[:, :, middle:])
        ends = torch.cat([torch.maximum(left, right), torch.minimum(left, right)], dim=1)
        return self.logit(torch.relu(ends))[:, 0]  # (n,)


class ProjectionCNN(nn.Module):
    """Fixed projections, also over their brightest; three convolutions a side; one linear unit.

    The projections are the channels of one image: all share x and y, and a place means an
    anatomical part. 0.05 M weights at width 16, all of them in ``cnn``.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.project = Projections()
        self.cnn = nn.Sequential(Relative(), Sides(width))

    def forward(self, box: torch.Tensor) -> torch.Tensor:
        """Return one logit for each box (n, 24, 16, 16)."""
        return self.cnn(self.project(box))


@register
@dataclass(eq=False, repr=False)
class ProjectionClassifier(NetworkClassifier):
    """A :class:`ProjectionCNN` behind scikit-learn's interface.

    X, parameters, prediction and files are those of
    :class:`~datkit.models.network.NetworkClassifier`. The projections are made once; what is
    mirrored, shifted, turned, blurred, scaled and made noisy in training are these images, all of
    one exam alike. Their size is never normalised: the length of the striatum is what tells most.

    Examples
    --------
    >>> X = np.ones((4, 64, 80, 48), dtype=np.float32)
    >>> X[1::2, 20:30, 46:66, 14:24] = 4.0  # a bright left striatum in every second exam
    >>> model = ProjectionClassifier(epochs=1, width=2, batch_size=4).fit(X, [0, 1, 0, 1])
    >>> model.predict_proba(X).shape
    (4, 2)
    """

    kind, cost = "projection", 2

    @property
    def plan(self) -> Plan:
        """The network on projections, and how it is trained if nothing else is said."""
        settings = {"epochs": 20, "learning_rate": 3e-4}
        return Plan(ProjectionCNN, strengths=Strengths(turn=MOST_TURN), settings=settings)

    @staticmethod
    def parts(network: nn.Module) -> tuple[nn.Module, nn.Module]:
        """Return the fixed projections, and the network that reads them."""
        return network.get_submodule("project"), network.get_submodule("cnn")

    def change(self) -> Change | None:
        """Return what changes images (n, views, x, y); None leaves them."""
        strengths = self.strengths()
        return None if strengths is None else partial(_change_images, strengths)


def project_striata(X: ArrayLike) -> np.ndarray:
    """Return what the network sees: axial projections through the striata.

    Parameters
    ----------
    X : array, shape (n, 64, 80, 48)
        Prepared volumes.

    Returns
    -------
    array, shape (n, 6, 24, 16), float32
        SBR in the order of ``VIEWS``; the last axes are x (left → right) and y (back → front) in
        pixels of 4 mm, whose places are those of ``BOX_AFFINE``.

    Raises
    ------
    ModelError
        If the shape is another, or a voxel of the box is not finite.

    Examples
    --------
    Where a voxel holds three times the non-specific uptake, its SBR is 2:

    >>> images = project_striata(np.full((1, 64, 80, 48), 3.0))
    >>> images.shape, float(images.min()), float(images.max())
    ((1, 6, 24, 16), 2.0, 2.0)
    """
    return Projections()(torch.from_numpy(crop_striata(X))).numpy()


def _change_images(
    strengths: Strengths,
    images: torch.Tensor,
    labels: torch.Tensor,
    generator: torch.Generator,
    mine: slice,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Change images (n, views, x, y) as volumes of one layer each, which turn about z alone.

    Each view gets noise of its own; everything else is drawn once for all views of an exam. Half an
    exam or a lesion cannot be changed in images.
    """
    n, views, *sides = images.shape
    draw = draw_changes((n * views, *sides, 1), generator, strengths)
    noise = draw.noise.view(n, views, *sides, 1)[mine].flatten(0, 1)
    own = Draw(*(part[::views][mine].repeat_interleave(views, 0) for part in draw))
    own = own._replace(noise=noise, turn=own.turn * own.turn.new_tensor([0, 0, 1]))
    layers = 1 + images[mine].reshape(noise.shape)  # uptake, of which gain scales the SBR
    changed = augment(layers, own, SPACING, strengths)
    return changed.view(-1, views, *sides) - 1, labels[mine]
