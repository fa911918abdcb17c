"""Where the voxels of a DICOM exam lie: read from what the file says, never guessed.

Columns and rows: ImageOrientationPatient, which NM objects keep with a detector; else the letters
of PatientOrientation; else how the patient lay in the gantry, as PatientPosition or as codes
(PS3.3 C.7.6.1.1.1, C.7.3.1.1.2, C.8.4.6; codes of PS3.16 CID 20 and 21, as SRT and SNOMED CT).
Slices: the sign of SpacingBetweenSlices says whether they are stacked along the cross product of
rows and columns or against it, and SliceVector which frame is which slice (PS3.3 C.8.4.8,
C.8.4.15). Files of one slice each are stacked by ImagePositionPatient. What contradicts itself is
refused, beyond rounding.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
from numpy.typing import ArrayLike

from datkit.files import RESOURCES
from datkit.io.dicom_header import items_of, number, numbers, shown, text
from datkit.io.scan import AGAIN, ROUNDING, SPACING_LIMITS, stated_affine

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["CONVERT", "Fault", "frames_affine", "places_of", "slice_order", "stack_affine"]

# The code of a problem; what was expected, what was found, what to do.
Fault = tuple[str, tuple[str, str, str]]

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
LEFT, BACK, HEAD = np.eye(3)  # DICOM millimetres point to the patient's left, back and head
TOWARDS = {"L": LEFT, "R": -LEFT, "P": BACK, "A": -BACK, "H": HEAD, "F": -HEAD}
# Images of the gantry are seen from its front: rows run to the floor, slices into the gantry.
FLOOR = {"S": BACK, "P": -BACK, "DL": LEFT, "DR": -LEFT}
GANTRY = {"HF": HEAD, "FF": -HEAD}
CODES = tomllib.loads((RESOURCES / "positions.toml").read_text(encoding="utf-8"))
TELL = (
    "If it is known where columns, rows and slices run to, say so, such as --orientation LPS (to "
    "the left, to the back, up)."
)
CONVERT = "Convert the series with dcm2niix, or export it again."


def frames_affine(header: Dataset, told: str | None, faults: list[Fault]) -> np.ndarray:
    """Return voxel indices (column, row, slice) of a multi-frame object to millimetres, RAS+.

    Parameters
    ----------
    header : pydicom.Dataset
        Of the object.
    told : str, optional
        Letters of where columns, rows and slices run to, such as ``"LPS"``, instead of the file's.
    faults : list of Fault
        What is missing or wrong is added.
    """
    turn, spacing = _turn(header, told, faults), _in_plane(header, faults)
    step = float(_agreed(header, "SpacingBetweenSlices", 1, faults)[0])
    if told:
        step = abs(step) or number(header, "SliceThickness", 0.0)
    if not step or np.isnan(step):
        expected = "SpacingBetweenSlices, whose sign says whether slices run up or down"
        names = ("SpacingBetweenSlices", "SliceThickness")
        found = "{} (SliceThickness is {})".format(*(shown(header, name) for name in names))
        remedy = AGAIN if told else f"{TELL} Slices are then as far apart as they are thick."
        faults.append(("spacing-missing", (expected, found, remedy)))
    else:
        _check_spacing(header, "SpacingBetweenSlices", abs(step), faults)
    axes = turn * [spacing[1], spacing[0], step]
    origin = next(iter(_said(header, "ImagePositionPatient", 3)), None)
    if origin is None:  # 0 mm in the middle
        sizes = [number(header, name, 1.0) for name in ("Columns", "Rows", "NumberOfFrames")]
        origin = -axes @ ((np.array(sizes) - 1) / 2)
    return LPS_TO_RAS @ nib.affines.from_matvec(axes, origin)


def slice_order(header: Dataset, frames: int, faults: list[Fault]) -> np.ndarray:
    """Return the frames in the order of their slices, shape (frames,), as SliceVector tells it."""
    vector = numbers(header, "SliceVector", frames)
    if vector is not None and np.array_equal(np.sort(vector), vector.min() + np.arange(frames)):
        return np.argsort(vector)
    if text(header, "SliceVector"):  # without it they stand in the order of slices
        expected = f"each of {frames} slices once in SliceVector"
        faults.append(("slices-mixed", (expected, shown(header, "SliceVector"), AGAIN)))
    return np.arange(frames)


def stack_affine(
    headers: Sequence[Dataset], told: str | None, faults: list[Fault]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the order of files of one slice each, and (column, row, slice) to millimetres, RAS+.

    Slices lie where their positions say, whatever else is told.
    """
    each = [(_turn(one, told, faults), _in_plane(one, faults)) for one in headers]
    turn, spacing = each[0]
    sizes = {"Rows": 1, "Columns": 1, "PixelSpacing": 2, "ImageOrientationPatient": 6}
    places = [place for one in headers for place in _said(one, "ImagePositionPatient", 3)[:1]]
    known = np.reshape(places, (-1, 3))
    order = np.argsort(known @ turn[:, 2], kind="stable")
    steps = np.diff(known[order] @ turn[:, 2])
    step = np.median(steps) if len(steps) else 0.0
    said = {
        key: {str(np.array(_said(one, key, size)[:1]).round(3) + 0) for one in headers}
        for key, size in sizes.items()
    }
    for key in ("FrameOfReferenceUID", "PatientOrientation"):
        said[key] = {text(one, key) for one in headers} - {""}
    if mixed := [key for key, values in said.items() if len(values) > 1]:
        expected, remedy = f"the same {mixed[0]} in all slices", "Keep each series in a folder."
        faults.append(("slices-mixed", (expected, "several", remedy)))
    elif len(known) < len(headers):
        found = f"none in {len(headers) - len(known)} of {len(headers)} slices"
        faults.append(("position-missing", ("ImagePositionPatient in each", found, CONVERT)))
    elif step <= 0 or (abs(steps - step) > step / 20).any():
        twice, gaps = int((steps <= step / 20).sum()), int((steps > step * 1.05).sum())
        found = f"{len(headers)}, {twice} where another is, {gaps} gaps"
        faults.append(("slices-uneven", ("slices at even distances", found, CONVERT)))
    if faults:
        return order, np.eye(4)
    faults += _stack_faults(headers, known[order], turn[:, 2], spacing.min())
    stride = (known[order[-1]] - known[order[0]]) / len(steps)
    axes = np.stack([*(turn[:, :2] * spacing[::-1]).T, stride], 1)
    return order, LPS_TO_RAS @ nib.affines.from_matvec(axes, known[order[0]])


