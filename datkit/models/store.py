"""Models on disk: one folder each, with a ``model.json`` whose "kind" says what reads it.

Weights are numbers in JSON or safetensors. Nothing is pickled, so loading a model runs no code of
its own. What a folder holds was written here: it is checked once, when the model is loaded.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from datkit.errors import ModelError
from datkit.files import replace_atomically, sha256_file, write_json
from datkit.models.registry import KINDS, class_of

if TYPE_CHECKING:
    import torch

    from datkit.models.base import LogitClassifier

__all__ = [
    "Document",
    "load_arrays",
    "load_model",
    "load_weights",
    "read_card",
    "save_arrays",
    "save_model",
    "save_weights",
]

FORMAT = 1
WEIGHTS = "weights.safetensors"
INSIDE = "estimator"  # the parameter that is a model itself, and the folder in which it lies
Document = dict[str, Any]  # what a model.json holds


def save_model(
    model: LogitClassifier, folder: str | os.PathLike[str], card: Document | None = None
) -> Path:
    """Write a fitted model into `folder`, which is made if needed, and return the folder.

    ``model.json`` is written last: kind, format, the plain constructor parameters, and what the
    model's ``write_state`` returns. Equal models give equal bytes. A `card` says what the model was
    trained on; :func:`read_card` returns it.

    Raises
    ------
    ModelError
        If the model's class is not registered, or the folder holds a model of another kind.
    sklearn.exceptions.NotFittedError
        If it is not fitted yet.
    """
    folder = Path(folder)
    if type(model) not in KINDS.values():
        raise ModelError(
            f"Expected a model of datkit, found {type(model).__name__}. Register its class with "
            "datkit.models.register, or give it a way to disk of its own."
        )
    check_is_fitted(model)
    held = _read_json(folder)["kind"] if (folder / "model.json").exists() else model.kind
    if held != model.kind:
        raise ModelError(
            f"{folder} holds a model of the kind {held}, and this one is {model.kind}: their files "
            "would mix. Choose another folder, or delete that one."
        )
    params = model.get_params(deep=False)
    if params.pop(INSIDE, None) is not None:
        save_model(model.estimator_, folder / INSIDE)
    head = {"kind": model.kind, "format": FORMAT, "params": params}
    head |= {"card": card} if card else {}
    write_json(folder / "model.json", head | model.write_state(folder))
    return folder


def load_model(folder: str | os.PathLike[str]) -> LogitClassifier:
    """Read a model that :func:`save_model` wrote.

    Raises
    ------
    ModelError
        If there is none, its kind is unknown, or its weights are damaged.
    """
    folder = Path(folder)
    document = _read_json(folder)
    model, params = class_of(document["kind"]), document.get("params")
    known = {*model._get_param_names()}
    if not isinstance(params, dict) or not set(params) <= known - {INSIDE}:
        raise ModelError(f'{folder}: "params" should name only {sorted(known)}, found {params}.')
    try:
        inside = {INSIDE: load_model(folder / INSIDE)} if INSIDE in known else {}
        loaded = model(**params, **inside)
        loaded.read_state(folder, document)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ModelError(f"The model in {folder} is damaged. {error}") from error
    return loaded


def read_card(folder: str | os.PathLike[str]) -> Document | None:
    """Return the card of a stored model, None if it has none.

    Raises
    ------
    ModelError
        If there is no model.
    """
    return _read_json(Path(folder)).get("card")


def _read_json(folder: Path) -> Document:
    path = folder / "model.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(
            f"There is no model in {folder}: model.json is missing. Train one and save it there."
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not a readable JSON file: {error}. Save it again.") from error
    if not isinstance(document, dict) or "kind" not in document or document.get("format") != FORMAT:
        raise ModelError(
            f'{path}: Expected a "kind" and the "format" {FORMAT}, found {str(document)[:80]}. '
            "Save the model again."
        )
    return document


def save_weights(network: torch.nn.Module, folder: Path) -> dict[str, str]:
    """Write the network's tensors to ``folder/weights.safetensors``; see :func:`save_arrays`."""
    arrays = {name: one.numpy(force=True) for name, one in network.state_dict().items()}
    return save_arrays(arrays, folder)


def save_arrays(arrays: dict[str, np.ndarray], folder: Path) -> dict[str, str]:
    """Write arrays to ``folder/weights.safetensors``.

    Returns
    -------
    dict
        ``file`` and ``sha256``, to be kept in ``model.json``: the two files then hold together.
    """
    from safetensors.numpy import save_file

    with replace_atomically(folder / WEIGHTS) as part:
        save_file({name: np.ascontiguousarray(one) for name, one in arrays.items()}, part)
    return {"file": WEIGHTS, "sha256": sha256_file(folder / WEIGHTS)}


def load_arrays(folder: Path, kept: dict[str, str]) -> dict[str, np.ndarray]:
    """Read the arrays again; `kept` is what :func:`save_arrays` returned.

    Raises
    ------
    ModelError
        If the file is absent, damaged or not the one kept.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = folder / WEIGHTS
    try:
        found, arrays = sha256_file(path), load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} cannot be read: {error}. Save the model again.") from error
    if found != kept["sha256"]:
        raise ModelError(
            f"{path}: Expected the sha256 {kept['sha256']} that model.json names, found {found}. "
            "The two files are not of one model, or one was changed: save the model again."
        )
    return arrays


def load_weights(network: torch.nn.Module, folder: Path, kept: dict[str, str]) -> None:
    """Read the tensors of `network`, in place; `kept` is what :func:`save_weights` returned.

    Raises
    ------
    ModelError
        If the file is absent, damaged or not the one kept; if tensors are missing, unknown or of
        another shape, which are all listed; or of another type or not finite.
    """
    from torch import from_numpy

    tensors = {name: from_numpy(one) for name, one in load_arrays(folder, kept).items()}
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:  # torch lists every tensor that does not fit
        raise ModelError(str(error)) from error
    types = {name: tensor.dtype for name, tensor in network.state_dict().items()}
    bad = [name for name, t in tensors.items() if t.dtype != types[name] or not t.isfinite().all()]
    if bad:
        raise ModelError(
            f"Expected finite weights, found another type, NaN or infinity in {', '.join(bad)}."
        )
