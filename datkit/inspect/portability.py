"""Habits that work at a desk and fail on the platform: paths, pickles, devices, arguments, uids.

Read from the tree of one source. What cannot be seen this way: paths that come from a command line
or a file, names that are put together at run time, and what another program does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from datkit.inspect.logging import mentions_uid
from datkit.inspect.rules import finding
from datkit.inspect.source import Source, keywords_of, shown
from datkit.problems import Problem

__all__ = ["find_habits"]

# Folders of one desk or of another platform. /tmp and /dev/shm are there, /code_execution is ours.
_ELSEWHERE = re.compile(
    r"(?:/(?:home|Users|root|content|kaggle|mnt|media|Volumes|workspace|gdrive|opt/ml|data)/"
    r"|~/|[A-Za-z]:[\\/])"
)
_SECOND_GPU = re.compile(r"cuda:[1-9]\d*")
_PICKLES = re.compile(
    r"(c?pickle|_pickle|dill|cloudpickle)\.(load|loads|Unpickler)|joblib\.load"
    r"|(sklearn\.externals\.)?joblib\.load|pandas\.read_pickle|jsonpickle\.decode"
)
_LISTERS = ("os.listdir", "os.scandir", "os.walk", "glob.glob", "glob.iglob")
_LIST_METHODS = ("glob", "rglob", "iterdir", "walk")
_WAITING = re.compile(r"input|breakpoint|i?pdb\.set_trace|IPython\.embed|getpass\.getpass")
_FITS = re.compile(r".*\.(fit|fit_transform|fit_predict|partial_fit)|scipy\.stats\.rankdata")
_CUTS = ("with", "split", "partition", "prefix", "suffix")  # ends of the names of str's methods
_TABLES = ("submission_format", "train_labels")
_ALWAYS_SET = ("HOME", "PATH", "PWD", "USER", "LANG", "HOSTNAME")


def find_habits(source: Source, asks_for_gpu: bool) -> Iterator[Problem]:
    """Yield what would fail, or may, where the platform differs from a desk.

    Parameters
    ----------
    source : Source
    asks_for_gpu : bool
        Whether any source of the archive asks if there is a graphics card.
    """
    yield from _check_texts(source)
    yield from _check_environment(source)
    for call in source.calls:
        name = source.dotted(call.func)
        yield from _check_loads(source, call, name)
        yield from _check_listing(source, call, name)
        yield from _check_uids(source, call, name)
        if any(re.match(r"(\./)?data/train_labels", source.text(one)) for one in call.args):
            yield finding("reads-labels", source.where(call), "no labels", shown(call))
        if _WAITING.fullmatch(name):
            yield finding("waits-for-input", source.where(call), "no question", shown(call))
    if not asks_for_gpu:
        yield from _check_device(source)
    yield from _check_flips(source)
    if source.name == "main.py":
        yield from _check_main(source)


def _check_texts(source: Source) -> Iterator[Problem]:
    apart = source.docstrings | source.guarded | {*_fragments(source)}
    for node in source.nodes:
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)) or node in apart:
            continue
        where, text = source.where(node), node.value
        if _ELSEWHERE.match(text):
            yield finding("absolute-path", where, "a relative path", repr(text[:60]))
        if _SECOND_GPU.fullmatch(text):
            yield finding("absent-gpu", where, "one graphics card", repr(text))


def _fragments(source: Source) -> Iterator[ast.AST]:
    """Yield texts that are no path by themselves: compared, cut off, or joined to another."""
    for node in source.nodes:
        match node:
            case ast.Compare() | ast.Call(func=ast.Attribute(attr="replace" | "find")):
                yield from ast.walk(node)
            case ast.Call(func=ast.Attribute(attr=name)) if name.endswith(_CUTS):
                yield from ast.walk(node)
            case ast.BinOp(op=ast.Add(), right=right):
                yield right
            case ast.JoinedStr(values=[_, *rest]):
                yield from rest


def _check_environment(source: Source) -> Iterator[Problem]:
    keys = [node for node in source.nodes if _is_environment_key(source, node)]
    known = {node.slice.value for node in keys if not isinstance(node.ctx, ast.Load)}
    known |= {*_ALWAYS_SET, *_asked_keys(source)}
    for node in keys:
        if node.slice.value not in known and node not in source.guarded:
            where, expected = source.where(node), "a variable with a default"
            yield finding("environment-key", where, expected, shown(node))


def _is_environment_key(source: Source, node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Subscript)
        and source.dotted(node.value) == "os.environ"
        and isinstance(node.slice, ast.Constant)
    )


def _asked_keys(source: Source) -> Iterator[str]:
    """Yield the variables that ``in os.environ`` or ``os.environ.setdefault`` name."""
    for node in source.nodes:
        if isinstance(node, ast.Compare):
            yield source.text(node.left)
        elif isinstance(node, ast.Call) and source.dotted(node.func) == "os.environ.setdefault":
            yield source.text(node.args[0]) if node.args else ""


def _check_loads(source: Source, call: ast.Call, name: str) -> Iterator[Problem]:
    given, where = keywords_of(call), source.where(call)
    unsafe = _is_constant(given.get("weights_only"), False)
    objects = name == "numpy.load" and _is_constant(given.get("allow_pickle"), True)
    if _PICKLES.fullmatch(name) or objects or (name == "torch.load" and unsafe):
        yield finding("pickle-load", where, "weights that are no pickle", shown(call))
    elif name == "torch.load" and not {"weights_only", "**"} & given.keys():
        yield finding("torch-load", where, "weights_only=True", shown(call))


def _check_listing(source: Source, call: ast.Call, name: str) -> Iterator[Problem]:
    if name in _LISTERS:
        text = source.text(call.args[0]) if call.args else ""
    elif isinstance(call.func, ast.Attribute) and call.func.attr in _LIST_METHODS:
        text = "/".join([source.text(call.func.value), *map(source.text, call.args)])
    else:
        return
    unknown = source.name == "main.py" and re.search(r"niftis|^[{}/*]+\.nii", text)
    if unknown or re.match(r"(\./)?data(/|$)", text):
        expected = "exams opened by their names"
        yield finding("lists-data", source.where(call), expected, shown(call))


def _check_uids(source: Source, call: ast.Call, name: str) -> Iterator[Problem]:
    numbers = name in ("int", "float") and any(mentions_uid(one) for one in call.args)
    cast = name.endswith(".astype") and mentions_uid(call.func.value)
    wanted = " ".join(ast.unparse(one) for one in call.args)
    if numbers or (cast and re.search(r"\b(int|float)", wanted)) or _guesses(source, call, name):
        yield finding("uid-as-number", source.where(call), "uids as text", shown(call))


def _guesses(source: Source, call: ast.Call, name: str) -> bool:
    """Whether a reader is left to guess the type of the uids of one of the challenge's tables."""
    if not call.args or not any(table in source.text(call.args[0]) for table in _TABLES):
        return False
    given = keywords_of(call)
    if name in ("pandas.read_csv", "pandas.read_table"):
        return not ({"converters", "**"} & given.keys() or _types_uid(given.get("dtype")))
    if name in ("polars.read_csv", "polars.scan_csv"):
        typed = {"dtypes", "schema", "schema_overrides", "infer_schema", "infer_schema_length"}
        return not typed & given.keys()
    return name in ("numpy.genfromtxt", "numpy.loadtxt") and "dtype" not in given


