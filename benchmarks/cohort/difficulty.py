"""Is the cohort as hard as the real thing: models, oracle and readers on it, out of fold.

Grouped folds keep whole centres together; random folds do not, so that a model may recognise the
scanner. Both have five folds. Intervals are those of :mod:`datkit.evaluate`, within centres.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin

from benchmarks.cohort.geometry import tilt_degrees
from benchmarks.common.figures import SEED, Figure, bootstrap, share
from datkit.data.cohort import Cohort
from datkit.evaluate import Score, cross_validate, paired_difference, score_probabilities
from datkit.evaluate.metrics import exam_losses
from datkit.measure import measure_cohort, measure_volume
from datkit.prepare import PreparedCohort

FOLDS = 5
READERS = tuple(f"reader_{number}" for number in range(1, 6))


@dataclass(frozen=True)
class Exams:
    """The exams that are scored: prepared volumes, labels, centres, truth.

    Attributes
    ----------
    volumes : array, shape (n, 64, 80, 48)
    labels : array of int, shape (n,)
    centres : array of str, shape (n,)
    random : array of int, shape (n,)
        The random fold of each exam.
    truth : pandas.DataFrame
        Rows of ``truth.csv``.
    """

    volumes: np.ndarray
    labels: np.ndarray
    centres: np.ndarray
    random: np.ndarray = field(repr=False)
    truth: pd.DataFrame = field(repr=False)

    @classmethod
    def of(cls, cohort: Cohort, prepared: PreparedCohort) -> Exams:
        """Take what could be prepared of a simulated cohort."""
        n, table = len(prepared), prepared.table
        folds = np.random.default_rng(SEED).permutation(n) % FOLDS
        labels, centres = table["is_pathologic"].to_numpy(int), table["centre"].to_numpy(str)
        return cls(prepared.volumes, labels, centres, folds, cohort.truth.loc[prepared.uids])

    def predict(
        self, model: ClassifierMixin, X: np.ndarray | pd.DataFrame, grouped: bool
    ) -> np.ndarray:
        """Return out-of-fold probabilities (n,) of abnormal."""
        groups = self.centres if grouped else self.random
        return cross_validate(model, X, self.labels, groups, n_splits=FOLDS)

    def score(self, p: np.ndarray) -> dict[str, Score]:
        """Return log loss, AUROC and Brier score with intervals."""
        return score_probabilities(self.labels, p, strata=self.centres, seed=SEED)


def measure(
    cohort: Cohort,
    prepared: PreparedCohort,
    cnn: bool = True,
    device: str = "auto",
    n_jobs: int = 1,
    progress: bool = True,
) -> Iterator[Figure]:
    """Yield the figures of difficulty; `cnn` may leave out what takes minutes.

    The networks train on `device` (``"auto"``, ``"cpu"``, ``"cuda"``), folds side by side.
    """
    exams = Exams.of(cohort, prepared)
    table = measure_cohort(prepared)
    yield from measures_figures(exams, fixed_measures(prepared, n_jobs), table)
    yield length_figure(exams, table["length_shortest"].to_numpy())
    yield from metadata_figures(exams, read_metadata(cohort, prepared.uids))
    yield oracle_figure(exams)
    yield from cnn_figures(exams, device, n_jobs, progress) if cnn else ()
    yield kappa_figure(exams.truth)
    yield share("difficult exams", exams.truth["difficult"] == 1, (15, 25), "by the reader panel")


def fixed_measures(prepared: PreparedCohort, n_jobs: int = 1) -> pd.DataFrame:
    """Return the measures where the masks lie after registration, as most pipelines have them."""
    from joblib import Parallel, delayed

    rows = Parallel(n_jobs)(delayed(measure_volume)(volume) for volume in prepared.volumes)
    return pd.DataFrame(rows, index=prepared.table.index)


def measures_figures(exams: Exams, fixed: pd.DataFrame, located: pd.DataFrame) -> Iterator[Figure]:
    """Logistic regression on the classical SBR measures: grouped, and against random folds.

    The published log losses are those of fixed masks. With each striatum located first, as
    :func:`datkit.measure.measure_cohort` does, it is lower: a better measurement, not an easier
    cohort. It stands beside them.
    """
    from datkit.models import MeasuresClassifier

    grouped, random = (exams.predict(MeasuresClassifier(), fixed, g) for g in (True, False))
    name = "logistic regression on SBR"
    yield scored(f"{name}, grouped: log loss", exams.score(grouped), "log_loss", (0.36, 0.47))
    better = exams.score(exams.predict(MeasuresClassifier(), located, grouped=True))
    yield scored(f"{name}, striata located, grouped: log loss", better, "log_loss", (None, None))
    gain = paired_difference(exams.labels, random, grouped, strata=exams.centres, seed=SEED)
    note = f"random folds: {_brief(exams.score(random))}; clearly: the whole interval below 0"
    yield Figure(f"{name}, random minus grouped", gain.value, (None, 0), (gain.low, gain.high), "",
                 note, clearly=True)  # fmt: skip


def length_figure(exams: Exams, length: np.ndarray) -> Figure:
    """Score the length (n,) of the shorter striatum, mm, by its order alone: nothing is fitted."""
    ends = [np.median(length[exams.labels == label]) for label in (0, 1)]
    note = f"median {ends[0]:.0f} mm in normal, {ends[1]:.0f} mm in abnormal exams"
    scores = exams.score(1 - length / max(length.max(), 1))
    return scored("striatal length alone: AUROC", scores, "auroc", (0.85, 0.92), note)


def metadata_figures(exams: Exams, table: pd.DataFrame) -> Iterator[Figure]:
    """Yield what a random forest makes of a file's header, without a look at any voxel."""
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(200, min_samples_leaf=10, random_state=SEED, n_jobs=1)
    for grouped, target in ((True, (None, 0.56)), (False, (0.62, 0.78))):
        scores = exams.score(exams.predict(forest, table, grouped))
        name = f"scanner metadata, {'grouped' if grouped else 'random'}: AUROC"
        yield scored(name, scores, "auroc", target, _brief(scores))


