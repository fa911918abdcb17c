"""A NIfTI file is read right, or there is one sentence that says why not."""

import gzip

import nibabel as nib
import numpy as np
import pytest

from datkit.errors import ScanError
from datkit.files import sha256_file
from datkit.io.scan import load_scan, save_scan, sha256_scan

AFFINE = np.diag([3.0, 3.0, 3.0, 1.0])


@pytest.fixture
def head() -> np.ndarray:
    """A block of distinct counts, shape (10, 12, 14)."""
    return np.arange(10 * 12 * 14, dtype=np.float32).reshape(10, 12, 14)


def save(array, path, affine=AFFINE):
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


@pytest.mark.parametrize("dtype", [">f4", "<f4", ">i2", "uint16", "float64"])
def test_byte_order_and_number_type_do_not_matter(head, tmp_path, dtype):
    image = nib.Nifti1Image(head.astype(dtype), AFFINE)
    if dtype.startswith(">"):
        image = nib.Nifti1Image(head.astype(dtype), AFFINE, image.header.as_byteswapped(">"))
    nib.save(image, tmp_path / "exam.nii")
    scan = load_scan(tmp_path / "exam.nii")
    np.testing.assert_array_equal(scan.data, head)
    assert scan.data.dtype.isnative


def truncated(head, folder):
    path = save_scan(np.random.default_rng(0).random(head.shape), AFFINE, folder / "exam.nii.gz")
    path.write_bytes(path.read_bytes()[:-2000])
    return path


def short_content(head, folder):
    path = folder / "exam.nii.gz"
    with gzip.open(path, "wb") as stream:
        stream.write(nib.Nifti1Image(head, AFFINE).to_bytes()[:-4000])
    return path


def one_nan(head, folder):
    head[3, 4, 5] = np.nan
    return save(head, folder / "exam.nii.gz")


def two_frames(head, folder):
    return save(np.stack([head, head + 2], axis=3), folder / "exam.nii.gz")


def all_zero(head, folder):
    return save(np.zeros_like(head), folder / "exam.nii.gz")


def micrometre(head, folder):
    return save(head, folder / "exam.nii.gz", np.diag([0.001, 3, 3, 1]))


def corrupt_pixdim(head, folder):
    path = save(head, folder / "exam.nii")
    content = bytearray(path.read_bytes())
    content[80:84] = np.float32(0.001).tobytes()  # pixdim[1]; the sform keeps its 3 mm
    path.write_bytes(content)
    return path


def not_nifti(head, folder):
    path = folder / "exam.nii.gz"
    path.write_bytes(b"<html>404</html>")
    return path


def flat_affine(head, folder):
    affine = AFFINE.copy()
    affine[:3, 1] = affine[:3, 0] + [0, 0.01, 0]
    return save(head, folder / "exam.nii.gz", affine)


def two_slices(head, folder):
    return save(head[:, :, :2], folder / "exam.nii.gz")


BAD = {
    truncated: "ends early",
    short_content: "ends early",
    one_nan: r"1 NaN or infinite, the first at \(3, 4, 5\).*--repair",
    two_frames: "4-D file of 2 frames",
    all_zero: "the value 0 in every voxel",
    micrometre: "found 0.001 × 3 × 3 mm",
    corrupt_pixdim: "in the pixdim, found 0.001",
    not_nifti: "expected a NIfTI volume",
    flat_affine: "independent axes",
    two_slices: "at least 8 voxels",
}


@pytest.mark.parametrize("make", BAD, ids=lambda make: make.__name__)
def test_bad_input_is_one_sentence_with_file_and_remedy(make, head, tmp_path):
    path = make(head, tmp_path)
    with pytest.raises(ScanError, match=BAD[make]) as caught:
        load_scan(path)
    message = str(caught.value)
    assert str(path) in message and ". " in message and "\n" not in message


@pytest.mark.parametrize(
    ("make", "mended"), [(one_nan, "1 NaN"), (two_frames, "averaged 2"), (corrupt_pixdim, "pixdim")]
)
def test_repair_mends_and_says_so(make, mended, head, tmp_path):
    scan = load_scan(make(head, tmp_path), repair=True)
    assert len(scan.repairs) == 1 and mended in scan.repairs[0]
    assert scan.shape == (10, 12, 14) and np.isfinite(scan.data).all()


def test_repair_keeps_every_other_voxel(head, tmp_path):
    expected = head.copy()
    expected[3, 4, 5] = 0
    scan = load_scan(one_nan(head, tmp_path), repair=True)
    np.testing.assert_array_equal(scan.data, expected)


def test_a_4d_file_of_one_frame_is_a_scan(head, tmp_path):
    scan = load_scan(save(head[..., None], tmp_path / "exam.nii.gz"))
    np.testing.assert_array_equal(scan.data, head)


