"""Pack, check and run a challenge submission.

first steps:
  datkit submit pack models --out submission.zip
  datkit submit check submission.zip
  datkit submit run submission.zip --cohort cohort
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from datkit.cli.command import CODE, FINDINGS, FINE, Group, Result, arg, findings

SUBMIT = Group(__doc__)
_ZIP = arg("zip", type=Path, metavar="ZIP", help="the submission")
_LEVELS = ["docker", "bubblewrap", "plain"]
_ISOLATION = arg("--isolation", choices=_LEVELS, help="default: a sandbox that works here")


@SUBMIT.command(
    arg("models", type=Path, nargs="+", metavar="MODELS", help="a model, or a folder of models"),
    arg("--prior", type=float, metavar="P", help="default: that of prior.json"),
    arg("--licence", default="MIT", metavar="NAME", help="of the weights; MIT"),
    arg("--out", type=Path, default=Path("submission.zip"), metavar="ZIP", help="to be written"),
    CODE,
)
def pack(args: Namespace) -> Result:
    """Make submission.zip from folders of trained models.

    They are what 'datkit train' and the baseline notebook write. The file of a model of your own
    goes into the zip, too.

    For example:
      datkit submit pack models
      datkit submit pack mine --code my_model.py
      datkit submit pack measures volume --prior 0.5 --out submission.zip
    """
    from datkit.models.own import run_file
    from datkit.provenance.record import record
    from datkit.submit.pack import pack_submission

    for file in args.code:
        run_file(file)
    packed = pack_submission(args.models, args.out, prior=args.prior, licence=args.licence)
    chosen = {"prior": packed.prior, "licence": args.licence}
    record(packed.path, "submission", inputs=args.models, settings=chosen)
    said = f"{packed.path} ({packed.size / 1e6:.2f} MB), next: datkit submit check {packed.path}"
    return Result([said], packed.to_dict())


@SUBMIT.command(
    _ZIP,
    arg("--cohort", type=Path, metavar="FOLDER", help="run it as well, on its exams"),
    _ISOLATION,
    arg("--html", type="page", metavar="FILE", help="write the findings as a page too"),
)
def check(args: Namespace) -> Result:
    """List every problem of a submission.zip.

    The archive is read; with --cohort it is run as well, a dozen times in a sandbox: for the same
    bytes, in another order, exam by exam, on a late mount, beside damaged exams, under other uids.
    An error makes the platform refuse it, or breaks a rule; a warning may be right: look at it. The
    book explains each code. The page is one HTML file that opens offline. Where neither
    Docker nor bubblewrap works, nothing is run; --isolation plain runs code of your own without a
    sandbox.

    exit codes:
      0    no error; there may be warnings
      1    one error or more
      2    wrong use, such as a file that is not there

    For example:
      datkit submit check submission.zip
      datkit submit check submission.zip --html findings.html
      datkit submit check submission.zip --cohort cohort    # some minutes
      datkit submit check submission.zip --json             # a list, for scripts
    """
    from datkit.inspect.findings import next_step, write_findings
    from datkit.inspect.submission import check_submission

    if args.cohort:
        from datkit.replica.run import SCENARIO_EXAMS, run_submission

        how = {"isolation": args.isolation, "progress": not args.json}
        problems = run_submission(
            args.zip, args.cohort, exams=SCENARIO_EXAMS, scenarios=True, **how
        ).problems
    else:
        problems = check_submission(args.zip)
    if args.html:
        write_findings(problems, args.zip, args.html)
    return findings(args.zip, problems, "", next_step(problems))


@SUBMIT.command(
    _ZIP,
    arg("--cohort", type=Path, required=True, metavar="FOLDER", help="exams to predict"),
    arg("--exams", type=int, default=20, metavar="N", help="how many; default: 20"),
    _ISOLATION,
    arg("--scenarios", "--trials", action="store_true", help="twelve times more, each otherwise"),
)
def run(args: Namespace) -> Result:
    """Run a submission.zip in a replica of the challenge.

    Docker or bubblewrap holds code that means harm; where neither works, nothing is run. For code
    of your own, --isolation plain runs it without a sandbox.

    For example:
      datkit submit run submission.zip --cohort cohort
      datkit submit run submission.zip --cohort cohort --exams 4 --isolation plain
      datkit submit run submission.zip --cohort cohort --scenarios    # some minutes
    """
    from datkit.replica.run import run_submission

    how = {name: vars(args)[name] for name in ("exams", "isolation", "scenarios")}
    report = run_submission(args.zip, args.cohort, **how)
    return Result(str(report).split("\n"), report.to_dict(), FINE if report.ok else FINDINGS)


@SUBMIT.command(
    arg("predictions", type=Path, metavar="CSV", help="a submission.csv"),
    arg("--cohort", type=Path, required=True, metavar="FOLDER", help="exams with labels"),
)
def score(args: Namespace) -> Result:
    """Print the log loss of a submission.csv, as the challenge's.

    For example:
      datkit submit score submission.csv --cohort cohort
    """
    from datkit.data.folder import open_folder
    from datkit.submit.score import score_submission

    found = score_submission(args.predictions, open_folder(args.cohort))
    return Result([f"log loss {found['log_loss']:.6f} over {found['exams']} exams"], found)
