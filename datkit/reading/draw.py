"""Where a reader draws the striata of one exam: a page of its own, or a cell of a notebook.

niivue draws in both. The page (``draw.js``) needs no kernel and no network, and writes what
:func:`~datkit.reading.load_region` reads: a mask with exactly the header that the kit gives it, and
its sidecar. In JupyterLab, ipyniivue brings the voxels to Python.
"""

from __future__ import annotations

import json
import os
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import nibabel as nib
import numpy as np

from datkit import NOT_CLINICAL
from datkit.errors import UsageError
from datkit.io.scan import load_scan, scan_name, sha256_scan
from datkit.problems import shown
from datkit.reading.regions import Facts, mask_header, to_nifti
from datkit.view.canvas import to_bytes
from datkit.view.live import to_base64, vendored_files
from datkit.view.pages.page import write_page

__all__ = ["draw_in_notebook", "drawn_mask", "write_drawing_page"]

HERE = Path(__file__).parent
# As in draw.js: left orange, right blue.
COLOURS = {"R": [0, 230, 86], "G": [0, 159, 180], "B": [0, 0, 233], "A": [0, 255, 255]}
STYLE = HERE.parent / "view" / "pages" / "page.css"


def write_drawing_page(exam: str | os.PathLike[str], path: str | os.PathLike[str]) -> Path:
    """Write the page of one exam; it holds the exam's voxels in 256 steps, and no other word of it.

    Parameters
    ----------
    exam : path
        NIfTI or DICOM. Its file's name, without its kind, is shown and begins the mask's.
    path : path
        An HTML file.

    Raises
    ------
    UsageError, ScanError
        If the exam cannot be read.
    OSError
        If the page cannot be written.
    """
    name, (voxels, image, top) = scan_name(Path(exam)), _in_steps(exam)
    told = {
        "name": name, "voxels": voxels, "exam_sha256": sha256_scan(exam), "top": top,
        "format": Facts.model_fields["format"].default, "volume": to_base64(image),
    }  # fmt: skip
    library = vendored_files()["niivue.umd.js"].read_bytes()
    text = Template((HERE / "draw.html").read_text(encoding="utf-8")).substitute(
        name=escape(shown(name)), style=STYLE.read_text(encoding="utf-8"), notice=NOT_CLINICAL,
        data=json.dumps(told).replace("<", "\\u003c"),
        scripts=to_base64(library + b"\n;" + (HERE / "draw.js").read_bytes()),
    )  # fmt: skip
    return write_page(text, path)


def draw_in_notebook(exam: str | os.PathLike[str]) -> Any:  # noqa: ANN401 - it has no types
    """Return a widget of ipyniivue (extra ``book``) on which one draws an exam's striata.

    The pen draws ``widget.opts.pen_value``: 1 in the left striatum, 2 in the right, 0 to erase.

    Raises
    ------
    UsageError, ScanError
        If the exam cannot be read.
    """
    from ipyniivue import ColorMap, NiiVue

    _, image, top = _in_steps(exam)
    letters = {"show_all_orientation_markers": True, "font_color": (1.0, 1.0, 1.0, 1.0)}
    widget = NiiVue(height=480, pen_size=3.0, crosshair_width=0.3, **letters)
    widget.set_draw_colormap(ColorMap(**COLOURS))
    widget.load_volumes([{"name": "exam.nii", "data": image, "cal_min": 0, "cal_max": top}])
    # A drawing comes to Python when drawing is switched on or off, and not by itself.
    widget.on_image_loaded(lambda _: widget.set_drawing_enabled(True))
    widget.on_mouse_up(lambda _: [*map(widget.set_drawing_enabled, (False, True))])
    return widget


def drawn_mask(widget: Any, exam: str | os.PathLike[str]) -> np.ndarray:  # noqa: ANN401
    """Return what was drawn on the widget of an exam, uint8, along the axes of the exam's file.

    Raises
    ------
    UsageError
        If nothing was drawn, or on an exam of another size.
    ScanError
        If the exam cannot be read.
    """
    scan = load_scan(exam)
    turned = nib.orientations.io_orientation(scan.affine)
    shape = np.array(scan.shape)[np.argsort(turned[:, 0])]
    if np.size(widget.draw_bitmap) != shape.prod():
        raise UsageError("Expected a drawing on this exam, found none: draw on the widget first.")
    drawn = np.reshape(widget.draw_bitmap, shape, order="F")  # niivue's axes run right, front, up
    back = nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), turned)
    return nib.orientations.apply_orientation(drawn, back)


def _in_steps(exam: str | os.PathLike[str]) -> tuple[int, bytes, int]:
    """Return how many voxels an exam has, the exam as NIfTI in 256 steps, the step shown white."""
    scan, header = load_scan(exam), mask_header(exam)
    low = min(float(scan.data.min()), 0.0)
    voxels = to_bytes(scan.data - low, float(scan.data.max()) - low)
    return voxels.size, to_nifti(voxels, header), int(np.percentile(voxels, 99.95))
