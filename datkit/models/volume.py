"""3-D convolutional networks that read the prepared volume itself, in three sizes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from datkit.errors import UsageError
from datkit.models.network import NetworkClassifier, Plan, View, conv_block
from datkit.models.registry import register
from datkit.models.training.augment import MILD, STRONG

__all__ = ["CompactCNN", "StandardCNN", "VolumeClassifier"]

# x −51 … +51, y −44 … +46, z −28 … +38 mm: both striata and 20 mm around them, symmetric in x.
WIDE_BOX = (slice(6, 58), slice(34, 80), slice(4, 38))
WHOLE = View((slice(None),) * 3, voxels=1)
FEATURES = 32  # that each side is read into
BRIGHT = 0.01  # share of the voxels, the brightest ones, that an exam is seen relative to


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


class StandardCNN(nn.Module):
    """Four stages of two convolutions read each half of the striatal crop with the same weights.

    An exam is as abnormal as its worse side, whichever that is: the worse and the better of what is
    read, feature by feature, go into one linear unit, and a mirrored exam has the same logit. The
    input is the SBR, and beside it the SBR relative to the exam's own brightest voxels: cameras
    and corrections scale SBR, the form of a striatum they leave. 0.95 M weights at width 16.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        stages, inputs = [], 2
        for stage in range(4):
            outputs = width * 2**stage
            stages.append(conv_block(3, inputs, outputs, stride=2 if stage else 1, act=nn.SiLU))
            stages.append(conv_block(3, outputs, outputs, stride=1, act=nn.SiLU))
            inputs = outputs
        self.read = nn.Sequential(*stages, nn.Flatten(), nn.Linear(inputs * 2 * 3 * 3, FEATURES))
        self.logit = nn.Linear(2 * FEATURES, 1)

    def forward(self, box: torch.Tensor) -> torch.Tensor:
        """Return one logit for each box (n, 26, 23, 17)."""
        sbr = box[:, None] - 1  # (n, 1, 26, 23, 17)
        flat = sbr.flatten(1)
        brightest = flat.topk(int(BRIGHT * flat.shape[1]), dim=1).values.mean(1).clamp_min(0.3)
        x = torch.cat([sbr, sbr / brightest.view(-1, 1, 1, 1, 1)], dim=1)
        middle = x.shape[2] // 2
        halves = torch.cat([x[:, :, :middle].flip(2), x[:, :, middle:]])  # (2n, 2, 13, 23, 17)
        left, right = self.read(halves).chunk(2)
        ends = torch.cat([torch.maximum(left, right), torch.minimum(left, right)], dim=1)
        return self.logit(torch.relu(ends))[:, 0]  # (n,)


class FullResNet(nn.Module):
    """MONAI's 3-D ResNet-18 on the whole canonical grid. 2.1 M weights at width 16."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        try:
            from monai.networks.nets import ResNet  # its import takes 5 s
        except ImportError as error:
            raise UsageError(
                "size='full' is MONAI's 3-D ResNet-18, and MONAI is not installed: "
                "pip install 'dat-spect-kit[monai]', or choose size='standard'."
            ) from error
        widths = [width * 2**stage for stage in range(4)]
        self.resnet = ResNet("basic", [2, 2, 2, 2], widths, n_input_channels=1, num_classes=1,
                             conv1_t_size=5, conv1_t_stride=2, no_max_pool=True)  # fmt: skip

    def forward(self, volume: torch.Tensor) -> torch.Tensor:
        """Return one logit for each volume (n, 64, 80, 48)."""
        return self.resnet(volume[:, None] - 1)[:, 0]


SIZES = {
    "compact": Plan(CompactCNN),
    "standard": Plan(
        StandardCNN,
        View(WIDE_BOX, voxels=2),
        # Log loss of two grouped folds (full cohort, seed 2026; width 8, 15 epochs): 0.302, 0.292
        # with mild changes, 0.311, 0.305 with strong ones; AUROC 0.956, 0.957, 0.939, 0.944.
        MILD,
        {"batch_size": 32, "learning_rate": 2e-3, "ema": 0.99},
    ),
    "full": Plan(FullResNet, WHOLE, STRONG, {"batch_size": 32, "ema": 0.99}),
}


@register
@dataclass(eq=False, repr=False)
class VolumeClassifier(NetworkClassifier):
    """A 3-D network behind scikit-learn's interface.

    X, prediction, files and the other parameters are those of
    :class:`~datkit.models.network.NetworkClassifier`.

    Parameters
    ----------
    size : {"compact", "standard", "full"}
        ``"compact"`` is a :class:`CompactCNN` of 0.08 M weights on a tight box, ``"standard"`` a
        :class:`StandardCNN` of 0.95 M on the striatal crop of 52 × 46 × 34 voxels of 2 mm, averaged
        to 4 mm, since the camera resolves 8–10 mm; ``"full"`` is MONAI's 3-D ResNet-18 on the whole
        canonical grid, for a GPU.

    Examples
    --------
    >>> network = VolumeClassifier(size="standard").build()
    >>> sum(weights.numel() for weights in network.parameters())
    953473
    """

    kind, cost = "volume", 3

    size: str = "compact"

    @property
    def plan(self) -> Plan:
        """The network of this size, what it sees, and how it is trained if nothing else is said.

        Raises
        ------
        UsageError
            If there is no such size.
        """
        if self.size not in SIZES:
            raise UsageError(f"Expected a size of {', '.join(SIZES)}, found {self.size!r}.")
        return SIZES[self.size]
