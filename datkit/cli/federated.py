"""Train over many hospitals without moving an exam.

first steps:
  datkit federated train --cohort cohort --out model
  datkit federated export fed-biomed --out plan
  datkit federated check plan/plan.py
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from datkit import NOT_CLINICAL
from datkit.cli.command import FINE, JOBS, Group, Result, arg, findings, tell_all
from datkit.cli.data import READING, prepare_exams
from datkit.errors import UsageError

FEDERATED = Group(__doc__)


@FEDERATED.command(
    arg("--cohort", type=Path, required=True, metavar="COHORT", help="labelled, with centres"),
    arg("--out", type=Path, required=True, metavar="FOLDER", help="where the model goes"),
    arg("--strategy", default="fedavg", metavar="NAME", help="default: fedavg"),
    arg("--rounds", type=int, default=20, metavar="N", help="default: 20"),
    arg("--leave-out", action="append", default=[], metavar="CENTRE", help="unseen; repeatable"),
    arg("--seed", type=int, default=0, metavar="S", help="same exams and settings: same model"),
    READING,
    JOBS,
)
def train(args: Namespace) -> Result:
    """Train a network over a cohort's centres as if each were a hospital of its own.

    All runs in one process, to learn and to compare; each centre of exams.csv holds its own exams.
    Weights go out and come back, round by round, and their bytes are counted.

    strategy          what it does
    fedavg            the mean of all weights, by exams
    fedprox           the same, with hospitals pulled to the mean
    local-statistics  statistics of batch normalisation stay in each hospital

    FOLDER is a model as 'datkit train' writes it, for 'datkit predict'. That of local-statistics
    lacks what stays in the hospitals: with one centre left out, it takes the statistics of that
    centre's exams, without their labels, and is for that centre alone; else no folder is written.

    For example:
      datkit federated train --cohort cohort --out model
      datkit federated train --cohort cohort --leave-out centre-01 --strategy fedprox --out model
    """
    from datkit import federated
    from datkit.models import ProjectionClassifier, save_model
    from datkit.provenance.record import record
    from datkit.submit.pack import write_prior

    if args.out.exists():
        raise UsageError(f"Expected nothing at {args.out} yet, found it there; choose another.")
    cohort, prepared, code = prepare_exams(args.cohort, args)
    model = ProjectionClassifier(
        epochs=1, width=8, batch_size=8, learning_rate=1e-3, seed=args.seed
    )
    hospitals = federated.make_hospitals(prepared, model)
    if unknown := {*args.leave_out} - {hospital.name for hospital in hospitals}:
        raise UsageError(f"Expected centres of the cohort in --leave-out, found {sorted(unknown)}.")
    asked = [one for one in hospitals if one.name not in args.leave_out]
    found = federated.train_federated(model, asked, args.strategy, args.rounds)
    labels = [label for one in asked for label in one.labels]
    learnt = f"{args.rounds} rounds over {len(asked)} hospitals with {len(labels)} exams"
    crossed, loss = sum(one["bytes"] for one in found.history), found.history[-1]["loss"]
    lines = [f"{learnt}: training loss {loss:.3f}, {crossed:,} bytes sent and received."]
    tell_all({one.where: one for record in found.history for one in record["refused"]})
    trained, local = found.model, federated.STRATEGIES[args.strategy].local
    left_out = prepared.table["centre"].astype(str).isin(args.leave_out)
    if not local or len(args.leave_out) == 1:
        how = {"strategy": args.strategy, "hospitals": [one.name for one in asked],
               "left_out": args.leave_out, "rounds": args.rounds, "seed": args.seed}  # fmt: skip
        if local:
            trained = federated.adapt_statistics(trained, prepared.volumes[left_out.to_numpy()])
        card = {"exams": len(labels), "abnormal": int(sum(labels)), "cohort": cohort.name,
                "out_of_fold": None, "note": NOT_CLINICAL, "federated": how}  # fmt: skip
        save_model(trained, args.out, card)
        write_prior(args.out, labels)
        read = prepared.labels.notna() & ~left_out | local & left_out
        used = cohort.subset(read.index[read])
        record(args.out, "model", inputs=[prepared.folder], cohort=used, settings=how)
        lines.append(f"Saved: {args.out}")
    else:
        lines.append("No model is saved: leave out the one centre that it is for by --leave-out.")
    told = [{**one, "refused": [*map(str, one["refused"])]} for one in found.history]
    return Result([*lines, NOT_CLINICAL], {"bytes": crossed, "rounds": told}, code)


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
