"""Peers of the kit's models: nilearn and MONAI on the same folds, each as its own tutorials use it.

    python -m benchmarks.models --peers 3 4

Each network of the kit is trained as it comes, and MONAI's afterwards for as many CPU seconds as
the dearest of them took on that fold. All learn from the same prepared volumes, one thread each.
Results go to ``results/peers-<seed>.json`` and ``.md``; a finished fit is kept and not run again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from threadpoolctl import threadpool_limits

from benchmarks.common.figures import describe_run, hash_code, read_results
from datkit.data.cohort import Cohort
from datkit.data.groups import usual_grouping
from datkit.data.split import Fold, grouped_split
from datkit.evaluate.scores import paired_difference, score_probabilities
from datkit.files import replace_atomically, sha256_file, write_json
from datkit.models.base import grouped, inner_folds
from datkit.models.network import BOX_AFFINE, crop_striata
from datkit.models.registry import make_model
from datkit.models.training.loop import repeatable
from datkit.prepare.cohort import prepare_cohort

__all__ = ["MonaiDenseNet", "NilearnDecoder", "run_peers"]

KIT = {
    "projection": "projection",
    "3-D compact": "volume",
    "3-D standard (width 8, 15 epochs)": "volume size=standard width=8 epochs=15",
}
DECODER, DENSENET = PEERS = ("nilearn Decoder", "MONAI DenseNet121")
MODELS = (*KIT, *PEERS)
HEAD = ("model", "log loss (95 % CI)", "AUROC (95 % CI)", f"log loss minus {DECODER}'s",
        f"minus {DENSENET}'s", "CPU seconds a fold")  # fmt: skip


class NilearnDecoder(ClassifierMixin, BaseEstimator):
    """nilearn's `Decoder` as it comes, on the striatal box that the kit's small networks read.

    Support vectors, linear, on the voxels that tell most: a fifth of a whole brain's volume, which
    are nine in ten of the box's. It decides without probabilities; these are Platt's, from
    decisions on inner folds of whole centres
    (:class:`~sklearn.calibration.CalibratedClassifierCV`). Voxels are standardised, as by default;
    but where the default takes mean and SD of the images that are predicted together, here those of
    the training exams serve: each exam is predicted alone.

    Parameters
    ----------
    cv : int
        Of the `Decoder`: its model is the mean of so many.
    """

    reads = "volumes"
    classes_ = np.array([0, 1])

    def __init__(self, cv: int = 10) -> None:
        self.cv = cv

    def fit(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray | None = None) -> Self:
        """Learn from prepared volumes X (n, 64, 80, 48), labels y (n,) and groups (n,)."""
        folds = inner_folds(np.asarray(y), groups, 5, 0)
        inner = CalibratedClassifierCV(_Decisions(self.cv), ensemble=False, cv=folds)
        self.calibrated_ = inner.fit(crop_striata(X), y)
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the probabilities of normal and abnormal, shape (n, 2)."""
        return self.calibrated_.predict_proba(crop_striata(X))


class _Decisions(ClassifierMixin, BaseEstimator):
    """A `Decoder` of boxes (n, 24, 16, 16) in template space."""

    def __init__(self, cv: int) -> None:
        self.cv = cv

    def fit(self, boxes: np.ndarray, y: np.ndarray) -> Self:
        from nilearn.decoding import Decoder

        self.mean_, self.sd_, self.classes_ = boxes.mean(0), boxes.std(0), np.unique(y)
        everywhere = _image(np.ones(boxes.shape[1:], dtype=np.uint8))
        decoder = Decoder(mask=everywhere, cv=self.cv, standardize=False)
        self.decoder_ = decoder.fit(self._images(boxes), y)
        return self

    def decision_function(self, boxes: np.ndarray) -> np.ndarray:
        return self.decoder_.decision_function(self._images(boxes))

    def predict(self, boxes: np.ndarray) -> np.ndarray:
        return self.decoder_.predict(self._images(boxes))

    def _images(self, boxes: np.ndarray) -> Any:  # noqa: ANN401
        """Return one image, whose last axis is the exam."""
        return _image(np.moveaxis((boxes - self.mean_) / self.sd_, 0, -1))


def _image(voxels: np.ndarray) -> Any:  # noqa: ANN401  nibabel has no types
    from nibabel.nifti1 import Nifti1Image

    return Nifti1Image(voxels, BOX_AFFINE)


