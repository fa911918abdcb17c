"""What data there are; fetch, verify and cite them.

Whose they are, what they may be used for, and whether the bytes on this machine are the
promised ones. Terms are shown before a download.

first steps:
  datkit data list                 # which data, under which licence
  datkit data fetch fpcit-hc174    # a real map of 1.1 MB, hashed on arrival
  datkit data check FOLDER         # your own exams: all that is wrong with the files

variables:
  DATKIT_DATA      where data are kept, instead of the user's cache folder
  DATKIT_MANIFEST  a manifest of your own, instead of the one that comes with the kit
  DATKIT_MIRROR    a folder or address with the files by name, tried first
  DATKIT_OFFLINE   1: never use the network
  HTTPS_PROXY, HTTP_PROXY, NO_PROXY as everywhere
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from datkit import data  # its names load what they need when they are first used
from datkit.cli.command import FINDINGS, FINE, Group, Result, arg, note, tell_all, to_json
from datkit.errors import CohortError, PrepareError, problems_of
from datkit.files import data_folder, replace_atomically
from datkit.problems import Problem, shown

if TYPE_CHECKING:
    from datkit.io.scan import Scan
    from datkit.prepare.cohort import PreparedCohort

T = TypeVar("T")
DATA = Group(__doc__)
_NAME = arg("name", metavar="NAME", help="an entry of 'datkit data list'")
_ANY_NAME = arg("name", metavar="NAME", nargs="?", help="one entry only")
_DESCRIBED = arg("name", metavar="NAME|FOLDER", help="an entry, or a cohort's folder")
_OUT = arg("--out", type=Path, metavar="FILE", help="default: standard output")


def _add_reading(parser: ArgumentParser) -> None:
    said = "where the voxels' axes point to, if the file does not say it or says it wrong"
    parser.add_argument("--orientation", metavar="RAS", help=said)
    parser.add_argument("--repair", action="store_true", help="mend what can be mended, and say so")


READING = _add_reading  # how scans are to be read; `reading` returns it


def reading(args: Namespace) -> dict[str, Any]:
    """Return how scans are to be read, for :func:`datkit.io.scan.load_scan`; what is not as usual.

    Raises
    ------
    UsageError
        If there is no such orientation.
    """
    from datkit.io.scan import stated_affine

    if args.orientation is not None:
        stated_affine(args.orientation, [1, 1, 1])
    told = {"orientation": args.orientation, "repair": args.repair}
    return {name: value for name, value in told.items() if value}


@DATA.command()
def list_(_: Namespace) -> Result:
    """List every entry with its access and licence, and sets to avoid.

    For example:
      datkit data list
      datkit data list --json
    """
    manifest = data.load_manifest()
    lines = []
    for entry in manifest.datasets:
        licence = entry.licence.spdx or entry.licence.name
        lines += [f"{entry.name:22} {entry.access:12} {licence}", f"{'':22} {entry.title}"]
    bad = [f"  {one.name} ({one.where}): {one.reason}" for one in manifest.avoid]
    bad += ["", "Next: datkit data show NAME, datkit data fetch NAME"]
    lines += ["", "Stay away from:", *bad]
    return Result(lines, [entry.to_dict() for entry in manifest.datasets])


@DATA.command(_NAME)
def show(args: Namespace) -> Result:
    """Show all that the manifest says of an entry.

    For example:
      datkit data show ppmi
    """
    import yaml

    entry = data.load_manifest().entry(args.name).to_dict()
    text = yaml.safe_dump(entry, sort_keys=False, allow_unicode=True, width=100)
    return Result(text.split("\n"), entry)


@DATA.command(_NAME, arg("--offline", action="store_true", default=None, help="use no network"))
def fetch(args: Namespace) -> Result:
    """Show an entry's terms, download its files and verify them.

    For example:
      datkit data fetch fpcit-hc174
    """
    paths = data.fetch(args.name, progress=not args.json, offline=args.offline, notify=note)
    files = [str(path) for path in paths]
    return Result(files, {"name": args.name, "files": files})


@DATA.command(_ANY_NAME)
def verify(args: Namespace) -> Result:
    """Hash the files that were fetched.

    A file that nobody fetched is no finding, unless its entry is asked for by name.

    For example:
      datkit data verify
      datkit data verify fpcit-hc174
    """
    checks = data.verify(args.name)
    bad = {"damaged", "missing"} if args.name else {"damaged"}
    wrong = dict.fromkeys(check.name for check in checks if check.state in bad)
    if args.name and not checks:
        note(f"{args.name} has no files to verify; 'datkit data show {args.name}' tells why.")
    for name in wrong:
        note(f"Next: 'datkit data fetch {name}'.")
    lines = [f"{check.state:8} {check.name:22} {check.path}" for check in checks]
    return Result(lines, [check.to_dict() for check in checks], FINDINGS if wrong else FINE)


@DATA.command(_ANY_NAME)
def where(args: Namespace) -> Result:
    """Print the folder where data, or one entry, are kept.

    For example:
      datkit data where
      datkit data where ppmi
    """
    folder = str(data.where(args.name) if args.name else data_folder())
    return Result([folder], {"folder": folder})


@DATA.command(_NAME, arg("--bibtex", action="store_true", help="as BibTeX records"))
def cite(args: Namespace) -> Result:
    """Print what to cite when you use an entry.

    For example:
      datkit data cite cit168
      datkit data cite cit168 --bibtex
    """
    papers = data.load_manifest().entry(args.name).citations
    lines = [_bibtex(paper) if args.bibtex else f"{paper.text} {paper.link}" for paper in papers]
    return Result(lines, [paper.model_dump(mode="json") for paper in papers])


def _bibtex(paper: data.Citation) -> str:
    place = f"doi = {{{paper.doi}}}" if paper.doi else f"url = {{{paper.url}}}"
    return f"@misc{{{paper.key},\n  note = {{{paper.text}}},\n  {place}\n}}"


@DATA.command()
def licences(_: Namespace) -> Result:
    """List licence and allowed uses of every entry.

    For example:
      datkit data licences
    """
    entries, keys = data.load_manifest().datasets, {"name", "access", "licence", "uses"}
    lines = []
    for entry in entries:
        lines.append(f"{entry.name}: {entry.licence.name}, {entry.licence.url}")
        lines += [f"  {use:11} {text}" for use, text in entry.uses]
    return Result(lines, [entry.model_dump(mode="json", include=keys) for entry in entries])


@DATA.command(
    arg("path", type=Path, metavar="PATH", help="a folder, or one file"),
    arg("--verdict", action="store_true", help="prepare each exam too: is it a sound DaT exam?"),
    READING,
)
def check(args: Namespace) -> Result:
    """Open exams and list all that is wrong with their files, or with the images too.

    PATH is a folder in the challenge's layout, a BIDS tree, a download of PPMI, a folder of NIfTI
    or DICOM, or one file. What --orientation and --repair settle is no problem then. The exit code
    is 1 if there is any problem, with --verdict also if there is a reason to look at an exam.

    For example:
      datkit data check my_exams
      datkit data check my_exams --orientation LAS    # headers do not tell left from right
      datkit data check my_exams --verdict            # 0.2 s an exam more
    """
    lines = []
    try:
        cohort = open_exams(args.path, args)
        lines = [f"{uid:24} {cohort.path_of(uid)}" for uid in cohort if cohort.paths]
        said = f"no problem found in {len(cohort)} exam{'s' if len(cohort) > 1 else ''}"
        look = _find_reasons if args.verdict else None
        problems = data.find_problems(cohort, progress=not args.json, look=look)
    except CohortError as error:
        problems = [*problems_of(error, args.path)]
    lines += [*map(str, problems)] or [f"{args.path}: {said}"]
    records = [problem.to_dict() for problem in problems]
    return Result(lines, records, FINDINGS if problems else FINE)


def _find_reasons(uid: str, scan: Scan) -> list[Problem]:
    """Prepare an exam; return why to look at it, or why it could not be prepared."""
    from datkit.prepare import prepare_scan

    try:
        reasons: Iterable[Problem] = prepare_scan(scan).reasons
    except PrepareError as error:
        reasons = error.problems
    return [replace(reason, where=f"{uid}, {reason.where}") for reason in reasons]


def open_exams(path: Path, args: Namespace) -> data.Cohort:
    """Open exams, labelled or not; say beside the result what lies in the folder that is none."""
    told = reading(args)
    cohort = replace(data.open_path(path, require_labels=False), reading=told)
    if cohort.left_out:
        kinds = ", ".join(f"{count} {kind}" for kind, count in cohort.left_out.items())
        note(f"Left out of {cohort.folder}, since no exam: {kinds}.")
    return cohort


def prepare_exams(path: Path, args: Namespace) -> tuple[data.Cohort, PreparedCohort, int]:
    """Prepare exams, complain of those that cannot be, and return the exit code too."""
    from datkit.prepare.cohort import prepare_cohort

    cohort, scheduler = open_exams(path, args), vars(args).get("scheduler")
    how = {"n_jobs": args.jobs, "progress": not args.json, "scheduler": scheduler}
    prepared = prepare_cohort(cohort, **how)
    return cohort, prepared, tell_all(prepared.failures)


@DATA.command(_DESCRIBED, _OUT)
def croissant(args: Namespace) -> Result:
    """Describe an entry or a cohort as MLCommons Croissant.

    For example:
      datkit data croissant ppmi --out croissant.json
      datkit data croissant cohort
    """
    described = _describe(args.name, data.croissant_of_entry, data.croissant_of_cohort)
    return _save(args, to_json(described), described)


@DATA.command(_DESCRIBED, _OUT)
def card(args: Namespace) -> Result:
    """Write the data card of an entry or a cohort.

    For example:
      datkit data card ppmi --out card.md
      datkit data card cohort
    """
    card = _describe(args.name, data.card_of_entry, data.card_of_cohort)
    return _save(args, str(card).rstrip(), card.to_dict())


def _describe(
    name: str, of_entry: Callable[[data.Entry], T], of_cohort: Callable[[data.Cohort], T]
) -> T:
    manifest = data.load_manifest()
    if name in manifest.entries or not (name and Path(name).is_dir()):
        return of_entry(manifest.entry(name))
    return of_cohort(data.open_path(name, require_labels=False))


def _save(args: Namespace, text: str, described: object) -> Result:
    """Show a text or, with ``--out``, write it to a file; ``--json`` chooses the data instead."""
    if args.out is None:
        return Result(text.split("\n"), described)
    with replace_atomically(args.out) as part:
        content = shown(f"{to_json(described) if args.json else text}\n", "\n")
        part.write_text(content, encoding="utf-8", errors="backslashreplace")
    note(f"Written: {args.out}")
    return Result([], {"file": str(args.out)})
