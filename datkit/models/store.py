"""Models on disk: one folder each, with a ``model.json`` whose "kind" says what reads it.

Weights are numbers in JSON or safetensors. Nothing is pickled, so loading a model runs no code of
its own. What a folder holds was written here: ``model.json`` has the sha256 of all that it says,
which is checked when the model is loaded, and names that of each other file.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from datkit.errors import ModelError, UsageError
from datkit.files import RESOURCES, read_sealed, replace_atomically, sha256_file, write_sealed
from datkit.models.registry import KINDS, class_of

if TYPE_CHECKING:
    import torch

    from datkit.models.base import LogitClassifier
    from datkit.models.network import NetworkClassifier

__all__ = ["PRETRAINED", "Document", "check_place", "load_arrays", "load_model", "load_pretrained",
           "load_weights", "read_card", "save_arrays", "save_model", "save_weights",
           "write_document"]  # fmt: skip

#: The model that ships with the kit: the mean logit of two networks, each in a folder of its kind.
PRETRAINED = RESOURCES / "pretrained"
FORMAT = 1
WEIGHTS = "weights.safetensors"
INSIDE = "estimator"  # the parameter that is a model itself, and the folder in which it lies
OWN = "own"  # the folder into which a class of one's own that stores itself writes
Document = dict[str, Any]  # what a model.json holds


def save_model(
    model: LogitClassifier, folder: str | os.PathLike[str], card: Document | None = None
) -> Path:
    """Write a fitted model into `folder`, which is made if needed, and return the folder.

    ``model.json`` comes last: kind, format, the plain constructor parameters, what the model's
    ``write_state`` returns, and the sha256 of all files. Equal models give equal bytes. A `card`
    says what the model was trained on; :func:`read_card` returns it. All is first written beside:
    where that fails, as on a full disk, an older model stays as it was.

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
    check_place(model, folder)
    params = model.get_params(deep=False)
    head = {"kind": model.kind, "format": FORMAT, "params": params}
    head |= {"card": card} if card else {}
    near = folder if folder.is_dir() else folder.parent
    near.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=near, prefix=".part-") as scratch:
        part = Path(scratch)
        if params.pop(INSIDE, None) is not None:
            save_model(model.estimator_, part / INSIDE)
        write_document(part, head | model.write_state(part))
        _move(part, folder)
    return folder


def write_document(folder: Path, document: Document) -> None:
    """Write ``model.json`` beside what it belongs to, whose sha256 it names, and its own."""
    inside = [path for path in folder.glob("*/**/*") if path.is_file()]
    files = sorted([*inside, *folder.glob(WEIGHTS)])
    hashes = {path.relative_to(folder).as_posix(): sha256_file(path) for path in files}
    write_sealed(folder / "model.json", document | {"files": hashes})


def _move(part: Path, folder: Path) -> None:
    """Move what a folder holds into another, in place of a model that lies there."""
    folder.mkdir(exist_ok=True)
    members = [path.parent for path in folder.glob("[1-9]*-*/model.json")]  # an older blend's
    for path in [folder / OWN, folder / INSIDE, *members]:
        shutil.rmtree(path, ignore_errors=True)
    (folder / WEIGHTS).unlink(missing_ok=True)
    for path in sorted(part.iterdir(), key=lambda one: one.name == "model.json"):
        path.replace(folder / path.name)


def check_place(model: LogitClassifier, folder: str | os.PathLike[str]) -> None:
    """Refuse a folder that holds a model of another kind: their files would mix.

    Raises
    ------
    ModelError
        If it does, or its ``model.json`` cannot be read.
    """
    held = _read_json(Path(folder))["kind"] if Path(folder, "model.json").exists() else model.kind
    if held != model.kind:
        raise ModelError(
            f"{folder} holds a model of the kind {held}, and this one is {model.kind}: their files "
            "would mix. Choose another folder, or delete that one."
        )


