"""What the networks share: the striatal box that they read, training, prediction and files."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn

from datkit.errors import ModelError
from datkit.models.augment import augment, draw_changes
from datkit.models.base import LogitClassifier, check_labels
from datkit.models.store import Document, load_weights, save_weights
from datkit.models.training import TrainingSettings, seeded, train
from datkit.prepare.grid import GRID
from datkit.problems import list_some
from datkit.threads import one_thread

__all__ = ["BOX", "BOX_AFFINE", "SPACING", "NetworkClassifier", "crop_striata"]

# The part of the canonical grid that holds both striata and 6 mm around them: x −47 … +47,
# y −30 … +32, z −26 … +36 mm. Symmetric in x, so that a mirrored grid gives the mirrored box.
BOX = (slice(8, 56), slice(41, 73), slice(5, 37))
#: From a voxel of the box to mm of the template's space, (4, 4).
BOX_AFFINE = GRID.affine @ [[2, 0, 0, 8.5], [0, 2, 0, 41.5], [0, 0, 2, 5.5], [0, 0, 0, 1]]
SPACING = 4.0  # mm, after averaging 2 × 2 × 2 voxels: enough for cameras that resolve 8–10 mm
LAYERS = {2: (nn.Conv2d, nn.BatchNorm2d), 3: (nn.Conv3d, nn.BatchNorm3d)}
WIDEST = 64  # channels, or 1.1 M weights: a stored width beyond is damage


@dataclass(eq=False, repr=False)
class NetworkClassifier(LogitClassifier):
    """A network behind scikit-learn's interface; a subclass names its `network_type`.

    X is an array (n, 64, 80, 48) of prepared volumes, axes x (left → right), y (back → front) and
    z (bottom → top), memory-mapped or not; only the striatal box is read. A prediction averages the
    logits of the volume and of its mirror image, so a mirrored exam has the same probability.

    Parameters
    ----------
    epochs, batch_size, learning_rate, weight_decay, seed, accelerator
        See :class:`datkit.models.training.TrainingSettings`.
    width : int
        Channels of the first convolution; the number of weights grows with its square.
    augment : bool
        Train on randomly mirrored, shifted, blurred and noisy exams.
    progress : bool
        Show a progress bar while training.

    Attributes
    ----------
    network_ : torch.nn.Module
    history_ : list of dict
        Loss and learning rate of each epoch; a loaded model has none.
    """

    network_type: ClassVar[type[nn.Module]]
    reads = "volumes"

    epochs: int = 40
    width: int = 16
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    batch_size: int = 16
    augment: bool = True
    seed: int = 0
    accelerator: str = "auto"
    progress: bool = False

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Learn from prepared volumes X (n, 64, 80, 48) and labels y (n,) of 0 and 1.

        Raises
        ------
        ModelError
            If the shape is another, a voxel of the box is not finite, the labels do not fit, or
            training diverges.
        UsageError
            If a setting is out of range, or this machine lacks the accelerator asked for.
        """
        names = [one.name for one in fields(TrainingSettings) if hasattr(self, one.name)]
        settings = TrainingSettings(**{name: getattr(self, name) for name in names})
        boxes = torch.from_numpy(crop_striata(X))
        labels = torch.from_numpy(check_labels(y, len(boxes)).astype(np.float32))
        with seeded(self.seed):
            network = self.network_type(self.width)
        fixed, learning = self.parts(network)
        change = self.change if self.augment else None
        self.history_ = train(
            learning, fixed(boxes), labels, settings, change=change, progress=self.progress
        )
        self.network_ = network.eval()
        return self

    @staticmethod
    def parts(network: nn.Module) -> tuple[nn.Module, nn.Module]:
        """Return what is applied once to the boxes before training, and what learns from there."""
        return nn.Identity(), network

    @staticmethod
    def change(inputs: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """Return randomly changed inputs of what learns: boxes (n, 24, 16, 16)."""
        return augment(inputs, draw_changes(tuple(inputs.shape), rng), SPACING)

    def decision_function(self, X: npt.ArrayLike) -> np.ndarray:
        """Return one logit per exam, float32 (n,).

        Raises
        ------
        ModelError
            If the shape is not (n, 64, 80, 48), or a voxel of the box is not finite.
        """
        check_is_fitted(self)
        boxes = torch.from_numpy(crop_striata(X))
        use_gpu = self.accelerator in ("auto", "cuda", "gpu") and torch.cuda.is_available()
        device = torch.device("cuda" if use_gpu else "cpu")
        network = self.network_.to(device).eval()
        with torch.inference_mode(), one_thread():
            logits = [
                (network(batch) + network(batch.flip(1))) / 2
                for batch in (part.to(device) for part in boxes.split(32))
            ]
        return torch.cat(logits).cpu().numpy()

    def write_state(self, folder: Path) -> Document:
        """Write ``weights.safetensors``, whose sha256 ``model.json`` holds."""
        return {"weights": save_weights(self.network_, folder)}

    def read_state(self, folder: Path, document: Document) -> None:
        """Read the weights; nothing but torch and safetensors is needed."""
        if type(self.width) is not int or not 1 <= self.width <= WIDEST:
            raise ValueError(f"Expected a width from 1 to {WIDEST}, found {self.width!r}.")
        self.network_ = self.network_type(self.width).eval()
        load_weights(self.network_, folder, document["weights"])


def conv_block(dimensions: int, inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """Convolve by 3 each way, normalise over the batch, rectify; stride 2 halves each side."""
    convolution, norm = LAYERS[dimensions]
    convolve = convolution(inputs, outputs, 3, stride, padding=1, bias=False)
    return nn.Sequential(convolve, norm(outputs), nn.ReLU())


def crop_striata(X: npt.ArrayLike) -> np.ndarray:
    """Return what a network sees: the striatal box at half the resolution.

    Parameters
    ----------
    X : array, shape (n, 64, 80, 48)
        Prepared volumes.

    Returns
    -------
    array, shape (n, 24, 16, 16), float32
        The part ``BOX`` in voxels of 4 mm; ``BOX_AFFINE`` takes their indices to template mm.

    Raises
    ------
    ModelError
        If the shape is another, or a voxel of the box is not finite.

    Examples
    --------
    >>> crop_striata(np.ones((2, 64, 80, 48))).shape
    (2, 24, 16, 16)
    """
    volumes = np.asanyarray(X)  # a memory-mapped array stays one
    if volumes.ndim != 4 or volumes.shape[1:] != GRID.shape or len(volumes) == 0:
        raise ModelError(
            f"Expected prepared volumes of shape (n, {', '.join(map(str, GRID.shape))}), found "
            f"{volumes.shape}. Prepare the scans first; write volume[None] for a single one."
        )
    fine = volumes[(slice(None), *BOX)].astype(np.float32)
    i, j, k = (side // 2 for side in fine.shape[1:])
    boxes = fine.reshape(-1, i, 2, j, 2, k, 2).mean(axis=(2, 4, 6))
    bad = np.flatnonzero(~np.isfinite(boxes).all(axis=(1, 2, 3)))
    if len(bad):
        raise ModelError(
            f"Expected finite voxels, found NaN or infinity in {len(bad)} of {len(boxes)} volumes "
            f"(counted from 0: {list_some(bad)}). Prepare these scans again."
        )
    return boxes