def _stack_faults(
    headers: Sequence[Dataset], places: np.ndarray, normal: np.ndarray, pixel: float
) -> Iterator[Fault]:
    """Tell slices that are not straight above each other, or not as far apart as they say."""
    heights = (places - places[0]) @ normal
    beside = np.linalg.norm(places - places[0] - np.outer(heights, normal), axis=1).max()
    if beside > pixel / 2:  # less moves no voxel, and comes of rounded numbers
        angle = np.degrees(np.arctan2(beside, heights[-1]))
        found = f"positions that go up to {beside:.1f} mm sideways, {angle:.0f}° off"
        yield "slices-sheared", ("slices straight above each other", found, CONVERT)
    step, name = heights[-1] / (len(places) - 1), "SpacingBetweenSlices"
    said = [np.nan_to_num(abs(number(header, name, 0.0))) or step for header in headers]
    if not np.allclose(said, step, rtol=ROUNDING, atol=0):
        found = f"{max(said, key=lambda one: abs(one - step)):g} mm in it, {step:g} mm by positions"
        yield "spacing-contradictory", (f"one {name}", found, CONVERT)


def _turn(header: Dataset, told: str | None, faults: list[Fault]) -> np.ndarray:
    """Return where columns, rows and slices run to: unit vectors in LPS, shape (3, 3), in columns.

    Slices run along the cross product of the others, unless someone told where they do.
    """
    if told:
        return (LPS_TO_RAS @ stated_affine(told, np.ones(3)))[:3, :3]
    said = _said(header, "ImageOrientationPatient", 6)
    turns = [one.reshape(2, 3) for one in said if one.any()]
    words = text(header, "PatientOrientation").split("\\")
    axes = [TOWARDS[word[0]] for word in words if word[:1] in TOWARDS]
    letters = [np.stack(axes)] if len(axes) == len(words) == 2 else []
    turns = turns or (letters if max(map(len, words)) == 1 else []) or _lying(header)
    # The first letter of an oblique axis is its largest part, at least 1 / √3 of it.
    fits = all((one * two).sum(1).min() > 0.5 for one in turns for two in letters)
    square = [one for one in turns if np.allclose(one @ one.T, np.eye(2), atol=1e-3)]
    if square and fits and all(np.allclose(one, square[0], atol=1e-3) for one in turns):
        return np.stack([*square[0], np.cross(*square[0])], 1)
    found = "two that contradict each other" if len(turns) > 1 or not fits else "a skewed one"
    found = f"{found if turns else 'none'}, so left and right are not known"
    expected = "one ImageOrientationPatient, or how the patient lay (PatientPosition or its codes)"
    faults.append(("orientation-missing", (expected, found, TELL)))
    return np.eye(3)


