"""A compact 3-D convolutional network that reads the prepared volume itself."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted
from torch import nn

from datkit.errors import ModelError
from datkit.models.augment import augment, draw_changes
from datkit.models.base import LogitClassifier, check_labels, list_some
from datkit.models.store import read_document, write_document
from datkit.models.training import TrainingSettings, seeded, train
from datkit.models.weights import load_weights, save_weights
from datkit.prepare import GRID
from datkit.threads import one_thread

__all__ = ["BOX", "BOX_AFFINE", "CompactCNN", "VolumeClassifier", "crop_striata"]

# The part of the canonical grid that holds both striata and 8 mm around them: x −47 … +47,
# y −30 … +32, z −26 … +36 mm. Symmetric in x, so that a mirrored grid gives the mirrored box.
BOX = (slice(8, 56), slice(41, 73), slice(5, 37))
BOX_AFFINE = GRID.affine @ [[2, 0, 0, 8.5], [0, 2, 0, 41.5], [0, 0, 2, 5.5], [0, 0, 0, 1]]
SPACING = 4.0  # mm, after averaging 2 × 2 × 2 voxels: enough for cameras that resolve 8–10 mm
WIDEST = 64  # channels, or 1.1 M weights: a stored width beyond is damage


class CompactCNN(nn.Module):
    """Three convolutions, two of which halve the volume, then one linear unit.

    The input is a box of prepared volumes, where non-specific uptake is 1; the network sees
    ``volume − 1``, the specific binding ratio of each voxel. The volumes are registered, so a place
    means an anatomical part, and the linear unit may weigh each place. 0.08 M weights at width 16.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.features = nn.Sequential(
            _block(1, width, stride=2),
            _block(width, 2 * width, stride=1),
            _block(2 * width, 4 * width, stride=2),
        )
        self.logit = nn.Linear(4 * width * 6 * 4 * 4, 1)

    def forward(self, box: torch.Tensor) -> torch.Tensor:
        x = box[:, None] - 1  # (n, 1, 24, 16, 16)
        x = self.features(x)  # (n, 4·width, 6, 4, 4)
        return self.logit(x.flatten(1))[:, 0]  # (n,)


def _block(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """Convolve 3 × 3 × 3, normalise over the batch, rectify; stride 2 halves each side."""
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm3d(outputs),
        nn.ReLU(),
    )


class VolumeClassifier(LogitClassifier):
    """A :class:`CompactCNN` behind scikit-learn's interface.

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
        Train on randomly mirrored, shifted, blurred and noisy volumes.
    progress : bool
        Show a progress bar while training.

    Attributes
    ----------
    network_ : CompactCNN
    history_ : list of dict
        Loss and learning rate of each epoch; a loaded model has none.
    """

    kind = "volume"
    network_type: type[nn.Module] = CompactCNN

    def __init__(
        self,
        epochs: int = 40,
        width: int = 16,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-2,
        batch_size: int = 16,
        augment: bool = True,
        seed: int = 0,
        accelerator: str = "auto",
        progress: bool = False,
    ) -> None:
        self.epochs = epochs
        self.width = width
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.augment = augment
        self.seed = seed
        self.accelerator = accelerator
        self.progress = progress

    def fit(self, X: ArrayLike, y: ArrayLike) -> VolumeClassifier:
        """Learn from prepared volumes X (n, 64, 80, 48) and labels y (n,) of 0 and 1.

        Raises
        ------
        ModelError
            If the shape is another, a voxel of the box is not finite, the labels do not fit, or
            training diverges.
        UsageError
            If a setting is out of range, or this machine lacks the accelerator asked for.
        """
        settings = self._settings()
        boxes = crop_striata(X)
        labels = torch.from_numpy(check_labels(y, len(boxes)).astype(np.float32))
        with seeded(self.seed):
            network = self.network_type(self.width)
        self.history_ = train(
            network,
            torch.from_numpy(boxes),
            labels,
            settings,
            change=_change if self.augment else None,
            progress=self.progress,
        )
        self.network_ = network
        return self

    def decision_function(self, X: ArrayLike) -> np.ndarray:
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

    def _settings(self) -> TrainingSettings:
        names = ("epochs", "batch_size", "learning_rate", "weight_decay", "seed", "accelerator")
        return TrainingSettings(**{name: getattr(self, name) for name in names})

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write ``weights.safetensors``, then ``model.json``, which holds the other's sha256."""
        check_is_fitted(self)
        write_document(self, folder, {"weights": save_weights(self.network_, folder)})

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> VolumeClassifier:
        """Read a stored model; nothing but torch and safetensors is needed.

        Raises
        ------
        ModelError
            If a file is absent or damaged, or a tensor is missing, unknown, of another shape or
            not finite; every problem is listed.
        """
        params, document = read_document(cls, folder)
        model = cls(**params)
        if not (type(model.width) is int and 1 <= model.width <= WIDEST):
            raise ModelError(
                f"{Path(folder) / 'model.json'}: Expected a width from 1 to {WIDEST}, "
                f"found {model.width!r}. Save the model again."
            )
        network = cls.network_type(model.width)
        load_weights(network, folder, document.get("weights"))
        model.network_ = network.eval()
        return model


def _change(boxes: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    return augment(boxes, draw_changes(tuple(boxes.shape), rng), SPACING)


def crop_striata(X: ArrayLike) -> np.ndarray:
    """Return what the network sees: the striatal box at half the resolution.

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
    X = X if isinstance(X, np.ndarray) else np.asarray(X)
    if X.ndim != 4 or X.shape[1:] != GRID.shape or len(X) == 0:
        raise ModelError(
            f"Expected prepared volumes of shape (n, {', '.join(map(str, GRID.shape))}), found "
            f"{X.shape}. Prepare the scans first; write volume[None] for a single one."
        )
    fine = X[(slice(None), *BOX)].astype(np.float32)
    i, j, k = (side // 2 for side in fine.shape[1:])
    boxes = fine.reshape(-1, i, 2, j, 2, k, 2).mean(axis=(2, 4, 6))
    bad = np.flatnonzero(~np.isfinite(boxes).all(axis=(1, 2, 3)))
    if len(bad):
        raise ModelError(
            f"Expected finite voxels, found NaN or infinity in {len(bad)} of {len(boxes)} volumes "
            f"(counted from 0: {list_some(bad)}). Prepare these scans again."
        )
    return boxes
