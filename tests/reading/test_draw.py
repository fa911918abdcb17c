"""A scripted reader draws in a real browser: the mask has the exam's exact grid, on any layout.

What the widget of a notebook brings back is tried here as the browser sends it, and in a real
JupyterLab in ``tests/book/test_jupyterlab.py``.
"""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from accessible import check_sizes
from exams import save_small
from scipy.spatial.transform import Rotation
from tabs import open_tab

from datkit.errors import UsageError
from datkit.io.scan import load_scan
from datkit.reading.draw import draw_in_notebook, drawn_mask, write_drawing_page
from datkit.reading.regions import load_region

OBLIQUE = Rotation.from_euler("xyz", [9, -14, 21], degrees=True).as_matrix() * [4.1, 4.7, 5.3]
LAYOUTS = {
    "RAS": nib.affines.from_matvec(np.diag([5.0, 5.5, 6.0]), [-80, -99, -72]),
    "LAS": nib.affines.from_matvec(np.diag([-5.0, 5.5, 6.0]), [80, -99, -72]),
    "PSR": nib.affines.from_matvec(np.eye(3)[[2, 0, 1]] * [-5.0, 5.5, 6.0], [-72, 80, -99]),
    "oblique": nib.affines.from_matvec(OBLIQUE, [-70, -80, -60]),
}
SHAPE = (32, 36, 24)


def save_exam(path, affine):
    voxels = np.random.default_rng(0).integers(0, 90, SHAPE).astype(np.uint16)
    image = nib.Nifti1Image(voxels, affine)
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    nib.save(image, path)
    return path


@pytest.fixture
def tab(browser):
    with open_tab(browser, {"width": 900, "height": 900}, offline=True) as tab:
        yield tab


@pytest.fixture
def page(tab, tmp_path, request):
    exam = save_exam(tmp_path / "exam.nii.gz", LAYOUTS[request.param])
    tab.goto(write_drawing_page(exam, tmp_path / "page.html").as_uri())
    tab.locator("html[data-ready]").wait_for()
    return exam


def collect(tab, folder):
    """Save, and keep both files under the names that the page gives them."""
    got = []
    tab.on("download", lambda one: got.append(one))
    tab.get_by_label("reader").fill("Anna B.")
    tab.get_by_role("button", name="Save mask and sidecar").click()
    tab.get_by_text("Saved exam_Anna-B-.nii.gz").wait_for()
    while len(got) < 2:
        tab.wait_for_timeout(50)
    for one in got:
        one.save_as(folder / one.suggested_filename)
    return folder / "exam_Anna-B-.nii.gz"


def at_cross(tab):
    """Where the cross is, mm."""
    return np.array(tab.evaluate("[...datDraw.frac2mm(datDraw.scene.crosshairPos)].slice(0, 3)"))


def to(tab, mm):
    tab.evaluate(f"datDraw.scene.crosshairPos = datDraw.mm2frac({[*map(float, mm)]}, 0, true)")


@pytest.mark.parametrize("page", LAYOUTS, indirect=True)
def test_what_is_drawn_lies_where_it_was_drawn(tab, page, tmp_path):
    scan = load_scan(page)
    tab.get_by_label("width").fill("1")
    canvas = tab.locator("canvas")
    expected = np.zeros(SHAPE, np.uint8)
    canvas.focus()
    for place in ((9, 10, 8), (10, 10, 8), (23, 25, 18), (24, 26, 19)):
        mm = (scan.affine @ [*place, 1])[:3]
        label = 1 if mm[0] < (scan.affine @ [16, 18, 12, 1])[0] else 2  # the patient's side
        canvas.press(str(label))
        to(tab, mm)
        canvas.press("Space")
        expected[place] = label
    assert set(np.unique(expected)) == {0, 1, 2}
    to(tab, (scan.affine @ [16, 18, 12, 1])[:3])
    canvas.press("Space")
    canvas.press("u")
    region = load_region(collect(tab, tmp_path), page)
    np.testing.assert_array_equal(region.mask, expected)
    assert region.facts.reader == "Anna B." and region.facts.how["undone"] == 1
    made, source = nib.load(tmp_path / "exam_Anna-B-.nii.gz").header, nib.load(page).header
    for name in ("dim", "pixdim", "qform_code", "sform_code", "srow_x", "srow_y", "quatern_b"):
        np.testing.assert_array_equal(made[name], source[name])


