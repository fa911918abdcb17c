"""What a member's bytes tell: pickles, weights that cannot be read, tables of exams."""

from __future__ import annotations

import csv
import io
import json
import pickletools
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from datkit.problems import Problem
from datkit.rules import Found, RuleGroup, finding

__all__ = ["CONTENT", "SAFE_SUFFIXES", "Member", "damaged"]

LIMITS = "what can be read in 12 s and 1.8 GB"
_PICKLES = (".ckpt", ".dill", ".joblib", ".pickle", ".pkl", ".pt", ".pth")
# As TorchScript writes them: 5 is float16 and 15 bfloat16 (c10/core/ScalarType.h).
_FIXED = re.compile(r'torch\.device\("[^"]*"\)|dtype=(?:5|15)\b|torch\.to\(.{0,200}, (?:5|15)[,)]')


@dataclass(frozen=True)
class Member:
    """One file of the archive.

    Examples
    --------
    >>> import pickle
    >>> Member("weights/model.bin", pickle.dumps([1.0])).pickle
    'the bytes of a pickle'
    >>> Member("weights/model.json", b"[1.0]").pickle
    ''
    """

    name: str
    content: bytes

    def says(self, found: str) -> Iterator[Found]:
        """Yield what was found, if that is anything."""
        if found:
            yield Found(f"member {self.name!r}", found)

    @property
    def suffix(self) -> str:
        """How its name ends, in small letters."""
        return PurePosixPath(self.name).suffix.lower()

    @cached_property
    def zip(self) -> zipfile.ZipFile | None:
        """The zip that it is, None if it is none."""
        with suppress(zipfile.BadZipFile):
            if self.content.startswith(b"PK"):
                return zipfile.ZipFile(io.BytesIO(self.content))
        return None

    @cached_property
    def entries(self) -> list[str]:
        """The names in its zip; none if it is no zip."""
        return self.zip.namelist() if self.zip else []

    @cached_property
    def pickle(self) -> str:
        """What shows that it is a pickle, its name or its bytes; '' if it is not."""
        if self.is_torchscript:
            return ""  # torch.jit.load runs no Python of the file
        if self.suffix in _PICKLES:
            return f"a {self.suffix} file"
        if _is_pickle(self.content):
            return "the bytes of a pickle"
        if any(entry.endswith("data.pkl") for entry in self.entries):
            return "a PyTorch archive, which holds a pickle"
        return ""

    @property
    def is_torchscript(self) -> bool:
        """Whether it is a compiled model of PyTorch."""
        compiled = any("/code/" in entry for entry in self.entries)
        return compiled and any(entry.endswith("/constants.pkl") for entry in self.entries)

    @property
    def code(self) -> str:
        """The sources in a TorchScript file; '' in any other."""
        if not (self.zip and self.is_torchscript):
            return ""
        sources = [name for name in self.entries if "/code/" in name and name.endswith(".py")]
        return "".join(self.zip.read(name).decode("utf-8", "replace") for name in sources)


CONTENT: RuleGroup[Member] = RuleGroup("What does not belong there")


@CONTENT.rule("pickle", expected="weights as safetensors, NPZ or JSON")
def pickle(member: Member) -> Iterator[Found]:
    """Weights are stored as a pickle.

    A pickle breaks with another version of its library and can run code: save again.
    """
    return member.says(member.pickle)


@CONTENT.rule("weights", expected="readable weights")
def weights(member: Member) -> Iterator[Found]:
    """A file of weights cannot be read.

    Save the model again.
    """
    if member.suffix in _LOADERS and not member.pickle:
        _LOADERS[member.suffix](member.content)  # what it raises is said by `damaged`
    return member.says("")


CONTENT.declare(
    "unread",
    "A part of the archive takes more time or memory to read than the check may have.",
    "Leave it out or make it smaller: nothing is known of it, nor of what was to be read after it.",
)


