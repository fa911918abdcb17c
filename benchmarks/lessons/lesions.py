"""Simulated lesions in normal training exams: blurred as a camera shows them, or with sharp edges.

Entrants of the challenge had 0.257 to 0.267 with un-blurred dimming of the posterior putamen where
0.235 was without; others gained by blurred ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import nn

from benchmarks.common.figures import Figure
from benchmarks.lessons.network import NETWORK, BoxesClassifier
from benchmarks.lessons.runs import Runs, difference, scored
from datkit.models.projection import Projections
from datkit.models.training.augment import dim_putamen, draw_lesions, putamen_backs, shrink
from datkit.models.training.loop import Change
from datkit.prepare.grid import grid_mm, load_regions

SHARE = 0.25  # of the normal exams, as the challenge's sixth place


@dataclass(eq=False, repr=False)
class LesionedClassifier(BoxesClassifier):
    """The network on projections, trained on normal exams with lesions besides.

    Each time that a normal exam is shown, it gets a lesion with the probability `lesions`, and is
    abnormal then; `sharp` ones end at the edge of a voxel.
    """

    lesions: float = SHARE
    sharp: bool = False

    @staticmethod
    def parts(network: nn.Module) -> tuple[nn.Module, nn.Module]:
        """Return nothing that is fixed: lesions come before the projections."""
        return nn.Identity(), network.get_submodule("cnn")

    def change(self) -> Change:
        """Return what turns boxes into changed projections."""
        backs = (sharp_backs if self.sharp else putamen_backs)(*self.plan.view)
        rest = super().change()
        assert rest is not None  # these networks are trained on changed exams
        return partial(_change, self.lesions, backs, Projections(), rest)


def sharp_backs(box: tuple[slice, ...], voxels: int) -> torch.Tensor:
    """Return the back halves of both putamina as :func:`putamen_backs` does, not blurred."""
    regions, y = load_regions(), grid_mm()[1]
    putamina = [regions["putamen_left"], regions["putamen_right"]]
    backs = np.stack([mask & (y < y[mask].mean()) for mask in putamina])
    return torch.from_numpy(shrink(backs[(slice(None), *box)], voxels))


def _change(
    share: float,
    backs: torch.Tensor,
    project: nn.Module,
    change: Change,
    boxes: torch.Tensor,
    labels: torch.Tensor,
    generator: torch.Generator,
    mine: slice,
) -> tuple[torch.Tensor, torch.Tensor]:
    depth = draw_lesions(labels, share, generator)
    labels = torch.where(depth.any(1), 1.0, labels)
    return change(project(dim_putamen(boxes, depth, backs)), labels, generator, mine)


WAYS = {
    NETWORK: BoxesClassifier(),
    "blurred lesions": LesionedClassifier(),
    "sharp lesions": LesionedClassifier(sharp=True),
}


def measure(runs: Runs) -> Iterator[Figure]:
    """Yield each way beside no lesions, on both test sets together, or on centres left out."""
    settings = runs.settings("public", "private") or ["grouped"]
    known = pd.concat([runs.scored(setting) for setting in settings])
    p = {
        way: pd.concat([runs.predict(way, model, setting) for setting in settings])
        for way, model in WAYS.items()
    }
    for way in WAYS:
        yield scored("no lesions" if way == NETWORK else way, known, p[way])
    blurred, sharp = "blurred lesions", "sharp lesions"
    for metric in ("log_loss", "auroc"):
        for way in (blurred, sharp):
            yield difference(f"{way} minus none", known, p[way], p[NETWORK], metric)
        yield difference("sharp minus blurred", known, p[sharp], p[blurred], metric)
