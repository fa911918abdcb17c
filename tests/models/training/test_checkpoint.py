"""A training that is killed and goes on ends with the same weights as one that is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from datkit.errors import ModelError, UsageError
from datkit.models.training.checkpoint import FILE
from datkit.models.training.loop import train
from datkit.models.training.settings import TrainingSettings

SETTINGS = TrainingSettings(
    epochs=6, batch_size=8, learning_rate=0.05, ema=0.9, patience=6, accelerator="cpu"
)


class Killed(BaseException):
    """What stands for the end of the process."""


def make_network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        layers = nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Dropout(0.2), nn.Linear(4, 1)
        return nn.Sequential(*layers, nn.Flatten(0))


def make_points(n: int = 42) -> tuple[torch.Tensor, torch.Tensor]:
    y = (torch.arange(n) % 2).float()
    return torch.randn(n, 2, generator=torch.Generator().manual_seed(0)) + y[:, None], y


def kill_after(batches: int):
    """Return random changes that end the process in the batch after so many."""
    done = []

    def change(x, y, generator, mine):
        if len(done) == batches:
            raise Killed
        done.append(1)
        return (x + torch.randn(x.shape, generator=generator))[mine], y[mine]

    return change


def train_points(network: nn.Module, folder: Path, batches: int = -1, **changes):
    settings = TrainingSettings(**{**vars(SETTINGS), **changes})
    return train(network, *make_points(), settings, change=kill_after(batches), checkpoint=folder)


def test_killed_and_resumed_equals_not_killed(tmp_path):
    whole, killed = make_network(), make_network()
    expected = train_points(whole, tmp_path / "whole")
    with pytest.raises(Killed):
        train_points(killed, tmp_path / "killed", batches=13)
    resumed = make_network()
    assert train_points(resumed, tmp_path / "killed") == expected
    for name, tensor in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], tensor), name


def test_a_finished_training_is_not_trained_again(tmp_path):
    history = train_points(make_network(), tmp_path)
    again = make_network()
    assert train_points(again, tmp_path, batches=0) == history  # the first batch would kill it


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    train_points(make_network(), tmp_path)
    with pytest.raises(UsageError, match="of a training with other settings, exams or labels"):
        train_points(make_network(), tmp_path, learning_rate=0.01)
    x, y = make_points()
    with pytest.raises(UsageError, match="Choose another folder"):
        train(make_network(), x + 1, y, SETTINGS, checkpoint=tmp_path)


def test_a_damaged_checkpoint_is_said(tmp_path):
    (tmp_path / FILE).write_bytes(b"half a checkpoint")
    with pytest.raises(UsageError, match="cannot be read as a checkpoint.*Delete it"):
        train_points(make_network(), tmp_path)


def test_one_changed_byte_is_noticed(tmp_path):
    """PyTorch does not compare the check sums of its archive, and would train on."""
    train_points(make_network(), tmp_path, epochs=1)
    path, found = tmp_path / FILE, []
    before = path.read_bytes()
    for place in range(0, len(before), len(before) // 20):
        path.write_bytes(before[:place] + bytes([before[place] ^ 1]) + before[place + 1 :])
        with pytest.raises(UsageError, match="it is not as it was written. Delete it"):
            train_points(make_network(), tmp_path, epochs=1)
        found.append(place)
    assert len(found) >= 20


def test_a_loss_that_is_no_number_leaves_the_last_good_checkpoint(tmp_path):
    shown = []

    def spoil(x, y, generator, mine):
        shown.append(1)
        return x * (float("nan") if len(shown) > 12 else 1), y

    settings = TrainingSettings(epochs=6, batch_size=8, accelerator="cpu")
    with pytest.raises(ModelError, match=r"became nan in epoch 3.*until epoch 2 is in .*training"):
        train(make_network(), *make_points(), settings, change=spoil, checkpoint=tmp_path)
    state = torch.load(tmp_path / FILE, weights_only=True)
    assert len(state["history"]) == 2
    assert all(tensor.isfinite().all() for tensor in state["network"].values())
