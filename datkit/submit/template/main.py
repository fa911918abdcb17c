"""Predict every exam of the challenge's test set and write submission.csv.

The platform unpacks the zip that holds this file, mounts `data/` read-only into the working
directory and runs `python main.py`. What this file needs lies beside it: the inference part of
datkit and the folder `weights`. What it reads and writes lies in the working directory.

Each exam is predicted alone. One that cannot be read gets the training prevalence instead, so that
a single damaged file does not cost the whole run. The log holds counts only, nothing of an exam.
"""

from __future__ import annotations

import csv
import json
import logging
import math
import os
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datkit.files import replace_atomically
from datkit.measure import measure_prepared
from datkit.models import load_model
from datkit.prepare import Prepared, prepare_scan
from datkit.scan import load_scan

WEIGHTS = Path(__file__).resolve().parent / "weights"
DATA = Path("data")
# No exam is certain: some labels are wrong. The largest loss of one exam is then −ln 0.01 = 4.6.
LOWEST, HIGHEST = 0.01, 0.99

Predict = Callable[[Path], float]


def main() -> int:
    """Predict all exams and return the exit code."""
    silence_libraries()
    started = time.monotonic()
    uids = read_uids(DATA / "submission_format.csv")
    predict, prior = load_predictor(WEIGHTS)
    probabilities, failures = predict_all(uids, predict, prior)
    write_submission(Path("submission.csv"), uids, probabilities)
    seconds = time.monotonic() - started
    print(f"done: {len(uids)} exams, {failures.total()} with the prior, {seconds:.0f} s")
    return judge_smoke_test(len(uids), failures) if is_smoke_test() else 0


def silence_libraries() -> None:
    """Keep what libraries say about single exams (paths, odd headers) out of the log."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)


def read_uids(path: Path) -> list[str]:
    """Return the uids in their order, as text: '007' and '1e5' stay what they are."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return [row["uid"] for row in csv.DictReader(stream)]


def load_predictor(weights: Path) -> tuple[Predict, float]:
    """Return the function from an exam's path to its probability, and the training prevalence.

    Several models are averaged as logits. Damaged weights stop the run here: that is a fault of
    the submission, and a score of the prior alone would hide it.
    """
    single = (weights / "model.json").exists()
    folders = [weights] if single else sorted(p.parent for p in weights.glob("*/model.json"))
    models = [load_model(folder) for folder in folders]
    prior = json.loads((weights / "prior.json").read_text(encoding="utf-8"))["is_pathologic"]

    def predict(path: Path) -> float:
        prepared = prepare_scan(load_scan(path, repair=True))
        logit = float(np.mean([logit_of(model, prepared) for model in models]))
        if not math.isfinite(logit):
            raise ValueError("The logit is not a finite number.")
        return 1 / (1 + math.exp(-np.clip(logit, -20, 20)))

    return predict, float(prior)


def logit_of(model: Any, prepared: Prepared) -> float:
    """Return the logit of one prepared exam: of its measures or of its voxels (64, 80, 48)."""
    kind = getattr(model, "estimator_", model).kind  # a calibrated model wraps another one
    measures = kind == "measures"
    exam = pd.DataFrame([measure_prepared(prepared)]) if measures else prepared.volume[None]
    return float(model.decision_function(exam)[0])


def predict_all(
    uids: list[str], predict: Predict, prior: float
) -> tuple[list[float], Counter[str]]:
    """Predict each exam alone; count the failures by the name of their error."""
    probabilities, failures = [], Counter()
    step = max(1, math.ceil(len(uids) / 10))  # ten lines of log, however many exams
    for done, uid in enumerate(uids, start=1):
        try:
            probability = predict(DATA / "niftis" / f"{uid}.nii.gz")
        except Exception as error:  # whatever a file holds, the other exams go on
            probability = prior
            failures[type(error).__name__] += 1
        probabilities.append(min(max(probability, LOWEST), HIGHEST))
        if done % step == 0:
            print(f"{done} of {len(uids)} exams", flush=True)
    return probabilities, failures


def write_submission(path: Path, uids: list[str], probabilities: list[float]) -> None:
    """Write one row for each uid, in the order given; a reader never sees half a file."""
    with replace_atomically(path) as part, part.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["uid", "is_pathologic"])
        writer.writerows((uid, f"{p:.6f}") for uid, p in zip(uids, probabilities, strict=True))


def is_smoke_test() -> bool:
    """Whether this is the platform's short run on training exams."""
    return os.environ.get("IS_SMOKE_TEST", "").lower() not in ("", "0", "false")


def judge_smoke_test(exams: int, failures: Counter[str]) -> int:
    """Say how exams failed, which a run on test exams must not, and fail if all of them did."""
    for name, count in sorted(failures.items()):
        print(f"{count} of {exams} exams failed with {name}")
    return 1 if exams and failures.total() == exams else 0


if __name__ == "__main__":
    sys.exit(main())