def _types_uid(dtype: ast.expr | None) -> bool:
    if isinstance(dtype, ast.Dict):
        return any(not isinstance(k, ast.Constant) or k.value == "uid" for k in dtype.keys)
    return dtype is not None


def _check_device(source: Source) -> Iterator[Problem]:
    """Yield the first place that needs a graphics card; one is enough to mend all."""
    for call in source.calls:
        given = [*call.args, *keywords_of(call).values()]
        named = any(_is_constant(one, "cuda") or _is_constant(one, "cuda:0") for one in given)
        method = source.dotted(call.func).endswith(".cuda")
        if named or method:
            where, expected = source.where(call), "a device that is asked for"
            yield finding("cuda-only", where, expected, shown(call))
            return


def _check_flips(source: Source) -> Iterator[Problem]:
    """Yield the first flip along another axis than the flips before it."""
    flips = [(call, axis) for call in source.calls if (axis := _flipped_axis(source, call))]
    for call, axis in flips:
        if axis != flips[0][1]:
            expected = f"every flip along one axis, as in line {flips[0][0].lineno}"
            yield finding("flips-differ", source.where(call), expected, shown(call))
            return


def _flipped_axis(source: Source, call: ast.Call) -> str | None:
    """Return the axis of a flip as it is written, None if the call is none."""
    name, given = source.dotted(call.func), keywords_of(call)
    fixed = {"numpy.flipud": "0", "numpy.fliplr": "1"}
    if name in fixed or name.rpartition(".")[2] != "flip":
        return fixed.get(name)
    place = 1 if name in ("numpy.flip", "torch.flip") else 0
    axis = given.get("axis", given.get("dims", (call.args[place : place + 1] or [None])[0]))
    return None if axis is None else ast.unparse(axis).strip("()[], ")


def _check_main(source: Source) -> Iterator[Problem]:
    for node in source.nodes:
        if isinstance(node, ast.Subscript) and source.dotted(node.value) == "sys.argv":
            first = not isinstance(node.slice, ast.Slice) and not _is_constant(node.slice, 0)
            if first and not _counts_arguments(source):
                yield _asks(source, node)
    for call in source.calls:
        if source.dotted(call.func).endswith(".add_argument") and _is_required(source, call):
            yield _asks(source, call)
        if _FITS.fullmatch(source.dotted(call.func)):
            where, expected = source.where(call), "a model that is fitted already"
            yield finding("fits-at-inference", where, expected, shown(call))


def _counts_arguments(source: Source) -> bool:
    """Whether the source asks how many arguments there are before it takes one."""
    counts = (call for call in source.calls if source.dotted(call.func) == "len" and call.args)
    return any(source.dotted(call.args[0]) == "sys.argv" for call in counts)


def _asks(source: Source, node: ast.expr) -> Problem:
    return finding("needs-arguments", source.where(node), "no arguments", shown(node))


def _is_required(source: Source, call: ast.Call) -> bool:
    given = keywords_of(call)
    if _is_constant(given.get("required"), True):
        return True
    positional = bool(call.args) and not source.text(call.args[0]).startswith("-")
    optional = "nargs" in given and source.text(given["nargs"]) in ("?", "*")
    return positional and not optional and "default" not in given


def _is_constant(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and (type(node.value), node.value) == (type(value), value)
