"""Charts of numbers: measures by class, calibration, scores and shares with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes

from datkit.errors import UsageError
from datkit.measure.definitions import DEFINITIONS, SBR
from datkit.view.canvas import CLASSES, NORMAL, STROKES, Picture, house_style, new_picture

__all__ = ["plot_learning", "plot_measures", "plot_reliability", "plot_scores", "plot_shares"]

SCORE_LABELS = {
    "auroc": "AUROC\n(higher is better)",
    "brier": "Brier score\n(lower is better)",
    "log_loss": "log loss\n(lower is better)",
}


@house_style()
def plot_measures(
    table: pd.DataFrame,
    labels: npt.ArrayLike,
    columns: Sequence[str] = ("caudate_left", "caudate_right", "putamen_left", "putamen_right"),
    title: str = "",
    *,
    names: Sequence[str] = CLASSES,
) -> Picture:
    """Plot measures by class: every exam a dot, the middle half a box, the median a line.

    Parameters
    ----------
    table : pandas.DataFrame, n rows
        Measures of :func:`datkit.measure.measure_cohort`.
    labels : sequence of n numbers
        0 or 1 for each row; a row with another label or none is left out.
    columns : sequence of str
        Measures to plot; those of one unit (SBR, %, ratio) share an axis. A name that is not in
        :data:`datkit.measure.definitions.DEFINITIONS` stands for a binding ratio.
    title : str
        What is compared.
    names : two str
        Names of classes 0 and 1.

    Raises
    ------
    UsageError
        If the table lacks a column, or its length is not that of `labels`.

    Examples
    --------
    >>> import pandas
    >>> table = pandas.DataFrame({"putamen_left": [2.0, 0.5], "putamen_asymmetry": [1.0, 30.0]})
    >>> [axes.get_ylabel() for axes in plot_measures(table, [0, 1], list(table)).axes]
    ['specific binding ratio (no unit)', 'asymmetry, left − right (%)']
    """
    classes = np.asarray(labels, dtype=float)
    problems = [f"no column {name!r}" for name in columns if name not in table]
    if len(table) != classes.size:
        problems.append(f"{len(table)} rows for {classes.size} labels")
    if problems:
        expected = f"Expected a table with one row per label and the columns {list(columns)}"
        found = f"{'; '.join(problems)}"
        raise UsageError(f"{expected}, found {found}; make it with datkit.measure.measure_cohort.")
    kind_of = {name: one.kind for name, one in DEFINITIONS.items()}
    grouped = groupby(columns, key=lambda name: kind_of.get(name, SBR).axis)
    panels = [(axis, list(group)) for axis, group in grouped]
    widths = [len(group) + 0.3 for _, group in panels]
    figure, grid = new_picture(1, len(panels), 4.4, title, width_ratios=widths)
    for axes, (label, group) in zip(grid.flat, panels, strict=True):
        for place, column in enumerate(group):
            for kind in (0, 1):
                _strip(axes, place + 0.4 * kind - 0.2, table[column][classes == kind], kind)
        axes.set_xticks(range(len(group)), [name.replace("_", "\n") for name in group])
        axes.set_ylabel(label)
    for name, (colour, marker, _) in zip(names, STROKES, strict=True):
        grid[0, 0].plot([], [], marker, color=colour, label=name)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


@house_style()
def plot_learning(history: Sequence[Mapping[str, float]], title: str = "") -> Picture:
    """Plot how the loss fell while a network was trained, and where its inner loss was lowest.

    The training loss is that of changed exams, by weights that still move: it may lie above the
    inner loss, which is that of exams as they are.

    Parameters
    ----------
    history : sequence of records, one per epoch
        The ``history_`` of a fitted network.
    title : str
        Which model.

    Raises
    ------
    UsageError
        If there is no epoch.

    Examples
    --------
    >>> picture = plot_learning([{"epoch": 1, "loss": 0.7}, {"epoch": 2, "loss": 0.5}])
    >>> picture.axes[0].get_xlabel()
    'epoch'
    """
    if not history:
        raise UsageError("Expected one epoch at least, found none: a loaded model has no history.")
    figure, ((axes,),) = new_picture(1, 1, 3.4, title)
    names = {"loss": "changed exams that it learns from", "inner_loss": "inner split"}
    for (colour, mark, dash), (key, name) in zip(STROKES, names.items(), strict=True):
        if points := [(one["epoch"], one[key]) for one in history if key in one]:
            axes.plot(*np.transpose(points), mark + dash, color=colour, markersize=3, label=name)
    if points:
        epoch, loss = min(points, key=lambda point: point[1])
        axes.plot(epoch, loss, "D", color="black", label=f"lowest, epoch {epoch:.0f}")
    axes.set(xlabel="epoch", ylabel="log loss (lower is better)")
    axes.legend()
    return figure


@house_style()
def plot_reliability(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, title: str = "", *, n_bins: int = 8
) -> Picture:
    """Plot how often exams called abnormal with probability p are abnormal.

    Exams are binned by rank, so that each dot stands for about as many. A calibrated model lies on
    the diagonal.

    Parameters
    ----------
    labels : sequence of n numbers
        0 normal, 1 abnormal.
    probabilities : sequence of n floats in [0, 1]
        Predicted probability of abnormal.
    title : str
        Which model.
    n_bins : int
        Most bins to make; ties may leave fewer.

    Raises
    ------
    UsageError
        If the two lengths differ, or a probability lies outside [0, 1].
    """
    from sklearn.calibration import calibration_curve

    classes, values = np.asarray(labels), np.asarray(probabilities, dtype=float)
    if classes.shape != values.shape or not ((values >= 0) & (values <= 1)).all():
        expected = "Expected one probability in [0, 1] per label"
        found = f"shapes {classes.shape} and {values.shape}"
        raise UsageError(f"{expected}, found {found}; pass predict_proba(X)[:, 1].")
    seen, predicted = calibration_curve(classes, values, n_bins=n_bins, strategy="quantile")
    figure, ((axes,),) = new_picture(1, 1, 5.2, title)
    axes.plot([0, 1], [0, 1], color="0.5", linestyle="--", label="calibrated")
    axes.plot(predicted, seen, marker="o", color=NORMAL, label=f"model, n = {classes.size}")
    axes.set(xlabel="predicted probability of abnormal", ylabel="share abnormal", aspect="equal")
    axes.legend(loc="upper left")
    return figure


@house_style()
def plot_scores(scores: Mapping[str, Mapping[str, Any]], title: str = "") -> Picture:
    """Plot scores of several models with their 95 % intervals, one panel per score.

    Parameters
    ----------
    scores : mapping of model name to a mapping of score name to Score
        What :func:`datkit.evaluate.score_probabilities` returned for each model.
    title : str
        What is compared.

    Raises
    ------
    UsageError
        If there is no model, or not every model has the same scores.
    """
    kinds = sorted({tuple(of_model) for of_model in scores.values()})
    if len(kinds) != 1:
        expected = "Expected the same scores for every model"
        raise UsageError(f"{expected}, found {kinds}; score all of them with score_probabilities.")
    figure, grid = new_picture(1, len(kinds[0]), 1.4 + 0.55 * len(scores), title)
    for axes, kind in zip(grid.flat, kinds[0], strict=True):
        found = [(name, of_model[kind]) for name, of_model in scores.items()]
        rows = [(f"{name}\nn = {one.n}", one.value, (one.low, one.high)) for name, one in found]
        _draw_intervals(axes, rows)
        axes.set_xlabel(SCORE_LABELS.get(kind, kind))
        axes.margins(x=0.15)
        axes.label_outer()
    return figure


@house_style()
def plot_shares(
    outcomes: npt.ArrayLike,
    groups: npt.ArrayLike,
    title: str = "",
    *,
    outcome: str = "abnormal exams",
) -> Picture:
    """Plot the share of an outcome in each group, with its 95 % interval, one row per group.

    Intervals are Wilson's, which hold for few exams too (Wilson 1927,
    10.1080/01621459.1927.10502953). A dashed line marks the share of all.

    Parameters
    ----------
    outcomes : sequence of n numbers
        0 or 1 for each exam, such as its label.
    groups : sequence of n str
        Where each exam belongs, such as its centre.
    title : str
        What is compared.
    outcome : str
        What 1 stands for.

    Raises
    ------
    UsageError
        If there is no exam, the two lengths differ, or an outcome is neither 0 nor 1.

    Examples
    --------
    >>> axes = plot_shares([1, 0, 1], ["centre B", "centre A", "centre B"]).axes[0]
    >>> [tick.get_text() for tick in axes.get_yticklabels()]
    ['centre A, n = 1', 'centre B, n = 2']
    """
    from scipy.stats import binomtest

    values, members = np.asarray(outcomes, dtype=float), np.asarray(groups, dtype=str)
    if not values.size or values.shape != members.shape or not np.isin(values, (0, 1)).all():
        expected = "Expected an outcome of 0 or 1 for each exam"
        found = f"shapes {values.shape} and {members.shape}, values {np.unique(values)[:4]}"
        raise UsageError(f"{expected}, found {found}; leave out exams without a label.")
    rows = []
    for name, group in pd.Series(values).groupby(members):
        test = binomtest(int(group.sum()), group.size)
        interval = 100 * np.array(test.proportion_ci(method="wilson"))
        rows.append((f"{name}, n = {group.size}", 100 * test.statistic, interval))
    figure, ((axes,),) = new_picture(1, 1, 1.4 + 0.3 * len(rows), title)
    _draw_intervals(axes, rows)
    axes.axvline(100 * values.mean(), color="0.5", linestyle="--")
    axes.set(xlabel=f"{outcome} (%), with 95 % interval", xlim=(-2, 102))
    return figure


def _strip(axes: Axes, place: float, column: pd.Series, kind: int) -> None:
    values = column.to_numpy(float)
    values = np.sort(values[np.isfinite(values)])
    colour, marker, _ = STROKES[kind]
    # Sorted values spread by the golden ratio never pile up, and need no random draw.
    spread = 0.12 * (np.arange(values.size) * 0.618034 % 1 - 0.5) * 2
    axes.scatter(place + spread, values, s=16, color=colour, marker=marker, alpha=0.6, linewidth=0)
    box: Any = {f"{part}props": {"color": colour} for part in ("box", "whisker", "median")}
    axes.boxplot(values, positions=[place], widths=0.34, manage_ticks=False, **box)


def _draw_intervals(axes: Axes, rows: Sequence[tuple[str, float, npt.ArrayLike]]) -> None:
    """Draw a named row for each value and the two ends of its interval, the first on top."""
    for place, (_, value, interval) in enumerate(rows):
        axes.plot(interval, [place, place], color=NORMAL, linewidth=3, alpha=0.5)
        axes.plot(value, place, marker="o", color=NORMAL)
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
