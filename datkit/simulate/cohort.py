"""Simulated cohorts on disk: made in parallel, resumable, and always the same bytes.

The layout is that of :mod:`datkit.cohort`. While a cohort is being made, a journal keeps the rows
and hashes of the exams that are done; ``cohort.json`` is written last, so that its presence means
that the cohort is whole.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
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
        A new or empty folder, or one that holds this very cohort, whole or unfinished.
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
        If `folder` holds anything else; it is left as it was.
    OSError
        If the folder cannot be written to.
    """
    folder, info = Path(folder), _describe(size, seed)
    _check_folder(folder, info)
    records = {record["exam"]["uid"]: record for record in _read_records(folder)}
    uids = [exam_uid(seed, index) for index in range(SIZES[size])]
    missing = [i for i, uid in enumerate(uids) if not _is_whole(_volume(folder, uid), records, uid)]
    if missing or not (folder / INFO).exists():
        for record in _make_exams(folder, info, records, missing, n_jobs, progress):
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
    folder: Path,
    info: dict[str, Any],
    records: dict[str, Record],
    missing: list[int],
    n_jobs: int | None,
    progress: bool,
) -> Iterator[Record]:
    """Make exams in parallel; yield their records, in order, after writing them to the journal."""
    from joblib import Parallel, cpu_count, delayed
    from tqdm.auto import tqdm

    with replace_atomically(folder / JOURNAL) as part:
        lines = [info, *(records[uid] for uid in sorted(records))]
        part.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    n_jobs = min(n_jobs or cpu_count(), max(1, len(missing)))
    jobs = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_make_exam)(folder, info["seed"], index) for index in missing
    )
    bar = tqdm(jobs, info["name"], total=len(missing), unit="exam", disable=not progress)
    with (folder / JOURNAL).open("a", encoding="utf-8") as journal:
        for record in bar:
            journal.write(json.dumps(record) + "\n")
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


def _check_folder(folder: Path, info: dict[str, Any]) -> None:
    """Refuse a folder that holds anything but this cohort, so that nothing is overwritten."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    found = _read_info(folder)
    if found != info:
        other = f"cohort {found.get('name')} version {found.get('version')}" if found else "files"
        raise CohortError(
            f"{folder}: expected a new folder or cohort {info['name']} version {VERSION}, found "
            f"{other}; choose another folder, or delete this one if you no longer need it."
        )


def _read_info(folder: Path) -> dict[str, Any] | None:
    """Return which cohort a folder says it holds, whole or unfinished; None if it does not say."""
    for name in (INFO, JOURNAL):
        try:
            text = (folder / name).read_text(encoding="utf-8")
            info = json.loads(text if name == INFO else text.splitlines()[0])
            return {key: value for key, value in info.items() if key != "sha256"}
        except (OSError, ValueError, AttributeError, IndexError):
            continue  # absent or not ours: the caller refuses the folder if nothing speaks for it
    return None


def _read_records(folder: Path) -> list[Record]:
    """Return the records of exams made before: those of the journal, else those of the tables."""
    if (folder / JOURNAL).is_file():
        lines = (folder / JOURNAL).read_text(encoding="utf-8").splitlines(keepends=True)[1:]
        return [json.loads(line) for line in lines if line.endswith("\n")]  # the last may be cut
    if not (folder / INFO).is_file():
        return []
    hashes = json.loads((folder / INFO).read_text(encoding="utf-8")).get("sha256", {})
    tables = [folder / name for name in TABLES.values()]
    if any(not t.is_file() or sha256_file(t) != hashes.get(t.name) for t in tables):
        return []
    texts = [table.read_text(encoding="utf-8").splitlines() for table in tables]
    rows = zip(*(csv.DictReader(text) for text in texts), strict=True)
    return [
        {"sha256": hashes[f"niftis/{row[0]['uid']}.nii.gz"]} | dict(zip(TABLES, row, strict=True))
        for row in rows
    ]
