"""A page on which a reader draws the striata of one exam; it needs no kernel and no network.

niivue draws in the page (``draw.js``), and the page writes what :func:`~datkit.reading.load_region`
reads: a mask with exactly the header that the kit gives it, and its sidecar.
"""

from __future__ import annotations

import json
import os
from html import escape
from pathlib import Path
from string import Template

import nibabel as nib
import numpy as np

from datkit import NOT_CLINICAL
from datkit.io.scan import load_scan, scan_name, sha256_scan
from datkit.problems import shown
from datkit.reading.regions import Facts, mask_header
from datkit.view.canvas import to_bytes
from datkit.view.live import to_base64, vendored_files
from datkit.view.pages.page import write_page

__all__ = ["write_drawing_page"]

HERE = Path(__file__).parent
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
    scan, header = load_scan(exam), mask_header(exam)
    low = min(float(scan.data.min()), 0.0)
    voxels = to_bytes(scan.data - low, float(scan.data.max()) - low)
    kind = nib.Nifti2Image if isinstance(header, nib.Nifti2Header) else nib.Nifti1Image
    image = kind(voxels, None, header).to_bytes()
    name = scan_name(Path(exam))
    told = {
        "name": name, "voxels": voxels.size, "exam_sha256": sha256_scan(exam),
        "format": Facts.model_fields["format"].default, "top": int(np.percentile(voxels, 99.95)),
        "volume": to_base64(image),
    }  # fmt: skip
    library = vendored_files()["niivue.umd.js"].read_bytes()
    text = Template((HERE / "draw.html").read_text(encoding="utf-8")).substitute(
        name=escape(shown(name)), style=STYLE.read_text(encoding="utf-8"), notice=NOT_CLINICAL,
        data=json.dumps(told).replace("<", "\\u003c"),
        scripts=to_base64(library + b"\n;" + (HERE / "draw.js").read_bytes()),
    )  # fmt: skip
    return write_page(text, path)
