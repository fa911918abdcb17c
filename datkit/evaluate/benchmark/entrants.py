"""What takes part in the benchmark: models, references that know the truth, and controls.

A reference shows what can be reached at all; a control shows whether the evaluation is honest.
"""

from __future__ import annotations

import hashlib
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any, Self

import joblib
import numpy as np
from scipy.special import logit
from sklearn.base import ClassifierMixin, clone
from sklearn.neighbors import KNeighborsClassifier

from datkit import models
from datkit.files import sha256_file
from datkit.models.base import Features, LogitClassifier
from datkit.models.constant import ConstantClassifier
from datkit.models.measures import MeasuresClassifier
from datkit.models.own import OwnModel
from datkit.models.registry import make_model
from datkit.models.store import PRETRAINED
from datkit.simulate.exam import CENTRE_BIAS
from datkit.simulate.readers import label_probability

__all__ = ["CONTROLS", "MODEL", "Entrant", "Oracle"]

MODEL, REFERENCE, CONTROL = "model", "reference", "control"


class Oracle(LogitClassifier):
    """The truth's own probability, of X the weaker posterior putamen's true fractions (n, 1)."""

    def fit(self, X: Features, y: np.ndarray) -> Self:  # noqa: ARG002
        """Learn nothing."""
        return self

    def decision_function(self, X: Features) -> np.ndarray:
        """Return one logit per exam, shape (n,)."""
        return logit(label_probability(np.asarray(X)[:, 0], spread=CENTRE_BIAS))


@dataclass(frozen=True)
class Entrant:
    """One that takes part.

    Attributes
    ----------
    name : str
        A row of the board.
    model : str or classifier
        A kind with its settings such as ``"projection epochs=5"``, a class of one's own such as
        ``"my_model.py:Mine C=0.1"``, or a model, which is cloned.
    reads : str
        What it is given, of :attr:`BenchmarkExams.inputs`; by default what the model says.
    role : str
        ``"model"``, ``"reference"`` or ``"control"``.
    shuffled : bool
        Whether it learns and is scored with labels in another order.
    leaks : bool
        Whether it learns from the exams that it is scored on, too.
    """

    name: str
    model: str | ClassifierMixin
    reads: str = ""
    role: str = MODEL
    shuffled: bool = False
    leaks: bool = False

    def build(self, seed: int) -> Any:  # noqa: ANN401 - any classifier
        """Return a new model, with the seed if it takes one.

        Raises
        ------
        UsageError, ModelError
            If there is no such kind, file, class or setting.
        """
        named = isinstance(self.model, str)
        return make_model(self.model, seed=seed) if named else clone(self.model)

    def code(self, seed: int = 0) -> str:
        """Return one hash of what it runs: its settings, files of code, and weights that ship.

        The files are the kit's models, one's own, and those of the classes of a model and of models
        inside it. Where there is no file, as in a notebook's cell, each call gives another hash.
        """
        model = self.build(seed)
        parts = [model, *(one for one in model.get_params().values() if hasattr(one, "fit"))]
        kinds = [kind for one in parts for kind in type(one).__mro__[:-1]]
        files: list[Any] = [__file__, *Path(models.__file__).parent.rglob("*.py")]
        files += [one.file for one in parts if isinstance(one, OwnModel)]
        files += [getattr(sys.modules.get(one.__module__), "__file__", "") for one in kinds]
        files += [*PRETRAINED.rglob("*.safetensors")] * ("pretrained" in str(self.model))
        paths = {Path(one or "") for one in files}
        hashes = sorted(sha256_file(one) if one.is_file() else token_hex() for one in paths)
        with suppress(Exception):  # of a class within a function, or what cannot be pickled
            return hashlib.sha256("".join([*hashes, joblib.hash(model)]).encode()).hexdigest()
        return token_hex()


_TABLE = MeasuresClassifier()
CONTROLS = (
    Entrant("oracle", Oracle(), "oracle", REFERENCE),
    Entrant("panel of readers", _TABLE, "panel", REFERENCE),
    Entrant("constant", ConstantClassifier(), "scanner", CONTROL),
    Entrant("scanner only", _TABLE, "scanner", CONTROL),
    Entrant("age only", _TABLE, "age", CONTROL),
    Entrant("shuffled labels", _TABLE, "measures", CONTROL, shuffled=True),
    Entrant("leak", KNeighborsClassifier(1), "measures", CONTROL, shuffled=True, leaks=True),
)
