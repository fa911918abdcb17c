"""DICOM that lacks, lies or swells: one sentence that says why, never a crash, memory bounded."""

from __future__ import annotations

import os
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from exams import save_dicom, save_series, small
from fuzz import fuzz

from datkit.data import find_problems, open_path
from datkit.errors import DatkitError, ScanError
from datkit.io.dicom import describe_dicom, load_dicom

AFFINE = np.diag([5.0, 5.5, 6.0, 1.0])

pytestmark = pytest.mark.usefixtures("pydicom")


SHORT = small().astype("<u2").tobytes()[: -36 * 32 * 2]
FAULTS = {
    "a missing frame": ({"PixelData": SHORT}, "frames of pixels, found a file that lacks some"),
    "no pixels": ({"PixelData": None}, "frames of pixels, found a file that lacks some"),
    "fewer frames than slices": ({"NumberOfSlices": 30}, "expected 30 slices, found 24 frames"),
    "no columns": ({"Columns": None}, "expected Columns, found absent"),
    "raw projections": ({"ImageType": ["ORIGINAL", "PRIMARY", "TOMO"]}, "found ORIGINAL.PRIMARY.T"),
    "no image type": ({"ImageType": None}, "RECON TOMO.*, found no image type"),
    "an MRI": ({"Modality": "MR"}, "expected modality NM, found 'MR'"),
    "two energy windows": ({"NumberOfEnergyWindows": 2}, "expected one energy window, found 2"),
    "gated": ({"NumberOfTimeSlots": 8}, "expected one gate, found 8"),
    "a colour picture": ({"SamplesPerPixel": 3}, "expected one grey value a pixel, found 3"),
    "no spacing": ({"PixelSpacing": None}, "mm in PixelSpacing, found absent"),
    "no slice distance": (
        {"SpacingBetweenSlices": None, "SliceThickness": None},
        "expected SpacingBetweenSlices, .* found absent",
    ),
    "slices in one place": ({"SpacingBetweenSlices": 0}, "expected SpacingBetween.* found 0"),
    "huge": ({"Rows": 65535, "Columns": 65535, "NumberOfFrames": 60000, "NumberOfSlices": None},
             "expected at most 134217728 voxels, found 65535 × 65535 × 60000"),
    "no rows": ({"Rows": 0}, "expected Rows, found 0"),
    "no frames": ({"NumberOfFrames": None, "NumberOfSlices": None}, "expected NumberOfFrames"),
    "micrometres": ({"PixelSpacing": [0.001, 0.001]}, "expected voxels of 0.5–12 mm"),
    "a slope of nothing": ({"RescaleSlope": 0}, "expected a finite rescale slope"),
    "a slope below float32": ({"RescaleSlope": "1e-45"}, "expected a finite rescale slope"),
    "a slope beyond float32": ({"RescaleSlope": "1e39"}, "expected counts, found infinite ones"),
    "an intercept beyond it": ({"RescaleIntercept": "1e39"}, "expected counts, found infinite"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_volume_is_one_sentence_with_file_and_remedy(tmp_path, fault):
    changes, said = FAULTS[fault]
    path = save_dicom(tmp_path / "exam.dcm", small(), AFFINE, **changes)
    with pytest.raises(ScanError, match=said) as caught:
        load_dicom(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("keep", [0, 100, 131, 132, 150, 300, 500, 700, 900, 5000])
def test_a_truncated_file_is_one_sentence(tmp_path, keep):
    path = save_dicom(tmp_path / "exam.dcm", small(), AFFINE)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ScanError, match=r"exam\.dcm: |problems in .*exam\.dcm"):
        load_dicom(path)


@pytest.fixture
def sound(tmp_path) -> bytes:
    return save_dicom(tmp_path / "sound.dcm", small(), AFFINE).read_bytes()


def loads_or_says_why(path: Path) -> None:
    """The only two ways to end, for the facts as for the volume."""
    for read in (describe_dicom, load_dicom):
        try:
            read(path)
        except DatkitError as error:
            said = str(error)
        else:
            said = str(path)
        assert str(path) in said


def save_deflated(path: Path, more: int) -> Path:
    """Write a sound exam packed as a whole, with so many zeros behind it, packed a thousandfold."""
    import pydicom
    from pydicom.filereader import read_file_meta_info
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    header = pydicom.dcmread(save_dicom(path, small(), AFFINE))
    header.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    pydicom.dcmwrite(path, header, enforce_file_format=True)
    start = 144 + read_file_meta_info(path).FileMetaInformationGroupLength  # 128 + 4 + 12 bytes
    content = path.read_bytes()
    body = zlib.decompress(content[start:], -zlib.MAX_WBITS)
    packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    path.write_bytes(content[:start] + packer.compress(body + bytes(more)) + packer.flush())
    return path


def test_a_bomb_that_is_packed_as_a_whole_is_not_unpacked(tmp_path):
    path = save_deflated(tmp_path / "exam.dcm", 200 * 2**20)
    tracemalloc.start()
    for read in (describe_dicom, load_dicom):
        with pytest.raises(ScanError, match="deflated, and more than 100 times its size"):
            read(path)
    assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    tracemalloc.stop()


def test_where_the_packed_part_begins_is_not_a_matter_of_trust(tmp_path):
    """A length that lies would have another part measured than the one that is unpacked."""
    path = save_deflated(tmp_path / "exam.dcm", 0)
    content = bytearray(path.read_bytes())
    content[140:144] = (int.from_bytes(content[140:144], "little") - 8).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(ScanError, match="a damaged or other one"):
        load_dicom(path)


def test_a_folder_with_one_of_them_opens_and_its_check_names_it(tmp_path):
    save_deflated(tmp_path / "bomb.dcm", 20 * 2**20)
    [problem] = find_problems(open_path(tmp_path))
    assert problem.code == "file-damaged" and problem.where.endswith("bomb.dcm")


def test_a_file_without_a_head_is_taken_for_dicom_only_if_it_is(tmp_path):
    for name, content in (
        ("a", b"\x08\x00\x05\x00CS"),
        ("b", b"\x08\x00\x05\x00\x04\x00\x00\x00abcd"),
    ):
        (tmp_path / name).write_bytes(content + bytes(100))
        with pytest.raises(ScanError, match="expected a DICOM file, found a damaged or other one"):
            load_dicom(tmp_path / name)


def test_a_pipe_beside_a_slice_is_not_waited_for(tmp_path):
    save_series(tmp_path, small(), AFFINE)
    os.mkfifo(tmp_path / "IM9999")
    assert load_dicom(tmp_path / "IM0000").shape == (32, 36, 24)


@pytest.mark.parametrize("place", range(0, 1400, 35))
def test_a_flipped_byte_is_a_sentence_or_a_scan(tmp_path, sound, place):
    content = bytearray(sound)
    content[place] ^= 0xFF
    (tmp_path / "exam.dcm").write_bytes(content)
    loads_or_says_why(tmp_path / "exam.dcm")


def test_no_header_makes_it_crash(tmp_path, sound, needed):
    from importlib.util import find_spec

    needed(find_spec("hypothesis"), "hypothesis is not installed: pip install -e '.[dev]'")
    path = tmp_path / "exam.dcm"

    def try_it(content):
        path.write_bytes(content)
        loads_or_says_why(path)

    fuzz(sound, (132, 1400), try_it, examples=150, most_edits=4)
