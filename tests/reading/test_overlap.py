"""Agreement by pencil, by SimpleITK, and what a region does to the number."""

from __future__ import annotations

import numpy as np
import pytest

from datkit.errors import UsageError
from datkit.io.scan import load_scan, save_scan
from datkit.reading.overlap import compare_regions, overlap, region_sbr
from datkit.reading.regions import save_region
from datkit.simulate import draw_exam, simulate_exam, true_regions, true_striata

AFFINE = np.diag([2.0, 3.0, 4.0, 1.0])


def block(start: int) -> np.ndarray:
    mask = np.zeros((20, 12, 12), bool)
    mask[start : start + 4, 3:7, 3:7] = True
    return mask


def test_blocks_agree_as_a_pencil_says():
    same, half, apart = (overlap(block(3), block(at), AFFINE) for at in (3, 5, 9))
    assert (same["dice"], half["dice"], apart["dice"]) == (1.0, 0.5, 0.0)
    assert same["distance_mm"] == 0 and same["volume_ml"] == 64 * 24 / 1000
    assert 0 < half["distance_mm"] < 4 < apart["distance_mm"] < 12, "2 mm a voxel along i"
    none = overlap(block(3), block(3) & False, AFFINE)
    assert np.isnan(none["dice"]) and np.isnan(none["distance_mm"])
    assert none["volume_ml"] == same["volume_ml"]
    with pytest.raises(UsageError, match="one grid"):
        overlap(block(3), block(3)[1:], AFFINE)


def test_simpleitk_says_the_same():
    itk = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed")
    rng = np.random.default_rng(0)
    one, other = block(3) | (rng.random((20, 12, 12)) > 0.98), block(5)
    images = []
    for mask in (one, other):
        images.append(itk.GetImageFromArray(mask.transpose(2, 1, 0).astype(np.uint8)))
        images[-1].SetSpacing([2.0, 3.0, 4.0])
    measured = itk.LabelOverlapMeasuresImageFilter()
    measured.Execute(*images)
    found = overlap(one, other, AFFINE)
    assert found["dice"] == pytest.approx(measured.GetDiceCoefficient(), abs=1e-12)
    surfaces = [itk.LabelContour(image, True) for image in images]
    away = []
    for mine, yours in (surfaces, surfaces[::-1]):
        far = itk.Abs(itk.SignedMaurerDistanceMap(yours, False, False, True))
        at = itk.GetArrayFromImage(mine) > 0
        away.append(itk.GetArrayFromImage(far)[at])
    assert found["distance_mm"] == pytest.approx(np.concatenate(away).mean(), rel=0.1)


@pytest.fixture(scope="module")
def exam(tmp_path_factory):
    made = simulate_exam(2026, 3)
    folder = tmp_path_factory.mktemp("exam")
    return save_scan(made.volume, made.acquisition.affine, folder / "exam.nii.gz")


def test_true_regions_lie_where_the_true_striata_do():
    drawn = draw_exam(2026, 7)
    mask, middles = true_regions(drawn), true_striata(drawn)
    for number, middle in enumerate(middles, start=1):
        at = drawn.acquisition.affine @ [*np.argwhere(mask == number).mean(0), 1]
        np.testing.assert_allclose(at[:3], middle, atol=1.0)


def test_too_large_a_region_lowers_the_ratio_and_the_truth_does_not(exam, tmp_path):
    from scipy.ndimage import binary_dilation

    truth = true_regions(draw_exam(2026, 3))
    wide = np.zeros_like(truth)
    for number in (1, 2):
        wide[binary_dilation(truth == number, iterations=2)] = number
    masks = {"exact": truth, "wide": wide, "left alone": truth * (truth == 1)}
    regions = {
        name: save_region(mask, exam, tmp_path / "r.nii.gz", reader=name, how={"tool": "scripted"})
        for name, mask in masks.items()
    }
    table = compare_regions(exam, regions, truth)
    exact, large = (table.xs(name, level="reader") for name in ("exact", "wide"))
    assert (exact["difference"] == 0).all() and (exact["dice"] == 1).all()
    assert (large["difference"] < -0.3).all() and (large["distance_mm"] > 1).all()
    assert np.isnan(table.loc[("striatum_right", "left alone"), ["sbr", "dice"]]).all()
    both = compare_regions(exam, {"a": regions["exact"], "b": regions["exact"]})
    assert both.loc[("striatum_left", "majority"), "sbr"] == exact.loc["striatum_left", "sbr"]
    scan = load_scan(exam).data
    assert region_sbr(scan * 3, truth == 1, 30.0) == pytest.approx(region_sbr(scan, truth == 1, 10))
