"""What the code of a committed notebook must be."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator
from functools import cache

from datkit.book.imports import import_problem
from datkit.book.notebook import Cell, Notebook, Rulebook

__all__ = ["CODE", "asserts", "defined_functions", "glued_names"]

CODE = Rulebook()
Findings = Iterator[tuple[int | None, str]]

MAX_LINES, MAX_MEDIAN, MAX_FUNCTION = 15, 6, 5  # lines; what a reader takes in at a glance
FIGURE_WITHIN = 3  # code cells, counted from the top

SHELL = {"os.system", "os.popen", "get_ipython", "exec", "eval"}
SILENCERS = {"filterwarnings", "simplefilter", "catch_warnings", "seterr", "errstate",
             "redirect_stderr", "captureWarnings"}  # fmt: skip
LOUD_MAPS = {"jet", "rainbow", "gist_rainbow", "hsv", "nipy_spectral", "turbo", "Spectral",
             "RdYlGn"}  # fmt: skip
TAKES_STATE = {"train_test_split", "permutation_importance", "resample", "shuffle",
               "RandomForestClassifier", "ExtraTreesClassifier", "MLPClassifier"}  # fmt: skip
TORCH_DRAWS = {"rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial"}
NUMPY_SEEDED = {"default_rng", "Generator", "SeedSequence", "PCG64"}


@cache
def _parsed(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except SyntaxError:
        return None


def _nodes(cell: Cell, *kinds: type) -> Iterator[ast.AST]:
    tree = _parsed(cell.source)
    return (node for node in ast.walk(tree) if isinstance(node, kinds)) if tree else iter(())


def _dotted(node: ast.expr) -> str:
    """Return ``a.b.c`` for a chain of names; what a call inside the chain takes is left out."""
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}".lstrip(".")
    return node.id if isinstance(node, ast.Name) else ""


def _calls(notebook: Notebook) -> Iterator[tuple[Cell, str, ast.Call]]:
    for cell in notebook.code:
        for call in _nodes(cell, ast.Call):
            yield cell, _dotted(call.func), call


def _strings(notebook: Notebook) -> Iterator[tuple[Cell, str]]:
    for cell in notebook.code:
        for node in _nodes(cell, ast.Constant):
            if isinstance(node.value, str):
                yield cell, node.value


def defined_functions(notebook: Notebook) -> Iterator[tuple[Cell, ast.FunctionDef]]:
    """Yield each function that a notebook defines, with its cell."""
    for cell in notebook.code:
        for node in _nodes(cell, ast.FunctionDef, ast.AsyncFunctionDef):
            yield cell, node


def asserts(cell: Cell) -> list[ast.Assert]:
    """Return the assertions of a code cell."""
    return list(_nodes(cell, ast.Assert))


def glued_names(notebook: Notebook) -> set[str]:
    """Return the names under which a notebook glues values into its prose."""
    return {
        call.args[0].value
        for _, name, call in _calls(notebook)
        if name == "glue" and call.args and isinstance(call.args[0], ast.Constant)
    }


@CODE.rule("Remove magics (%), shell lines (!) and help (?), or mend the syntax.")
def plain_python(notebook: Notebook) -> Findings:
    """Code cells hold plain Python, so that they run anywhere as they stand."""
    for cell in notebook.code:
        if _parsed(cell.source) is None:
            yield cell.number, "Expected plain Python, found what does not parse."


@CODE.rule("One idea a cell: split it, or move machinery into datkit.")
def short_cells(notebook: Notebook) -> Findings:
    """A code cell has 1 to 15 lines, blank ones not counted; the median is 6 or less."""
    lengths = [sum(bool(line.strip()) for line in c.source.splitlines()) for c in notebook.code]
    for cell, length in zip(notebook.code, lengths, strict=True):
        if not 1 <= length <= MAX_LINES:
            yield cell.number, f"Expected 1 to {MAX_LINES} lines of code, found {length}."
    if (median := statistics.median(lengths or [0])) > MAX_MEDIAN:
        yield (
            None,
            f"Expected a median of {MAX_MEDIAN} lines a code cell or less, found {median:g}.",
        )


@CODE.rule("Move it into datkit, with a test.")
def short_functions(notebook: Notebook) -> Findings:
    """A function has 5 lines or less and is defined once."""
    seen: set[str] = set()
    for cell, node in defined_functions(notebook):
        length = node.end_lineno - node.lineno + 1
        if length > MAX_FUNCTION:
            yield cell.number, f"Function {node.name} has {length} lines, over {MAX_FUNCTION}."
        if node.name in seen:
            yield cell.number, f"Function {node.name} is defined twice."
        seen.add(node.name)


@CODE.rule("Use declared dependencies and datkit's public names; fetch with `datkit data fetch`.")
def declared_imports(notebook: Notebook) -> Findings:
    """Imports come from the standard library, declared dependencies and datkit's `__all__`."""
    for cell in notebook.code:
        for node in _nodes(cell, ast.Import, ast.ImportFrom):
            aliases = [alias.name for alias in node.names]
            is_from = isinstance(node, ast.ImportFrom)
            wanted = [(node.module or ".", aliases)] if is_from else [(n, []) for n in aliases]
            for module, names in wanted:
                if found := import_problem(module, names):
                    yield cell.number, found