def _lying(header: Dataset) -> list[np.ndarray]:
    """Return where columns and rows run to for each way in which the patient may have lain."""
    modifier = "PatientOrientationModifierCodeSequence"
    names = ("PatientOrientationCodeSequence", "PatientGantryRelationshipCodeSequence", modifier)
    codes = items_of(header, *names)
    codes += [one for code in codes for one in items_of(code, modifier)]
    words = {text(code, "CodeValue") for code in codes}
    words |= {re.sub("[^a-z]", "", text(code, "CodeMeaning").lower()) for code in codes}
    position = text(header, "PatientPosition").upper()
    said = {position[:2], position[2:]} | {key for key, known in CODES.items() if words & {*known}}
    return [
        np.stack([np.cross(floor, gantry), floor])
        for way, gantry in GANTRY.items()
        for side, floor in FLOOR.items()
        if {way, side} <= said
    ]


def _in_plane(header: Dataset, faults: list[Fault]) -> np.ndarray:
    """Return the distances of rows and of columns, shape (2,), mm."""
    spacing = _agreed(header, "PixelSpacing", 2, faults)
    _check_spacing(header, "PixelSpacing", spacing, faults)
    return spacing


def _agreed(header: Dataset, name: str, count: int, faults: list[Fault]) -> np.ndarray:
    """Return the values of an element, which must be one wherever it stands; 0 if it is absent."""
    known = np.array(_said(header, name, count) or [np.zeros(count)])
    if not np.allclose(known, known[0], rtol=ROUNDING, atol=0):
        found = " and ".join("\\".join(f"{value:g}" for value in one) for one in known)
        faults.append(("spacing-contradictory", (f"one {name}", found, AGAIN)))
    return known[0]


def _check_spacing(header: Dataset, name: str, value: ArrayLike, faults: list[Fault]) -> None:
    low, high = SPACING_LIMITS
    if np.min(value) < low or np.max(value) > high:
        expected = f"voxels of {low:g}–{high:g} mm in {name}"
        words = (expected, shown(header, name), "Correct it; its unit is mm.")
        faults.append(("spacing-impossible", words))


def places_of(header: Dataset) -> list[Dataset]:
    """Return where geometry may stand: detectors of an NM object, groups of all frames, header."""
    names = ("PixelMeasuresSequence", "PlaneOrientationSequence")
    shared = items_of(header, "SharedFunctionalGroupsSequence")
    groups = [one for group in shared for one in items_of(group, *names)]
    return [*items_of(header, "DetectorInformationSequence"), *groups, header]


def _said(header: Dataset, name: str, count: int) -> list[np.ndarray]:
    """Return an element of `count` numbers from each place that has it."""
    found = (numbers(place, name, count) for place in places_of(header))
    return [one for one in found if one is not None]