def load_model(folder: str | os.PathLike[str]) -> LogitClassifier:
    """Read a model that :func:`save_model` wrote.

    Raises
    ------
    ModelError
        If there is none, its kind is unknown, or a file is not as it was written.
    """
    folder = Path(folder)
    document = _read_json(folder)
    model, params = class_of(document["kind"]), document.get("params")
    known = {*model._get_param_names()}
    if not isinstance(params, dict) or not set(params) <= known - {INSIDE}:
        raise ModelError(f'{folder}: "params" should name only {sorted(known)}, found {params}.')
    try:
        inside = {INSIDE: load_model(folder / INSIDE)} if INSIDE in known else {}
        _check_files(folder, document)
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
        document = read_sealed(path, needed=False)  # version 0.2 wrote none
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelError(
            f"There is no model in {folder}: expected a folder with model.json, as 'datkit train' "
            "writes it. Train one; to predict several scans, name their folder."
        ) from error
    except (OSError, ValueError) as error:
        found = f"found it changed or damaged: {error}. Train the model again."
        raise ModelError(f"{path}: Expected it as it was saved, {found}") from error
    if "kind" not in document or document.get("format") != FORMAT:
        raise ModelError(
            f'{path}: Expected a "kind" and the "format" {FORMAT}, found {str(document)[:80]}. '
            "Save the model again."
        )
    return document


def _check_files(folder: Path, document: Document) -> None:
    """Hash every file that ``model.json`` names."""
    weights = document.get("weights")  # all that version 0.2 named
    own = {WEIGHTS: weights["sha256"]} if isinstance(weights, dict) else {}
    for name, sha256 in (own | document.get("files", {})).items():
        if not (folder / name).is_file() or sha256_file(folder / name) != sha256:
            raise ModelError(f"{folder}: Expected {name} as training wrote it. Train again.")


def save_weights(network: torch.nn.Module, folder: Path) -> dict[str, str]:
    """Write the network's tensors to ``folder/weights.safetensors``; see :func:`save_arrays`."""
    arrays = {name: one.numpy(force=True) for name, one in network.state_dict().items()}
    return save_arrays(arrays, folder)


def save_arrays(arrays: dict[str, np.ndarray], folder: Path) -> dict[str, str]:
    """Write arrays to ``folder/weights.safetensors``.

    Returns
    -------
    dict
        ``file`` and ``sha256``, of which ``model.json`` and cards tell.
    """
    from safetensors.numpy import save_file

    with replace_atomically(folder / WEIGHTS) as part:
        save_file({name: np.ascontiguousarray(one) for name, one in arrays.items()}, part)
    return {"file": WEIGHTS, "sha256": sha256_file(folder / WEIGHTS)}


def load_arrays(folder: Path) -> dict[str, np.ndarray]:
    """Read the arrays again, which :func:`load_model` has hashed.

    Raises
    ------
    ModelError
        If the file cannot be read.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = folder / WEIGHTS
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} cannot be read: {error}. Save the model again.") from error


def load_weights(network: torch.nn.Module, folder: Path) -> None:
    """Read the tensors of `network`, in place, that :func:`save_weights` wrote.

    They may be stored as float16, in half the room; the network computes in its own type.

    Raises
    ------
    ModelError
        If the file cannot be read; if tensors are missing, unknown or of another shape, which are
        all listed; or of another type or not finite.
    """
    from torch import float16, from_numpy

    tensors = {name: from_numpy(one) for name, one in load_arrays(folder).items()}
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:  # torch lists every tensor that does not fit
        raise ModelError(str(error)) from error
    own = network.state_dict()
    typed = {name for name, one in tensors.items() if one.dtype in (own[name].dtype, float16)}
    bad = [name for name, one in tensors.items() if name not in typed or not one.isfinite().all()]
    if bad:
        expected = "Expected finite weights"
        raise ModelError(f"{expected}, found another type, NaN or infinity in {', '.join(bad)}.")


def load_pretrained(network: torch.nn.Module, model: NetworkClassifier) -> Document:
    """Read the weights that ship for a model into its `network`, in place.

    Returns
    -------
    dict
        What these weights have learnt from, for a card: cohort, exams, abnormal and seed of their
        own training, and their sha256.

    Raises
    ------
    UsageError
        If `model.start` is not "pretrained", or no weights ship for a network like this.
    """
    if model.start != "pretrained":
        raise UsageError(f"Expected start='pretrained' or none, found {model.start!r}.")
    folder = PRETRAINED / model.kind
    document = _read_json(folder)
    found = {name: getattr(model, name) for name in ("size", "width") if hasattr(model, name)}
    there = {name: document["params"].get(name) for name in found}
    if found != there:
        raise UsageError(f"start='pretrained': expected {there}, found {found}; choose these.")
    _check_files(folder, document)
    load_weights(network, folder)
    card = _read_json(PRETRAINED)["card"]
    learnt = {key: card.get(key) for key in ("cohort", "exams", "abnormal", "seed")}
    return learnt | {"kind": model.kind, "sha256": document["weights"]["sha256"]}
