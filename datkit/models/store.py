"""Models on disk: one folder each, with a ``model.json`` whose "kind" says what reads it.

Weights are numbers in JSON or safetensors. Nothing is pickled, so loading a model runs no code of
its own.
"""

from __future__ import annotations

import json
import os
from importlib import import_module
from pathlib import Path
from typing import Any

from datkit.errors import ModelError
from datkit.files import write_json

__all__ = ["load_model", "read_document", "save_model", "write_document"]

FORMAT = 1
KINDS = {
    "measures": ("datkit.models.measures", "MeasuresClassifier"),
    "projection": ("datkit.models.projection", "ProjectionClassifier"),
    "volume": ("datkit.models.volume", "VolumeClassifier"),
    "calibrated": ("datkit.models.calibration", "TemperatureCalibrated"),
}


def save_model(model: Any, folder: str | os.PathLike[str]) -> Path:
    """Write a fitted model into `folder`, which is made if needed, and return the folder.

    Raises
    ------
    ModelError
        If the model is of a kind that datkit does not store, or the folder holds another kind.
    sklearn.exceptions.NotFittedError
        If it is not fitted yet.
    """
    if getattr(model, "kind", None) not in KINDS:
        raise ModelError(
            f"Expected a model of datkit ({', '.join(KINDS)}), found {type(model).__name__}. "
            "Other models need their own way to disk."
        )
    held = _read_json(folder)["kind"] if (Path(folder) / "model.json").exists() else model.kind
    if held != model.kind:
        raise ModelError(
            f"{folder} holds a model of the kind {held}, and this one is {model.kind}: their files "
            "would mix. Choose another folder, or delete that one."
        )
    model.save(folder)
    return Path(folder)


def load_model(folder: str | os.PathLike[str]) -> Any:
    """Read a model that :func:`save_model` wrote.

    Raises
    ------
    ModelError
        If there is none, its kind is unknown, or its weights are damaged; every problem is listed.
    """
    kind = _read_json(folder)["kind"]
    module, name = KINDS[kind]
    return getattr(import_module(module), name).load(folder)


def write_document(model: Any, folder: str | os.PathLike[str], document: dict[str, Any]) -> None:
    """Write ``model.json``: kind, format, the plain constructor parameters, and `document`."""
    params = model.get_params(deep=False)
    params.pop("estimator", None)  # a model inside a model has its own folder
    head = {"kind": model.kind, "format": FORMAT, "params": params}
    write_json(Path(folder) / "model.json", {**head, **document})


def read_document(kind: type, folder: str | os.PathLike[str]) -> tuple[dict, dict[str, Any]]:
    """Return the constructor parameters and the document of a stored model of the given class.

    Raises
    ------
    ModelError
        If the file is absent or not JSON, is of another kind or format, or names parameters that
        the class does not have.
    """
    document = _read_json(folder)
    where = Path(folder) / "model.json"
    if document["kind"] != kind.kind:
        raise ModelError(f'{where}: Expected the kind "{kind.kind}", found "{document["kind"]}".')
    params = document.get("params")
    known = set(kind._get_param_names()) - {"estimator"}
    if not isinstance(params, dict) or not set(params) <= known:
        raise ModelError(f'{where}: "params" should name only {sorted(known)}, found {params}.')
    return params, document


def _read_json(folder: str | os.PathLike[str]) -> dict[str, Any]:
    path = Path(folder) / "model.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(
            f"There is no model in {folder}: model.json is missing. Train one and save it there."
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not a readable JSON file: {error}. Save it again.") from error
    found = document if isinstance(document, dict) else {}
    problems = []
    if not isinstance(found.get("kind"), str) or found["kind"] not in KINDS:
        problems.append(f'"kind" should be one of {", ".join(KINDS)}, found {found.get("kind")!r}.')
    if found.get("format") != FORMAT:
        problems.append(f'"format" should be {FORMAT}, found {found.get("format")!r}.')
    if problems:
        raise ModelError.of([*problems[:-1], problems[-1] + " Save the model again."], where=path)
    return found
