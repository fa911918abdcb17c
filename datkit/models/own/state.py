"""What an object learnt as plain data and arrays, and the object again: without a pickle.

Stored are numbers, texts, lists, tuples, dicts, arrays, and scikit-learn's estimators: their
parameters and what ``fit`` added. Reading makes nothing but these: no code comes from a stored
model. Trees of scikit-learn and networks keep what they learnt elsewhere; a class with such ones
stores itself.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from datkit.errors import ModelError

__all__ = ["put_together", "take_apart"]

Arrays = dict[str, np.ndarray]
BUILT: dict[str, Any] = {"list": list, "tuple": tuple, "dict": dict}


def take_apart(model: object) -> tuple[dict[str, Any], Arrays]:
    """Return what the attributes of a model hold, and the arrays that this refers to.

    Raises
    ------
    ModelError
        If an attribute cannot be stored; the error names it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> learnt, arrays = take_apart(SimpleNamespace(middle=1.5, weights=np.ones(2), by=("a", 3)))
    >>> learnt
    {'middle': 1.5, 'weights': {'array': 'weights 0'}, 'by': {'tuple': ['a', 3]}}
    >>> again = SimpleNamespace()
    >>> put_together(again, learnt, arrays)
    >>> again
    namespace(middle=1.5, weights=array([1., 1.]), by=('a', 3))
    """
    arrays: Arrays = {}
    return {name: _to_plain(one, name, arrays) for name, one in vars(model).items()}, arrays


def put_together(model: object, learnt: dict[str, Any], arrays: Arrays) -> None:
    """Give a fresh model what :func:`take_apart` returned."""
    vars(model).update({name: _from_plain(plain, arrays) for name, plain in learnt.items()})


def _to_plain(value: Any, name: str, arrays: Arrays) -> Any:  # noqa: ANN401 - whatever it holds
    """Return numbers and texts as they are, all else as ``{what it is: what it holds}``."""
    value = value.item() if isinstance(value, np.generic) else value
    kind = type(value)
    if kind is float and not np.isfinite(value):
        return _to_plain(np.array(value), name, arrays)  # JSON has neither NaN nor infinity
    if value is None or kind in (bool, int, float, str):
        return value
    if kind in BUILT.values():
        items = value.items() if kind is dict else value
        return {kind.__name__: [_to_plain(one, name, arrays) for one in items]}
    if kind is np.ndarray and value.dtype.kind in "biuf":
        arrays[f"{name} {len(arrays)}"] = value
        return {"array": f"{name} {len(arrays) - 1}"}
    if kind is np.ndarray and all(type(one) is str for one in value.ravel().tolist()):
        return {"texts": value.tolist()}
    if isinstance(value, BaseEstimator) and _published(kind.__module__, kind.__name__) is kind:
        params = value.get_params(deep=False)
        fitted = {key: one for key, one in vars(value).items() if key not in params}
        held = [_to_plain(one, name, arrays) for one in (params, fitted)]
        return {"estimator": [kind.__module__, kind.__name__, *held]}
    raise ModelError(
        "Expected a model of numbers, texts, arrays and scikit-learn's estimators without trees, "
        f"found {kind.__module__}.{kind.__name__} in its attribute {name}. Give the class methods "
        "save(folder) and load(folder), which write and read JSON, NumPy or safetensors files."
    )


def _from_plain(plain: Any, arrays: Arrays) -> Any:  # noqa: ANN401
    if not isinstance(plain, dict):
        return plain
    ((what, held),) = plain.items()
    if what == "array":
        return arrays[held] if arrays[held].ndim else arrays[held].item()
    if what == "texts":
        return np.array(held, dtype=object)
    if what in BUILT:
        return BUILT[what](_from_plain(one, arrays) for one in held)
    module, name, *held = held
    kind = _published(module, name) if what == "estimator" else None
    if not (isinstance(kind, type) and issubclass(kind, BaseEstimator)):
        raise ValueError(f"Expected an estimator of scikit-learn, found {what} {module} {name}.")
    params, fitted = (_from_plain(one, arrays) for one in held)
    estimator = kind(**params)
    vars(estimator).update(fitted)
    return estimator


def _published(module: str, name: str) -> object:
    """Return what scikit-learn publishes under a name; None if that is nothing."""
    public = module.partition("._")[0]  # other versions have other private modules
    return getattr(import_module(public), name, None) if public.startswith("sklearn.") else None