@pytest.mark.parametrize("page", ["LAS"], indirect=True)
def test_a_mouse_draws_and_erases_and_keys_move_along_the_body(tab, page, tmp_path):
    scan, box = load_scan(page), tab.locator("canvas").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.mouse.move(middle[0] - 60, middle[1])
    tab.mouse.down()
    tab.mouse.move(middle[0] - 40, middle[1], steps=4)
    tab.mouse.up()
    tab.get_by_text("left ").first.wait_for()
    drawn = tab.evaluate("datDraw.drawBitmap.reduce((sum, one) => sum + (one === 1), 0)")
    assert drawn > 3
    canvas = tab.locator("canvas")
    canvas.focus()
    start = at_cross(tab)
    for key, axis, sign in (("ArrowRight", 0, 1), ("ArrowUp", 1, 1), ("PageUp", 2, 1)):
        canvas.press(key)
        moved = at_cross(tab) - start
        assert np.sign(moved[axis]) == sign, key
        start = at_cross(tab)
    canvas.press("PageDown")
    region = load_region(collect(tab, tmp_path), page)
    x = (scan.affine @ [*np.argwhere(region.mask == 1).mean(0), 1])[0]
    assert x < (scan.affine @ [16, 18, 12, 1])[0], "the picture's left is the patient's left"
    tab.get_by_role("button", name="eraser").click()
    tab.mouse.move(middle[0] - 70, middle[1])
    tab.mouse.down()
    tab.mouse.move(middle[0] - 20, middle[1], steps=8)
    tab.mouse.up()
    assert tab.evaluate("datDraw.drawBitmap.reduce((sum, one) => sum + one, 0)") < drawn


@pytest.mark.parametrize("page", ["RAS"], indirect=True)
def test_nothing_is_saved_of_nothing_and_the_page_keeps_nobody_off(tab, page):
    save = tab.get_by_role("button", name="Save mask and sidecar")
    save.click()
    assert "found no reader" in tab.locator("#said").text_content()
    tab.get_by_label("reader").fill("anna")
    save.click()
    assert "found none: draw one first" in tab.locator("#said").text_content()
    assert tab.get_by_text("not for diagnosis").count() == 2
    for view in ("axial", "three planes", "3-D"):
        tab.get_by_role("button", name=view).click()
        check_sizes(tab, view)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_widgets_drawing_comes_back_along_the_axes_of_the_file(tmp_path, layout):
    pytest.importorskip("ipyniivue", reason="ipyniivue is not installed: it is of the extra book")
    exam = save_exam(tmp_path / "exam.nii.gz", LAYOUTS[layout])
    widget = draw_in_notebook(exam)
    with pytest.raises(UsageError, match="found none: draw on the widget first"):
        drawn_mask(widget, exam)
    expected = np.zeros(SHAPE, np.uint8)
    expected[3:9, 20:22, 5], expected[25:, 7, 11:14] = 1, 2
    turned = nib.as_closest_canonical(nib.Nifti1Image(expected, load_scan(exam).affine))
    sent = np.asarray(turned.dataobj).tobytes(order="F")  # x first, as niivue keeps a drawing
    part = {"chunk_index": 0, "total_chunks": 1, "data_type": "uint8", "chunk": memoryview(sent)}
    widget.set_state({"chunk_draw_bitmap_0": part})
    np.testing.assert_array_equal(drawn_mask(widget, exam), expected)
    larger = save_small(tmp_path / "larger.nii.gz", shape=(33, 36, 24))
    with pytest.raises(UsageError, match="Expected a drawing on this exam"):
        drawn_mask(widget, larger)
