"""Do simulated normals look like real ones: their mean against two real group means.

Every exam is brought to the standard head by the pose that was drawn for it (and, beside that, by
the pose that our registration finds), scaled by its occipital uptake and averaged. The mean is
blurred by a fixed 12 mm, so that it is about as coarse as map A of :mod:`real_maps`, which is
aligned rigidly, since it lies some mm off. The map's ventricles and sulci were zeroed: only voxels
above 5 count. What limits the agreement is that mask, the map's own template, and 174 heads of one
site's camera; two published real templates agree with each other at about r = 0.92. The bands of
all else contain map B too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy import ndimage, optimize

from benchmarks.cohort.geometry import standard_to_scanner
from benchmarks.cohort.real_maps import (
    BOX,
    MARGIN_MM,
    PLACES,
    fit_levels,
    load_rows,
    measure_shape,
    read_scalp,
)
from benchmarks.common.figures import Figure, bootstrap
from datkit.io.scan import Scan, load_scan
from datkit.measure import asymmetry
from datkit.prepare import GRID, load_regions, prepare_scan, reference_level
from datkit.prepare.sampling import blur, crop, sample, transform
from datkit.simulate.camera.acquisition import Acquisition, draw_acquisition, rotation
from datkit.simulate.camera.centres import usual_centres
from datkit.simulate.camera.imaging import acquire
from datkit.simulate.patient.anatomy import AFFINE, standard_anatomy
from datkit.simulate.patient.person import SIDES, Patient, draw_patient
from datkit.simulate.patient.uptake import paint
from datkit.threads import one_thread

EXAMS, SEED, DRAWS = 40, 40, 200
BLUR_MM, VALID = 12.0, 5.0
SHAPE, ORIGIN, STEP = (82, 98, 76), (-121.5, -159.0, -102.0), 3.0  # of the means, wider than heads
AIR_MM, SHELL_MM, BOTTOM_MM = 12.0, 40.0, -60.0  # beyond a blurred skin; no neck, no shoulders

MAP_AFFINE = np.diag([STEP, STEP, STEP, 1.0])
MAP_AFFINE[:3, 3] = ORIGIN
REGIONAL = ("caudate SBR", "putamen SBR", "caudate over putamen", "front over back of putamen",
            "peak SBR", "peak, distance from the midline", "peak, place from back to front",
            "thalamus over occipital", "cerebellum over occipital", "asymmetry")  # fmt: skip
FITTED = ("posterior putamen", "ventral striatum")  # each over the anterior putamen
LEVELS = (*REGIONAL[:4], *(f"contrast at z {z}, y {y}" for z, y in PLACES))


@dataclass(frozen=True)
class Means:
    """Simulated normals in the standard head, each over its occipital uptake.

    Attributes
    ----------
    known, found : array, float32 (exams, 82, 98, 76)
        By the drawn pose, and by the pose that registration found.
    seen : array, bool (exams, 82, 98, 76)
        What each exam's field of view holds, by the drawn pose.
    """

    known: np.ndarray
    found: np.ndarray
    seen: np.ndarray


def measure(
    real: Path | None = None, n_jobs: int = 1, seed: int = SEED, progress: bool = True
) -> Iterator[Figure]:
    """Yield the figures of likeness; without `real`, the file of map A, its values are the table's.

    Correlations need the file.
    """
    exams = simulate_normals(EXAMS, n_jobs, seed, progress)
    outside, scalp = outside_head(exams), scalp_of(exams)
    for volume in (*exams.known, *exams.found):
        volume[:] = blur(volume, MAP_AFFINE, BLUR_MM)
    shown = {name: row.values for name, row in load_rows().items()}
    if real is not None:
        values, points = _read_map(real)
        to_standard = _align(exams.known.mean(axis=0), values, points)
        yield from _agreement("known", exams.known, values, transform(to_standard, points))
        there = transform(_align(exams.found.mean(axis=0), values, points), points)
        yield from _agreement("found", exams.found, values, there)
        for name, value in measure_map(real, to_standard).items():
            shown[name] = shown[name] | {"A": value}
    yield from compared(exams.known, scalp, shown)
    yield unsaid(shown)
    yield outside


def measure_map(path: Path, to_standard: np.ndarray) -> dict[str, float]:
    """Measure the real map as simulated exams are: regions where it is aligned, the rest as it is.

    Places are told in the map's own mm.
    """
    scan = load_scan(path)
    valid = np.where(scan.data > VALID, scan.data, 0)
    aligned = _on_canonical(valid, to_standard @ scan.affine)
    found = regional_values(aligned, np.linalg.inv(to_standard))
    found |= measure_shape(scan.data, scan.affine)
    return found | fitted_ratios(scan.data, to_standard @ scan.affine, VALID)


def compared(
    volumes: np.ndarray, scalp: dict[str, float], shown: dict[str, dict[str, float]]
) -> Iterator[Figure]:
    """Yield the simulated mean's values (of `volumes`, blurred) beside the real maps'.

    The figure that comes last says whether single exams are spread as widely as the maps disagree.
    """
    near, affine = zip(
        *(crop(volume, MAP_AFFINE, BOX, MARGIN_MM) for volume in volumes), strict=True
    )
    near, canonical = np.stack(near), np.stack([_on_canonical(one, MAP_AFFINE) for one in volumes])

    def values(rows: np.ndarray) -> dict[str, float]:
        regional = regional_values(canonical[rows].mean(axis=0))
        return regional | measure_shape(near[rows].mean(axis=0), affine[0])

    everyone = np.arange(len(near))
    found = values(everyone)
    draws = bootstrap(lambda rows: [*values(rows).values()], len(near), DRAWS).T
    intervals = dict(zip(found, map(tuple, draws), strict=True))
    found |= fitted_ratios(near.mean(axis=0), affine[0]) | scalp
    for name, value in found.items():
        row = load_rows()[name]
        yield Figure(name, value, row.band, intervals.get(name), row.unit, row.note,
                     beside=shown[name])  # fmt: skip
    yield spread([values(np.array([one])) for one in everyone], shown)


def spread(exams: list[dict[str, float]], shown: dict[str, dict[str, float]]) -> Figure:
    """Return how many of the maps' levels lie in what 95 % of single exams span, in %."""
    missed, count = [], 0
    for name in LEVELS:
        low, high = np.percentile([one[name] for one in exams], [2.5, 97.5])
        outside = [key for key, value in shown[name].items() if not low <= value <= high]
        missed += [f"{key}: {name} ({low:.2f} to {high:.2f})" for key in outside]
        count += len(shown[name])
    note = f"{len(exams)} exams; outside: {'; '.join(missed) or 'none'}"
    value = 100 * (1 - len(missed) / count)
    return Figure("levels of the real maps that exams span", value, (90, None), None, "%", note)


