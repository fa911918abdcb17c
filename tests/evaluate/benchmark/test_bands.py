"""Controls: those of an honest evaluation hold, and what is dishonest is caught."""

import numpy as np
import pandas as pd
import pytest

from datkit.evaluate.benchmark.bands import chance, check_controls
from datkit.evaluate.benchmark.run import _gather


@pytest.fixture
def honest(board, exams):
    """What the controls and models predict on grouped folds, and their roles."""
    roles = {cell["model"]: cell["role"] for cell in board["cells"].values()}
    folds = {"grouped": exams.folds("grouped", 5)}
    return _gather(board["cells"], roles, folds, exams), roles


def broken(predicted, roles, exams):
    """Which controls or models are out of a band."""
    return {
        band["control"] for band in check_controls(predicted, roles, exams) if not band["holds"]
    }


def test_honest_controls_hold_and_say_where_their_bands_come_from(honest, exams):
    bands = check_controls(*honest, exams)
    assert all(band["holds"] and band["source"] for band in bands)
    controls = {band["control"] for band in bands}
    assert controls >= {"oracle", "constant", "scanner only", "age only", "shuffled labels", "leak"}


@pytest.mark.parametrize(
    ("name", "labels"),
    [("shuffled labels", "shuffled"), ("age only", "label"), ("blind", "label"),
     ("scanner only", "label"), ("constant", "label"), ("oracle", "label")],
)  # fmt: skip
def test_who_has_seen_labels_is_caught(name, labels, honest, exams):
    predicted, roles = honest
    predicted["grouped"][name] = np.where(exams.table[labels] == 1, 0.97, 0.03)
    assert name in broken(predicted, roles, exams)


def test_a_leak_that_would_not_be_seen_is_told(honest, exams, monkeypatch):
    predicted, roles = honest
    rng = np.random.default_rng(0)
    predicted["grouped"]["leak"] = rng.integers(2, size=len(exams.table)).astype(float)
    assert broken(predicted, roles, exams) == {"leak"}
    monkeypatch.setattr("datkit.evaluate.benchmark.bands.prove_folds", lambda *_: None)
    assert broken(*honest, exams) == {"leak"}


def test_a_slight_gain_of_many_exams_is_no_chance(honest, exams):
    predicted, roles = honest
    predicted["grouped"]["shuffled labels"] = np.where(exams.table["shuffled"] == 1, 0.62, 0.38)
    assert broken(predicted, roles, exams) == {"shuffled labels"}


def test_a_control_that_failed_is_told_and_a_model_that_failed_is_not(honest, exams):
    predicted, roles = honest
    predicted["grouped"] = predicted["grouped"].drop(columns=["age only", "blind"])
    assert broken(predicted, roles, exams) == {"age only"}


def test_without_truth_there_is_no_oracle_and_the_others_are_held(honest, exams):
    predicted, roles = honest
    predicted["grouped"] = predicted["grouped"].drop(columns=["oracle", "panel of readers"])
    roles = {name: role for name, role in roles.items() if role != "reference"}
    assert not broken(predicted, roles, exams)


def test_chance_undercuts_its_least_as_rarely_as_it_says():
    rng = np.random.default_rng(0)
    y, p, base = np.arange(150) % 2, rng.uniform(0.2, 0.8, 150), np.full(150, 0.5)
    found = pd.DataFrame([chance(rng.permutation(y), p, base) for _ in range(4000)])
    assert found[1].std() == pytest.approx(0, abs=1e-12)  # whatever the order of the labels
    share = np.mean(found[0] < found[1])
    assert 0 < share < 0.0035  # 1 in 1000: at most 13 of 4000, but for once in 10,000 times
