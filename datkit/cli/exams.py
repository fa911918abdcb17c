"""`datkit simulate, prepare, measure, report, sheet`: exams made, read and shown."""

from __future__ import annotations

from argparse import Namespace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datkit import NOT_CLINICAL, data
from datkit.cli.command import JOBS, SCHEDULER, Group, Result, arg, each_scan
from datkit.cli.data import READING, prepare_exams, reading
from datkit.errors import UsageError
from datkit.problems import list_some, repeated

if TYPE_CHECKING:
    import pandas as pd

    from datkit.prepare.cohort import PreparedCohort
    from datkit.prepare.exam import Prepared

    Measured = tuple[Prepared, dict[str, float], pd.DataFrame | None]

EXAMS = Group("")
SIZE, SEED = "small", 2026
_SCANS = arg("scans", type=Path, nargs="+", metavar="SCAN", help="NIfTI, DICOM, or its folder")
_FOLDER = arg("folder", type=Path, metavar="FOLDER", help="exams in any layout")
_PATIENT = (
    arg("--age", type=float, metavar="YEARS", help="for the normal range"),
    arg("--sex", choices=["F", "M"], help="for the normal range"),
    arg("--reconstruction", metavar="NAME", help="compare with normals of this reconstruction"),
    arg("--normals", type=Path, metavar="FILE", help="of 'datkit normals fit', to compare with"),
)
_RADIOLOGICAL = arg("--radiological", action="store_true", help="draw left on the right")


@EXAMS.command(
    arg("--size", choices=["tiny", "small", "full"], help=f"default: {SIZE}"),
    arg("--seed", type=int, metavar="S", help=f"0 or more; default: {SEED}"),
    arg("--out", type=Path, metavar="FOLDER", help="default: the data folder; with --uid, here"),
    arg("--uid", metavar="UID", help="make this exam's volume alone"),
    arg("--centres", type=Path, metavar="FILE", help="centres of your own that join the kit's"),
    JOBS,
    SCHEDULER,
)
def simulate(args: Namespace) -> Result:
    """Make the simulated cohort, or one exam of it.

    size    exams                                  two cores    disk
    tiny    24                                     1 min        15 MB
    small   200                                    5 min        100 MB
    full    1400, and two test sets of 400 each    50 min       1.1 GB

    The same seed gives the same bytes. An interrupted run goes on when it is started again.
    Each process computes on one core and takes up to 1 GB of memory. FILE is YAML like the kit's
    own datkit/simulate/camera/centres.yaml; in place of its share a centre says what it joins, such
    as joins: {train: 0.1}. Exams that it does not take over stay the same. A Dask cluster must see
    FOLDER under the same path: see datkit prepare --help.

    For example:
      datkit simulate --size tiny --out cohort
      datkit simulate --size tiny --out ours --centres ours.yaml
      datkit simulate --uid sim-2026-0003 --out volumes    # the same bytes as in the cohort
    """
    if args.uid:
        return _simulate_one(args)
    from datkit.simulate.cohort import TEST_SETS, open_simulated, simulate_cohort

    size, seed = args.size or SIZE, SEED if args.seed is None else args.seed
    if args.centres and not args.out:
        raise UsageError("Expected --out with --centres: the data folder holds the kit's own.")
    make = partial(simulate_cohort, args.out, centres=args.centres) if args.out else open_simulated
    how = {"n_jobs": args.jobs, "scheduler": args.scheduler, "progress": not args.json}
    cohort = make(size=size, seed=seed, **how)
    tests = {name: cohort.folder / f"{name}_test" for name in TEST_SETS if size == "full"}
    sets = {"train": cohort} | {name: data.open_folder(folder) for name, folder in tests.items()}
    rows = {name: _counts(one) for name, one in sets.items()}
    said = "{exams} simulated exams, {abnormal} read as abnormal: {folder}"
    lines = [said.format(**row) for row in rows.values()]
    return Result(lines, rows.pop("train") | {"test_sets": rows})


def _counts(cohort: data.Cohort) -> dict[str, object]:
    abnormal = int((cohort.labels == 1).sum())
    return {"folder": str(cohort.folder), "exams": len(cohort), "abnormal": abnormal}


