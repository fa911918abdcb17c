"""Three hospitals of made-up exams: abnormal ones lack the back of one striatum."""

from __future__ import annotations

import numpy as np
import pytest

from datkit.federated import Hospital
from datkit.models import ProjectionClassifier


def make(name, n, seed, model):
    rng = np.random.default_rng(seed)
    boxes = rng.normal(1, 0.05, (n, 24, 16, 16)).astype(np.float32)
    labels = np.arange(n) % 2
    boxes[:, 4:9, 4:12, 4:10] += 2
    boxes[labels == 0, 15:20, 4:12, 4:10] += 2
    return Hospital(name, boxes, labels, model)


@pytest.fixture
def model():
    return ProjectionClassifier(epochs=1, width=2, batch_size=4, learning_rate=3e-3, augment=False)


@pytest.fixture
def hospitals(model):
    return [
        make(name, n, seed, model) for seed, (name, n) in enumerate([("A", 12), ("B", 6), ("C", 3)])
    ]
