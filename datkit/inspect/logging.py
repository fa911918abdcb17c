"""What a source prints: uids, which the rules forbid, and a line for each exam, which is too much.

A name is a uid's if it says so (``uid``, ``exam_uids``), if it runs over such names in a loop, or
if it is a path or text made of one. A printed table or a traceback may hold uids too; that shows
only in a run.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from datkit.inspect.source import CODE, Source, keywords_of, shown
from datkit.rules import Found

__all__ = ["mentions_uid"]

_UID = re.compile(r"(?:(?!by_)\w+_)?uids?", re.IGNORECASE)
_LOGGERS = re.compile(r"(?:\w+\.)*(?:\w*log(?:ger|ging)?)(?:\(\))?", re.IGNORECASE)
_LEVELS = ("debug", "info", "warning", "error", "critical", "exception", "log", "success")
_WRITERS = ("print", "pprint.pprint", "tqdm.tqdm.write", "tqdm.auto.tqdm.write", "warnings.warn")
_STREAMS = ("sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__")
# What is left of many uids: a count.
_COUNTS = ("len", "sum", "hash", "bool")
_COUNT_METHODS = ("nunique", "count")
_COUNT_ATTRIBUTES = ("shape", "size", "empty", "dtype")


@CODE.rule("prints-uids", expected="counts only", severity="warning")
def prints_uids(source: Source) -> Iterator[Found]:
    """The code prints or logs uids.

    Print counts only: logging anything about test exams disqualifies.
    """
    return (source.at(one.call) for one in _Visitor(source).found if one.has_uid)


@CODE.rule("prints-per-exam", expected="a few lines", severity="warning")
def prints_per_exam(source: Source) -> Iterator[Found]:
    """The code prints a line for each exam.

    Print every hundredth, or nothing: the platform keeps 300 lines, the test set is larger.
    """
    for one in _Visitor(source).found:
        if one.each_exam and not one.has_uid:
            yield source.at(one.call, f"{shown(one.call)} in a loop over exams")


def mentions_uid(node: ast.AST, names: frozenset[str] | set[str] = frozenset()) -> bool:
    """Whether an expression holds a uid: more than how many there are.

    Parameters
    ----------
    node : ast.AST
    names : set of str
        Further names that hold one.

    Examples
    --------
    >>> [mentions_uid(ast.parse(text)) for text in ("row['uid']", "len(uids)", "f'{uid}.nii'")]
    [True, False, True]
    """
    match node:
        case ast.Name(id=name):
            return name in names or bool(_UID.fullmatch(name))
        case ast.Subscript(slice=ast.Constant(value=str(key))):
            return bool(_UID.fullmatch(key))
        case ast.Attribute(attr=name):
            if name in _COUNT_ATTRIBUTES:
                return False
            return bool(_UID.fullmatch(name)) or mentions_uid(node.value, names)
        case ast.Call(func=ast.Name(id=name)) if name in _COUNTS:
            return False
        case ast.Call(func=ast.Attribute(attr=name)) if name in _COUNT_METHODS:
            return False
    return any(mentions_uid(child, names) for child in ast.iter_child_nodes(node))


class _Print(NamedTuple):
    call: ast.Call
    has_uid: bool
    each_exam: bool


class _Visitor(ast.NodeVisitor):
    """Walks a source, knowing which names hold uids and whether each exam passes here."""

    def __init__(self, source: Source) -> None:
        self.source, self.each_exam = source, False
        self.names: set[str] = set()
        self.found: list[_Print] = []
        self.visit(source.tree)

    def visit_Assign(self, node: ast.Assign) -> None:
        made = isinstance(node.value, ast.JoinedStr | ast.BinOp) or self._is_path(node.value)
        if made and mentions_uid(node.value, self.names):
            self.names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        self.generic_visit(node)

    def visit_For(self, node: ast.For) -> None:
        outside, exams = self.each_exam, self._runs_over_exams(node)
        self.each_exam = exams or outside
        self.generic_visit(node)
        self.each_exam = outside

    def visit_Call(self, node: ast.Call) -> None:
        if self._prints(node):
            given = [*node.args, *keywords_of(node).values()]
            has_uid = any(mentions_uid(one, self.names) for one in given)
            self.found.append(_Print(node, has_uid, self.each_exam))
        self.generic_visit(node)

    def _visit_now_and_then(self, node: ast.AST) -> None:
        outside, self.each_exam = self.each_exam, False
        self.generic_visit(node)
        self.each_exam = outside

    visit_If = visit_ExceptHandler = visit_FunctionDef = _visit_now_and_then

    def _runs_over_exams(self, loop: ast.For) -> bool:
        rows = ("iterrows", "itertuples", "DictReader")
        by_row = any(isinstance(n, ast.Attribute) and n.attr in rows for n in ast.walk(loop.iter))
        if not mentions_uid(loop.iter, self.names):
            return by_row
        targets = [loop.target]
        if isinstance(loop.target, ast.Tuple):  # of enumerate the first counts; zip may mix
            targets = loop.target.elts[1:] if "enumerate" in ast.unparse(loop.iter) else []
        self.names |= {n.id for one in targets for n in ast.walk(one) if isinstance(n, ast.Name)}
        return True

    def _is_path(self, node: ast.expr) -> bool:
        paths = ("pathlib.Path", "os.path.join", "str")
        return isinstance(node, ast.Call) and self.source.dotted(node.func) in paths

    def _prints(self, call: ast.Call) -> bool:
        name = self.source.dotted(call.func)
        if name in _WRITERS:
            file = keywords_of(call).get("file")
            return file is None or self.source.dotted(file) in _STREAMS
        base, _, method = name.rpartition(".")
        if method == "write":
            return base in _STREAMS
        return method in _LEVELS and bool(_LOGGERS.fullmatch(base))
