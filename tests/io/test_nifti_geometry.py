"""Left and right are the file's own, or told, or refused; never guessed."""

from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest

from datkit.errors import ScanError, UsageError
from datkit.io.scan import load_scan, stated_affine

HEAD = np.arange(8 * 9 * 10, dtype=np.int16).reshape(8, 9, 10)
RAS = np.diag([2.46, 2.46, 3.0, 1.0])
LAS, RPS = np.diag([-1, 1, 1, 1]) @ RAS, np.diag([1, -1, 1, 1]) @ RAS
LPS = np.diag([-1, -1, 1, 1]) @ RAS
PLAIN = nib.orientations.axcodes2ornt("RAS")


def turned(degrees: float) -> np.ndarray:
    """RAS, turned about the vertical."""
    turn = np.radians(degrees)
    about_z = [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    return nib.affines.from_matvec(about_z) @ RAS


def save(path, *, q=1, s=1, qform=RAS, sform=RAS, kind=nib.Nifti1Image, **fields):
    """Write the head with a qform, an sform, their codes, and fields of the header set by hand."""
    image = kind(HEAD, np.eye(4))
    image.set_qform(qform, q)
    image.set_sform(sform, s)
    image.header.set_xyzt_units("mm")
    content = image.to_bytes()
    header = kind.header_class(content[: kind.header_class.sizeof_hdr], check=False)
    for name, value in fields.items():
        header[name] = value
    path.write_bytes(header.binaryblock + content[kind.header_class.sizeof_hdr :])
    return path


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("codes", [(0, 0), (9, 0), (0, 9), (-1, -3)])
def test_codes_that_say_nothing_leave_left_and_right_unknown(kind, codes, tmp_path):
    path = save(tmp_path / "exam.nii", kind=kind, qform_code=codes[0], sform_code=codes[1])
    with pytest.raises(ScanError, match=r"where left and right are.* --orientation") as caught:
        load_scan(path)
    assert [problem.code for problem in caught.value.problems] == ["orientation-unknown"]
    guess = load_scan(path, repair=True)
    assert guess.orientation == "unknown" and "left and right" in guess.repairs[0]


@pytest.mark.parametrize("letters", ["RAS", "LAS", "LPS", "las", "PIR", "SLA"])
def test_when_told_the_axes_are_those_and_the_size_is_pixdims(letters, tmp_path):
    scan = load_scan(save(tmp_path / "exam.nii", q=0, s=0), orientation=letters)
    assert "".join(nib.aff2axcodes(scan.affine)) == letters.upper()
    np.testing.assert_allclose(scan.spacing, [2.46, 2.46, 3.0], rtol=1e-6)
    assert scan.orientation == "stated" and scan.repairs == ()


def test_each_of_48_orientations_means_what_it_says():
    """Voxels stored in any order, and told so, come back to one place in the body."""
    letters = ["".join(one) for axes in permutations(("LR", "PA", "IS")) for one in product(*axes)]
    assert len(set(letters)) == 48
    for told in letters:
        ornt = nib.orientations.axcodes2ornt(told)
        stored = nib.apply_orientation(HEAD, nib.orientations.ornt_transform(PLAIN, ornt))
        image = nib.Nifti1Image(stored, stated_affine(told, [1, 1, 1]))
        np.testing.assert_array_equal(nib.as_closest_canonical(image).dataobj, HEAD)


@pytest.mark.parametrize("letters", ["", "RA", "RAX", "RRS", "RLS", "RASS", "left"])
def test_an_orientation_that_there_is_not_is_wrong_use(letters, tmp_path):
    if letters:
        with pytest.raises(UsageError, match="three letters"):
            load_scan(save(tmp_path / "exam.nii"), orientation=letters)
    else:
        assert load_scan(save(tmp_path / "exam.nii"), orientation=letters).orientation == "known"


@pytest.mark.parametrize(
    ("codes", "letters"), [((1, 1), "LAS"), ((0, 2), "LAS"), ((1, 0), "RPS"), ((3, 9), "RPS")]
)
def test_what_one_of_them_says_holds(codes, letters, tmp_path):
    forms = {"qform": LAS if codes == (1, 1) else RPS, "sform": LAS}
    path = save(tmp_path / "exam.nii", **forms, qform_code=codes[0], sform_code=codes[1])
    scan = load_scan(path)
    assert "".join(nib.aff2axcodes(scan.affine)) == letters and scan.orientation == "known"


def test_an_orientation_that_the_header_denies_is_a_contradiction(tmp_path):
    path = save(tmp_path / "exam.nii")
    assert load_scan(path, orientation="ras").orientation == "stated"
    denied = load_scan(path, orientation="LAS")
    assert "".join(nib.aff2axcodes(denied.affine)) == "LAS", "what is told holds"
    assert denied.orientation == "contradictory"


@pytest.mark.parametrize(
    "qform", [LAS, RPS, LPS, turned(90), turned(60), turned(180)], ids=lambda form: ""
)
def test_a_qform_and_an_sform_that_contradict_each_other_are_refused(qform, tmp_path):
    path = save(tmp_path / "exam.nii", qform=qform)
    with pytest.raises(
        ScanError, match=r"RAS in the sform and ... in the qform.*° apart"
    ) as caught:
        load_scan(path)
    assert [problem.code for problem in caught.value.problems] == ["orientation-contradictory"]
    assert load_scan(path, repair=True).orientation == "contradictory"
    assert load_scan(path, orientation="RAS").orientation == "stated"


@pytest.mark.parametrize("degrees", [0.01, 0.5, -0.5])
def test_a_qform_that_is_rounded_is_no_contradiction(degrees, tmp_path):
    scan = load_scan(save(tmp_path / "exam.nii", qform=turned(degrees)))
    assert (scan.orientation, scan.repairs) == ("known", ())


@pytest.mark.parametrize("degrees", [5, 10, 40])
def test_a_qform_that_is_turned_is_told_and_the_sform_holds(degrees, tmp_path):
    scan = load_scan(save(tmp_path / "exam.nii", qform=turned(degrees)))
    assert scan.orientation == "contradictory"
    assert scan.repairs[0].endswith(f"which the qform contradicts by {degrees}°")
    np.testing.assert_allclose(scan.affine, RAS, rtol=1e-6)
    other = load_scan(save(tmp_path / "exam.nii", qform=turned(degrees), s=4))  # of an atlas
    assert other.orientation == "known" and other.repairs == scan.repairs


def sheared(degrees: float) -> np.ndarray:
    """RAS, of whose axes two are so much more than a right angle apart."""
    affine = RAS.copy()
    affine[:3, 2] = 3 * np.array([0, -np.sin(np.radians(degrees)), np.cos(np.radians(degrees))])
    return affine


def test_a_sheared_sform_is_refused_with_the_angle(tmp_path):
    assert load_scan(save(tmp_path / "a.nii", q=0, sform=sheared(0.5))).repairs == ()
    path = save(tmp_path / "exam.nii", q=0, sform=sheared(10))
    with pytest.raises(ScanError, match=r"right angles in the sform, found two .* 80° apart"):
        load_scan(path)
    assert load_scan(path, repair=True).repairs == ("kept a sheared sform",)
    assert load_scan(path, orientation="RAS").repairs == ()


@pytest.mark.parametrize("q", [0, 1])
def test_an_sform_of_zeros_says_nothing(q, tmp_path):
    rows = {name: np.zeros(4) for name in ("srow_x", "srow_y", "srow_z")}
    path = save(tmp_path / "exam.nii", q=q, **rows)
    if q:
        np.testing.assert_allclose(load_scan(path).affine, RAS, rtol=1e-6)
    else:
        with pytest.raises(ScanError, match="no sound qform or sform"):
            load_scan(path)


def test_a_qform_that_is_no_rotation_says_nothing(tmp_path):
    broken = {"quatern_b": 3.0, "quatern_c": 2.0}
    assert load_scan(save(tmp_path / "a.nii", **broken)).orientation == "known"
    with pytest.raises(ScanError, match="no sound qform or sform"):
        load_scan(save(tmp_path / "b.nii", s=0, **broken))


def test_an_sform_of_another_size_than_pixdim_is_refused_by_name(tmp_path):
    path = save(tmp_path / "exam.nii", q=0, sform=np.eye(4))
    said = r"found 1 × 1 × 1 mm in the sform, 2\.46 × 2\.46 × 3 mm in pixdim"
    with pytest.raises(ScanError, match=said):
        load_scan(path)
    np.testing.assert_allclose(load_scan(path, orientation="RAS").spacing, [2.46, 2.46, 3], 1e-6)
    scan = load_scan(path, repair=True)
    assert scan.spacing.tolist() == [1, 1, 1] and "which pixdim contradicts" in scan.repairs[0]


def test_sizes_that_are_rounded_differently_are_one_size(tmp_path):
    sizes = [1, 2.5, 2.45, 3, 1, 1, 1, 1]
    scan = load_scan(save(tmp_path / "exam.nii", q=0, pixdim=sizes))
    np.testing.assert_allclose(scan.spacing, [2.46, 2.46, 3], rtol=1e-6)


@pytest.mark.parametrize("form", ["qform", "sform"])
@pytest.mark.parametrize(("unit", "millimetres"), [("micron", 0.001), ("meter", 1000.0)])
def test_a_unit_that_the_header_names_is_converted(form, unit, millimetres, tmp_path):
    large = np.diag([1 / millimetres] * 3 + [1]) @ RPS
    image = nib.Nifti1Image(HEAD, large)
    image.set_qform(large, int(form == "qform"))
    image.set_sform(large, int(form == "sform"))
    image.header.set_xyzt_units(unit, "sec")
    nib.save(image, tmp_path / "exam.nii")
    np.testing.assert_allclose(load_scan(tmp_path / "exam.nii").affine, RPS, rtol=1e-6)
    told = load_scan(tmp_path / "exam.nii", orientation="LPS")
    np.testing.assert_allclose(told.spacing, [2.46, 2.46, 3], rtol=1e-6)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"xyzt_units": 3}, r"in the sform, in micrometres by xyzt_units, found 0\.00246"),
        ({"xyzt_units": 1}, r"in the sform, in metres by xyzt_units, found 2460"),
        ({"sform_code": 0, "pixdim": [1, 0, 0, 0, 0, 0, 0, 0]}, r"in the pixdim, found 0 × 0 × 0"),
        ({"sform_code": 0, "pixdim": [1, 2, 2, 0, 0, 0, 0, 0]}, r"in the pixdim, found 2 × 2 × 0"),
        ({"pixdim": [1, 2460, 2460, 3000, 0, 0, 0, 0]}, r"in the pixdim, found 2460 × 2460"),
        ({"sform_code": 0, "pixdim": [1, -2.46, 2.46, 3, 0, 0, 0, 0]}, "no sound qform or sform"),
        ({"sform_code": 0, "pixdim": [5, 2.46, 2.46, 3, 0, 0, 0, 0]}, "no sound qform or sform"),
    ],
)
def test_a_size_that_cannot_be_names_the_field_and_the_cure(fields, said, tmp_path):
    path = save(tmp_path / "exam.nii", **fields)
    with pytest.raises(ScanError, match=said) as caught:
        load_scan(path)
    assert all(word in str(caught.value) for word in ("header", "exam.nii"))


