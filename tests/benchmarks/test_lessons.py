"""The challenge's lessons: what each one counts, on exams small enough to check by hand."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.common.figures import Figure, write_results
from benchmarks.common.run import RESULTS
from benchmarks.lessons import __main__ as lessons
from benchmarks.lessons import blur, isotonic, labels, lesions, runs, together
from datkit.data.split import Fold
from datkit.models import ConstantClassifier, MeasuresClassifier
from datkit.models.training.augment import putamen_backs


class Exams:
    """Two folds of two centres; the one measure tells the label, but for exam "e"."""

    sha256 = "same"
    table = pd.DataFrame(
        {"label": [0, 0, 1, 1, 1, 0], "centre": [*"AAABBB"], "votes": [0, 0, 5, 5, 0, 0]},
        index=[*"abcdef"],
    )

    def __init__(self):
        scanner = pd.get_dummies(self.table[["centre"]], dtype=float)
        measures = pd.DataFrame({"length": [1.0, 2, 9, 8, 1, 2]}, self.table.index)
        self.inputs = {"measures": measures, "scanner": scanner, "volumes": None}

    def folds(self, split, n):
        assert split == "grouped"
        return [Fold("one", (*"abc",), (*"def",)), Fold("two", (*"def",), (*"abc",))]

    def scored(self, setting):
        return self.table if setting == "grouped" else self.table[:0]


@pytest.fixture
def small(tmp_path):
    return runs.Runs(Exams(), tmp_path)


def test_a_fit_is_kept_and_another_model_is_another_fit(small, monkeypatch):
    first = small.predict("m", MeasuresClassifier(C=1.0))
    assert first.index.tolist() == [*"abcdef"] and first["d"] > 0.5 > first["f"]
    fits = len([*small.kept.iterdir()])
    monkeypatch.setattr(runs, "fit_fold", lambda *_: pytest.fail("it was fitted once more"))
    pd.testing.assert_series_equal(small.predict("m", MeasuresClassifier(C=1.0)), first)
    assert fits == 2
    with pytest.raises(pytest.fail.Exception):
        small.predict("m", MeasuresClassifier(C=9.0))


def test_what_a_board_of_the_same_exams_holds_is_taken(small):
    cells = {"x | grouped | one": {"p": "0.1 0.2 0.3"}, "x | grouped | two": {"p": "0.4 0.5 0.6"}}
    small.board = {"cohort": {"sha256": "same"}, "cells": cells}
    assert small.predict("x", ConstantClassifier()).tolist() == [0.4, 0.5, 0.6, 0.1, 0.2, 0.3]
    small.board["cohort"]["sha256"] = "others"
    assert small.predict("x", ConstantClassifier(), reads="scanner")["d"] == pytest.approx(
        1 / 3, abs=1e-6
    )


def test_exams_left_out_are_predicted_but_not_learnt_from(small):
    whole = small.predict("m", ConstantClassifier(), reads="scanner")
    part = small.predict("m", ConstantClassifier(), reads="scanner", left_out=pd.Index(["a"]))
    assert whole["d"] == pytest.approx(1 / 3, abs=1e-6)
    assert part["d"] == pytest.approx(1 / 2, abs=1e-6) and part.index.equals(whole.index)


def test_the_dearest_exams_are_dropped_and_those_that_readers_contradict():
    X = np.r_[np.zeros(20), np.ones(20)][:, None]
    y = np.r_[np.zeros(20), np.ones(20)].astype(int)
    y[7] = 1  # looks normal
    centres = np.tile([*"ABCDE"], 8)
    model = labels.CleanedClassifier(MeasuresClassifier(C=1.0), 1 / 40).fit(X, y, centres)
    assert model.dropped_.tolist() == [7]
    assert labels.contradicted(Exams.table).tolist() == ["e"]


def test_members_that_are_wrong_together_pay_for_it():
    y = np.array([0, 1, 0, 1])
    p = np.array([[0.9, 0.8], [0.9, 0.4], [0.1, 0.1], [0.9, 0.9]])
    found = {one.name: one.value for one in together.agreement(y, p, p.mean(axis=1))}
    assert found["all members wrong"] == 25
    assert found["all wrong, if they erred apart"] == pytest.approx(100 / 4 * 2 / 4)
    assert found["exams with half of the mean's loss"] == 25


def test_isotonic_regression_is_sure_and_pays_for_one_miss():
    p, y = np.linspace(0.01, 0.99, 40), np.repeat([0, 1], 20)
    sure = isotonic.isotonic(p, y, np.array([0.02, 0.98]))
    assert sure.tolist() == [0, 1]
    assert isotonic.careful(p, y, np.array([0.02])).tolist() == [isotonic.EDGE]
    figure = isotonic.missed("m", np.array([0, 1]), np.array([1.0, 1.0]))
    assert figure.value == pytest.approx(-np.log(1e-6) / 2) and "1 exams" in figure.note


def test_sharp_lesions_end_within_a_voxel_and_blurred_ones_reach_beyond():
    view = lesions.LesionedClassifier().plan.view
    sharp, soft = lesions.sharp_backs(*view), putamen_backs(*view)
    assert sharp.shape == soft.shape and sharp.max() == soft.max() == 1
    assert (sharp > 0).sum() < (soft > 0.01).sum() / 2


def test_a_lesioned_network_trains_on_projections_and_reads_boxes():
    rng = np.random.default_rng(0)
    boxes, y = rng.normal(2, 0.1, (8, 24, 16, 16)).astype(np.float32), np.tile([0, 1], 4)
    model = lesions.LesionedClassifier(epochs=1, width=2, lesions=1.0, sharp=True).fit(boxes, y)
    assert model.predict_proba(boxes).shape == (8, 2)
    change = lesions.LesionedClassifier(lesions=1.0).change()
    labelled = change(
        torch.from_numpy(boxes), torch.from_numpy(y).float(), torch.Generator(), slice(0, 4)
    )
    assert labelled[0].shape == (4, 6, 24, 16) and labelled[1].tolist() == [1, 1, 1, 1]


def test_the_fall_from_home_to_away_has_the_interval_of_two_means():
    home, away = pd.Series([0.1, 0.3] * 50), pd.Series([0.3, 0.5] * 50)
    figure = blur.fall("m", home, away)
    half = 1.96 * np.hypot(*[home.std() / 10] * 2)
    assert figure.value == pytest.approx(0.2) and not figure.holds
    assert figure.interval == pytest.approx((0.2 - half, 0.2 + half))


def test_pictures_and_table_are_made_of_the_results(tmp_path):
    path = tmp_path / "lessons-7.json"
    one = Figure("a, b", 0.02, interval=(0.01, 0.03), unit="log loss", note="n = 9").to_dict()
    write_results(path, {"slopes": {"figures": [one]}}, "lessons")
    lessons.draw(path)
    assert (tmp_path / "lessons-7-slopes.png").read_bytes().startswith(b"\x89PNG")
    table = path.with_suffix(".md").read_text().splitlines()
    assert table[2:] == ["| **Slopes** | | |", "| a, b | 0.020 (0.010 to 0.030) log loss | n = 9 |"]


def test_the_table_in_the_checkout_is_that_of_its_results(tmp_path):
    for path in RESULTS.glob("lessons-*.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
        lessons.draw(tmp_path / path.name)
        made = tmp_path / path.with_suffix(".md").name
        assert made.read_bytes() == path.with_suffix(".md").read_bytes()
        drawn = {one.name for one in tmp_path.glob(f"{path.stem}-*.png")}
        assert drawn == {one.name for one in RESULTS.glob(f"{path.stem}-*.png")}
        assert {*json.loads(path.read_text())["sections"]} <= {*lessons.LESSONS}
