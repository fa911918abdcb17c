"""Models: scikit-learn classifiers of DaT SPECT exams, normal (0) against abnormal (1).

========================  ==========================================================
``MeasuresClassifier``    logistic regression on SBRs and asymmetries, X = (n, m)
``ProjectionClassifier``  compact 2-D CNN on their projections, X = (n, 64, 80, 48)
``VolumeClassifier``      compact 3-D CNN on prepared volumes, X = (n, 64, 80, 48)
``TemperatureCalibrated`` any of them, its confidence set right out of fold
========================  ==========================================================

Each name is loaded when it is first used: importing this package does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from datkit.models.store import load_model, save_model

_HOME = {
    "CompactCNN": "datkit.models.volume",
    "MeasuresClassifier": "datkit.models.measures",
    "ProjectionCNN": "datkit.models.projection",
    "ProjectionClassifier": "datkit.models.projection",
    "TemperatureCalibrated": "datkit.models.calibration",
    "TrainingSettings": "datkit.models.training",
    "VolumeClassifier": "datkit.models.volume",
    "crop_striata": "datkit.models.volume",
    "fit_temperature": "datkit.models.calibration",
    "project_striata": "datkit.models.projection",
    "train": "datkit.models.training",
}
__all__ = ["load_model", "save_model", *_HOME]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'datkit.models' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
