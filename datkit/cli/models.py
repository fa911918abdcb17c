"""`datkit train, predict, benchmark`: models trained, what they say of exams, how good they are."""

from __future__ import annotations

import shlex
from argparse import Namespace
from pathlib import Path
from typing import Any

from datkit import NOT_CLINICAL
from datkit.cli.command import CODE, FINDINGS, FINE, JOBS, SCHEDULER, Group, Result, arg, tell_all
from datkit.cli.data import READING, open_exams, prepare_exams
from datkit.errors import DatkitError, ModelError, SubmissionError, UsageError
from datkit.files import locked, replace_atomically

MODELS = Group("")
USUAL = ("measures", "boosting", "voxels", "projection")
_JUDGED = f"repeatable; default: {', '.join(USUAL)}"
_OWN = "'NAME SETTING=VALUE …', or FILE.py:Class of your own"
_BEFORE = "Started from {kind} weights of {exams} exams of {cohort}, seed {seed}, {sha256:.12}."
OVERWRITE = arg("--overwrite", action="store_true", help="replace what is there")


@MODELS.command(
    arg("--model", default="boosting", metavar="NAME", help=f"or {_OWN}; default: boosting"),
    arg("--cohort", type=Path, required=True, metavar="COHORT", help="labelled exams, any layout"),
    arg("--out", type=Path, required=True, metavar="FOLDER", help="where the model goes"),
    arg("--seed", type=int, metavar="S", help="same exams, settings and seed: same model"),
    arg("--folds", type=int, default=5, metavar="N", help="default: 5; 0: no score"),
    OVERWRITE,
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

    With start=pretrained, "projection" and "volume size=standard" start from the weights that ship
    with the kit, not from random ones.

    The score is out of fold: each exam is predicted by a model that saw no exam of its centre, or
    where exams.csv names no centres, of its family of scanners (matrix and voxel size). Exams
    without a label are left out. Beside it stands the constant's log loss on the same folds.
    FOLDER then holds the model, its card, and what 'datkit submit pack' needs.

    FILE.py:Class is a class of your own with fit(X, y) and predict_proba(X). Its attribute reads
    says what X is: "measures", a table (the default), or "volumes", an array (n, 64, 80, 48) of
    uptake over non-specific uptake. predict_proba reads each exam for itself: a class whose answer
    changes with the other exams in X is refused. The file is run on this machine: name none that
    you do not trust. It stands alone: it imports installed packages, no other file of yours.

    What fit keeps in attributes is stored: numbers, texts, arrays and scikit-learn's estimators. A
    forest, other trees and a network of torch keep theirs elsewhere: such a class has
    save(folder) and load(folder) too, which write and read files in a folder (a pathlib.Path). It
    is tried on a few exams first, so that this is told before the training, not after it. For a
    submission these files must be .json, .npy, .npz or .safetensors; others are told at the end.

    For example:
      datkit train --cohort cohort --out model
      datkit train --model "volume epochs=5" --seed 1 --cohort cohort --out network
      datkit train --model "projection start=pretrained" --cohort cohort --out further
      datkit train --model "blend members=measures,voxels" --cohort cohort --out blend
      datkit train --model my_model.py:MyModel --cohort cohort --out mine
      datkit predict model scan.nii.gz
    """
    from datkit.evaluate.trained import train_model
    from datkit.models.registry import make_model
    from datkit.models.store import check_place
    from datkit.provenance.record import record
    from datkit.submit.pack import collect_weights, write_prior

    if args.folds < 0 or args.folds == 1:
        raise UsageError(f"Expected --folds 2 or more, or 0 for no score, found {args.folds}.")
    check_new(args.out / "model.json", args)
    model = make_model(args.model, seed=args.seed)
    check_place(model, args.out)
    cohort, prepared, code = prepare_exams(args.cohort, args)
    how = {"folds": args.folds, "progress": not args.json}
    try:
        card = train_model(model, cohort, prepared, args.out, **how)
    except (TypeError, ValueError) as error:
        if isinstance(error, DatkitError):
            raise
        raise UsageError(f"{args.model}: Expected other settings, found that {error}.") from error
    write_prior(args.out, prepared.labels)
    labelled = cohort.subset(prepared.labels.dropna().index)
    chosen = {"model": model.kind, "seed": args.seed, "folds": args.folds}
    record(args.out, "model", inputs=[prepared.folder], cohort=labelled, settings=chosen)
    named = ["--code", model.file] if hasattr(model, "file") else []
    call = shlex.join(["datkit", "predict", str(args.out), "SCAN", *named])
    lines = [*_tell(card), f"Saved: {args.out}, next: {call}"]
    try:
        collect_weights([args.out])
    except SubmissionError as error:
        lines.append(f"No submission can hold this model as it is stored. {error}")
    return Result(lines, card | {"folder": str(args.out)}, code)


@MODELS.command(
    arg("model", type=Path, nargs="?", metavar="MODEL", help="a folder that 'datkit train' wrote"),
    arg("exams", type=Path, metavar="SCAN|COHORT", help="a file, or a folder of exams"),
    arg("--out", type=Path, metavar="CSV", help="write uid,is_pathologic too, as the challenge's"),
    arg("--anyway", action="store_true", help="a number for exams that one must look at, too"),
    CODE,
    OVERWRITE,
    READING,
    JOBS,
)
def predict(args: Namespace) -> Result:
    """Predict the probability that an exam is abnormal.

    Where no MODEL is named, the networks that ship with the kit predict. They learnt from simulated
    exams of random centres, none of them real. MODEL and SCAN stand side by side, options after or
    before them. To predict several scans, name their folder.

    Beside it stands the model's card: what it was trained on, and its score on exams not seen. An
    exam that cannot be prepared, or whose verdict says to look at it, gets the reason and no
    number; --anyway gives those of the latter kind both, and where there are such exams, CSV has a
    third column, reasons: it is then no submission. Each exam is predicted alone.

    exit codes:
      0    every exam has a probability
      1    an exam has none
      2    wrong use, such as a file that is not there

    For example:
      datkit predict scan.nii.gz
      datkit predict model scan.nii.gz
      datkit predict model cohort --out predictions.csv
      datkit predict mine scan.nii.gz --code my_model.py    # as in training: the file is run
    """
    from datkit.evaluate.trained import predict_prepared
    from datkit.models.own import run_file
    from datkit.models.store import PRETRAINED, load_model, read_card
    from datkit.prepare.cohort import prepare_cohort
    from datkit.provenance.record import record

    check_new(args.out, args)
    for file in args.code:
        run_file(file)
    folder = args.model or PRETRAINED
    model, card = load_model(folder), read_card(folder)
    said, cohort = _tell(card), open_exams(args.exams, args)
    several = len(cohort) > 1
    shown = several and not args.json
    prepared = prepare_cohort(cohort, n_jobs=args.jobs if several else 1, progress=shown)
    p = predict_prepared(model, prepared, progress=shown)
    doubts = prepared.advice if args.anyway else {}
    without = prepared.failures | ({} if args.anyway else prepared.advice)
    told = p.drop([uid for uid in without if uid in p])
    tell_all({uid: f"{uid}: predicted all the same: {why}" for uid, why in doubts.items()})
    code = tell_all({uid: f"no probability: {why}" for uid, why in without.items()})
    lines = [f"{uid}: probability of abnormal {one:.3f}" for uid, one in told.items()]
    if args.out:
        table = told.to_frame().assign(**{"reasons": told.index.map(doubts)} if doubts else {})
        with replace_atomically(args.out) as part:
            table.to_csv(part, float_format="%.6f", lineterminator="\n")
        exams = cohort.subset(told.index)
        record(args.out, "predictions", inputs=[folder, prepared.folder], cohort=exams)
        lines = [f"{len(told)} of {len(cohort)} exams predicted: {args.out}"]
    found = {"predictions": told.to_dict(), "reasons": without | doubts, "model": card}
    return Result([*lines, *said] if len(told) else lines, found, code)


@MODELS.command(
    arg("--model", action="append", metavar="MODEL", help=_JUDGED),
    arg("--cohort", type=Path, required=True, metavar="COHORT", help="labelled exams, any layout"),
    arg("--split", action="append", metavar="SPLIT", help="repeatable; default: all"),
    arg("--seed", action="append", type=int, metavar="S", help="of models; repeatable; default: 0"),
    arg("--folds", type=int, default=5, metavar="N", help="random and grouped; default: 5"),
    arg("--out", type=Path, default="benchmark.json", metavar="FILE", help="benchmark.json"),
    READING,
    JOBS,
    SCHEDULER,
)
def benchmark(args: Namespace) -> Result:
    """Judge models alike: same folds, intervals, ties shown as ties, controls beside them.

    split      what a model is asked
    random     exams of centres that it has seen; it flatters
    grouped    exams of whole centres that it has not seen
    centres    the same, one centre after the other
    tests      public_test and private_test in COHORT, trained on all training exams; of the
               private ones, those of the centre that nobody trained on once more alone

    MODEL is a kind of 'datkit train --help' with its settings, "projection epochs=5", or a class of
    your own with fit(X, y) and predict_proba(X), "my_model.py:MyModel", which needs no save and
    load here. That file is code, and is run because you name it. A model that fails becomes a line,
    and the others go on; so does one whose answer for an exam changes with the others beside it.

    Beside the models stand the oracle (it knows the simulated truth), the panel of readers, and
    controls: a constant; scanner alone; age alone; shuffled labels; a leak made on purpose. Each
    control must stay in a band that is known beforehand, and no model may beat the oracle, or the
    command ends with 1 and says what is out.

    The constant's AUROC lies below 0.5, a little in random folds, more in folds of whole centres:
    it is the share of abnormal exams in the other folds, which is high where that of the fold left
    out is low. Controls that know nothing may lose more than the constant; that is as it should be.

    Models share a rank (=) if the interval of their paired difference in log loss to the best of it
    holds 0. A model that is not surely better than the constant has none. With fewer than 100 exams
    ranks can hardly be told apart. The time is that of the clock: on a busy machine, or with more
    processes than cores, the same fit takes longer. Each band stands under "controls" in FILE, and
    is printed with --json.

    FILE keeps every finished fit: the same command goes on where it was stopped, and computes anew
    what another setting, file or version would change, or what is damaged in it; damage to models
    that are not named is told. Other models join those in FILE. The board
    goes beside it, as .md and as .png. A Dask cluster must see COHORT and the data folder under the
    same paths: see datkit prepare --help.

    For example:
      datkit benchmark --cohort cohort
      datkit benchmark --cohort cohort --model measures --model "boosting trees=50" --split grouped
      datkit benchmark --cohort cohort --model my_model.py:MyModel --jobs 2
      datkit benchmark --cohort cohort --model volume --seed 0 --seed 1 --out volume.json
    """
    from datkit.evaluate.benchmark.board import benchmark_lines, plot_benchmark
    from datkit.evaluate.benchmark.run import benchmark_cohort
    from datkit.provenance.record import record

    cohort = open_exams(args.cohort, args)
    how = {"n_jobs": args.jobs, "scheduler": args.scheduler, "progress": not args.json}
    how |= {"splits": args.split, "seeds": args.seed or [0], "n_splits": args.folds}
    with locked(args.out):  # who writes it at the same time would lose this one's fits
        board = benchmark_cohort(cohort, args.model or USUAL, out=args.out, **how)
    chosen = {one: how[one] for one in ("splits", "seeds", "n_splits")}
    record(args.out, "benchmark", cohort=cohort, settings=chosen)
    with replace_atomically(args.out.with_suffix(".md")) as part:
        part.write_text("\n".join(benchmark_lines(board, markdown=True)) + "\n", encoding="utf-8")
    settings = dict.fromkeys(row["setting"] for row in board["scores"])
    setting = "grouped" if "grouped" in settings else next(iter(settings))
    plot_benchmark(board, setting).save(args.out.with_suffix(".png"))
    fine = all(band["holds"] for band in board["controls"]) and not board["errors"]
    data = {key: one for key, one in board.items() if key != "cells"}
    return Result([*benchmark_lines(board), str(args.out)], data, FINE if fine else FINDINGS)


def check_new(path: Path | None, args: Namespace) -> None:
    """Refuse to write over what lies at a path, unless `--overwrite` is given.

    Raises
    ------
    UsageError
        If something does.
    """
    if path and path.exists() and not args.overwrite:
        remedy = "choose another place with --out, or replace it with --overwrite"
        raise UsageError(f"Expected nothing at {path} yet, found an older one; {remedy}.")


def _tell(card: dict[str, Any] | None) -> list[str]:
    """Say what a model was trained on, and how good it is on exams that it did not see."""
    if card is None:
        return ["This model has no card: it was not trained by 'datkit train'.", NOT_CLINICAL]
    try:
        return _card_lines(card)
    except (AttributeError, KeyError, TypeError) as error:
        found = f"found that of model.json damaged ({error!r}); train the model again"
        raise ModelError(f"Expected a card as 'datkit train' writes it, {found}.") from error


def _card_lines(card: dict[str, Any]) -> list[str]:
    lines = ["Model: trained on {exams} exams of {cohort}, {abnormal} abnormal.".format(**card)]
    lines += [_BEFORE.format(**start) for start in card.get("started_from", [])]
    if score := card["out_of_fold"]:
        lines.append("Out of fold, {folds} folds by {groups}:".format(**score))
        lines += [f"  {one}" for one in score["said"]]
    for score in card.get("tested", []):
        lines.append("On the {exams} exams of {cohort}, none of its centres seen:".format(**score))
        lines += [f"  {one}" for one in score["said"]]
    return [*lines, card["note"]]
