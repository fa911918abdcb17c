"""`datkit trace` and `datkit publish`: where a number came from, and a model for everyone."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from datkit.cli.command import CODE, FINDINGS, FINE, Group, Result, arg
from datkit.errors import UsageError
from datkit.files import replace_atomically

if TYPE_CHECKING:
    from datkit.provenance.trace import Step

PROVENANCE = Group("")


@PROVENANCE.command(
    arg("file", type=Path, metavar="FILE", help="a submission, predictions, report, model, board"),
    arg("--in", dest="places", type=Path, action="append", default=[], metavar="FOLDER",
        help="look for inputs here too; repeatable"),
    arg("--html", type="page", metavar="PAGE", help="write the chain as a page with its picture"),
    arg("--prov", type=Path, metavar="FILE", help="write the chain as W3C PROV-JSON"),
    arg("--crate", type=Path, metavar="FOLDER", help="write FILE with its chain as an RO-Crate"),
)  # fmt: skip
def trace(args: Namespace) -> Result:
    """Follow a file back to its exams and readers, and say where the chain breaks.

    Each command that makes something writes a record beside it. Every file on the way is hashed:
    near FILE, in FOLDER and in the data folder, and two folders below each. An exam stands with its
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
      datkit trace submission.zip --html chain.html --prov chain.json --crate crate

    Records are sealed, not signed: one that was edited is found, and who rewrites all of them, with
    the submission, tells another story. Keep its sha256 where it cannot be changed.

    PROV and crate hold no uid and may be shared; the page and what is printed hold those of this
    machine. They need: pip install 'dat-spect-kit[provenance]'.
    """
    from datkit.provenance import export
    from datkit.provenance.trace import trace as follow
    from datkit.view.pages.page import write_page

    step = follow(args.file, args.places)
    if args.html:
        write_page(export.chain_page(step), args.html)
    try:
        if args.prov:
            with replace_atomically(args.prov) as part:
                export.to_prov(step).serialize(part)
        if args.crate:
            export.write_crate(args.file, step, args.crate)
    except ImportError as error:
        needed = "pip install 'dat-spect-kit[provenance]'"
        raise UsageError(f"Expected prov and rocrate, found {error}; {needed}.") from error
    broken = [f"{part.state}: {part.name} of {one.kind} {one.name}" for one, part in step.breaks]
    lines = [*_tree(step), "", *(broken or ["The chain is whole: every file is as on record."])]
    lines += [f"Written: {path}" for path in (args.html, args.prov, args.crate) if path]
    return Result(lines, asdict(step), FINDINGS if broken else FINE)


@PROVENANCE.command(
    arg("model", type=Path, metavar="MODEL", help="a model, or a folder of models"),
    arg("--out", type=Path, metavar="FOLDER", help="a new folder"),
    arg("--form", type=Path, default=Path("publish.yaml"), metavar="FILE",
        help="what only people can say; default: publish.yaml"),
    arg("--init", action="store_true", help="write an empty form instead"),
    arg("--cohort", type=Path, metavar="FOLDER", help="what it was trained on, to be described"),
    arg("--prior", type=float, metavar="P", help="default: that of prior.json"),
    CODE,
)  # fmt: skip
def publish(args: Namespace) -> Result:
    """Write a trained model into a folder that anyone may have.

    FOLDER then holds the weights, main.py and the part of datkit that prediction needs, a model
    card, licences, a description of every file (RO-Crate), of the cohort (Croissant), and check.py,
    by which others see that it predicts what it did here. Pickles, tables, voxels, uids of the
    training exams and empty answers are refused, all at once, and nothing is written then. Read
    the card before you upload it: what nothing on record answers is named as open.

    For example:
      datkit publish model --init
      datkit publish model --out published --cohort cohort
      python published/check.py
    """
    from datkit.data.layouts import open_path
    from datkit.models.own import run_file
    from datkit.provenance.publish import publish as write
    from datkit.provenance.publish_form import form_template

    if args.form.exists() if args.init else args.out is None:
        raise UsageError(f"Expected --out FOLDER, or --init where no {args.form} lies yet.")
    if args.init:
        args.form.write_text(form_template(), encoding="utf-8")
        return Result([f"Fill {args.form}, then give --out FOLDER."], {"form": str(args.form)})
    for file in args.code:
        run_file(file)
    cohort = open_path(args.cohort, require_labels=False) if args.cohort else None
    names = write(args.model, args.out, args.form, cohort=cohort, prior=args.prior)
    said = f"{args.out}: {len(names)} files, next: python {args.out / 'check.py'}"
    return Result([said], {"folder": str(args.out), "files": list(names)})


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
