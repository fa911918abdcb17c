"""Slices: left is left, millimetres are millimetres, each slice tells where it lies."""

from __future__ import annotations

import io
import runpy
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hot_putamen import HOT_MM, brightest_mm, hot_voxel, left_hot, words
from PIL import Image
from scipy.spatial.transform import Rotation

from datkit.errors import UsageError
from datkit.io.scan import Scan
from datkit.prepare import GRID, load_regions
from datkit.view.slices import (
    SLAB_MM,
    plot_exam,
    plot_maps,
    plot_mean_maps,
    plot_pair,
    plot_raw,
    plot_sheet,
    striatal_slab,
)

REPOSITORY = Path(__file__).resolve().parents[2]


def test_every_slice_tells_its_sides_and_its_height() -> None:
    figure = plot_exam(left_hot(), n_slices=6)
    slices = figure.axes[:6]
    assert all(words(axes)[:2] == ["L", "R"] for axes in slices)
    assert [words(axes)[2] for axes in slices] == [
        f"z = {z} mm" for z in ("−8", "−2", "+4", "+10", "+16", "+22")
    ]
    bar = figure.axes[-1]
    assert bar.get_xlabel() == "uptake (non-specific = 1), fixed scale 0 to 5"
    assert all(axes.images[0].get_clim() == (0, 5) for axes in slices)


def test_the_left_putamen_is_drawn_on_the_left() -> None:
    figure = plot_sheet([("", left_hot(), 4.0)], top=5)
    axes = figure.axes[0]
    np.testing.assert_allclose(brightest_mm(axes), HOT_MM[:2], atol=1e-6)
    picture = np.asarray(Image.open(io.BytesIO(figure.png())).convert("RGB")).astype(int)
    box = axes.get_window_extent()
    rows = slice(picture.shape[0] - int(box.y1), picture.shape[0] - int(box.y0))
    pixels = picture[rows, int(box.x0) : int(box.x1)]
    inferno_top = np.array([252, 255, 164])
    hot_columns = np.argwhere((np.abs(pixels - inferno_top) < 6).all(axis=2))[:, 1]
    assert hot_columns.size > 50
    assert hot_columns.max() < pixels.shape[1] / 2


def test_mean_maps_show_the_second_class_minus_the_first() -> None:
    flat = np.ones(GRID.shape, dtype=np.float32)
    volumes = np.stack([left_hot(), left_hot(), flat, flat * 99])
    figure = plot_mean_maps(volumes, [0, 0, 1, np.nan], levels=[4.0])
    normal, abnormal, difference = figure.axes[:3]
    assert normal.get_title(loc="left") == "normal, n = 2"
    assert abnormal.images[0].get_array().max() == 1  # the exam without a label is left out
    assert difference.images[0].get_array().min() == -4
    assert difference.images[0].get_clim() == (-2, 2)
    assert "R" in words(difference)


def test_mean_maps_need_both_classes() -> None:
    with pytest.raises(UsageError, match="none with label 1; pass labels"):
        plot_mean_maps(np.ones((2, *GRID.shape)), [0, 0])


def test_maps_lie_where_their_affine_says_in_one_scale_with_the_striata_around() -> None:
    putamen = load_regions()["putamen_left"]
    fine = nib.Nifti1Image(np.where(putamen, 3.0, 0.0).astype(np.float32), GRID.affine)
    coarse = fine.slicer[::2, ::2, ::2]
    figure = plot_maps({"fine": fine, "of 4 mm": coarse}, levels=[2.0], label="logit per SBR")
    first, second, bar = figure.axes
    assert [axes.get_title(loc="left") for axes in (first, second)] == ["fine", "of 4 mm"]
    assert bar.get_ylabel() == "logit per SBR"
    level = putamen[:, :, 19]
    centre = (np.argwhere(level).mean(axis=0) * 2 + GRID.affine[:2, 3]).round(2)
    for axes in (first, second):
        assert axes.images[0].get_clim() == (-3, 3) and words(axes)[:2] == ["L", "R"]
        np.testing.assert_allclose(brightest_mm(axes), centre, atol=2)
        template, striata = axes.collections
        outline = striata.get_paths()[0].vertices
        assert (np.abs(outline) < 40).all() and {*np.sign(outline[:, 0])} == {-1, 1}
        assert np.ptp(template.get_paths()[0].vertices[:, 0]) > np.ptp(outline[:, 0])
    hospital = plot_maps({"fine": fine}, levels=[2.0], radiological=True).axes[0]
    assert hospital.xaxis.get_inverted() and words(hospital)[:2] == ["R", "L"]


