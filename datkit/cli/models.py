"""`datkit train, predict`: models trained on a cohort, and what they say of exams."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from datkit import NOT_CLINICAL
from datkit.cli.command import CODE, FINE, JOBS, READING, Group, Result, arg, complain, reading
from datkit.cli.data import open_exams
from datkit.errors import DatkitError, UsageError
from datkit.files import replace_atomically

MODELS = Group("")
_OWN = "'NAME SETTING=VALUE …', or FILE.py:Class of your own"
_OVERWRITE = arg("--overwrite", action="store_true", help="replace what is there")


@MODELS.command(
    arg("--model", default="boosting", metavar="NAME", help=f"or {_OWN}; default: boosting"),
    arg("--cohort", type=Path, required=True, metavar="COHORT", help="labelled exams, any layout"),
    arg("--out", type=Path, required=True, metavar="FOLDER", help="where the model goes"),
    arg("--seed", type=int, metavar="S", help="same exams, settings and seed: same model"),
    arg("--folds", type=int, default=5, metavar="N", help="default: 5; 0: no score"),
    _OVERWRITE,
    READING,
    JOBS,
)
def train(args: Namespace) -> Result:
    """Train a model on a cohort, say how good it is on exams not seen, and save it.

    name        learns from              what it is
    constant    labels                   the share of abnormal exams: what others must beat
    measures    binding ratios           logistic regression, to be checked by hand
    boosting    all measures             boosted trees
    voxels      voxels of the striata    a linear model, with its weight map
    projection  axial projections        a small 2-D network
    volume      the volume itself        a 3-D network in three sizes
    blend       what its members read    their mean logit

    The score is out of fold: each exam is predicted by a model that saw no exam of its centre, or
    where exams.csv names no centres, of its family of scanners (matrix and voxel size). Exams
    without a label are left out.
    FOLDER then holds the model, its card, and what 'datkit submit pack' needs.

    FILE.py:Class is a class of your own with fit(X, y) and predict_proba(X). Its attribute reads
    says what X is: "measures", a table (the default), or "volumes", an array (n, 64, 80, 48) of
    uptake over non-specific uptake. The file is run on this machine: name none that you do not
    trust. It stands alone: it imports installed packages, no other file of yours.

    For example:
      datkit train --cohort cohort --out model
      datkit train --model "volume epochs=5" --seed 1 --cohort cohort --out network
      datkit train --model "blend members=measures,voxels" --cohort cohort --out blend
      datkit train --model my_model.py:MyModel --cohort cohort --out mine
      datkit predict model scan.nii.gz
    """
    from datkit.evaluate.trained import train_model
    from datkit.models.registry import make_model
    from datkit.prepare.cohort import prepare_cohort
    from datkit.submit.pack import write_prior

    if args.folds < 0 or args.folds == 1:
        raise UsageError(f"Expected --folds 2 or more, or 0 for no score, found {args.folds}.")
    _check_new(args.out / "model.json", args)
    model = make_model(args.model, seed=args.seed)
    cohort = open_exams(args.cohort, reading(args))
    prepared = prepare_cohort(cohort, n_jobs=args.jobs, progress=not args.json)
    codes = [complain(why, uid) for uid, why in prepared.failures.items()]
    how = {"folds": args.folds, "progress": not args.json}
    try:
        card = train_model(model, cohort, prepared, args.out, **how)
    except (TypeError, ValueError) as error:
        if isinstance(error, DatkitError):
            raise
        raise UsageError(f"{args.model}: Expected other settings, found that {error}.") from error
    write_prior(args.out, prepared.labels)
    lines = [*_tell(card), f"Saved: {args.out}, next: datkit predict {args.out} SCAN"]
    return Result(lines, card | {"folder": str(args.out)}, max(codes, default=FINE))


@MODELS.command(
    arg("model", type=Path, metavar="MODEL", help="a folder that 'datkit train' wrote"),
    arg("exams", type=Path, metavar="SCAN|COHORT", help="a file, or a folder of exams"),
    arg("--out", type=Path, metavar="CSV", help="write uid,is_pathologic too, as the challenge's"),
    arg("--anyway", action="store_true", help="a number for exams that one must look at, too"),
    CODE,
    _OVERWRITE,
    READING,
    JOBS,
)
def predict(args: Namespace) -> Result:
    """Predict the probability that an exam is abnormal.

    Beside it stands the model's card: what it was trained on, and its score on exams not seen. An
    exam that cannot be prepared, or whose verdict says to look at it, gets the reason and no
    number; --anyway gives those of the latter kind both. Each exam is predicted alone.

    exit codes:
      0    every exam has a probability
      1    an exam has none
      2    wrong use, such as a file that is not there

    For example:
      datkit predict model scan.nii.gz
      datkit predict model cohort --out predictions.csv
      datkit predict mine scan.nii.gz --code my_model.py    # as in training: the file is run
    """
    from datkit.evaluate.trained import predict_prepared
    from datkit.models.own import run_file
    from datkit.models.store import load_model, read_card
    from datkit.prepare.cohort import prepare_cohort
    from datkit.prepare.quality import advise

    _check_new(args.out, args)
    for file in args.code:
        run_file(file)
    model, card = load_model(args.model), read_card(args.model)
    cohort, quiet = open_exams(args.exams, reading(args)), args.json
    jobs = args.jobs if len(cohort) > 1 else 1
    prepared = prepare_cohort(cohort, n_jobs=jobs, progress=not quiet and len(cohort) > 1)
    p = predict_prepared(model, prepared, progress=not quiet and len(cohort) > 1)
    look = {uid: " ".join(map(advise, reasons)) for uid, reasons in prepared.reasons.items()}
    without = prepared.failures | ({} if args.anyway else look)
    told = p.drop([uid for uid in without if uid in p])
    codes = [complain(f"no probability: {why}", uid) for uid, why in without.items()]
    lines = [f"{uid}: probability of abnormal {one:.3f}" for uid, one in told.items()]
    if args.out:
        with replace_atomically(args.out) as part:
            told.to_csv(part, float_format="%.6f", lineterminator="\n")
        lines = [f"{len(told)} of {len(cohort)} exams predicted: {args.out}"]
    found = {"predictions": told.to_dict(), "reasons": without, "model": card}
    return Result([*lines, *_tell(card)], found, max(codes, default=FINE))


def _check_new(path: Path | None, args: Namespace) -> None:
    if path and path.exists() and not args.overwrite:
        raise UsageError(
            f"Expected nothing at {path} yet, found an older one; choose another place with --out, "
            "or replace it with --overwrite."
        )


def _tell(card: dict[str, Any] | None) -> list[str]:
    """Say what a model was trained on, and how good it is on exams that it did not see."""
    if card is None:
        return ["This model has no card: it was not trained by 'datkit train'.", NOT_CLINICAL]
    lines = ["Model: trained on {exams} exams of {cohort}, {abnormal} abnormal.".format(**card)]
    if score := card["out_of_fold"]:
        lines.append("Out of fold, {folds} folds by {groups}:".format(**score))
        lines += [f"  {one}" for one in score["said"]]
    return [*lines, card["note"]]
