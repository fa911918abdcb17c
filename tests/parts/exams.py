"""Exams made on the spot for tests: heads in the challenge's geometries, as NIfTI and DICOM."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from datkit.files import sha256_file
from datkit.io.scan import save_scan

# Families of the challenge: shape and spacing (x, y, z).
FAMILIES = {
    "2.5 mm even stack": ((142, 142, 112), (2.46, 2.46, 2.46)),
    "3.9 mm even stack": ((128, 128, 41), (3.895, 3.895, 3.90)),
    "2.3 mm even cube": ((128, 128, 128), (2.30, 2.30, 2.30)),
    "2.4 mm even stack": ((128, 128, 87), (2.3976, 2.3976, 2.3976)),
    "3.0 mm zoomed stack": ((128, 128, 50), (1.7, 1.7, 3.0)),
    "1.5 mm even stack": ((128, 128, 90), (1.45, 1.45, 1.5)),
    "3.3 mm even stack": ((128, 128, 55), (3.296, 3.296, 3.30)),
    "4.0 mm zoomed stack": ((128, 128, 45), (2.0, 2.0, 4.0)),
    "4.4 mm even cube": ((128, 128, 128), (4.4196, 4.4196, 4.4196)),
}


def small(seed: int = 0, shape: tuple[int, ...] = (32, 36, 24)) -> np.ndarray:
    """Return voxels that look like nothing, but are all different from those of another seed."""
    return np.random.default_rng(seed).integers(0, 900, shape).astype(np.uint16)


def save_small(
    path: Path, seed: int = 0, spacing: float = 6.0, shape: tuple[int, ...] = (32, 36, 24)
) -> Path:
    """Write them as NIfTI, in a field of about 20 cm."""
    path.parent.mkdir(parents=True, exist_ok=True)
    affine = np.diag([spacing, spacing, spacing, 1.0])
    if path.name.endswith(".gz"):
        return save_scan(small(seed, shape), affine, path)
    nib.save(nib.Nifti1Image(small(seed, shape), affine), path)
    return path


def save_dicom(
    path: Path,
    data: np.ndarray,
    affine: np.ndarray,
    *,
    negative: bool = False,
    syntax: str | None = "1.2.840.10008.1.2.1",
    **changes: Any,
) -> Path:
    """Write a volume as a reconstructed NM object, as a console would.

    Parameters
    ----------
    data : array, shape (i, j, k), uint16
        Voxels along the axes of `affine`.
    affine : array, shape (4, 4)
        RAS+, axes along the body: it is written in DICOM's LPS.
    negative : bool
        Count slices from the head down, with a negative spacing between them.
    syntax : str, optional
        The transfer syntax; None writes the bare data set, without a file's head.
    **changes
        Elements to set otherwise, by keyword; None leaves one out.
    """
    import pydicom
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID, NuclearMedicineImageStorage, RLELossless, generate_uid

    # NM slices: columns run to the patient's left, rows to the back, that is to -x and -y of RAS.
    turned = np.ascontiguousarray(data[::-1, ::-1, :])
    spacing = np.diag(affine)[:3]
    last = affine @ [data.shape[0] - 1, data.shape[1] - 1, 0, 1]
    step, frames, position = spacing[2], turned.transpose(2, 1, 0), last[:3]
    if negative:
        position = np.add(position, [0, 0, spacing[2] * (data.shape[2] - 1)])
        step, frames = -step, frames[::-1]
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = NuclearMedicineImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(path)])
    meta.TransferSyntaxUID = UID(syntax or "1.2.840.10008.1.2")
    detector, drug = Dataset(), Dataset()
    detector.ImagePositionPatient = [-position[0], -position[1], position[2]]
    detector.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    drug.Radiopharmaceutical = "Ioflupane I-123"
    elements = {
        "SOPClassUID": meta.MediaStorageSOPClassUID,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "Modality": "NM",
        "ImageType": ["DERIVED", "PRIMARY", "RECON TOMO", "EMISSION"],
        "PatientID": "3001",
        "PatientPosition": "HFS",
        "Manufacturer": "Maker",
        "ManufacturerModelName": "Camera",
        "SeriesDescription": "Reconstructed DaTSCAN",
        "DetectorInformationSequence": [detector],
        "RadiopharmaceuticalInformationSequence": [drug],
        "PixelSpacing": [spacing[1], spacing[0]],
        "SliceThickness": abs(step),
        "SpacingBetweenSlices": step,
        "NumberOfFrames": frames.shape[0],
        "NumberOfSlices": frames.shape[0],
        "Rows": frames.shape[1],
        "Columns": frames.shape[2],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
        "PixelData": np.ascontiguousarray(frames, dtype="<u2").tobytes(),
    }
    header = Dataset()
    header.file_meta = meta
    for name, value in (elements | changes).items():
        if value is not None:
            setattr(header, name, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    big = meta.TransferSyntaxUID == "1.2.840.10008.1.2.2"
    if big:
        header.PixelData = np.ascontiguousarray(frames, dtype=">u2").tobytes()
    if "PixelData" in header:
        header["PixelData"].VR = "OW"
    if syntax is None:
        del header.file_meta
        pydicom.dcmwrite(path, header, implicit_vr=True, little_endian=True)
        return path
    if syntax == RLELossless:
        meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.1")
        header.compress(RLELossless)
    pydicom.dcmwrite(path, header, little_endian=not big, enforce_file_format=True)
    return path


def save_series(folder: Path, data: np.ndarray, affine: np.ndarray, **changes: Any) -> Path:
    """Write a volume as one file a slice, in an order of names that is not that of slices."""
    series = {"SeriesInstanceUID": f"1.2.3.{sum(folder.name.encode())}"}
    for number in range(data.shape[2]):
        place = affine.copy()
        place[:3, 3] += affine[:3, 2] * number
        name = folder / f"IM{number * 7 % 101:04}"
        only = data[:, :, number : number + 1]
        count = {"NumberOfFrames": None, "NumberOfSlices": None, "SpacingBetweenSlices": None}
        save_dicom(name, only, place, **count | series | changes)
    return folder


def save_directory(path: Path) -> Path:
    """Write the list of files that a disc has."""
    import pydicom
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage

    meta, header = FileMetaDataset(), Dataset()
    meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    meta.MediaStorageSOPInstanceUID, meta.TransferSyntaxUID = "1.2.3", ExplicitVRLittleEndian
    header.file_meta, header.FileSetID, header.DirectoryRecordSequence = meta, "CD", []
    pydicom.dcmwrite(path, header, enforce_file_format=True)
    return path


def save_stand_ins(folder: Path, uids: list[str]) -> Path:
    """Write files that only look like exams, each of another size, into a folder's niftis."""
    (folder / "niftis").mkdir()
    for number, uid in enumerate(uids, start=1):
        (folder / "niftis" / f"{uid}.nii.gz").write_bytes(b"\x1f\x8b" * number)
    return folder


def save_block(path: Path, fill: int = 1) -> Path:
    """Write 8³ distinct voxels, the first of them `fill`: the smallest exam that opens."""
    voxels = np.arange(8**3, dtype=np.uint16).reshape(8, 8, 8) + fill
    return save_scan(voxels, np.diag([4.0, 4.0, 4.0, 1.0]), path)


def save_cohort(
    folder: Path, uids: list[str], *, volumes: list[str] | None = None, **tables: str
) -> Path:
    """Write a folder in the challenge's layout: save_cohort(folder, uids, exams="…")."""
    for index, uid in enumerate(uids if volumes is None else volumes):
        save_block(folder / "niftis" / f"{uid}.nii.gz", fill=index)
    rows = "".join(f"{uid},{float(index % 2)}\n" for index, uid in enumerate(uids))
    texts = {"train_labels": f"uid,is_pathologic\n{rows}"} | tables
    (folder / "niftis").mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def describe_cohort(folder: Path, **keys: Any) -> None:
    """Write cohort.json with the hash of every file."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    hashes = {path.relative_to(folder).as_posix(): sha256_file(path) for path in files}
    (folder / "cohort.json").write_text(json.dumps({"sha256": hashes} | keys))
