"""The server's rounds: what it takes, what it refuses, and that it goes on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from datkit.errors import ModelError, UsageError
from datkit.federated import (
    STRATEGIES,
    Strategy,
    Update,
    adapt_statistics,
    make_hospitals,
    train_federated,
)
from datkit.federated.training import Order, check_updates, mean_weights, read_weights
from datkit.models import crop_striata, load_model, save_model
from datkit.prepare import PreparedCohort


class Spoilt:
    """A hospital whose answers are changed on their way."""

    def __init__(self, hospital, spoil, rounds=range(100)):
        self.hospital, self.name, self.spoil, self.rounds = hospital, hospital.name, spoil, rounds

    def train(self, order):
        answer = self.hospital.train(order)
        return self.spoil(answer) if order.round in self.rounds else answer


def away(_):
    raise ConnectionResetError("killed")


def first_weight(change):
    def spoil(answer):
        name = next(iter(answer.weights))
        return answer._replace(weights=answer.weights | {name: change(answer.weights[name])})

    return spoil


def statistic(end, change):
    def spoil(answer):
        changed = {k: change(w) for k, w in answer.weights.items() if k.endswith(end)}
        return answer._replace(weights=answer.weights | changed)

    return spoil


NONSENSE = {
    "NaN or infinity in 1.read.0.0.weight": first_weight(lambda w: w * np.nan),
    "1.read.0.0.weight (2,)": first_weight(lambda w: np.zeros(2, np.float32)),
    "times the median": first_weight(lambda w: w + 1e4),
    "exams, found 0": lambda answer: answer._replace(n=0),
    "exams, found 1000000000": lambda answer: answer._replace(n=10**9),
    "exams, found True": lambda answer: answer._replace(n=True),
    "NaN or infinity in the loss": lambda answer: answer._replace(loss=float("nan")),
    "no variance or loss below 0, found the loss": lambda answer: answer._replace(loss=-1.0),
    "NaN or infinity in the loss.": lambda answer: answer._replace(loss=1e308),
    "the loss (3,)": lambda answer: answer._replace(loss=[1.0] * 3),
    "found TypeError('object for numbers')": lambda answer: answer._replace(loss=None),
    "has no attribute 'weights'": lambda answer: None,
    "has no attribute 'items'": lambda answer: answer._replace(weights=[1]),
    "for numbers": first_weight(lambda w: np.full(w.shape, "x")),
    "complex64 for numbers": first_weight(lambda w: w + 1j),
    "setting an array element": first_weight(lambda w: [[1], [1, 2]]),
    "found 1.read.0.1.running_var": statistic("running_var", lambda w: -w - 1),
    "statistics that moved at most 100 times": statistic("running_mean", lambda w: w + 1e30),
    "1.logit.bias missing": lambda answer: answer._replace(
        weights={k: v for k, v in answer.weights.items() if k != "1.logit.bias"}
    ),
}


def same(one, other):
    first, second = (read_weights(each.model.network_) for each in (one, other))
    return all((first[name] == second[name]).all() for name in first)


def test_the_mean_counts_each_hospital_by_its_exams():
    answers = [Update({"w": np.float32([0, 8])}, 1, 0), Update({"w": np.float32([4, 0])}, 3, 0)]
    assert mean_weights(answers)["w"].tolist() == [3, 2]


def test_the_order_in_which_hospitals_are_named_changes_nothing(model, hospitals):
    one = train_federated(model, hospitals, rounds=2)
    assert same(one, train_federated(model, hospitals[::-1], rounds=2))


def test_bytes_are_those_of_the_weights_both_ways(model, hospitals):
    sent = sum(one.nbytes for one in read_weights(model.parts(model.build())[1]).values())
    assert (
        sum(record["bytes"] for record in train_federated(model, hospitals, rounds=2).history)
        == 2 * 3 * 2 * sent
    )


@pytest.mark.parametrize("found", NONSENSE)
def test_nonsense_is_refused_with_a_sentence_and_leaves_no_trace(model, hospitals, found):
    spoilt = [*hospitals[:2], Spoilt(hospitals[2], NONSENSE[found])]
    run = train_federated(model, spoilt, rounds=2)
    assert all(record["hospitals"] == ["A", "B"] for record in run.history)
    said = [str(one) for record in run.history for one in record["refused"]]
    assert len(said) == 2 and all(found in one and one.startswith("C: expected ") for one in said)
    assert same(run, train_federated(model, hospitals[:2], rounds=2))


def test_one_absurd_hospital_of_two_is_found(model, hospitals):
    spoilt = [hospitals[0], Spoilt(hospitals[1], NONSENSE["times the median"])]
    assert train_federated(model, spoilt, rounds=1).history[0]["hospitals"] == ["A"]


def test_a_hospital_that_is_away_is_asked_again(model, hospitals):
    run = train_federated(model, [*hospitals[:2], Spoilt(hospitals[2], away, [1])], rounds=3)
    assert [record["absent"] for record in run.history] == [[], ["C"], []]
    assert [len(record["hospitals"]) for record in run.history] == [3, 2, 3]


def test_a_hospital_without_exams_or_in_time_is_left_out(model, hospitals):
    hospitals[0].boxes, hospitals[0].labels = hospitals[0].boxes[:0], hospitals[0].labels[:0]

    def late(_):
        raise TimeoutError("slow")

    record = train_federated(model, [*hospitals[:2], Spoilt(hospitals[2], late)], rounds=1).history
    assert record[0]["hospitals"] == ["B"] and record[0]["absent"] == ["C"]
    assert "found 0" in str(record[0]["refused"][0])


def test_a_round_without_an_answer_ends_in_a_sentence(model, hospitals):
    with pytest.raises(ModelError, match="in round 2, found none of A, B, C"):
        train_federated(model, [Spoilt(one, away, [1]) for one in hospitals], rounds=3)


def test_a_fault_of_the_code_is_no_absence(model, hospitals):
    with pytest.raises(ZeroDivisionError):
        train_federated(model, [Spoilt(hospitals[0], lambda answer: 1 / 0)], rounds=1)


def test_wrong_calls_are_told(model, hospitals):
    for wrong in ({"strategy": "magic"}, {"rounds": 0}):
        with pytest.raises(UsageError, match="Expected"):
            train_federated(model, hospitals, **wrong)
    for none in ([], [hospitals[0]] * 2):
        with pytest.raises(UsageError, match="hospitals of different names"):
            train_federated(model, none)


def test_local_statistics_in_an_answer_are_refused(model, hospitals):
    weights = read_weights(model.parts(model.build())[1])
    order = Order(weights, 0, 1, "local-statistics")
    refused = check_updates({"A": Update(weights, 3, 0.5)}, order)
    assert "running_mean" in str(refused[0])


def test_the_model_is_stored_and_predicts_as_any_other(tmp_path, model, hospitals):
    fitted = train_federated(model, hospitals, rounds=2).model
    X = np.random.default_rng(0).uniform(0.5, 3, (3, 64, 80, 48)).astype(np.float32)
    again = load_model(save_model(fitted, tmp_path / "model"))
    assert (again.predict_proba(X) == fitted.predict_proba(X)).all()
    assert not hasattr(model, "network_")


def test_each_centre_is_a_hospital_with_its_labelled_exams(model):
    volumes = np.arange(5, dtype=np.float32)[:, None, None, None] + np.ones(
        (5, 64, 80, 48), np.float32
    )
    table = pd.DataFrame(
        {"centre": list("baaba"), "is_pathologic": [0, 1, np.nan, 1, 0]}, index=list("uvwxy")
    )
    a, b = make_hospitals(PreparedCohort(volumes, table), model)
    assert (a.name, b.name) == ("a", "b")
    assert a.labels.tolist() == [1, 0] and b.labels.tolist() == [0, 1]
    assert a.boxes[:, 0, 0, 0].tolist() == [2, 5] and b.boxes[:, 0, 0, 0].tolist() == [1, 4]
    with pytest.raises(UsageError, match="column 'centre'"):
        make_hospitals(PreparedCohort(volumes, table.drop(columns="centre")), model)


def test_an_update_holds_weights_a_count_and_a_loss_alone(model, hospitals):
    order = Order(read_weights(model.parts(model.build())[1]), 0, 2)
    update = hospitals[2].train(order)
    assert [*Update._fields] == ["weights", "n", "loss"]
    shapes = {name: one.shape for name, one in update.weights.items()}
    assert shapes == {name: one.shape for name, one in order.weights.items()}


def start(model):
    return read_weights(model.parts(model.build())[1])


def moved(update, order):
    names = [name for name in update.weights if "running" not in name]
    return np.sqrt(sum(((update.weights[n] - order.weights[n]) ** 2).sum() for n in names))


def test_fedprox_keeps_a_hospital_nearer_to_the_start(model, hospitals, monkeypatch):
    monkeypatch.setitem(STRATEGIES, "strong", Strategy("-", proximal=100.0))
    orders = [Order(start(model), 0, 1, name) for name in ("fedavg", "strong")]
    free, pulled = (moved(hospitals[0].train(order), order) for order in orders)
    assert pulled < 0.8 * free


def test_local_statistics_never_leave_and_are_used_again(model, hospitals):
    order = Order(start(model), 0, 2, "local-statistics")
    shared = hospitals[0].train(order)
    assert not [name for name in shared.weights if "running" in name]
    kept = {name: one.copy() for name, one in hospitals[0].kept.items()}
    assert kept and all("running" in name for name in kept)
    hospitals[0].train(order)  # a second time, from what was kept
    assert any((kept[name] != one).any() for name, one in hospitals[0].kept.items())


def test_local_statistics_change_no_weight_that_is_trained(model, hospitals):
    runs = [train_federated(model, hospitals, name, rounds=3) for name in ("fedavg", "fedprox")]
    runs.append(train_federated(model, hospitals, "local-statistics", rounds=3))
    mean, near, local = (read_weights(run.model.network_) for run in runs)
    trained = [name for name in mean if "running" not in name]
    assert all((mean[name] == local[name]).all() for name in trained)
    assert any((mean[name] != near[name]).any() for name in trained)
    assert any((mean[name] != local[name]).any() for name in mean)


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_learns_from_hospitals_and_repeats(model, hospitals, name):
    runs = []
    for _ in range(2):
        for hospital in hospitals:
            hospital.kept = {}
        runs.append(train_federated(model, hospitals, strategy=name, rounds=18))
    first, second = (read_weights(run.model.network_) for run in runs)
    assert first.keys() == second.keys()
    assert all((first[one] == second[one]).all() for one in first)
    assert runs[0].history[-1]["loss"] < 0.9 * runs[0].history[0]["loss"]


def test_no_voxel_enters_a_log(hospitals):
    assert repr(hospitals[0]).startswith("Hospital(name='A', model=")
    assert "array" not in repr(hospitals[0])


@pytest.fixture
def fitted(model, hospitals):
    return train_federated(model, hospitals, "local-statistics", rounds=2).model


@pytest.fixture
def volumes():
    return np.random.default_rng(0).uniform(0.5, 3, (6, 64, 80, 48)).astype(np.float32)


def test_statistics_are_those_of_the_exams_in_whatever_order(fitted, volumes):
    before = fitted.decision_function(volumes)
    adapted = adapt_statistics(fitted, volumes).decision_function(volumes)
    assert np.abs(adapted - before).max() > 1e-3
    again = adapt_statistics(fitted, volumes[::-1]).decision_function(volumes)
    np.testing.assert_allclose(again, adapted, atol=1e-4)
    assert (fitted.decision_function(volumes) == before).all(), "the model itself stays"


def test_what_a_hospital_had_before_is_forgotten(fitted, volumes):
    twice = adapt_statistics(adapt_statistics(fitted, 2 * volumes), volumes)
    once = adapt_statistics(fitted, volumes)
    assert (twice.decision_function(volumes) == once.decision_function(volumes)).all()


def test_they_are_the_means_over_all_exams_and_their_mirror_images(fitted, volumes):
    adapted = adapt_statistics(fitted, volumes)
    boxes = torch.from_numpy(crop_striata(volumes))
    _, learning = adapted.parts(adapted.network_)
    inputs = adapted.network_.project(torch.cat([boxes, boxes.flip(1)]))
    first = next(part for part in learning.modules() if isinstance(part, torch.nn.BatchNorm2d))
    seen = []
    first.register_forward_hook(lambda part, given, out: seen.append(given[0]))
    learning(inputs)
    # Both halves are read by the same weights: the statistics are those of the last, and a mirrored
    # box swaps them.
    told = seen[-1].mean((0, 2, 3)).detach()
    np.testing.assert_allclose(first.running_mean.numpy(), told.numpy(), atol=1e-5)


def test_statistics_of_other_shapes_are_refused(fitted):
    with pytest.raises(ModelError, match="prepared volumes"):
        adapt_statistics(fitted, np.ones((2, 24, 16, 16)))
