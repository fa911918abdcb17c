"""The training loop on a problem that one linear unit solves."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from datkit.errors import ModelError, UsageError
from datkit.models.training.loop import split_off, train
from datkit.models.training.settings import TrainingSettings

QUICK = TrainingSettings(epochs=5, batch_size=8, learning_rate=0.1, accelerator="cpu")


class Unit(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(2, 1)
        self.drop = torch.nn.Dropout(0.2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(self.drop(x))[:, 0]


def make_points(n: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    y = (torch.arange(n) % 2).float()
    x = torch.randn(n, 2, generator=torch.Generator().manual_seed(0))
    return x + 2 * y[:, None], y


def make_unit() -> Unit:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return Unit()


def test_the_loss_falls_and_is_recorded():
    history = train(make_unit(), *make_points(), QUICK)
    assert [record["epoch"] for record in history] == [1, 2, 3, 4, 5]
    assert history[-1]["loss"] < history[0]["loss"]
    assert history[-1]["learning_rate"] < 1e-4 < history[0]["learning_rate"]


def test_the_recorded_loss_is_the_log_loss_of_the_epoch():
    unit, (x, y) = make_unit(), make_points()
    torch.nn.init.zeros_(unit.linear.weight)
    torch.nn.init.zeros_(unit.linear.bias)
    one_step = TrainingSettings(epochs=1, batch_size=40, accelerator="cpu")
    assert train(unit, x, y, one_step)[0]["loss"] == pytest.approx(np.log(2), abs=1e-6)


def test_two_trainings_give_the_same_weights_and_history():
    units = [make_unit(), make_unit()]
    histories = [train(unit, *make_points(), QUICK) for unit in units]
    assert histories[0] == histories[1]
    assert torch.equal(units[0].linear.weight, units[1].linear.weight)


def test_another_seed_gives_other_weights():
    units = [make_unit(), make_unit()]
    train(units[0], *make_points(), QUICK)
    train(units[1], *make_points(), TrainingSettings(**{**vars(QUICK), "seed": 1}))
    assert not torch.equal(units[0].linear.weight, units[1].linear.weight)


def test_global_state_is_left_alone():
    states = torch.random.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    threads = torch.get_num_threads()
    train(make_unit(), *make_points(), QUICK)
    assert torch.equal(torch.random.get_rng_state(), states[0])
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    assert random.getstate() == states[2]
    assert torch.get_num_threads() == threads
    assert torch.get_default_dtype() == torch.float32


def test_each_epoch_shows_each_exam_once_and_changes_apply_to_batches():
    x, y = make_points(10)
    seen = []

    def change(batch, labels, generator, mine):
        seen.append(batch)
        return batch, labels

    train(make_unit(), x, y, TrainingSettings(epochs=2, batch_size=4), change=change)
    assert [len(batch) for batch in seen] == [4, 4, 2, 4, 4, 2]
    for epoch in (seen[:3], seen[3:]):
        np.testing.assert_array_equal(np.sort(torch.cat(epoch), axis=0), np.sort(x, axis=0))
    assert not torch.equal(torch.cat(seen[:3]), torch.cat(seen[3:]))


def test_it_ends_ready_to_predict():
    unit = make_unit()
    train(unit, *make_points(), QUICK)
    assert not unit.training
    assert next(unit.parameters()).device.type == "cpu"


def test_a_diverging_loss_is_said_not_stored():
    x, y = make_points()
    x[3, 0] = float("inf")
    with pytest.raises(ModelError, match="in epoch 1: expected a finite number. Lower the learn"):
        train(make_unit(), x, y, QUICK)


@pytest.mark.parametrize("change", [{"accelerator": "abacus"}, {"precision": "7-bit"}])
def test_a_device_that_is_not_there_is_said(change):
    with pytest.raises(UsageError, match='Use accelerator="auto"'):
        train(make_unit(), *make_points(), TrainingSettings(**change))


@pytest.mark.skipif(torch.cuda.is_available(), reason="here the GPU is present")
def test_a_gpu_that_is_not_there_is_said():
    with pytest.raises(UsageError, match="accelerator='cuda'"):
        train(make_unit(), *make_points(), TrainingSettings(accelerator="cuda"))


def test_half_precision_trains_too():
    settings = TrainingSettings(epochs=2, accelerator="cpu", precision="bf16-mixed")
    unit = make_unit()
    train(unit, *make_points(), settings)
    assert unit.linear.weight.dtype == torch.float32


def test_progress_is_shown_only_on_request(capsys):
    train(make_unit(), *make_points(), QUICK)
    assert capsys.readouterr().err == ""
    train(make_unit(), *make_points(), QUICK, progress=True)
    assert "training" in capsys.readouterr().err


def test_an_inner_split_stops_a_training_that_no_longer_helps_and_keeps_its_best_weights():
    x, _ = make_points(40)
    y = (
        torch.rand(40, generator=torch.Generator().manual_seed(5)) < 0.5
    ).float()  # nothing to learn
    settings = TrainingSettings(**{**vars(QUICK), "epochs": 60, "patience": 3})
    unit = make_unit()
    history = train(unit, x, y, settings)
    losses = [record["inner_loss"] for record in history]
    assert len(history) < 60 and losses.index(min(losses)) == len(losses) - 4
    _, inner = split_off(y.numpy(), settings)
    with torch.no_grad():
        loss = torch.nn.functional.binary_cross_entropy_with_logits(unit(x[inner]), y[inner])
    assert loss.item() == pytest.approx(min(losses), abs=1e-6)


def test_the_inner_split_is_a_fifth_of_each_class_and_never_learnt_from():
    x, y = make_points(50)
    seen = []

    def change(batch, labels, generator, mine):
        seen.append(batch)
        return batch, labels

    settings = TrainingSettings(**{**vars(QUICK), "epochs": 2, "patience": 1})
    train(make_unit(), x, y, settings, change=change)
    learn, inner = split_off(y.numpy(), settings)
    assert y[inner].tolist().count(1) == 5 and len(inner) == 10
    assert not set(learn) & set(inner) and len(learn) == 40
    shown = {tuple(row.tolist()) for row in torch.cat(seen)}
    assert shown == {tuple(row.tolist()) for row in x[learn]}


def test_the_mean_of_the_weights_is_the_model():
    """After one step its weight is 2 / 11, and later 0.9 at most."""
    units = [make_unit() for _ in range(3)]
    one_step = {**vars(QUICK), "epochs": 1, "batch_size": 40, "learning_rate": 1e-2}
    train(units[1], *make_points(), TrainingSettings(**one_step))
    train(units[2], *make_points(), TrainingSettings(**{**one_step, "ema": 0.9}))
    first, last, mean = (unit.linear.weight.detach() for unit in units)
    assert not torch.equal(first, last)
    torch.testing.assert_close(mean, first + 9 / 11 * (last - first))


@pytest.mark.parametrize("warm_up", [0.0, 0.05, 1.0])
def test_any_warm_up_can_be_asked_for(warm_up):
    settings = TrainingSettings(**{**vars(QUICK), "warm_up": warm_up})
    rates = [record["learning_rate"] for record in train(make_unit(), *make_points(), settings)]
    assert rates[0] < 0.1 or warm_up < 0.3


@pytest.mark.parametrize("epochs", [1, 2, 3, 4])
def test_a_run_of_very_few_steps_ends(epochs):
    """The schedule of the learning rate once divided by zero in a run of three steps."""
    X, y = torch.zeros(4, 2), torch.tensor([0.0, 1, 0, 1])
    network = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Flatten(0))
    settings = TrainingSettings(epochs=epochs, batch_size=4, accelerator="cpu")
    assert len(train(network, X, y, settings)) == epochs
