"""Do the day before what notebooks would wait for in the room: ``make warm``.

The exams are simulated and prepared, and the libraries that the notebooks import are loaded once,
so that Python has compiled them and Matplotlib knows the fonts. What is done is not done again; an
interrupted run goes on.
"""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from datkit.book.notebook import read_notebook
from datkit.errors import DatkitError, UsageError
from datkit.prepare.cohort import prepare_cohort
from datkit.simulate.cohort import open_simulated

__all__ = ["main", "warm"]

DRAW = "import matplotlib.pyplot as plt\nplt.figure().canvas.draw()"  # finds the fonts


def _imports(sources: Path) -> str:
    """Return the imports of all notebooks, each once."""
    cells = [cell for path in sorted(sources.glob("*.ipynb")) for cell in read_notebook(path).code]
    lines = (ast.unparse(node) for cell in cells for node in cell.imports)
    return "\n".join([*dict.fromkeys(lines), DRAW])


def warm(size: str, seed: int, sources: Path, report: Callable[[str], None] = print) -> None:
    """Simulate, prepare and load what the notebooks of a folder wait for; say how long each took.

    Raises
    ------
    DatkitError
        If the cohort cannot be made or prepared.
    """

    def simulate() -> str:
        return f"{len(open_simulated(size, seed))} exams"

    def prepare() -> str:
        prepared = prepare_cohort(open_simulated(size, seed))
        failed = f", {len(prepared.failures)} could not be" if prepared.failures else ""
        return f"{len(prepared)} exams{failed}"

    def load() -> str:
        code = _imports(sources)
        subprocess.run([sys.executable, "-c", code], check=True, env=None)
        return f"what {len([*sources.glob('*.ipynb')])} notebooks import"

    for name, do in (("Simulated", simulate), ("Prepared", prepare), ("Loaded", load)):
        start = time.monotonic()
        said = do()
        report(f"{name}: {said}, in {time.monotonic() - start:.0f} s")


def main(arguments: list[str] | None = None) -> int:
    """Warm up from the command line and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m datkit.book.workshop.warm",
        description="Simulate, prepare and load what the notebooks would wait for.",
        epilog="Exit codes: 0 done, 1 problems, 2 wrong use.",
    )
    parser.add_argument("--size", default="small", help="of the cohort (small)")
    parser.add_argument("--seed", type=int, default=2026, help="of the cohort (2026)")
    parser.add_argument("--sources", type=Path, default=Path("notebooks"), help="the notebooks")
    given = parser.parse_args(arguments)
    try:
        warm(given.size, given.seed, given.sources)
    except DatkitError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    print(
        f'No one waits for these again, in notebooks that say size = "{given.size}" and '
        f"seed = {given.seed}."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
