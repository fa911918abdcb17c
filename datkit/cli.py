"""`datkit …`: one thin verb for each room of the package.

Exit codes: 0 fine, 1 findings (bad data, problems found), 2 wrong use. Results go to standard
output, all else to standard error, so that ``--json`` can be piped.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from datkit.errors import DatkitError, UsageError

FINE, FINDINGS, WRONG_USE, INTERRUPTED = 0, 1, 2, 130
_NOT_CLINICAL = "For education and research, not for diagnosis."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, such as ``["data", "list", "--json"]``, and return its exit code."""
    args = _parser().parse_args(arguments)
    try:
        return args.run(args)
    except UsageError as error:
        return _complain(error, WRONG_USE)
    except DatkitError as error:
        return _complain(error, FINDINGS)
    except OSError as error:  # a full disk, a folder that may not be written to
        place = f"{error.filename}: " if error.filename else ""
        return _complain(
            f"{place}{error.strerror or error}; free or choose another place.", FINDINGS
        )
    except KeyboardInterrupt:
        return _complain("Stopped; nothing half-written was left behind.", INTERRUPTED)


def _complain(message: object, code: int) -> int:
    print(f"datkit: {message}", file=sys.stderr)
    return code


def _note(message: str) -> None:
    print(message, file=sys.stderr)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, ensure_ascii=False))


# ---------------------------------------------------------------- datkit data


def _data_list(args: argparse.Namespace) -> int:
    from datkit.manifest import load_manifest

    entries = list(load_manifest().entries.values())
    if args.json:
        _print_json([entry.model_dump(mode="json") for entry in entries])
        return FINE
    for entry in entries:
        print(f"{entry.name:14} {entry.access:12} {entry.licence.name}")
        print(f"{'':14} {entry.title}")
    print("\nFetch one with 'datkit data fetch NAME'.")
    return FINE


def _data_fetch(args: argparse.Namespace) -> int:
    from datkit.fetch import fetch

    paths = fetch(args.name, progress=not args.json, notify=_note)
    if args.json:
        _print_json({"name": args.name, "files": [str(path) for path in paths]})
    else:
        print("".join(f"{path}\n" for path in paths), end="")
    return FINE


def _data_verify(args: argparse.Namespace) -> int:
    from datkit.fetch import verify
    from datkit.manifest import load_manifest

    names = [args.name] if args.name else list(load_manifest().entries)
    checks = [check for name in names for check in verify(name)]
    if args.json:
        _print_json([check.to_dict() for check in checks])
    for check in [] if args.json else checks:
        print(f"{check.state:8} {check.path}")
    # A file that nobody fetched is no finding, unless its entry was asked for by name.
    bad = {"damaged", "missing"} if args.name else {"damaged"}
    return FINDINGS if any(check.state in bad for check in checks) else FINE


# ---------------------------------------------------------------- datkit simulate, datkit measure


def _simulate(args: argparse.Namespace) -> int:
    from datkit.simulate.cohort import open_simulated, simulate_cohort

    if args.out:
        cohort = simulate_cohort(args.out, size=args.size, seed=args.seed, n_jobs=args.jobs)
    else:
        cohort = open_simulated(args.size, args.seed)
    abnormal = int((cohort.labels == 1).sum())
    if args.json:
        _print_json({"folder": str(cohort.folder), "exams": len(cohort), "abnormal": abnormal})
    else:
        print(f"{len(cohort)} simulated exams, {abnormal} read as abnormal: {cohort.folder}")
    return FINE


def _measure(args: argparse.Namespace) -> int:
    from datkit.measure import measure_scan

    rows, failures = {}, []
    for path in args.scans:
        try:
            rows[str(path)] = measure_scan(path)
        except UsageError:
            raise
        except DatkitError as error:  # one bad file never hides the others
            failures.append(str(error))
    if args.json:
        _print_json({"measures": rows, "failures": failures, "note": _NOT_CLINICAL})
    else:
        _print_measures(rows)
    for failure in failures:
        _complain(failure, FINDINGS)
    return FINDINGS if failures else FINE


def _print_measures(rows: dict[str, dict[str, float]]) -> None:
    for path, values in rows.items():
        print(path)
        for name, value in values.items():
            print(f"  {name:28} {value:8.2f}{' %' if name.endswith('asymmetry') else ''}")
    if rows:
        print(f"Binding ratios have no unit; their reference is occipital. {_NOT_CLINICAL}")


# ---------------------------------------------------------------- datkit submit


