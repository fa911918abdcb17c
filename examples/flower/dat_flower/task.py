"""What server and hospitals agree on: the network, and weights as Flower sends them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord

from datkit.models import ProjectionClassifier


def make_model(settings: Mapping[str, Any]) -> ProjectionClassifier:
    """Return the network and its training, which ``[tool.flwr.app.config]`` describes."""
    return ProjectionClassifier(
        epochs=int(settings["epochs"]),
        width=int(settings["width"]),
        batch_size=int(settings["batch-size"]),
        learning_rate=float(settings["learning-rate"]),
        seed=int(settings["seed"]),
    )


def to_record(weights: Mapping[str, np.ndarray]) -> ArrayRecord:
    """Return weights as Flower's record, in which each array is a .npy without pickles."""
    return ArrayRecord({name: Array(one) for name, one in weights.items()})


def from_record(record: ArrayRecord) -> dict[str, np.ndarray]:
    """Return a record's arrays by name."""
    return {name: one.numpy() for name, one in record.items()}