def unsaid(shown: dict[str, dict[str, float]]) -> Figure:
    """Return how many bands leave out a real map without saying so."""
    rows = load_rows()
    out = [f"{key}: {name}" for name in shown for key in rows[name].excluded(shown[name])]
    name = "bands that leave a real map out unsaid"
    return Figure(name, float(len(out)), (None, 0), note="; ".join(out))


def fitted_ratios(volume: np.ndarray, affine: np.ndarray, valid: float = 0.0) -> dict[str, float]:
    """Return the fitted binding of parts over that of the anterior putamen."""
    level = fit_levels(volume, affine, valid)
    front = level["anterior putamen"]
    return {f"{part} over anterior putamen, fitted": level[part] / front for part in FITTED}


def scalp_of(exams: Means) -> dict[str, float]:
    """Return scalp and skull of the mean before it is blurred, over occipital uptake."""
    mean = exams.known.mean(axis=0)
    return read_scalp(mean, MAP_AFFINE, reference_level(_on_canonical(mean, MAP_AFFINE)))


def simulate_normals(count: int, n_jobs: int = 1, seed: int = SEED, progress: bool = True) -> Means:
    """Simulate normal exams at centres with attenuation correction, and bring them home."""
    from joblib import Parallel, delayed
    from tqdm.auto import tqdm

    jobs = (delayed(_one_normal)(index, seed) for index in range(count))
    done = Parallel(n_jobs=n_jobs, return_as="generator")(jobs)
    bar = tqdm(done, "likeness", total=count, unit="exam", disable=not progress)
    return Means(*map(np.stack, zip(*bar, strict=True)))


