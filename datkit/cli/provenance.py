"""`datkit trace`: where a number came from."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from datkit.cli.command import FINDINGS, FINE, Group, Result, arg

if TYPE_CHECKING:
    from datkit.provenance.trace import Step

PROVENANCE = Group("")


@PROVENANCE.command(
    arg("file", type=Path, metavar="FILE", help="a submission, predictions, report, model, board"),
    arg("--in", dest="places", type=Path, action="append", default=[], metavar="FOLDER",
        help="look for inputs here too; repeatable"),
)  # fmt: skip
def trace(args: Namespace) -> Result:
    """Follow a file back to its exams and readers, and say where the chain breaks.

    Each command that makes something writes a record beside it. Every file on the way is hashed:
    near FILE, in FOLDER, each three folders deep, and in the data folder. An exam stands with its
    mark, which only those can check who hold the whole cohort, and with who gave its label. On the
    machine that made the record its uid stands there too.

    state      a file that is
    sound      as on record, to the last byte
    changed    another than on record
    missing    on record, and not found
    unknown    on no record, or an exam of which this machine has no list

    exit codes:
      0    all is sound
      1    the chain breaks
      2    wrong use, such as a file that is not there

    For example:
      datkit trace submission.zip
      datkit trace predictions.csv --in models --in cohort
    """
    from datkit.provenance.trace import trace as follow

    step = follow(args.file, args.places)
    broken = step.breaks
    lines = [*_tree(step), ""]
    lines += [f"{part.state}: {part.name} of {one.kind} {one.name}" for one, part in broken]
    lines += [] if broken else ["The chain is whole: every file is as on record."]
    return Result(lines, asdict(step), FINDINGS if broken else FINE)


def _tree(step: Step, indent: str = "") -> Iterator[str]:
    """Draw a step and all behind it, a line each, and a line an exam."""
    states = Counter(part.state for part in step.parts)
    said = ", ".join(f"{count} {state}" for state, count in states.items())
    yield f"{indent}{step.kind} {step.name}: {said}. {step.note}".rstrip()
    for part in step.parts:
        hashed = f"{part.sha256:.16}  " if part.sha256 else ""
        who = f"  read by {part.reader}" if part.reader else ""
        yield f"{indent}  {part.state:8} {hashed}{part.name}{who}"
    for one in step.inputs:
        yield from _tree(one, f"{indent}    ")
