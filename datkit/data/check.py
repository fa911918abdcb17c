"""Looking into every volume of a cohort: what opening a folder cannot know without reading it."""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from datkit.data.cohort import Cohort
from datkit.errors import CohortError, problems_of
from datkit.files import RESOURCES
from datkit.io.scan import Scan
from datkit.problems import Problem

__all__ = ["check_cohort", "find_problems", "image_hash", "image_hashes", "tracer_of"]

Look = Callable[[str, Scan], Iterable[Problem]]

# Fields of view of the challenge run from 126 mm (few slices) to 630 mm. A head does not fit into
# less than 80 mm, and no SPECT camera sees more than a metre.
FIELD_LIMITS = (80.0, 1000.0)
TRACERS = tomllib.loads((RESOURCES / "tracers.toml").read_text(encoding="utf-8"))


def check_cohort(cohort: Cohort) -> None:
    """Read every volume and refuse a cohort with anything wrong in it.

    Raises
    ------
    CohortError
        With every problem that :func:`find_problems` finds.
    """
    CohortError.raise_any(find_problems(cohort), where=cohort.folder)


def find_problems(
    cohort: Cohort, *, progress: bool = False, look: Look | None = None
) -> list[Problem]:
    """Return everything that is wrong with the volumes of a cohort.

    Volumes that cannot be read or whose geometry is impossible, exams under two uids (the same
    voxels in the same place), a field of view that holds no head, and tracers that are mixed, as
    far as a column ``tracer`` tells them.

    Parameters
    ----------
    cohort : Cohort
        Its volumes are read once, one at a time.
    progress : bool
        Draw a progress bar on stderr, if that is a terminal.
    look : callable, optional
        What else is asked of each exam that can be read: from its uid and scan to problems. Then
        exams are looked at on every core.
    """
    from joblib import Parallel, delayed
    from tqdm import tqdm

    problems: list[Problem] = []
    uids_of: dict[str, list[str]] = {}
    work = (delayed(_look_at)(cohort, uid, look) for uid in cohort.uids)
    rows = Parallel(os.cpu_count() if look else 1, return_as="generator")(work)
    shown = {"total": len(cohort), "unit": "exam", "disable": None if progress else True}
    for uid, (digest, found) in zip(cohort.uids, tqdm(rows, "checking", **shown), strict=True):
        problems += found
        if digest:
            uids_of.setdefault(digest, []).append(uid)
    for uids in uids_of.values():
        if len(uids) > 1:
            twice = f"the same one under {', '.join(map(repr, uids))}"
            expected, remedy = "an image of its own under each uid", "Keep one of them."
            problems.append(Problem("image-repeated", uids[0], expected, twice, remedy))
    return problems + _mixed_tracers(cohort)


def _look_at(cohort: Cohort, uid: str, look: Look | None) -> tuple[str, list[Problem]]:
    """Return an exam's image hash, empty if it cannot be read, and what is wrong with it."""
    digest = ""
    try:
        scan = cohort.load(uid)
        digest = image_hash(scan)
        found = [*_field_problems(uid, scan), *(look(uid, scan) if look else ())]
    except Exception as error:
        return digest, [*problems_of(error, str(cohort.path_of(uid)))]
    if scan.orientation == "contradictory" and not cohort.reading:
        remedy = "Look at it; --repair takes it so, --orientation says otherwise."
        code, expected, said = "orientation-contradictory", "one orientation", scan.repairs[0]
        found.append(Problem(code, uid, expected, f"two: {said}", remedy, "warning"))
    return digest, found


def image_hash(scan: Scan) -> str:
    """Return the sha256 of a volume's voxels, shape and affine: equal for equal images.

    It does not depend on file format, compression or byte order.
    """
    content = hashlib.sha256(repr(scan.shape).encode())
    content.update(np.round(scan.affine, 4).astype("<f8").tobytes())
    content.update(np.ascontiguousarray(scan.data, dtype="<f4").data)
    return content.hexdigest()


def image_hashes(cohort: Cohort) -> pd.Series:
    """Return a hash of every exam's image, indexed by uid.

    ``cohort.json`` lists them for cohorts that were written reproducibly; else volumes are read.

    Raises
    ------
    UsageError, ScanError
        If a volume cannot be read.
    """
    listed = cohort.info.get("sha256", {})
    names = {uid: f"niftis/{uid}.nii.gz" for uid in cohort.uids}
    if cohort.uids and all(name in listed for name in names.values()):
        hashes = {uid: listed[name] for uid, name in names.items()}
    else:
        hashes = {uid: image_hash(cohort.load(uid, repair=True)) for uid in cohort.uids}
    return pd.Series(hashes, name="image", dtype=object)


def _field_problems(uid: str, scan: Scan) -> list[Problem]:
    field = np.array(scan.shape) * scan.spacing
    low, high = FIELD_LIMITS
    if (field >= low).all() and (field <= high).all():
        return []
    expected = f"a field of view of {low:g}–{high:g} mm along each axis"
    found = " × ".join(f"{side:.0f}" for side in field)
    return [Problem("field-impossible", uid, expected, f"{found} mm", "Check the spacing.")]


def tracer_of(text: str) -> str:
    """Return one name for a tracer that has many.

    Examples
    --------
    >>> tracer_of("[123I]FP-CIT"), tracer_of("Ioflupane I-123"), tracer_of("Something new")
    ('fp-cit', 'fp-cit', 'something new')
    """
    plain = text.strip().lower()
    found = (name for name, words in TRACERS.items() if any(word in plain for word in words))
    return next(found, plain)


def _mixed_tracers(cohort: Cohort) -> list[Problem]:
    known = cohort.exams.get("tracer", pd.Series(dtype=str)).dropna().astype(str)
    counts = known[known.str.strip() != ""].map(tracer_of).value_counts()
    if len(counts) < 2:
        return []
    found = ", ".join(f"{name} ({count})" for name, count in counts.items())
    return [Problem("tracers-mixed", cohort.name, "one tracer", found, "Make a cohort of each.")]
