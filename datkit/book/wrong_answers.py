"""Try the wrong answers that a notebook lists: its checks must reject every one.

The trials run in the notebook's own kernel, in cells that are added before an execution and taken
out after it, so each execution of the book also tests its exercises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["TRIAL", "add_trials", "drop_trials"]

TRIAL = "trial"  # the tag of an added cell

# A copy of the kernel's names takes the wrong answer, so the notebook goes on with the right one.
_TRIAL_CELL = """
_trial = dict(globals())
exec({wrong!r}, _trial)
try:
    exec({check!r}, _trial)
except AssertionError:
    del _trial
else:
    raise AssertionError("The check accepts a wrong answer: " + {wrong!r})
"""


def add_trials(notebook: NotebookNode) -> None:
    """Add a cell after each check, in place, for each wrong answer that it must reject."""
    from nbformat.v4 import new_code_cell

    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        for wrong in cell.metadata.get("wrong", []):
            source = _TRIAL_CELL.format(wrong=wrong, check=cell.source)
            cells.append(new_code_cell(source, metadata={**cell.metadata, "tags": [TRIAL]}))
    notebook.cells = cells


def drop_trials(notebook: NotebookNode) -> None:
    """Take the trials out again, in place."""
    notebook.cells = [cell for cell in notebook.cells if TRIAL not in cell.metadata.get("tags", [])]
