"""What works at a desk and fails on the platform: paths, pickles, devices, arguments, uids.

Read from the tree of one source. What cannot be seen this way: paths that come from a command line
or a file, names that are put together at run time, and what another program does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache

from datkit.inspect.logging import mentions_uid
from datkit.inspect.source import CODE, Source, below, call_rule, calls, keywords_of
from datkit.rules import Found

# Folders of one desk or of another platform. /tmp and /dev/shm are there, /code_execution is ours.
_ELSEWHERE = re.compile(
    r"(?:/(?:home|Users|root|content|kaggle|mnt|media|Volumes|workspace|gdrive|opt/ml|data)/"
    r"|~/|[A-Za-z]:[\\/])"
)
_SECOND_GPU = re.compile(r"cuda:[1-9]\d*")
_CUTS = ("with", "split", "partition", "prefix", "suffix")  # ends of the names of str's methods
_TABLES = ("submission_format", "train_labels")
_ALWAYS_SET = ("HOME", "PATH", "PWD", "USER", "LANG", "HOSTNAME")


@CODE.rule("absolute-path", expected="a relative path")
def absolute_path(source: Source) -> Iterator[Found]:
    """A path of one machine is written into the code.

    Find assets beside `main.py` with `Path(__file__).parent`; data and output are relative.
    """
    for node, text in _texts(source):
        if _ELSEWHERE.match(text):
            yield source.at(node, repr(text[:60]))


@CODE.rule("absent-gpu", expected="one graphics card")
def absent_gpu(source: Source) -> Iterator[Found]:
    """A second graphics card is named.

    Use `'cuda'` or `'cuda:0'`: the platform has one.
    """
    return (source.at(node) for node, text in _texts(source) if _SECOND_GPU.fullmatch(text))


@lru_cache(maxsize=1)
def _texts(source: Source) -> list[tuple[ast.Constant, str]]:
    """Return the texts that may be paths; not those where an error is expected."""
    apart = source.docstrings | source.guarded | {*below(_fragments(source))}
    texts = (node for node in source.nodes if isinstance(node, ast.Constant) and node not in apart)
    return [(node, node.value) for node in texts if isinstance(node.value, str)]


def _fragments(source: Source) -> Iterator[ast.AST]:
    """Yield texts that are no path by themselves: compared, cut off, or joined to another."""
    for node in source.nodes:
        match node:
            case ast.Compare() | ast.Call(func=ast.Attribute(attr="replace" | "find")):
                yield node
            case ast.Call(func=ast.Attribute(attr=name)) if name.endswith(_CUTS):
                yield node
            case ast.BinOp(op=ast.Add(), right=ast.Constant() as right):
                yield right
            case ast.JoinedStr(values=[_, *rest]):
                yield from (one for one in rest if isinstance(one, ast.Constant))


@CODE.rule("environment-key", expected="a variable with a default")
def environment_key(source: Source) -> Iterator[Found]:
    """An environment variable is read that the platform may not set.

    Use `os.environ.get` with a default; `IS_SMOKE_TEST` is set in smoke runs only.
    """
    keys = [node for node in source.nodes
            if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)
            and source.dotted(node.value) == "os.environ"]  # fmt: skip
    read = {node.slice: node for node in keys if isinstance(node.ctx, ast.Load)}
    texts = (node for node in source.nodes if isinstance(node, ast.Constant) and node not in read)
    known = {*map(source.text, texts), *_ALWAYS_SET}  # asked for elsewhere, or set
    for text, node in read.items():
        if source.text(text) not in known and node not in source.guarded:
            yield source.at(node)


@call_rule("pickle-load", expected="weights that are no pickle")
def pickle_load(_source: Source, name: str, call: ast.Call) -> object:
    """The code loads a pickle.

    Store weights as safetensors, NPZ or JSON, and load those.
    """
    given = keywords_of(call)
    objects = name == "numpy.load" and _is_constant(given.get("allow_pickle"), True)
    unsafe = name == "torch.load" and _is_constant(given.get("weights_only"), False)
    return calls("load_pickles", name) or objects or unsafe


@call_rule("torch-load", expected="weights_only=True", severity="warning")
def torch_load(_source: Source, name: str, call: ast.Call) -> object:
    """`torch.load` is called without `weights_only`.

    Write `weights_only=True`: the default differs between versions.
    """
    return name == "torch.load" and not {"weights_only", "**"} & keywords_of(call).keys()


@call_rule("lists-data", expected="exams opened by their names", severity="warning")
def lists_data(source: Source, name: str, call: ast.Call) -> object:
    """The code lists the folder of exams.

    Loop over `submission_format.csv` and open each exam by its name: the mount may look empty for
    20 s, and a folder has another order.
    """
    text = _listed(source, name, call)
    unknown = source.name == "main.py" and re.search(r"niftis|^[{}/*]+\.nii", text)
    return unknown or re.match(r"(\./)?data(/|$)", text)


def _listed(source: Source, name: str, call: ast.Call) -> str:
    """Return the folder or pattern that a call lists; '' if it lists nothing."""
    if calls("list_folders", name):
        return source.text(call.args[0]) if call.args else ""
    if isinstance(call.func, ast.Attribute) and calls("list_method", call.func.attr):
        return "/".join(map(source.text, [call.func.value, *call.args]))
    return ""


@call_rule("reads-labels", expected="no labels", severity="warning")
def reads_labels(source: Source, _name: str, call: ast.Call) -> object:
    """The code reads `data/train_labels.csv`.

    Take it out of what predicts: there are no labels on the platform.
    """
    return any(re.match(r"(\./)?data/train_labels", source.text(one)) for one in call.args)


@call_rule("waits-for-input", expected="no question")
def waits_for_input(_source: Source, name: str, _call: ast.Call) -> object:
    """The code waits for a person: `input()` or a debugger.

    Take it out: nobody sits before the platform.
    """
    return calls("wait_for_input", name)


@call_rule("uid-as-number", expected="uids as text", severity="warning")
def uid_as_number(source: Source, name: str, call: ast.Call) -> object:
    """uids are read, or turned, into numbers.

    Read them as text: `pandas.read_csv(…, dtype={'uid': str}, keep_default_na=False)`.
    """  # noqa: D403 (uid is written small)
    return _turns_uids(name, call) or _guesses(source, name, call)


def _turns_uids(name: str, call: ast.Call) -> bool:
    if isinstance(call.func, ast.Attribute) and call.func.attr == "astype":
        wanted = " ".join(map(ast.unparse, call.args))
        return mentions_uid(call.func.value) and bool(re.search(r"\b(int|float)", wanted))
    return name in ("int", "float") and any(map(mentions_uid, call.args))


def _guesses(source: Source, name: str, call: ast.Call) -> bool:
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


@CODE.rule("cuda-only", expected="a device that is asked for", severity="warning")
def cuda_only(source: Source) -> Iterator[Found]:
    """The code needs a graphics card and never asks whether there is one.

    Choose the device with `torch.cuda.is_available()`.
    """
    if source.contents.asks_for_gpu:
        return
    for name, call in source.calls:
        given = [*call.args, *keywords_of(call).values()]
        named = any(_is_constant(one, card) for one in given for card in ("cuda", "cuda:0"))
        if named or name.endswith(".cuda"):
            yield source.at(call)
            return  # one place is enough to mend all


@CODE.rule("flips-differ", severity="warning")
def flips_differ(source: Source) -> Iterator[Found]:
    """Exams are flipped along different axes in one source.

    Flip left and right only, as in training: no other flip leaves the label as it is.
    """
    flips = [(call, axis) for name, call in source.calls if (axis := _flipped_axis(name, call))]
    other = next((call for call, axis in flips if axis != flips[0][1]), None)
    if other:
        expected = f"every flip along one axis, as in line {flips[0][0].lineno}"
        yield source.at(other, expected=expected)


def _flipped_axis(name: str, call: ast.Call) -> str | None:
    """Return the axis of a flip as it is written, None if the call is none."""
    fixed = {"numpy.flipud": "0", "numpy.fliplr": "1"}
    if name in fixed or name.rpartition(".")[2] != "flip":
        return fixed.get(name)
    given, place = keywords_of(call), int(name in ("numpy.flip", "torch.flip"))
    positional = dict(enumerate(call.args)).get(place)
    axis = given.get("axis", given.get("dims", positional))
    return None if axis is None else ast.unparse(axis).strip("()[], ")


# ---- What holds for main.py alone.


@CODE.rule("needs-arguments", expected="no arguments")
def needs_arguments(source: Source) -> Iterator[Found]:
    """`main.py` asks for arguments on the command line.

    Give every argument a default: the platform runs ``python main.py``.
    """
    if source.name != "main.py":
        return
    lengths = [call.args[0] for name, call in source.calls if name == "len" and call.args]
    counted = any(source.dotted(one) == "sys.argv" for one in lengths)
    for node in source.nodes:
        if isinstance(node, ast.Subscript) and source.dotted(node.value) == "sys.argv":
            one = not isinstance(node.slice, ast.Slice) and not _is_constant(node.slice, 0)
            if one and not counted:
                yield source.at(node)
    for name, call in source.calls:
        if name.endswith(".add_argument") and _is_required(source, call):
            yield source.at(call)


def _is_required(source: Source, call: ast.Call) -> bool:
    given = keywords_of(call)
    if _is_constant(given.get("required"), True):
        return True
    positional = bool(call.args) and not source.text(call.args[0]).startswith("-")
    optional = "nargs" in given and source.text(given["nargs"]) in ("?", "*")
    return positional and not optional and "default" not in given


@call_rule("fits-at-inference", expected="a model that is fitted already", severity="warning")
def fits_at_inference(source: Source, name: str, _call: ast.Call) -> object:
    """`main.py` fits or ranks something.

    Fit in training and load the result: nothing may be learnt across test exams.
    """
    return source.name == "main.py" and calls("fit", name)


def _is_constant(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and (type(node.value), node.value) == (type(value), value)
