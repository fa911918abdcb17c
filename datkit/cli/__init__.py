"""`datkit …`: one thin verb for each room of the package.

Exit codes: 0 fine, 1 findings (bad data, problems found), 2 wrong use. Results go to standard
output, all else to standard error, so that ``--json`` can be piped.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datkit.cli.data import add_data
from datkit.cli.parts import (
    FINDINGS,
    FINE,
    INTERRUPTED,
    NOT_CLINICAL,
    WRONG_USE,
    add_verb,
    complain,
    print_json,
)
from datkit.errors import DatkitError, UsageError

SIZE, SEED = "small", 2026
_SIMULATE_HELP = """\
size    exams                                  two cores    disk
tiny    24                                     1 min        15 MB
small   200                                    5 min        100 MB
full    1400, and two test sets of 400 each    50 min       1.1 GB

The same seed gives the same bytes. An interrupted run goes on when it is started again.
Each process computes on one core and takes up to 1 GB of memory.

examples:
  datkit simulate --size tiny --out cohort
  datkit simulate --uid sim-2026-0003 --out volumes    the same bytes as in the cohort
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, such as ``["data", "list", "--json"]``, and return its exit code."""
    args = _parser().parse_args(arguments)
    try:
        return args.run(args)
    except UsageError as error:
        return complain(error, WRONG_USE)
    except DatkitError as error:
        return complain(error, FINDINGS)
    except OSError as error:  # a full disk, a folder that may not be written to
        place = f"{error.filename}: " if error.filename else ""
        return complain(
            f"{place}{error.strerror or error}; free or choose another place.", FINDINGS
        )
    except KeyboardInterrupt:
        return complain(
            "Stopped; what was complete is kept, nothing half-written stands in its place.",
            INTERRUPTED,
        )


# ---------------------------------------------------------------- datkit simulate, datkit measure


def _simulate(args: argparse.Namespace) -> int:
    if args.uid:
        return _simulate_one(args)
    from datkit.cohort import open_folder
    from datkit.simulate.cohort import TEST_SETS, open_simulated, simulate_cohort

    size, seed = args.size or SIZE, SEED if args.seed is None else args.seed
    make = functools.partial(simulate_cohort, args.out) if args.out else open_simulated
    cohort = make(size=size, seed=seed, n_jobs=args.jobs, progress=not args.json)
    tests = {name: cohort.folder / f"{name}_test" for name in TEST_SETS if size == "full"}
    sets = {"train": cohort} | {name: open_folder(folder) for name, folder in tests.items()}
    rows = {name: _counts(one) for name, one in sets.items()}
    if args.json:
        print_json(rows.pop("train") | {"test_sets": rows})
    for row in [] if args.json else rows.values():
        print("{exams} simulated exams, {abnormal} read as abnormal: {folder}".format(**row))
    return FINE


def _counts(cohort: Any) -> dict[str, Any]:
    abnormal = int((cohort.labels == 1).sum())
    return {"folder": str(cohort.folder), "exams": len(cohort), "abnormal": abnormal}


def _simulate_one(args: argparse.Namespace) -> int:
    extra = [f"--{name}" for name in ("size", "seed", "jobs") if getattr(args, name) is not None]
    if extra:
        raise UsageError(
            f"Expected --uid with --out only, since a uid names the seed and the exam; found "
            f"{' and '.join(extra)}; leave them out, or leave out --uid to make a cohort."
        )
    from datkit.simulate.cohort import simulate_volume

    path, exam = simulate_volume(args.uid, args.out or Path())
    if args.json:
        rows = {"label": exam.label, "exam": exam.exam, "truth": exam.truth}
        print_json({"uid": exam.uid, "file": str(path)} | rows)
    else:
        called = "abnormal" if exam.label else "normal"
        print(f"{exam.uid}, {exam.exam['centre']}, read as {called}: {path}")
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
        print_json({"measures": rows, "failures": failures, "note": NOT_CLINICAL})
    else:
        _print_measures(rows)
    for failure in failures:
        complain(failure, FINDINGS)
    return FINDINGS if failures else FINE


def _print_measures(rows: dict[str, dict[str, float]]) -> None:
    for path, values in rows.items():
        print(path)
        for name, value in values.items():
            print(f"  {name:28} {value:8.2f}{' %' if name.endswith('asymmetry') else ''}")
    if rows:
        print(f"Binding ratios have no unit; their reference is occipital. {NOT_CLINICAL}")


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
        print_json(report.to_dict())
    else:
        print(report)
    return FINDINGS if report.problems else FINE


def _report(result: Any, as_json: bool, text: str) -> None:
    print_json(result.to_dict()) if as_json else print(text)


def _report_problems(problems: list[Any], as_json: bool, fine: str) -> int:
    if as_json:
        print_json([problem.to_dict() for problem in problems])
    else:
        print("\n".join(str(problem) for problem in problems) or fine)
    return FINDINGS if problems else FINE


# ---------------------------------------------------------------- the words after `datkit`


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="datkit",
        description=f"Learn and benchmark dopamine-transporter (DaT) SPECT. {NOT_CLINICAL}",
        epilog="First steps: datkit data list; datkit simulate --size tiny --out cohort; "
        "datkit measure cohort/niftis/*.nii.gz. Exit codes: 0 fine, 1 findings, 2 wrong use.",
    )
    from datkit import __version__

    parser.add_argument("--version", action="version", version=f"datkit {__version__}")
    verbs = parser.add_subparsers(metavar="COMMAND", required=True)
    add_data(verbs)
    _add_simulate(verbs)
    measure = add_verb(
        verbs, "measure", _measure, "binding ratios and asymmetry of one or more scans"
    )
    measure.add_argument(
        "scans", type=Path, nargs="+", metavar="SCAN", help="a .nii or .nii.gz file"
    )
    _add_submit(verbs)
    return parser


def _add_simulate(verbs: Any) -> None:
    simulate = add_verb(
        verbs, "simulate", _simulate, "make the simulated cohort, or one exam of it"
    )
    simulate.formatter_class = argparse.RawDescriptionHelpFormatter
    simulate.epilog = _SIMULATE_HELP
    simulate.add_argument("--size", choices=["tiny", "small", "full"], help=f"default: {SIZE}")
    simulate.add_argument("--seed", type=int, metavar="S", help=f"0 or more; default: {SEED}")
    simulate.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="default: the data folder; with --uid, the present one",
    )
    simulate.add_argument("--jobs", type=int, metavar="N", help="processes; default: one a core")
    simulate.add_argument("--uid", metavar="UID", help="make this exam's volume alone")


def _add_submit(verbs: Any) -> None:
    submit = verbs.add_parser("submit", help="pack, check and run a challenge submission")
    actions = submit.add_subparsers(metavar="ACTION", required=True)
    pack = add_verb(
        actions, "pack", _submit_pack, "make submission.zip from a folder of trained models"
    )
    pack.add_argument(
        "models", type=Path, metavar="MODELS", help="written by the baseline notebook"
    )
    pack.add_argument("--out", type=Path, default=Path("submission.zip"), metavar="ZIP")
    check = add_verb(actions, "check", _submit_check, "list every problem of a submission.zip")
    check.add_argument("zip", type=Path, metavar="ZIP")
    run = add_verb(
        actions, "run", _submit_run, "run a submission.zip in a replica of the challenge"
    )
    run.add_argument("zip", type=Path, metavar="ZIP")
    run.add_argument(
        "--cohort", type=Path, required=True, metavar="FOLDER", help="exams to predict"
    )
    run.add_argument("--exams", type=int, default=20, metavar="N", help="how many; default: 20")
