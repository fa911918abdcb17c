"""Does physics emerge: what corrections, counts and resolution do, measured on phantoms and heads.

Corrections are switched on and off on the same expected counts, without noise; binding is measured
in the patient's own true masks, so that no registration is in it. The reference is occipital, but
for the gains of corrections the whole brain without the striatum, as in the study that they are
compared with (Tossici-Bolt 2017, 10.1186/s40658-017-0175-6): attenuation correction lifts the deep
brain more than the occipital lobe, so that gains over the latter are larger. Age slope and
asymmetry are those of a prepared cohort, measured as any exam.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import ndimage

from benchmarks.cohort.phantoms import SIGMA, measure_phantoms
from benchmarks.common.figures import Figure, bootstrap
from datkit.measure import measure_cohort
from datkit.prepare import PreparedCohort
from datkit.prepare.sampling import transform
from datkit.simulate.camera.acquisition import Acquisition, draw_acquisition
from datkit.simulate.camera.centres import usual_centres
from datkit.simulate.camera.imaging import (
    FIELD,
    FIELD_MM,
    SAMPLED_MM,
    Counts,
    Head,
    broad_background,
    camera_of,
    count,
    field_about,
    place,
    reconstruct,
)
from datkit.simulate.camera.projector import Projector
from datkit.simulate.camera.protocols import Recipe
from datkit.simulate.patient.anatomy import AFFINE, standard_anatomy
from datkit.simulate.patient.head_shape import deform
from datkit.simulate.patient.person import SIDES, Patient, draw_patient
from datkit.simulate.patient.uptake import paint
from datkit.threads import one_thread

SEED, PATIENTS, REPEATS = 7, 4, 6
SPILL_MM = 14.0  # as far as the striatum's uptake is blurred
FILTERS_MM = (0.0, 2.0, 4.0, 6.0, 8.0)  # post-filters, so that 9 and 11 mm lie between them
OSEM = Recipe("osem", "map", scatter=True, iterations=4, subsets=6, postfilter_mm=6.0)
FBP = Recipe("fbp", "uniform", scatter=True, cutoff=0.55)


@dataclass(frozen=True)
class Setup:
    """One patient at one camera, before any count is drawn."""

    patient: Patient
    exam: Acquisition
    head: Head
    camera: Projector
    primary: np.ndarray
    broad: np.ndarray
    true_putamen: float

    def image(self, recipe: Recipe, counts: Counts | None = None) -> np.ndarray:
        """Return what a recipe makes of these counts, by default of those that are expected."""
        counts = counts or Counts(self.primary + self.broad, self.broad, 1.0)
        return reconstruct(counts, self.camera, self.head.attenuation, recipe)

    def sbr(self, image: np.ndarray, region: str, reference: str = "occipital") -> float:
        """Return the SBR of a region, both sides, in this patient's own true masks."""
        to_field = np.linalg.inv(field_about(self.exam.orbit_centre))
        target, level = (
            ndimage.map_coordinates(
                image, transform(to_field, self.points_of(name)), order=3
            ).mean()
            for name in (region, reference)
        )
        return float(target / level - 1)

    def points_of(self, region: str) -> np.ndarray:
        """Return the scanner mm (3, n) of the voxels that a region fills to more than half."""
        inside = self._mask(_brain if region == "brain" else lambda: _region(region))
        if region == "brain":  # and keeps away from what the striatum spills
            near = ndimage.binary_dilation(self._mask(_striata), iterations=round(SPILL_MM / 2))
            inside = ndimage.binary_erosion(inside, iterations=2) & ~near
        return transform(self.exam.head_to_scanner @ AFFINE, np.argwhere(inside).T)

    def _mask(self, weight: Callable[[], np.ndarray]) -> np.ndarray:
        return deform(weight(), self.patient.shape) > 0.5


def _region(region: str) -> np.ndarray:
    """Return the standard weights of a region, of both sides if it has two."""
    regions = standard_anatomy().regions
    return sum(regions[n] for n in regions if n in (region, *(f"{region}_{s}" for s in SIDES)))


def _striata() -> np.ndarray:
    return _region("caudate") + _region("putamen") + _region("ventral_striatum")


def _brain() -> np.ndarray:
    tissue = standard_anatomy().tissue
    return tissue["grey"] + tissue["white"] + _striata()


