"""ComBat over hospitals gives what ComBat of all exams in one place gives, and sends sums only."""

from __future__ import annotations

import json

import numpy as np
import pytest

from datkit.errors import UsageError
from datkit.federated import combat as federated
from datkit.federated.combat import harmonise_here, message_of_sums, pool_messages
from datkit.measure.combat import Combat

SIZES = {"a": 40, "b": 12, "c": 25}


def exams(seed=0):
    """Three unequal hospitals: c reads high with twice the spread; age and label matter."""
    rng = np.random.default_rng(seed)
    centres = np.repeat([*SIZES], [*SIZES.values()])
    covariates = np.column_stack(
        [rng.normal(65, 9, len(centres)), rng.integers(0, 2, len(centres))]
    )
    high = (centres == "c").astype(float)[:, None]
    noise = rng.normal(0, 0.2, (len(centres), 6)) * (1 + high)
    return 2.5 + 0.5 * high - covariates @ [[0.01], [0.8]] + noise, centres, covariates


def together(values, centres, covariates):
    """Harmonise over hospitals; also what each sent, and what the server answered."""
    rows = {name: centres == name for name in SIZES}
    part = {name: None if covariates is None else covariates[at] for name, at in rows.items()}
    sent = {name: message_of_sums(values[at], part[name]) for name, at in rows.items()}
    answer, even = pool_messages([*sent.values()]), np.empty_like(values)
    for name, at in rows.items():
        even[at] = harmonise_here(values[at], part[name], answer)
    return even, sent, answer


@pytest.mark.parametrize("covaried", [True, False])
def test_over_hospitals_it_is_what_it_is_in_one_place(covaried):
    values, centres, covariates = exams()
    covariates = covariates if covaried else None
    central = Combat().fit_transform(values, centres, covariates)
    even = together(values, centres, covariates)[0]
    np.testing.assert_allclose(even, central, rtol=0, atol=1e-10)
    assert np.abs(even - values).max() > 0.3


def test_the_pooled_fit_is_least_squares_on_all_exams():
    """Found by another way: the design matrix of everyone's exams, in one place."""
    values, centres, covariates = exams()
    rows = centres[:, None] == np.array([*SIZES])
    design = np.hstack([rows, covariates - covariates.mean(0)])
    weights = np.linalg.lstsq(design, values, rcond=None)[0]
    answer = json.loads(together(values, centres, covariates)[2])
    np.testing.assert_allclose(answer["slopes_"], weights[3:], rtol=0, atol=1e-10)
    np.testing.assert_allclose(answer["mean_"], rows.mean(0) @ weights[:3], rtol=0, atol=1e-10)
    sd = np.sqrt(((values - design @ weights) ** 2).mean(0))
    np.testing.assert_allclose(answer["sd_"], sd, rtol=0, atol=1e-10)


def test_what_crosses_the_wire_are_sums_as_many_for_few_exams_as_for_many():
    values, centres, covariates = exams()
    sent = together(values, centres, covariates)[1]
    for name, message in sent.items():
        told = json.loads(message)
        assert told["n"] == SIZES[name]
        shapes = {key: np.shape(part) for key, part in told.items()}
        assert shapes == {"n": (), "x": (2,), "y": (6,), "xx": (2, 2), "xy": (2, 6), "yy": (6,)}
        assert len(message) < 900
        numbers = [json.dumps(number) for number in values[centres == name].ravel().tolist()]
        assert not any(number.encode() in message for number in numbers)


def test_fewer_than_ten_exams_are_not_sent_since_two_can_be_worked_out(monkeypatch):
    values = exams()[0][:2]
    with pytest.raises(UsageError, match="Expected 10 exams or more .* found 2 exams"):
        message_of_sums(values)
    monkeypatch.setattr(federated, "LEAST", 2)
    told = json.loads(message_of_sums(values))
    apart = np.sqrt(np.array(told["yy"]) / 2)  # the attack that the limit is against
    guessed = np.sort([told["y"] - apart, told["y"] + apart], axis=0)
    np.testing.assert_allclose(guessed, np.sort(values, axis=0))


def test_a_covariate_that_hospitals_foretell_is_refused_by_the_server():
    values, centres, _ = exams()
    field = np.where(centres == "c", 65.1, 70.3)
    with pytest.raises(UsageError, match="vary within centres"):
        together(values, centres, field[:, None])


def test_a_covariate_far_from_zero_is_none_that_is_foretold():
    values, centres, covariates = exams()
    years = covariates + np.array([2000, 0])
    even = together(values, centres, years)[0]
    np.testing.assert_allclose(even, Combat().fit_transform(values, centres, covariates), atol=1e-9)


def test_nothing_that_is_no_number_is_sent():
    values = exams()[0]
    values[3, 2] = np.nan
    with pytest.raises(UsageError, match="not sent"):
        message_of_sums(values)


@pytest.mark.parametrize("change", [
    {"y": [float("nan")] * 6}, {"n": -5}, {"n": "x"}, {"n": None}, {"y": [1.0]}, {"z": 1},
])  # fmt: skip
def test_a_message_of_nonsense_is_told_and_pooled_with_none(change):
    values, centres, _ = exams()
    good = [message_of_sums(values[centres == name]) for name in SIZES]
    bad = json.dumps(json.loads(good[1]) | change).encode()
    for wrong in (bad, b"[]", b"no JSON"):
        with pytest.raises(UsageError, match="in message 2: leave it out"):
            pool_messages([good[0], wrong, good[2]])
