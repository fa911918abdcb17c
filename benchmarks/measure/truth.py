"""Figures of the measures: correlation with the truth, recovery, asymmetry, normal exams' z."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import ndimage

from benchmarks.cohort.geometry import drawn_exam
from benchmarks.cohort.physics import OSEM, SIGMA, Setup, set_up
from benchmarks.common.figures import Figure, bootstrap, share
from benchmarks.measure import linear
from datkit.io.scan import Scan
from datkit.measure import asymmetry, measure_prepared
from datkit.measure.normals import compare_with_normals
from datkit.prepare import prepare_scan
from datkit.simulate.camera.imaging import FIELD_MM, SAMPLED_MM, acquire, field_about
from datkit.simulate.patient.uptake import paint, true_sbr
from datkit.threads import one_thread

LEAST = 12  # exams of a centre and reconstruction in which r is computed
UNEVEN = 10.0  # per cent of true asymmetry, beyond which its sign must be right
PATIENTS = 6
REPEATS = 100  # exams that are scanned twice
REPORTED = "caudate", "putamen", "anterior_putamen", "posterior_putamen", "striatum"
CONVERGED = replace(OSEM, iterations=10)  # the formula knows nothing of unfinished iterations
ZS = ("caudate_lowest", "putamen_lowest", "striatum_left", "length_shortest", "southampton_left")


def measure(
    exams: pd.DataFrame, table: pd.DataFrame, truth: pd.DataFrame, boxes: np.ndarray
) -> Iterator[Figure]:
    """Yield the figures of a cohort: its exams, their measures and their truth, row by row.

    `boxes`, of :func:`linear.side_boxes`, tell what the best fixed weights would reach.
    """
    groups = (exams["centre"] + ", " + exams["reconstruction"]).to_numpy()
    for structure, aim in (("caudate", 0.95), ("putamen", 0.95), ("posterior_putamen", None),
                           ("whole_caudate", None), ("soft_caudate", 0.95),
                           ("soft_putamen", 0.95)):  # fmt: skip
        true = frame_of_sides(
            truth, f"sbr_{structure.removeprefix('soft_').removeprefix('whole_')}"
        )
        found = frame_of_sides(table, structure)
        yield correlation_figure(structure.replace("_", " "), found, true, groups, aim)
    for structure in ("putamen", "soft_putamen"):
        found = table[f"{structure}_asymmetry"].to_numpy()
        yield asymmetry_figure(structure.replace("_", " "), found, truth)
    for structure in ("caudate", "whole_caudate", "soft_caudate", "putamen"):
        yield error_figure(structure, table, truth)
    with one_thread():
        yield from repeat_figures(table)
    yield from bound_figures(boxes, exams["centre"].to_numpy(), truth, groups)
    with one_thread():
        yield from recovery_figures()
    yield from normal_figures(exams, table, truth["pattern"] == "normal")


def frame_of_sides(table: pd.DataFrame, name: str) -> np.ndarray:
    """Return a measure of both sides, (n, 2)."""
    return table[[f"{name}_left", f"{name}_right"]].to_numpy(float)


def correlation_figure(
    name: str, found: np.ndarray, true: np.ndarray, groups: np.ndarray, aim: float | None
) -> Figure:
    """Return the mean r within centre and reconstruction; its interval redraws the exams."""
    counts = pd.Series(groups).value_counts()
    kinds = sorted(counts.index[counts >= LEAST])
    parts = [np.flatnonzero(groups == kind) for kind in kinds]
    name = f"measured and true SBR of the {name}: r"
    if not parts:
        return Figure(name, None, (aim, None), note=f"no centre has {LEAST} exams of one kind")
    each = [pearson(found[part], true[part]) for part in parts]

    def mean(rows: np.ndarray) -> float:
        drawn = [rows[groups[rows] == kind] for kind in kinds]
        drawn = [part for part in drawn if len(part) > LEAST / 2]
        return average([pearson(found[part], true[part]) for part in drawn], drawn)

    interval = tuple(bootstrap(mean, len(found)))
    note = (
        f"{len(parts)} centres and reconstructions, {sum(map(len, parts))} exams, both sides; "
        f"from {min(each):.3f} to {max(each):.3f}, pooled covariance "
        f"{pooled(found, true, parts):.3f}, over all centres {pearson(found, true):.3f}"
    )
    return Figure(name, average(each, parts), (aim, None), interval, note=note)


def pearson(a: np.ndarray, b: np.ndarray) -> float:
    """Return Pearson's correlation of all numbers of two arrays."""
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def average(correlations: Sequence[float], parts: Sequence[np.ndarray]) -> float:
    """Return the mean correlation by Fisher's z, weighted by exams less 3.

    Examples
    --------
    >>> average([0.9, 0.9], [np.arange(20), np.arange(13)])
    0.9
    """
    weights = [len(part) - 3 for part in parts]
    return round(float(np.tanh(np.average(np.arctanh(correlations), weights=weights))), 12)


