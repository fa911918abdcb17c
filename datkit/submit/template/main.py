"""Predict every exam of the challenge's test set and write submission.csv.

The platform unpacks the zip that holds this file, mounts `data/` read-only into the working
directory and runs `python main.py`. What this file needs lies beside it: the inference part of
datkit and the folder `weights`. What it reads and writes lies in the working directory.

Each exam is predicted alone. One that cannot be read gets the training prevalence instead, so that
a single damaged file does not cost the whole run. A run that would take too long goes on with one
model, and in the end with the prevalence, rather than be stopped without an answer. The log holds
counts only, nothing of an exam.
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
from statistics import median

import numpy as np
import pandas as pd

from datkit.files import replace_atomically
from datkit.io.scan import load_scan
from datkit.measure.exam import measure_prepared
from datkit.models.base import LogitClassifier
from datkit.models.store import load_model
from datkit.prepare.exam import Prepared, PrepareSettings, prepare_scan

WEIGHTS = Path(__file__).resolve().parent / "weights"
DATA = Path("data")
# No exam is certain: some labels are wrong. The largest loss of one exam is then −ln 0.01 = 4.6.
LOWEST, HIGHEST = 0.01, 0.99
# Seconds that the platform gives to its smoke test and to the test set; a tenth is kept in reserve.
SMOKE_SECONDS, TEST_SECONDS, USABLE = 360, 3 * 3600, 0.9
MOUNT_SECONDS = 120  # the mount of the data was seen to be 20 s late

Predict = Callable[..., float]


def main() -> int:
    """Predict all exams and return the exit code."""
    silence_libraries()
    started = time.monotonic()
    predict, prior = load_predictor(WEIGHTS)
    uids = wait_for_exams(DATA, MOUNT_SECONDS)
    pace = Pace(started + USABLE * (SMOKE_SECONDS if is_smoke_test() else TEST_SECONDS))
    probabilities, failures = predict_all(uids, predict, prior, pace)
    write_submission(Path("submission.csv"), uids, probabilities)
    seconds = time.monotonic() - started
    print(f"done: {len(uids)} exams, {failures.total()} with the prior, {seconds:.0f} s")
    print(f"pace: {len(pace.times['full'])} by all models, {len(pace.times['cheap'])} by one")
    return judge_smoke_test(len(uids), failures) if is_smoke_test() else 0


def silence_libraries() -> None:
    """Keep what libraries say about single exams (paths, odd headers) out of the log."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)


def wait_for_exams(data: Path, seconds: float) -> list[str]:
    """Return the uids once the format file and any exam are there, or the time is up.

    Exams are looked for by their own paths: a folder whose mount is late can list as empty.
    """
    deadline = time.monotonic() + seconds
    while True:
        late = time.monotonic() > deadline
        if late or (data / "submission_format.csv").exists():
            uids = read_uids(data / "submission_format.csv")
            if late or not uids or any(exam_path(data, uid).exists() for uid in uids):
                return uids
        time.sleep(0.5)


def exam_path(data: Path, uid: str) -> Path:
    """Return where the platform puts an exam."""
    return data / "niftis" / f"{uid}.nii.gz"


def read_uids(path: Path) -> list[str]:
    """Return the uids in their order, as text: '007' and '1e5' stay what they are."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return [row["uid"] for row in csv.DictReader(stream)]


def load_predictor(weights: Path) -> tuple[Predict, float]:
    """Return the function from an exam's path to its probability, and the training prevalence.

    Several models are averaged as logits. Damaged weights stop the run here: that is a fault of
    the submission, and a score of the prior alone would hide it.
    """
    models = sorted(map(load_model, model_folders(weights)), key=lambda model: model.cost)
    prior = json.loads((weights / "prior.json").read_text(encoding="utf-8"))["is_pathologic"]

    def predict(path: Path, cheap: bool = False) -> float:
        settings = PrepareSettings(order=1) if cheap else None
        prepared = prepare_scan(load_scan(path, repair=True), settings)
        chosen = models[:1] if cheap else models
        logit = float(np.mean([logit_of(model, prepared) for model in chosen]))
        if not math.isfinite(logit):
            raise ValueError("The logit is not a finite number.")
        return 1 / (1 + math.exp(-np.clip(logit, -20, 20)))

    return predict, float(prior)


def model_folders(weights: Path) -> list[Path]:
    """Return the folder of each model; a model inside a model belongs to that one."""
    found = sorted(path.parent for path in weights.rglob("model.json"))
    return [folder for folder in found if not set(folder.parents).intersection(found)]


def logit_of(model: LogitClassifier, prepared: Prepared) -> float:
    """Return the logit of one prepared exam: of its measures or of its voxels (64, 80, 48)."""
    measured = model.reads == "measures"
    exam = pd.DataFrame([measure_prepared(prepared)]) if measured else prepared.volume[None]
    return float(model.decision_function(exam)[0])


class Pace:
    """Chooses for each exam how it is predicted, so that all have an answer by the deadline.

    Parameters
    ----------
    deadline : float
        As the clock shows it.
    clock : callable
        Returns seconds.
    """

    def __init__(self, deadline: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.deadline, self.clock = deadline, clock
        self.times: dict[str, list[float]] = {"full": [], "cheap": []}

    def choose(self, left: int) -> str:
        """Return "full" if all `left` exams fit so, "cheap" if one more fits, else "prior"."""
        rest, full = self.deadline - self.clock(), self.times["full"]
        # The first exams also load libraries: they tell nothing of the other ones yet.
        if (median(full) * left if len(full) >= 3 else max(full, default=0.0)) <= rest:
            return "full"
        return "cheap" if max(self.times["cheap"], default=0.0) <= rest else "prior"

    def predict(self, predict: Predict, path: Path, left: int) -> float:
        """Predict one exam in the way chosen, and note how long it took, be it in vain.

        Raises
        ------
        TimeoutError
            If there is no time for it.
        """
        way, begun = self.choose(left), self.clock()
        if way == "prior":
            raise TimeoutError("There is no time left.")
        try:
            return predict(path) if way == "full" else predict(path, cheap=True)
        finally:
            self.times[way].append(self.clock() - begun)


def predict_all(
    uids: list[str], predict: Predict, prior: float, pace: Pace | None = None
) -> tuple[list[float], Counter[str]]:
    """Predict each exam alone; count the failures by the name of their error."""
    probabilities, failures, pace = [], Counter[str](), pace or Pace(math.inf)
    step = max(1, math.ceil(len(uids) / 10))  # ten lines of log, however many exams
    for done, uid in enumerate(uids, start=1):
        try:
            probability = pace.predict(predict, exam_path(DATA, uid), len(uids) - done + 1)
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
