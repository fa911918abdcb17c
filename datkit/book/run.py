"""Run notebooks with papermill: several at once, the same bytes each time, nothing half-written.

Each notebook runs in its own empty folder, ``<work>/<name>/``, where it may write. Its executed
copy appears only if every cell ran::

    python -m datkit.book.run notebooks/*.ipynb --out build/notebooks -p size=tiny
"""

from __future__ import annotations

import argparse
import ast
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from unittest import mock

import joblib

from datkit.book.execution import execute
from datkit.book.notebook import read_notebook
from datkit.errors import DatkitError, NotebookError, UsageError
from datkit.files import data_folder
from datkit.problems import Problem

__all__ = ["KEY", "main", "make_unless_made", "package_hash", "run_notebooks"]

WORKERS = 2  # two kernels share the cores well; a third gained 6 % when measured
KEY = "key.txt"  # in a folder of made files: what they were made of
BUDGET = 900  # seconds for a whole notebook
# What a kernel is told: figures without a network, no progress bars in stderr, one order of sets,
# one thread.
ENVIRONMENT = {
    "PLOTLY_RENDERER": "plotly_mimetype",
    "PYTHONHASHSEED": "0",
    "TQDM_DISABLE": "1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "OMP_NUM_THREADS": "1",  # kernels share the cores; threads that wait for each other take longer
}


def _parameters_of(source: Path) -> set[str]:
    """Return the names that a notebook's cell tagged `parameters` assigns."""
    cell = next(read_notebook(source).tagged("parameters"), None)
    nodes = ast.walk(ast.parse(cell.source)) if cell else ()
    return {node.id for node in nodes if isinstance(node, ast.Name)}


@cache
def package_hash() -> str:
    """Return a hash of datkit's own files: an executed copy is stale once they change."""
    root = Path(__file__).resolve().parents[1]
    files = [path for path in sorted(root.rglob("*")) if path.is_file()]
    sources = [path for path in files if "__pycache__" not in path.parts]
    return joblib.hash([(str(path.relative_to(root)), path.read_bytes()) for path in sources])


def make_unless_made(out: Path, made_of: str, make: Callable[[], str]) -> int:
    """Make the files of a folder, unless they lie there and were made of the same by this datkit.

    Prints what `make` returns, or on standard error why it could not; returns the exit code.
    """
    key, made_of = out / KEY, f"{package_hash()} {made_of}"
    if key.is_file() and key.read_text(encoding="utf-8") == made_of:
        print(f"{out}: unchanged")
        return 0
    key.unlink(missing_ok=True)
    try:
        said = make()
    except DatkitError as error:
        print(error, file=sys.stderr)
        return 1
    key.write_text(made_of, encoding="utf-8")
    print(f"{out}: {said}")
    return 0


def _open_data() -> list[tuple[str, int]]:
    """Return name and size of each file that was fetched: notebooks show what is there."""
    files = (data_folder() / "open").glob("*/[!.]*")
    return sorted((path.name, path.stat().st_size) for path in files)


def _share_out(
    sources: list[Path], parameters: Mapping[str, object]
) -> dict[Path, dict[str, object]]:
    """Return the parameters that each notebook takes; refuse one that none of them has."""
    offered = {source: _parameters_of(source) for source in sources}
    known = set().union(*offered.values())
    if unknown := parameters.keys() - known:
        raise UsageError(
            f"No notebook has a parameter {sorted(unknown)[0]!r}. The parameters of "
            f"{', '.join(source.name for source in sources)} are: "
            f"{', '.join(sorted(known)) or 'none'}."
        )
    return {
        source: {name: value for name, value in parameters.items() if name in own}
        for source, own in offered.items()
    }


def run_notebooks(
    sources: Iterable[str | os.PathLike[str]],
    out_folder: str | os.PathLike[str],
    parameters: Mapping[str, object] | None = None,
    *,
    work_folder: str | os.PathLike[str] | None = None,
    workers: int = WORKERS,
    budget: float = BUDGET,
    if_changed: bool = False,
    report: Callable[[str], None] = print,
) -> list[Path]:
    """Execute notebooks and return the paths of their executed copies.

    Two executions give the same bytes if the notebooks draw with seeds. The wrong answers that a
    check lists are tried too; a check that accepts one fails its notebook.

    Parameters
    ----------
    sources : iterable of path
        The notebooks.
    out_folder : path
        Where the executed copies go, under their own names.
    parameters : mapping, optional
        Values for cells tagged `parameters`; each goes to the notebooks that have its name.
    work_folder : path, optional
        Holds one emptied folder per notebook, its working directory; ``<out>/work`` by default.
    workers : int
        How many notebooks run at once.
    budget : float
        Seconds that one whole notebook may take.
    if_changed : bool
        Keep a copy whose notebook, parameters, fetched data and datkit have not changed since.
    report : callable
        Takes one line of progress at a time.

    Raises
    ------
    UsageError
        If there is no notebook of a name, or no notebook has one of the parameters.
    NotebookError
        If notebooks fail: a problem for each, after all have run.
    """
    out = Path(out_folder)
    work = Path(work_folder or out / "work").resolve()
    given = _share_out(list(map(Path, sources)), parameters or {})

    def run(source: Path) -> Problem | None:
        target, folder, start = out / source.name, work / source.stem, time.monotonic()
        key = joblib.hash([source.read_bytes(), given[source], _open_data(), package_hash()])
        key_file = work / f"{source.stem}.key"  # of the last execution
        is_there = target.is_file() and key_file.is_file()
        if if_changed and is_there and key_file.read_text() == key:
            report(f"{source.name}: unchanged")
            return None
        report(f"{source.name}: running")
        if problem := execute(source, target, folder, given[source], budget):
            report(f"{source.name}: FAILED")
            return problem
        key_file.write_text(key)
        report(f"{source.name}: done in {time.monotonic() - start:.0f} s")
        return None

    with (
        # An own folder for IPython: a person's startup files may not change what the book shows.
        tempfile.TemporaryDirectory(prefix="datkit-") as profile,
        mock.patch.dict(os.environ, {**ENVIRONMENT, "IPYTHONDIR": profile}),
        ThreadPoolExecutor(workers) as pool,
    ):
        problems = [problem for problem in pool.map(run, given) if problem]
    if problems:
        raise NotebookError.of(problems, where="the notebooks")
    return [out / source.name for source in given]


def _pair(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, found {text!r}")
    try:
        return name, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return name, value  # a plain word


def main(arguments: list[str] | None = None) -> int:
    """Run notebooks from the command line and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m datkit.book.run",
        description="Execute notebooks with papermill.",
        epilog="Exit codes: 0 all ran, 1 a notebook failed, 2 wrong use.",
    )
    add = parser.add_argument
    add("sources", nargs="+", type=Path, metavar="NOTEBOOK", help="notebook file")
    add("--out", dest="out_folder", type=Path, required=True, help="folder of the executed copies")
    add("--work", dest="work_folder", type=Path, help="folder in which they run (OUT/work)")
    add("-p", dest="parameters", metavar="NAME=VALUE", type=_pair, action="append", default=[],
        help="set a parameter")  # fmt: skip
    add("--workers", type=int, default=WORKERS, help=f"at once ({WORKERS})")
    add("--budget", type=float, default=BUDGET, help=f"seconds for a whole notebook ({BUDGET})")
    add("--if-changed", action="store_true", help="skip a notebook that ran as it stands")
    options = parser.parse_args(arguments)
    try:
        run_notebooks(**vars(options) | {"parameters": dict(options.parameters)})
    except DatkitError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
