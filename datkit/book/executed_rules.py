"""What an executed notebook must be before the book publishes it."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datkit.book.notebook import FIGURE_TYPES, Cell, Notebook, Rulebook
from datkit.book.prose_rules import ALT_LENGTH, plain_prose

__all__ = ["EXECUTED", "INJECTED", "ORIGIN"]

EXECUTED, ORIGIN = Rulebook(), Rulebook()
Findings = Iterator[tuple[int | None, str]]

INJECTED = "injected-parameters"  # papermill's tag for the parameters of one run
FIGURE_WITHIN = 3  # code cells, counted from the top
MAX_MEGABYTES = 3.0  # of one output; a volume of 2 mm takes 0.3
WIDGET = "application/vnd.jupyter.widget-view+json"
GLUED = "application/papermill.record/text/plain"


def _text(output: dict[str, Any]) -> str:
    """Return all that an output says in words: its stream, plain text and HTML."""
    data = output.get("data", {})
    said = [data[key] for key in data if key.endswith(("text/plain", "text/html"))]
    return "\n".join("".join(part) for part in [output.get("text", ""), *said])


def _outputs(notebook: Notebook) -> Iterator[tuple[Cell, dict[str, Any]]]:
    return ((cell, output) for cell in notebook.code for output in cell.outputs)


def _figures(cell: Cell) -> int:
    return sum(bool(output.get("data", {}).keys() & {*FIGURE_TYPES}) for output in cell.outputs)


@EXECUTED.rule("Run it with `python -m datkit.book.run`.")
def every_cell_ran(notebook: Notebook) -> Findings:
    """Every code cell ran once, from top to bottom."""
    counts = [cell.execution_count for cell in notebook.code if cell.source.strip()]
    if counts and not any(counts):
        yield None, "The notebook was never executed."
    elif counts != [*range(1, len(counts) + 1)]:
        yield None, "The cells did not each run once, from top to bottom."


@EXECUTED.rule("Mend the cell and run the notebook again.")
def no_errors(notebook: Notebook) -> Findings:
    """No cell raised, and none wrote to stderr."""
    for cell, output in _outputs(notebook):
        if output["output_type"] == "error":
            yield cell.number, f"The cell raised {output['ename']}: {output['evalue']}."
        if output.get("name") == "stderr":
            yield cell.number, f"The cell wrote to stderr: {_text(output).strip()[:120]!r}."


@EXECUTED.rule('Set cell metadata {"mystnb": {"image": {"alt": "what one sees"}}}.')
def described_figures(notebook: Notebook) -> Findings:
    """Every figure has an alt text of 30 to 300 characters."""
    for cell in notebook.code:
        if _figures(cell) and len(cell.alt) not in ALT_LENGTH:
            yield cell.number, f"The figure's alt text has {len(cell.alt)} characters, not 30–300."


@EXECUTED.rule("Let the figure be the cell's last expression, or call its show().")
def shown_figures(notebook: Notebook) -> Findings:
    """A cell with an alt text shows a figure."""
    for cell in notebook.code:
        if cell.alt and not _figures(cell):
            yield cell.number, "The cell has an alt text, yet shows no figure."


@EXECUTED.rule("Show one figure a cell; one that is both returned and left open shows twice.")
def single_figures(notebook: Notebook) -> Findings:
    """A cell shows one figure, so that the alt text is its own."""
    for cell in notebook.code:
        if (count := _figures(cell)) > 1:
            yield cell.number, f"{count} figures share one alt text."


@EXECUTED.rule("Show the win first, then take it apart.")
def early_figure(notebook: Notebook) -> Findings:
    """One of the first 3 code cells shows a figure."""
    own = [cell for cell in notebook.code if INJECTED not in cell.tags]
    if not any(map(_figures, own[:FIGURE_WITHIN])):
        yield None, f"The first {FIGURE_WITHIN} code cells show no figure."


def _betrayals() -> str:
    """Return a pattern of paths that betray the machine on which a notebook ran."""
    here = {str(path) for path in (Path.home(), Path.cwd(), tempfile.gettempdir(), sys.prefix)}
    literal = [re.escape(path) + r"\b" for path in sorted(here) if len(path) > 1]
    return "|".join([*literal, r"/(?:home|Users|root|tmp)/\w", r"[A-Z]:\\+Users"])


@EXECUTED.rule("Print a file's name, not its whole path.")
def no_machine_paths(notebook: Notebook) -> Findings:
    """No output names a folder of the machine."""
    pattern = re.compile(rf"(?:{_betrayals()})[^\s'\"<]*")
    for cell, output in _outputs(notebook):
        if found := pattern.search(_text(output)):
            yield cell.number, f"The output names this machine: {found[0]!r}."


@EXECUTED.rule("Assign the last line, so that no object prints itself.")
def no_addresses(notebook: Notebook) -> Findings:
    """No output holds a memory address, which changes with every run."""
    for cell, output in _outputs(notebook):
        if found := re.search(r"\bat 0x[0-9a-f]{6,}", _text(output)):
            yield cell.number, f"The output changes with every run: {found[0]!r}."


@EXECUTED.rule("Cast to uint8 or float32, or show fewer points.")
def small_outputs(notebook: Notebook) -> Findings:
    """No output is over 3 MB."""
    for cell, output in _outputs(notebook):
        if (size := len(json.dumps(output)) / 1e6) > MAX_MEGABYTES:
            yield cell.number, f"The output has {size:.1f} MB, over {MAX_MEGABYTES:g}."


@EXECUTED.rule("Embed what it needs, and show a still picture beside a widget.")
def self_contained(notebook: Notebook) -> Findings:
    """Every output works with no kernel and no network."""
    for cell, output in _outputs(notebook):
        if WIDGET in output.get("data", {}):
            yield cell.number, "The output is a widget, which needs a kernel."
        if re.search(r"(?:src|href)=[\"']?(?:https?:)?//", _text(output)):
            yield cell.number, "The output loads from the network."


@EXECUTED.rule("Glue float(value), int(value) or str(value).")
def plain_glue(notebook: Notebook) -> Findings:
    """Glued values are plain numbers or words, which prose can format."""
    for cell, output in _outputs(notebook):
        text = "".join(output.get("data", {}).get(GLUED, ""))
        if text.startswith(("np.", "array(", "tensor(")):
            yield cell.number, f"Glued {text!r}."


@EXECUTED.rule("Glue it, so that prose and run cannot part.")
def no_typed_numbers(notebook: Notebook) -> Findings:
    """No number that the run computes is typed into prose (tested from three digits on)."""
    said = " ".join(_text(output) for _, output in _outputs(notebook))
    computed = [float(number) for number in re.findall(r"\d+\.\d+", said)]
    for cell in notebook.prose:
        for number in re.findall(r"(?<![\w.])\d+\.\d+(?!\.?\w)", plain_prose(cell.source)):
            significant = len(number.replace(".", "").lstrip("0"))
            digits = len(number.partition(".")[2])
            if significant >= 3 and float(number) in {round(value, digits) for value in computed}:
                yield cell.number, f"{number} is typed, yet the run computes it."


@ORIGIN.rule("Run it again with `python -m datkit.book.run`.")
def fresh_copy(notebook: Notebook, source: Notebook) -> Findings:
    """An executed copy holds the cells of the committed notebook as it stands now."""
    copied = [cell.source for cell in notebook.cells if INJECTED not in cell.tags]
    if copied != [cell.source for cell in source.cells]:
        yield None, "The executed copy is older than the notebook."
