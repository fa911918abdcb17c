"""What a source prints: uids, which the rules forbid, and a line for each exam, which is too much.

A name is a uid's if it says so (``uid``, ``exam_uids``), if it runs over such names in a loop, or
if it is a path or text made of one. A printed table or a traceback may hold uids too; that shows
only in a run.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from datkit.inspect.source import CODE, Source, below, calls, keywords_of, shown
from datkit.rules import Found

__all__ = ["mentions_uid"]

_UID = re.compile(r"(?:(?!by_)\w+_)?uids?", re.IGNORECASE)
_LOGGERS = re.compile(r"(?:\w+\.)*(?:\w*log(?:ger|ging)?)(?:\(\))?", re.IGNORECASE)
_NOW_AND_THEN = (ast.If, ast.ExceptHandler, ast.FunctionDef)


@CODE.rule("prints-uids", expected="counts only", severity="warning")
def prints_uids(source: Source) -> Iterator[Found]:
    """The code prints or logs uids.

    Print counts only: logging anything about test exams disqualifies.
    """
    return (source.at(call) for call, has_uid, _ in _prints(source) if has_uid)


@CODE.rule("prints-per-exam", expected="a few lines", severity="warning")
def prints_per_exam(source: Source) -> Iterator[Found]:
    """The code prints a line for each exam.

    Print every hundredth, or nothing: the platform keeps 300 lines, the test set is larger.
    """
    for call, has_uid, each_exam in _prints(source):
        if each_exam and not has_uid:
            yield source.at(call, f"{shown(call)} in a loop over exams")


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
            if calls("count_attribute", name):
                return False
            return bool(_UID.fullmatch(name)) or mentions_uid(node.value, names)
        case ast.Call(func=ast.Name(id=name)) if calls("count", name):
            return False
        case ast.Call(func=ast.Attribute(attr=name)) if calls("count_method", name):
            return False
    return any(mentions_uid(child, names) for child in ast.iter_child_nodes(node))


def _prints(source: Source) -> Iterator[tuple[ast.Call, bool, bool]]:
    """Yield each call that prints, whether it prints a uid, and whether it does for each exam."""
    names: set[str] = set()
    each_exam: set[ast.AST] = set()
    nodes = (node for node in source.nodes if isinstance(node, ast.Assign | ast.For | ast.Call))
    for node in sorted(nodes, key=lambda node: node.lineno):
        match node:
            case ast.Assign(targets=targets, value=value):
                if _is_made(source, value) and mentions_uid(value, names):
                    names |= {target.id for target in targets if isinstance(target, ast.Name)}
            case ast.For(iter=exams) if mentions_uid(exams, names) or _runs_over_rows(exams):
                each_exam |= {*below(node.body, _NOW_AND_THEN)}
                names |= _uids_of(node) if mentions_uid(exams, names) else set()
            case ast.Call(args=given) if _is_print(source, node):
                given = [*given, *keywords_of(node).values()]
                has_uid = any(mentions_uid(one, names) for one in given)
                yield node, has_uid, node in each_exam


def _is_made(source: Source, node: ast.expr) -> bool:
    """Whether it is a text or a path that is made of others."""
    paths = ("pathlib.Path", "os.path.join", "str")
    called = source.dotted(node.func) if isinstance(node, ast.Call) else ""
    return isinstance(node, ast.JoinedStr | ast.BinOp) or called in paths


def _runs_over_rows(node: ast.expr) -> bool:
    rows = ("iterrows", "itertuples", "DictReader")
    return any(isinstance(n, ast.Attribute) and n.attr in rows for n in ast.walk(node))


def _uids_of(loop: ast.For) -> set[str]:
    targets = [loop.target]
    if isinstance(loop.target, ast.Tuple):  # of enumerate the first counts; zip may mix
        targets = loop.target.elts[1:] if "enumerate" in ast.unparse(loop.iter) else []
    return {n.id for one in targets for n in ast.walk(one) if isinstance(n, ast.Name)}


def _is_print(source: Source, call: ast.Call) -> bool:
    name = source.dotted(call.func)
    if calls("print", name):
        file = keywords_of(call).get("file")
        return file is None or calls("streams", source.dotted(file))
    base, _, method = name.rpartition(".")
    if method == "write":
        return calls("streams", base)
    return calls("print_of_a_logger", method) and bool(_LOGGERS.fullmatch(base))