class MonaiDenseNet(ClassifierMixin, BaseEstimator):
    """MONAI's DenseNet121 in the loop of its tutorial of 3-D classification.

    The tutorial is ``3d_classification/torch/densenet_training_array.py``: intensities of each exam
    scaled to 0 … 1, a cube, right angles at random (one exam in ten, about z), batches of two,
    Adam, cross-entropy. Others than there are the cube's side and the learning rate (96 and 1e-5),
    both in its favour where time is short; and the end: a budget of time in place of five epochs,
    with the last weights, since too few epochs fit for a validation set to choose among.

    Parameters
    ----------
    seconds : float
        CPU time of training, the transforms included.
    side : int
        Voxels a side of the cube.
    learning_rate : float
    seed : int

    Attributes
    ----------
    shown_ : int
        How many exams it saw, repeats counted.
    """

    reads = "volumes"
    classes_ = np.array([0, 1])

    def __init__(
        self,
        seconds: float = 60.0,
        side: int = 64,
        learning_rate: float = 1e-4,
        seed: int = 0,
    ) -> None:
        self.seconds, self.side, self.seed = seconds, side, seed
        self.learning_rate = learning_rate

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        """Learn from prepared volumes X (n, 64, 80, 48) and labels y (n,), until time is up."""
        import torch
        from monai.data import ArrayDataset, DataLoader
        from monai.networks.nets import DenseNet121
        from monai.transforms import RandRotate90

        start, self.shown_ = time.process_time(), 0
        turn = RandRotate90().set_random_state(self.seed)
        exams = ArrayDataset(list(X), self._transforms(turn), labels=list(y))
        with repeatable(self.seed):
            self.network_ = DenseNet121(spatial_dims=3, in_channels=1, out_channels=2)
            optimizer = torch.optim.Adam(self.network_.parameters(), self.learning_rate)
            loader = DataLoader(exams, batch_size=2, shuffle=True, drop_last=True)
            while True:
                for images, labels in loader:
                    optimizer.zero_grad()
                    loss = torch.nn.functional.cross_entropy(self.network_(images), labels)
                    loss.backward()
                    optimizer.step()
                    self.shown_ += len(labels)
                    if time.process_time() - start > self.seconds:
                        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the probabilities of normal and abnormal, shape (n, 2)."""
        import torch

        prepare, network = self._transforms(), self.network_.eval()
        with repeatable(self.seed), torch.inference_mode():
            logits = [network(prepare(one)[None]) for one in X]
        return torch.cat(logits).softmax(1).numpy().astype(float)

    def _transforms(self, *random: Any) -> Any:  # noqa: ANN401
        from monai.transforms import Compose, EnsureChannelFirst, Resize, ScaleIntensity

        cube = [EnsureChannelFirst(channel_dim="no_channel"), Resize([self.side] * 3)]
        return Compose([ScaleIntensity(), *cube, *random])


def run_peers(cohort: Cohort, numbers: Sequence[int], path: Path, n_jobs: int) -> int:
    """Fit the kit's networks, then the peers, on the same folds; print and write what they give.

    Parameters
    ----------
    cohort : Cohort
    numbers : sequence of int
        Of the five grouped folds, counted from 1.
    path : Path
        The JSON file; the table goes beside it. Fits that it holds are not run again.
    n_jobs : int
        Processes that prepare exams; fits run one after the other.

    Returns
    -------
    int
        0, the exit code.
    """
    prepared, by = prepare_cohort(cohort, n_jobs=n_jobs), usual_grouping(cohort)
    columns = {"label": prepared.labels, "centre": prepared.table[by]}
    exams = pd.DataFrame(columns | {"row": np.arange(len(prepared))}).dropna(subset="label")
    split = grouped_split(cohort.subset([*exams.index]), by)
    folds = [split.folds[number - 1] for number in numbers]
    about = {"cohort": sha256_file(cohort.folder / "cohort.json"), "code": hash_code(__name__)}
    held = read_results(path, "fits")
    fits = {name: fit for name, fit in held.items() if about.items() <= fit.items()}
    versions = describe_run() | {"monai": version("monai")}
    results = {"cohort": _describe(cohort), "versions": versions, "fits": fits}
    for fold, name in product(folds, MODELS):
        if (key := f"{name} | {fold.name}") not in fits:
            fits[key] = about | fit_model(make(name, fold, fits), prepared.volumes, exams, fold)
            print(f"{key}: {fits[key]['seconds']} s", flush=True)
            write_json(path, results)
    results |= judge(exams, folds, fits)
    write_json(path, results)
    lines = list(peer_lines(results))
    print("\n".join(lines))
    with replace_atomically(path.with_suffix(".md")) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


def _describe(cohort: Cohort) -> dict[str, Any]:
    return {"name": cohort.name} | {key: cohort.info.get(key) for key in ("version", "seed")}


def make(name: str, fold: Fold, fits: dict[str, Any]) -> Any:  # noqa: ANN401
    """Return an untrained model; MONAI's may take as long as the kit's dearest on this fold."""
    if name in KIT:
        return make_model(KIT[name], seed=0)
    if name == DECODER:
        return NilearnDecoder()
    return MonaiDenseNet(max(fits[f"{one} | {fold.name}"]["seconds"] for one in KIT))


def fit_model(
    model: Any,  # noqa: ANN401
    volumes: np.ndarray,
    exams: pd.DataFrame,
    fold: Fold,
) -> dict[str, Any]:
    """Train on one side of a fold and predict the other: CPU seconds of training, probabilities."""
    learnt, tested = exams.loc[[*fold.train]], exams.loc[[*fold.test]]
    X, y, centres = volumes[learnt["row"]], learnt["label"].to_numpy(int), learnt["centre"]
    with threadpool_limits(1):
        start = time.process_time()
        model.fit(X, y, **grouped(model, centres.to_numpy()))
        seconds = time.process_time() - start
        p = model.predict_proba(volumes[tested["row"]])[:, 1]
    shown = {"shown": model.shown_} if hasattr(model, "shown_") else {}
    return shown | {"seconds": round(seconds, 1), "p": [round(float(one), 6) for one in p]}


def judge(exams: pd.DataFrame, folds: list[Fold], fits: dict[str, Any]) -> dict[str, Any]:
    """Score each model, and each of the kit's beside each peer, on the test exams of the folds."""
    tested = exams.loc[[uid for fold in folds for uid in fold.test]]
    y, strata = tested["label"].to_numpy(), tested["centre"].to_numpy()
    mine = {name: [fits[f"{name} | {fold.name}"] for fold in folds] for name in MODELS}
    p = {name: np.concatenate([fit["p"] for fit in each]) for name, each in mine.items()}
    scores = {name: _scored(y, p[name], strata) for name in MODELS}
    for name, row in scores.items():
        row["seconds"] = [fit["seconds"] for fit in mine[name]]
        row["shown"] = sum(fit.get("shown", 0) for fit in mine[name])
    gaps = [{"model": name, "peer": peer} | _gap(y, p[name], p[peer], strata)
            for name, peer in product(KIT, PEERS)]  # fmt: skip
    shown = {fold.name: [len(fold.train), len(fold.test)] for fold in folds}
    return {"n": len(y), "folds": shown, "scores": scores, "differences": gaps}


