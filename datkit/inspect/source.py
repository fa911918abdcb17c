"""A Python source as its tree tells it: what each name stands for, which text an expression spells.

Every rule on code takes a :class:`Source`: it is parsed once, and its calls are listed once.

Nothing runs. A name counts as known where the source gives it one value in one place; what comes
from a file, a command line or another module stays unknown, written ``{}``.
"""

from __future__ import annotations

import ast
import fnmatch
import posixpath
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from datkit.inspect.runtime import PYTHON
from datkit.rules import Found, RuleGroup

__all__ = ["CODE", "Contents", "Source", "any_of", "below", "call_rule", "calls", "keywords_of",
           "shown"]  # fmt: skip

CODE: RuleGroup[Source] = RuleGroup("The code")

UNKNOWN = "{}"
HERE = "<zip>"  # the folder that the archive is unpacked into, in paths made from __file__
_VERSION = (int(PYTHON.partition(".")[0]), int(PYTHON.partition(".")[2]))
_VENDORS = frozenset({"vendor", "vendored", "_vendor", "third_party", "site-packages"})
_LICENCES = ("LICENSE", "LICENCE", "COPYING")
_LONGEST = 10_000  # characters: a stranger's source may double a text again and again
# An error that is named was thought of; a bare `except Exception` catches what was not.
_EXPECTED = re.compile(r"FileNotFoundError|OSError|IOError|KeyError")
# What only Python 3.12 and later can read: https://docs.python.org/3/whatsnew/3.12.html
_NEWER = re.compile(r"^\s*type\s+\w+|^\s*(?:async\s+)?(?:def|class)\s+\w+\[")


def any_of(names: Iterable[str]) -> re.Pattern[str]:
    """Return what matches any of these names, in which * stands for any text."""
    return re.compile("|".join(map(fnmatch.translate, names)))


_TABLE = tomllib.loads(Path(__file__).with_name("calls.toml").read_text(encoding="utf-8"))
_CALLS = {kind: any_of(names) for kind, names in _TABLE.items()}


def reads_as_newer(error: BaseException) -> bool:
    """Whether a source may only be too new for the Python that runs here.

    Examples
    --------
    >>> reads_as_newer(SyntaxError("invalid syntax", ("a.py", 1, 1, "def f(:")))
    False
    """
    if sys.version_info[:2] >= _VERSION or not isinstance(error, SyntaxError):
        return False
    return str(error.msg).startswith("f-string") or bool(_NEWER.search(error.text or ""))


@dataclass(frozen=True)
class Contents:
    """What one source must know of the others.

    Attributes
    ----------
    names : list of str
        All members.
    sources : dict
        {name: bytes} of the Python among them.
    """

    names: list[str]
    sources: dict[str, bytes] = field(default_factory=dict)

    @cached_property
    def bundled(self) -> set[str]:
        """Every name that could be imported from the archive, whatever is added to `sys.path`."""
        folders = {part for name in self.names for part in PurePosixPath(name).parts[:-1]}
        return folders | {PurePosixPath(name).stem.partition(".")[0] for name in self.names}

    @cached_property
    def vendored(self) -> set[str]:
        """Folders that hold a library of somebody else.

        Such a library keeps its licence beside it, lies beside its own `.dist-info`, or in a folder
        of a telling name. It may hold code that could download, print or import what is not there;
        whether that is called, only a run shows.
        """
        paths = [PurePosixPath(name) for name in self.names]
        folders = {folder for path in paths for folder in path.parents}
        licensed = {path.parent for path in paths if path.name.startswith(_LICENCES)}
        named = {folder for folder in folders if folder.name in _VENDORS}
        installed = {folder.parent / folder.name.partition("-")[0]
                     for folder in folders if folder.suffix == ".dist-info"}  # fmt: skip
        return {*map(str, licensed | named | installed)} - {"."}

    @cached_property
    def asks_for_gpu(self) -> bool:
        """Whether any source asks if there is a graphics card."""
        return any(b"is_available" in content for content in self.sources.values())