def _simulate_one(args: Namespace) -> Result:
    from datkit.simulate.camera.centres import load_added_centres
    from datkit.simulate.cohort import simulate_volume

    if extra := _given(args, "size", "seed", "jobs", "scheduler"):
        raise UsageError(f"Expected no {' or '.join(extra)} with --uid, found both; leave one out.")
    added = load_added_centres(args.centres) if args.centres else ()
    path, exam = simulate_volume(args.uid, args.out or Path(), added)
    called = "abnormal" if exam.reading.label else "normal"
    said = f"{exam.uid}, {exam.exam['centre']}, read as {called}: {path}"
    rows = {"label": exam.reading.label, "exam": exam.exam, "truth": exam.truth}
    return Result([said], {"uid": exam.uid, "file": str(path)} | rows)


@EXAMS.command(_FOLDER, READING, JOBS, SCHEDULER)
def prepare(args: Namespace) -> Result:
    """Bring a cohort's exams into one place and scale.

    Every volume is registered to the DaT template, resampled once onto one grid of 64 x 80 x 48
    voxels of 2 mm, and scaled so that non-specific uptake is 1. The result is kept in the data
    folder: volumes.npy, one row an exam, and prepared.json, the quality of each. An exam that
    cannot be prepared does not stop the others. An interrupted run goes on when it is started
    again. The result is the same to the last bit on any number of processes or machines.
    --orientation and --repair, as for datkit measure, go for every exam.

    For example:
      datkit prepare cohort                               # on every core
      datkit prepare cohort --jobs 4
      datkit prepare cohort --scheduler tcp://node1:8786  # on a Dask cluster

    A cluster must see the folder under the same path. Install 'dat-spect-kit[cluster]' everywhere,
    start dask scheduler, then dask worker tcp://node1:8786 on each machine.
    """
    _, prepared, code = prepare_exams(args.folder, args)
    folder = str(prepared.folder)
    lines = _look_at(prepared)
    exams = f"{len(prepared)} exam{'s' * (len(prepared) != 1)}"
    lines.append(f"{exams} prepared, {len(prepared.reasons)} to look at: {folder}")
    look = prepared.table["verdict"][list(prepared.reasons)].to_dict()
    found = {"folder": folder, "exams": len(prepared), "look_at": look, **_reasons(prepared)}
    return Result(lines, found | {"failures": prepared.failures}, code)


def _look_at(prepared: PreparedCohort) -> list[str]:
    """Say of each exam to look at why, and what to do about it; and how it was read, if told."""
    from datkit.prepare.exam import tell_reading

    as_read: dict[str, list[str]] = {}
    for uid in prepared.uids:
        for text in tell_reading(dict(prepared.table.loc[uid])):
            as_read.setdefault(text, []).append(uid)
    looked = [f"{uid}: look at it: {text}" for uid, text in prepared.advice.items()]
    return looked + [f"{text}: {list_some(uids)}" for text, uids in as_read.items()]


def _reasons(prepared: PreparedCohort) -> dict[str, object]:
    """Return the reasons as data, what each exam's ratios refer to, and how it was read."""
    reasons = {uid: [one.to_dict() for one in each] for uid, each in prepared.reasons.items()}
    figures = ("reference_region", "orientation", "mended")
    return {"reasons": reasons} | {name: prepared.table[name].to_dict() for name in figures}


@EXAMS.command(_SCANS, *_PATIENT, READING)
def measure(args: Namespace) -> Result:
    """Measure binding ratios, asymmetry and shape of one or more scans.

    What speaks against an exam stands above its measures, with what to do about it, and so does
    the region that the binding ratios refer to. A bad scan does not stop the others. SCAN is a
    NIfTI file, a .hdr with its .img, a DICOM file, or a folder of the DICOM slices of one exam.
    The exit code is 1 if a scan cannot be measured. A verdict of "look at it" leaves it 0: read
    quality.good in --json, or ask 'datkit data check --verdict', whose exit code is then 1.

    A file that does not tell left from right is refused, until --orientation says where the axes of
    its voxels point to: RAS is to the right, to the front and up, LPS to the left, back and up. The
    voxel size stays the file's. --repair sets NaN to 0, averages frames, and trusts the affine
    where the header contradicts itself; what it did stands with the measures.

    For example:
      datkit measure scan.nii.gz
      datkit measure scan.nii.gz --age 67 --sex F       # beside the normal range
      datkit measure cohort/niftis/*.nii.gz --json
      datkit measure old.hdr --orientation LAS
    """
    from datkit.measure import UNITS
    from datkit.prepare.quality import TRACER

    work = partial(_measure, told=reading(args), person=_person(args))
    exams, failures, code = each_scan(args.scans, work)
    lines = []
    for path, (prepared, values, normals) in exams.items():
        compared, beside = _compared(normals)
        row = "  {:32} {:8.2f} {:3} {}".format
        shown = (row(name, one, UNITS[name], beside.get(name, "")) for name, one in values.items())
        lines += [path, *_told(prepared), *compared, *map(str.rstrip, shown)]
    if exams:
        lines.append(f"Binding ratios have no unit. {TRACER} {NOT_CLINICAL}")
    found = {
        "measures": {path: values for path, (_, values, _) in exams.items()},
        "quality": {path: _quality(prepared) for path, (prepared, *_) in exams.items()},
        "normals": {path: _as_data(normals) for path, (*_, normals) in exams.items()},
    }
    return Result(lines, found | {"failures": failures, "note": f"{TRACER} {NOT_CLINICAL}"}, code)


