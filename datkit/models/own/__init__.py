"""A model of one's own, from a Python file: anything with ``fit(X, y)`` and ``predict_proba(X)``.

The file is run as Python runs any script, and only because its user named it. A stored model brings
no code along: it keeps the file's sha256, and loads once the file of that hash has been named, by
:func:`run_file` or ``--code``. A submission carries the file beside this module, under its sha256.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logit
from sklearn.utils.validation import check_is_fitted

from datkit.errors import ModelError, UsageError
from datkit.models.base import Features, LogitClassifier, check_labels
from datkit.models.own.state import put_together, take_apart
from datkit.models.registry import register
from datkit.models.store import OWN, Document, load_arrays, save_arrays
from datkit.problems import list_some

__all__ = ["FILES", "OwnModel", "check_probabilities", "find_class", "run_file"]

READS = ("measures", "volumes")
FILES: dict[str, ModuleType] = {}  # {sha256: what was run}, of files that the user named
SURE = 1e-6  # probabilities stay so far from 0 and 1: a logit is finite
SUM = 1e-6  # how far the two probabilities of an exam may add up to another number than 1


@register
@dataclass(eq=False, repr=False)
class OwnModel(LogitClassifier):
    """A class from a file of one's own as a model of the kit.

    X is what the class's attribute ``reads`` says: ``"measures"``, a table (if it says nothing), or
    ``"volumes"``, an array (n, 64, 80, 48). What it learnt is stored as
    :func:`datkit.models.own.state.take_apart` does; a class with ``save(folder)`` and
    ``load(folder)`` stores itself.

    Parameters
    ----------
    file : str
        The Python file; it is run.
    name : str
        The class in it.
    settings : dict
        What the class is called with.

    Attributes
    ----------
    model_ : object
        One of the class, trained.
    sha256_ : str
        Of the file as it was run.
    """

    kind, cost = "own", 3

    file: str
    name: str
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def reads(self) -> str:  # type: ignore[override]  # no one sets it
        """What the class reads."""
        return getattr(find_class(self.file, self.name)[1], "reads", READS[0])

    def fit(self, X: Features, y: ArrayLike) -> Self:
        """Train one of the class on X and labels y (n,).

        Raises
        ------
        UsageError
            If there is no such file or class.
        ModelError
            If the labels do not fit, or the code fails: the message names the line.
        """
        labels = check_labels(y, len(X))
        self.sha256_, own = find_class(self.file, self.name)
        with _told_where(self.file):
            self.model_ = own(**self.settings)
            self.model_.fit(X, labels)
        return self

    def decision_function(self, X: Features) -> np.ndarray:
        """Return the logit of each probability that the class gives, shape (n,).

        Raises
        ------
        ModelError
            If these are not two probabilities for each exam, or the code fails.
        """
        check_is_fitted(self)
        with _told_where(self.file):
            p = np.asarray(self.model_.predict_proba(X))
        check_probabilities(p, len(X), self.file)
        return logit(p[:, 1].clip(SURE, 1 - SURE))

    def write_state(self, folder: Path) -> Document:
        """Write what was learnt, and return which file it belongs to.

        Raises
        ------
        ModelError
            If an attribute is of a type that cannot be stored; the error names it.
        """
        params = self.get_params(deep=False) | {"file": Path(self.file).name}
        head: Document = {"params": params, "sha256": self.sha256_}
        if not {"save", "load"} <= {*dir(self.model_)}:
            learnt, arrays = take_apart(self.model_)
            return head | {"learnt": learnt, "weights": save_arrays(arrays, folder)}
        (folder / OWN).mkdir(parents=True, exist_ok=True)
        with _told_where(self.file):
            self.model_.save(folder / OWN)
        return head

    def read_state(self, folder: Path, document: Document) -> None:
        """Make one of the class again, and give it what was learnt."""
        self.file = _find_file(self.file, document["sha256"])
        self.sha256_, own = find_class(self.file, self.name)
        with _told_where(self.file):
            self.model_ = own(**self.settings)
            if "learnt" not in document:
                self.model_.load(folder / OWN)
        if "learnt" in document:
            put_together(self.model_, document["learnt"], load_arrays(folder))


def check_probabilities(p: np.ndarray, n: int, name: str) -> None:
    """Refuse what the ``predict_proba`` of a model of some name gave for `n` exams.

    Raises
    ------
    ModelError
        If these are not two real probabilities for each exam, whose sum is 1.
    """
    sound = p.dtype.kind in "biuf" and p.shape == (n, 2) and ((p >= 0) & (p <= 1)).all()
    if not sound or np.abs(p.sum(axis=1) - 1).max(initial=0) > SUM:
        raise ModelError(
            f"{name}: Expected predict_proba to return probabilities of normal and abnormal, which "
            f"add up to 1, shape ({n}, 2), found shape {p.shape}, {p[:2].tolist()}. Correct it."
        )


def _find_file(file: str, sha256: str) -> str:
    """Return the file of that hash, which was named or stands in a submission."""
    if (carried := Path(__file__).with_name(f"{sha256}.py")).is_file():
        run_file(carried)
    if sha256 not in FILES:
        named = list_some(module.__file__ for module in FILES.values()) or "none named"
        raise UsageError(
            f"Expected the file {file} as it was in training (sha256 {sha256[:12]}…), whose class "
            f"this model is, found {named}. Name it: --code {file}; if it was changed, train again."
        )
    return str(FILES[sha256].__file__)


def run_file(path: str | Path) -> tuple[str, ModuleType]:
    """Run a Python file, once for each content, and return its sha256 and what it made.

    Whoever calls this trusts the file. Stored models of its classes load from then on.

    Raises
    ------
    UsageError
        If there is no such file.
    ModelError
        If it cannot be run.
    """
    path = Path(path).resolve()
    if not path.is_file():
        raise UsageError(f"Expected a Python file at {path}, found none; check the path.")
    source = path.read_bytes()
    sha256 = hashlib.sha256(source).hexdigest()
    if sha256 not in FILES:
        module = ModuleType(f"{__name__}.{path.stem}")
        module.__file__ = str(path)
        sys.modules[module.__name__] = module  # dataclasses and inspect look it up there
        with _told_where(path):
            exec(compile(source, path, "exec"), vars(module))
        FILES[sha256] = module
    return sha256, FILES[sha256]


def find_class(path: str, name: str) -> tuple[str, type]:
    """Run a file, and return its sha256 and the class of that name.

    Raises
    ------
    UsageError
        If there is no such file, or no such class with ``fit`` and ``predict_proba``; those that
        there are stand in the message.
    ModelError
        If the file cannot be run.
    """
    sha256, module = run_file(path)
    own = [key for key, one in vars(module).items() if _is_model(one, module)]
    if name not in own:
        raise UsageError(
            f"{path}: Expected a class {name!r} with fit(X, y), predict_proba(X) and, if it has "
            f'one, reads = "measures" or "volumes", found {", ".join(own) or "none"}. Correct it.'
        )
    return sha256, vars(module)[name]


def _is_model(one: object, module: ModuleType) -> bool:
    own = inspect.isclass(one) and one.__module__ == module.__name__
    able = hasattr(one, "fit") and hasattr(one, "predict_proba")
    return own and able and getattr(one, "reads", READS[0]) in READS


@contextmanager
def _told_where(file: str | Path) -> Iterator[None]:
    """Tell which line of the file failed, as an error of the model."""
    try:
        yield
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        at = [one.lineno for one in frames if Path(one.filename).name == Path(file).name]
        found = f"{type(error).__name__}: {error}"
        said = f"{file}, line {['?', *at][-1]}: Expected code that runs"
        raise ModelError(f"{said}, found {found}. Correct it.") from error
