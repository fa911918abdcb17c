"""A console of the tests' own: it exports an exam as DICOM for each way in which a patient may lie.

Nothing of the kit is used, so that the kit's reader cannot agree with itself.
"""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    NuclearMedicineImageStorage,
    RLELossless,
    generate_uid,
)

__all__ = ["ENCODINGS", "LYING", "export"]

# Where columns and rows of a slice run to, and a normal of theirs, that of a right hand: as
# PS3.3 C.7.3.1.1.2 draws the patient in the gantry, seen from its front.
LYING = {"HFS": "LPS", "HFP": "RAS", "FFS": "RPI", "FFP": "LAI"}
COSINES = {"L": [1, 0, 0], "R": [-1, 0, 0], "P": [0, 1, 0], "A": [0, -1, 0]}
# SNOMED CT, PS3.16 CID 19 to 21
CODES = {"HF": "102540008", "FF": "102541007", "S": "40199007", "P": "1240000"}
ENCODINGS = {
    "implicit": ImplicitVRLittleEndian,
    "explicit": ExplicitVRLittleEndian,
    "big-endian": ExplicitVRBigEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
    "run-lengths": RLELossless,
}


def export(
    path: Path, counts: np.ndarray, spacing: np.ndarray, lying: str, *, up: bool, encoding: str
) -> Path:
    """Write a reconstructed NM object.

    Parameters
    ----------
    counts : array, shape (x, y, z), uint16
        To the patient's right, front and head.
    spacing : array, shape (3,)
        Voxel size along them, mm.
    lying : {"HFS", "HFP", "FFS", "FFP"}
        Head or feet first, supine or prone. Each encoding has its own way of saying it.
    up : bool
        Frames are stored from the feet to the head, or from the head to the feet.
    encoding : str
        Of :data:`ENCODINGS`.
    """
    normal = LYING[lying][2]
    runs = LYING[lying][:2] + ("S" if up else "I")
    axes = [nib.orientations.axcodes2ornt(codes) for codes in ("RAS", runs)]
    turned = nib.apply_orientation(counts, nib.orientations.ornt_transform(*axes))
    header = _pixels(turned.transpose(2, 1, 0), big=encoding == "big-endian")
    _say_lying(header, lying, encoding)
    header.PixelSpacing, header.SliceThickness = [spacing[1], spacing[0]], spacing[2]
    along, frames = runs[2] == normal, header.NumberOfFrames
    if encoding in ("implicit", "run-lengths"):  # by the sign of the spacing, or by numbers
        header.SpacingBetweenSlices = spacing[2] if along else -spacing[2]
    else:
        header.SpacingBetweenSlices = spacing[2]
        header.SliceVector = [*range(1, frames + 1)] if along else [*range(frames, 0, -1)]
    return _write(path, header, ENCODINGS[encoding])


def _pixels(frames: np.ndarray, *, big: bool) -> Dataset:
    header = Dataset()
    header.NumberOfFrames, header.Rows, header.Columns = frames.shape
    header.NumberOfSlices = header.NumberOfFrames
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated = header.BitsStored = 16
    header.HighBit, header.PixelRepresentation = 15, 0
    header.PixelData = np.ascontiguousarray(frames, ">u2" if big else "<u2").tobytes()
    header["PixelData"].VR = "OW"
    header.Modality, header.ImageType = "NM", ["DERIVED", "PRIMARY", "RECON TOMO", "EMISSION"]
    return header


def _say_lying(header: Dataset, lying: str, encoding: str) -> None:
    columns, rows, _ = LYING[lying]
    detector = Dataset()
    detector.ImageOrientationPatient = COSINES[columns] + COSINES[rows]
    if encoding == "implicit":
        header.DetectorInformationSequence = [detector]
    elif encoding == "explicit":
        header.DetectorInformationSequence = [Dataset(), detector]
    elif encoding == "big-endian":
        header.PatientPosition = lying
    elif encoding == "deflated":
        header.PatientOrientation = [columns, rows]
    else:
        recumbent = _code("102538003")
        recumbent.PatientOrientationModifierCodeSequence = [_code(CODES[lying[2:]])]
        header.PatientOrientationCodeSequence = [recumbent]
        header.PatientGantryRelationshipCodeSequence = [_code(CODES[lying[:2]])]


def _code(value: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "SCT", "see CID 19"
    return code


def _write(path: Path, header: Dataset, syntax: UID) -> Path:
    header.file_meta = meta = FileMetaDataset()
    header.SOPClassUID = meta.MediaStorageSOPClassUID = NuclearMedicineImageStorage
    header.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(path)])
    meta.TransferSyntaxUID = syntax
    if syntax == RLELossless:
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        header.compress(RLELossless)
    dcmwrite(path, header, enforce_file_format=True)
    return path