def read_metadata(cohort: Cohort, uids: list[str]) -> pd.DataFrame:
    """Return what is known of the scanner: the file's header, camera and reconstruction."""
    import nibabel as nib

    headers = [nib.load(cohort.path_of(uid)) for uid in uids]
    numbers = [describe_header(image.shape, image.affine) for image in headers]
    types = [str(image.get_data_dtype()) for image in headers]
    words = cohort.exams.loc[uids, ["camera", "reconstruction"]].assign(dtype=types)
    return pd.DataFrame(numbers, index=uids).join(pd.get_dummies(words, dtype=float))


def describe_header(shape: tuple[int, ...], affine: np.ndarray) -> dict[str, float]:
    """Return matrix, spacing, field of view (mm) and tilt (degrees) of an array."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    numbers = {"tilt": tilt_degrees(affine)}
    for axis, n, mm in zip("ijk", shape, spacing, strict=True):
        numbers |= {f"matrix_{axis}": float(n), f"spacing_{axis}": mm, f"field_{axis}": n * mm}
    return {name: round(float(number), 3) for name, number in numbers.items()}


def oracle_figure(exams: Exams) -> Figure:
    """Logistic regression on the true binding of the weaker posterior putamen, random folds.

    Beyond it lies what no image holds: the readers' own errors.
    """
    from datkit.models import MeasuresClassifier

    known = exams.truth[["weaker_posterior_putamen"]]
    scores = exams.score(exams.predict(MeasuresClassifier(C=1e3), known, grouped=False))
    return scored("oracle on true severity: log loss", scores, "log_loss", (0.14, 0.21))


def cnn_figures(
    exams: Exams, device: str = "auto", n_jobs: int = 1, progress: bool = True
) -> Iterator[Figure]:
    """Yield a small CNN's loss on projections, grouped and random, and how it is spread."""
    from joblib import parallel_config

    from datkit.models import ProjectionClassifier

    p, model = {}, ProjectionClassifier(seed=SEED, accelerator=device)
    for grouped in (True, False):
        kind = "grouped" if grouped else "random"
        if progress:
            print(f"  training {FOLDS} CNNs, {kind} folds …", flush=True)
        with parallel_config(n_jobs=n_jobs):  # scikit-learn's folds
            p[kind] = exams.predict(model, exams.volumes, grouped)
        yield scored(f"projection CNN, {kind}: log loss", exams.score(p[kind]), "log_loss",
                     (0.24, 0.32), _brief(exams.score(p[kind])))  # fmt: skip
    loss = exam_losses(exams.labels, p["grouped"])
    interval = tuple(bootstrap(lambda rows: share_of_half(loss[rows]), len(loss)))
    name, wrong = "exams with half of the CNN's loss", 100 * np.mean(loss > np.log(2))
    note = f"grouped folds; {wrong:.1f} % of exams on the wrong side"
    yield Figure(name, share_of_half(loss), (None, 10), interval, "%", note)


def share_of_half(loss: np.ndarray) -> float:
    """Return the smallest share of exams, in %, that together hold half of the loss.

    Examples
    --------
    >>> share_of_half(np.array([4.0, 1, 1, 1, 1]))
    20.0
    """
    worst_first = np.cumsum(np.sort(loss)[::-1])
    return float(100 * (1 + np.searchsorted(worst_first, worst_first[-1] / 2)) / len(loss))


def kappa_figure(truth: pd.DataFrame) -> Figure:
    """Return the mean of Cohen's kappa over the ten pairs of the panel."""
    votes = truth[list(READERS)].to_numpy(int)
    pairs = pairwise_kappas(votes)
    note = f"ten pairs of five readers, from {min(pairs):.2f} to {max(pairs):.2f}"
    interval = bootstrap(lambda rows: np.mean(pairwise_kappas(votes[rows])), len(votes))
    name = "expert readers, mean pairwise κ"
    return Figure(name, float(np.mean(pairs)), (0.80, 0.93), tuple(interval), "", note)


def pairwise_kappas(votes: np.ndarray) -> list[float]:
    """Return Cohen's kappa of each pair of readers; votes are 0 or 1, (n, readers)."""
    return [kappa(votes[:, a], votes[:, b]) for a, b in combinations(range(votes.shape[1]), 2)]


def kappa(a: np.ndarray, b: np.ndarray) -> float:
    """Return Cohen's kappa of two readers' votes 0 or 1: agreement beyond chance.

    Examples
    --------
    >>> kappa(np.array([1, 1, 0, 0]), np.array([1, 0, 0, 0]))
    0.5
    """
    chance = a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean())
    return float((np.mean(a == b) - chance) / (1 - chance)) if chance < 1 else 1.0


def scored(
    name: str, scores: dict[str, Score], metric: str, target: tuple, note: str = ""
) -> Figure:
    """Return one of the scores as a figure; without a note, the AUROC stands beside it."""
    score = scores[metric]
    note = note or f"AUROC {scores['auroc'].value:.3f}"
    return Figure(name, score.value, target, (score.low, score.high), "", f"n = {score.n}; {note}")


def _brief(scores: dict[str, Score]) -> str:
    return f"log loss {scores['log_loss'].value:.3f}, AUROC {scores['auroc'].value:.3f}"