def test_a_map_above_the_striata_has_no_outline_and_no_warning(recwarn) -> None:
    image = nib.Nifti1Image(np.ones(GRID.shape, np.float32), GRID.affine)
    figure = plot_maps({"even": image}, levels=[56.0], span=2.0)
    assert not figure.axes[0].collections and not recwarn.list
    assert figure.axes[0].images[0].get_clim() == (-2, 2)


ORIENTATIONS = {
    "RAS": np.diag([2.0, 2.0, 2.0]),
    "LAS": np.diag([-2.0, 2.0, 2.0]),
    "PSR": 2.0 * np.array([[0, 0, 1], [-1, 0, 0], [0, 1, 0]]),
    "oblique": Rotation.from_euler("zx", [20, -12], degrees=True).as_matrix() * 2.0,
}


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_a_raw_scan_is_drawn_where_the_patient_lay(name: str) -> None:
    affine = np.eye(4)
    affine[:3, :3] = ORIENTATIONS[name]
    centre = affine[:3, :3] @ [31.5, 31.5, 31.5]
    affine[:3, 3] = -centre
    counts = np.full((64, 64, 64), 10, dtype=np.float32)
    counts[tuple(slice(i - 3, i + 4) for i in hot_voxel(affine=affine))] = 100
    figure = plot_raw(Scan(counts, affine), at=HOT_MM)
    coronal, sagittal, axial, facts = figure.axes[:4]
    np.testing.assert_allclose(brightest_mm(coronal), HOT_MM[[0, 2]], atol=2)
    np.testing.assert_allclose(brightest_mm(sagittal), HOT_MM[[1, 2]], atol=2)
    np.testing.assert_allclose(brightest_mm(axial), HOT_MM[[0, 1]], atol=2)
    assert words(axial)[:2] == ["L", "R"]
    assert words(facts)[0].endswith("field of view\n128 × 128 × 128 mm")


def test_what_lies_outside_an_oblique_field_of_view_is_not_drawn_as_zero_counts() -> None:
    affine = np.eye(4)
    affine[:3, :3] = ORIENTATIONS["oblique"]
    figure = plot_raw(Scan(np.ones((32, 32, 32), dtype=np.float32), affine))
    corner = figure.axes[2].images[0].get_array()[0, 0]
    assert corner is np.ma.masked or np.isnan(corner)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plot_exam(np.ones((2, *GRID.shape))), "pick one exam, such as volumes"),
        (lambda: plot_exam(np.ones(GRID.shape), n_slices=0), "at least one slice"),
        (lambda: plot_sheet([]), "at least one slice"),
        (lambda: plot_pair(*np.ones((2, *GRID.shape)), levels=[99.0]), "z between -37 and 59 mm"),
        (lambda: plot_raw(Scan(np.ones((9, 9, 9)), np.eye(4)), at=[0, 99, 0]), "y between"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(call, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call()


def test_the_pictures_of_readme_and_chapters_are_what_their_command_makes() -> None:
    script = runpy.run_path(str(REPOSITORY / ".ci" / "readme_picture.py"))
    exams = script["simulate_examples"]()
    assert {name: int(exam.truth["votes"]) for name, exam in exams.items()} == {
        "normal": 0,
        "abnormal": 5,
    }
    assert exams["normal"].exam["centre"] == exams["abnormal"].exam["centre"]
    static = REPOSITORY / "book" / "static"
    assert {path.name for path in static.glob("*.png")} == script["PICTURES"].keys()
    for name, plot in script["PICTURES"].items():
        assert (static / name).stat().st_size <= 120_000
        was, is_now = (
            np.asarray(Image.open(source).convert("RGB"), dtype=float)
            for source in (static / name, io.BytesIO(plot(exams).png(colours=192)))
        )
        # Other machines round differently; a changed exam, scale or level changes far more.
        assert np.abs(was - is_now).mean() < 1, name


def test_the_slab_is_twelve_millimetres_with_more_striatum_than_any_other() -> None:
    regions = load_regions()
    striatum = (regions["striatum_left"] | regions["striatum_right"]).sum(axis=(0, 1))
    thickness = round(np.ptp(SLAB_MM) / GRID.affine[2, 2])
    slabs = np.convolve(striatum, np.ones(thickness), mode="valid")
    first = round((SLAB_MM[0] + 1 - GRID.affine[2, 3]) / GRID.affine[2, 2])
    assert thickness == 6 and slabs[first] >= 0.99 * slabs.max()


def test_slices_outside_the_slab_do_not_count() -> None:
    volume = np.full(GRID.shape, 9.0)
    volume[:, :, 16:22] = 2.0  # z = −4 to +6 mm
    np.testing.assert_array_equal(striatal_slab(volume), np.full(GRID.shape[:2], 2.0))


def test_looking_up_a_name_loads_no_other_library() -> None:
    code = "import sys, datkit.view; print({'matplotlib', 'plotly', 'nibabel'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