@CODE.rule("A notebook runs as it stands: call Python, not the shell.")
def no_shell(notebook: Notebook) -> Findings:
    """No shell, no other program, no code made from strings."""
    for cell, name, _ in _calls(notebook):
        if name in SHELL:
            yield cell.number, f"Call of {name}."


@CODE.rule("Remove the cause of the warning.")
def no_silencing(notebook: Notebook) -> Findings:
    """No warning is silenced."""
    for cell, name, _ in _calls(notebook):
        if name.rpartition(".")[2] in SILENCERS or name == "logging.disable":
            yield cell.number, f"Call of {name}."


@CODE.rule("Name files relative to the working folder.")
def relative_paths(notebook: Notebook) -> Findings:
    """No absolute path and no home folder."""
    for cell, text in _strings(notebook):
        if re.match(r"/\w|~|[A-Za-z]:[\\/]", text):
            yield cell.number, f"Absolute path {text!r}."
    for cell, name, _ in _calls(notebook):
        if name.endswith(("Path.home", "expanduser")):
            yield cell.number, f"Call of {name}."


@CODE.rule("Use viridis, cividis, magma or inferno.")
def safe_colours(notebook: Notebook) -> Findings:
    """Colour maps are even and safe for colour blindness."""
    for cell, text in _strings(notebook):
        if text in LOUD_MAPS:
            yield cell.number, f"Colour map {text!r}."


def _is_unseeded(name: str, call: ast.Call, torch_seeded: bool) -> bool:
    owner, _, last = name.rpartition(".")
    given = {word.arg: word.value for word in call.keywords}
    if last == "default_rng":
        return not call.args and not given
    if owner in ("np.random", "numpy.random"):
        return last not in NUMPY_SEEDED
    if owner == "random":
        return last != "Random" or not call.args
    if owner == "torch":
        return last in TORCH_DRAWS and not torch_seeded and "generator" not in given
    shuffles = getattr(given.get("shuffle"), "value", False) is True
    # rng.shuffle(x) draws from a seeded generator; a bare shuffle(x) is scikit-learn's.
    takes_state = (last in TAKES_STATE and not owner) or (last == "sample" and bool(owner))
    return (shuffles or takes_state) and not given.keys() & {"random_state", "generator"}


@CODE.rule("Give it one: default_rng(seed), random_state=seed or torch.manual_seed(seed).")
def seeded_draws(notebook: Notebook) -> Findings:
    """Every random draw has a seed, so that two executions agree."""
    calls = list(_calls(notebook))
    torch_seeded = any(name == "torch.manual_seed" for _, name, _ in calls)
    for cell, name, call in calls:
        if _is_unseeded(name, call, torch_seeded):
            yield cell.number, f"{name} draws without a seed."


@CODE.rule("Show the win first, then take it apart.")
def early_figure(notebook: Notebook) -> Findings:
    """The first figure (a cell with metadata mystnb.image.alt) is in the first 3 code cells."""
    if not any(cell.alt for cell in notebook.code[:FIGURE_WITHIN]):
        yield None, f"The first {FIGURE_WITHIN} code cells hold no figure."


@CODE.rule("Put a markdown cell that says what one sees right after the figure.")
def read_figures(notebook: Notebook) -> Findings:
    """A sentence after each figure reads it."""
    for cell, following in zip(notebook.cells, (*notebook.cells[1:], None), strict=True):
        if cell.kind == "code" and cell.alt and getattr(following, "kind", "") != "markdown":
            yield cell.number, "No sentence after the figure reads it."
