"""Training plans for Fed-BioMed, read and not run: what its version 6.4 refuses, or a node should.

Fed-BioMed sends a node the text of the plan's class below the imports that its `init_dependencies`
lists, and the node runs them beside patients' exams. Only what stands written in the file is seen
here: a hospital still reads a plan before it approves it.
"""

from __future__ import annotations

import ast
import builtins
import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from datkit.errors import UsageError
from datkit.inspect.source import Source, below, calls, keywords_of, shown
from datkit.problems import Problem, list_some
from datkit.rules import Found, RuleGroup, finding

__all__ = ["check_plan"]

PLAN: RuleGroup[Source] = RuleGroup("A Fed-BioMed plan")
PLAN.declare("plan-syntax", "The plan is not Python.", "Mend the line.")
_TABLE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def check_plan(path: str | os.PathLike[str]) -> list[Problem]:
    r"""Return every problem of a training plan; nothing of it runs.

    Raises
    ------
    UsageError
        If the file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     plan = Path(folder, "plan.py")
    ...     _ = plan.write_text("class Plan:\n    pass")
    ...     print(*(problem.code for problem in check_plan(plan)))
    plan-base
    """
    path = Path(path)
    try:
        source = Source(path.name, path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: Expected a training plan, found {error.strerror}.") from error
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        return [finding("plan-syntax", path.name, "Python", f"{error or 'too much'}", line=line)]
    source.aliases.update(_sent(source))
    return [*PLAN.problems(source)]


@PLAN.rule("plan-base", expected="one class that inherits TorchTrainingPlan")
def plan_base(source: Source) -> Iterator[Found]:
    """No class is a training plan of Fed-BioMed for PyTorch, or several are.

    Write `class Plan(TorchTrainingPlan)`, imported from `fedbiomed.common.training_plans`.
    """
    plans = [one.name for one in _heirs(source, "TorchTrainingPlan")]
    if len(plans) != 1:
        yield Found(source.name, list_some(plans) or "none")


@PLAN.rule("plan-method", expected="init_model, training_data and training_step")
def plan_method(source: Source) -> Iterator[Found]:
    """The plan lacks a method without which it cannot train.

    Write it: the plan that `datkit federated export fed-biomed` writes shows each.
    """
    return _lacking(source, "TorchTrainingPlan")


@PLAN.rule("dataset-method", expected="read, get_item and __len__")
def dataset_method(source: Source) -> Iterator[Found]:
    """A data set lacks a method, and its class is refused.

    Write all three: what the folder holds, the exam of a place with its label, how many exams.
    """
    return _lacking(source, "CustomDataset")


@PLAN.rule("dataset-reserved", expected="no meaning of one's own for it")
def dataset_reserved(source: Source) -> Iterator[Found]:
    """A data set overrides what Fed-BioMed keeps to itself, and its class is refused.

    Do in `read` what `__init__` or `load` did and in `get_item` what `__getitem__` did; `self.path`
    is given.
    """
    for one in _heirs(source, "CustomDataset"):
        own = {*_bound(below(one.body, stop=(ast.FunctionDef,)))}
        yield from (_at(source, one, name) for name in _TABLE["reserved"] if name in own)


@PLAN.rule("plan-arguments", expected="the arguments that Fed-BioMed gives it")
def plan_arguments(source: Source) -> Iterator[Found]:
    """A method takes more or fewer arguments than Fed-BioMed calls it with.

    Write `init_model(self, model_args)`, `init_optimizer(self, optimizer_args)`,
    `init_dependencies(self)`, `training_data(self)` and `training_step(self, data, target)`.
    """
    for name, (least, most) in _TABLE["takes"].items():
        for method in _methods(source, name):
            every = [one.arg for one in [*method.args.args, *method.args.kwonlyargs][1:]]
            # Fed-BioMed counts the arguments of init_… with their defaults; the others it calls.
            spare = len(method.args.defaults) if name.startswith("training") else 0
            if not least <= len(every) <= most + spare:
                yield _at(source, method, f"{name}({', '.join(['self', *every])})")


@PLAN.rule("plan-dependencies", expected="a list of texts that import")
def plan_dependencies(source: Source) -> Iterator[Found]:
    """`init_dependencies` returns something else than texts of imports.

    Write each out, such as `"import numpy as np"`.
    """
    for listed in _returned(source, "init_dependencies"):
        wrong = [listed]
        if isinstance(listed, ast.List | ast.Tuple):
            wrong = [one for one in listed.elts if not _imports(one)]
        yield from (_at(source, one, shown(one)) for one in wrong)


@PLAN.rule("plan-data", expected="a DataManager that is returned")
def plan_data(source: Source) -> Iterator[Found]:
    """`training_data` does not return Fed-BioMed's `DataManager`.

    Write `return DataManager(dataset=self.Exams(), shuffle=True)`; a loader of PyTorch is refused.
    """
    returned = [*_returned(source, "training_data")]
    for one in returned:
        if not source.dotted(getattr(one, "func", one)).endswith("DataManager"):
            yield _at(source, one, shown(one))
    for method in _methods(source, "training_data") if not returned else ():
        yield _at(source, method, "nothing")


@PLAN.rule("plan-unsafe", expected="code that stands in the plan, and data that are no code")
def plan_unsafe(source: Source) -> Iterator[Found]:
    """The plan runs text, loads pickles, starts programs or talks to the network.

    Do without: it runs beside patients' exams. `np.load` reads arrays with `allow_pickle=False`.
    """
    for name, call in source.calls:
        pickles = keywords_of(call).get("allow_pickle", ast.Constant(False))
        kinds = any(calls(kind, name) for kind in _TABLE["unsafe"])
        if kinds or name in _TABLE["run"] or ast.unparse(pickles) != "False":
            yield _at(source, call, shown(call))
    for node in source.nodes:
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in _TABLE["leads"]:
                yield _at(source, node, shown(node))
    for stands in source.aliases.values():  # `from builtins import exec as run`
        if {*stands.split(".")} & {*_TABLE["leads"]}:
            yield Found(source.name, stands)


@PLAN.rule("plan-path", expected="files below self.path")
def plan_path(source: Source) -> Iterator[Found]:
    """The plan opens what does not lie in the folder that the hospital registered.

    Make each path from `self.path` of the data set, in the class that opens it.
    """
    inside, known = {"self.path"}, 0
    while known < len(inside):  # what is made from a path below is one too
        known = len(inside)
        inside.update(name for name, value in _given(source.nodes) if _mentions(value, inside))
    for name, call in source.calls:
        opens = any(calls(kind, name) for kind in _TABLE["opens"])
        opens |= isinstance(call.func, ast.Attribute) and call.func.attr in _TABLE["methods"]
        if opens and not _mentions(call, inside):
            yield _at(source, call, shown(call))
    for node in source.nodes:  # the way up, out of the folder
        match node:
            case ast.Attribute(attr="parent" | "parents" | "dirname"):
                yield _at(source, node, shown(node))
            case ast.Constant(value=str(text)) if ".." in re.split(r"[/\\]", text):
                yield _at(source, node, shown(node))


@PLAN.rule("plan-outside", expected="names that the class or init_dependencies bring")
def plan_outside(source: Source) -> Iterator[Found]:
    """The class uses what stands outside it in the file, and no node will have that.

    Move it into the class, or add its import to `init_dependencies`.
    """
    there = {*_TABLE["given"].split(), *dir(builtins), *_sent(source)}
    for plan in _heirs(source, "TorchTrainingPlan"):
        nodes = [*below([plan])]
        used = {one.id: one for one in reversed(nodes) if isinstance(one, ast.Name)}
        missing = used.keys() - there - {*_bound(nodes)}
        yield from (_at(source, used[name], name) for name in sorted(missing))


def _at(source: Source, node: ast.stmt | ast.expr, found: str) -> Found:
    return Found(source.name, found, line=node.lineno)


def _heirs(source: Source, base: str) -> list[ast.ClassDef]:
    """Return the classes that inherit one of Fed-BioMed's, by its name."""
    ours = re.compile(rf"fedbiomed\..*\b{base}")
    classes = (one for one in source.nodes if isinstance(one, ast.ClassDef))
    return [one for one in classes if any(ours.fullmatch(source.dotted(b)) for b in one.bases)]


def _lacking(source: Source, base: str) -> Iterator[Found]:
    for one in _heirs(source, base):
        missing = set(_TABLE["needed"][base]) - {*_bound(below(one.body, stop=(ast.FunctionDef,)))}
        yield from (_at(source, one, f"no {name}") for name in sorted(missing))


def _methods(source: Source, name: str) -> list[ast.FunctionDef]:
    """Return the plan's method of a name, if it has one."""
    parts = [part for plan in _heirs(source, "TorchTrainingPlan") for part in plan.body]
    return [one for one in parts if isinstance(one, ast.FunctionDef) and one.name == name]


def _returned(source: Source, name: str) -> Iterator[ast.expr]:
    """Yield what a method of the plan returns; where that is a name, its value there."""
    nodes = [*below(_methods(source, name))]
    values = dict(_given(nodes))
    for node in nodes:
        if isinstance(node, ast.Return) and node.value:
            yield values.get(ast.unparse(node.value), node.value)


def _imports(node: ast.expr) -> bool:
    """Whether an expression is a text that imports and does nothing else."""
    try:
        body = ast.parse(ast.literal_eval(node)).body
    except (SyntaxError, ValueError, TypeError):
        return False
    return bool(body) and all(isinstance(one, ast.Import | ast.ImportFrom) for one in body)


def _sent(source: Source) -> dict[str, str]:
    """Return the names that the imports of init_dependencies bring, and what they stand for."""
    lists = [getattr(one, "elts", ()) for one in _returned(source, "init_dependencies")]
    lines = [ast.literal_eval(one) for parts in lists for one in parts if _imports(one)]
    return Source("init_dependencies", "\n".join(lines).encode()).aliases


def _bound(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the names to which nodes give a meaning."""
    for node in nodes:
        match node:
            case (
                ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.ClassDef(name=name)
                | ast.FunctionDef(name=name) | ast.ExceptHandler(name=str(name))
                | ast.alias(asname=str(name)) | ast.alias(name=name)
            ):  # fmt: skip
                yield name.partition(".")[0]


def _given(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, ast.expr]]:
    """Yield what is given a value, and the value: also items of a loop and what `with` opens."""
    for node in nodes:
        match node:
            case (
                ast.Assign(targets=[target], value=value)
                | ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value)
                | ast.withitem(optional_vars=ast.expr() as target, context_expr=value)
            ):  # fmt: skip
                yield from ((ast.unparse(one), value) for one in getattr(target, "elts", [target]))


def _mentions(node: ast.AST, names: set[str]) -> bool:
    parts = (one for one in ast.walk(node) if isinstance(one, ast.Name | ast.Attribute))
    return any(ast.unparse(one) in names for one in parts)