def measure(
    prepared: PreparedCohort | None, truth: pd.DataFrame | None, seed: int = SEED
) -> Iterator[Figure]:
    """Yield the figures of physics; those of a cohort only if one is given."""
    with one_thread():
        yield from measure_phantoms()
        setups = [set_up(index, seed) for index in range(PATIENTS)]
        yield from conserved_counts(setups[0])
        yield noise_by_counts(setups[0])
        yield from correction_gains(setups)
        yield from recovery(setups)
    if prepared is not None:
        yield from cohort_figures(measure_cohort(prepared), prepared.table, truth)


def set_up(index: int, seed: int = SEED) -> Setup:
    """Draw a normal patient who lies still under a dual-head camera, and expect its counts.

    The published gains and recoveries are of such cameras, not of rings of semiconductors.
    """
    rng = np.random.default_rng([seed, index])
    patient = draw_patient(rng, "normal")
    centres = [centre for centre in usual_centres() if centre.camera.startswith("dual head")]
    exam = replace(draw_acquisition(rng, centres[index % len(centres)]), motion=None)
    activity, sbr = paint(patient)
    head = place(activity, patient.shape, exam)
    camera = camera_of(head, exam)
    primary = camera.project(head.activity)
    broad = broad_background(primary, exam.protocol.collimator.penetration)
    true = float(np.mean([sbr[f"putamen_{side}"] for side in SIDES]))
    return Setup(patient, exam, head, camera, primary, broad, true)


def correction_gains(setups: list[Setup]) -> Iterator[Figure]:
    """How much striatal SBR rises with each correction; beside it, by other reconstructions.

    The published gains are those of a uniform attenuation map with one broad-beam value.
    """
    uniform = replace(OSEM, attenuation="uniform")
    gains = {
        "OSEM, uniform map, whole-brain reference": _gains(setups, uniform, "brain"),
        "occipital reference": _gains(setups, uniform, "occipital"),
        "measured map": _gains(setups, OSEM, "brain"),
        "FBP with Chang's method": _gains(setups, FBP, "brain"),
    }
    main, *others = gains
    for column, (kind, target) in enumerate((("attenuation", (12, 20)), ("scatter", (25, 32)))):
        values = gains[main][:, column]
        beside = ", ".join(f"{name} {gains[name][:, column].mean():.1f} %" for name in others)
        note = f"{PATIENTS} normal patients and their range; {main}; {beside}"
        interval = (float(values.min()), float(values.max()))
        name = f"SBR gained by {kind} correction"
        yield Figure(name, float(values.mean()), target, interval, "%", note)


def _gains(setups: list[Setup], recipe: Recipe, reference: str) -> np.ndarray:
    """Return the gains in % by attenuation, then by scatter correction, (patients, 2)."""
    off = replace(recipe, attenuation="none", scatter=False)
    steps = (off, replace(recipe, scatter=False), recipe)
    sbr = np.array([[_striatum(one, step, reference) for step in steps] for one in setups])
    return 100 * (sbr[:, 1:] / sbr[:, :-1] - 1)


def _striatum(one: Setup, recipe: Recipe, reference: str) -> float:
    image = one.image(recipe)
    return (one.sbr(image, "caudate", reference) + one.sbr(image, "putamen", reference)) / 2


def recovery(setups: list[Setup]) -> Iterator[Figure]:
    """Measured over true putamen SBR, all corrections on, where the image resolves 9 and 11 mm."""
    found = {9.0: [], 11.0: []}
    for one in setups:
        sharp = one.image(replace(OSEM, iterations=10, postfilter_mm=0.0))  # 8-9 mm
        images = [ndimage.gaussian_filter(sharp, fwhm * SIGMA / FIELD_MM) for fwhm in FILTERS_MM]
        widths = [image_fwhm(image, one.head.activity) for image in images]
        shares = [one.sbr(image, "putamen") / one.true_putamen for image in images]
        for width, values in found.items():
            values.append(float(np.interp(width, widths, shares)))
    for width, values in found.items():
        note = f"{PATIENTS} normal patients and their range; OSEM, both corrections, true masks"
        interval = (min(values), max(values))
        name = f"putamen recovery at {width:g} mm"
        yield Figure(name, float(np.mean(values)), (0.45, 0.60), interval, note=note)


