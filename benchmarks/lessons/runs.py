"""Probabilities of models on a cohort's folds: each fit is kept, and those of a board are taken."""

from __future__ import annotations

import hashlib
import inspect
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin
from threadpoolctl import threadpool_limits

from benchmarks.common.figures import SEED, Figure
from datkit.data.split import Fold
from datkit.evaluate import Score, paired_difference, score_probabilities
from datkit.evaluate.benchmark.entrants import Entrant
from datkit.evaluate.benchmark.exams import SPLITS, BenchmarkExams, Volumes
from datkit.files import write_json
from datkit.models import crop_striata
from datkit.models.base import grouped, take_rows

__all__ = ["MODELS", "Runs", "difference", "scored"]

FOLDS = 5
#: Cheap ones, which each lesson can afford, and dearer ones, which take part if a board has them.
MODELS = {"measures": "measures", "boosting": "boosting", "voxels": "voxels"}
DEARER = ("projection", "volume")
SPLIT_OF = {setting: split for split, settings in SPLITS.items() for setting in settings}


@dataclass(eq=False)
class Boxes:
    """What a compact network sees of prepared volumes, cut out when it is first asked for."""

    volumes: Volumes

    @cached_property
    def values(self) -> np.ndarray:
        """All of them, float32 (n, 24, 16, 16)."""
        rows = range(len(self.volumes.places))
        return np.concatenate([crop_striata(self.volumes[np.array([row])]) for row in rows])

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        return self.values[rows]


@dataclass
class Runs:
    """What lessons ask for: exams, and each model's probabilities on the exams of a setting.

    Attributes
    ----------
    exams : BenchmarkExams
        A cohort and its test sets.
    kept : Path
        A folder where each finished fit is kept.
    board : dict
        Results of :func:`datkit.evaluate.benchmark_cohort` on these exams: what they hold is taken.
    """

    exams: BenchmarkExams
    kept: Path
    board: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Join what is measured with what is known of the scanner, as a careless table does."""
        read = self.exams.inputs
        read["boxes"] = Boxes(read["volumes"])
        read["both"] = read["measures"].join(read["scanner"])

    def predict(
        self,
        name: str,
        model: str | ClassifierMixin,
        setting: str = "grouped",
        *,
        reads: str = "",
        left_out: pd.Index | None = None,
    ) -> pd.Series:
        """Return a model's probabilities of the exams of a setting, by uid.

        Parameters
        ----------
        name, model, reads
            As of an :class:`~datkit.evaluate.benchmark.entrants.Entrant`.
        setting : str
            Of :data:`~datkit.evaluate.benchmark.exams.SETTINGS`.
        left_out : index, optional
            Exams that no model may learn from; they are predicted all the same.
        """
        split, entrant = SPLIT_OF[setting], Entrant(name, model, reads)
        parts = [self._fold(entrant, split, fold, left_out) for fold in self.folds(split)]
        return pd.concat(parts).loc[self.scored(setting).index]

    def scored(self, setting: str) -> pd.DataFrame:
        """Return what is known of the exams of a setting: label, centre, and all else."""
        return self.exams.scored(setting)

    def settings(self, *asked: str) -> list[str]:
        """Return those of some settings that have exams."""
        return [one for one in asked if len(self.scored(one))]

    def folds(self, split: str) -> list[Fold]:
        """Return the folds of a split."""
        return self.exams.folds(split, FOLDS)

    def models(self, *settings: str) -> dict[str, str]:
        """Return the models of settings: the cheap ones, and those dearer that the board holds."""
        folds = [(SPLIT_OF[one], fold) for one in settings for fold in self.folds(SPLIT_OF[one])]
        held = [name for name in DEARER if all(len(self._held(name, *one)) for one in folds)]
        return MODELS | {name: name for name in held}

    def _held(self, name: str, split: str, fold: Fold) -> np.ndarray:
        """Return what the board says of a fold, (n,), if it is of these exams; else nothing."""
        same = self.board.get("cohort", {}).get("sha256") == self.exams.sha256
        cell = self.board["cells"].get(f"{name} | {split} | {fold.name}", {}) if same else {}
        p = np.array(cell.get("p", "").split(), float)
        return p if len(p) == len(fold.test) else p[:0]

    def _fold(
        self, entrant: Entrant, split: str, fold: Fold, left_out: pd.Index | None
    ) -> pd.Series:
        missing = () if left_out is None else tuple(left_out)
        p = () if missing else self._held(entrant.name, split, fold)
        if not len(p):
            made = entrant.name, repr(entrant.build(SEED).get_params()), entrant.reads, missing
            seen = self.exams.sha256, fold.train, fold.test
            key = _hash(*made, *seen, entrant.code(), *own_code(entrant))
            p = self._keep(self.kept / f"{key}.json", entrant, fold, left_out)
        return pd.Series(p, list(fold.test))

    def _keep(
        self, path: Path, entrant: Entrant, fold: Fold, left_out: pd.Index | None
    ) -> np.ndarray:
        if not path.is_file():
            p = fit_fold(entrant, self.exams, fold, left_out)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, {"model": entrant.name, "p": p.tolist()})
        return np.array(json.loads(path.read_text(encoding="utf-8"))["p"])


def own_code(entrant: Entrant) -> list[str]:
    """Return the modules that a model has of the lessons' own."""
    kinds = type(entrant.build(SEED)).__mro__
    own = [one for one in kinds if one.__module__.startswith("benchmarks")]
    return [Path(inspect.getfile(one)).read_text(encoding="utf-8") for one in own]


def fit_fold(
    entrant: Entrant, exams: BenchmarkExams, fold: Fold, left_out: pd.Index | None = None
) -> np.ndarray:
    """Train a model on a fold, without some exams, and return its test exams' probabilities."""
    known = exams.table.index
    train = pd.Index(fold.train).difference(left_out if left_out is not None else [], sort=False)
    rows, test = known.get_indexer(train), known.get_indexer(pd.Index(fold.test))
    labels, centres = (exams.table[name].to_numpy()[rows] for name in ("label", "centre"))
    with threadpool_limits(1):  # sums must not depend on the number of cores
        model = entrant.build(SEED)
        X = exams.inputs[entrant.reads or getattr(model, "reads", "measures")]
        model.fit(take_rows(X, rows), labels, **grouped(model, centres))
        return np.asarray(model.predict_proba(take_rows(X, test)))[:, 1]


def _hash(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(repr, parts)).encode()).hexdigest()[:16]


def scored(name: str, known: pd.DataFrame, p: pd.Series, metric: str = "log_loss") -> Figure:
    """Return a score of the exams of a setting as a figure, its interval within centres."""
    found = score_probabilities(
        known["label"], p, metrics=[metric], strata=known["centre"], seed=SEED
    )
    return _figure(name, found[metric], found[metric].title)


def difference(
    name: str, known: pd.DataFrame, first: pd.Series, second: pd.Series, metric: str = "log_loss"
) -> Figure:
    """Return the first minus the second of two models on the same exams as a figure."""
    found = paired_difference(
        known["label"], first, second, metric=metric, strata=known["centre"], seed=SEED
    )
    return _figure(name, found, f"difference in {found.title}", found.verdict)


def _figure(name: str, score: Score, unit: str, *words: str) -> Figure:
    interval = None if np.isnan(score.low) else (score.low, score.high)
    note = "; ".join([f"n = {score.n}", *words])
    return Figure(name, score.value, interval=interval, unit=unit, note=note)
