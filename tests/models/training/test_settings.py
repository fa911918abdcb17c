"""How a network is trained, as one object that refuses what cannot be."""

from __future__ import annotations

import dataclasses

import pytest

from datkit.errors import UsageError
from datkit.models.training.settings import TrainingSettings


def test_settings_out_of_range_are_all_listed():
    with pytest.raises(UsageError) as caught:
        TrainingSettings(epochs=0, batch_size=-1, learning_rate=float("nan"))
    assert len(caught.value.problems) == 3


def test_every_number_has_its_range():
    with pytest.raises(UsageError) as caught:
        TrainingSettings(warm_up=1.5, ema=-0.1, patience=-1, seed=-1, weight_decay=-1)
    names = {problem.code for problem in caught.value.problems}
    assert names == {"warm_up", "ema", "patience", "seed", "weight_decay"}


def test_settings_cannot_change_once_made():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainingSettings().epochs = 3
