"""The exam of an entry: simulated under the atlas's one camera, prepared, measured and read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd
from nibabel.affines import from_matvec

from datkit.book.atlas.entries import Entry, load_entries
from datkit.io.scan import Scan
from datkit.measure import DEFINITIONS, measure_prepared
from datkit.measure.definitions import SBR
from datkit.measure.normals import compare_prepared
from datkit.prepare import GRID, Prepared, load_regions, prepare_scan
from datkit.prepare.grid import grid_mm
from datkit.prepare.sampling import sample
from datkit.simulate.camera import imaging
from datkit.simulate.camera.acquisition import (
    HEAD_MIDDLE,
    Acquisition,
    Motion,
    draw_acquisition,
    rotation,
)
from datkit.simulate.camera.centres import load_centres
from datkit.simulate.patient.head_shape import draw_shape
from datkit.simulate.patient.person import (
    GLANDS,
    Patient,
    draw_background,
    expected_sbr,
    standard_normal,
)
from datkit.simulate.patient.uptake import paint, seen_fractions
from datkit.simulate.readers import Reading, read_exam
from datkit.threads import one_thread

__all__ = ["Shown", "show"]

CENTRE = "centre-08"  # a dual-head camera; OSEM with attenuation (map) and scatter corrected
COUNTS, RADIUS_MM = 2_500_000, 140.0  # the most, and the middle, of that centre's ranges
FILTER_MM = 6.0  # after OSEM, as most of the centres take it
HEAD, NOISE = 7, 2026  # seeds of the one head, and of each exam's noise
REFERENCE_SHIFT = 7  # voxels of 2 mm by which the entry "reference" moves its region backwards
AGAIN = ("maximum", "reference")  # ways to show the exam of another entry
RATIOS = [name for name, one in DEFINITIONS.items() if one.kind is SBR]


@dataclass(frozen=True)
class Shown:
    """An exam of the atlas, with all that its card says.

    Attributes
    ----------
    entry : Entry
    scan : Scan
        As the camera gave it.
    prepared : Prepared
    volume : ndarray, shape (64, 80, 48)
        What is drawn: uptake, non-specific = 1.
    measures : mapping of str to float
    normals : pandas.DataFrame
        The measures beside those of normal exams of the sound camera.
    seen : mapping of str to float
        The truth: binding over that expected at this age.
    reading : Reading
        Of five simulated readers, who are told the truth and not the picture.
    """

    entry: Entry
    scan: Scan
    prepared: Prepared
    volume: np.ndarray
    measures: Mapping[str, float]
    normals: pd.DataFrame
    seen: Mapping[str, float]
    reading: Reading


def show(entry: Entry) -> Shown:
    """Return the exam of an entry; about a second, unless it is another's once more.

    Examples
    --------
    >>> shown = show(load_entries()["maximum"])
    >>> shown.entry.key, shown.scan is show(load_entries()["atypical"]).scan
    ('maximum', True)
    """
    if entry.shown not in AGAIN:
        return _simulate(entry.key)
    sound = _simulate(entry.beside)
    if entry.shown == "maximum":
        return replace(sound, entry=entry)
    mask = np.roll(load_regions()["occipital"], -REFERENCE_SHIFT, axis=1)
    wrong = float(sound.prepared.volume[mask].mean())
    measures = {
        name: (1 + value) / wrong - 1 if name in RATIOS else value
        for name, value in sound.measures.items()
    }
    normals = _compare(entry, sound.prepared, measures)
    volume = sound.volume / np.float32(wrong)
    return replace(sound, entry=entry, volume=volume, measures=measures, normals=normals)


@cache
@one_thread()
def _simulate(key: str) -> Shown:
    """Simulate, prepare, measure and read the exam of an entry."""
    entry = load_entries()[key]
    patient, exam = patient_of(entry), acquisition_of(entry)
    stored = imaging.acquire(paint(patient)[0], patient.shape, exam)
    scan = Scan(stored.astype(np.float32), exam.affine)
    prepared = prepare_scan(scan)
    measures = measure_prepared(prepared)
    tilted = entry.shown == "as_acquired"
    volume = as_acquired(scan, prepared) if tilted else prepared.volume
    normals, seen = _compare(entry, prepared, measures), seen_fractions(patient)
    reading = read_exam(np.random.default_rng([NOISE, _number(entry)]), **seen)
    return Shown(entry, scan, prepared, volume, measures, normals, seen, reading)


def patient_of(entry: Entry) -> Patient:
    """Return the atlas's one person, at an entry's age and with what it leaves of the binding."""
    mean = standard_normal()
    healthy = {
        name: expected_sbr(name.rpartition("_")[0], entry.age, entry.sex) for name in mean.healthy
    }
    rng = np.random.default_rng(HEAD)  # the same head and background, grown older
    shape = draw_shape(rng, entry.age, entry.sex)
    background = draw_background(rng, entry.age, entry.sex, entry.ssri)
    glands = {name: entry.glands * mean.glands[name] for name in GLANDS}
    return replace(
        mean, age=entry.age, sex=entry.sex, ssri=entry.ssri, healthy=healthy, loss=entry.loss,
        background=background, glands=glands, shape=shape,
    )  # fmt: skip


@cache
def _sound_acquisition() -> Acquisition:
    """Return how the atlas's camera takes a head that lies straight and still."""
    centre = load_centres()[CENTRE]
    exam = draw_acquisition(np.random.default_rng(0), centre, centre.protocols[0])
    recipe = replace(exam.protocol.recipe, postfilter_mm=FILTER_MM)
    origin = exam.head_to_scanner[:3, 3]
    size = np.array(exam.shape) - 1
    affine = np.diag([*np.linalg.norm(exam.affine[:3, :3], axis=0), 1.0])
    affine[:3, 3] = origin + HEAD_MIDDLE - affine[:3, :3] @ size / 2
    return replace(
        exam, affine=affine, head_to_scanner=from_matvec(np.eye(3), origin), edge=0.0,
        orbit_centre=origin + HEAD_MIDDLE, counts=COUNTS, radius_mm=RADIUS_MM, motion=None,
        protocol=replace(exam.protocol, recipe=recipe),
    )  # fmt: skip


