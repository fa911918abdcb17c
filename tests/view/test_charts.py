"""Charts: units on every axis, every exam drawn, and golden cases small enough for a pencil."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from datkit.errors import UsageError
from datkit.evaluate import Score
from datkit.measure.definitions import LENGTH, Measure, add, forget
from datkit.view.charts import (
    plot_learning,
    plot_measures,
    plot_reliability,
    plot_scores,
    plot_shares,
)

TABLE = pd.DataFrame(
    {
        "putamen_left": [2.0, 2.2, 0.4, np.nan, 9.0],
        "putamen_right": [2.1, 2.3, 0.8, 0.9, 9.0],
        "putamen_asymmetry": [-4.9, -4.4, -66.7, np.nan, 0.0],
    }
)
LABELS = [0, 0, 1, 1, np.nan]


def test_measures_of_one_unit_share_an_axis() -> None:
    sbr, asymmetry = plot_measures(TABLE, LABELS, list(TABLE)).axes
    assert sbr.get_ylabel() == "specific binding ratio (no unit)"
    assert asymmetry.get_ylabel() == "asymmetry, left − right (%)"
    assert [tick.get_text() for tick in sbr.get_xticklabels()] == [
        "putamen\nleft",
        "putamen\nright",
    ]


def test_a_column_that_is_no_measure_stands_for_a_binding_ratio() -> None:
    table = pd.DataFrame({"putamen_lowest": [2.0, 0.5], "centre A": [2.0, np.inf]})
    (axes,) = plot_measures(table, [0, 1], list(table)).axes
    assert axes.get_ylabel() == "specific binding ratio (no unit)"


def test_a_new_measure_brings_its_axis() -> None:
    add(Measure("width", "striatum", LENGTH, lambda both: 0.0))
    try:
        (axes,) = plot_measures(pd.DataFrame({"width": [7.0, 9.0]}), [0, 1], ["width"]).axes
    finally:
        forget("width")
    assert axes.get_ylabel() == "length (mm)"


def test_every_labelled_exam_is_a_dot() -> None:
    (axes,) = plot_measures(TABLE, LABELS, ["putamen_left"]).axes
    normal, abnormal = (np.asarray(dots.get_offsets())[:, 1] for dots in axes.collections)
    assert (sorted(normal), sorted(abnormal)) == ([2.0, 2.2], [0.4])  # no NaN, no unlabelled exam


def test_measures_tell_every_missing_column_at_once() -> None:
    with pytest.raises(UsageError, match="no column 'a'; no column 'b'; 5 rows for 1 labels"):
        plot_measures(TABLE, [0], ["a", "b"])


def test_a_calibrated_model_lies_on_the_diagonal() -> None:
    labels = [0, 0, 0, 1, 0, 1, 1, 1]  # one of four at 0.25, three of four at 0.75
    axes = plot_reliability(labels, [0.25] * 4 + [0.75] * 4, n_bins=2).axes[0]
    predicted, seen = axes.lines[1].get_data()
    assert (list(predicted), list(seen)) == ([0.25, 0.75], [0.25, 0.75])


def test_reliability_refuses_what_is_no_probability() -> None:
    with pytest.raises(UsageError, match=r"one probability in \[0, 1\] per label"):
        plot_reliability([0, 1], [0.5, 1.2])


def test_learning_is_drawn_by_epoch_and_its_best_epoch_is_marked() -> None:
    losses = [(0.7, 0.69), (0.5, 0.52), (0.4, 0.6)]
    history = [
        {"epoch": number, "loss": loss, "inner_loss": inner, "learning_rate": 1e-3}
        for number, (loss, inner) in enumerate(losses, start=1)
    ]
    learnt, inner, best = plot_learning(history).axes[0].lines
    np.testing.assert_allclose(learnt.get_xydata(), [[1, 0.7], [2, 0.5], [3, 0.4]])
    np.testing.assert_allclose(inner.get_ydata(), [0.69, 0.52, 0.6])
    assert best.get_xydata().tolist() == [[2, 0.52]] and best.get_label() == "lowest, epoch 2"


def test_learning_without_an_inner_split_is_one_line_and_without_epochs_none() -> None:
    assert len(plot_learning([{"epoch": 1, "loss": 0.7}]).axes[0].lines) == 1
    with pytest.raises(UsageError, match="a loaded model has no history"):
        plot_learning([])


def test_scores_are_drawn_with_their_intervals() -> None:
    def of(value: float) -> dict[str, Score]:
        return {"log_loss": Score("log_loss", value, value - 0.1, value + 0.1, n=96, seed=0)}

    (axes,) = plot_scores({"measures": of(0.4), "3-D CNN": of(0.3)}).axes
    intervals = [list(line.get_xdata()) for line in axes.lines[::2]]
    np.testing.assert_allclose(intervals, [[0.3, 0.5], [0.2, 0.4]])
    assert axes.get_xlabel() == "log loss\n(lower is better)"
    assert [t.get_text() for t in axes.get_yticklabels()] == ["measures\nn = 96", "3-D CNN\nn = 96"]


def test_scores_of_different_kinds_are_refused() -> None:
    score = Score("auroc", 0.9, 0.8, 1.0, n=9, seed=0)
    with pytest.raises(UsageError, match="the same scores for every model"):
        plot_scores({"a": {"auroc": score}, "b": {"brier": score}})


def test_shares_carry_the_interval_of_wilson() -> None:
    axes = plot_shares([1, 1, 0, 0, 0], ["B", "B", "B", "A", "A"]).axes[0]
    interval, dot = axes.lines[2:4]
    # by hand, 2 of 3 and z = 1.96: (2/3 + z²/6 ± z √(2/27 + z²/36)) / (1 + z²/3)
    np.testing.assert_allclose(interval.get_xdata(), [20.8, 93.9], atol=0.05)
    assert dot.get_xdata()[0] == pytest.approx(200 / 3)
    assert axes.lines[-1].get_xdata()[0] == pytest.approx(40)  # of all five


def test_a_share_of_none_has_an_interval_too() -> None:
    interval, dot = plot_shares([0, 0], ["A", "A"]).axes[0].lines[:2]
    assert dot.get_xdata()[0] == interval.get_xdata()[0] == 0
    assert interval.get_xdata()[1] > 50


@pytest.mark.parametrize("outcomes", [[], [0, 2], [0, np.nan], [0, 1, 1]])
def test_shares_need_an_outcome_for_each_exam(outcomes: list[float]) -> None:
    with pytest.raises(UsageError, match="an outcome of 0 or 1 for each exam"):
        plot_shares(outcomes, ["A", "A"][: max(1, len(outcomes))])