def pooled(found: np.ndarray, true: np.ndarray, parts: Sequence[np.ndarray]) -> float:
    """Return r of what is left when each part's mean is taken off: parts' slopes count as noise."""
    rest = [
        np.concatenate([(values[part] - values[part].mean()).ravel() for part in parts])
        for values in (found, true)
    ]
    return pearson(*rest)


def recovery_figures() -> Iterator[Figure]:
    """Yield measured recovery over the predicted one; the worst patient must hold."""
    rows = pd.DataFrame([recoveries(set_up(index)) for index in range(PATIENTS)])
    for structure in ("caudate", "putamen"):
        found, said = rows[f"{structure}_found"], rows[f"{structure}_predicted"]
        over = found / said
        note = (
            f"{PATIENTS} normal patients, noise-free, and their range; recovery "
            f"{found.mean():.2f}, predicted {said.mean():.2f} at {rows['fwhm'].mean():.1f} mm; "
            f"with 4 iterations {(rows[f'{structure}_short'] / said).mean():.2f} of it"
        )
        yield Figure(f"recovery of the {structure} over theory's", float(over.mean()), (0.9, 1.1),
                     (float(over.min()), float(over.max())), note=note, clearly=True)  # fmt: skip


def recoveries(one: Setup) -> dict[str, float]:
    """Return measured over true SBR, as found in images and as resolution predicts."""
    collimator = one.exam.protocol.collimator
    fwhm = float(np.hypot(collimator.fwhm(one.exam.radius_mm), OSEM.postfilter_mm))
    rest = np.sqrt(fwhm**2 - SAMPLED_MM**2)  # the field's voxels hold a part of it already
    images = {
        "predicted": ndimage.gaussian_filter(one.head.activity, rest * SIGMA / FIELD_MM),
        "found": one.image(CONVERGED),
        "short": one.image(OSEM),
    }
    row, true = {"fwhm": fwhm}, true_sbr(one.patient)
    for kind, image in images.items():
        prepared = prepare_scan(
            Scan(np.float32(image), field_about(one.exam.orbit_centre), None, ())
        )
        measured = measure_prepared(prepared)
        for structure in ("caudate", "putamen"):
            over = both_sides(measured, structure) / both_sides(true, structure)
            row[f"{structure}_{kind}"] = over
    return row


def both_sides(sbr: dict[str, float], structure: str) -> float:
    """Return the mean SBR of both sides."""
    return (sbr[f"{structure}_left"] + sbr[f"{structure}_right"]) / 2


def asymmetry_figure(
    structure: str, found: np.ndarray, truth: pd.DataFrame, aim: float | None = 99
) -> Figure:
    """Return the share of clearly uneven putamina whose weaker side is the measured one."""
    left, right = frame_of_sides(truth, "sbr_putamen").T
    true = np.array([asymmetry(*pair) for pair in zip(left, right, strict=True)])
    uneven = np.abs(true) > UNEVEN
    right_sign = np.sign(found) == np.sign(true)
    missed = np.abs(true[uneven & ~right_sign])
    note = f"missed ones: {', '.join(f'{size:.0f}' for size in sorted(missed)) or 'none'} %"
    name = f"sign of an asymmetry beyond {UNEVEN:g} %: {structure}"
    return share(name, right_sign[uneven], (aim, None), note)


