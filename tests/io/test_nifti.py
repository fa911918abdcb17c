"""A NIfTI file is read right, or there is one sentence that says why not."""

import gzip

import nibabel as nib
import numpy as np
import pytest

from datkit.errors import ScanError
from datkit.io.scan import load_scan, save_scan

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
    one_nan: r"1 NaN or infinite, the first at \(3, 4, 5\)",
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
