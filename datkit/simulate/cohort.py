"""Simulated cohorts on disk: made in parallel, resumable, and always the same bytes.

The layout is that of :mod:`datkit.cohort`. While a cohort is being made, a journal keeps the rows
and hashes of the exams that are done; ``cohort.json`` is written last, so that its presence means
that the cohort is whole.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from datkit.cohort import Cohort, open_folder
from datkit.errors import CohortError, UsageError
from datkit.files import data_folder, replace_atomically, sha256_file, write_json
from datkit.scan import save_scan
from datkit.simulate.exam import Exam, exam_uid, simulate_exam

__all__ = ["LICENCE", "SIZES", "Exam", "open_simulated", "simulate_cohort", "simulate_exam"]

SIZES = {"tiny": 24, "small": 96}
VERSION = "1"  # to be raised whenever the same seed gives other bytes
LICENCE = "CC0-1.0"
SOURCE = "Simulated by datkit.simulate: standard head, image-level camera. No patient's data."
INFO, JOURNAL = "cohort.json", ".unfinished.jsonl"
TABLES = {"label": "train_labels.csv", "exam": "exams.csv", "truth": "truth.csv"}

Record = dict[str, Any]  # {"sha256": …, "label": row, "exam": row, "truth": row} of one exam


def simulate_cohort(
    folder: str | os.PathLike[str],
    size: str = "small",
    seed: int = 2026,
    n_jobs: int | None = None,
    progress: bool = True,
) -> Cohort:
    """Simulate a cohort into a folder, or finish one that was interrupted.

    Neither the number of processes nor an interruption changes a byte. Volumes already there are
    kept if their hash is the one recorded when they were made, and are made again otherwise.

    Parameters
    ----------
    folder : path
        A new folder, or one that holds this very cohort, whole or unfinished.
    size : str
        ``"tiny"`` (24 exams) or ``"small"`` (96).
    seed : int
        0 or more.
    n_jobs : int, optional
        Number of processes; by default one for each core.
    progress : bool
        Whether to show a progress bar.

    Raises
    ------
    UsageError
        If `size` or `seed` is not allowed.
    CohortError
        If `folder` holds another cohort.
    OSError
        If the folder cannot be written to.
    """
    folder, info = Path(folder), _describe(size, seed)
    records = _read_records(folder, info)
    uids = [exam_uid(seed, index) for index in range(SIZES[size])]
    missing = [i for i, uid in enumerate(uids) if not _is_whole(_volume(folder, uid), records, uid)]
    if missing or not (folder / INFO).exists():
        for record in _make_exams(folder, info, seed, missing, n_jobs, progress):
            records[record["exam"]["uid"]] = record
        _write_tables(folder, info, [records[uid] for uid in uids])
    return open_folder(folder)


def open_simulated(size: str = "small", seed: int = 2026) -> Cohort:
    """Open the simulated cohort in the data folder; the first call makes it.

    Raises
    ------
    UsageError
        If `size` or `seed` is not allowed.
    """
    return simulate_cohort(data_folder() / "simulated" / f"{size}-{seed}", size, seed)


def _describe(size: str, seed: int) -> dict[str, Any]:
    """Return what ``cohort.json`` says before any file is made."""
    if size not in SIZES:
        raise UsageError(f"A simulated cohort is {' or '.join(SIZES)}; found size {size!r}.")
    exam_uid(seed, 0)  # refuses a bad seed
    return {
        "name": f"simulated-{size}-{seed}",
        "version": VERSION,
        "licence": LICENCE,
        "source": SOURCE,
        "seed": int(seed),
        "settings": {"size": size, "exams": SIZES[size]},
    }


def _volume(folder: Path, uid: str) -> Path:
    return folder / "niftis" / f"{uid}.nii.gz"


def _is_whole(path: Path, records: dict[str, Record], uid: str) -> bool:
    return uid in records and path.is_file() and sha256_file(path) == records[uid]["sha256"]


def _make_exams(
    folder: Path, info: dict, seed: int, missing: list[int], n_jobs: int | None, progress: bool
) -> Iterator[Record]:
    """Make exams in parallel; yield their records, in order, after writing them to the journal."""
    from joblib import Parallel, cpu_count, delayed
    from tqdm.auto import tqdm

    folder.mkdir(parents=True, exist_ok=True)
    n_jobs = min(n_jobs or cpu_count(), max(1, len(missing)))
    jobs = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_make_exam)(folder, seed, index) for index in missing
    )
    bar = tqdm(jobs, info["name"], total=len(missing), unit="exam", disable=not progress)
    with (folder / JOURNAL).open("a", encoding="utf-8") as journal:
        for record in bar:
            journal.write(json.dumps({"info": info, "record": record}) + "\n")
            journal.flush()
            yield record


def _make_exam(folder: Path, seed: int, index: int) -> Record:
    """Make one exam's volume and return its record."""
    exam = simulate_exam(seed, index)
    path = save_scan(exam.volume, exam.affine, _volume(folder, exam.uid), dtype="uint16")
    label = {"uid": exam.uid, "is_pathologic": f"{exam.label:.1f}"}
    return {"sha256": sha256_file(path), "label": label, "exam": exam.exam, "truth": exam.truth}


def _write_tables(folder: Path, info: dict[str, Any], records: list[Record]) -> None:
    """Write the tables, then ``cohort.json``; from then on the cohort is whole."""
    hashes = {f"niftis/{r['exam']['uid']}.nii.gz": r["sha256"] for r in records}
    for kind, name in TABLES.items():
        rows = [record[kind] for record in records]
        with replace_atomically(folder / name) as part, part.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        hashes[name] = sha256_file(folder / name)
    write_json(folder / INFO, info | {"sha256": hashes})
    (folder / JOURNAL).unlink(missing_ok=True)


def _read_records(folder: Path, info: dict[str, Any]) -> dict[str, Record]:
    """Return the records of the exams made before, from the tables or from the journal."""
    found = [*_read_finished(folder), *_read_journal(folder)]
    others = {other["name"] for other, _ in found if other != info}
    if others:
        raise CohortError(
            f"{folder}: expected a new folder or cohort {info['name']} version {VERSION}, found "
            f"{', '.join(sorted(others))} of other settings; choose another folder."
        )
    return {record["exam"]["uid"]: record for _, record in found}


def _read_finished(folder: Path) -> Iterable[tuple[dict, Record]]:
    """Read the records of a whole cohort; none if a table is damaged."""
    if not (folder / INFO).is_file():
        return
    info = json.loads((folder / INFO).read_text(encoding="utf-8"))
    hashes = info.pop("sha256")
    tables = [folder / name for name in TABLES.values()]
    if any(not t.is_file() or sha256_file(t) != hashes[t.name] for t in tables):
        return
    texts = [table.read_text(encoding="utf-8").splitlines() for table in tables]
    rows = [list(csv.DictReader(text)) for text in texts]
    for row in zip(*rows, strict=True):
        sha256 = hashes[f"niftis/{row[0]['uid']}.nii.gz"]
        yield info, {"sha256": sha256} | dict(zip(TABLES, row, strict=True))


def _read_journal(folder: Path) -> Iterable[tuple[dict, Record]]:
    """Read the journal of an interrupted run; a last line cut short does not count."""
    if not (folder / JOURNAL).is_file():
        return
    for line in (folder / JOURNAL).read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            entry = json.loads(line)
            yield entry["info"], entry["record"]
