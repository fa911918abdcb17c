"""Train over many hospitals without moving an exam.

first steps:
  datkit federated export fed-biomed --out plan
  datkit federated check plan/plan.py
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from datkit.cli.command import FINE, JOBS, Group, Result, arg, findings
from datkit.cli.data import READING, prepare_exams

FEDERATED = Group(__doc__)


@FEDERATED.command(
    arg("platform", choices=["fed-biomed"], help="Fed-BioMed 6.4.1"),
    arg("--out", type=Path, required=True, metavar="FOLDER", help="new, to be written"),
    arg("--cohort", type=Path, metavar="COHORT", help="labelled exams for hospitals' folders"),
    READING,
    JOBS,
)
def export(args: Namespace) -> Result:
    """Write a training plan for a platform that links real hospitals.

    FOLDER gets plan.py, a small 3-D network and how it reads exams and learns; experiment.py, which
    runs it; and a README that says how to put it on a node. With --cohort each centre of the
    exams, as exams.csv names them, gets a folder that a node can register; in practice each
    hospital does so with its own exams, and sends the folder to nobody. No node needs datkit.

    For example:
      datkit federated export fed-biomed --out plan
      datkit federated export fed-biomed --cohort our_exams --out here
    """
    from datkit.federated.fedbiomed import export_fed_biomed

    prepared, code = prepare_exams(args.cohort, args)[1:] if args.cohort else (None, FINE)
    written = [str(path) for path in export_fed_biomed(args.out, prepared)]
    return Result([*written, f"Next: read {args.out / 'README.md'}"], written, code)


@FEDERATED.command(arg("plan", type=Path, metavar="PLAN.py", help="of Fed-BioMed; it is not run"))
def check(args: Namespace) -> Result:
    """List every problem of a training plan for Fed-BioMed.

    The file is read, nothing of it runs: what Fed-BioMed 6.4 would refuse, and what a hospital
    should not let run beside its exams. No finding is no proof: read a plan before you approve it.

    For example:
      datkit federated check plan/plan.py
    """
    from datkit.federated.plan_rules import check_plan

    return findings(args.plan, check_plan(args.plan))
