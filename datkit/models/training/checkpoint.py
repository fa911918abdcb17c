"""A training on disk, written after each epoch, so that a killed one goes on where it was."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from datkit.errors import UsageError
from datkit.files import replace_atomically
from datkit.models.training.settings import TrainingSettings

__all__ = ["FILE", "fingerprint", "read_checkpoint", "write_checkpoint"]

# Tensors and plain numbers, which run no code as they are read; then their sha256, of 32 bytes.
FILE = "training.pt"


def write_checkpoint(folder: Path, state: Mapping[str, Any], of: str) -> None:
    """Write the state of a training; a hash says of which settings and exams it is."""
    content = io.BytesIO()
    torch.save({**state, "of": of}, content)
    with replace_atomically(folder / FILE) as path:
        path.write_bytes(content.getvalue() + hashlib.sha256(content.getvalue()).digest())


def read_checkpoint(folder: Path, of: str, device: torch.device) -> dict[str, Any] | None:
    """Return what :func:`write_checkpoint` wrote; None if there is no file.

    Raises
    ------
    UsageError
        If the file is of other settings, exams or networks, or cannot be read.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        content, sha256 = (held := path.read_bytes())[:-32], held[-32:]
        if sha256 != hashlib.sha256(content).digest():
            raise ValueError("it is not as it was written")
        state = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
        found = state.pop("of")
    except Exception as error:  # torch.load names no errors of its own
        raise UsageError(
            f"{path} cannot be read as a checkpoint: {error}. Delete it to start anew."
        ) from error
    if found != of:
        raise UsageError(
            f"{path} is the checkpoint of a training with other settings, exams or labels. Choose "
            "another folder, or delete the file to start anew."
        )
    return state


def fingerprint(
    network: torch.nn.Module, X: torch.Tensor, y: torch.Tensor, settings: TrainingSettings
) -> str:
    """Return one sha256 of settings, first weights, exams and labels, all of them on the CPU."""
    digest = hashlib.sha256(repr(asdict(settings)).encode())
    for tensor in (X, y, *network.state_dict().values()):
        digest.update(f"{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().contiguous().numpy())
    return digest.hexdigest()
