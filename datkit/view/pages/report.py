"""One exam on one page: slices, measures beside the normal range, quality, and how it was made."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, Unpack

import matplotlib
import nibabel as nib
import numpy as np
import pandas as pd
from PIL import Image

from datkit.io.scan import Scan, load_scan, scan_name, sha256_scan
from datkit.measure import measure_prepared
from datkit.measure.normals import SIMULATED, Normals, compare_prepared, name_normals
from datkit.prepare import GRID, Prepared, PrepareSettings, prepare_scan
from datkit.prepare.exam import tell_reading
from datkit.prepare.quality import TRACER, advise
from datkit.view.canvas import TOP, Picture, house_style, pack_image
from datkit.view.pages.page import data_uri, describe_sides, render_page, write_page
from datkit.view.pages.report_table import check_rows, measure_rows, measure_tables, summarise
from datkit.view.planes import cut, draw_plane, signed_mm
from datkit.view.slices import SLAB_MM, STRIATUM_MM, striatal_slab

__all__ = ["ReportContents", "read_exam", "render", "render_report", "report_name", "write_report"]


class Patient(TypedDict, total=False):
    """What the normal range depends on: age in years, sex F or M, and a kind of reconstruction.

    Or `normals` of :func:`datkit.measure.read_normals`, in place of the kit's own.
    And from which side the patient is seen: `radiological`, left on the right; and how the scan is
    read: `orientation` and `repair` of :func:`datkit.io.scan.load_scan`.
    """

    age: float | None
    sex: str | None
    reconstruction: str | None
    normals: Normals | None
    radiological: bool
    orientation: str | None
    repair: bool


@dataclass(frozen=True)
class ReportContents:
    """All that a report shows; :func:`render` adds nothing to it.

    Attributes
    ----------
    name, sha256 : str
        The file's name and the hash of its bytes.
    scan : Scan
        What it holds.
    prepared : Prepared
        The exam on the canonical grid, with its quality.
    measures : dict
        Of :func:`datkit.measure.measure_prepared`.
    normals : pandas.DataFrame or None
        Of :func:`datkit.measure.compare_with_normals`.
    age, sex, reconstruction : float, str, str, or None
        What `normals` was made for; age in years, sex F or M.
    radiological : bool
        Whether the patient's left is drawn on the right.
    """

    name: str
    sha256: str
    scan: Scan
    prepared: Prepared
    measures: Mapping[str, float]
    normals: pd.DataFrame | None = None
    age: float | None = None
    sex: str | None = None
    reconstruction: str | None = None
    radiological: bool = False


def write_report(
    scan_path: str | os.PathLike[str], path: str | os.PathLike[str], **patient: Unpack[Patient]
) -> Path:
    """Write the report of one scan as an HTML file that opens offline, and return its path.

    Parameters
    ----------
    scan_path : path
        Whatever :func:`datkit.io.scan.load_scan` takes.
    path : path
        Where to write; replaced atomically.
    **patient
        As for :func:`render_report`.

    Raises
    ------
    UsageError, ScanError, PrepareError
        As :func:`render_report`; nothing is written then.
    OSError
        If the file cannot be written.
    """
    return write_page(render_report(scan_path, **patient), path)


def render_report(scan_path: str | os.PathLike[str], **patient: Unpack[Patient]) -> str:
    """Return the report of one scan as HTML, the same text for the same file.

    Parameters
    ----------
    scan_path : path
        Whatever :func:`datkit.io.scan.load_scan` takes.
    **patient
        ``age`` in years and ``sex``, F or M: without both the measures stand without a normal
        range. ``reconstruction``: which normals to compare with, as for
        :func:`datkit.measure.compare_with_normals`; or ``normals`` of
        :func:`datkit.measure.read_normals`. ``radiological``: draw the patient's left
        on the right, as hospitals do. ``orientation`` and ``repair`` as for
        :func:`datkit.io.scan.load_scan`. Each is optional.

    Raises
    ------
    UsageError
        If there is no such file, or no normals for such a patient.
    ScanError, PrepareError
        If the scan is unsound, or no head can be found in it.
    """
    return render(read_exam(scan_path, **patient))


def read_exam(scan_path: str | os.PathLike[str], **patient: Unpack[Patient]) -> ReportContents:
    """Read, prepare, measure and compare one scan; parameters as for :func:`render_report`.

    Raises
    ------
    UsageError, ScanError, PrepareError
        As :func:`render_report`.
    """
    told = patient.get("orientation"), patient.get("repair", False)
    scan = load_scan(scan_path, orientation=told[0], repair=told[1])
    prepared = prepare_scan(scan)
    measures = measure_prepared(prepared)
    person = patient.get("age"), patient.get("sex"), patient.get("reconstruction")
    normals = compare_prepared(prepared, measures, *person, patient.get("normals"))
    exam = Path(scan_path).name, sha256_scan(scan_path), scan, prepared, measures
    return ReportContents(*exam, normals, *person, patient.get("radiological", False))


def report_name(scan_path: str | os.PathLike[str], *, with_normals: bool = False) -> str:
    """Return the name of a scan's report: another one where it holds a normal range.

    Examples
    --------
    >>> report_name("exams/007.nii.gz"), report_name("exams/007.nii.gz", with_normals=True)
    ('007_report.html', '007_report_with_normals.html')
    """
    return f"{scan_name(Path(scan_path))}_report{'_with_normals' if with_normals else ''}.html"


def render(report: ReportContents) -> str:
    """Return a report as HTML: a pure function of what it shows."""
    normals = report.normals
    used = {} if normals is None else normals.attrs
    rows = measure_rows(report.measures, normals)
    return render_page(
        "report.html",
        report=report,
        reasons=[advise(reason) for reason in report.prepared.reasons],
        as_read=tell_reading(report.prepared.quality),
        tracer=TRACER,
        region=report.prepared.quality.get("reference_region", "not recorded"),
        pictures=list(_pictures(report)),
        bar=data_uri(_colour_bar()),
        top=int(TOP),
        tables=measure_tables(rows),
        summary=summarise(rows, used.get("source", SIMULATED)),
        compared=None if normals is None else name_normals(normals),
        limits=used.get("limits", []),
        checks=check_rows(report.prepared.quality),
        obliquity=float(np.degrees(nib.affines.obliquity(report.scan.affine)).max()),
        grid=GRID,
        slab=[signed_mm(mm) for mm in SLAB_MM],
        settings=PrepareSettings().to_dict(),
    )


def _pictures(report: ReportContents) -> Iterator[dict[str, str]]:
    volume, view = report.prepared.volume, report.radiological
    thickness = f"mean of {np.ptp(SLAB_MM):g} mm"
    yield _picture(striatal_slab(volume), thickness, "Axial slab", view, enlarged=2)
    for level in np.linspace(*STRIATUM_MM, 6):
        yield _picture(*cut(volume, GRID.affine, "axial", level), "Axial slice", view)


@house_style()
def _picture(
    plane: np.ndarray, caption: str, kind: str, radiological: bool, enlarged: float = 1
) -> dict[str, str]:
    tile = Picture(figsize=(2.0 * enlarged, 2.5 * enlarged))  # inches, for 64 × 80 voxels
    axes = tile.add_axes((0, 0, 1, 1))
    draw_plane(axes, plane, GRID.affine, "axial", caption, high=TOP, radiological=radiological)
    axes.set_axis_off()
    left = "right" if radiological else "left"
    alt = f"{kind}, {caption}, the patient’s left on the {left}: {describe_sides(plane)}."
    return {"uri": data_uri(tile.png(colours=128)), "alt": alt}


def _colour_bar() -> bytes:
    colours = matplotlib.colormaps["inferno"](np.arange(256)[None], bytes=True)
    return pack_image(Image.fromarray(colours).convert("RGB"), "png", optimize=True)