def error_figure(structure: str, table: pd.DataFrame, truth: pd.DataFrame) -> Figure:
    """Return how far asymmetries lie from the true ones, SD over exams, per cent."""
    sides = frame_of_sides(truth, f"sbr_{structure.rpartition('_')[2]}")
    error = table[f"{structure}_asymmetry"].to_numpy() - [asymmetry(*pair) for pair in sides]
    interval = tuple(bootstrap(lambda rows: error[rows].std(), len(error)))
    note = f"mean {error.mean():.1f}; noise, regions and recovery together"
    name = f"error of the asymmetry of the {structure.replace('_', ' ')}: SD"
    return Figure(name, float(error.std()), (None, None), interval, "%", note)


def repeat_figures(table: pd.DataFrame) -> Iterator[Figure]:
    """Yield by how much asymmetries vary between scans of a patient: the SD of one, per cent.

    The first exams are counted anew: patient, pose, camera and reconstruction are the same. The
    report tells its reader so (``datkit/view/pages/report.html``).
    """
    names = [f"{name}_asymmetry" for name in (*REPORTED, "whole_caudate", "soft_caudate")]
    uids = table.index[:REPEATS]
    again = pd.DataFrame([scan_again(uid) for uid in uids], uids)[names]
    apart = (table.loc[uids, names] - again).to_numpy() / np.sqrt(2)
    for name, values in zip(names, apart.T, strict=True):
        interval = tuple(bootstrap(lambda rows, x=values: spread_of(x[rows]), len(values)))
        title = f"{name.replace('_', ' ')} between two scans of a patient: SD"
        yield Figure(title, spread_of(values), (None, None), interval, "%", f"{len(uids)} patients")


def spread_of(values: np.ndarray) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(values**2)))


def scan_again(uid: str) -> dict[str, float]:
    """Return the measures of an exam whose photons are counted once more."""
    drawn = drawn_exam(uid)
    exam = replace(drawn.acquisition, noise_seed=drawn.acquisition.noise_seed + 1)
    data = acquire(paint(drawn.patient)[0], drawn.patient.shape, exam)
    return measure_prepared(prepare_scan(Scan(np.float32(data), exam.affine, None, ())))


def bound_figures(
    boxes: np.ndarray, centres: np.ndarray, truth: pd.DataFrame, groups: np.ndarray
) -> Iterator[Figure]:
    """Yield what the best fixed weights on all voxels would reach: nothing to hold, a bound."""
    caudate, putamen = (frame_of_sides(truth, f"sbr_{name}") for name in ("caudate", "putamen"))
    by = ", by the best fixed weights"
    yield max(
        (
            correlation_figure(f"caudate{by}", found, caudate, groups, None)
            for found in linear.bindings(boxes, caudate, centres)
        ),
        key=_value,
    )
    yield max(
        (
            asymmetry_figure(f"putamen{by}", found, truth, None)
            for found in linear.differences(boxes, putamen, centres)
        ),
        key=_value,
    )


def _value(figure: Figure) -> float:
    return -np.inf if figure.value is None else figure.value


def normal_figures(exams: pd.DataFrame, table: pd.DataFrame, normal: pd.Series) -> Iterator[Figure]:
    """Yield mean and SD of the z-scores of exams of normal pattern, and their range by centre."""
    scores = pd.DataFrame(
        [
            compare_with_normals(row, one.age, one.sex, one.reconstruction)["z"]
            for (_, row), one in zip(
                table[normal].iterrows(), exams[normal].itertuples(), strict=True
            )
        ]
    )
    scores = scores[list(ZS)].set_axis(exams.index[normal])
    centres = exams.loc[normal, "centre"]
    large = centres.map(centres.value_counts()) >= LEAST
    for name in ZS:
        z = scores[name].to_numpy()
        by = scores.loc[large, name].groupby(centres[large])
        for what, target, act in (("mean", (-0.3, 0.3), np.mean), ("SD", (0.8, 1.25), np.std)):
            each = by.agg(act)
            note = f"n = {len(z)}"
            if len(each):
                note += f"; {len(each)} centres from {each.min():.2f} to {each.max():.2f}"
            interval = tuple(bootstrap(lambda rows, z=z, act=act: act(z[rows]), len(z)))
            title = f"z of {name.replace('_', ' ')} in normal exams: {what}"
            yield Figure(title, float(act(z)), target, interval, note=note)
