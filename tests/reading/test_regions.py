"""A mask is of one exam and on its grid; whatever else a file holds is told, all at once."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest
from exams import save_small, small
from scipy.spatial.transform import Rotation

from datkit.errors import ScanError, UsageError
from datkit.io.scan import load_scan
from datkit.reading.regions import load_region, save_region

OBLIQUE = nib.affines.from_matvec(
    Rotation.from_euler("xyz", [9, -14, 21], degrees=True).as_matrix() * [3.1, 3.7, 4.3],
    [-40.5, -60.25, -50],
)
AFFINES = {
    "RAS": nib.affines.from_matvec(np.diag([5.0, 5.5, 6.0]), [-70, -90, -60]),
    "LAS": nib.affines.from_matvec(np.diag([-5.0, 5.5, 6.0]), [70, -90, -60]),
    "LPI": nib.affines.from_matvec(np.diag([-5.0, -5.5, -6.0]), [70, 90, 60]),
    "PSR": nib.affines.from_matvec(np.eye(3)[[2, 0, 1]] * [-5.0, 5.5, 6.0], [-70, 90, -60]),
    "oblique": OBLIQUE,
}
HOW = {"tool": "scripted", "pen": 3}


def save_exam(path, affine, codes=(1, 1), kind=nib.Nifti1Image, unit="mm"):
    image = kind(small(), affine)
    image.header.set_xyzt_units(unit)
    image.set_qform(affine, codes[0])
    image.set_sform(affine, codes[1])
    image.header["descrip"] = b"DOE^JANE"
    nib.save(image, path)
    return path


def blocks(exam):
    """Two blocks, one on either side of the exam's middle."""
    scan = load_scan(exam)
    mask = np.zeros(scan.shape, np.uint8)
    x = np.einsum("a,aijk->ijk", scan.affine[0, :3], np.indices(scan.shape).astype(float))
    inner = np.zeros(scan.shape, bool)
    inner[4:28, 7:30, 5:20] = True
    mask[inner & (x < np.median(x) - 9)] = 1
    mask[inner & (x > np.median(x) + 9)] = 2
    return mask


@pytest.fixture
def exam(tmp_path):
    return save_exam(tmp_path / "exam.nii.gz", AFFINES["RAS"])


@pytest.fixture
def mask(tmp_path, exam):
    save_region(blocks(exam), exam, tmp_path / "a.nii.gz", reader="anna", how=HOW)
    return tmp_path / "a.nii.gz"


CASES = [(name, codes) for name in AFFINES for codes in ((1, 1), (0, 2), (3, 0), (1, 4))]


