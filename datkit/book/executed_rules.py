"""What an executed notebook must be before the book publishes it."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path

from datkit.book.notebook import EXECUTED, LISTS, Findings, Notebook
from datkit.book.patterns import outputs
from datkit.book.prose_rules import ALT_LENGTH, plain_prose
from datkit.rules import Found

__all__ = ["INJECTED", "WIDGET"]

INJECTED = "injected-parameters"  # papermill's tag for the parameters of one run
MAX_MEGABYTES = 3.0  # of one output; a volume of 2 mm takes 0.3
WIDGET = "application/vnd.jupyter.widget-view+json"


@EXECUTED.rule("every-cell-ran", expected="every code cell run once, from top to bottom")
def every_cell_ran(notebook: Notebook) -> Findings:
    """The copy was not run as a whole.

    Run it with `python -m datkit.book.run`.
    """
    counts = [cell.execution_count for cell in notebook.code if cell.source.strip()]
    if counts and not any(counts):
        yield Found(notebook.name, "a notebook that was never executed")
    elif counts != [*range(1, len(counts) + 1)]:
        yield Found(notebook.name, "cells that ran not at all, twice or in another order")


@EXECUTED.rule("no-errors", expected="no error, and nothing on stderr")
def no_errors(notebook: Notebook) -> Findings:
    """A cell failed, or warned.

    Mend the cell and run the notebook again.
    """
    for cell, output, _ in outputs(notebook):
        if output["output_type"] == "error":
            yield Found(cell.place, f"{output['ename']}: {output['evalue']}")
        if output.get("name") == "stderr":
            yield Found(cell.place, f"on stderr {output['text'].strip()[:120]!r}")


@EXECUTED.rule("described-figures", expected="a figure with a text of 30 to 300 characters")
def described_figures(notebook: Notebook) -> Findings:
    """A cell has a figure without its text, a text without its figure, or several figures.

    Make the figure the last expression, and set metadata mystnb.image.alt.
    """
    for cell in notebook.code:
        shown = [output.get("data", {}).keys() & LISTS["figure_types"] for output in cell.outputs]
        count, length = sum(map(bool, shown)), len(cell.alt)
        is_described = count == 1 and length in ALT_LENGTH
        if (count or length) and not is_described:
            yield Found(cell.place, f"{count} figures and an alt text of {length} characters")


@EXECUTED.rule("no-machine-paths", expected="no folder of this machine in an output")
def no_machine_paths(notebook: Notebook) -> Findings:
    """An output names a folder.

    Print a file's name, not its whole path.
    """
    here = {str(path) for path in (Path.home(), Path.cwd(), tempfile.gettempdir(), sys.prefix)}
    known = [re.escape(path) + r"\b" for path in sorted(here) if len(path) > 1]
    pattern = "|".join([*known, r"/(?:home|Users|root|tmp)/\w", r"[A-Z]:\\+Users"])
    for cell, _, text in outputs(notebook):
        if found := re.search(rf"(?:{pattern})[^\s'\"<]*", text):
            yield Found(cell.place, repr(found[0]))


@EXECUTED.rule("small-outputs", expected="at most 3 MB an output")
def smalloutputs(notebook: Notebook) -> Findings:
    """An output is heavy.

    Cast to uint8 or float32, or show fewer points.
    """
    for cell, output, _ in outputs(notebook):
        if (size := len(json.dumps(output)) / 1e6) > MAX_MEGABYTES:
            yield Found(cell.place, f"{size:.1f} MB")


@EXECUTED.rule("no-typed-numbers", expected="numbers that the run computes to be glued")
def no_typed_numbers(notebook: Notebook) -> Findings:
    """A computed number is typed, three digits or more.

    Glue it, so that prose and run cannot part.
    """
    said = " ".join(text for _, _, text in outputs(notebook))
    computed = [float(number) for number in re.findall(r"\d+\.\d+", said)]
    for cell in notebook.prose:
        for number in re.findall(r"(?<![\w.])\d+\.\d+(?!\.?\w)", plain_prose(cell.source)):
            significant = len(number.replace(".", "").lstrip("0"))
            digits = len(number.partition(".")[2])
            if significant >= 3 and float(number) in {round(value, digits) for value in computed}:
                yield Found(cell.place, f"{number}, which is typed")


@EXECUTED.rule("fresh-copy", expected="the cells of the committed notebook as it stands now")
def fresh_copy(notebook: Notebook) -> Findings:
    """The copy is old.

    Run it again with `python -m datkit.book.run`.
    """
    copied = [cell.source for cell in notebook.cells if INJECTED not in cell.tags]
    if notebook.origin and copied != [cell.source for cell in notebook.origin.cells]:
        yield Found(notebook.name, "the cells of an older notebook")
