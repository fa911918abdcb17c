"""`datkit …`: one thin verb for each room of the package.

Exit codes: 0 fine, 1 findings (bad data, problems found), 2 wrong use. Results go to standard
output, all else to standard error, so that ``--json`` can be piped.
"""

from __future__ import annotations

import argparse
import functools
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from datkit.data import Cohort
    from datkit.prepare import PreparedCohort

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
_REPORT_HELP = """\
The page is one HTML file: it opens offline, prints on A4, and holds no script. The same file gives
the same bytes. Measures stand beside the normal range once age and sex are given.

examples:
  datkit report scan.nii.gz                             writes scan_report.html
  datkit report scan.nii.gz --age 67 --sex F --out patient.html
  datkit report cohort/niftis/*.nii.gz --out reports    a bad scan does not stop the others
"""
_SHEET_HELP = """\
The sheet is one HTML file that opens offline: a thumbnail of every exam, left and right marked.
Exams that could not be prepared stand first with their reason, then those whose verdict says to
look at them, then the others by centre.

examples:
  datkit sheet cohort                                   writes sheet.html
  datkit sheet cohort --out quality.html --jobs 2
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
_CHECK_HELP = """\
The archive is read; with --cohort it is run as well, about ten times in a sandbox: for the same
bytes, in another order, exam by exam, on a late mount, beside damaged exams. An error makes the
platform refuse it, or breaks a rule; a warning may be right: look at it. The book explains each
code. The page is one HTML file that opens offline.

exit codes:
  0    no error; there may be warnings
  1    one error or more
  2    wrong use, such as a file that is not there

