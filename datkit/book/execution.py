"""Execute one notebook with papermill, and keep of it what every execution gives alike.

A check lists wrong answers, each with what it must say to them, and other right ways. They and the
blank stub are tried in the notebook's own kernel, in cells that are added before an execution and
taken out after it, so each execution of the book also tests its exercises.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from papermill.exceptions import PapermillExecutionError
from papermill.iorw import load_notebook_node
from traitlets.config import Config

from datkit.book.executed_rules import INJECTED, WIDGET
from datkit.book.notebook import LISTS, split_stub
from datkit.book.prose_rules import BLANK
from datkit.files import replace_atomically, write_json
from datkit.problems import Problem

__all__ = ["TIMES", "execute", "remove_volatile"]

KERNEL = "python3"
START = 180  # seconds in which a kernel answers, on a busy machine too
NUMBER = "number"  # cell metadata: its place in the source, while the notebook runs
TIMES = ".times.json"  # beside the folder in which a notebook ran: the seconds of each cell
TRIED_ANSWER = "tried-answer"  # the tag of an added cell
# A copy of the kernel's names takes the answer, so the notebook goes on with its own solution.
TRY_ANSWER = """
from datkit.errors import AnswerError as _AnswerError
_names, _answer, _wanted = dict(globals()), {answer!r}, {wanted!r}
try:
    exec(_answer, _names)
    exec({check!r}, _names)
except _AnswerError as error:
    _said = str(error)
else:
    _said = None
if _said is None and _wanted is not None:
    raise AssertionError("The check accepts a wrong answer: " + _answer)
if _said is not None and _wanted is None:
    raise AssertionError("The check rejects a right answer: " + _answer + ": " + _said)
if _said is not None and _wanted not in _said:
    raise AssertionError("The check says to " + _answer + ": " + _said + " Not: " + _wanted)
del _names, _answer, _wanted, _said
"""


def _answers(check: NotebookNode, stub: str) -> dict[str, str | None]:
    """Return what a check is tried with: an answer, and what it must say to it (None: nothing)."""
    right = dict.fromkeys(check.metadata.get("right", []))
    return ({stub: BLANK} if stub else {}) | check.metadata.get("wrong", {}) | right


def _prepare(source: Path) -> NotebookNode:
    """Return the notebook with its cells numbered, and each check tried with other answers."""
    notebook, cells, stub = load_notebook_node(str(source)), [], ""
    for number, cell in enumerate(notebook.cells, start=1):
        cell.metadata[NUMBER] = number
        cells.append(cell)
        if "exercise" in cell.metadata.get("tags", []):
            _, stub = split_stub(cell.source)
        if "check" in cell.metadata.get("tags", []):
            for answer, wanted in _answers(cell, stub).items():
                code = TRY_ANSWER.format(answer=answer, wanted=wanted, check=cell.source)
                cells.append(new_code_cell(code, metadata={NUMBER: number, "tags": [TRIED_ANSWER]}))
    notebook.cells = cells
    return notebook


def _keep_still_picture(output: NotebookNode) -> bool:
    """Drop an output's live widget, and return whether more than the widget's name is left."""
    data = output.get("data", {})
    was_live = data.pop(WIDGET, None) is not None
    return not was_live or bool(data.keys() & {*LISTS["figure_types"], "text/html"})


def _seconds(notebook: NotebookNode) -> dict[str, float]:
    """Return how long each cell took, by its id; what was only tried is left out."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    own = [cell for cell in code if TRIED_ANSWER not in cell.metadata.get("tags", [])]
    return {cell.id: round(cell.metadata.papermill.duration, 2) for cell in own}


def remove_volatile(notebook: NotebookNode) -> None:
    """Leave in an executed notebook only what does not change from one execution to the next."""
    for name in notebook.metadata.keys() - {"kernelspec", "language_info"}:
        del notebook.metadata[name]
    notebook.cells = [c for c in notebook.cells if TRIED_ANSWER not in c.metadata.get("tags", [])]
    count = 0
    for cell in notebook.cells:
        for volatile in ("papermill", "execution", NUMBER):
            cell.metadata.pop(volatile, None)
        if INJECTED in cell.metadata.get("tags", []):
            cell.id = INJECTED
            cell.metadata.tags.append("remove-cell")
        if cell.cell_type == "code":
            cell.execution_count = count = count + 1
            cell.outputs = [output for output in cell.outputs if _keep_still_picture(output)]
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count = count


def execute(
    source: Path, target: Path, folder: Path, parameters: dict[str, object], budget: float
) -> Problem | None:
    """Run one notebook and write its executed copy; return what stopped it, if anything did.

    Parameters
    ----------
    source, target : Path
        The notebook, and its executed copy.
    folder : Path
        Where it runs; emptied first.
    parameters : dict
        Values for its cell tagged `parameters`.
    budget : float
        Seconds that the whole notebook may take.
    """
    target.unlink(missing_ok=True)  # if this run fails, no older copy may pass for its result
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    notebook, end = _prepare(source), time.monotonic() + budget
    cell = notebook.cells[0]

    def seconds_left(next_cell: NotebookNode) -> int:
        nonlocal cell
        cell = next_cell
        return max(1, int(end - time.monotonic()))

    # A socket's path has about 100 characters at most, so it lies directly under the system's own.
    with tempfile.TemporaryDirectory(prefix="datkit-") as sockets:
        # A kernel is reached through a socket file, where there are any, not over open TCP.
        ipc = {"transport": "ipc", "ip": f"{sockets}/kernel"} if os.name == "posix" else {}
        try:
            executed = papermill.execute_notebook(
                notebook,
                None,
                parameters=parameters,
                kernel_name=KERNEL,
                language="python",
                progress_bar=False,
                coalesce_streams=True,  # else timing decides into how many outputs a print splits
                start_timeout=START,
                iopub_timeout=START,  # 4 s are too few for a picture to arrive on a busy machine
                timeout_func=seconds_left,
                resources={"metadata": {"path": str(folder)}},
                config=Config({"KernelManager": ipc, "AsyncKernelManager": ipc}),
            )
        except (PapermillExecutionError, CellTimeoutError, RuntimeError) as error:
            return _problem(source, cell, error, budget)
    write_json(folder.with_name(f"{source.stem}{TIMES}"), _seconds(executed))
    remove_volatile(executed)
    with replace_atomically(target) as part:
        nbformat.write(executed, part)
    return None


def _problem(source: Path, cell: NotebookNode, error: Exception, budget: float) -> Problem:
    where = f"{source}, cell {cell.metadata.get(NUMBER, INJECTED)}"
    expected, remedy = "every cell to run", "Mend the cell."
    if isinstance(error, PapermillExecutionError):
        found = f"{error.ename}: {error.evalue}"
    elif isinstance(error, CellTimeoutError):
        expected, found = f"at most {budget:g} s for the notebook", "more"
        remedy = "Shorten it, or name another --budget."
    else:  # the kernel died, or never answered
        found, remedy = str(error), "It may have run out of memory."
    line = cell.source.strip().partition("\n")[0]
    return Problem("notebook-failed", where, expected, f"{found}, in `{line}`", remedy)
