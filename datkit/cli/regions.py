"""`datkit readers draw, overlap, seg`: regions drawn by readers, and what they do to the ratio."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

from datkit.cli.command import Result, arg
from datkit.cli.reading import READERS
from datkit.errors import UsageError

_EXAM = arg("exam", type=Path, metavar="EXAM", help="NIfTI, DICOM, or its folder")


@READERS.command(
    _EXAM,
    arg("--out", type="page", required=True, metavar="FILE.html", help="the page to write"),
)
def draw(args: Namespace) -> Result:
    """Write a page on which a reader draws the striata of an exam.

    The page holds the exam and needs no network. It saves a mask, NAME_READER.nii.gz, on exactly
    the exam's grid, and beside it NAME_READER.json: who, when, how, and the exam's sha256.

    For example:
      datkit readers draw cohort/niftis/sim-2026-0003.nii.gz --out draw.html
    """
    from datkit.reading.draw import write_drawing_page

    page = write_drawing_page(args.exam, args.out)
    return Result([f"{page}: open it in a browser"], {"page": str(page)})


@READERS.command(
    _EXAM,
    arg("masks", type=Path, nargs="+", metavar="MASK", help="with its .json beside it"),
)
def overlap(args: Namespace) -> Result:
    """Compare readers' regions of one exam: binding ratio, volume, Dice, surface distance.

    Each is compared with the readers' majority, voxel by voxel.

    For example:
      datkit readers overlap exam.nii.gz exam_anna.nii.gz exam_ben.nii.gz
    """
    from datkit.problems import repeated
    from datkit.reading import compare_regions, load_region

    drawn = [load_region(path, args.exam) for path in args.masks]
    if twice := repeated(one.facts.reader for one in drawn):
        raise UsageError(f"Expected one mask a reader, found several of {', '.join(twice)}.")
    table = compare_regions(args.exam, {one.facts.reader: one for one in drawn})
    rows = json.loads(table.reset_index().to_json(orient="records"))  # NaN becomes null
    return Result(table.round(3).to_string().split("\n"), rows)


@READERS.command(
    _EXAM,
    arg("region", type=Path, metavar="REGION", help="a mask, or a DICOM segmentation"),
    arg("--out", type=Path, required=True, metavar="FILE", help=".dcm, or .nii.gz from DICOM"),
)
def seg(args: Namespace) -> Result:
    """Write a mask as a DICOM segmentation of its exam, or a segmentation as a mask.

    Only an exam that came as DICOM has one: a segmentation refers to its images.

    For example:
      datkit readers seg exam.dcm exam_anna.nii.gz --out exam_anna.dcm
      datkit readers seg exam.dcm exam_anna.dcm --out back.nii.gz
    """
    from datkit.io.nifti import is_nifti
    from datkit.reading import load_region, load_segmentation, save_segmentation

    drawn = is_nifti(args.region)
    if drawn == is_nifti(args.out) or args.out.exists():
        raise UsageError(f"Expected a new {'.dcm' if drawn else '.nii.gz'}, found {args.out}.")
    if drawn:
        save_segmentation(load_region(args.region, args.exam), args.exam, args.out)
    else:
        load_segmentation(args.region, args.exam, args.out)
    return Result([f"{args.out}: written"], {"written": str(args.out)})
