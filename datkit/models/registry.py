"""The registry of models: a class that is decorated here can be stored, packed and run.

A kind is the name of its module, ``datkit/models/volume.py`` holds ``volume``: so a stored model
finds its class. A class whose module lies elsewhere must have been imported before a model of it is
loaded; a submission carries such a module as ``datkit/models/<kind>.py``.

>>> from datkit.models import MeasuresClassifier
>>> class_of("measures") is MeasuresClassifier
True
"""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeVar

from datkit.errors import ModelError

if TYPE_CHECKING:
    from datkit.models.base import LogitClassifier

__all__ = ["KINDS", "register"]

Model = TypeVar("Model", bound="type[LogitClassifier]")

KINDS: dict[str, type[LogitClassifier]] = {}  # those imported so far


def register(model: Model) -> Model:
    """Make a class of models known under its `kind`; used as a decorator.

    All that others must know of it stands in the class: see
    :class:`datkit.models.base.LogitClassifier`. The same class may come again, as when its module
    is reloaded or its cell runs anew; the newer one is kept.

    Raises
    ------
    ModelError
        If another class has that kind.
    """
    taken = KINDS.setdefault(model.kind, model)
    if (taken.__module__, taken.__qualname__) != (model.__module__, model.__qualname__):
        raise ModelError(
            f"Expected a new kind of model, found {model.kind!r}, which is "
            f"{taken.__module__}.{taken.__qualname__}; choose another kind."
        )
    KINDS[model.kind] = model
    return model


def class_of(kind: object) -> type[LogitClassifier]:
    """Return the class of a kind, importing the module of that name if need be.

    Raises
    ------
    ModelError
        If no class is registered under that name. Nothing outside this folder is ever imported.
    """
    name = kind if isinstance(kind, str) and re.fullmatch("[a-z0-9_]+", kind) else ""
    if name and name not in KINDS and find_spec(module := f"{__package__}.{name}"):
        import_module(module)
    if name not in KINDS:
        raise ModelError(
            f'Expected the "kind" of a model, such as "measures", found {kind!r}. Import the '
            "module that registers it first, or save the model again."
        )
    return KINDS[name]
