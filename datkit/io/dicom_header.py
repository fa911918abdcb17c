"""A DICOM file's header, and single elements of it, read with suspicion.

pydicom decodes a value when it is asked for, and a damaged one raises whatever comes of it: here it
counts as one that is not there.
"""

from __future__ import annotations

import io
import os
import re
import zlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from datkit.errors import UsageError
from datkit.io.scan import one_line, scan_error

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["is_dicom", "items_of", "number", "numbers", "read_header", "shown", "text"]

# A data set without a file's preamble: its first element is of group 8, with a value
# representation or a length below 64 KiB.
BARE = re.compile(rb"\x08\x00[\x00-\x20]\x00([A-Z]{2}|..\x00\x00)", re.DOTALL)
# Counts are packed some tenfold, zeros beside them perhaps a hundredfold; zlib goes to 1032.
MOST_PACKED = 100
IMPLICIT, DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99"  # transfer syntaxes


def is_dicom(path: str | os.PathLike[str]) -> bool:
    """Tell a DICOM file by its magic word, or by its first element; pydicom is not needed.

    Examples
    --------
    >>> is_dicom(__file__)
    False
    """
    try:
        with Path(path).open("rb") as stream:
            start = stream.read(132)
    except OSError:
        return False
    bare = BARE.match(start) and Path(path).suffix.lower() not in (".img", ".hdr", ".nii")
    return start[128:] == b"DICM" or bool(bare)


def read_header(path: Path, *, pixels: bool = False) -> Dataset:
    """Read a file, with the pixels still packed or without them.

    Raises
    ------
    UsageError
        If there is no such file, or pydicom is not installed.
    ScanError
        If it is no DICOM file.
    """
    try:
        import pydicom
        from pydicom.uid import UID
    except ImportError as error:
        raise UsageError(
            f"{path}: reading DICOM needs pydicom; install the extra, pip install "
            "'dat-spect-kit[dicom]', or convert the exam with dcm2niix."
        ) from error
    if not path.is_file():
        raise UsageError(f"Expected a DICOM file at {path}, found none; check the path.")
    try:
        content, bare = _content(path)
        header = pydicom.dcmread(content, stop_before_pixels=not pixels, force=bare)
        sop = text(header, "SOPClassUID") or text(header.file_meta, "MediaStorageSOPClassUID")
        if not sop.startswith("1."):
            raise ValueError("no SOP class")
        if "TransferSyntaxUID" not in header.file_meta:
            implicit, _ = header.original_encoding  # else explicit, little endian
            header.file_meta.TransferSyntaxUID = UID(IMPLICIT if implicit else f"{IMPLICIT}.1")
        return header
    except Exception as error:
        found = f"a damaged or other one ({one_line(error)})"
        raise scan_error(path, "file-damaged", "a DICOM file", found) from error


def _content(path: Path) -> tuple[Path | io.BytesIO, bool]:
    """Return what to read a file from, and whether that is a data set alone, without a file's head.

    A file packed as a whole is unpacked here: pydicom would unpack all of it, a thousandfold if it
    likes. Elements of the file's meta information, which is never packed, tell it.
    """
    from pydicom.filereader import read_file_meta_info

    with path.open("rb") as stream:
        if BARE.match(stream.read(8)):
            return path, True
        meta = read_file_meta_info(path)
        if meta.get("TransferSyntaxUID") != DEFLATED:
            return path, False
        stream.seek(144 + int(meta.FileMetaInformationGroupLength))  # 128 + 4 + 12 bytes
        packed = stream.read()
    size, left, unpack = 0, packed, zlib.decompressobj(-zlib.MAX_WBITS)
    most = MOST_PACKED * len(packed)
    while left and not unpack.eof and size <= most:  # behind its end a byte may make it even
        size += len(unpack.decompress(left, 2**20))
        left = unpack.unconsumed_tail
    if size > most:
        raise ValueError(f"deflated, and more than {MOST_PACKED} times its size when unpacked")
    return io.BytesIO(zlib.decompress(packed, -zlib.MAX_WBITS)), True


def numbers(item: Dataset, name: str, count: int) -> np.ndarray | None:
    """Return the values of an element, shape (count,); None unless so many and finite."""
    try:
        values = np.array(item.get(name), dtype=float).reshape(-1)
    except Exception:
        return None
    return values if values.shape == (count,) and np.isfinite(values).all() else None


def number(item: Dataset, name: str, default: float = float("nan")) -> float:
    """Return the value of an element; the default if there is none, NaN if it is damaged."""
    try:
        value = item.get(name)
        return default if value in (None, "") else float(value)
    except Exception:
        return float("nan")


def text(item: Dataset, name: str) -> str:
    r"""Return the value of an element on one line, several joined by ``\``; "" if there is none."""
    with suppress(Exception):
        value = item.get(name)
        values = value if hasattr(value, "append") else [value]
        return "\\".join(" ".join(str(one).split()) for one in values if one is not None)
    return ""


def shown(item: Dataset, name: str) -> str:
    """Return what a message says of an element: its value, or that it is absent."""
    return text(item, name)[:80] or "absent"


def items_of(item: Dataset, *names: str) -> list[Dataset]:
    """Return the items of sequences, in order; none of one that is absent or damaged."""
    found: list[Dataset] = []
    for name in names:
        with suppress(Exception):
            found += [one for one in item.get(name) or [] if hasattr(one, "get")]
    return found