def draw_normal(index: int, seed: int = SEED) -> tuple[Patient, Acquisition]:
    """Draw a normal patient and an exam at a centre that corrects for attenuation."""
    rng = np.random.default_rng([seed, index])
    patient = draw_patient(rng, "normal")
    centres = usual_centres()
    shares = np.array([centre.share for centre in centres])
    while True:
        centre = centres[rng.choice(len(centres), p=shares / shares.sum())]
        exam = draw_acquisition(rng, centre)
        if exam.protocol.recipe.attenuation != "none":
            return patient, exam


@one_thread()
def _one_normal(index: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    patient, exam = draw_normal(index, seed)
    volume = acquire(paint(patient)[0], patient.shape, exam).astype(np.float32)
    known = standard_to_scanner(exam, patient.shape)
    found = prepare_scan(Scan(volume, exam.affine)).to_scan
    homes = [_bring_home(volume, exam.affine, pose) for pose in (known, found)]
    return homes[0][0], homes[1][0], homes[0][1]


def _bring_home(
    volume: np.ndarray, affine: np.ndarray, pose: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return an exam on the means' grid over its occipital uptake, and what it shows of it."""
    values, seen = sample(volume, affine, transform(pose, _grid_points()))
    occipital = sample(volume, affine, transform(pose, _canonical_points()))[0]
    level = reference_level(occipital.reshape(GRID.shape))
    return (values / level).reshape(SHAPE).astype(np.float32), seen.reshape(SHAPE)


@cache
def _grid_points() -> np.ndarray:
    return transform(MAP_AFFINE, np.indices(SHAPE).reshape(3, -1))


@cache
def _canonical_points() -> np.ndarray:
    return transform(GRID.affine, np.indices(GRID.shape).reshape(3, -1))


def _read_map(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the real map's valid values (n,) and where they lie, mm (3, n)."""
    scan = load_scan(path)
    valid = np.argwhere(scan.data > VALID)
    return scan.data[tuple(valid.T)], transform(scan.affine, valid.T)


def _align(mean: np.ndarray, values: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the rigid (4, 4) map mm → standard mm of the highest correlation."""
    some = slice(None, None, 4)
    pivot = points.mean(axis=1)

    def rigid(six: np.ndarray) -> np.ndarray:
        turn = np.eye(4)
        turn[:3, :3] = rotation(six[3:])
        turn[:3, 3] = pivot - turn[:3, :3] @ pivot + six[:3]
        return turn

    def miss(six: np.ndarray) -> float:
        there = sample(mean, MAP_AFFINE, transform(rigid(six), points[:, some]))[0]
        return -np.corrcoef(values[some], there)[0, 1]

    best = optimize.minimize(miss, np.zeros(6), method="Powell", options={"xtol": 0.02})
    return rigid(best.x)


def _agreement(
    kind: str, volumes: np.ndarray, values: np.ndarray, points: np.ndarray
) -> Iterator[Figure]:
    """Correlate the mean with the aligned map: in all valid voxels, then in a striatal box."""
    box = ((points > BOX[:, :1]) & (points < BOX[:, 1:])).all(axis=0)
    shown = np.stack([sample(volume, MAP_AFFINE, points)[0] for volume in volumes])
    for place, mask, least in (("valid mask", box | True, 0.90), ("striatal box", box, 0.88)):

        def r(rows: np.ndarray, mask: np.ndarray = mask) -> float:
            return float(np.corrcoef(values[mask], shown[rows].mean(axis=0)[mask])[0, 1])

        interval = tuple(bootstrap(r, len(shown), DRAWS))
        note = f"{len(shown)} exams, {mask.sum()} voxels, blurred by {BLUR_MM:g} mm"
        name = f"r in the {place}, {kind} poses"
        yield Figure(name, r(np.arange(len(shown))), (least, None), interval, note=note)


def _on_canonical(volume: np.ndarray, affine: np.ndarray) -> np.ndarray:
    values = sample(volume, affine, _canonical_points())[0]
    return values.reshape(GRID.shape).astype(np.float32)


@cache
def canonical_masks() -> dict[str, np.ndarray]:
    """Return the canonical regions, and thalamus and cerebellum, where there is brain."""
    anatomy = standard_anatomy()
    brain = sum(anatomy.tissue[kind] for kind in ("grey", "white"))
    wide = {name: np.minimum(anatomy.regions[name], brain) for name in ("thalamus", "cerebellum")}
    masks = {name: _on_canonical(weight, AFFINE) > 0.5 for name, weight in wide.items()}
    return load_regions() | masks


def regional_values(volume: np.ndarray, to_own: np.ndarray | None = None) -> dict[str, float]:
    """Return the levels and the peak of a volume on the canonical grid, by name.

    `to_own`, (4, 4), takes its mm to those in which places are told, if these are others.
    """
    sbr = volume / reference_level(volume) - 1
    mean = {name: float(sbr[mask].mean()) for name, mask in canonical_masks().items()}
    caudate, putamen = (
        np.mean([mean[f"{name}_{side}"] for side in SIDES]) for name in ("caudate", "putamen")
    )
    peaks = [_peak(sbr, load_regions()[f"striatum_{side}"]) for side in SIDES]
    places = np.transpose([place for _, place in peaks])
    if to_own is not None:
        places = transform(to_own, places)
    height, x, y = np.mean([top for top, _ in peaks]), np.ptp(places[0]) / 2, places[1].mean()
    numbers = (caudate, putamen, caudate / putamen, _front_over_back(sbr), height, x, y,
               1 + mean["thalamus"], 1 + mean["cerebellum"],
               asymmetry(mean["striatum_left"], mean["striatum_right"]))  # fmt: skip
    return dict(zip(REGIONAL, map(float, numbers), strict=True))


def _peak(sbr: np.ndarray, mask: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the highest SBR in and around a striatum, and where it lies, mm.

    It lies between voxels, at the top of a parabola through the hottest and its two neighbours
    along each axis.
    """
    around = ndimage.binary_dilation(mask, iterations=2)
    place = np.unravel_index(np.where(around, sbr, -np.inf).argmax(), sbr.shape)
    top, offset = float(sbr[place]), np.zeros(3)
    for axis, step in enumerate(np.eye(3, dtype=int)):
        below, above = sbr[tuple(place - step)], sbr[tuple(place + step)]
        slope, bend = (above - below) / 2, above + below - 2 * sbr[place]
        if bend < 0:
            offset[axis] = np.clip(-slope / bend, -0.5, 0.5)
            top += slope * offset[axis] + bend * offset[axis] ** 2 / 2
    return top, transform(GRID.affine, (place + offset)[:, None])[:, 0]


def _front_over_back(sbr: np.ndarray) -> float:
    """Return the mean SBR of the putamen's front half over its back half."""
    putamen = load_regions()["putamen_left"] | load_regions()["putamen_right"]
    rows = np.indices(GRID.shape)[1]
    front = rows >= np.median(rows[putamen])
    return float(sbr[putamen & front].mean() / sbr[putamen & ~front].mean())


def outside_head(exams: Means) -> Figure:
    """Return the mean uptake in a shell of air around the head, in % of the brain's."""
    tissue = standard_anatomy().tissue
    head = sample(sum(tissue.values()), AFFINE, _grid_points())[0].reshape(SHAPE) > 0.5
    brain = sample(tissue["grey"] + tissue["white"], AFFINE, _grid_points())[0].reshape(SHAPE) > 0.5
    away = ndimage.distance_transform_edt(~head, sampling=STEP)
    upper = _grid_points()[2].reshape(SHAPE) > BOTTOM_MM
    shell = (away > AIR_MM) & (away < SHELL_MM) & upper
    count = exams.seen.sum(axis=0)
    mean = np.where(exams.seen, exams.known, 0).sum(axis=0) / np.maximum(count, 1)
    shell, brain = shell & (count > 0), brain & upper & (count > 0)
    value = 100 * float(mean[shell].mean() / mean[brain].mean())
    note = f"{AIR_MM:g}–{SHELL_MM:g} mm from the skin, above z = {BOTTOM_MM:g} mm, no extra blur"
    return Figure("signal outside the head", value, (None, 5), None, "%", note)
