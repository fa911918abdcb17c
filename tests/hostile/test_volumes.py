"""Volumes that lie in their headers or end early: a sentence, or a sound scan, never a crash."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from fuzz import fuzz

from datkit.data.groups import geometry_of
from datkit.errors import DatkitError, ScanError
from datkit.io.nifti import MAX_OFFSET
from datkit.io.scan import load_scan

HEAD = np.arange(8**3, dtype=np.int16).reshape(8, 8, 8)
SOUND = nib.Nifti1Image(HEAD, np.diag([3.0, 3.0, 3.0, 1.0])).to_bytes()
PACKED = gzip.compress(SOUND, mtime=0)
MEMORY = 700 * 2**20  # the largest matrix that is allowed, as float32, and a little


def at(offset: int, layout: str, *values: float) -> bytes:
    """The sound file with some bytes of its header written over (offsets of nifti1.h)."""
    content = bytearray(SOUND)
    struct.pack_into(f"<{layout}", content, offset, *values)
    return bytes(content)


NAN, INF = float("nan"), float("inf")
REFUSED = {
    "a negative side": at(42, "h", -8),
    "three negative sides": at(42, "3h", -8, -8, -8),
    "no side": at(42, "h", 0),
    "huge sides": at(42, "3h", 32767, 32767, 32767),
    "the widest side": at(42, "h", 32767),
    "no axes": at(40, "h", 0),
    "one axis": at(40, "h", 1),
    "two axes": at(40, "h", 2),
    "seven axes of nothing": at(40, "8h", 7, 8, 8, 8, 0, 0, 0, 0),
    "eight axes": at(40, "h", 8),
    "minus one axis": at(40, "h", -1),
    "five axes": at(40, "6h", 5, 8, 8, 8, 1, 2),
    "a thousand frames": at(40, "5h", 4, 8, 8, 8, 1000),
    "NaN spacing": at(80, "3f", NAN, NAN, NAN),
    "infinite spacing": at(80, "f", INF),
    "negative spacing": at(80, "f", -0.001),
    "micrometres": at(80, "3f", 0.003, 0.003, 0.003),
    "metres": at(80, "3f", 3000, 3000, 3000),
    "NaN in the affine": at(280, "f", NAN),
    "infinity in the affine": at(280, "f", INF),
    "a NaN origin": at(292, "f", NAN),
    "an affine of zeros": at(280, "12f", *[0] * 12),
    "a flat affine": at(280, "12f", 3, 0, 0, 0, 3, 0, 0, 0, 0, 0, 3, 0),
    "a giant affine": at(280, "12f", *[1e30] * 12),
    "an unknown number type": at(70, "h", 9999),
    "no number type": at(70, "h", 0),
    "complex numbers": at(70, "2h", 32, 64),
    "colours": at(70, "2h", 128, 24),
    "one bit": at(70, "2h", 1, 1),
    "wider numbers than there are bytes": at(70, "2h", 64, 64),
    "data beyond the end": at(108, "f", 1e9),
    "data behind the header's start": at(108, "f", -5),
    "data nowhere": at(108, "f", NAN),
    "infinitely far data": at(108, "f", INF),
    "a NaN intercept": at(112, "2f", 1, NAN),
    "a NaN slope": at(112, "2f", NAN, 0),
    "a slope of infinity": at(112, "2f", INF, 0),
    "a slope below float32": at(112, "2f", 1e-45, 0),
    "an infinite intercept": at(112, "2f", 1, INF),
    "no scale but a NaN intercept": at(112, "2f", 0, NAN),
    "a brain at the moon": at(280, "4f", 3, 0, 0, 3.8e11),
    "a brain at the end of float32": at(280, "4f", 3, 0, 0, -3e38),
    "no magic word": at(344, "4s", b"none"),
    "a header of nothing": bytes(352),
    "noise": np.random.default_rng(0).bytes(2000),
    "half a header": SOUND[:170],
    "a header alone": SOUND[:352],
    "one voxel short": SOUND[:-2],
    "an extension without end": at(348, "4b", 1, 0, 0, 0)[:352] + struct.pack("<2i", -16, 4),
}

# The affine and the voxels are sound: nibabel takes no notice of these fields.
HARMLESS = {
    "no spacing": at(80, "3f", 0, 0, 0),
    "an infinite slope": at(112, "2f", INF, 0),
    "another header": at(0, "i", 1234),
}


@pytest.mark.parametrize("case", HARMLESS)
def test_a_field_that_does_not_matter_changes_no_voxel(tmp_path, case):
    (tmp_path / "exam.nii").write_bytes(HARMLESS[case])
    scan = load_scan(tmp_path / "exam.nii", repair=True)
    np.testing.assert_array_equal(scan.data, HEAD)


@pytest.mark.parametrize("packed", [False, True], ids=["nii", "gz"])
@pytest.mark.parametrize("case", REFUSED)
def test_a_header_that_lies_is_one_sentence(tmp_path, case, packed):
    path = tmp_path / ("exam.nii.gz" if packed else "exam.nii")
    path.write_bytes(gzip.compress(REFUSED[case]) if packed else REFUSED[case])
    tracemalloc.start()
    with pytest.raises(ScanError) as caught:
        load_scan(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(path) in str(caught.value) and "expected" in str(caught.value)
    assert peak < MEMORY


@pytest.mark.parametrize("tenth", range(10))
def test_gzip_truncated_at_ten_places_is_one_sentence(tmp_path, tenth):
    path = tmp_path / "exam.nii.gz"
    path.write_bytes(PACKED[: len(PACKED) * tenth // 10])
    with pytest.raises(ScanError, match="exam.nii.gz"):
        load_scan(path)


@pytest.mark.parametrize("place", range(0, len(PACKED), 61))
def test_a_flipped_byte_in_gzip_is_a_sentence_or_a_sound_scan(tmp_path, place):
    content = bytearray(PACKED)
    content[place] ^= 0x55
    path = tmp_path / "exam.nii.gz"
    path.write_bytes(content)
    loads_or_says_why(path)


def test_a_flipped_bit_that_only_the_checksum_tells_is_told(tmp_path):
    path = tmp_path / "exam.nii.gz"
    path.write_bytes(PACKED[:-8] + bytes([PACKED[-8] ^ 1]) + PACKED[-7:])
    with pytest.raises(ScanError, match="CRC check failed"):
        load_scan(path)


@pytest.mark.parametrize("more", [1, 271, 2**26 + 1])
def test_a_packed_file_is_read_to_its_checksum_whatever_its_length(tmp_path, more):
    path, packed = tmp_path / "exam.nii.gz", gzip.compress(SOUND + bytes(more))
    path.write_bytes(packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:])
    with pytest.raises(ScanError, match=r"CRC check failed|\d of \d+ bytes"):
        load_scan(path)


def test_a_gzip_of_several_members_is_one_scan(tmp_path):
    path, half = tmp_path / "exam.nii.gz", len(SOUND) // 2
    path.write_bytes(gzip.compress(SOUND[:half]) + gzip.compress(SOUND[half:]))
    parts = load_scan(path)
    path.write_bytes(PACKED)
    whole = load_scan(path)
    assert (parts.data == whole.data).all() and parts.data.flags.writeable


def test_members_without_content_before_the_scan_cost_no_more_than_their_bytes(tmp_path):
    path = tmp_path / "exam.nii.gz"
    path.write_bytes(gzip.compress(b"") * 40_000 + PACKED)  # copied at each, they would be 16 GB
    assert load_scan(path).data.size > 0


def test_zeros_packed_a_thousandfold_stop_at_what_the_header_says(tmp_path):
    path = tmp_path / "exam.nii.gz"
    path.write_bytes(gzip.compress(SOUND + bytes(200 * 2**20)))
    tracemalloc.start()
    loads_or_says_why(path)
    assert tracemalloc.get_traced_memory()[1] < 32 * 2**20
    tracemalloc.stop()


def extended(size: int, offset: float, content: bytes) -> bytes:
    """The sound file with an extension of so many bytes by its own word, voxels from `offset`."""
    header = bytearray(at(108, "f", offset)[:352])
    header[348] = 1
    return bytes(header) + struct.pack("<2i", size, 4) + content


EXTENSIONS = {
    "a gigabyte": (2**30, 2e9),
    "all that an integer holds": (2**31 - 16, 1e30),
    "less than nothing": (-16, 1e9),
    "nothing": (0, 1e9),
}


@pytest.mark.parametrize("case", EXTENSIONS)
def test_what_an_extension_claims_is_not_read_into_memory(tmp_path, case):
    path = tmp_path / "exam.nii.gz"
    path.write_bytes(gzip.compress(extended(*EXTENSIONS[case], bytes(100 * 2**20)), 1))
    tracemalloc.start()
    with pytest.raises(ScanError, match=f"expected voxels from byte {MAX_OFFSET} at the latest"):
        load_scan(path)
    geometry_of(path)  # which looks at headers alone
    assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    tracemalloc.stop()


def test_voxels_behind_an_honest_extension_are_where_the_header_says(tmp_path):
    (tmp_path / "exam.nii").write_bytes(extended(32, 384, bytes(24)) + SOUND[352:])
    np.testing.assert_array_equal(load_scan(tmp_path / "exam.nii").data, HEAD)


def loads_or_says_why(path: Path, orientation: str | None = None) -> None:
    """The only two ways to end."""
    try:
        scan = load_scan(path, orientation=orientation, repair=True)
    except DatkitError as error:
        said = str(error)
    else:
        said = "a sound scan"
        assert np.isfinite(scan.data).all() and np.isfinite(scan.affine).all()
        assert min(scan.shape) >= 8 and 0.5 <= scan.spacing.min() <= scan.spacing.max() <= 12
    assert said


def pair_loads_or_says_why(header: bytes, folder: Path) -> None:
    """As :func:`loads_or_says_why`, for a header whose voxels are in a file of their own."""
    (folder / "exam.hdr").write_bytes(header)
    (folder / "exam.img").write_bytes(HEAD.tobytes())
    for told in (None, "LAS"):
        loads_or_says_why(folder / "exam.img", told)


class TestFuzz:
    """Headers that nobody thought of."""

    @pytest.fixture(autouse=True)
    def _hypothesis(self, needed):
        from importlib.util import find_spec

        needed(find_spec("hypothesis"), "hypothesis is not installed: pip install -e '.[dev]'")

    def test_no_header_makes_it_crash(self, tmp_path):
        path = tmp_path / "exam.nii"

        def try_it(content):
            path.write_bytes(content)
            loads_or_says_why(path)

        fuzz(SOUND, (0, 347), try_it, examples=500, most_edits=6)

    @pytest.mark.parametrize("kind", [nib.AnalyzeImage, nib.Nifti1Pair, nib.Nifti2Pair])
    def test_no_header_of_a_pair_makes_it_crash(self, tmp_path, kind):
        header = kind(HEAD, np.diag([3.0, 3.0, 3.0, 1.0])).header.binaryblock
        last = len(header) - 1
        try_it = partial(pair_loads_or_says_why, folder=tmp_path)
        fuzz(header, (0, last), try_it, examples=100, most_edits=4)

    def test_no_value_of_a_field_makes_it_crash(self, tmp_path):
        from hypothesis import given, settings
        from hypothesis import strategies as st

        path = tmp_path / "exam.nii"
        shorts, floats = st.integers(-32768, 32767), st.floats(width=32)

        @settings(max_examples=500, deadline=None, database=None, derandomize=True)
        @given(
            st.one_of(
                st.tuples(st.sampled_from(range(40, 56, 2)), st.just("h"), shorts),
                st.tuples(st.sampled_from([70, 72, 252, 254]), st.just("h"), shorts),
                st.tuples(st.sampled_from(range(76, 124, 4)), st.just("f"), floats),
                st.tuples(st.sampled_from(range(256, 328, 4)), st.just("f"), floats),
            )
        )
        def run(field):
            path.write_bytes(at(*field))
            loads_or_says_why(path)

        run()
