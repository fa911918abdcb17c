"""A model that a user names: a kind of the kit's, or a class in a Python file of one's own.

A file of one's own is run, as Python runs any script: only because its user named it. A stored
model never brings code along; what is stored of a class that is not registered is its settings and
what it learnt, as numbers, texts, arrays and scikit-learn's own estimators.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logit
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from datkit.errors import ModelError, UsageError
from datkit.models.base import Features, LogitClassifier
from datkit.models.registry import KINDS, class_of, known_kinds, register
from datkit.models.store import Document, load_arrays, save_arrays
from datkit.problems import Problem

__all__ = ["OwnModel", "build_model", "find_class"]

LEAST = 1e-6  # probabilities of one's own model are kept so far from 0 and 1
PLAIN = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "bool": (bool,),
    "dict": (dict,),
    "None": (type(None),),
}
READS = ("measures", "volumes")


@register
@dataclass(eq=False, repr=False)
class OwnModel(LogitClassifier):
    """A class of one's own, anything with ``fit(X, y)`` and ``predict_proba(X)``, as a model.

    What it reads is its attribute ``reads``, ``"volumes"``, or ``"measures"`` if it has none.

    Parameters
    ----------
    settings : dict
        What the class is called with.

    Attributes
    ----------
    own : type
        The class; :func:`find_class` sets it.
    model_ : object
        One of them, trained.
    """

    kind, cost = "own", 3
    own: ClassVar[type | None] = None

    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def reads(self) -> str:  # type: ignore[override]  # no one sets it
        """What the class reads."""
        return getattr(self.own, "reads", "measures")

    def fit(self, X: Features, y: ArrayLike) -> Self:
        """Train the class on X and labels y (n,)."""
        model = _class_of_own(self)(**self.settings)
        model.fit(X, y)
        self.model_ = model
        return self

    def decision_function(self, X: Features) -> np.ndarray:
        """Return the logit of each probability that the class gives, shape (n,).

        Raises
        ------
        ModelError
            If these are not two probabilities for each exam.
        """
        check_is_fitted(self)
        p = np.asarray(self.model_.predict_proba(X), dtype=np.float64)
        if p.shape != (len(X), 2) or not ((p >= 0) & (p <= 1)).all():
            raise ModelError(
                f"Expected predict_proba to return probabilities of normal and abnormal, shape "
                f"({len(X)}, 2), found {p.shape}, {p.min():.3g} to {p.max():.3g}. Correct it."
            )
        return logit(p[:, 1].clip(LEAST, 1 - LEAST))

    def write_state(self, folder: Path) -> Document:
        """Write what was learnt: arrays to ``weights.safetensors``, the rest to ``model.json``.

        Raises
        ------
        ModelError
            If an attribute is of another type; the error names it.
        """
        arrays: dict[str, np.ndarray] = {}
        learnt = _to_plain(vars(self.model_), "", arrays)
        return {"class": _class_of_own(self).__name__, "learnt": learnt} | {
            "weights": save_arrays(arrays, folder)
        }

    def read_state(self, folder: Path, document: Document) -> None:
        """Make one of the class again, and give it what was learnt."""
        own = _class_of_own(self)
        if own.__name__ != document["class"]:
            raise ValueError(f"Expected the class {document['class']}, found {own.__name__}.")
        self.model_ = own(**self.settings)
        vars(self.model_).update(
            _from_plain(document["learnt"], load_arrays(folder, document["weights"]))
        )


def _class_of_own(model: OwnModel) -> type:
    if model.own is None:
        raise UsageError(
            "Expected the file that holds the class of this model, found none named. Name it as in "
            "training: --model FILE.py:Class."
        )
    return model.own


def find_class(name: str) -> type[LogitClassifier]:
    """Return the class of a kind such as ``"boosting"``, or the one that ``FILE.py:Class`` names.

    The file is run. A class that is not registered comes as :class:`OwnModel`.

    Raises
    ------
    UsageError
        If there is no such kind, file or class, or it has no ``fit`` and ``predict_proba``; kinds
        and classes that there are stand in the message.
    ModelError
        If the file cannot be run.
    """
    path, _, wanted = name.rpartition(":")
    if path.endswith(".py"):
        return _adopt(_load_own(Path(path), wanted))
    kinds = [kind for kind in known_kinds() if kind not in ("calibrated", "own")]
    if name not in kinds:
        raise UsageError(
            f"Expected a model among {', '.join(kinds)}, or FILE.py:Class for one of your own, "
            f"found {name!r}."
        )
    return class_of(name)


def _load_own(path: Path, wanted: str) -> type:
    if not path.is_file():
        raise UsageError(f"Expected a Python file at {path}, found nothing; check the path.")
    spec = spec_from_file_location(path.stem, path)
    assert spec and spec.loader  # any .py file has them
    module = module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses and error messages look it up there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ModelError(f"{path} cannot be run: {type(error).__name__}: {error}.") from error
    classes = {
        key: one
        for key, one in vars(module).items()
        if callable(getattr(one, "fit", None))
        and callable(getattr(one, "predict_proba", None))
        and getattr(one, "__module__", "") == path.stem
    }
    if wanted not in classes:
        raise UsageError(
            f"{path}: Expected a class {wanted!r} with fit(X, y) and predict_proba(X), found "
            f"{', '.join(classes) or 'none'}."
        )
    return classes[wanted]


def _adopt(own: type) -> type[LogitClassifier]:
    if own in KINDS.values():
        return own
    if getattr(own, "reads", "measures") not in READS:
        raise UsageError(
            f"{own.__name__}: Expected reads to be one of {', '.join(READS)}, found "
            f"{vars(own)['reads']!r}."
        )
    OwnModel.own = own
    return OwnModel


def build_model(model: type[LogitClassifier], texts: Iterable[str]) -> LogitClassifier:
    """Make a model with settings such as ``["epochs=5", "members=measures,boosting"]``.

    Raises
    ------
    UsageError
        If a setting is unknown, twice there, or of another type; every problem is listed.
    """
    own = model.own if issubclass(model, OwnModel) and model.own else model
    known = inspect.signature(own).parameters
    settings: dict[str, Any] = {}
    problems = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or name not in known or name in settings:
            expected = f"NAME=VALUE once, of {', '.join(known) or 'none: it has no settings'}"
            problems.append(Problem("setting", "--set", expected, repr(text), "Correct it."))
            continue
        settings[name] = _read_value(value)
        if not _is_like(settings[name], known[name]):
            expected = f"{name} as {known[name]}"
            problems.append(Problem("setting", "--set", expected, repr(value), "Correct it."))
    UsageError.raise_any(problems, where="--set")
    return model(settings) if issubclass(model, OwnModel) else model(**settings)


def _read_value(text: str) -> object:
    """Read a Python literal, true, false or none; else words between commas, or one word."""
    try:
        return ast.literal_eval({"true": "True", "false": "False", "none": "None"}.get(text, text))
    except (ValueError, SyntaxError):
        return text.split(",") if "," in text else text


def _is_like(value: object, known: inspect.Parameter) -> bool:
    """Whether a setting may have a value, going by its plain annotation, else by its default."""
    types = {part.strip().partition("[")[0] for part in str(known.annotation).split("|")}
    if types <= PLAIN.keys():
        return any(type(value) in PLAIN[name] for name in types)
    if known.default is None or known.default is inspect.Parameter.empty:
        return True
    if isinstance(known.default, tuple | list):
        return isinstance(value, tuple | list)
    return type(value) in PLAIN.get(type(known.default).__name__, (type(value),))


def _to_plain(value: Any, where: str, arrays: dict[str, np.ndarray]) -> Any:  # noqa: ANN401
    """Return a value as JSON holds it, arrays and scikit-learn's estimators by reference."""
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biuf":
        arrays[where] = np.asarray(value)
        return {"array": where}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "OU":
        return {"texts": [str(one) for one in value.ravel()]}
    if isinstance(value, dict):
        return {
            "dict": {key: _to_plain(one, f"{where}.{key}", arrays) for key, one in value.items()}
        }
    if isinstance(value, list | tuple):
        return [_to_plain(one, f"{where}.{number}", arrays) for number, one in enumerate(value)]
    kind = type(value)
    if isinstance(value, BaseEstimator) and kind.__module__.startswith("sklearn."):
        state = _to_plain(vars(value), where, arrays)
        return {"sklearn": f"{kind.__module__}:{kind.__name__}", "state": state}
    raise ModelError(
        f"Expected numbers, texts, arrays and scikit-learn's linear models to store, found "
        f"{kind.__module__}.{kind.__name__} in the model's attribute {where.lstrip('.')}. Store it "
        "yourself: derive the class from datkit.models.LogitClassifier and register it."
    )


def _from_plain(plain: Any, arrays: dict[str, np.ndarray]) -> Any:  # noqa: ANN401
    """Return what :func:`_to_plain` was given; tuples are lists then."""
    if isinstance(plain, list):
        return [_from_plain(one, arrays) for one in plain]
    if not isinstance(plain, dict):
        return plain
    if "array" in plain:
        return arrays[plain["array"]]
    if "texts" in plain:
        return np.array(plain["texts"], dtype=object)
    if "dict" in plain:
        return {key: _from_plain(one, arrays) for key, one in plain["dict"].items()}
    module, _, name = plain["sklearn"].partition(":")
    kind = getattr(import_module(module), name) if module.startswith("sklearn.") else None
    if not (isinstance(kind, type) and issubclass(kind, BaseEstimator)):
        raise ValueError(f"Expected an estimator of scikit-learn, found {plain['sklearn']}.")
    estimator: Any = object.__new__(kind)
    vars(estimator).update(_from_plain(plain["state"], arrays))
    return estimator
