"""A Python source as its tree tells it: what each name stands for, which text an expression spells.

Nothing runs. A name counts as known where the source gives it one value in one place; what comes
from a file, a command line or another module stays unknown, written ``{}``.
"""

from __future__ import annotations

import ast
import posixpath
import re
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from datkit.inspect.runtime import PYTHON

__all__ = ["HERE", "UNKNOWN", "Source", "keywords_of", "parse", "reads_as_newer", "shown"]

UNKNOWN = "{}"
HERE = "<zip>"  # the folder that the archive is unpacked into, in paths made from __file__
_MAX_BYTES = 2**19  # longer ones are made by programs, such as the 1.9 MB of SimpleITK
_LONGEST = 10_000  # characters: a stranger's source may double a text again and again
_PATHS = ("pathlib.Path", "pathlib.PurePath", "pathlib.PurePosixPath", "os.path.join", "str")
_PATHS += ("os.path.abspath", "os.path.realpath", "os.fspath")
_KEEP_PATH = ("resolve", "absolute", "expanduser", "as_posix", "format", "strip", "lower")
# An error that is named was thought of; a bare `except Exception` catches what was not.
_EXPECTED = re.compile(r"FileNotFoundError|OSError|IOError|KeyError")
_PROBES = frozenset(["exists", "is_dir", "is_file", "isdir", "isfile", "environ", "getenv"])
# What only Python 3.12 and later can read: https://docs.python.org/3/whatsnew/3.12.html
_NEWER = re.compile(r"^\s*type\s+\w+|^\s*(?:async\s+)?(?:def|class)\s+\w+\[")


