"""Where a NIfTI file says that its voxels lie: left and right are the file's own, or told.

A header has two ways to say it. The sform is an affine; the qform is a rotation with the voxel size
of ``pixdim``; each has a code, and with a code of 0 it says nothing (nifti1.h of the NIfTI Data
Format Working Group, methods 1 to 3). Of a file where neither says anything, as of any file in the
older Analyze format, nobody can tell left from right.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from datkit.io.scan import geometry_problems, shown_size, stated_affine
from datkit.problems import Problem

__all__ = ["Fault", "Geometry", "find_geometry"]

MILLIMETRES = {1: 1000.0, 3: 0.001}  # in a metre and a micrometre, by the codes of xyzt_units
UNITS = {1: ", in metres by xyzt_units", 3: ", in micrometres by xyzt_units"}
ROUNDING = 0.02  # share; a size that is written with two digits, such as 2.5 for 2.46, is within
# Heads lie askew by up to 40° (the challenge's affines), and so may an sform against the scanner.
SAME_WAY = np.cos(np.radians(45.0))
TELL = (
    "If it is known where the axes i, j and k of the voxels point to, say so with --orientation, "
    "such as RAS (to the right, to the front, up)."
)
CORRECT = "Correct pixdim, or the unit in xyzt_units, in the header; or export the exam again."
EITHER = (
    "Correct the wrong one in the header, or say --orientation, such as RAS: pixdim then holds."
)

Fault = tuple[Problem, str]  # what is wrong, and how it can be mended; "" if it cannot


class Geometry(NamedTuple):
    """Where voxels lie: voxel indices to mm (RAS+), :attr:`Scan.orientation`, and the faults."""

    affine: np.ndarray
    orientation: str
    faults: list[Fault]


def find_geometry(
    header: nib.AnalyzeHeader, stored: np.ndarray, told: str | None, where: str
) -> Geometry:
    """Return where the voxels of a file lie.

    Parameters
    ----------
    header : nibabel.AnalyzeHeader
        Of NIfTI or Analyze, as nibabel mends it.
    stored : array, shape (4,)
        The first values of its field ``pixdim`` before that: the handedness of the qform, and the
        voxel size along i, j and k.
    told : str, optional
        Where the axes point to, such as ``"RAS"``; what the header says of it is not looked at.
    where : str
        The file, for messages.
    """
    unit = int(header["xyzt_units"]) % 8 if "xyzt_units" in header else 0
    scale = MILLIMETRES.get(unit, 1.0)
    forms = _forms(header, stored)
    for form in forms.values():
        form[:3] *= scale
    sizes = np.abs(stored[1:]) * scale
    if told or not forms:
        affine = stated_affine(told or "RAS", sizes)
        wrong = geometry_problems(affine, f"pixdim{UNITS.get(unit, '')}", where, CORRECT)
        unknown = [] if told else [_unknown(header, where)]
        return Geometry(affine, "stated" if told else "unknown", [*_hopeless(wrong), *unknown])
    name, affine = next(iter(forms.items()))
    faults = _hopeless(geometry_problems(affine, f"{name}{UNITS.get(unit, '')}", where, CORRECT))
    if faults:
        return Geometry(affine, "known", faults)
    mirrored = _contradiction(forms, where)
    orientation = "contradictory" if mirrored else "known"
    return Geometry(affine, orientation, mirrored + _other_size(affine, sizes, name, where))


def _forms(header: nib.AnalyzeHeader, stored: np.ndarray) -> dict[str, np.ndarray]:
    """Return the affines that a header gives, the one that holds first; odd codes count as 0."""
    found: dict[str, np.ndarray] = {}
    if not isinstance(header, nib.Nifti1Header):
        return found
    if header["sform_code"] > 0:
        found["sform"] = header.get_sform()
    if header["qform_code"] > 0:
        with suppress(HeaderDataError, ValueError):  # no quaternion of a rotation
            if stored[0] in (-1, 0, 1) and (stored[1:] > 0).all():
                found["qform"] = header.get_qform()
    return found


def _hopeless(problems: Iterable[Problem]) -> list[Fault]:
    return [(problem, "") for problem in problems]


def _unknown(header: nib.AnalyzeHeader, where: str) -> Fault:
    found = "an Analyze header, which cannot say so"
    if isinstance(header, nib.Nifti1Header):
        codes = f"qform_code {header['qform_code']}, sform_code {header['sform_code']}"
        found = f"no sound qform or sform ({codes})"
    expected = "a header that says where left and right are"
    problem = Problem("orientation-unknown", where, expected, found, TELL)
    return problem, "took the axes to be RAS, though the file does not say where left and right are"


def _contradiction(forms: dict[str, np.ndarray], where: str) -> list[Fault]:
    """Tell a qform and an sform that mirror or turn each other."""
    cosines = [form[:3, :3] / nib.affines.voxel_sizes(form) for form in forms.values()]
    if len(forms) < 2 or (np.sum(cosines[0] * cosines[1], axis=0) > SAME_WAY).all():
        return []
    letters = {name: "".join(nib.aff2axcodes(form)) for name, form in forms.items()}
    angle = np.degrees(np.arccos(np.clip(np.sum(cosines[0] * cosines[1], axis=0).min(), -1, 1)))
    expected = "a qform and an sform that agree on left and right, front and back"
    found = " and ".join(f"{axes} in the {name}" for name, axes in letters.items())
    found += f", axes up to {angle:.0f}° apart"
    problem = Problem("orientation-contradictory", where, expected, found, TELL)
    return [(problem, "took the orientation from the sform, which the qform contradicts")]


def _other_size(affine: np.ndarray, sizes: np.ndarray, name: str, where: str) -> list[Fault]:
    """Tell a pixdim that is corrupt, or of another size than the sform; 0 says nothing."""
    if name == "qform" or not sizes.any():
        return []
    if corrupt := [*geometry_problems(np.diag([*sizes, 1.0]), "pixdim", where, CORRECT)]:
        mended = "took the spacing from the affine, since pixdim is corrupt"
        return [(problem, mended) for problem in corrupt]
    of_sform = nib.affines.voxel_sizes(affine)
    if np.allclose(of_sform, sizes, rtol=ROUNDING, atol=0):
        return []
    found = f"{shown_size(of_sform)} in the sform, {shown_size(sizes)} in pixdim"
    problem = Problem("spacing-contradictory", where, "one voxel size", found, EITHER)
    return [(problem, "took the spacing from the sform, which pixdim contradicts")]