examples:
  datkit submit check submission.zip
  datkit submit check submission.zip --html findings.html
  datkit submit check submission.zip --cohort cohort    some minutes
  datkit submit check submission.zip --json           a list, for scripts
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, such as ``["data", "list", "--json"]``, and return its exit code."""
    args = _parser().parse_args(arguments)
    try:
        code = args.run(args)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # `datkit data list | head`: the reader has all that it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE
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


# ---------------------------------------------------------------- datkit simulate, prepare, measure


def _simulate(args: argparse.Namespace) -> int:
    if args.uid:
        return _simulate_one(args)
    from datkit.data import open_folder
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


def _prepare(args: argparse.Namespace) -> int:
    _, prepared = _prepared(args, scheduler=args.scheduler)
    look = {uid: text for uid, text in prepared.table["verdict"].items() if text != "good"}
    folder = str(Path(prepared.volumes.filename).parent)
    if args.json:
        print_json({"folder": folder, "exams": len(prepared), "look_at": look,
                     "failures": prepared.failures})  # fmt: skip
    else:
        print("".join(f"{uid}: {text}\n" for uid, text in look.items()), end="")
        print(f"{len(prepared)} exams prepared, {len(look)} to look at: {folder}")
    return _tell_failures(prepared)


def _prepared(args: argparse.Namespace, **options: Any) -> tuple[Cohort, PreparedCohort]:
    """Open exams in any layout, labelled or not, and prepare them."""
    from datkit.data import open_path
    from datkit.prepare import prepare_cohort

    cohort = open_path(args.folder, require_labels=False)
    return cohort, prepare_cohort(cohort, n_jobs=args.jobs, progress=not args.json, **options)


def _tell_failures(prepared: PreparedCohort) -> int:
    for uid, reason in prepared.failures.items():
        complain(reason if uid in reason else f"{uid}: {reason}", FINDINGS)
    return FINDINGS if prepared.failures else FINE


def _measure(args: argparse.Namespace) -> int:
    from datkit.measure import measure_scan

    rows, failures, code = _each_scan(args.scans, measure_scan)
    if args.json:
        print_json({"measures": rows, "failures": failures, "note": NOT_CLINICAL})
    else:
        _print_measures(rows)
    return code


def _each_scan(
    scans: list[Path], work: Callable[[Path], Any]
) -> tuple[dict[str, Any], list[str], int]:
    """Do something with each scan; one bad file never stops the others, it is complained of."""
    results, failures, code = {}, [], FINE
    for path in scans:
        try:
            results[str(path)] = work(path)
        except DatkitError as error:
            named = str(error) if str(path) in str(error) else f"{path}: {error}"
            failures.append(named)
            code = max(code, WRONG_USE if isinstance(error, UsageError) else FINDINGS)
            complain(named, code)
    return results, failures, code


def _print_measures(rows: dict[str, dict[str, float]]) -> None:
    from datkit.measure import UNITS

    for path, values in rows.items():
        print(path)
        for name, value in values.items():
            print(f"  {name:32} {value:8.2f} {UNITS[name]}".rstrip())
    if rows:
        print(f"Binding ratios have no unit; their reference is occipital. {NOT_CLINICAL}")


# ---------------------------------------------------------------- datkit report, datkit sheet


def _report(args: argparse.Namespace) -> int:
    from datkit.view.pages.report import report_name, write_report

    patient = {name: getattr(args, name) for name in ("age", "sex", "reconstruction")}
    one_file = args.out.suffix.lower() in (".html", ".htm")
    targets = {path: args.out if one_file else args.out / report_name(path) for path in args.scans}
    _check_targets(targets, [name for name in ("age", "sex") if patient[name] is not None])
    reports, failures, code = _each_scan(
        args.scans, lambda path: str(write_report(path, targets[path], **patient))
    )
    if args.json:
        print_json({"reports": reports, "failures": failures, "note": NOT_CLINICAL})
    else:
        print("".join(f"{path}\n" for path in reports.values()), end="")
    return code


def _check_targets(targets: dict[Path, Path], patient: list[str]) -> None:
    if patient and len(targets) > 1:
        raise UsageError(
            f"Expected one scan with --{' and --'.join(patient)}, which belong to one patient, "
            f"found {len(targets)}; make the reports one by one."
        )
    places = list(targets.values())
    if double := sorted({str(place) for place in places if places.count(place) > 1}):
        raise UsageError(
            f"Expected a place of its own for each report, found that {', '.join(double)} would "
            "hold several; let --out name a folder, or report on scans of one name one by one."
        )


def _sheet(args: argparse.Namespace) -> int:
    from datkit.view.pages.contact_sheet import write_contact_sheet

    cohort, prepared = _prepared(args)
    path = str(write_contact_sheet(prepared, args.out, cohort.name))
    look = prepared.table.index[prepared.table["verdict"] != "good"]
    if args.json:
        print_json({"sheet": path, "look_at": list(look), "failures": prepared.failures})
    else:
        print(path)
    return _tell_failures(prepared)


# ---------------------------------------------------------------- datkit submit


def _submit_pack(args: argparse.Namespace) -> int:
    from datkit.submit.pack import pack_submission

    packed = pack_submission(args.models, args.out, prior=args.prior, licence=args.licence)
    if args.json:
        print_json(packed.to_dict())
    else:
        print(f"{packed.path} ({packed.size / 1e6:.2f} MB), next: datkit submit check")
    return FINE


def _submit_check(args: argparse.Namespace) -> int:
    from datkit.inspect.findings import findings_table, next_step, write_findings
    from datkit.inspect.submission import check_submission

    problems = check_submission(args.zip)
    if args.cohort:
        from datkit.replica.scenarios import run_checks

        problems += run_checks(args.zip, args.cohort, progress=not args.json)
    if args.html:
        write_findings(problems, args.zip, args.html)
    if args.json:
        print_json([problem.to_dict() for problem in problems])
    else:
        table = findings_table(problems, shutil.get_terminal_size((100, 24)).columns)
        print(f"{args.zip}: {table}\n\n{next_step(problems)}")
    return FINDINGS if any(problem.is_error for problem in problems) else FINE


def _submit_run(args: argparse.Namespace) -> int:
    from datkit.replica.run import run_submission

    report = run_submission(args.zip, args.cohort, exams=args.exams, isolation=args.isolation)
    if args.trials:
        from datkit.replica.scenarios import run_checks

        found = run_checks(args.zip, args.cohort, isolation=args.isolation)
        report = replace(report, problems=[*dict.fromkeys([*report.problems, *found])])
    if args.json:
        print_json(report.to_dict())
    else:
        print(report)
    return FINE if report.ok else FINDINGS


def _submit_score(args: argparse.Namespace) -> int:
    from datkit.data import open_folder
    from datkit.submit.score import score_submission

    score = score_submission(args.predictions, open_folder(args.cohort))
    if args.json:
        print_json(score)
    else:
        print(f"log loss {score['log_loss']:.6f} over {score['exams']} exams")
    return FINE


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
    _add_prepare(verbs)
    measure = add_verb(
        verbs, "measure", _measure, "binding ratios and asymmetry of one or more scans"
    )
    measure.add_argument(
        "scans", type=Path, nargs="+", metavar="SCAN", help="a .nii or .nii.gz file"
    )
    _add_report(verbs)
    _add_sheet(verbs)
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


def _add_report(verbs: Any) -> None:
    report = add_verb(verbs, "report", _report, "one exam on one page: slices, measures, quality")
    report.formatter_class = argparse.RawDescriptionHelpFormatter
    report.epilog = _REPORT_HELP
    report.add_argument("scans", type=Path, nargs="+", metavar="SCAN", help="a .nii or .nii.gz")
    report.add_argument("--age", type=float, metavar="YEARS", help="for the normal range")
    report.add_argument("--sex", choices=["F", "M"], help="for the normal range")
    report.add_argument(
        "--reconstruction", metavar="NAME", help="compare with normals of this reconstruction"
    )
    report.add_argument(
        "--out",
        type=Path,
        default=Path(),
        metavar="PLACE",
        help="a folder, or for one scan a file that ends in .html; default: the present folder",
    )


def _add_sheet(verbs: Any) -> None:
    sheet = add_verb(verbs, "sheet", _sheet, "a cohort at a glance, the exams to look at first")
    sheet.formatter_class = argparse.RawDescriptionHelpFormatter
    sheet.epilog = _SHEET_HELP
    sheet.add_argument("folder", type=Path, metavar="FOLDER", help="exams in any layout")
    sheet.add_argument("--out", type=Path, default=Path("sheet.html"), metavar="FILE")
    sheet.add_argument("--jobs", type=int, metavar="N", help="processes; default: one a core")


def _add_prepare(verbs: Any) -> None:
    prepare = add_verb(
        verbs, "prepare", _prepare, "bring a cohort's exams into one place and scale"
    )
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
    pack = add_verb(
        actions, "pack", _submit_pack, "make submission.zip from folders of trained models"
    )
    pack.add_argument(
        "models",
        type=Path,
        nargs="+",
        metavar="MODELS",
        help="a model or a folder of models, as the baseline notebook writes it",
    )
    pack.add_argument("--prior", type=float, metavar="P", help="default: that of prior.json")
    pack.add_argument("--licence", default="MIT", metavar="NAME", help="of the weights; MIT")
    pack.add_argument("--out", type=Path, default=Path("submission.zip"), metavar="ZIP")
    check = add_verb(actions, "check", _submit_check, "list every problem of a submission.zip")
    check.formatter_class = argparse.RawDescriptionHelpFormatter
    check.epilog = _CHECK_HELP
    check.add_argument("zip", type=Path, metavar="ZIP")
    check.add_argument("--cohort", type=Path, metavar="FOLDER", help="run it as well, on its exams")
    check.add_argument("--html", type=Path, metavar="FILE", help="write the findings as a page too")
    run = add_verb(
        actions, "run", _submit_run, "run a submission.zip in a replica of the challenge"
    )
    run.add_argument("zip", type=Path, metavar="ZIP")
    run.add_argument(
        "--cohort", type=Path, required=True, metavar="FOLDER", help="exams to predict"
    )
    run.add_argument("--exams", type=int, default=20, metavar="N", help="how many; default: 20")
    run.add_argument(
        "--isolation",
        choices=["docker", "bubblewrap", "plain"],
        help="default: the strongest that works here",
    )
    run.add_argument(
        "--trials",
        action="store_true",
        help="run it again in another order, on a late mount, with hostile exams, …",
    )
    score = add_verb(
        actions, "score", _submit_score, "the log loss of a submission.csv, as the challenge's"
    )
    score.add_argument("predictions", type=Path, metavar="CSV")
    score.add_argument(
        "--cohort", type=Path, required=True, metavar="FOLDER", help="exams with labels"
    )