def parse(content: bytes, name: str) -> ast.Module:
    """Parse a source as the platform's Python would, as far as the Python that runs here can.

    Raises
    ------
    SyntaxError, ValueError
        If it is not Python.
    RecursionError, MemoryError
        If it is nested too deeply, or longer than any source that a person wrote.
    """
    if len(content) > _MAX_BYTES:
        raise MemoryError(f"{len(content)} bytes, more than {_MAX_BYTES}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd escapes in a stranger's strings
        return ast.parse(content, name, feature_version=_version())


def reads_as_newer(error: BaseException) -> bool:
    """Whether a source may only be too new for the Python that runs here.

    Examples
    --------
    >>> reads_as_newer(SyntaxError("invalid syntax", ("a.py", 1, 1, "def f(:")))
    False
    """
    if sys.version_info[:2] >= _version() or not isinstance(error, SyntaxError):
        return False
    return str(error.msg).startswith("f-string") or bool(_NEWER.search(error.text or ""))


def _version() -> tuple[int, int]:
    major, minor = PYTHON.split(".")
    return int(major), int(minor)


@dataclass
class Source:
    """One source: its member's name, its tree, and what the names in it stand for.

    Attributes
    ----------
    name : str
        The member.
    tree : ast.Module
    aliases : dict
        {name: what it was imported as}, such as ``{"np": "numpy"}``.
    values : dict
        {name: its one value}; a parameter's default counts as its value.

    Examples
    --------
    >>> source = Source.of("main.py", parse(b"import os.path as p\\nD = 'data'\\np.join(D, x)", ""))
    >>> call = source.calls[0]
    >>> source.dotted(call.func), source.text(call)
    ('os.path.join', 'data/{}')
    """

    name: str
    tree: ast.Module
    aliases: dict[str, str] = field(default_factory=dict)
    values: dict[str, ast.expr] = field(default_factory=dict)
    _texts: dict[ast.expr, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, name: str, tree: ast.Module) -> Source:
        """Collect what the names of a tree stand for."""
        return cls(name, tree, dict(_aliases(tree)), _values(tree))

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the tree."""
        return [*ast.walk(self.tree)]

    @cached_property
    def calls(self) -> list[ast.Call]:
        """Every call, in the order of lines."""
        calls = [node for node in self.nodes if isinstance(node, ast.Call)]
        return sorted(calls, key=lambda call: (call.lineno, call.col_offset))

    @cached_property
    def docstrings(self) -> set[ast.Constant]:
        """Texts that stand alone and do nothing."""
        lines = (node.value for node in self.nodes if isinstance(node, ast.Expr))
        return {value for value in lines if isinstance(value, ast.Constant)}

    @cached_property
    def guarded(self) -> set[ast.AST]:
        """What stands where an error is expected, or where the code looks first what there is."""
        return {part for node in self.nodes if _is_guard(node) for part in ast.walk(node)}

    def where(self, node: ast.expr | ast.stmt) -> str:
        """Name the place of a node."""
        return f"member {self.name!r}, line {node.lineno}"

    def dotted(self, node: ast.expr) -> str:
        """Return what is called or read, such as ``"torch.hub.load"``; a call in it is ``()``."""
        match node:
            case ast.Name():
                return self.aliases.get(node.id, node.id)
            case ast.Attribute():
                return f"{self.dotted(node.value)}.{node.attr}"
            case ast.Call():
                return f"{self.dotted(node.func)}()"
        return UNKNOWN

    def text(self, node: ast.expr) -> str:
        """Return the text or path that an expression spells, ``{}`` for what is unknown."""
        if node not in self._texts:
            self._texts[node] = UNKNOWN  # for a name that stands for itself
            self._texts[node] = self._spell(node)[:_LONGEST]
        return self._texts[node]

    def _spell(self, node: ast.expr) -> str:
        match node:
            case ast.Constant(value=str(value)):
                return value
            case ast.Name(id="__file__"):
                return f"{HERE}/{self.name}"
            case ast.Attribute(value=value, attr="parent"):
                return posixpath.dirname(self.text(value)) or UNKNOWN
            case ast.Name() | ast.Attribute():
                value = self.values.get(_key(node))
                return self.text(value) if value else UNKNOWN
            case ast.JoinedStr(values=parts):
                return "".join(map(self.text, parts))
            case ast.FormattedValue(value=value):
                return self.text(value)
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return f"{self.text(left)}/{self.text(right)}"
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.text(left) + self.text(right)
            case ast.BinOp(left=left, op=ast.Mod()):
                return re.sub(r"%\w", UNKNOWN, self.text(left))
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                return " ".join(map(self.text, parts))
            case ast.Call():
                return self._spell_call(node)
        return UNKNOWN

    def _spell_call(self, call: ast.Call) -> str:
        name, given = self.dotted(call.func), [*map(self.text, call.args)]
        if name in _PATHS:
            return "/".join(given)
        if name == "os.path.dirname" and given:
            return posixpath.dirname(given[0]) or UNKNOWN
        if isinstance(call.func, ast.Attribute):
            base = self.text(call.func.value)
            if call.func.attr == "joinpath":
                return "/".join([base, *given])
            if call.func.attr in _KEEP_PATH:
                return base
        return UNKNOWN


def keywords_of(call: ast.Call) -> dict[str, ast.expr]:
    """Return the keyword arguments of a call; ``**more`` counts as the keyword ``"**"``."""
    return {keyword.arg or "**": keyword.value for keyword in call.keywords}


def shown(node: ast.expr) -> str:
    """Return a short piece of source, for a person to find the place by."""
    text = ast.unparse(node)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _is_guard(node: ast.AST) -> bool:
    match node:
        case ast.If(test=test) | ast.IfExp(test=test):
            return any(getattr(part, "attr", "") in _PROBES for part in ast.walk(test))
        case ast.Try(handlers=handlers):
            caught = " ".join(ast.unparse(one.type) for one in handlers if one.type)
            return bool(_EXPECTED.search(caught))
    return False


def _aliases(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                # `import a.b` binds a, `import a.b as c` binds c to a.b
                yield (one.asname, one.name) if one.asname else (one.name.partition(".")[0],) * 2
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for one in node.names:
                yield one.asname or one.name, f"{node.module}.{one.name}"


def _values(tree: ast.Module) -> dict[str, ast.expr]:
    pairs = [*_assigned(tree)]
    count = Counter(name for name, _ in pairs)
    return {name: value for name, value in pairs if value is not None and count[name] == 1}


def _assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr | None]]:
    """Yield every (name, value) that the source binds; None where the value is unknown."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name() | ast.Attribute() as target]):
                yield _key(target), node.value
            case ast.AnnAssign(target=ast.Name() | ast.Attribute()) | ast.NamedExpr():
                yield _key(node.target), node.value
            case ast.arguments():
                yield from _defaults(node)
            case ast.For() | ast.comprehension() | ast.AugAssign():
                yield from ((name.id, None) for name in _names_in(node.target))


def _key(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ast.unparse(node)


def _defaults(arguments: ast.arguments) -> Iterator[tuple[str, ast.expr | None]]:
    positional = [*arguments.posonlyargs, *arguments.args]
    padding = [None] * (len(positional) - len(arguments.defaults))
    yield from zip((one.arg for one in positional), [*padding, *arguments.defaults], strict=True)
    yield from zip((one.arg for one in arguments.kwonlyargs), arguments.kw_defaults, strict=True)


def _names_in(node: ast.expr) -> Iterator[ast.Name]:
    return (part for part in ast.walk(node) if isinstance(part, ast.Name))
