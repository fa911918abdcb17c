"""What each control must give, from theory or from the cohort's own labels, and whether it does.

No band is fitted to what a control gave. A loss that knows nothing of the labels can be less than
the constant's by chance alone, and by how much follows from the permutations of the labels; what a
scanner can tell at most follows from counting; what the oracle must lose follows from the simulated
readers. Chance leaves a band once in a thousand times.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm, t

from datkit.data.groups import ties_of
from datkit.data.split import Fold, prove_folds
from datkit.errors import CohortError
from datkit.evaluate.benchmark.exams import KNOWN, BenchmarkExams
from datkit.evaluate.metrics import exam_losses
from datkit.evaluate.scores import paired_difference
from datkit.simulate.exam import CENTRE_BIAS
from datkit.simulate.readers import label_probability

__all__ = ["chance", "check_controls"]

RARE = 0.001  # how often chance leaves a band
DRAWS = 1000  # of the labels that the oracle is held against
UNSEEN = ("grouped", "centres")  # settings whose centres were never trained on
ROUNDED = 1e-4  # what the digits of a probability that is kept may change a log loss by
LOSS, GAIN = "log loss", "log loss minus the constant's"

COLUMNS = ["control", "setting", "what", "value", "low", "high", "source"]
# What is held, its value, the least and the most that it may be, and where the band comes from.
Bands = Iterator[tuple[str, float, float, float, str]]


def check_controls(
    predicted: dict[str, pd.DataFrame], roles: dict[str, str], exams: BenchmarkExams
) -> list[dict[str, Any]]:
    """Hold each control against its bands, and each model against the oracle.

    Parameters
    ----------
    predicted : dict
        Setting → a column of probabilities for each model, indexed by uid; one that failed has
        none.
    roles : dict
        Model → ``"model"``, ``"reference"`` or ``"control"``.
    exams : BenchmarkExams

    Returns
    -------
    list of dict
        control, setting, what, value, low, high, source (where the band comes from), holds.
    """
    found: list[tuple[Any, ...]] = [("leak", "all", *_refused(exams))]
    for setting, p in predicted.items():
        known = exams.scored(setting).assign(**p[[*{"constant", "oracle"} & {*p}]])
        known.attrs["setting"] = setting
        for name, role in roles.items():
            rule = BANDS.get(name, _model if role == "model" else None)
            if rule and name in p:
                found += [(name, setting, *band) for band in rule(known.assign(p=p[name]))]
            elif role == "control":
                found.append((name, setting, LOSS, np.nan, 0, np.inf, "every control must run"))
    table = pd.DataFrame(found, columns=COLUMNS)
    table["holds"] = table["value"].between(table["low"], table["high"])
    return json.loads(table.round(4).to_json(orient="records"))  # neither NaN nor infinity


def chance(y: np.ndarray, p: np.ndarray, base: np.ndarray) -> tuple[float, float]:
    """Return a log loss minus another, and the least that permuted labels make of it.

    Over all orders of the labels the difference has a mean and a standard deviation that are known
    exactly (Hoeffding 1951, 10.1214/aoms/1177729548); the least is what is undercut once in a
    thousand times.

    Examples
    --------
    >>> y = np.array([0, 1] * 50)
    >>> value, least = chance(y, np.where(y, 0.6, 0.4), np.full(100, 0.5))
    >>> value < least
    True
    """
    classes = np.zeros_like(y), np.ones_like(y)
    normal, abnormal = (exam_losses(one, p) - exam_losses(one, base) for one in classes)
    weights, n = abnormal - normal, len(y)
    mean = normal.mean() + y.mean() * weights.mean()
    sd = y.std() * weights.std() / np.sqrt(n - 1)
    return float(np.mean(normal + y * weights)), float(mean + norm.ppf(RARE) * sd)


def _model(one: pd.DataFrame) -> Bands:
    if "oracle" in one:
        gap = paired_difference(one["label"], one["p"], one["oracle"], strata=one["centre"])
        what = "log loss minus the oracle's, upper end of the interval"
        yield what, gap.high, 0, np.inf, "no image tells more than the truth: else labels were seen"


def _oracle(one: pd.DataFrame) -> Bands:
    """Yield what the oracle loses on labels that readers of these centres give anew."""
    centres = pd.factorize(one["centre"])[0]
    rng = np.random.default_rng(0)
    bias = rng.normal(0, CENTRE_BIAS, (DRAWS, centres.max() + 1))[:, centres]
    drawn = rng.random(bias.shape) < label_probability(one[KNOWN["oracle"][0]], bias)
    losses = exam_losses(drawn, one["p"].to_numpy()).mean(axis=1)
    low, high = losses.mean() + norm.ppf([RARE / 2, 1 - RARE / 2]) * losses.std()
    source = f"labels drawn {DRAWS} times by the simulated readers"
    yield LOSS, _losses(one, "p").mean(), low, high, source


def _constant(one: pd.DataFrame) -> Bands:
    source = "entropy of the labels, below which no constant gets"
    yield LOSS, _losses(one, "p").mean(), _entropy(one.assign(all=0), "all"), np.inf, source


def _scanner(one: pd.DataFrame) -> Bands:
    """Yield what counting allows, and at centres never seen the spread between centres."""
    source = "entropy of the labels of each scanner, counted in these exams"
    yield LOSS, _losses(one, "p").mean(), _entropy(one, "scanner"), np.inf, source
    gains = (_losses(one, "p") - _losses(one, "constant")).groupby(one["centre"]).sum() / len(one)
    if one.attrs["setting"] in UNSEEN:
        low = t.ppf(RARE, len(gains) - 1) * gains.std() * np.sqrt(len(gains))
        source = f"no gain at centres never seen, but for the spread over {len(gains)} of them"
        yield GAIN, gains.sum(), low, np.inf, source


def _by_chance(one: pd.DataFrame, labels: str = "shuffled", leaks: bool = False) -> Bands:
    value, least = chance(*(one[name].to_numpy() for name in (labels, "p", "constant")))
    low, high = (-np.inf, least) if leaks else (least, np.inf)
    yield GAIN, value, low, high, "permutations of the labels"


def _refused(exams: BenchmarkExams) -> tuple[Any, ...]:
    """Return whether a fold that trains on one of its test exams is refused."""
    uids, seen = tuple(exams.cohort.uids), 0
    try:
        prove_folds([Fold("leak", uids, uids[:1])], ties_of(exams.cohort, None), "a leak")
    except CohortError:
        seen = 1
    return "leaking folds refused, of one", seen, 1, np.inf, "no exam on both sides of a fold"


def _losses(one: pd.DataFrame, name: str) -> pd.Series:
    return pd.Series(exam_losses(one["label"].to_numpy(), one[name].to_numpy()), one.index)


def _entropy(one: pd.DataFrame, groups: str) -> float:
    """Return the mean log loss of each group's own share of abnormal exams: none loses less."""
    share = one.groupby(groups)["label"].transform("mean")
    return float(_losses(one.assign(share=share), "share").mean()) - ROUNDED


BANDS: dict[str, Callable[[pd.DataFrame], Bands]] = {
    "oracle": _oracle,
    "constant": _constant,
    "scanner only": _scanner,
    "age only": partial(_by_chance, labels="label"),
    "shuffled labels": _by_chance,
    "leak": partial(_by_chance, leaks=True),
}
