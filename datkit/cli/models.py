"""`datkit train, predict`: models trained on a cohort, and what they say of exams."""

from __future__ import annotations

import csv
import io
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datkit.cli.command import (
    FINDINGS,
    FINE,
    JOBS,
    READING,
    Group,
    Result,
    arg,
    complain,
    reading,
)
from datkit.cli.data import open_exams
from datkit.errors import DatkitError, UsageError

if TYPE_CHECKING:
    from datkit.models.base import LogitClassifier
    from datkit.prepare.exam import Prepared
    from datkit.problems import Problem

    Predicted = dict[str, dict[str, Any]]

MODELS = Group("")
_OWN = "FILE.py:Class of a model of your own, whose code is run"


@MODELS.command(
    arg("cohort", type=Path, metavar="COHORT", help="labelled exams in any layout"),
    arg("--model", default="boosting", metavar="KIND", help=f"default: boosting; or {_OWN}"),
    arg("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting; repeatable"),
    arg("--calibrate", action="store_true", help="divide logits by a temperature, out of fold"),
    arg("--folds", type=int, default=5, metavar="N", help="default: 5; 0: no score"),
    arg("--out", type=Path, required=True, metavar="FOLDER", help="where the model goes"),
    READING,
    JOBS,
)
def train(args: Namespace) -> Result:
    """Train a model on a cohort, say how good it is on exams not seen, and save it.

    kind        learns from                what it is
    constant    labels                     the share of abnormal exams: what others must beat
    measures    binding ratios, shape      logistic regression, to be checked by hand
    boosting    all measures               boosted trees
    voxels      voxels of the striata      a linear model, with its weight map
    projection  axial projections          a small 2-D network
    volume      the volume itself          a 3-D network in three sizes
    blend       what its members read      their mean logit

    The score is out of fold: each exam is predicted by a model that saw no exam of its centre, or
    where exams.csv names no centres, of its kind of scanner. Exams without a label are left out.
    FOLDER then holds the model, its card (settings, hash of the data, score) and what a submission
    needs beside it. The same exams and settings give the same model.

    FILE.py:Class is a class of your own with fit(X, y) and predict_proba(X). Its attribute reads
    says what X is: "measures", a table (the default), or "volumes", an array (n, 64, 80, 48). The
    file is Python code that runs on your machine, because you name it; run none that you do not
    trust. For a submission derive the class from datkit.models.LogitClassifier and register it.

    For example:
      datkit train cohort --out model
      datkit train cohort --model volume --set epochs=5 --set size=standard --out network
      datkit train cohort --model blend --set members=measures,boosting,voxels --out blend
      datkit train cohort --model my_model.py:MyModel --folds 0 --out mine
      datkit predict model scan.nii.gz
      datkit submit pack model
    """
    from datkit.evaluate.own import build_model, find_class
    from datkit.evaluate.trained import train_model
    from datkit.models.calibrated import TemperatureCalibrated
    from datkit.prepare.cohort import prepare_cohort
    from datkit.submit.pack import write_prior

    if args.folds < 0 or args.folds == 1:
        raise UsageError(f"Expected --folds 2 or more, or 0 for no score, found {args.folds}.")
    model = build_model(find_class(args.model), args.set)
    model = TemperatureCalibrated(model) if args.calibrate else model
    cohort = open_exams(args.cohort, reading(args))
    prepared = prepare_cohort(cohort, n_jobs=args.jobs, progress=not args.json)
    code = max([complain(why, uid) for uid, why in prepared.failures.items()], default=FINE)
    card = train_model(model, cohort, prepared, args.out, folds=args.folds, progress=not args.json)
    write_prior(args.out, prepared.labels)
    return Result([*_tell(card), f"Saved: {args.out}"], card | {"folder": str(args.out)}, code)