def _submit_pack(args: argparse.Namespace) -> int:
    from datkit.submit.pack import pack_submission

    packed = pack_submission(args.models, args.out)
    _report(
        packed, args.json, f"{packed.path} ({packed.size / 1e6:.2f} MB), next: datkit submit check"
    )
    return FINE


def _submit_check(args: argparse.Namespace) -> int:
    from datkit.submit.check import check_submission

    problems = check_submission(args.zip)
    return _report_problems(problems, args.json, f"{args.zip}: no problem found")


def _submit_run(args: argparse.Namespace) -> int:
    from datkit.submit.run import run_submission

    report = run_submission(args.zip, args.cohort, exams=args.exams)
    if args.json:
        _print_json(report.to_dict())
    else:
        print(report)
    return FINDINGS if report.problems else FINE


def _report(result: Any, as_json: bool, text: str) -> None:
    _print_json(result.to_dict()) if as_json else print(text)


def _report_problems(problems: list[Any], as_json: bool, fine: str) -> int:
    if as_json:
        _print_json([problem.to_dict() for problem in problems])
    else:
        print("\n".join(str(problem) for problem in problems) or fine)
    return FINDINGS if problems else FINE


# ---------------------------------------------------------------- the words after `datkit`


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="datkit",
        description=f"Learn and benchmark dopamine-transporter (DaT) SPECT. {_NOT_CLINICAL}",
        epilog="First steps: datkit data list; datkit simulate --size tiny --out cohort; "
        "datkit measure cohort/niftis/*.nii.gz. Exit codes: 0 fine, 1 findings, 2 wrong use.",
    )
    from datkit import __version__

    parser.add_argument("--version", action="version", version=f"datkit {__version__}")
    verbs = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_data(verbs)
    _add_simulate(verbs)
    measure = _verb(verbs, "measure", _measure, "binding ratios and asymmetry of one or more scans")
    measure.add_argument(
        "scans", type=Path, nargs="+", metavar="SCAN", help="a .nii or .nii.gz file"
    )
    _add_submit(verbs)
    return parser


def _verb(
    verbs: Any, name: str, run: Callable[[argparse.Namespace], int], text: str
) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    verb.add_argument("--json", action="store_true", help="print the result as JSON")
    verb.set_defaults(run=run)
    return verb


def _add_data(verbs: Any) -> None:
    data = verbs.add_parser("data", help="what data there is; fetch and verify it")
    actions = data.add_subparsers(metavar="ACTION", required=True)
    _verb(actions, "list", _data_list, "every entry with its access and licence")
    fetch = _verb(actions, "fetch", _data_fetch, "download an entry's files and verify them")
    fetch.add_argument("name", metavar="NAME", help="an entry of 'datkit data list'")
    verify = _verb(actions, "verify", _data_verify, "hash the files that were fetched")
    verify.add_argument("name", nargs="?", metavar="NAME", help="one entry only")


def _add_simulate(verbs: Any) -> None:
    simulate = _verb(
        verbs, "simulate", _simulate, "make the simulated cohort (same seed, same bytes)"
    )
    simulate.add_argument(
        "--size", default="small", choices=["tiny", "small"], help="default: small"
    )
    simulate.add_argument("--seed", type=int, default=2026, help="default: 2026")
    simulate.add_argument("--out", type=Path, metavar="FOLDER", help="default: the data folder")
    simulate.add_argument("--jobs", type=int, metavar="N", help="processes; default: one a core")


def _add_submit(verbs: Any) -> None:
    submit = verbs.add_parser("submit", help="pack, check and run a challenge submission")
    actions = submit.add_subparsers(metavar="ACTION", required=True)
    pack = _verb(
        actions, "pack", _submit_pack, "make submission.zip from a folder of trained models"
    )
    pack.add_argument(
        "models", type=Path, metavar="MODELS", help="written by the baseline notebook"
    )
    pack.add_argument("--out", type=Path, default=Path("submission.zip"), metavar="ZIP")
    check = _verb(actions, "check", _submit_check, "list every problem of a submission.zip")
    check.add_argument("zip", type=Path, metavar="ZIP")
    run = _verb(actions, "run", _submit_run, "run a submission.zip in a replica of the challenge")
    run.add_argument("zip", type=Path, metavar="ZIP")
    run.add_argument(
        "--cohort", type=Path, required=True, metavar="FOLDER", help="exams to predict"
    )
    run.add_argument("--exams", type=int, default=20, metavar="N", help="how many; default: 20")


if __name__ == "__main__":
    sys.exit(main())