def _scored(y: np.ndarray, p: np.ndarray, strata: np.ndarray) -> dict[str, Any]:
    scores = score_probabilities(y, p, strata=strata)
    return {name: [round(end, 4) for end in (one.value, one.low, one.high)]
            for name, one in scores.items()}  # fmt: skip


def _gap(y: np.ndarray, p: np.ndarray, other: np.ndarray, strata: np.ndarray) -> dict[str, Any]:
    gap = paired_difference(y, p, other, strata=strata)
    ends = [round(end, 4) for end in (gap.value, gap.low, gap.high)]
    return {"log_loss": ends, "verdict": gap.verdict}


def peer_lines(results: dict[str, Any]) -> Iterator[str]:
    """Yield the table, Markdown: a row a model, the best first."""
    parts = [f"{name} ({train:,} exams to learn from, {test} tested)"
             for name, (train, test) in results["folds"].items()]  # fmt: skip
    yield f"Grouped folds of whole centres: {', '.join(parts)}; n = {results['n']}."
    yield from ("", f"| {' | '.join(HEAD)} |", "| --- " * len(HEAD) + "|")
    gaps = {(one["model"], one["peer"]): one["log_loss"] for one in results["differences"]}
    for name, row in sorted(results["scores"].items(), key=lambda one: one[1]["log_loss"][0]):
        scores = ["{:.3f} ({:.3f}–{:.3f})".format(*row[key]) for key in ("log_loss", "auroc")]
        beside = [_signed(gaps.get((name, peer))) for peer in PEERS]
        seconds = " + ".join(f"{one:.0f}" for one in row["seconds"])
        yield f"| {' | '.join([name, *scores, *beside, seconds])} |"
    shown = results["scores"][DENSENET]["shown"]
    yield from ("", f"In its seconds {DENSENET} was shown {shown} exams in all.")


def _signed(gap: list[float] | None) -> str:
    return "–" if gap is None else "{:+.3f} ({:+.3f} to {:+.3f})".format(*gap).replace("-", "−")