def frame(head, *, sides=((2, 9), (0, 11), (3, 14)), value=np.nan):
    """Return the head with what lies beyond some layers lost."""
    framed = np.full_like(head, value)
    box = tuple(slice(*side) for side in sides)
    framed[box] = head[box]
    return framed


def test_nan_that_only_frames_the_field_was_not_seen(head, tmp_path):
    scan = load_scan(save(frame(head), tmp_path / "exam.nii.gz"))
    np.testing.assert_array_equal(scan.data, frame(head, value=0))
    assert scan.repairs == ("set 833 NaN or infinite voxels to 0",)


def test_nan_outside_a_round_field_was_not_seen(tmp_path):
    field = np.hypot(*np.indices((20, 20, 10))[:2] - 9.5) < 10
    voxels = np.where(field, np.arange(1, 4001, dtype=np.float32).reshape(20, 20, 10), np.nan)
    scan = load_scan(save(voxels, tmp_path / "exam.nii"))
    np.testing.assert_array_equal(scan.data, np.nan_to_num(voxels))


@pytest.mark.parametrize("hole", [np.nan, np.inf])
def test_nan_within_and_infinity_anywhere_are_no_frame(hole, head, tmp_path):
    framed = frame(head)
    framed[(5, 5, 5) if np.isnan(hole) else (0, 0, 0)] = hole
    with pytest.raises(ScanError, match=r"83[34] NaN or infinite.*--repair"):
        load_scan(save(framed, tmp_path / "exam.nii.gz"))


def test_nan_alone_is_no_exam(head, tmp_path):
    path = save(np.full_like(head, np.nan), tmp_path / "exam.nii")
    for repair in (False, True):
        with pytest.raises(ScanError, match="1680 NaN|the value 0 in every voxel"):
            load_scan(path, repair=repair)


def plain_as_packed(head, folder):
    packed = save(head, folder / "packed.nii.gz")
    (folder / "exam.nii.gz").write_bytes(gzip.decompress(packed.read_bytes()))
    return folder / "exam.nii.gz"


def packed_as_plain(head, folder):
    return save(head, folder / "exam.nii.gz").rename(folder / "exam.nii")


def without_a_suffix(head, folder):
    return save(head, folder / "exam.nii").rename(folder / "I123456")


def in_capitals(head, folder):
    return save(head, folder / "exam.nii.gz").rename(folder / "EXAM.NII.GZ")


def five_axes(head, folder):
    return save(head[..., None, None], folder / "exam.nii")


def one_frame_at_the_end(head, folder):
    return save(head[..., None, None, None], folder / "exam.nii.gz")


def second_format(head, folder):
    nib.save(nib.Nifti2Image(head, AFFINE), folder / "exam.nii")
    return folder / "exam.nii"


def pair(kind, name):
    def make(head, folder):
        nib.save(kind(head, AFFINE), folder / name)
        return folder / name

    make.__name__ = f"{kind.__name__} {name}"
    return make


KINDS = [
    plain_as_packed,
    packed_as_plain,
    without_a_suffix,
    in_capitals,
    five_axes,
    one_frame_at_the_end,
    second_format,
    *(
        pair(kind, name)
        for kind in (nib.Nifti1Pair, nib.Nifti2Pair)
        for name in ("exam.img", "exam.hdr", "exam.img.gz", "exam.hdr.gz")
    ),
]


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_what_a_file_is_stands_in_it_not_in_its_name(make, head, tmp_path):
    scan = load_scan(make(head, tmp_path))
    np.testing.assert_array_equal(scan.data, head)
    np.testing.assert_allclose(scan.affine, AFFINE)
    assert (scan.orientation, scan.repairs) == ("known", ())


def test_a_damaged_checksum_is_told_whatever_the_name(head, tmp_path):
    content = bytearray(packed_as_plain(head, tmp_path).read_bytes())
    content[-8] ^= 1
    (tmp_path / "exam.nii").write_bytes(content)
    with pytest.raises(ScanError, match="CRC check failed"):
        load_scan(tmp_path / "exam.nii")


@pytest.mark.parametrize(("left", "lost"), [("exam.hdr", "exam.img"), ("exam.img", "another file")])
def test_half_a_pair_says_what_is_missing(left, lost, head, tmp_path):
    pair(nib.Nifti1Pair, "exam.img")(head, tmp_path)
    (tmp_path / "alone").mkdir()
    half = (tmp_path / left).rename(tmp_path / "alone" / left)
    with pytest.raises(ScanError, match=f"{lost}.*pair"):
        load_scan(half)


@pytest.mark.parametrize("frames", [2, 5])
def test_five_axes_with_frames_are_frames(frames, head, tmp_path):
    path = save(np.stack([head] * frames, axis=3)[..., None, :], tmp_path / "exam.nii")
    with pytest.raises(ScanError, match=f"4-D file of {frames} frames"):
        load_scan(path)
    np.testing.assert_allclose(load_scan(path, repair=True).data, head)


