"""Score predictions as the challenge does: the mean log loss."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from datkit.errors import SubmissionError, UsageError
from datkit.rules import finding
from datkit.submit.predictions import check_predictions, read_format, read_predictions

if TYPE_CHECKING:
    import pandas as pd

    from datkit.data.cohort import Cohort

__all__ = ["score_predictions", "score_submission"]


def score_predictions(predictions: Mapping[str, float], labels: pd.Series) -> float | None:
    """Return the mean log loss over the predicted exams with a label; None if there is none.

    −mean(y ln p + (1 − y) ln(1 − p)) in nats, over exams with label y and probability p. This is
    :func:`sklearn.metrics.log_loss`. The challenge names the log loss and states no clipping;
    scikit-learn clips p to [ε, 1 − ε], where ε = 2.2·10⁻¹⁶ is the spacing of double precision at 1,
    so an exam that is certain and wrong costs −ln ε = 36. `datkit.evaluate` clips at 10⁻⁶ instead.

    Parameters
    ----------
    predictions : mapping
        {uid: probability of abnormal}
    labels : pandas.Series
        0 or 1, NaN where unknown, indexed by uid.

    Examples
    --------
    >>> import pandas as pd
    >>> round(score_predictions({"007": 0.9, "1e5": 0.2}, pd.Series({"007": 1.0, "1e5": 0.0})), 6)
    0.164252
    """
    from sklearn.metrics import log_loss

    known = labels.reindex(list(predictions)).dropna()
    if known.empty:
        return None
    return float(log_loss(known, [predictions[uid] for uid in known.index], labels=[0, 1]))


def score_submission(
    path: str | os.PathLike[str], cohort: Cohort, uids: list[str] | None = None
) -> dict[str, float]:
    """Score a `submission.csv` against a cohort's labels.

    Parameters
    ----------
    path : path
        What main.py wrote.
    cohort : Cohort
        With labels.
    uids : list of str, optional
        The exams in the order of the format file; by default the rows' own uids, in any order.

    Returns
    -------
    dict
        ``log_loss``, ``exams`` (that have a label), ``clipped`` (predictions of exactly 0 or 1).

    Raises
    ------
    SubmissionError
        If the table has problems; every one is listed.
    UsageError
        If none of its exams has a label.
    """
    try:
        expected = uids or read_format(path)
    except SubmissionError:
        expected = []  # no table at all: the check says so, in the words for predictions
    problems = check_predictions(path, expected)
    name, wanted = Path(path).name, f"a uid of {cohort.name}"
    unknown = sorted({*expected} - {*cohort.uids})
    problems += [finding("uid-unknown", name, wanted, repr(uid)) for uid in unknown]
    if problems:
        raise SubmissionError.of(problems, where=path)
    predictions = read_predictions(path)
    score = score_predictions(predictions, cohort.labels)
    if score is None:
        raise UsageError(
            f"Expected labels of the exams in {path}, found none in {cohort.name}; give a cohort "
            "with a train_labels.csv."
        )
    known = cohort.labels.reindex(list(predictions)).dropna()
    clipped = sum(predictions[uid] in (0.0, 1.0) for uid in known.index)
    return {"log_loss": score, "exams": len(known), "clipped": clipped}