def test_an_sform_holds_where_pixdim_is_absent(tmp_path):
    scan = load_scan(save(tmp_path / "exam.nii", pixdim=np.zeros(8)))
    np.testing.assert_allclose(scan.affine, RAS, rtol=1e-6)
    assert scan.orientation == "known"


def test_voxels_of_a_qform_alone_count_slices_down_where_its_handedness_says_so(tmp_path):
    down = np.diag([1, 1, -1, 1]) @ RAS
    scan = load_scan(save(tmp_path / "exam.nii", s=0, qform=down))
    np.testing.assert_allclose(scan.affine, down, rtol=1e-6)


def test_an_analyze_pair_has_no_left_and_right_unless_told(tmp_path):
    nib.save(nib.AnalyzeImage(HEAD, RAS), tmp_path / "exam.img")
    with pytest.raises(ScanError, match="an Analyze header, which cannot say so"):
        load_scan(tmp_path / "exam.hdr")
    scan = load_scan(tmp_path / "exam.img", orientation="LAS")
    np.testing.assert_array_equal(scan.data, HEAD)
    np.testing.assert_allclose(scan.spacing, [2.46, 2.46, 3], rtol=1e-6)
    assert "".join(nib.aff2axcodes(scan.affine)) == "LAS"


def test_the_real_map_is_read_as_it_says(real_map):
    scan = load_scan(real_map)
    assert "".join(nib.aff2axcodes(scan.affine)) == "LAS" and scan.orientation == "known"
    assert scan.spacing.tolist() == [3, 3, 3]