@pytest.mark.parametrize("name", ["exam.nii", "exam.nii.gz"])
@pytest.mark.parametrize(("slope", "inter"), [(0.5, 0), (2, -100), (0, 7)])
def test_voxels_are_scaled_as_the_header_says(name, slope, inter, head, tmp_path):
    image = nib.Nifti1Image(head.astype(np.int16), AFFINE)
    content = bytearray(image.to_bytes())
    content[112:120] = np.array([slope, inter], "<f4").tobytes()
    packed = gzip.compress(content) if name.endswith(".gz") else content
    (tmp_path / name).write_bytes(packed)
    expected = head * slope + inter if slope > 0 else head  # a slope of 0: not scaled
    np.testing.assert_allclose(load_scan(tmp_path / name).data, expected)


COLOURS = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])


@pytest.mark.parametrize(("dtype", "said"), [(COLOURS, "colours"), ("complex64", "complex64")])
def test_what_is_no_count_is_refused_by_name(dtype, said, head, tmp_path):
    nib.save(nib.Nifti1Image(np.zeros(head.shape, dtype), AFFINE), tmp_path / "exam.nii")
    with pytest.raises(ScanError, match=f"counts as plain numbers, found .*{said}"):
        load_scan(tmp_path / "exam.nii")


def test_voxels_that_begin_within_the_header_are_refused(head, tmp_path):
    content = bytearray(save(head, tmp_path / "exam.nii").read_bytes())
    content[108:112] = np.float32(0).tobytes()  # vox_offset
    (tmp_path / "exam.nii").write_bytes(content)
    with pytest.raises(ScanError, match="within the header"):
        load_scan(tmp_path / "exam.nii")


def test_an_exam_is_all_its_files(head, tmp_path):
    pair(nib.Nifti1Pair, "exam.img")(head, tmp_path)
    before = sha256_scan(tmp_path / "exam.img")
    assert sha256_scan(tmp_path / "exam.hdr") == before == sha256_scan(tmp_path / "exam.img")
    pair(nib.Nifti1Pair, "exam.img")(head + 1, tmp_path)
    assert sha256_scan(tmp_path / "exam.hdr") != before
    alone = save(head, tmp_path / "exam.nii")
    assert sha256_scan(alone) == sha256_file(alone)


def test_a_slope_that_turns_counts_over_is_refused(head, tmp_path):
    path = save(head, tmp_path / "exam.nii")
    content = bytearray(path.read_bytes())
    content[112:120] = np.array([-2, 0], "<f4").tobytes()
    path.write_bytes(content)
    with pytest.raises(ScanError, match="expected no scl_slope below 0, found -2"):
        load_scan(path)


def test_an_intercept_that_is_no_number_is_told_as_that(head, tmp_path):
    path = save(head, tmp_path / "exam.nii")
    content = bytearray(path.read_bytes())
    for value in (np.nan, np.inf):
        content[112:120] = np.array([1, value], "<f4").tobytes()
        path.write_bytes(content)
        with pytest.raises(ScanError, match=f"expected a number in scl_inter, found {value}"):
            load_scan(path)


@pytest.mark.parametrize("slope", [np.nan, np.inf, 1e-45, 1e-40])
@pytest.mark.parametrize("packed", [False, True])
def test_a_slope_that_is_no_usual_number_is_refused(slope, packed, head, tmp_path):
    path = save(head, tmp_path / "exam.nii")
    content = bytearray(path.read_bytes())
    content[112:120] = np.array([slope, 0], "<f4").tobytes()
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(ScanError, match="expected a usual number in scl_slope, found"):
        load_scan(path)
    if not np.isfinite(slope):
        scan = load_scan(path, repair=True)
        np.testing.assert_array_equal(scan.data, head)
        assert scan.repairs == (f"took a scl_slope of {slope:g} for none",)


def test_an_intercept_that_makes_air_negative_is_refused(head, tmp_path):
    air = head.copy()
    air[:, :6] = 0
    path = save(air, tmp_path / "exam.nii")
    content = bytearray(path.read_bytes())
    content[112:120] = np.array([1, -300], "<f4").tobytes()
    path.write_bytes(content)
    with pytest.raises(ScanError, match="voxels below 0, by a rescale intercept of -300"):
        load_scan(path)
    assert load_scan(path, repair=True).repairs == ("kept values below 0",)


@pytest.mark.parametrize("name", ["exam.nii", "exam.nii.gz", "exam.dcm"])
def test_an_empty_file_is_said_to_be_empty(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(ScanError, match="found an empty file"):
        load_scan(tmp_path / name)
