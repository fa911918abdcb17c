"""The network on projections, reading boxes that were cut out once: a fiftieth of the voxels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from datkit.models import ProjectionClassifier
from datkit.models.network import Plan, View

__all__ = ["NETWORK", "BoxesClassifier"]

NETWORK = "projection"  # its name on a board


class Cropped(View):
    """The usual view, of exams of which nothing else is left."""

    def crop(self, X: ArrayLike) -> np.ndarray:
        """Return X as it is, float32 (n, 24, 16, 16)."""
        return np.asarray(X, np.float32)


@dataclass(eq=False, repr=False)
class BoxesClassifier(ProjectionClassifier):
    """The network on projections, X being :func:`datkit.models.crop_striata` of the volumes."""

    reads = "boxes"

    @property
    def plan(self) -> Plan:
        """The network's own plan, and the view of what is cut out already."""
        return replace(super().plan, view=Cropped())
