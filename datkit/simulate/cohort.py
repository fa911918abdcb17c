"""Simulated cohorts on disk: made in parallel, resumable, and always the same bytes.

The layout is that of :mod:`datkit.data`. The size ``"full"`` brings two test sets as well, each a
cohort folder of its own inside the first, with patients that none of the others holds:

    <cohort>/                 the training exams
    <cohort>/public_test/     as many centres, other patients
    <cohort>/private_test/    a quarter of its exams from a centre that is nowhere else

Their names say what they stand for in the challenge; here nothing is secret, and their labels are
there as in every cohort folder. An honest benchmark looks at those of the private set once.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from pydantic import TypeAdapter

from datkit.data.cohort import Cohort
from datkit.data.folder import UNFINISHED, open_folder
from datkit.data.layouts import open_path
from datkit.errors import CohortError, UsageError
from datkit.files import data_folder, locked, sha256_file, write_sealed
from datkit.io.scan import save_scan
from datkit.simulate.camera.centres import Centre, SetName, load_added_centres, share_of_exams
from datkit.simulate.exam import SETS, Exam, exam_uid, parse_uid, simulate_exam
from datkit.simulate.set_folder import SetFolder
from datkit.threads import workers

__all__ = ["SIZES", "open_cohort", "open_simulated", "simulate_cohort", "simulate_volume"]

SIZES = {"tiny": 24, "small": 200, "full": 1400}  #: how many exams a cohort of each size has
#: How many exams the test sets have, which lie beside the training exams of the size "full".
TEST_SETS: dict[SetName, int] = {"public": 400, "private": 400}
VERSION = "7"  # to be raised whenever the same seed gives other bytes
LICENCE = "CC0-1.0"
SOURCE = (
    "Simulated by datkit.simulate: a standard head given each patient's form and uptake, projected "
    "by a rotating gamma camera and reconstructed. No patient's data."
)
MB_PER_EXAM = 1.0  # the mean is 0.5 MB, the largest a little over 1 MB

PathLike = str | os.PathLike[str]


def simulate_cohort(
    folder: PathLike,
    size: str = "small",
    seed: int = 2026,
    n_jobs: int | None = None,
    progress: bool = True,
    centres: PathLike | None = None,
    scheduler: str | None = None,
) -> Cohort:
    """Simulate a cohort into a folder, or finish one that was interrupted.

    Neither the number of processes nor an interruption changes a byte. Volumes already there are
    kept if their hash is the one recorded when they were made, and are made again otherwise. While
    another process makes the same cohort, this one waits.

    Parameters
    ----------
    folder : path
        A new or empty folder, or one that holds this very cohort, whole or unfinished.
    size : str
        ``"tiny"`` (24 exams), ``"small"`` (200) or ``"full"`` (1,400, and two test sets of 400 in
        the subfolders ``public_test`` and ``private_test``).
    seed : int
        0 or more.
    n_jobs : int, optional
        Number of processes, 1 or more; by default one for each core.
    progress : bool
        Whether to show a progress bar.
    centres : path, optional
        A YAML file of centres that join the kit's: see
        :func:`~datkit.simulate.camera.centres.load_added_centres`. Exams that they do not take
        over keep every byte.
    scheduler : str, optional
        Address of a Dask scheduler, such as ``tcp://node1:8786``: its workers make the exams
        instead. They must see the folder under the same path and have this package installed.

    Returns
    -------
    Cohort
        The training exams. A test set is opened as any folder is:
        ``datkit.open_cohort(cohort.folder / "private_test")``.

    Raises
    ------
    UsageError
        If `size`, `seed` or `n_jobs` is not allowed, or a value in `centres`, or no scheduler
        answers.
    CohortError
        If `folder` holds anything else, or its disk has too little room: all is left as it was. If
        a process was killed: what was made is kept, and the next call goes on from there.
    OSError
        If the folder cannot be written to.
    """
    if n_jobs is not None and (not isinstance(n_jobs, int) or n_jobs < 1):
        raise UsageError(
            f"Expected 1 process or more, or None for one a core; found n_jobs={n_jobs!r}."
        )
    added = load_added_centres(centres) if centres else ()
    sets = _plan(Path(folder), size, seed, added)
    if not all(one.verify() for one in sets):
        with locked(folder):  # another process may be at work on it, or be done by now
            for one in sets:
                one.check([other.path.name for other in sets if other.path.parent == one.path])
            if unfinished := [one for one in sets if not one.verify()]:
                _check_room(sets[0].path, sum(len(one.missing) for one in unfinished))
                _finish(unfinished, n_jobs, progress, scheduler)
    return open_folder(folder)


def open_cohort(
    source: str | Path = "simulated",
    *,
    size: str = "small",
    seed: int = 2026,
    require_labels: bool = True,
) -> Cohort:
    """Open a cohort: the simulated one, a folder in the challenge's layout, or other exams.

    Parameters
    ----------
    source : str or Path
        ``"simulated"``; a folder that holds ``niftis/`` and ``train_labels.csv``; a folder of NIfTI
        or DICOM files, a BIDS-style tree or an image collection of PPMI; or a single file.
    size, seed : str, int
        For the simulated cohort, made on first use (`tiny` in a minute, `full` in an hour) and then
        kept. Test sets open by their path: ``cohort.folder / "public_test"``.
    require_labels : bool
        Expect a label for every exam of a folder in the challenge's layout; in the others a label
        that no table gives is NaN.

    Raises
    ------
    UsageError
        If the folder does not exist or the size is unknown.
    CohortError
        If the folder breaks the layout; every problem is listed.
    """
    if str(source) == "simulated":
        return open_simulated(size, seed)
    return open_path(source, require_labels=require_labels)


def open_simulated(
    size: str = "small",
    seed: int = 2026,
    n_jobs: int | None = None,
    progress: bool = True,
    scheduler: str | None = None,
) -> Cohort:
    """Open the simulated cohort in the data folder; the first call makes it.

    The parameters, and what is raised, are those of :func:`simulate_cohort`.

    Raises
    ------
    UsageError, CohortError, OSError
    """
    folder = data_folder() / "simulated" / f"{size}-{seed}"
    return simulate_cohort(folder, size, seed, n_jobs, progress, scheduler=scheduler)


def simulate_volume(uid: str, folder: PathLike, added: Sequence[Centre] = ()) -> tuple[Path, Exam]:
    """Make one exam's volume alone, ``<folder>/<uid>.nii.gz``: the very bytes of its cohort.

    Parameters
    ----------
    uid : str
        It holds the seed and the exam's index: ``"sim-2026-0003"``.
    folder : path
        Made if it is not there; a volume of this name is replaced.
    added : sequence of Centre
        Centres that join the kit's: see
        :func:`~datkit.simulate.camera.centres.load_added_centres`.

    Returns
    -------
    tuple of Path and Exam
        The file, and the exam with its rows of ``exams.csv`` and ``truth.csv``.

    Raises
    ------
    UsageError
        If no simulated exam can have this uid.
    OSError
        If the folder cannot be written to.
    """
    exam = simulate_exam(*parse_uid(uid), added)
    affine = exam.acquisition.affine
    return save_scan(exam.volume, affine, Path(folder) / f"{uid}.nii.gz"), exam


def _plan(folder: Path, size: str, seed: int, added: Sequence[Centre]) -> list[SetFolder]:
    """Return the sets that a cohort consists of; nothing is read or written."""
    if size not in SIZES:
        raise UsageError(
            f"Expected the size of a simulated cohort, one of {', '.join(SIZES)}; found {size!r}."
        )
    counts: dict[SetName, int] = {"train": SIZES[size]}
    counts |= TEST_SETS if size == "full" else {}
    sets = []
    for name, count in counts.items():
        suffix = "" if name == "train" else f"-{name}-test"
        path = folder / f"{name}_test" if suffix else folder
        uids = [exam_uid(seed, SETS[name] + place) for place in range(count)]  # refuses a bad seed
        info = {
            "name": f"simulated-{size}-{seed}{suffix}",
            "version": VERSION,
            "licence": LICENCE,
            "source": SOURCE,
            "seed": int(seed),
            "settings": {"size": size, "set": name, "exams": count} | _describe(name, added),
        }
        sets.append(SetFolder(path, info, uids, added))
    return sets


def _describe(set_name: SetName, added: Sequence[Centre]) -> dict[str, object]:
    """Return what ``cohort.json`` says of a set's centres."""
    shares = {name: round(share, 4) for name, share in share_of_exams(set_name, added).items()}
    rows = TypeAdapter(list[Centre]).dump_python([*added], mode="json")
    return {"centre_shares": shares} | ({"added_centres": rows} if added else {})


