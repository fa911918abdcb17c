"""One simulated set on disk while it is made: volumes first, ``cohort.json`` last.

The layout is that of :mod:`datkit.data`. While a set is unfinished its folder ``.unfinished`` keeps
what it will say of itself and one small record for each volume, its hash, so that an interrupted
run goes on. ``cohort.json`` is written when all volumes are there, so that its presence means that
the set is whole. Tables need no record: their rows are drawn anew, without a voxel.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from datkit.data.folder import UNFINISHED
from datkit.data.layouts import read_json
from datkit.errors import CohortError
from datkit.files import replace_atomically, sha256_file, sweep_parts, tell_kept, write_sealed
from datkit.problems import list_some
from datkit.simulate.camera.centres import Centre
from datkit.simulate.exam import draw_exam, parse_uid

__all__ = ["INFO", "UNFINISHED", "SetFolder"]

INFO = "cohort.json"
TABLES = ("train_labels.csv", "exams.csv", "truth.csv")


@dataclass(frozen=True, eq=False)
class SetFolder:
    """The folder of one set: training exams, or a test set.

    Attributes
    ----------
    path : Path
    info : dict
        What ``cohort.json`` says of the set, but for the hashes.
    uids : list of str
        The exams, in the order of the tables.
    added : sequence of Centre
        Centres that join the kit's.
    hashes : dict of str to str
        The sha256 of each file that is done, by its path in the folder.
    """

    path: Path
    info: dict[str, object]
    uids: list[str]
    added: Sequence[Centre] = ()
    hashes: dict[str, str] = field(default_factory=dict)

    def check(self, inside: Sequence[str]) -> None:
        """Refuse a folder that holds anything but this set, so that nothing is overwritten.

        Parameters
        ----------
        inside : sequence of str
            Names of subfolders that hold other sets of the same cohort.

        Raises
        ------
        CohortError
            With what it holds.
        """
        if not self.path.exists():
            return
        if self.path.is_dir() and {path.name for path in self.path.iterdir()} <= {*inside}:
            return
        found = read_json(self.path / INFO) or read_json(self.path / UNFINISHED / INFO)
        found.pop("sha256", None)
        if found != self.info:
            other = f"{found.get('name')} version {found.get('version')}"
            ours, theirs = _flat(self.info), _flat(found)
            differing = [key for key in ours if ours[key] != theirs.get(key) and key != "settings"]
            raise CohortError(
                f"{self.path}: expected a new folder or {self.info['name']} version "
                f"{self.info['version']} with the same settings, found "
                f"{f'{other}, where {list_some(differing)} differ' if found else 'other files'}; "
                "choose another folder, or delete this one if you no longer need it."
            )

    def verify(self) -> bool:
        """Take up files made before that have the hash that was recorded; return if all have."""
        info = read_json(self.path / INFO)
        recorded = info.pop("sha256", {})
        recorded = recorded if info == self.info else {}
        for record in (self.path / UNFINISHED).glob("sim-*.json"):
            recorded |= read_json(record)
        for name in (*map(_volume, self.uids), *TABLES):
            path = self.path / name
            if name in recorded and path.is_file() and sha256_file(path) == recorded[name]:
                self.hashes[name] = recorded[name]
        return self.is_whole

    @property
    def missing(self) -> list[str]:
        """The uids of the exams that are still to be made."""
        return [uid for uid in self.uids if _volume(uid) not in self.hashes]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left to do."""
        done = len(self.hashes) == len(self.uids) + len(TABLES)
        return done and not (self.path / UNFINISHED).exists()

    def begin(self) -> None:
        """Record which set this is, before any new volume; finish if all volumes are there."""
        if self.hashes:
            tell_kept(self.path, len(self.hashes), len(self.uids) + len(TABLES), "files")
        sweep_parts(self.path)
        write_sealed(self.path / UNFINISHED / INFO, self.info)
        self.add({})

    def add(self, record: dict[str, str]) -> None:
        """Enter volumes, their hashes by path; after the last write tables and ``cohort.json``."""
        self.hashes.update(record)
        if self.missing:
            return
        drawn = [draw_exam(*parse_uid(uid), self.added) for uid in self.uids]
        labels = [{"uid": one.uid, "is_pathologic": f"{one.reading.label:.1f}"} for one in drawn]
        rows = labels, [one.exam for one in drawn], [one.truth for one in drawn]
        for name, table in zip(TABLES, rows, strict=True):
            with replace_atomically(self.path / name) as part:
                pd.DataFrame(table).to_csv(part, index=False, lineterminator="\n")
            self.hashes[name] = sha256_file(self.path / name)
        write_sealed(self.path / INFO, self.info | {"sha256": self.hashes})
        shutil.rmtree(self.path / UNFINISHED)


def _flat(info: dict[str, object]) -> dict[str, object]:
    """Return what a ``cohort.json`` says, each of its settings beside the rest."""
    settings = info.get("settings")
    return info | settings if isinstance(settings, dict) else info


def _volume(uid: str) -> str:
    """Return the path of an exam's volume in its set's folder."""
    return f"niftis/{uid}.nii.gz"