def _measure(path: Path, told: dict[str, Any], person: dict[str, Any]) -> Measured:
    from datkit.io.scan import load_scan
    from datkit.measure import measure_prepared
    from datkit.measure.normals import compare_prepared
    from datkit.prepare import prepare_scan

    prepared = prepare_scan(load_scan(path, **told))
    values = measure_prepared(prepared)
    return prepared, values, compare_prepared(prepared, values, **person)


def _compared(normals: pd.DataFrame | None) -> tuple[list[str], dict[str, str]]:
    """Say which normals an exam is compared with and their limits, and of each measure its own."""
    from datkit.measure.normals import name_normals
    from datkit.prepare.quality import advise

    if normals is None:
        return [], {}
    limits = [f"    {advise(limit)}" for limit in normals.attrs["limits"]]
    range_of = "  z {z:+.1f}, normal {low:.2f} to {high:.2f}".format_map
    beside = {str(name): range_of(row) for name, row in normals.dropna().iterrows()}
    return [f"  normals: {name_normals(normals)}", *limits], beside


def _as_data(normals: pd.DataFrame | None) -> dict[str, object] | None:
    """Return the comparison as data; None if there is none."""
    if normals is None:
        return None
    limits = [limit.to_dict() for limit in normals.attrs["limits"]]
    return normals.attrs | {"limits": limits, "measures": normals.dropna().to_dict("index")}


def _told(prepared: Prepared) -> list[str]:
    """Say what speaks against an exam, what its ratios refer to, and how it was read."""
    from datkit.prepare.exam import tell_reading
    from datkit.prepare.quality import advise

    reasons = [f"    {advise(reason)}" for reason in prepared.reasons]
    verdict = "look at it" if reasons else "good"
    region = prepared.quality["reference_region"]
    as_read = [f"  {said}" for said in tell_reading(prepared.quality)]
    return [f"  quality: {verdict}", *reasons, f"  reference region: {region}", *as_read]


def _quality(prepared: Prepared) -> dict[str, object]:
    """Return the same as data."""
    return {
        "good": not prepared.reasons,
        "reasons": [reason.to_dict() for reason in prepared.reasons],
        **{name: prepared.quality[name] for name in ("reference_region", "orientation", "mended")},
    }


@EXAMS.command(
    _SCANS,
    *_PATIENT,
    arg("--out", type="page_or_folder", default=".", metavar="PLACE", help="folder or .html file"),
    READING,
    _RADIOLOGICAL,
)
def report(args: Namespace) -> Result:
    """Show one exam on one page: slices, measures, quality.

    The page is one HTML file: it opens offline, prints on A4, and holds no script. The same file
    gives the same bytes. Measures stand beside the normal range once age and sex are given. PLACE
    is a folder, where a page of the same exam is replaced and another exam's never, or for one
    scan a file that ends in .html; by default the present folder. With --radiological the
    patient's left is on the picture's right, as hospitals look at images. SCAN, --orientation and
    --repair are as for datkit measure. NAME is a reconstruction as in exams.csv, such as 'OSEM,
    attenuation (map), scatter'.

    For example:
      datkit report scan.nii.gz                             # writes scan_report.html
      datkit report scan.nii.gz --age 67 --sex F            # scan_report_with_normals.html
      datkit report scan.nii.gz --age 67 --sex F --out patient.html
      datkit report scan.nii.gz --age 67 --sex F --normals mine.json   # see datkit normals
      datkit report cohort/niftis/*.nii.gz --out reports    # a bad scan does not stop the others
    """
    import pandas as pd

    from datkit.provenance.record import record
    from datkit.view.pages.report import report_name, write_report

    patient = _person(args) | reading(args) | {"radiological": args.radiological}
    one_file = args.out.suffix.lower() in (".html", ".htm") and not args.out.is_dir()
    names = {path: report_name(path, with_normals=args.age is not None) for path in args.scans}
    targets = {path: args.out if one_file else args.out / name for path, name in names.items()}
    if double := repeated(map(str, targets.values())):
        shared = f"that {', '.join(double)} would hold several"
        remedy = "let --out name a folder, or report on scans of one name one by one"
        raise UsageError(f"Expected a place of its own for each report, found {shared}; {remedy}.")

    def write(path: Path) -> str:
        if not one_file:
            _check_place(path, targets[path])
        page = write_report(path, targets[path], **patient)
        scan = data.Cohort("", path.parent, pd.DataFrame(index=["scan"]), paths={"scan": path})
        record(page, "report", cohort=scan, settings=reading(args))
        return str(page)

    pages, failures, code = each_scan(args.scans, write)
    found = {"reports": pages, "failures": failures, "note": NOT_CLINICAL}
    return Result(pages.values(), found, code)