@MODELS.command(
    arg("model", type=Path, metavar="MODEL", help="a folder that 'datkit train' wrote"),
    arg("exams", type=Path, nargs="+", metavar="SCAN|COHORT", help="a file, or a folder of exams"),
    arg("--model", dest="own", metavar="FILE.py:Class", help=f"{_OWN}, as in training"),
    arg("--csv", action="store_true", help="print uid,is_pathologic alone"),
    arg("--anyway", action="store_true", help="a number for exams that one must look at, too"),
    READING,
    JOBS,
)
def predict(args: Namespace) -> Result:
    """Predict the probability that an exam is abnormal.

    Beside it stands the model's card: what it was trained on, and its score on exams of centres not
    seen then. An exam that cannot be read, or whose verdict says to look at it, gets the reason and
    no number; --anyway gives both. Each exam is predicted alone.

    exit codes:
      0    every exam has a probability
      1    an exam has none
      2    wrong use, such as a file that is not there

    For example:
      datkit predict model scan.nii.gz
      datkit predict model cohort --csv > predictions.csv
      datkit predict mine scan.nii.gz --model my_model.py:MyModel
    """
    from datkit.evaluate.own import find_class
    from datkit.evaluate.trained import read_card
    from datkit.models.store import load_model

    if args.csv and args.json:
        raise UsageError("Expected --csv or --json, found both; leave one out.")
    if args.own:
        find_class(args.own)
    model, card = load_model(args.model), read_card(args.model)
    found: Predicted = {}
    codes = [_predict_into(found, model, path, args) for path in args.exams]
    data = {"predictions": found, "model": card, "note": card["note"]}
    if args.csv:
        return Result([_table(found)], data, max(codes))
    lines = [line for name, one in found.items() for line in _said(name, one)]
    return Result([*lines, *_tell(card)], data, max(codes))


def _predict_into(found: Predicted, model: LogitClassifier, path: Path, args: Namespace) -> int:
    """Predict a scan or a folder's exams; complain of those that cannot be, return the code."""
    from datkit.io.scan import load_scan
    from datkit.prepare.exam import prepare_scan

    if path.is_dir():
        return _predict_folder(found, model, path, args)
    try:
        prepared = prepare_scan(load_scan(path, **reading(args)))
        logit = _logit(model, prepared)
    except DatkitError as error:
        return complain(error, path)
    return _note_exam(found, str(path), logit, prepared.reasons, anyway=args.anyway)


def _logit(model: LogitClassifier, prepared: Prepared) -> float:
    import pandas as pd

    from datkit.measure.exam import measure_prepared

    if model.reads == "measures":
        return float(model.decision_function(pd.DataFrame([measure_prepared(prepared)]))[0])
    return float(model.decision_function(prepared.volume[None])[0])


def _predict_folder(found: Predicted, model: LogitClassifier, path: Path, args: Namespace) -> int:
    from datkit.evaluate.trained import inputs_of
    from datkit.prepare.cohort import prepare_cohort

    cohort = open_exams(path, reading(args))
    prepared = prepare_cohort(cohort, n_jobs=args.jobs, progress=not args.json)
    codes = [complain(why, uid) for uid, why in prepared.failures.items()]
    logits = map(float, model.decision_function(inputs_of(model, prepared)))
    for uid, logit in zip(prepared.uids, logits, strict=True):
        reasons = prepared.reasons.get(uid, [])
        codes.append(_note_exam(found, uid, logit, reasons, anyway=args.anyway))
    return max(codes)


def _note_exam(
    found: Predicted, name: str, logit: float, reasons: list[Problem], *, anyway: bool
) -> int:
    """Keep what is to be said of an exam, a probability or why there is none."""
    from scipy.special import expit

    told = not reasons or anyway
    found[name] = {
        "is_pathologic": float(expit(logit)) if told else None,
        "reasons": [reason.to_dict() for reason in reasons],
        "verdict": "look at it" if reasons else "good",
    }
    return FINE if told else FINDINGS


def _said(name: str, one: dict[str, Any]) -> list[str]:
    """Say an exam's probability or that there is none, and what speaks against the exam."""
    from datkit.prepare.quality import advise
    from datkit.problems import Problem

    p = one["is_pathologic"]
    shown = "no probability" if p is None else f"probability of abnormal {p:.3f}"
    reasons = [f"  {advise(Problem(**reason))}" for reason in one["reasons"]]
    return [f"{name}: {shown}, quality: {one['verdict']}", *reasons]


def _table(found: Predicted) -> str:
    """Return the exams that have a probability as a table, without a last newline."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["uid", "is_pathologic"])
    told = {name: one["is_pathologic"] for name, one in found.items()}
    rows.writerows((name, f"{p:.6f}") for name, p in told.items() if p is not None)
    return text.getvalue().rstrip("\n")


def _tell(card: dict[str, Any]) -> list[str]:
    """Say what a model was trained on, and how good it is on exams that it did not see."""
    from datkit.evaluate.scores import Score

    data, score = card["trained_on"], card["out_of_fold"]
    lines = ["This model has no card."]
    if data:
        lines = [f"{card['kind']}, trained on {data['exams']} exams of {data['name']}, "
                 f"{data['abnormal']} abnormal."]  # fmt: skip
    if score:
        lines.append(f"Out of fold, {score['folds']} folds by {score['groups']}:")
        lines += [f"  {Score(**one)}" for one in score["scores"].values()]
    elif data:
        lines.append("No score out of fold was asked for.")
    return [*lines, card["note"]]
