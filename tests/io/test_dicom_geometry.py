"""Where voxels lie: by every way in which a file may say it, or not known, and then refused."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from datkit.io.dicom_geometry import frames_affine, slice_order, stack_affine

pytestmark = pytest.mark.usefixtures("pydicom")

# Where columns and rows run to, as PS3.3 C.7.3.1.1.2 draws the patient in the gantry.
POSITIONS = {
    "HFS": [1, 0, 0, 0, 1, 0],
    "HFP": [-1, 0, 0, 0, -1, 0],
    "FFS": [-1, 0, 0, 0, 1, 0],
    "FFP": [1, 0, 0, 0, -1, 0],
    "HFDL": [0, -1, 0, 1, 0, 0],
    "HFDR": [0, 1, 0, -1, 0, 0],
    "FFDL": [0, 1, 0, 1, 0, 0],
    "FFDR": [0, -1, 0, -1, 0, 0],
}
SRT = {"HF": "F-10470", "FF": "F-10480", "S": "F-10340", "P": "F-10310"}
SRT |= {"DL": "F-10319", "DR": "F-10317"}
SCT = {"HF": "102540008", "FF": "102541007", "S": "40199007", "P": "1240000"}
SCT |= {"DL": "102536004", "DR": "102535000"}
WORDS = {"HF": "Head first", "FF": "feet-first", "S": "Supine", "P": "PRONE"}
WORDS |= {"DL": "left lateral decubitus", "DR": "right lateral decubitus"}


def item(**elements):
    from pydicom.dataset import Dataset

    made = Dataset()
    for name, value in elements.items():
        if value is not None:
            setattr(made, name, value)
    return made


def header(**changes):
    """Twenty slices of 30 rows and 40 columns, and nothing that says where they lie."""
    sizes = {"Rows": 30, "Columns": 40, "NumberOfFrames": 20}
    spacings = {"PixelSpacing": [3, 2], "SpacingBetweenSlices": 4, "SliceThickness": 4}
    return item(**sizes | spacings | changes)


def codes(position, table, scheme):
    """How the patient lay, as code sequences of PS3.3 C.8.4.6."""

    def code(word):
        value = {"CodeValue": table[word], "CodeMeaning": "?"}
        if scheme == "words":
            value = {"CodeValue": "X-1", "CodeMeaning": table[word]}
        return item(CodingSchemeDesignator=scheme, **value)

    lying = item(CodeValue="F-10450", CodeMeaning="recumbent")
    lying.PatientOrientationModifierCodeSequence = [code(position[2:])]
    ways = {"PatientGantryRelationshipCodeSequence": [code(position[:2])]}
    return header(PatientOrientationCodeSequence=[lying], **ways)


def axes_of(affine):
    """Where columns, rows and slices run to: letters, as far as axes lie along the body."""
    import nibabel as nib

    return "".join(nib.aff2axcodes(affine))


def read(made, told=None):
    faults = []
    affine = frames_affine(made, told, faults)
    assert faults == []
    return affine


def refused(made, told=None):
    faults = []
    frames_affine(made, told, faults)
    [(code, words)] = faults
    return SimpleNamespace(code=code, found=words[1], remedy=words[2])


@pytest.mark.parametrize("sign", [1, -1], ids=["along", "against"])
@pytest.mark.parametrize("position", POSITIONS)
def test_every_position_in_every_way_of_saying_it_is_the_same_place(position, sign):
    said = [
        header(ImageOrientationPatient=POSITIONS[position], PatientPosition="HFS"),
        header(DetectorInformationSequence=[item(ImageOrientationPatient=POSITIONS[position])]),
        header(PatientPosition=position),
        header(PatientPosition=position.lower()),
        codes(position, SRT, "SRT"),
        codes(position, SRT, "99SDM"),
        codes(position, SCT, "SCT"),
        codes(position, WORDS, "words"),
    ]
    columns, rows = np.reshape(POSITIONS[position], (2, 3))
    head = 1 if position.startswith("HF") else -1
    np.testing.assert_array_equal(np.cross(columns, rows), [0, 0, head])
    lps = np.stack([columns * 2, rows * 3, [0, 0, head * sign * 4]], 1)  # mm a step
    for made in said:
        made.SpacingBetweenSlices = 4 * sign
        affine = read(made)
        np.testing.assert_allclose(affine[:3, :3], np.diag([-1, -1, 1]) @ lps, atol=1e-9)
        np.testing.assert_allclose(affine @ [19.5, 14.5, 9.5, 1], [0, 0, 0, 1], atol=1e-9)


def test_the_letters_of_an_image_tell_its_orientation():
    assert axes_of(read(header(PatientOrientation=["L", "P"]))) == "LPS"
    assert axes_of(read(header(PatientOrientation=["R", "P"]))) == "RPI"
    assert axes_of(read(header(PatientOrientation=["L", "F"]))) == "LIP", "coronal"


@pytest.mark.parametrize("letters", [["R", "P"], ["L", "A"], ["L", "F"], ["RA", "P"]])
def test_letters_that_contradict_the_orientation_are_refused(letters):
    lying = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "PatientOrientation": letters}
    assert "contradict each other" in refused(header(**lying)).found
    del lying["ImageOrientationPatient"]
    assert axes_of(read(header(**lying, PatientPosition="HFS"), "LPS")) == "LPS"


@pytest.mark.parametrize("letters", [["L", "P"], ["LH", "PF"], ["L", ""], ["?", "P"], [""]])
def test_letters_that_agree_or_say_nothing_of_a_head_askew_are_none(letters):
    turn = np.radians(40)
    askew = [np.cos(turn), 0, np.sin(turn), 0, 1, 0]
    made = header(ImageOrientationPatient=askew, PatientOrientation=letters)
    np.testing.assert_allclose(read(made)[:3, 0], [-2 * askew[0], 0, 2 * askew[2]])


def shared(**elements):
    return {"SharedFunctionalGroupsSequence": [item(PixelMeasuresSequence=[item(**elements)])]}


@pytest.mark.parametrize(
    ("name", "wrong", "rounded"),
    [("PixelSpacing", [3.3, 2.2], [3.02, 1.98]), ("SpacingBetweenSlices", 5, 4.04)],
)
def test_a_spacing_is_one_wherever_it_stands(name, wrong, rounded):
    lying = {"PatientPosition": "HFS"}
    for place in (shared, lambda **said: {"DetectorInformationSequence": [item(**said)]}):
        told = refused(header(**lying, **place(**{name: wrong})))
        assert told.code == "spacing-contradictory"
        assert told.found in ("3.3\\2.2 and 3\\2", "5 and 4")
        np.testing.assert_allclose(read(header(**lying, **place(**{name: rounded})))[2, 2], 4, 0.02)


def test_orientation_and_position_stand_with_any_detector():
    known = item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0], ImagePositionPatient=[-9, -8, 7])
    for detectors in ([known, item()], [item(), known], [known, known]):
        affine = read(header(DetectorInformationSequence=detectors))
        assert axes_of(affine) == "LPS" and affine[:3, 3].tolist() == [9, 8, 7]


def test_slices_run_as_the_sign_of_their_spacing_and_their_numbers_say():
    lying = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
    assert axes_of(read(header(**lying, SpacingBetweenSlices=-4))) == "LPI"
    up = header(SliceVector=[*range(1, 21)])
    down, mixed = header(SliceVector=[*range(20, 0, -1)]), header(SliceVector=[2, 1, *range(3, 21)])
    faults = []
    assert slice_order(up, 20, faults).tolist() == slice_order(header(), 20, faults).tolist()
    assert slice_order(down, 20, faults).tolist() == [*range(19, -1, -1)]
    assert slice_order(mixed, 20, faults).tolist()[:3] == [1, 0, 2] and not faults
    for vector in ([1] * 20, [*range(1, 20)], [*range(1, 20), 40]):
        faults = []
        slice_order(header(SliceVector=vector), 20, faults)
        assert [code for code, _ in faults] == ["slices-mixed"]


SKEWED = [1, 0, 0, 1, 0, 0]
CONTRADICTION = [1, 0, 0, 0, 1, 0], [-1, 0, 0, 0, 1, 0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "none"),
        ({"PatientPosition": "SITTING"}, "none"),
        ({"PatientOrientation": ["LP", "S"]}, "none"),
        ({"ImageOrientationPatient": [0] * 6}, "none"),
        ({"ImageOrientationPatient": SKEWED}, "a skewed one"),
        ({"ImageOrientationPatient": CONTRADICTION[0], "both": CONTRADICTION[1]}, "two that"),
        ({"PatientPosition": "HFS", "codes": "FFS"}, "two that"),
    ],
)
def test_what_does_not_tell_left_from_right_is_refused_and_goes_on_when_told(changes, said):
    changes = dict(changes)
    made = codes(changes.pop("codes"), SRT, "SRT") if "codes" in changes else header()
    if "both" in changes:
        made.DetectorInformationSequence = [item(ImageOrientationPatient=changes.pop("both"))]
    for name, value in changes.items():
        setattr(made, name, value)
    told = refused(made)
    assert told.code == "orientation-missing" and told.found.startswith(said)
    assert "left and right are not known" in told.found and "--orientation LPS" in told.remedy
    assert axes_of(read(made, "LPS")) == "LPS" and axes_of(read(made, "RAI")) == "RAI"


@pytest.mark.parametrize("spacing", [0, None, ""])
def test_a_distance_of_slices_that_is_not_told_names_the_element_and_the_cure(spacing):
    made = header(PatientPosition="HFS", SpacingBetweenSlices=spacing)
    told = refused(made)
    assert told.code == "spacing-missing" and "(SliceThickness is 4.0)" in told.found
    assert told.found.startswith("0" if spacing == 0 else "absent")
    assert "--orientation" in told.remedy
    affine = read(made, "LPI")  # both are known then: slices touch, and run down
    np.testing.assert_allclose(affine[:3, :3], np.diag([-2, -3, -4]))
    del made.SliceThickness
    assert "SliceThickness is absent" in refused(made, "LPI").found


@pytest.mark.parametrize("spacing", [None, [0, 0], [0.00246, 0.00246], [2460, 2460], [2]])
def test_a_pixel_spacing_of_no_exam_names_the_element_and_its_unit(spacing):
    told = refused(header(PatientPosition="HFS", PixelSpacing=spacing))
    assert told.code == "spacing-impossible" and "mm" in told.remedy
    assert told.found == ("absent" if spacing is None else "\\".join(map(str, map(float, spacing))))


def test_a_distance_of_slices_in_another_unit_names_the_element():
    for value in (0.004, -4000):
        told = refused(header(PatientPosition="HFS", SpacingBetweenSlices=value))
        assert (told.code, told.found) == ("spacing-impossible", str(float(value)))


# ------------------------------------------------------------ one file a slice


def slices(places, **changes):
    lying = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "NumberOfFrames": None}
    return [
        header(**lying | {"ImagePositionPatient": [-5, -6, z]} | changes) if z is not None
        else header(**lying) for z in places
    ]  # fmt: skip


def test_slices_are_stacked_by_their_places_whatever_their_order_of_files():
    faults = []
    order, affine = stack_affine(slices([8, 0, 4, -4]), None, faults)
    assert faults == [] and order.tolist() == [3, 1, 2, 0] and axes_of(affine) == "LPS"
    assert affine[:3, 3].tolist() == [5, 6, -4]
    np.testing.assert_allclose(np.diag(affine)[:3], [-2, -3, 4])


@pytest.mark.parametrize(
    ("places", "found"),
    [
        ([0, 4, 8, 16, 20], "5, 0 where another is, 1 gaps"),
        ([0, 4, 4, 8, 12], "5, 1 where another is, 0 gaps"),
        ([7, 7, 7], "3, 2 where another is, 0 gaps"),
        ([0, 4, None, 12], "none in 1 of 4 slices"),
    ],
)
def test_a_stack_with_gaps_or_twice_the_same_slice_names_dcm2niix(places, found):
    faults = []
    stack_affine(slices(places), None, faults)
    [(_, (_, said, remedy))] = faults
    assert said == found and "dcm2niix" in remedy


def test_slices_of_several_series_are_not_one_volume():
    mixed = [*slices([0, 4, 8]), *slices([12, 16], PixelSpacing=[1, 1])]
    faults = []
    stack_affine(mixed, None, faults)
    assert [code for code, _ in faults] == ["slices-mixed"] and "PixelSpacing" in faults[0][1][0]


def stacked(headers):
    faults = []
    _, affine = stack_affine(headers, None, faults)
    return affine, list(dict.fromkeys(faults))


def test_slices_that_go_sideways_are_refused_with_the_angle():
    for place in ([0, 4 * np.tan(np.radians(26)), 4], [0.5, 0, 4], [0, -3, 4]):
        made = slices([0] * 10)
        for number, one in enumerate(made):
            one.ImagePositionPatient = [float(round(step * number, 3)) for step in place]
        angle = np.degrees(np.arctan2(np.hypot(place[0], place[1]), 4))
        _, [(code, (_, found, _))] = stacked(made)
        assert code == "slices-sheared" and f"{angle:.0f}° off" in found
    for number, one in enumerate(made):  # positions of one decimal
        one.ImagePositionPatient = [0.1 * (number % 2), 0.1 * (number % 3), 4 * number]
    assert stacked(made)[1] == []
    made[5].ImagePositionPatient = [7, 0, 20]
    assert stacked(made)[1][0][0] == "slices-sheared"


def test_a_distance_that_contradicts_the_places_of_slices_is_refused():
    for said in (4, -4, 4.05, None, 0):
        affine, faults = stacked(slices([0, 4, 8], SpacingBetweenSlices=said))
        assert faults == [] and affine[2, 2] == 4
    _, [(code, words)] = stacked(slices([0, 4, 8], SpacingBetweenSlices=8))
    assert (code, words[1]) == ("spacing-contradictory", "8 mm in it, 4 mm by positions")


@pytest.mark.parametrize("element", ["FrameOfReferenceUID", "PatientOrientation"])
def test_slices_that_lie_in_several_spaces_are_not_one_volume(element):
    made = slices([0, 4, 8])
    setattr(made[0], element, "1.2.3" if element.endswith("UID") else ["L", "P"])
    assert stacked(made)[1] == [], "what the others leave out contradicts nothing"
    setattr(made[1], element, "1.2.4" if element.endswith("UID") else ["LH", "P"])
    assert element in stacked(made)[1][0][1][0]
