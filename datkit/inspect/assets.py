"""Files that the code opens beside itself and the archive lacks: the staging folder had them.

Seen are paths that are written out, from ``__file__`` or from the working directory, which is the
archive's root. A path that the code first looks for, or writes itself, is left alone.
"""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterator

from datkit.inspect.source import CODE, HERE, UNKNOWN, Source, calls, keywords_of, shown
from datkit.rules import Found

_NOT_OURS = ("data/", "submission", "/", "~", "../")


@CODE.rule("missing-asset")
def missing_asset(source: Source) -> Iterator[Found]:
    """The code opens a file beside itself that is not in the archive.

    Pack it too, under that path, and test the zip, not the folder that it was made from.
    """
    reads = {call: one for name, call in source.calls if (one := _path_read(source, name, call))}
    rest = {source.text(one) for _, call in source.calls if call not in reads for one in call.args}
    for call, given in reads.items():
        text = source.text(given)
        path = posixpath.normpath(text.removeprefix(f"{HERE}/"))
        if call in source.guarded or (text in rest and not text.startswith(HERE)):
            continue
        if _is_written_out(path) and path not in source.contents.names:
            yield source.at(call, f"only {shown(call)}", f"{path!r} in the archive")


def _path_read(source: Source, name: str, call: ast.Call) -> ast.expr | None:
    """Return the path that a call reads, None if it reads nothing."""
    if calls("read_method", name.rpartition(".")[2]):
        return call.func.value if isinstance(call.func, ast.Attribute) else None
    if not (calls("read_files", name) and call.args):
        return None
    mode = call.args[1] if len(call.args) > 1 else keywords_of(call).get("mode")
    writes = "open" in name and mode is not None and not source.text(mode).startswith("r")
    return None if writes else call.args[0]


def _is_written_out(path: str) -> bool:
    known = UNKNOWN not in path and "*" not in path and ":" not in path
    return known and bool(posixpath.splitext(path)[1]) and not path.startswith(_NOT_OURS)
