"""Network weights on disk: safetensors, checked tensor by tensor before they are used."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from datkit.errors import ModelError
from datkit.files import replace_atomically, sha256_file

__all__ = ["load_weights", "save_weights"]

NAME = "weights.safetensors"


def save_weights(network: torch.nn.Module, folder: str | os.PathLike[str]) -> dict[str, str]:
    """Write the network's tensors to ``folder/weights.safetensors``.

    Returns
    -------
    dict
        ``file`` and ``sha256``, to be kept in ``model.json``: the two files then hold together.
    """
    from safetensors.torch import save_file

    path = Path(folder) / NAME
    with replace_atomically(path) as part:
        save_file({name: t.detach().cpu() for name, t in network.state_dict().items()}, part)
    return {"file": NAME, "sha256": sha256_file(path)}


def load_weights(network: torch.nn.Module, folder: str | os.PathLike[str], kept: Any) -> None:
    """Read the tensors of `network`, in place; `kept` is what :func:`save_weights` returned.

    Raises
    ------
    ModelError
        If the file is absent, damaged or not the one kept, or a tensor is missing, unknown, of
        another shape or type, or not finite; every problem is listed.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(folder) / NAME
    try:
        found, tensors = sha256_file(path), load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} cannot be read: {error}. Save the model again.") from error
    expected = kept.get("sha256") if isinstance(kept, dict) else None
    if found != expected:
        raise ModelError(
            f"{path}: Expected the sha256 {expected} that model.json names, found {found}. The two "
            "files are not of one model, or one was changed: save the model again."
        )
    if problems := _find_problems(tensors, network.state_dict()):
        raise ModelError.of(problems, where=path)
    network.load_state_dict(tensors)


def _find_problems(
    tensors: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]
) -> list[str]:
    problems = [f"The tensor {name} is missing." for name in expected if name not in tensors]
    for name, tensor in tensors.items():
        like = expected.get(name)
        if like is None:
            problems.append(f"The tensor {name} is unknown.")
        elif tensor.shape != like.shape or tensor.dtype != like.dtype:
            problems.append(
                f"{name}: Expected {tuple(like.shape)} {like.dtype}, "
                f"found {tuple(tensor.shape)} {tensor.dtype}."
            )
        elif not torch.isfinite(tensor).all():
            problems.append(f"{name}: Expected finite weights, found NaN or infinity.")
    return problems