class Source:
    r"""One source: its member's name, its tree, and what the names in it stand for.

    It is parsed as the platform's Python would, as far as the Python that runs here can.

    Parameters
    ----------
    name : str
        The member.
    content : bytes
    contents : Contents, optional
        What lies beside it; by default nothing.

    Attributes
    ----------
    tree : ast.Module
    aliases : dict
        {name: what it was imported as}, such as ``{"np": "numpy"}``.
    values : dict
        {name: its one value}; a parameter's default counts as its value.

    Raises
    ------
    SyntaxError, ValueError
        If it is not Python.
    RecursionError, MemoryError
        If it is nested too deeply, or longer than any source that a person wrote.

    Examples
    --------
    >>> source = Source("main.py", b"import os.path as p\nD = 'data'\np.join(D, x)")
    >>> [(name, source.text(call)) for name, call in source.calls]
    [('os.path.join', 'data/{}')]
    """

    def __init__(self, name: str, content: bytes, contents: Contents | None = None) -> None:
        self.tree = ast.parse(content, name, feature_version=_VERSION)
        self.name, self.contents = name, contents or Contents([name], {name: content})
        self.aliases, self.values = dict(_aliases(self.nodes)), _values(self.nodes)
        self._texts: dict[ast.expr, str] = {}

    @property
    def is_own(self) -> bool:
        """Whether it is no library's that was copied in."""
        return self.contents.vendored.isdisjoint(map(str, PurePosixPath(self.name).parents))

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the tree."""
        return [*below([self.tree])]

    @cached_property
    def calls(self) -> list[tuple[str, ast.Call]]:
        """What is called and the call, in the order of lines."""
        calls = [node for node in self.nodes if isinstance(node, ast.Call)]
        calls.sort(key=lambda call: (call.lineno, call.col_offset))
        return [(self.dotted(call.func), call) for call in calls]

    @cached_property
    def docstrings(self) -> set[ast.Constant]:
        """Texts that stand alone and do nothing."""
        lines = (node.value for node in self.nodes if isinstance(node, ast.Expr))
        return {value for value in lines if isinstance(value, ast.Constant)}

    @cached_property
    def guarded(self) -> set[ast.AST]:
        """What stands where an error is expected, or where the code looks first what there is."""
        return {*below(filter(_is_guard, self.nodes))}

    def at(self, node: ast.expr, found: str = "", expected: str = "") -> Found:
        """Say what was found in the line of a node, by default its source."""
        return Found(f"member {self.name!r}", found or shown(node), expected, node.lineno)

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
            case ast.Name() | ast.Attribute():
                return self._spell_name(node)
            case ast.JoinedStr(values=parts):
                return "".join(map(self.text, parts))
            case ast.FormattedValue(value=part):
                return self.text(part)
            case ast.BinOp():
                return self._spell_sum(node)
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                return " ".join(map(self.text, parts))
            case ast.Call():
                return self._spell_call(node)
        return UNKNOWN

    def _spell_name(self, node: ast.Name | ast.Attribute) -> str:
        match node:
            case ast.Name(id="__file__"):
                return f"{HERE}/{self.name}"
            case ast.Attribute(value=value, attr="parent"):
                return posixpath.dirname(self.text(value)) or UNKNOWN
        return self.text(known) if (known := self.values.get(_key(node))) else UNKNOWN

    def _spell_sum(self, node: ast.BinOp) -> str:
        match node.op:
            case ast.Div():
                return f"{self.text(node.left)}/{self.text(node.right)}"
            case ast.Add():
                return self.text(node.left) + self.text(node.right)
            case ast.Mod():
                return re.sub(r"%\w", UNKNOWN, self.text(node.left))
        return UNKNOWN

    def _spell_call(self, call: ast.Call) -> str:
        name, given = self.dotted(call.func), [*map(self.text, call.args)]
        if calls("join_paths", name):
            return "/".join(given)
        if name == "os.path.dirname" and given:
            return posixpath.dirname(given[0]) or UNKNOWN
        if isinstance(call.func, ast.Attribute):
            base = self.text(call.func.value)
            if call.func.attr == "joinpath":
                return "/".join([base, *given])
            if calls("keep_path", call.func.attr):
                return base
        return UNKNOWN


CallTest = Callable[[Source, str, ast.Call], object]


def call_rule(code: str, **told: str) -> Callable[[CallTest], CallTest]:
    """Return a decorator that makes a test of one call a rule on sources.

    The rule finds each call that the test, of the source, the dotted name of what is called and
    the call, holds for; `told` goes to :meth:`datkit.rules.RuleGroup.rule`.
    """

    def enter(holds: CallTest) -> CallTest:
        def check(source: Source) -> Iterator[Found]:
            return (source.at(call) for name, call in source.calls if holds(source, name, call))

        check.__doc__ = holds.__doc__
        CODE.rule(code, **told)(check)
        return holds

    return enter


def calls(kind: str, name: str) -> bool:
    """Whether a function is of a kind that ``calls.toml`` lists, by its full name.

    Examples
    --------
    >>> calls("fit", "scaler.fit_transform"), calls("fit", "benefit")
    (True, False)
    """
    return bool(_CALLS[kind].match(name))


def keywords_of(call: ast.Call) -> dict[str, ast.expr]:
    """Return the keyword arguments of a call; ``**more`` counts as the keyword ``"**"``."""
    return {keyword.arg or "**": keyword.value for keyword in call.keywords}


def shown(node: ast.expr) -> str:
    """Return a short piece of source, for a person to find the place by."""
    text = ast.unparse(node)
    return text if len(text) <= 60 else f"{text[:57]}…"


def below(nodes: Iterable[ast.AST], stop: tuple[type, ...] = ()) -> Iterator[ast.AST]:
    """Yield nodes and all that they hold, each once, but not what those of a type hold.

    :func:`ast.walk` is three times slower, and yields ``Load()`` anew for each name.
    """
    seen: set[ast.AST] = set()
    queue = [*nodes]
    while queue:
        if (node := queue.pop()) in seen:
            continue
        seen.add(node)
        yield node
        for name in () if isinstance(node, stop) else node._fields:
            part = getattr(node, name, None)
            if isinstance(part, list):
                queue += [one for one in part if isinstance(one, ast.AST)]
            elif isinstance(part, ast.AST):
                queue.append(part)


def _is_guard(node: ast.AST) -> bool:
    match node:
        case ast.If(test=test) | ast.IfExp(test=test):
            return any(calls("look_first", getattr(part, "attr", "")) for part in ast.walk(test))
        case ast.Try(handlers=handlers):
            caught = " ".join(ast.unparse(one.type) for one in handlers if one.type)
            return bool(_EXPECTED.search(caught))
    return False


def _aliases(nodes: list[ast.AST]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        if isinstance(node, ast.Import):
            for one in node.names:
                # `import a.b` binds a, `import a.b as c` binds c to a.b
                yield (one.asname, one.name) if one.asname else (one.name.partition(".")[0],) * 2
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for one in node.names:
                yield one.asname or one.name, f"{node.module}.{one.name}"


def _values(nodes: list[ast.AST]) -> dict[str, ast.expr]:
    pairs = [*_assigned(nodes)]
    count = Counter(name for name, _ in pairs)
    return {name: value for name, value in pairs if value is not None and count[name] == 1}


def _assigned(nodes: list[ast.AST]) -> Iterator[tuple[str, ast.expr | None]]:
    """Yield every (name, value) that the source binds; None where the value is unknown."""
    for node in nodes:
        match node:
            case ast.Assign(targets=[ast.Name() | ast.Attribute() as target]):
                yield _key(target), node.value
            case ast.AnnAssign(target=ast.Name() | ast.Attribute()) | ast.NamedExpr():
                yield _key(node.target), node.value
            case ast.arguments():
                yield from _defaults(node)
            case ast.For() | ast.comprehension() | ast.AugAssign():
                names = (part for part in ast.walk(node.target) if isinstance(part, ast.Name))
                yield from ((name.id, None) for name in names)


def _key(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ast.unparse(node)


def _defaults(arguments: ast.arguments) -> Iterator[tuple[str, ast.expr | None]]:
    positional = [*arguments.posonlyargs, *arguments.args]
    padding = [None] * (len(positional) - len(arguments.defaults))
    yield from zip((one.arg for one in positional), [*padding, *arguments.defaults], strict=True)
    yield from zip((one.arg for one in arguments.kwonlyargs), arguments.kw_defaults, strict=True)


class Unread(NamedTuple):
    """A source that is not Python, and what Python says of it."""

    name: str
    error: SyntaxError | ValueError

    @property
    def reason(self) -> Found:
        """What Python says of it, and in which line."""
        here = f"{sys.version_info[0]}.{sys.version_info[1]}"
        found = f"{getattr(self.error, 'msg', self.error)} (as Python {here} reads it)"
        return Found(f"member {self.name!r}", found, line=getattr(self.error, "lineno", None))


UNREAD: RuleGroup[Unread] = RuleGroup("The code")


@UNREAD.rule("syntax", expected=f"Python {PYTHON}")
def syntax(source: Unread) -> Iterator[Found]:
    """A source is not Python, as the platform's version reads it.

    Mend the line; notebook commands that begin with `!` or `%` are no Python.
    """
    if not reads_as_newer(source.error):
        yield source.reason


@UNREAD.rule("syntax-unchecked", expected=f"Python {PYTHON}", severity="warning")
def syntax_unchecked(source: Unread) -> Iterator[Found]:
    """A source may need Python 3.12, and this machine has an older one.

    Check again with Python 3.12, which the platform runs.
    """
    if reads_as_newer(source.error):
        yield source.reason