def image_fwhm(image: np.ndarray, activity: np.ndarray) -> float:
    """Return the Gaussian blur (FWHM, mm) of the activity that is most like an image of it."""
    scale = 1 / image[activity > 0.5].mean()
    hot = ndimage.binary_dilation(activity > 2.5, iterations=3)
    widths = np.arange(6.0, 16.1, 0.25)
    misses = []
    for width in widths:
        sigma = np.sqrt(width**2 - SAMPLED_MM**2) * SIGMA / FIELD_MM
        like = ndimage.gaussian_filter(activity, sigma)[hot]
        part, offset = np.polyfit(like, image[hot] * scale, 1)
        misses.append(np.mean((part * like + offset - image[hot] * scale) ** 2))
    return float(widths[np.argmin(misses)])


def noise_by_counts(one: Setup) -> Figure:
    """Return the noise variance at twice the counts over that at once, in the brain."""
    brain = ndimage.binary_erosion(one.head.activity > 0.5, iterations=3)
    variance = []
    for total in (one.exam.counts, 2 * one.exam.counts):
        images = []
        for repeat in range(REPEATS):
            rng = np.random.default_rng([SEED, repeat, int(total)])
            images.append(one.image(OSEM, count(one.primary, one.broad, total, rng))[brain])
        variance.append(np.var(images, axis=0, ddof=1).mean())
    note = f"OSEM, {REPEATS} repeats at {one.exam.counts:.2g} and at twice as many counts"
    value = float(variance[1] / variance[0])
    return Figure("noise variance at twice the counts", value, (0.45, 0.55), note=note)


def conserved_counts(one: Setup) -> Iterator[Figure]:
    """Yield whether projection loses or makes counts, and how many are drawn of those asked for."""
    inside = np.zeros(FIELD, np.float32)
    inside[20:52, 20:52, 12:-12] = one.head.activity[20:52, 20:52, 12:-12]
    sums = one.camera.with_attenuation(None).project(inside).sum(axis=(1, 2), dtype=np.float64)
    error = 100 * float(np.abs(sums / inside.sum(dtype=np.float64) - 1).max())
    yield Figure("counts lost or made in projecting", error, (None, 1), None, "%",
                 "largest over views, no attenuation")  # fmt: skip
    drawn = count(one.primary, one.broad, one.exam.counts, np.random.default_rng(SEED))
    error = 100 * abs(float(drawn.photopeak.sum(dtype=np.float64)) / one.exam.counts - 1)
    yield Figure("counts drawn against counts asked for", error, (None, 1), None, "%",
                 f"{one.exam.counts:.3g} asked for, Poisson")  # fmt: skip


def cohort_figures(
    measures: pd.DataFrame, table: pd.DataFrame, truth: pd.DataFrame
) -> Iterator[Figure]:
    """Age slope in normals, and asymmetry in normal and abnormal exams, as measured."""
    normal = truth.loc[measures.index, "pattern"] == "normal"
    putamen = measures[["putamen_left", "putamen_right"]].mean(axis=1)
    groups = table["centre"] + table["reconstruction"]
    log, age = np.log(putamen[normal].clip(lower=0.05)), table["age"][normal]
    log, age = ((v - v.groupby(groups[normal]).transform("mean")).to_numpy() for v in (log, age))

    def slope(rows: np.ndarray) -> float:
        return 100 * (1 - np.exp(10 * (log[rows] @ age[rows]) / (age[rows] @ age[rows])))

    note = f"{len(log)} exams of normal pattern, within centre and reconstruction"
    yield Figure("putamen SBR lost per decade of age", float(slope(np.arange(len(log)))), (4, 7),
                 tuple(bootstrap(slope, len(log))), "%", note)  # fmt: skip
    uneven = measures["putamen_asymmetry"].abs()
    for label, name, target in ((0, "normal", (7, 9)), (1, "abnormal", (19, 23))):
        values = uneven[table["is_pathologic"] == label].to_numpy()
        interval = tuple(bootstrap(lambda rows, v=values: v[rows].mean(), len(values)))
        yield Figure(f"putamen asymmetry, {name} exams", float(values.mean()), target, interval,
                     "%", f"mean of 200 |L − R| / (L + R), n = {len(values)}")  # fmt: skip
