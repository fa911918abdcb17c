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
import shlex
from ast import literal_eval
from importlib import import_module
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, TypeVar

from datkit.errors import ModelError, UsageError

if TYPE_CHECKING:
    from datkit.models.base import LogitClassifier

__all__ = ["KINDS", "class_of", "known_kinds", "make_model", "register"]

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


def known_kinds() -> list[str]:
    """Return the kinds that can be trained by their name alone, sorted.

    The kit's own are imported to know them; what has to be given another model is none of them.
    """
    for module in iter_modules(import_module(__package__).__path__):
        import_module(f"{__package__}.{module.name}")
    given = {kind: signature(model).parameters.values() for kind, model in KINDS.items()}
    return sorted(
        kind for kind in given if all(one.default is not one.empty for one in given[kind])
    )


def make_model(text: str, *, seed: int | None = None) -> LogitClassifier:
    """Return an untrained model by its kind, or one of one's own by ``FILE.py:Class``.

    Parameters
    ----------
    text : str
        Such as ``"boosting trees=50"`` or ``"my_model.py:MyModel C=0.1"``: the file is run. A value
        is a Python literal, else words between commas, or one word.
    seed : int, optional
        The setting ``seed`` or ``random_state``, where the model has one.

    Raises
    ------
    UsageError
        If there is no such kind, file or class, or a setting is unknown; those that there are stand
        in the message.
    ModelError
        If the file cannot be run.

    Examples
    --------
    >>> make_model("boosting trees=20", seed=3)
    BoostingClassifier(seed=3, trees=20)
    """
    from datkit.models.own import OwnModel, find_class

    name, *told = shlex.split(text.replace("\\", "/")) or [""]
    path, _, wanted = name.rpartition(":")
    own: Any = find_class(path, wanted)[1] if path.endswith(".py") else None
    if own is None and name not in (kinds := known_kinds()):
        expected = f"Expected a model among {', '.join(kinds)}, or FILE.py:Class for your own"
        raise UsageError(f"{expected}, found {name!r}.")
    own, file = own or class_of(name), str(Path(path).resolve())  # other processes need it whole
    known = signature(own).parameters
    chosen = {key: _read(value) for key, _, value in (one.partition("=") for one in told)}
    chosen |= {key: seed for key in ("seed", "random_state") if seed is not None and key in known}
    try:
        model = own(**chosen)
    except TypeError as error:
        said = f"{name}: Expected settings among {', '.join(known) or 'none'}"
        raise UsageError(f"{said}, found that {error}.") from error
    return model if own in KINDS.values() else OwnModel(file, wanted, chosen)


def _read(value: str) -> object:
    try:
        return literal_eval(value)
    except (ValueError, SyntaxError):
        return value.split(",") if "," in value else value
