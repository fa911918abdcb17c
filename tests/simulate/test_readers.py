"""Readers: sure of clear exams, divided on borderline ones, in agreement as experts are."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score, log_loss, roc_auc_score
from sklearn.model_selection import cross_val_predict

from datkit.simulate.patient.person import draw_patient, draw_pattern
from datkit.simulate.patient.uptake import seen_fractions
from datkit.simulate.readers import (
    PANEL,
    PANEL_PATTERNS,
    THRESHOLD,
    label_probability,
    read_exam,
)

N = 2500


@pytest.fixture(scope="module")
def cohort():
    """Patients in the cohort's mix, seen by readers of one centre: pattern, fraction, reading."""
    rows = []
    for seed in range(N):
        rng = np.random.default_rng([77, seed])
        pattern = draw_pattern(rng, degenerative=rng.random() < 0.55)
        seen = seen_fractions(draw_patient(rng, pattern))
        rows.append((pattern, seen["fraction"], read_exam(rng, **seen)))
    patterns, fractions, readings = zip(*rows, strict=True)
    return np.array(patterns), np.array(fractions), readings


@pytest.fixture(scope="module")
def labels(cohort):
    return np.array([reading.label for reading in cohort[2]])


@pytest.fixture(scope="module")
def votes(cohort):
    """Votes of five experts, (exams, 5)."""
    return np.array([reading.votes for reading in cohort[2]])


def test_the_same_stream_reads_the_same():
    one, two = (read_exam(np.random.default_rng(4), 0.7) for _ in range(2))
    assert one == two


def test_clear_exams_are_called_alike(cohort, votes):
    _, fraction, _ = cohort
    assert votes[fraction < 0.3].mean() > 0.99
    assert votes[fraction > 1.1].mean() < 0.01


def test_readers_split_near_the_threshold(cohort, votes):
    near = np.abs(cohort[1] - THRESHOLD) < 0.05
    split = (votes.sum(axis=1) % PANEL) > 0
    assert split[near].mean() > 0.4


def test_about_55_per_cent_are_called_abnormal(labels):
    assert 0.50 < labels.mean() < 0.60


def test_experts_agree_as_published(votes):
    kappas = [cohen_kappa_score(votes[:, a], votes[:, b]) for a, b in combinations(range(5), 2)]
    assert 0.80 < np.mean(kappas) < 0.93


def test_the_stored_label_agrees_with_the_majority_as_well(labels, votes):
    assert 0.80 < cohen_kappa_score(labels, votes.sum(axis=1) > 2) < 0.93


def test_who_knows_the_truth_still_misses_some_labels(cohort, labels):
    """The oracle: the least loss that any model can hope for, whatever it makes of the image."""
    severity = cohort[1][:, None]
    guess = cross_val_predict(LogisticRegression(C=1e3), severity, labels, method="predict_proba")
    assert 0.14 < log_loss(labels, guess) < 0.21
    assert 0.965 < roc_auc_score(labels, guess[:, 1]) < 0.985


def test_the_doubt_comes_from_patients_near_the_threshold_not_from_flips(cohort, labels):
    surprised = labels != (cohort[1] < THRESHOLD)
    near = np.abs(cohort[1] - THRESHOLD) < 0.2
    assert near[surprised].mean() > 0.75


def test_about_one_exam_in_five_is_difficult(cohort):
    difficult = np.array([reading.difficult for reading in cohort[2]])
    assert 0.15 < difficult.mean() < 0.25
    assert difficult[cohort[0] == "borderline"].mean() > 0.4


def test_certainty_and_votes_tell_the_same_story(cohort):
    for reading in cohort[2]:
        assert -3 <= reading.likert <= 3 and reading.likert != 0
        assert (reading.likert > 0) == (sum(reading.votes) > 2) == (reading.benamer > 0)
        assert 0 <= reading.confidence <= 1
        assert reading.pattern in PANEL_PATTERNS
        assert (reading.pattern == "normal") == (reading.benamer == 0)


@pytest.mark.parametrize(
    ("seen", "grade", "pattern"),
    [
        ({"fraction": 1.1, "other": 1.1, "caudate": 1.0}, 0, "normal"),
        ({"fraction": 0.45, "other": 0.95, "caudate": 1.0}, 1, "egg"),
        ({"fraction": 0.30, "other": 0.45, "caudate": 0.9}, 2, "egg"),
        ({"fraction": 0.12, "other": 0.15, "caudate": 0.4}, 3, "egg"),
        ({"fraction": 0.25, "other": 0.27, "caudate": 0.25}, 3, "burst"),
        ({"fraction": 0.58, "other": 0.58, "caudate": 0.63}, 2, "even"),
    ],
)
def test_textbook_exams_get_their_grade_and_their_name(seen, grade, pattern):
    readings = [read_exam(np.random.default_rng(seed), **seen) for seed in range(200)]
    assert np.mean([reading.benamer == grade for reading in readings]) > 0.85
    assert np.mean([reading.pattern == pattern for reading in readings]) > 0.85


def test_parkinson_is_called_an_egg_and_a_burst_is_rarely_parkinson(cohort):
    called = np.array([reading.pattern for reading in cohort[2]])
    parkinson = cohort[0] == "parkinson"
    assert (called[parkinson] == "egg").mean() > 0.75
    assert (called[parkinson] == "burst").mean() < 0.03
    assert (called[cohort[0] == "atypical"] == "burst").mean() > 0.4


def test_a_lenient_reader_calls_fewer_exams_abnormal():
    def calls(bias):
        rng = np.random.default_rng(2)
        return np.mean([read_exam(rng, THRESHOLD, bias).label for _ in range(500)])

    assert calls(0.1) < calls(0.0) < calls(-0.1)


def test_the_stored_label_is_abnormal_as_often_as_its_probability_says():
    rng = np.random.default_rng(0)
    for fraction, bias in ((0.6, 0.0), (0.72, 0.0), (0.8, 0.05), (1.2, 0.0)):
        labels = [read_exam(rng, fraction, bias=bias).label for _ in range(4000)]
        expected = label_probability(fraction, bias)
        assert np.mean(labels) == pytest.approx(expected, abs=4 * np.sqrt(0.25 / 4000))