def _check_room(folder: Path, exams: int) -> None:
    """Refuse to begin what the disk could not hold."""
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    needed, free = exams * MB_PER_EXAM / 1e3, shutil.disk_usage(place).free / 1e9
    if free < needed:
        raise CohortError(
            f"{folder}: expected {needed:.2f} GB of free disk for {exams} exams, found "
            f"{free:.2f} GB; free some, or choose a smaller size or a folder on another disk."
        )


def _finish(
    sets: list[SetFolder], n_jobs: int | None, progress: bool, scheduler: str | None
) -> None:
    """Make what is missing of each set, in parallel; finish each set as soon as it is whole."""
    from joblib import cpu_count, delayed
    from tqdm.auto import tqdm

    missing = [(one, uid) for one in sets for uid in one.missing]
    for one in sets:
        one.begin()  # all of them: processes may be ahead by some exams, into the next set
    n_jobs = min(n_jobs or cpu_count(), max(1, len(missing)))
    bar = tqdm(missing, sets[0].info["name"], unit="exam", disable=not (progress and missing))
    try:
        with workers(n_jobs, scheduler) as parallel:
            calls = (delayed(_make_exam)(uid, one.path, one.added) for one, uid in missing)
            for (one, _), record in zip(bar, parallel(calls), strict=True):
                one.add(record)
    except BrokenProcessPool as error:
        raise CohortError(
            f"{sets[0].path}: a process that made exams was killed, most often for want of memory "
            "(each needs about 1 GB); the same command goes on from there, with fewer processes "
            "if you ask for them."
        ) from error


def _make_exam(uid: str, folder: Path, added: Sequence[Centre]) -> dict[str, str]:
    """Make one exam's volume; return its hash by its path in the folder, which is on disk too."""
    path, _ = simulate_volume(uid, folder / "niftis", added)
    record = {f"niftis/{path.name}": sha256_file(path)}
    write_sealed(folder / UNFINISHED / f"{uid}.json", record)
    return record