def acquisition_of(entry: Entry) -> Acquisition:
    """Return an entry's acquisition: the sound one, with what the entry changes."""
    change, exam = dict(entry.camera), _sound_acquisition()
    exam = replace(exam, noise_seed=NOISE + _number(entry) + entry.noise)
    if roll := change.pop("roll", 0):
        exam = replace(exam, head_to_scanner=_turned(exam, (0, roll, 0)) @ exam.head_to_scanner)
    if moved := change.pop("motion", None):
        *by, yaw = moved
        motion = from_matvec(np.eye(3), by) @ _turned(exam, (0, 0, yaw))
        exam = replace(exam, motion=Motion(0.5, motion))
    if "attenuation" in change:
        recipe = replace(exam.protocol.recipe, attenuation=change.pop("attenuation"), scatter=False)
        exam = replace(exam, protocol=replace(exam.protocol, recipe=recipe))
    if lost := change.pop("lost_behind_mm", 0):
        exam = _cut_behind(exam, lost)
    return replace(exam, **change)


def as_acquired(scan: Scan, prepared: Prepared) -> np.ndarray:
    """Return a scan on the canonical grid, shifted and sized but not turned, reference = 1."""
    to_scan = prepared.to_scan
    size = np.cbrt(np.linalg.det(to_scan[:3, :3]))
    middle = np.array([[0.0], [0.0], [4.0]])  # between the striata, mm
    place = to_scan[:3, :3] @ middle + to_scan[:3, 3:]
    points = size * (grid_mm().reshape(3, -1) - middle) + place
    voxels = sample(scan.data, scan.affine, points)[0].reshape(GRID.shape)
    return voxels / float(prepared.quality["reference"])


def _compare(entry: Entry, prepared: Prepared, measures: Mapping[str, float]) -> pd.DataFrame:
    """Compare measures with the normal exams of the sound camera, as its department would."""
    recipe = _sound_acquisition().protocol.recipe.in_words
    table = compare_prepared(prepared, measures, entry.age, entry.sex, recipe)
    assert table is not None  # age and sex are told
    return table


def _turned(exam: Acquisition, degrees: tuple[float, ...]) -> np.ndarray:
    """Return a rotation about the middle of the head, scanner mm to scanner mm."""
    middle = exam.head_to_scanner[:3, :3] @ HEAD_MIDDLE + exam.head_to_scanner[:3, 3]
    turn = rotation(degrees)
    return from_matvec(turn, middle - turn @ middle)


def _cut_behind(exam: Acquisition, mm: float) -> Acquisition:
    """Return an acquisition whose field ends so many mm before the back of the brain."""
    behind = exam.head_to_scanner[1, 3] - 95.0 + mm  # the brain's back, of a head of mean size
    step = exam.affine[1, 1]
    lost = int(np.ceil((behind - exam.affine[1, 3]) / step))
    affine = exam.affine.copy()
    affine[1, 3] += lost * step
    columns, rows, slices = exam.shape
    return replace(exam, affine=affine, shape=(columns, rows - lost, slices))


def _number(entry: Entry) -> int:
    """Return a number that belongs to an entry, whatever its place in the table."""
    return int.from_bytes(entry.key.encode()[-6:], "big")
