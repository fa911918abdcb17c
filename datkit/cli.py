"""`datkit …`: one thin verb for each room of the package.

Exit codes: 0 fine, 1 findings (bad data, problems found), 2 wrong use. Results go to standard
output, all else to standard error, so that ``--json`` can be piped.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from datkit.errors import DatkitError, UsageError

FINE, FINDINGS, WRONG_USE, INTERRUPTED = 0, 1, 2, 130
SIZE, SEED = "small", 2026
_NOT_CLINICAL = "For education and research, not for diagnosis."
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
_PREPARE_HELP = """\
Every volume is registered to the DaT template, resampled once onto one grid of 64 x 80 x 48 voxels
of 2 mm, and scaled so that non-specific uptake is 1. The result is kept in the data folder:
volumes.npy, one row an exam, and prepared.json, the quality of each. An exam that cannot be
prepared does not stop the others. An interrupted run goes on when it is started again.
The result is the same to the last bit on any number of processes or machines.

examples:
  datkit prepare cohort                       on every core
  datkit prepare cohort --jobs 4
  datkit prepare cohort --scheduler tcp://node1:8786
                                              on a Dask cluster that sees the folder under the same
                                              path; pip install 'dat-spect-kit[cluster]' everywhere,
                                              dask scheduler, then dask worker tcp://node1:8786
"""


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


# ---------------------------------------------------------------- datkit simulate, prepare, measure


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
        _print_json(rows.pop("train") | {"test_sets": rows})
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
        _print_json({"uid": exam.uid, "file": str(path)} | rows)
    else:
        called = "abnormal" if exam.label else "normal"
        print(f"{exam.uid}, {exam.exam['centre']}, read as {called}: {path}")
    return FINE


def _prepare(args: argparse.Namespace) -> int:
    from datkit.cohort import open_folder
    from datkit.prepare import prepare_cohort

    cohort = open_folder(args.folder, require_labels=False)
    prepared = prepare_cohort(
        cohort, n_jobs=args.jobs, scheduler=args.scheduler, progress=not args.json
    )
    look = {uid: text for uid, text in prepared.table["verdict"].items() if text != "good"}
    folder = str(Path(prepared.volumes.filename).parent)
    if args.json:
        _print_json({"folder": folder, "exams": len(prepared), "look_at": look,
                     "failures": prepared.failures})  # fmt: skip
    else:
        print("".join(f"{uid}: {text}\n" for uid, text in look.items()), end="")
        print(f"{len(prepared)} exams prepared, {len(look)} to look at: {folder}")
    for failure in prepared.failures.values():
        _complain(failure, FINDINGS)
    return FINDINGS if prepared.failures else FINE


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
    _add_prepare(verbs)
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
    simulate = _verb(verbs, "simulate", _simulate, "make the simulated cohort, or one exam of it")
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


def _add_prepare(verbs: Any) -> None:
    prepare = _verb(verbs, "prepare", _prepare, "bring a cohort's exams into one place and scale")
    prepare.formatter_class = argparse.RawDescriptionHelpFormatter
    prepare.epilog = _PREPARE_HELP
    prepare.add_argument(
        "folder", type=Path, metavar="FOLDER", help="a cohort: its volumes lie in niftis/"
    )
    prepare.add_argument("--jobs", type=int, metavar="N", help="processes; default: one a core")
    prepare.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster to work instead")


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
