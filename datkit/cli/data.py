"""`datkit data …`: what data there are, under which terms, and where they lie."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from datkit.cli.parts import FINDINGS, FINE, add_verb, note, print_json

_ABOUT = """\
What data there are, whose they are, what they may be used for, and whether the
bytes on this machine are the promised ones. Terms are shown before a download.
"""
_HELP = """\
first steps:
  datkit data list                 which data, under which licence
  datkit data fetch fpcit-hc174    a real map of 1.1 MB, hashed on arrival
  datkit data check FOLDER         your own exams: all that is wrong, at once

variables:
  DATKIT_DATA      where data are kept, instead of the user's cache folder
  DATKIT_MIRROR    a folder or address with the files by name, tried first
  DATKIT_OFFLINE   1: never use the network
  HTTPS_PROXY, HTTP_PROXY, NO_PROXY as everywhere
"""


def add_data(verbs: Any) -> None:
    """Add `datkit data` and its actions."""
    data = verbs.add_parser("data", help="what data there are; fetch, verify and cite them")
    data.formatter_class = argparse.RawDescriptionHelpFormatter
    data.description, data.epilog = _ABOUT, _HELP
    actions = data.add_subparsers(metavar="ACTION", required=True)

    def add(name: str, run: Any, text: str, example: str) -> argparse.ArgumentParser:
        return add_verb(actions, name, run, text, f"data {name} {example}".strip())

    add("list", _list, "every entry with its access and licence, and sets to avoid", "")
    _named(add("show", _show, "all that the manifest says of an entry", "ppmi"))
    text = "show an entry's terms, download its files and verify them"
    fetch = _named(add("fetch", _fetch, text, "fpcit-hc174"))
    fetch.add_argument("--offline", action="store_true", default=None, help="use no network")
    _named(add("verify", _verify, "hash the files that were fetched", ""), optional=True)
    text = "the folder where data, or one entry, are kept"
    _named(add("where", _where, text, "ppmi"), optional=True)
    cite = _named(add("cite", _cite, "what to cite when you use an entry", "cit168 --bibtex"))
    cite.add_argument("--bibtex", action="store_true", help="as BibTeX records")
    add("licences", _licences, "licence and allowed uses of every entry", "")
    check = add("check", _check, "open exams and list all that is wrong with them", "my_exams")
    check.add_argument(
        "path",
        type=Path,
        metavar="PATH",
        help="a folder in the challenge's layout, a BIDS tree, a download of PPMI, a folder of "
        "NIfTI or DICOM, or one file",
    )
    for name, run, text in (
        ("croissant", _croissant, "describe an entry or a cohort as MLCommons Croissant"),
        ("card", _card, "write the data card of an entry or a cohort"),
    ):
        verb = add(name, run, text, f"ppmi --out {name}.{'json' if run is _croissant else 'md'}")
        verb.add_argument("name", metavar="NAME|FOLDER", help="an entry, or a cohort's folder")
        verb.add_argument("--out", type=Path, metavar="FILE", help="default: standard output")


def _named(parser: argparse.ArgumentParser, optional: bool = False) -> argparse.ArgumentParser:
    words = {"nargs": "?", "help": "one entry only"} if optional else {}
    parser.add_argument(
        "name", metavar="NAME", **({"help": "an entry of 'datkit data list'"} | words)
    )
    return parser


def _list(args: argparse.Namespace) -> int:
    from datkit.data import load_manifest

    manifest = load_manifest()
    if args.json:
        print_json([entry.to_dict() for entry in manifest.datasets])
        return FINE
    for entry in manifest.datasets:
        print(f"{entry.name:22} {entry.access:12} {entry.licence.spdx or entry.licence.name}")
        print(f"{'':22} {entry.title}")
    print("\nStay away from:")
    for one in manifest.avoid:
        print(f"  {one.name} ({one.where}): {one.reason}")
    print("\nNext: 'datkit data show NAME', 'datkit data fetch NAME'.")
    return FINE


def _show(args: argparse.Namespace) -> int:
    from datkit.data import load_manifest

    entry = load_manifest().entry(args.name)
    if args.json:
        print_json(entry.to_dict())
    else:
        import yaml

        print(yaml.safe_dump(entry.to_dict(), sort_keys=False, allow_unicode=True, width=100))
    return FINE


def _fetch(args: argparse.Namespace) -> int:
    from datkit.data import fetch

    paths = fetch(args.name, progress=not args.json, offline=args.offline, notify=note)
    if args.json:
        print_json({"name": args.name, "files": [str(path) for path in paths]})
    else:
        print("".join(f"{path}\n" for path in paths), end="")
    return FINE


def _verify(args: argparse.Namespace) -> int:
    from datkit.data import verify

    checks = verify(args.name)
    # A file that nobody fetched is no finding, unless its entry was asked for by name.
    bad = {"damaged", "missing"} if args.name else {"damaged"}
    wrong = [check for check in checks if check.state in bad]
    if args.json:
        print_json([check.to_dict() for check in checks])
        return FINDINGS if wrong else FINE
    for check in checks:
        print(f"{check.state:8} {check.name:22} {check.path}")
    for name in dict.fromkeys(check.name for check in wrong):
        note(f"Next: 'datkit data fetch {name}'.")
    if not checks:
        note(f"{args.name} has no files to verify; 'datkit data show {args.name}' tells why.")
    return FINDINGS if wrong else FINE


def _where(args: argparse.Namespace) -> int:
    from datkit.data import where
    from datkit.files import data_folder

    folder = where(args.name) if args.name else data_folder()
    print_json({"folder": str(folder)}) if args.json else print(folder)
    return FINE


def _cite(args: argparse.Namespace) -> int:
    from datkit.data import load_manifest

    papers = load_manifest().entry(args.name).citations
    if args.json:
        print_json([paper.model_dump(mode="json") for paper in papers])
    for paper in [] if args.json else papers:
        print(_bibtex(paper) if args.bibtex else f"{paper.text} {paper.link}")
    return FINE


def _bibtex(paper: Any) -> str:
    place = f"doi = {{{paper.doi}}}" if paper.doi else f"url = {{{paper.url}}}"
    return f"@misc{{{paper.key},\n  note = {{{paper.text}}},\n  {place}\n}}"


def _licences(args: argparse.Namespace) -> int:
    from datkit.data import load_manifest

    entries = load_manifest().datasets
    if args.json:
        keys = {"name", "access", "licence", "uses"}
        print_json([entry.model_dump(mode="json", include=keys) for entry in entries])
    for entry in [] if args.json else entries:
        print(f"{entry.name}: {entry.licence.name}, {entry.licence.url}")
        for use, text in entry.uses:
            print(f"  {use:11} {text}")
    return FINE


def _check(args: argparse.Namespace) -> int:
    from datkit.data import find_problems, open_path
    from datkit.errors import CohortError

    said = f"{args.path}: no problem found"
    try:
        cohort = open_path(args.path, require_labels=False)
        said += f" in {len(cohort)} exam{'s' if len(cohort) > 1 else ''}"
        problems = find_problems(cohort, progress=not args.json)
    except CohortError as error:
        problems = list(error.problems) or [str(error)]
    if args.json:
        print_json(problems)
    else:
        print("\n".join(problems) or said)
    return FINDINGS if problems else FINE


def _croissant(args: argparse.Namespace) -> int:
    from datkit.data.croissant import croissant_of_cohort, croissant_of_entry

    described = _describe(args.name, croissant_of_entry, croissant_of_cohort)
    return _write(json.dumps(described, indent=1, ensure_ascii=False) + "\n", args.out)


def _card(args: argparse.Namespace) -> int:
    from datkit.data.card import card_of_cohort, card_of_entry

    return _write(_describe(args.name, card_of_entry, card_of_cohort), args.out)


def _describe(name: str, of_entry: Any, of_cohort: Any) -> Any:
    from datkit.data import load_manifest

    manifest = load_manifest()
    if name in manifest.entries or not Path(name).is_dir():
        return of_entry(manifest.entry(name))
    from datkit.data import open_path

    return of_cohort(open_path(name, require_labels=False))


def _write(text: str, path: Path | None) -> int:
    from datkit.files import replace_atomically

    if path is None:
        print(text, end="")
        return FINE
    with replace_atomically(path) as part:
        part.write_text(text, encoding="utf-8")
    note(f"Written: {path}")
    return FINE
