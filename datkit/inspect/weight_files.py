"""What a file of weights is made of: a pickle, whatever its name, or something safe and whole."""

from __future__ import annotations

import io
import json
import pickletools
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath

__all__ = ["SAFE_SUFFIXES", "entries_of", "find_baked_in", "find_pickle", "find_weight_damage"]

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
    suffix, entries = PurePosixPath(name).suffix.lower(), entries_of(content)
    if _is_torchscript(entries):
        return None  # torch.jit.load runs no Python of the file
    if suffix in _PICKLES:
        return f"a {suffix} file"
    if _is_pickle(content):
        return "the bytes of a pickle"
    if any(entry.endswith("data.pkl") for entry in entries):
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


def find_baked_in(content: bytes) -> Iterator[tuple[str, str, str]]:
    """Yield (code, expected, found) for what tracing left in a TorchScript file.

    A traced model keeps the devices and number types of its tracing as constants of its code, and
    newer versions of torch store the very input: https://pytorch.org/docs/stable/jit.html.
    """
    entries = entries_of(content)
    if not _is_torchscript(entries):
        return
    try:
        code = "".join(_code_in(content))
    except _UNREADABLE as error:
        yield "weights", "readable weights", f"a damaged TorchScript file ({error})"
        return
    if fixed := _FIXED.search(code):
        yield "torchscript-device", "no fixed device or half precision", fixed[0][-60:]
    if any("/traced_inputs/" in entry for entry in entries):
        yield "traced-input", "no input", "the input of the tracing"


def entries_of(content: bytes) -> list[str]:
    """Return the names in a zip's bytes; none if they are no zip."""
    if not content.startswith(b"PK"):
        return []
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, ValueError):
        return []


# As TorchScript writes them: 5 is float16 and 15 bfloat16 (c10/core/ScalarType.h).
_FIXED = re.compile(r'torch\.device\("[^"]*"\)|dtype=(?:5|15)\b|torch\.to\(.*, (?:5|15)[,)]')
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


def _code_in(content: bytes) -> Iterator[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for entry in archive.namelist():
            if "/code/" in entry and entry.endswith(".py"):
                yield archive.read(entry).decode("utf-8", "replace")


def _is_torchscript(entries: list[str]) -> bool:
    compiled = any("/code/" in entry for entry in entries)
    return compiled and any(entry.endswith("/constants.pkl") for entry in entries)


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
