"""Where a NIfTI file says that its voxels lie: left and right are the file's own, or told.

A header has two ways to say it. The sform is an affine; the qform is a rotation with the voxel size
of ``pixdim``; each has a code, and with a code of 0 it says nothing (nifti1.h of the NIfTI Data
Format Working Group, methods 1 to 3). Of a file where neither says anything, as of any file in the
older Analyze format, nobody can tell left from right.
"""

from __future__ import annotations

from contextlib import suppress

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from datkit.io.scan import ROUNDING, geometry_problems, shown_size, stated_affine
from datkit.problems import Problem

__all__ = ["Fault", "find_geometry"]

# By the codes of xyzt_units: millimetres in one, and what is said of it. Others are millimetres.
UNITS = {1: (1000.0, ", in metres by xyzt_units"), 3: (0.001, ", in micrometres by xyzt_units")}
# Heads lie askew by up to 40° (the challenge's affines), and so may an sform against the scanner.
ASKEW = 45.0
# Numbers of five digits turn axes by less than 0.01°; over a head of 200 mm, 1° is one voxel.
STRAIGHT = 1.0
TELL = (
    "If it is known where the axes i, j and k of the voxels point to, say so with --orientation "
    "(in Python, orientation=), such as RAS: to the right, to the front, up."
)
CORRECT = "Correct pixdim, or the unit in xyzt_units, in the header; or export the exam again."
TELL_SIZE = (
    "Correct the header (its unit stands in xyzt_units), or export the exam again; or, where "
    "pixdim is right, say --orientation, such as RAS."
)

Fault = tuple[Problem, str]  # what is wrong, and how it can be mended; "" if it cannot


def find_geometry(
    header: nib.AnalyzeHeader, stored: np.ndarray, told: str | None, where: str
) -> tuple[np.ndarray, str, list[Fault]]:
    """Return where voxels lie: indices to mm (RAS+), :attr:`Scan.orientation`, and what is wrong.

    Parameters
    ----------
    header : nibabel.AnalyzeHeader
        Of NIfTI or Analyze, as nibabel mends it.
    stored : array, shape (4,)
        The first values of its field ``pixdim`` before that: the handedness of the qform, and the
        voxel size along i, j and k.
    told : str, optional
        Where the axes point to, such as ``"RAS"``. It holds, and is contradictory where a header
        says something else.
    where : str
        The file, for messages.
    """
    unit = int(header["xyzt_units"]) % 8 if isinstance(header, nib.Nifti1Header) else 0
    scale, said = UNITS.get(unit, (1.0, ""))
    sizes = np.abs(stored[1:]) * scale
    own = _forms(header, stored, scale)
    forms = {} if told else own
    by_size = {"pixdim": stated_affine(told or "RAS", sizes)}
    name, affine = next(iter((forms or by_size).items()))
    remedy = TELL_SIZE if forms else CORRECT
    faults = [(one, "") for one in geometry_problems(affine, f"{name}{said}", where, remedy)]
    if told:
        agrees = not own or tuple(told.upper()) in map(nib.aff2axcodes, own.values())
        return affine, "stated" if agrees else "contradictory", faults
    if not forms:
        return affine, "unknown", [*faults, _unknown(header, where)]
    if faults or name == "qform":
        return affine, "known", faults
    turned = _contradiction(forms, where)
    # With other codes they tell of other spaces, such as the scanner's and an atlas'.
    same = header["qform_code"] == header["sform_code"] or any(one.is_error for one, _ in turned)
    faults = turned + _other_size(affine, sizes, where) + _sheared(affine, where)
    return affine, "contradictory" if turned and same else "known", faults


def _forms(header: nib.AnalyzeHeader, stored: np.ndarray, scale: float) -> dict[str, np.ndarray]:
    """Return the affines that a header gives, the one that holds first; odd codes count as 0."""
    found: dict[str, np.ndarray] = {}
    if not isinstance(header, nib.Nifti1Header):
        return found
    if header["sform_code"] > 0 and header.get_sform()[:3, :3].any():
        found["sform"] = header.get_sform()
    if header["qform_code"] > 0 and stored[0] in (-1, 0, 1) and (stored[1:] > 0).all():
        with suppress(HeaderDataError, ValueError):  # no quaternion of a rotation
            found |= {"qform": form} if np.isfinite(form := header.get_qform()).all() else {}
    for form in found.values():
        form[:3] *= scale
    return found


def _unknown(header: nib.AnalyzeHeader, where: str) -> Fault:
    found = "an Analyze header, which cannot say so"
    if isinstance(header, nib.Nifti1Header):
        codes = f"qform_code {header['qform_code']}, sform_code {header['sform_code']}"
        found = f"no sound qform or sform ({codes})"
    expected = "a header that says where left and right are"
    problem = Problem("orientation-unknown", where, expected, found, TELL)
    return problem, "took the axes to be RAS, though the file does not say where left and right are"


def _contradiction(forms: dict[str, np.ndarray], where: str) -> list[Fault]:
    """Tell a qform and an sform that mirror or turn each other; within 45° sides are the same."""
    columns = [form[:3, :3] / nib.affines.voxel_sizes(form) for form in forms.values()]
    cosine = np.prod(columns, axis=0).sum(axis=0).min()
    angle = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    if len(forms) < 2 or angle < STRAIGHT:
        return []
    said = [f"{''.join(map(str, nib.aff2axcodes(f)))} in the {name}" for name, f in forms.items()]
    found = f"{' and '.join(said)}, axes up to {angle:.0f}° apart"
    expected = "a qform and an sform that agree on left and right, front and back"
    severity = "error" if angle > ASKEW else "warning"
    problem = Problem("orientation-contradictory", where, expected, found, TELL, severity)
    mended = "took the orientation from the sform, which the qform contradicts"
    return [(problem, f"{mended} by {angle:.0f}°")]


def _other_size(affine: np.ndarray, sizes: np.ndarray, where: str) -> list[Fault]:
    """Tell a pixdim that is corrupt, or of another size than the sform; 0 says nothing."""
    of_sform = nib.affines.voxel_sizes(affine)
    if not sizes.any() or np.allclose(of_sform, sizes, rtol=ROUNDING, atol=0):
        return []
    found = f"{shown_size(of_sform)} in the sform, {shown_size(sizes)} in pixdim"
    differs = Problem("spacing-contradictory", where, "one voxel size", found, TELL_SIZE)
    corrupt = geometry_problems(np.diag([*sizes, 1.0]), "pixdim", where, CORRECT)
    problem = next(corrupt, differs)
    return [(problem, "took the spacing from the sform, which pixdim contradicts")]


def _sheared(affine: np.ndarray, where: str) -> list[Fault]:
    """Tell an sform whose axes are not at right angles, as no scanner's are."""
    columns = affine[:3, :3] / nib.affines.voxel_sizes(affine)
    angle = np.degrees(np.arcsin(np.abs(columns.T @ columns - np.eye(3)).max()))
    if angle < STRAIGHT:
        return []
    found = f"two that are {90 - angle:.0f}° apart"
    expected = "axes at right angles in the sform"
    return [(Problem("axes-sheared", where, expected, found, TELL_SIZE), "kept a sheared sform")]
