"""Execute one notebook with papermill, and keep of it what every execution gives alike."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datkit.book.executed_rules import INJECTED, WIDGET
from datkit.book.notebook import FIGURE_TYPES
from datkit.book.wrong_answers import add_trials, drop_trials
from datkit.errors import NotebookError
from datkit.files import replace_atomically

if TYPE_CHECKING:
    from nbformat import NotebookNode
    from traitlets.config import Config

__all__ = ["Run", "execute", "settle"]

KERNEL = "python3"
START = 180  # seconds in which a kernel answers, on a busy machine too
NUMBER = "number"  # cell metadata: its place in the source, while the notebook runs
KEPT_METADATA = {"kernelspec", "language_info"}


@dataclass
class Run:
    """One notebook on its way: where from, where to, in which folder, with which parameters."""

    source: Path
    target: Path
    folder: Path
    parameters: dict[str, Any]
    budget: float
    key: str
    cell: Any = None  # the cell that runs now
    notebook: Any = None

    @property
    def stamp(self) -> Path:
        """The file that keeps the key of the last execution."""
        return self.folder.with_name(f"{self.source.stem}.key")


def _still_output(output: NotebookNode) -> NotebookNode | None:
    """Return an output without its live widget; None if only the widget's name would be left."""
    data = output.get("data", {})
    if WIDGET in data:
        del data[WIDGET]
        if not data.keys() & {*FIGURE_TYPES, "text/html"}:
            return None
    return output


def settle(notebook: NotebookNode) -> None:
    """Leave in an executed notebook only what does not change from one execution to the next."""
    drop_trials(notebook)
    kept = {name: notebook.metadata[name] for name in KEPT_METADATA & notebook.metadata.keys()}
    notebook.metadata = type(notebook)(kept)
    count = 0
    for cell in notebook.cells:
        for volatile in ("papermill", "execution", NUMBER):
            cell.metadata.pop(volatile, None)
        if INJECTED in cell.metadata.get("tags", []):
            cell.id = INJECTED
            cell.metadata.tags.append("remove-cell")
        if cell.cell_type == "code":
            cell.execution_count = count = count + 1
            cell.outputs = [out for out in map(_still_output, cell.outputs) if out is not None]
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count = count


def _transport(folder: str) -> Config:
    """Reach the kernel through a socket file, where the system has them, not over open TCP."""
    from traitlets.config import Config

    ipc = {"transport": "ipc", "ip": f"{folder}/kernel"} if os.name == "posix" else {}
    return Config({"KernelManager": ipc, "AsyncKernelManager": ipc})


def _papermill(run: Run) -> NotebookNode:
    """Execute the prepared notebook and return it. Raises what papermill raises."""
    import papermill

    end = time.monotonic() + run.budget

    def seconds_left(cell: Any) -> int:
        run.cell = cell
        return max(1, int(end - time.monotonic()))

    # A socket's path has about 100 characters at most, so it lies directly under the system's own.
    with tempfile.TemporaryDirectory(prefix="datkit-") as sockets:
        return papermill.execute_notebook(
            run.notebook,
            None,
            kernel_name=KERNEL,
            progress_bar=False,
            coalesce_streams=True,  # else timing decides into how many outputs a print splits
            start_timeout=START,
            timeout_func=seconds_left,
            resources={"metadata": {"path": str(run.folder)}},
            config=_transport(sockets),
        )


def _prepare(run: Run) -> None:
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    run.target.unlink(missing_ok=True)  # if this run fails, no older copy may pass for its result
    shutil.rmtree(run.folder, ignore_errors=True)
    run.folder.mkdir(parents=True)
    run.notebook = load_notebook_node(str(run.source))
    for number, cell in enumerate(run.notebook.cells, start=1):
        cell.metadata[NUMBER] = number
    if run.parameters:
        run.notebook = parameterize_notebook(
            run.notebook, run.parameters, kernel_name=KERNEL, language="python"
        )
    add_trials(run.notebook)


def execute(run: Run) -> None:
    """Run one notebook and write its executed copy.

    Raises
    ------
    NotebookError
        In three lines: the notebook, the cell, the error.
    """
    import nbformat
    from nbclient.exceptions import CellTimeoutError
    from papermill.exceptions import PapermillExecutionError

    _prepare(run)
    try:
        executed = _papermill(run)
    except PapermillExecutionError as error:
        raise _failure(run, f"{error.ename}: {error.evalue}") from error
    except CellTimeoutError as error:
        raise _failure(run, f"over the notebook's {run.budget:g} s: shorten it") from error
    except RuntimeError as error:  # the kernel died, or never answered
        raise _failure(run, f"{error}: it may have run out of memory") from error
    settle(executed)
    with replace_atomically(run.target) as part:
        nbformat.write(executed, part)
    run.stamp.write_text(run.key)


def _failure(run: Run, error: str) -> NotebookError:
    cell = run.cell or run.notebook.cells[0]
    number, source = cell.metadata.get(NUMBER, INJECTED), cell.source.strip()
    return NotebookError(
        f"notebook  {run.source}\n"
        f"cell      {number}: {source.partition(chr(10))[0]}\n"
        f"error     {error}"
    )
