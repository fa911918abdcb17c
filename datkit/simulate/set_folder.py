"""One simulated set on disk while it is made: a journal first, ``cohort.json`` last.

The layout is that of :mod:`datkit.data`. The journal keeps the rows and hashes of the exams that
are done, so that an interrupted run goes on; ``cohort.json`` is written when all of them are there,
so that its presence means that the set is whole.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datkit.errors import CohortError
from datkit.files import replace_atomically, sha256_file, write_json

__all__ = ["INFO", "JOURNAL", "Record", "SetFolder"]

INFO, JOURNAL = "cohort.json", ".unfinished.jsonl"
TABLES = {"label": "train_labels.csv", "exam": "exams.csv", "truth": "truth.csv"}

Record = dict[str, Any]  # {"sha256": …, "label": row, "exam": row, "truth": row} of one exam


@dataclass(frozen=True, eq=False)
class SetFolder:
    """The folder of one set: training exams, or a test set.

    Attributes
    ----------
    path : Path
    info : dict
        What ``cohort.json`` says of the set, but for the hashes.
    exams : dict of str to int
        The index of each exam by its uid, in the order of the tables.
    inside : tuple of str
        Names of subfolders that hold other sets of the same cohort.
    records : dict of str to Record
        The exams that are done, by uid.
    """

    path: Path
    info: dict[str, Any]
    exams: dict[str, int]
    inside: tuple[str, ...] = ()
    records: dict[str, Record] = field(default_factory=dict)

    def check(self) -> None:
        """Refuse a folder that holds anything but this set, so that nothing is overwritten.

        Raises
        ------
        CohortError
            With what it holds.
        """
        if not self.path.exists():
            return
        if self.path.is_dir() and {path.name for path in self.path.iterdir()} <= {*self.inside}:
            return
        found = _read_info(self.path)
        if found != self.info:
            name, version = self.info["name"], self.info["version"]
            other = (
                f"{found.get('name')} version {found.get('version')}" if found else "other files"
            )
            raise CohortError(
                f"{self.path}: expected a new folder or {name} version {version}, found {other}; "
                "choose another folder, or delete this one if you no longer need it."
            )

    def read_records(self) -> None:
        """Take up the exams made before whose volume is still the one that was recorded."""
        for record in _read_records(self.path):
            uid = record["exam"]["uid"]
            volume = self.path / "niftis" / f"{uid}.nii.gz"
            if uid in self.exams and volume.is_file() and sha256_file(volume) == record["sha256"]:
                self.records[uid] = record

    @property
    def missing(self) -> list[int]:
        """The indices of the exams that are still to be made."""
        return [index for uid, index in self.exams.items() if uid not in self.records]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left to do."""
        return not self.missing and (self.path / INFO).is_file()

    def begin(self) -> None:
        """Write the journal of what is done, before any new volume; finish if that is all."""
        with replace_atomically(self.path / JOURNAL) as part:
            lines = [self.info, *self.records.values()]
            part.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        self._finish()

    def add(self, record: Record) -> None:
        """Enter one more exam, whose volume is written, in the journal; finish after the last."""
        self.records[record["exam"]["uid"]] = record
        with (self.path / JOURNAL).open("a", encoding="utf-8") as journal:
            journal.write(json.dumps(record) + "\n")
        self._finish()

    def _finish(self) -> None:
        """Write the tables, then ``cohort.json``, once no exam is missing."""
        if self.missing:
            return
        records = [self.records[uid] for uid in self.exams]
        hashes = {f"niftis/{r['exam']['uid']}.nii.gz": r["sha256"] for r in records}
        for kind, name in TABLES.items():
            rows = [record[kind] for record in records]
            with replace_atomically(self.path / name) as part, part.open("w", newline="") as stream:
                writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
            hashes[name] = sha256_file(self.path / name)
        write_json(self.path / INFO, self.info | {"sha256": hashes})
        (self.path / JOURNAL).unlink(missing_ok=True)


def _read_info(folder: Path) -> dict[str, Any] | None:
    """Return which set a folder says it holds, whole or unfinished; None if it does not say."""
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
        lines = (folder / JOURNAL).read_bytes().splitlines(keepends=True)[1:]
        return [json.loads(line) for line in lines if line.endswith(b"}\n")]  # the last may be cut
    if not (folder / INFO).is_file():
        return []
    hashes = json.loads((folder / INFO).read_text(encoding="utf-8")).get("sha256", {})
    tables = [folder / name for name in TABLES.values()]
    if any(not t.is_file() or sha256_file(t) != hashes.get(t.name) for t in tables):
        return []
    texts = [table.read_text(encoding="utf-8").splitlines() for table in tables]
    rows = zip(*(csv.DictReader(text) for text in texts), strict=True)
    return [
        {"sha256": hashes.get(f"niftis/{row[0]['uid']}.nii.gz")}
        | dict(zip(TABLES, row, strict=True))
        for row in rows
    ]
