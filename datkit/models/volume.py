"""A compact 3-D convolutional network that reads the prepared volume itself."""

from __future__ import annotations

import torch
from torch import nn

from datkit.models.network import NetworkClassifier, conv_block
from datkit.models.registry import register

__all__ = ["CompactCNN", "VolumeClassifier"]


class CompactCNN(nn.Module):
    """Three convolutions, two of which halve the volume, then one linear unit.

    The input is a box of prepared volumes, where non-specific uptake is 1; the network sees
    ``volume − 1``, the specific binding ratio of each voxel. The volumes are registered, so a place
    means an anatomical part, and the linear unit may weigh each place. 0.08 M weights at width 16.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.features = nn.Sequential(
            conv_block(3, 1, width, stride=2),
            conv_block(3, width, 2 * width, stride=1),
            conv_block(3, 2 * width, 4 * width, stride=2),
        )
        self.logit = nn.Linear(4 * width * 6 * 4 * 4, 1)

    def forward(self, box: torch.Tensor) -> torch.Tensor:
        """Return one logit for each box (n, 24, 16, 16)."""
        x = box[:, None] - 1  # (n, 1, 24, 16, 16)
        x = self.features(x)  # (n, 4·width, 6, 4, 4)
        return self.logit(x.flatten(1))[:, 0]  # (n,)


@register
class VolumeClassifier(NetworkClassifier):
    """A :class:`CompactCNN` behind scikit-learn's interface.

    X, parameters, prediction and files are those of
    :class:`~datkit.models.network.NetworkClassifier`.
    """

    kind, cost, network_type = "volume", 3, CompactCNN
