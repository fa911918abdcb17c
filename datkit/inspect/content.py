"""What does not belong into a submission, told by a member's name and by its bytes."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import PurePosixPath

from datkit.inspect.rules import finding
from datkit.inspect.weight_files import entries_of, find_baked_in, find_pickle, find_weight_damage
from datkit.problems import Problem

__all__ = ["MAX_VOLUMES", "check_bytes", "check_names", "is_mac_note"]

# One volume may be a template; a folder of them is a data set, which no submission may carry.
MAX_VOLUMES = 5
_VOLUMES = (".nii", ".nii.gz", ".dcm", ".mha", ".mhd", ".nrrd", ".hdr", ".img")
_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".7z", ".rar")
_LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX", "__pycache__"})
_HISTORY = frozenset({".git", ".svn", ".hg"})
_ENVIRONMENTS = frozenset({"site-packages", "pyvenv.cfg", "node_modules", "conda-meta"})
_LOGS = frozenset({"lightning_logs", "mlruns", "wandb", "tensorboard"})
_SECRETS = frozenset({".env", ".netrc", ".pypirc", "kaggle.json", "id_rsa", "id_ed25519"})
# What is told by one part of a name: code, parts, what was expected.
_BY_PART = (
    ("litter", _LITTER, "no litter"),
    ("version-control", _HISTORY, "no history"),
    ("environment", _ENVIRONMENTS, "sources only"),
    ("run-logs", _LOGS, "no logs"),
    ("secret", _SECRETS, "no secrets"),
)


def check_names(names: list[str]) -> Iterator[Problem]:
    """Yield what is told by the members' names alone.

    Examples
    --------
    >>> [problem.code for problem in check_names(["main.py", "data/readme.txt"])]
    ['data-folder']
    """
    for name in names:
        yield from _check_name(name)
    for code, parts, expected in _BY_PART:
        if there := [name for name in names if _has_part(name, parts)]:
            yield finding(code, f"member {there[0]!r}", expected, _count(there))
    if volumes := [name for name in names if name.lower().endswith(_VOLUMES)]:
        yield from _check_volumes(volumes)


def check_bytes(name: str, content: bytes) -> Iterator[Problem]:
    """Yield what is wrong with one member's bytes: weights, or a table of exams."""
    where, suffix = f"member {name!r}", PurePosixPath(name).suffix.lower()
    if pickle := find_pickle(name, content):
        yield finding("pickle", where, "weights as safetensors, NPZ or JSON", pickle)
    elif damage := find_weight_damage(suffix, content):
        yield finding("weights", where, "readable weights", damage)
    for code, expected, found in find_baked_in(content):
        yield finding(code, where, expected, found)
    if column := _find_exams(name, suffix, content):
        yield finding("exam-table", where, "no table of exams", column)


def _check_name(name: str) -> Iterator[Problem]:
    where, path = f"member {name!r}", PurePosixPath(name)
    if path.suffix == ".ipynb":
        yield finding("notebook", where, "no notebook", "one")
    if path.parts[:1] == ("data",):
        yield finding("data-folder", where, "nothing under data/", "a member there")
    if name == "submission.csv":
        yield finding("old-predictions", where, "no predictions", "a submission.csv")
    if name.lower().endswith(_ARCHIVES):
        yield finding("nested-archive", where, "files", "an archive")
    if path.suffix == ".log" or path.name.startswith("events.out.tfevents"):
        yield finding("run-logs", where, "no logs", "one")


def is_mac_note(name: str) -> bool:
    """Whether a member is what macOS notes about another file: ``._main.py`` is no Python.

    Examples
    --------
    >>> is_mac_note("__MACOSX/._main.py"), is_mac_note("main.py")
    (True, False)
    """
    return PurePosixPath(name).name.startswith("._")


def _has_part(name: str, parts: frozenset[str]) -> bool:
    whole = PurePosixPath(name).parts
    return not parts.isdisjoint(whole) or (parts is _LITTER and is_mac_note(name))


def _check_volumes(volumes: list[str]) -> Iterator[Problem]:
    exams = [name for name in volumes if name.lower().endswith(".dcm") or "niftis/" in name]
    if exams or len(volumes) > MAX_VOLUMES:
        found = f"{len(volumes)}, such as {(exams or volumes)[0]!r}"
        expected = f"no exams, and at most {MAX_VOLUMES} volumes"
        yield finding("volumes", "the archive", expected, found)


def _count(names: list[str]) -> str:
    return "it" if len(names) == 1 else f"it and {len(names) - 1} more"


def _find_exams(name: str, suffix: str, content: bytes) -> str | None:
    """Say what shows that a member holds a row for each exam; None if nothing does."""
    if PurePosixPath(name).name.startswith(("train_labels", "submission_format")):
        return "the name of one of the challenge's tables"
    if suffix in (".csv", ".tsv") and name != "submission.csv":  # that one has its own code
        return _find_column(content)
    if suffix == ".json":
        return _find_key(content)
    if suffix == ".npz" and any(entry in ("uid.npy", "uids.npy") for entry in entries_of(content)):
        return "an array of uids"
    return None


def _find_column(content: bytes) -> str | None:
    first = content[:10_000].decode("utf-8", "replace").lstrip("\ufeff").splitlines()[:1]
    delimiter = max("\t;,", key="".join(first).count)
    header = next(csv.reader(first, delimiter=delimiter), [])
    return "a column 'uid'" if "uid" in [column.strip().lower() for column in header] else None


def _find_key(content: bytes) -> str | None:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None  # reported as damage
    rows = value if isinstance(value, list) else [value]
    named = any(isinstance(row, dict) and {"uid", "uids"} & row.keys() for row in rows)
    return "a key 'uid'" if named else None
