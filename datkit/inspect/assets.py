"""Files that the code opens beside itself and the archive lacks: the staging folder had them.

Seen are paths that are written out, from ``__file__`` or from the working directory, which is the
archive's root. A path that the code first looks for, or writes itself, is left alone.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator

from datkit.inspect.rules import finding
from datkit.inspect.source import HERE, UNKNOWN, Source, keywords_of, shown
from datkit.problems import Problem

__all__ = ["find_missing_assets"]

_READERS = re.compile(
    r"(io\.)?open|numpy\.(load|loadtxt|genfromtxt)|torch\.(jit\.)?load|(joblib|pickle)\.load"
    r"|safetensors(\.\w+)?\.(load_file|safe_open)|pandas\.read_\w+|polars\.read_\w+"
    r"|nibabel\.load|SimpleITK\.ReadImage"
)
_READ_METHODS = ("read_text", "read_bytes")
_NOT_OURS = ("data/", "submission", "/", "~", "../")


def find_missing_assets(source: Source, names: frozenset[str]) -> Iterator[Problem]:
    """Yield every file that the source reads by a path that is written out, and nobody packed.

    Parameters
    ----------
    source : Source
    names : frozenset of str
        The members of the archive.
    """
    reads = [call for call in source.calls if _reads(source, call)]
    others = {source.text(one) for call in source.calls if call not in reads for one in call.args}
    for call in reads:
        text = source.text(_path_of(call))
        path = posixpath.normpath(text.removeprefix(f"{HERE}/"))
        if call in source.guarded or (text in others and not text.startswith(HERE)):
            continue
        if _is_written_out(path) and path not in names:
            where, expected = source.where(call), f"{path!r} in the archive"
            yield finding("missing-asset", where, expected, f"only {shown(call)}")


def _reads(source: Source, call: ast.Call) -> bool:
    name = source.dotted(call.func)
    if name.rpartition(".")[2] in _READ_METHODS:
        return True
    if not (_READERS.fullmatch(name) and call.args):
        return False
    mode = call.args[1] if len(call.args) > 1 else keywords_of(call).get("mode")
    return "open" not in name or mode is None or source.text(mode).startswith("r")


def _path_of(call: ast.Call) -> ast.expr:
    method = isinstance(call.func, ast.Attribute) and call.func.attr in _READ_METHODS
    return call.func.value if method else call.args[0]


def _is_written_out(path: str) -> bool:
    known = UNKNOWN not in path and "*" not in path and ":" not in path
    return known and bool(posixpath.splitext(path)[1]) and not path.startswith(_NOT_OURS)