def damaged(name: str, error: Exception) -> Problem:
    """Return what is said of a member that raises an error when it is read."""
    where, suffix = f"member {name!r}", PurePosixPath(name).suffix
    if isinstance(error, MemoryError | RecursionError):
        return finding("unread", where, LIMITS, str(error) or "one that takes more")
    if "Object arrays" in str(error):
        found = "an array of Python objects, which NumPy stores as a pickle"
        return finding("pickle", where, "weights that are no pickle", found)
    return finding("weights", where, "readable weights", f"a damaged {suffix} file ({error})")


@CONTENT.rule(
    "torchscript-device", expected="no fixed device or half precision", severity="warning"
)
def torchscript_device(member: Member) -> Iterator[Found]:
    """TorchScript was traced with a device or half precision baked in.

    Script the model instead of tracing it, or trace in float32 on the device it runs on.
    """
    fixed = _FIXED.search(member.code or "")
    return member.says(fixed[0][-60:] if fixed else "")


@CONTENT.rule("traced-input", expected="no input", severity="warning")
def traced_input(member: Member) -> Iterator[Found]:
    """{term}`TorchScript` holds the input that it was traced with.

    Trace with random numbers or script the model: an exam must not be shared.
    """
    # Newer versions store it beside the code: https://pytorch.org/docs/stable/jit.html.
    stored = any("/traced_inputs/" in entry for entry in member.entries)
    return member.says("the input of the tracing" if stored and member.is_torchscript else "")


@CONTENT.rule("exam-table", expected="no table of exams")
def exam_table(member: Member) -> Iterator[Found]:
    """A table holds one row for each exam: labels, uids, features.

    Leave it out: the rules forbid to share anything of single exams.
    """
    found = ""
    if PurePosixPath(member.name).name.startswith(("train_labels", "submission_format")):
        found = "the name of one of the challenge's tables"
    elif member.suffix in (".csv", ".tsv") and member.name != "submission.csv":  # has its own code
        found = "a column 'uid'" if "uid" in _columns(member.content) else ""
    elif member.suffix == ".json":
        found = "a key 'uid'" if {"uid", "uids"} & _keys(member.content) else ""
    elif member.suffix == ".npz" and {"uid.npy", "uids.npy"} & {*member.entries}:
        found = "an array of uids"
    return member.says(found)


def _columns(content: bytes) -> list[str]:
    first = content[:10_000].decode("utf-8", "replace").lstrip("\ufeff").splitlines()[:1]
    delimiter = max("\t;,", key="".join(first).count)
    return [name.strip().lower() for name in next(csv.reader(first, delimiter=delimiter), [])]


def _keys(content: bytes) -> set[str]:
    """Return the keys of a JSON object, or of those in a list."""
    value = json.loads(content)
    rows = value if isinstance(value, list) else [value]
    return {key for row in rows if isinstance(row, dict) for key in row}


def _is_pickle(content: bytes) -> bool:
    # Protocols 2 to 5 begin with byte 0x80 and the protocol, and all end with a full stop.
    framed = content[:1] == b"\x80" and content[1:2] in b"\2\3\4\5" and content[-1:] == b"."
    with suppress(ValueError, IndexError, OverflowError):  # opcodes without sense: it begins alike
        return framed and all(True for _ in pickletools.genops(content))
    return False


def _load_numpy(content: bytes) -> None:
    import numpy as np

    if not content.startswith((b"\x93NUMPY", b"PK")):
        raise ValueError("its first bytes are other ones")
    loaded = np.load(io.BytesIO(content), allow_pickle=False)
    for name in getattr(loaded, "files", ()):
        loaded[name]


def _load_safetensors(content: bytes) -> None:
    from safetensors import deserialize

    deserialize(content)


# What reads a file of each kind, or raises.
_LOADERS: dict[str, Callable[[bytes], object]] = {
    ".json": json.loads,
    ".npy": _load_numpy,
    ".npz": _load_numpy,
    ".safetensors": _load_safetensors,
}
SAFE_SUFFIXES = tuple(_LOADERS)
