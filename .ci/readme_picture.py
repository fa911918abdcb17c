"""Rebuild the pictures of the README and of the chapters: a few simulated exams of one camera.

``python .ci/readme_picture.py book/static/*.png`` writes those that it is asked for by name.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from datkit.io.scan import Scan
from datkit.prepare import GRID, prepare_scan
from datkit.simulate.exam import Exam, simulate_exam
from datkit.view.canvas import BELOW, TOP, UPTAKE, Picture, house_style, new_picture
from datkit.view.planes import draw_plane, draw_slice
from datkit.view.slices import plot_sheet

# Exams of seed 2026 from one centre, on which all five readers agree.
EXAMPLES = {"normal": 7, "abnormal": 21}
SHAPES = {"comma": 7, "egg": 112, "dot": 177}  # of one camera, as in the first notebook
WRONG_MM = 1.0  # a slice spacing that programs write where they find none


def simulate_examples(seed: int = 2026) -> dict[str, Exam]:
    """Simulate a normal and an abnormal exam, by name."""
    return {name: simulate_exam(seed, index) for name, index in EXAMPLES.items()}


def _scan(exam: Exam) -> Scan:
    return Scan(exam.volume.astype(np.float32), exam.acquisition.affine)


def plot_shapes(_: dict[str, Exam], seed: int = 2026) -> Picture:
    """Prepare and plot one slice of three simulated exams: comma, egg and dot."""
    exams = {name: simulate_exam(seed, index) for name, index in SHAPES.items()}
    volumes = {name: prepare_scan(_scan(exam)).volume for name, exam in exams.items()}
    return plot_sheet([(name, volume, 4.0) for name, volume in volumes.items()])


@house_style()
def plot_views(exams: dict[str, Exam]) -> Picture:
    """Plot one slice of the abnormal exam as the kit draws it, and as hospitals do."""
    volume = prepare_scan(_scan(exams["abnormal"])).volume
    picture, grid = new_picture(1, 2, 4.6, "")
    for axes, radiological in zip(grid.flat, (False, True), strict=True):
        look = {"high": TOP, "radiological": radiological}
        image = draw_slice(axes, volume, GRID.affine, "axial", 4, **look)
        axes.set_title("radiological" if radiological else "neurological (default)")
        axes.label_outer()
    picture.colorbar(image, ax=grid, label=UPTAKE, **BELOW)
    return picture


@house_style()
def plot_spacings(exams: dict[str, Exam]) -> Picture:
    """Plot the normal exam with its own slice spacing and with a wrong one, seen from behind."""
    scan = _scan(exams["normal"])
    picture, grid = new_picture(1, 2, 3.4, "")
    for axes, mm in zip(grid.flat, (scan.spacing[2], WRONG_MM), strict=True):
        affine = np.diag([*scan.spacing[:2], mm, 1.0])
        affine[:3, 3] = -np.diag(affine)[:3] * (np.array(scan.shape) - 1) / 2
        look = {"high": scan.data.max(), "colormap": "viridis"}
        draw_plane(
            axes, scan.data.max(axis=1), affine, "coronal", f"slices {mm:.3g} mm apart", **look
        )
        axes.set_title("as acquired" if mm != WRONG_MM else "wrong slice spacing")
        axes.set(xlim=(-130, 130), ylim=(-75, 155), facecolor="0.55")
        axes.label_outer()
    return picture


#: By the name of the file.
PICTURES = {
    "three_shapes.png": plot_shapes,
    "two_views.png": plot_views,
    "wrong_spacing.png": plot_spacings,
}


if __name__ == "__main__":
    paths = [Path(path) for path in sys.argv[1:]]
    if not paths or {path.name for path in paths} - PICTURES.keys():
        sys.exit(f"usage: python .ci/readme_picture.py PICTURE …, of {', '.join(PICTURES)}")
    examples = simulate_examples()
    for path in paths:
        print(PICTURES[path.name](examples).save(path, colours=192))