def _check_place(scan: Path, page: Path) -> None:
    """Refuse to write over what is no report of this scan: its name may be another exam's too."""
    from datkit.io.scan import sha256_scan

    there = page.read_text(encoding="utf-8", errors="replace") if page.is_file() else ""
    if there and (scan.is_file() or scan.is_dir()) and sha256_scan(scan)[:12] not in there:
        found = "that of another exam, or of an older file"
        remedy = "move it away, or name a file or folder with --out"
        raise UsageError(f"Expected {page} to be a report of {scan}, found {found}; {remedy}.")


def _given(args: Namespace, *names: str) -> list[str]:
    """Return those of some options that were given, as they are written."""
    return [f"--{name}" for name in names if getattr(args, name) is not None]


def _person(args: Namespace) -> dict[str, Any]:
    """Return what the normal range depends on, checked before a scan is read."""
    told = _given(args, "age", "sex")
    if told and len(set(args.scans)) > 1:
        expected = f"Expected one scan with {' and '.join(told)}, which belong to one patient"
        raise UsageError(f"{expected}, found {len(set(args.scans))}; take the scans one by one.")
    if len(told) == 1:
        expected = "Expected --age and --sex together"
        raise UsageError(f"{expected}, found {told[0]} alone; give both, or neither.")
    _check_reconstruction(args.reconstruction)
    person = {name: getattr(args, name) for name in ("age", "sex", "reconstruction")}
    if args.normals is None:
        return person
    if not told or args.reconstruction:
        expected = "Expected --age and --sex with --normals, and no --reconstruction, which chooses"
        raise UsageError(f"{expected} among the kit's own normals; correct the options.")
    from datkit.measure.own_normals import read_normals

    return person | {"normals": read_normals(args.normals)}


def _check_reconstruction(name: str | None) -> None:
    from datkit.measure import load_normals, reconstruction_type

    if name is not None and reconstruction_type(name) not in load_normals():
        expected = "Expected --reconstruction to name one that the normals hold"
        found = f"{name!r}; they hold: {'; '.join(load_normals())}. Leave it out for 'any'"
        raise UsageError(f"{expected}, found {found}, whose range is the widest.")


@EXAMS.command(
    _FOLDER,
    arg("--out", type="page", default="sheet.html", metavar="FILE", help="default: sheet.html"),
    _RADIOLOGICAL,
    READING,
    JOBS,
    SCHEDULER,
)
def sheet(args: Namespace) -> Result:
    """Show a cohort at a glance, the exams to look at first.

    The sheet is one HTML file that opens offline: a thumbnail of every exam, left and right marked;
    with --radiological the patient's left is on the picture's right, as hospitals look at images.
    Exams that could not be prepared stand first with their reason, then those whose verdict says to
    look at them, then the others by centre. --orientation and --repair, as for datkit measure, go
    for every exam.

    For example:
      datkit sheet cohort                            # writes sheet.html
      datkit sheet cohort --out quality.html --jobs 2
    """
    from datkit.view.pages.contact_sheet import write_contact_sheet

    cohort, prepared, code = prepare_exams(args.folder, args)
    view = {"radiological": args.radiological}
    path = str(write_contact_sheet(prepared, args.out, cohort.name, **view))
    found = {"sheet": path, "look_at": list(prepared.reasons), **_reasons(prepared)}
    return Result([*_look_at(prepared), path], found | {"failures": prepared.failures}, code)