@pytest.mark.parametrize(("layout", "codes"), CASES)
def test_a_mask_has_its_exams_header_and_no_words_of_it(tmp_path, layout, codes):
    exam = save_exam(tmp_path / "exam.nii.gz", AFFINES[layout], codes)
    drawn = blocks(exam)
    region = save_region(drawn, exam, tmp_path / "a.nii.gz", reader="anna", how=HOW)
    back = load_region(tmp_path / "a.nii.gz", exam)
    np.testing.assert_array_equal(back.mask, drawn)
    assert back.facts == region.facts and back.facts.labels[1] == "striatum_left"
    one, two = nib.load(exam), nib.load(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(one.affine, two.affine)
    for name in ("pixdim", "qform_code", "sform_code", "xyzt_units", "dim"):
        np.testing.assert_array_equal(one.header[name], two.header[name])
    assert b"DOE" not in two.header.binaryblock


def test_other_kinds_of_nifti_keep_their_grid_too(tmp_path):
    second = save_exam(tmp_path / "two.nii", AFFINES["oblique"], kind=nib.Nifti2Image)
    save_region(blocks(second), second, tmp_path / "a.nii.gz", reader="anna", how=HOW)
    made = nib.load(tmp_path / "a.nii.gz")
    assert isinstance(made, nib.Nifti2Image)
    np.testing.assert_array_equal(made.affine, nib.load(second).affine)
    metres = AFFINES["oblique"].copy()
    metres[:3] /= 1000
    far = save_exam(tmp_path / "m.nii", metres, unit="meter")
    region = save_region(blocks(far), far, tmp_path / "b.nii.gz", reader="anna", how=HOW)
    np.testing.assert_allclose(region.affine, AFFINES["oblique"], atol=1e-4)
    assert load_region(tmp_path / "b.nii.gz", far).mask.any()


def test_a_region_of_a_real_map_keeps_its_grid(tmp_path, real_map):
    """It is stored big-endian, and its first axis runs to the patient's left."""
    scan = load_scan(real_map)
    assert nib.aff2axcodes(scan.affine) == ("L", "A", "S")
    drawn = np.zeros(scan.shape, np.uint8)
    drawn[33:38, 40:47, 24:29], drawn[23:28, 41:46, 25] = 1, 2
    save_region(drawn, real_map, tmp_path / "a.nii.gz", reader="anna", how=HOW)
    back = load_region(tmp_path / "a.nii.gz", real_map)
    np.testing.assert_array_equal(back.mask, drawn)
    one, two = nib.load(real_map), nib.load(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(one.affine, two.affine)
    assert one.header.endianness != two.header.endianness


def test_all_that_is_wrong_with_a_mask_is_told_at_once(tmp_path, exam, mask):
    voxels = blocks(exam).astype(np.float32)
    voxels[0, 0, 0], voxels[0, 0, 1] = 1.5, 7
    moved = AFFINES["RAS"].copy()
    moved[0, 3] += 0.5
    nib.save(nib.Nifti1Image(voxels, moved), mask)
    side = mask.with_name("a.json")
    facts = json.loads(side.read_text())
    side.write_text(json.dumps(facts | {"exam_sha256": "0" * 64}))
    with pytest.raises(ScanError) as caught:
        load_region(mask, exam)
    codes = [problem.code for problem in caught.value.problems]
    assert codes == ["region-exam", "region-grid", "region-value", "region-label"]
    assert "0.5 mm off" in str(caught.value) and "labels of [1, 2], found 7" in str(caught.value)


def spoil(**changes):
    def act(mask, exam):
        side = mask.with_name("a.json")
        facts = json.loads(side.read_text()) | changes
        side.write_text(json.dumps({k: v for k, v in facts.items() if v is not None}))

    return act


def replace_mask(change):
    def act(mask, exam):
        nib.save(nib.Nifti1Image(change(blocks(exam)), AFFINES["RAS"]), mask)

    return act


def huge(mask, exam):
    header = nib.Nifti1Header()
    header["dim"][:4] = 3, 30000, 30000, 30000
    header["vox_offset"] = 352
    mask.write_bytes(header.binaryblock + b"\0" * 500)


def negative(mask, exam):
    header = nib.Nifti1Header()
    header["dim"][:4] = 3, -32, 36, 24
    header["vox_offset"] = 352
    mask.write_bytes(header.binaryblock + b"\0" * 500)


BOTH = {"1": "striatum_left", "2": "striatum_right"}
HOSTILE = {
    "another size": (replace_mask(lambda one: one[:-1]), "exam's .32, 36, 24. voxels, found .31"),
    "empty": (replace_mask(lambda one: one * 0), "a region, found 0 in every voxel"),
    "the other side": (replace_mask(lambda one: one[::-1]), "left on the patient's left"),
    "negative": (replace_mask(lambda one: -one.astype(np.int16)), "labels of .1, 2., found -2, -1"),
    "not a number": (replace_mask(lambda one: one * np.float32(np.nan)), "NaN|nan"),
    "cut off": (lambda mask, exam: mask.write_bytes(mask.read_bytes()[:90]), "damaged"),
    "of more voxels than memory": (huge, "exam's .* voxels, found .30000"),
    "of negative size": (negative, "expected"),
    "a name for no region": (spoil(labels=BOTH | {"0": "striatum_left"}), "sound labels.0"),
    "a name for two numbers": (spoil(labels=BOTH | {"2": "striatum_left"}), "each name once"),
    "a number beyond a mask's": (spoil(labels=BOTH | {"300": "putamen_left"}), "sound labels.300"),
    "how much of nothing": (spoil(how={"pen": float("nan")}), "sound how.pen"),
    "no sidecar": (lambda mask, exam: mask.with_name("a.json").unlink(), "No such file"),
    "no JSON": (lambda mask, exam: mask.with_name("a.json").write_text("[" * 90000), "sidecar"),
    "no object": (lambda mask, exam: mask.with_name("a.json").write_text("[]"), "sound"),
    "no reader": (spoil(reader=None), "a sound reader"),
    "an unknown name": (spoil(labels={"1": "liver", "2": "striatum_right"}), "found 'liver'"),
    "another version": (spoil(format="datkit-region/9"), "datkit-region/9"),
    "no time zone": (spoil(when="2026-01-02T03:04:05"), "sound when"),
    "a label that is not named": (spoil(labels={"1": "striatum_left"}), "labels of .1., found 2"),
    "more than is asked": (spoil(patient="Jane"), "patient"),
    "two faults": (spoil(reader="", when="soon"), "(?s)reader.*when"),
}


@pytest.mark.parametrize("fault", HOSTILE)
def test_hostile_files_end_in_a_sentence(mask, exam, fault):
    act, words = HOSTILE[fault]
    act(mask, exam)
    with pytest.raises(ScanError, match=words):
        load_region(mask, exam)


def test_a_mask_is_never_written_over_its_exam(tmp_path, monkeypatch):
    exam = save_small(tmp_path / "exam.nii.gz")
    monkeypatch.chdir(tmp_path)
    before = exam.read_bytes()
    with pytest.raises(UsageError, match="another place for the mask"):
        save_region(blocks(exam), exam, "exam.nii.gz", reader="anna", how=HOW)
    assert exam.read_bytes() == before and [*tmp_path.iterdir()] == [exam]


def test_nothing_is_written_of_a_mask_that_is_none(tmp_path):
    exam = save_small(tmp_path / "exam.nii.gz")
    drawn = blocks(exam)
    wrong = {"empty": drawn * 0, "size": drawn[1:], "label": drawn * 9, "half": drawn / 2}
    for name, one in wrong.items():
        with pytest.raises(ScanError):
            save_region(one, exam, tmp_path / f"{name}.nii.gz", reader="anna", how=HOW)
        assert not (tmp_path / f"{name}.nii.gz").exists()
    with pytest.raises(ScanError, match="(?s)how.*|reader"):
        save_region(drawn, exam, tmp_path / "a.nii.gz", reader="", how={})
    assert not (tmp_path / "a.nii.gz").exists()
