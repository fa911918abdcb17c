"""What a file of weights is made of: a pickle, whatever its name, or something safe and whole."""

from __future__ import annotations

import io
import json
import pickletools
import zipfile
import zlib
from pathlib import PurePosixPath

__all__ = ["SAFE_SUFFIXES", "find_pickle", "find_weight_damage"]

SAFE_SUFFIXES = (".json", ".npy", ".npz", ".safetensors")
_PICKLES = (".ckpt", ".dill", ".joblib", ".pickle", ".pkl", ".pt", ".pth")


def find_pickle(name: str, content: bytes) -> str | None:
    """Say why a file is a pickle, by its name or by its bytes; None if it is not.

    Examples
    --------
    >>> import pickle
    >>> find_pickle("weights/model.bin", pickle.dumps([1.0]))
    'the bytes of a pickle'
    >>> find_pickle("weights/model.json", b"[1.0]") is None
    True
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in _PICKLES:
        return f"a {suffix} file"
    if _is_pickle(content):
        return "the bytes of a pickle"
    if content.startswith(b"PK") and any(n.endswith("data.pkl") for n in _names_in(content)):
        return "a PyTorch archive, which holds a pickle"
    if suffix in (".npy", ".npz") and _load_numpy(content) == _OBJECTS:
        return "an array of Python objects, which NumPy stores as a pickle"
    return None


def find_weight_damage(suffix: str, content: bytes) -> str | None:
    """Say what is wrong with weights that are no pickle; None if they can be read."""
    if suffix in (".npy", ".npz"):
        return _load_numpy(content)
    if suffix == ".safetensors":
        return _load_safetensors(content)
    if suffix == ".json":
        try:
            json.loads(content)
        except (ValueError, RecursionError) as error:
            return f"no JSON ({error})"
    return None


_OBJECTS = "an array of Python objects"
_UNREADABLE = (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)


def _is_pickle(content: bytes) -> bool:
    # Protocols 2 to 5 begin with byte 0x80 and the protocol, and all end with a full stop.
    if not (content[:1] == b"\x80" and content[1:2] in b"\2\3\4\5" and content[-1:] == b"."):
        return False
    try:
        return all(True for _ in pickletools.genops(content))
    except (ValueError, IndexError, OverflowError):
        return False  # not every opcode makes sense: something else that begins alike


def _names_in(content: bytes) -> list[str]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, ValueError):
        return []


def _load_numpy(content: bytes) -> str | None:
    import numpy as np

    if not content.startswith((b"\x93NUMPY", b"PK")):
        return "no NumPy file (its first bytes are other ones)"
    try:
        loaded = np.load(io.BytesIO(content), allow_pickle=False)
        for name in getattr(loaded, "files", ()):
            loaded[name]
    except (*_UNREADABLE, MemoryError) as error:
        return _OBJECTS if "Object arrays" in str(error) else f"no NumPy file ({error})"
    return None


def _load_safetensors(content: bytes) -> str | None:
    from safetensors import SafetensorError, deserialize

    try:
        deserialize(content)
    except (SafetensorError, ValueError) as error:
        return f"no safetensors file ({error})"
    return None
