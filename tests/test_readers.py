"""Readers: sure of clear exams, divided on borderline ones, in agreement as experts are."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from datkit.simulate.readers import PANEL, PANEL_READER, THRESHOLD, read_exam


@pytest.fixture(scope="module")
def readings():
    """The panel's calibration population: abnormal about 0.42, normal about 1 of expected."""
    rng = np.random.default_rng(0)
    ill = rng.random(4000) < 0.55
    fraction = np.where(ill, rng.normal(0.42, 0.18, 4000), rng.normal(1, 0.15, 4000))
    return fraction, [read_exam(rng, value) for value in fraction]


def test_the_same_stream_reads_the_same():
    one, two = (read_exam(np.random.default_rng(4), 0.7) for _ in range(2))
    assert one == two


def test_clear_exams_are_called_alike(readings):
    fraction, read = readings
    votes = np.array([reading.votes for reading in read])
    assert votes[fraction < 0.3].mean() > 0.99 * PANEL
    assert votes[fraction > 1.1].mean() < 0.01 * PANEL


def test_readers_split_near_the_threshold(readings):
    fraction, read = readings
    near = np.abs(fraction - THRESHOLD) < 0.05
    split = [0 < reading.votes < PANEL for reading in read]
    assert np.mean(np.array(split)[near]) > 0.4


def test_votes_and_labels_are_worth_the_published_agreement(readings):
    """Experts agree with kappa 0.80-0.93; the stored label with the majority about as well."""
    _, read = readings
    label = [reading.label for reading in read]
    majority = [reading.votes > PANEL / 2 for reading in read]
    assert 0.80 < cohen_kappa_score(label, majority) < 0.93


def test_two_experts_agree_as_published(readings):
    fraction, _ = readings
    rng = np.random.default_rng(1)
    seen = fraction + rng.normal(0, 0.07, fraction.size)
    one, two = (seen + rng.normal(0, PANEL_READER, seen.size) < THRESHOLD for _ in range(2))
    assert 0.85 < cohen_kappa_score(one, two) < 0.95


def test_who_knows_the_truth_still_misses_some_labels(readings):
    fraction, read = readings
    assert 0.96 < roc_auc_score([reading.label for reading in read], -fraction) < 0.99


def test_a_lenient_reader_calls_fewer_exams_abnormal():
    def calls(bias):
        rng = np.random.default_rng(2)
        return np.mean([read_exam(rng, 0.72, bias).label for _ in range(500)])

    assert calls(0.1) < calls(0.0) < calls(-0.1)
