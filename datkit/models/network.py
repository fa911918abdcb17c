"""What the networks share: the striatal box that they read, training, prediction and files."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn

from datkit.errors import ModelError, UsageError
from datkit.models.base import LogitClassifier, check_labels
from datkit.models.store import Document, load_pretrained, load_weights, save_weights
from datkit.models.training.augment import MILD, Augmentation, Strengths, shrink
from datkit.models.training.loop import Change, seeded, train
from datkit.models.training.settings import TrainingSettings
from datkit.prepare.grid import GRID
from datkit.problems import list_some
from datkit.threads import one_thread

__all__ = ["BOX", "BOX_AFFINE", "SPACING", "NetworkClassifier", "Plan", "View", "crop_striata"]

# The part of the canonical grid that holds both striata and 6 mm around them: x −47 … +47,
# y −30 … +32, z −26 … +36 mm. Symmetric in x, so that a mirrored grid gives the mirrored box.
BOX = (slice(8, 56), slice(41, 73), slice(5, 37))
#: From a voxel of the box to mm of the template's space, (4, 4).
BOX_AFFINE = GRID.affine @ [[2, 0, 0, 8.5], [0, 2, 0, 41.5], [0, 0, 2, 5.5], [0, 0, 0, 1]]
SPACING = 4.0  # mm, after averaging 2 × 2 × 2 voxels: enough for cameras that resolve 8–10 mm
LAYERS = {2: (nn.Conv2d, nn.BatchNorm2d), 3: (nn.Conv3d, nn.BatchNorm3d)}
WIDEST = 64  # channels, or 1.1 M weights: a stored width beyond is damage
GENTLER = 0.1  # of the usual learning rate, where weights that have learnt are trained further


class View(NamedTuple):
    """What a network sees: a box of the canonical grid, means of so many voxels each way."""

    box: tuple[slice, ...] = BOX
    voxels: int = 2

    def crop(self, X: npt.ArrayLike) -> np.ndarray:
        """Return what is seen of prepared volumes X (n, 64, 80, 48), float32 (n, i, j, k).

        Raises
        ------
        ModelError
            If the shape is another, or a voxel of the box is not finite.
        """
        volumes = np.asanyarray(X)  # a memory-mapped array stays one
        if volumes.ndim != 4 or volumes.shape[1:] != GRID.shape or len(volumes) == 0:
            raise ModelError(
                f"Expected prepared volumes of shape (n, {', '.join(map(str, GRID.shape))}), found "
                f"{volumes.shape}. Prepare the scans first; write volume[None] for a single one."
            )
        boxes = shrink(volumes[(slice(None), *self.box)], self.voxels)
        bad = np.flatnonzero(~np.isfinite(boxes).all(axis=(1, 2, 3)))
        if len(bad):
            raise ModelError(
                f"Expected finite voxels, found NaN or infinity in {len(bad)} of {len(boxes)} "
                f"volumes (counted from 0: {list_some(bad)}). Prepare these scans again."
            )
        return boxes


STRIATA = View()


@dataclass(frozen=True)
class Plan:
    """A kind of network: how it is built, what it sees, and how it is trained if nothing is said.

    Attributes
    ----------
    network : callable
        From a width to a module.
    view : View
    strengths : Strengths
        Of the random changes in training.
    settings : dict
        Of :class:`~datkit.models.training.settings.TrainingSettings`, where others than its own.
    """

    network: Callable[[int], nn.Module]
    view: View = STRIATA
    strengths: Strengths = MILD
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False, repr=False)
class NetworkClassifier(LogitClassifier):
    """A network behind scikit-learn's interface; a subclass says what its `plan` is.

    X is an array (n, 64, 80, 48) of prepared volumes, axes x (left → right), y (back → front) and
    z (bottom → top), memory-mapped or not; only the plan's view is read. A prediction averages the
    logits of the volume and of its mirror image, so a mirrored exam has the same probability.

    Parameters
    ----------
    epochs, batch_size, learning_rate, weight_decay, ema, patience, seed, accelerator, precision
        See :class:`~datkit.models.training.settings.TrainingSettings`; None is what the plan says.
    width : int
        Channels of the first convolution; the number of weights grows with its square.
    augment : bool or dict
        Train on randomly changed exams; a dict changes the plan's strengths, by the names of
        :class:`~datkit.models.training.augment.Strengths`.
    progress : bool
        Show a progress bar while training.
    start : {"pretrained"}, optional
        What training starts from: the weights that ship with the kit (``datkit/resources/
        pretrained``), learnt from simulated patients, at a tenth of the usual learning rate; by
        default from random ones.

    Attributes
    ----------
    network_ : torch.nn.Module
    settings_ : TrainingSettings
    start_ : dict or None
        Exams, seed and sha256 of the weights that training started from; None where these were
        random.
    history_ : list of dict
        Loss and learning rate of each epoch; a loaded model has none.
    """

    reads = "volumes"

    epochs: int | None = None
    width: int = 16
    learning_rate: float | None = None
    weight_decay: float = 1e-2
    batch_size: int | None = None
    augment: bool | dict[str, float] = True
    seed: int = 0
    accelerator: str = "auto"
    progress: bool = False
    ema: float | None = None
    patience: int = 0
    precision: str = "auto"
    start: str | None = None

    @property
    def plan(self) -> Plan:
        """How the network is built and trained."""
        raise NotImplementedError(f"{type(self).__name__} must say what its network is.")

    def build(self) -> nn.Module:
        """Return the network with its first weights, which follow from the seed.

        Raises
        ------
        ModelError
            If the width is no whole number from 1 to 64.
        """
        if type(self.width) is not int or not 1 <= self.width <= WIDEST:
            raise ModelError(f"Expected a width from 1 to {WIDEST}, found {self.width!r}.")
        with seeded(self.seed):
            return self.plan.network(self.width)

    def fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Learn from prepared volumes X (n, 64, 80, 48) and labels y (n,) of 0 and 1.

        Parameters
        ----------
        checkpoint : path, optional
            A folder: what is learnt is kept there after each epoch, and a training that was killed
            goes on from there, to the same weights.

        Raises
        ------
        ModelError
            If the shape is another, a voxel of the box is not finite, the labels do not fit, or
            training diverges.
        UsageError
            If a setting is out of range, this machine lacks the accelerator asked for, the
            checkpoint is of another training, or no weights ship for a network like this.
        """
        self.settings_ = self.training_settings()
        boxes = torch.from_numpy(self.plan.view.crop(X))
        labels = torch.from_numpy(check_labels(y, len(boxes)).astype(np.float32))
        network = self.build()
        self.start_ = None if self.start is None else load_pretrained(network, self)
        fixed, learning = self.parts(network)
        self.history_ = train(
            learning, fixed(boxes), labels, self.settings_,
            change=self.change(), checkpoint=checkpoint, progress=self.progress,
        )  # fmt: skip
        self.network_ = network.eval()
        return self

    def training_settings(self) -> TrainingSettings:
        """Return the settings that were asked for, else the plan's."""
        names = (one.name for one in fields(TrainingSettings))
        asked: dict[str, Any] = {name: getattr(self, name, None) for name in names}
        asked = {name: value for name, value in asked.items() if value is not None}
        usual = TrainingSettings(**self.plan.settings)
        if self.start is not None:
            usual = replace(usual, learning_rate=GENTLER * usual.learning_rate)
        return replace(usual, **asked)

    @staticmethod
    def parts(network: nn.Module) -> tuple[nn.Module, nn.Module]:
        """Return what is applied once to the boxes before training, and what learns from there."""
        return nn.Identity(), network

    def strengths(self) -> Strengths | None:
        """Return how strongly exams are changed in training; None if they are not.

        Raises
        ------
        UsageError
            If `augment` names a change that there is not.
        """
        if not isinstance(self.augment, dict):
            return self.plan.strengths if self.augment else None
        known = [one.name for one in fields(Strengths)]
        if unknown := sorted({*self.augment} - {*known}):
            raise UsageError(f"augment: expected some of {', '.join(known)}, found {unknown}.")
        return replace(self.plan.strengths, **self.augment)

    def change(self) -> Change | None:
        """Return what changes a batch of what learns, boxes (n, i, j, k); None leaves it."""
        strengths = self.strengths()
        return None if strengths is None else Augmentation(strengths, *self.plan.view)

    def decision_function(self, X: npt.ArrayLike) -> np.ndarray:
        """Return one logit per exam, float32 (n,).

        Raises
        ------
        ModelError
            If the shape is not (n, 64, 80, 48), or a voxel of the box is not finite.
        """
        check_is_fitted(self)
        boxes = torch.from_numpy(self.plan.view.crop(X))
        use_gpu = self.accelerator in ("auto", "cuda", "gpu") and torch.cuda.is_available()
        device = torch.device("cuda" if use_gpu else "cpu")
        network = self.network_.to(device).eval()
        with torch.inference_mode(), one_thread():
            logits = [mirror_mean(network, part.to(device)) for part in boxes.split(32)]
        return torch.cat(logits).cpu().numpy()

    def write_state(self, folder: Path) -> Document:
        """Write ``weights.safetensors``; ``model.json`` holds its sha256 and how it was trained."""
        trained = {"training": asdict(self.settings_)} if hasattr(self, "settings_") else {}
        kept = {"weights": save_weights(self.network_, folder)}
        return kept | trained | {"started_from": getattr(self, "start_", None)}

    def read_state(self, folder: Path, document: Document) -> None:
        """Read the weights; nothing but torch and safetensors is needed."""
        self.network_ = self.build().eval()
        load_weights(self.network_, folder)
        self.settings_ = TrainingSettings(**document.get("training", {}))
        self.start_ = document.get("started_from")


def mirror_mean(network: nn.Module, boxes: torch.Tensor) -> torch.Tensor:
    """Return the mean logit (n,) of boxes (n, i, j, k) and of their mirror images."""
    return (network(boxes) + network(boxes.flip(1))) / 2


def conv_block(
    dimensions: int, inputs: int, outputs: int, stride: int, act: type[nn.Module] = nn.ReLU
) -> nn.Sequential:
    """Convolve by 3 each way, normalise over the batch, rectify; stride 2 halves each side."""
    convolution, norm = LAYERS[dimensions]
    convolve = convolution(inputs, outputs, 3, stride, padding=1, bias=False)
    return nn.Sequential(convolve, norm(outputs), act())


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
    return STRIATA.crop(X)
