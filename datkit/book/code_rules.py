"""What the code of a committed notebook must be."""

from __future__ import annotations

import ast
import statistics

from datkit.book.imports import import_problem
from datkit.book.notebook import COMMITTED, LISTS, Findings, Notebook
from datkit.book.patterns import calls
from datkit.rules import Found

MAX_LINES, MAX_MEDIAN, MAX_FUNCTION = 15, 6, 5  # lines; what a reader takes in at a glance
FIGURE_WITHIN = 3  # code cells, counted from the top


@COMMITTED.rule("plain-python", expected="plain Python, which runs anywhere as it stands")
def plain_python(notebook: Notebook) -> Findings:
    """A code cell is no Python.

    Remove magics (%), shell lines (!) and help (?), or mend the syntax.
    """
    for cell in notebook.code:
        if cell.source.strip() and not cell.syntax:
            yield Found(cell.place, "what does not parse")


@COMMITTED.rule("short-cells", expected="1 to 15 lines of code, 6 in the median")
def short_cells(notebook: Notebook) -> Findings:
    """Code cells are long, imports and blank lines not counted, or empty.

    One idea a cell: split it, or move machinery into datkit.
    """
    lengths = []
    for cell in notebook.code:
        lines = sum(bool(line.strip()) for line in cell.source.splitlines())
        imported = sum((n.end_lineno or n.lineno) - n.lineno + 1 for n in cell.imports)
        lengths.append(lines - imported)
        if not lines or lengths[-1] > MAX_LINES:
            yield Found(cell.place, f"{lengths[-1]} lines")
    if (median := statistics.median(lengths or [0])) > MAX_MEDIAN:
        yield Found(notebook.name, f"a median of {median:g} lines")


@COMMITTED.rule("short-functions", expected="5 lines a function, defined once in all notebooks")
def short_functions(notebook: Notebook) -> Findings:
    """A function is long, or a copy.

    Move it into datkit, with a test.
    """
    for cell in notebook.code:
        for node in cell.nodes(ast.FunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MAX_FUNCTION:
                yield Found(cell.place, f"{length} lines in {node.name}")
            place = f"{cell.place}, line {node.lineno}"
            if (first := notebook.defined.setdefault(node.name, place)) != place:
                yield Found(cell.place, f"a second {node.name}, after that of {first}")


@COMMITTED.rule("declared-imports", expected="what is declared, and public names of datkit")
def declared_imports(notebook: Notebook) -> Findings:
    """An import is undeclared, or not on the API pages.

    Use declared dependencies and public names; fetch with `datkit data fetch`.
    """
    for cell in notebook.code:
        for node in cell.imports:
            names = [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                problems = [import_problem(node.module or ".", names)]
            else:
                problems = [import_problem(name, []) for name in names]
            yield from (Found(cell.place, problem) for problem in problems if problem)


@COMMITTED.rule("imports-first", expected="all imports in the first code cell after `parameters`")
def imports_first(notebook: Notebook) -> Findings:
    """An import stands where it is used.

    Move it to the others, so that a reader sees at once what the notebook uses.
    """
    first = next((cell for cell in notebook.code if "parameters" not in cell.tags), None)
    for cell in notebook.code:
        if cell is not first and cell.imports:
            yield Found(cell.place, "an import")


def _is_unseeded(name: str, call: ast.Call, torch_seeded: bool) -> bool:
    owner, _, last = name.rpartition(".")
    given = {word.arg: word.value for word in call.keywords}
    if last == "default_rng":
        return not call.args and not given
    if owner in ("np.random", "numpy.random"):
        return last not in LISTS["numpy_seeded"]
    if owner == "random":
        return last != "Random" or not call.args
    if owner == "torch":
        return last in LISTS["torch_draws"] and not torch_seeded and "generator" not in given
    shuffles = getattr(given.get("shuffle"), "value", False) is True
    # rng.shuffle(x) draws from a seeded generator; a bare shuffle(x) is scikit-learn's.
    takes_state = (last in LISTS["takes_state"] and not owner) or (last == "sample" and bool(owner))
    return (shuffles or takes_state) and not given.keys() & {"random_state", "generator"}


@COMMITTED.rule("seeded-draws", expected="a seed for every random draw")
def seeded_draws(notebook: Notebook) -> Findings:
    """A draw differs from run to run.

    Give it one: default_rng(seed), random_state=seed or torch.manual_seed(seed).
    """
    made = list(calls(notebook))
    torch_seeded = any(name == "torch.manual_seed" for _, name, _ in made)
    for cell, name, call in made:
        if _is_unseeded(name, call, torch_seeded):
            yield Found(cell.place, f"{name}, which draws without a seed")


@COMMITTED.rule("placed-legends", expected="a place for every legend, such as loc='upper center'")
def placed_legends(notebook: Notebook) -> Findings:
    """A legend looks for its own place.

    Name one: if the search takes more than a second, on a busy machine, Matplotlib prints a
    warning into the cell.
    """
    for cell, name, call in calls(notebook):
        if name.endswith(".legend") and "loc" not in {word.arg for word in call.keywords}:
            yield Found(cell.place, f"{name} without one")


@COMMITTED.rule("early-figure", expected="a figure in the first 3 code cells")
def early_figure(notebook: Notebook) -> Findings:
    """The first figure comes late.

    Show the win first, then take it apart.
    """
    if not any(cell.alt for cell in notebook.code[:FIGURE_WITHIN]):
        yield Found(notebook.name, "none")


@COMMITTED.rule("read-figures", expected="a Markdown cell right after the figure")
def read_figures(notebook: Notebook) -> Findings:
    """No sentence reads a figure.

    Say there what one sees.
    """
    following = [cell.cell_type for cell in notebook.cells[1:]] + ["the end"]
    for cell, kind in zip(notebook.cells, following, strict=True):
        if cell.cell_type == "code" and cell.alt and kind != "markdown":
            yield Found(cell.place, "no sentence after the figure")
