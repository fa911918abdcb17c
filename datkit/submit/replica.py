"""A replica of the platform's folders for one run: the code, read-only data, a place to write.

<folder>/code_execution/                          the unpacked zip; the working directory
<folder>/code_execution/data/submission_format.csv
<folder>/code_execution/data/niftis/<uid>.nii.gz
<folder>/tmp/                                     TMPDIR and HOME
<folder>/guard/                                   sitecustomize.py, guard.json
<folder>/log.txt, <folder>/events.jsonl           what the run printed, what the guards refused
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datkit.errors import SubmissionError
from datkit.files import sha256_file
from datkit.submit import guard
from datkit.submit.archive import unpack
from datkit.submit.predictions import HEADER
from datkit.submit.runtime import PACKAGES, hidden_modules

if TYPE_CHECKING:
    from datkit.cohort import Cohort

__all__ = ["Replica", "build_replica", "choose_uids"]


@dataclass(frozen=True)
class Replica:
    """Where the parts of a replica lie, which exams it holds, and the sha256 of its data."""

    folder: Path
    uids: tuple[str, ...]
    hashes: dict[str, str]

    @property
    def code(self) -> Path:
        """The working directory, with main.py."""
        return self.folder / "code_execution"

    @property
    def data(self) -> Path:
        """The read-only data."""
        return self.code / "data"

    @property
    def log(self) -> Path:
        """What the run prints."""
        return self.folder / "log.txt"

    def environment(self, smoke: bool) -> dict[str, str]:
        """Return the whole environment of the run: nothing of the caller's own reaches it."""
        return {
            "HOME": str(self.folder / "tmp"),
            "LANG": "C.UTF-8",
            "PATH": os.defpath,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONNOUSERSITE": "1",
            "PYTHONPATH": str(self.folder / "guard"),
            "TMPDIR": str(self.folder / "tmp"),
            **({"IS_SMOKE_TEST": "1"} if smoke else {}),
        }

    def events(self) -> list[dict[str, str]]:
        """Return what the guards noted: "started", then each refusal."""
        path = self.folder / "events.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def changed_data(self) -> list[str]:
        """Name every file under data that is new, gone or different since the replica was built."""
        now = _hash_tree(self.data)
        names = sorted(now.keys() | self.hashes.keys())
        return [name for name in names if now.get(name) != self.hashes.get(name)]


def build_replica(
    zip_path: str | os.PathLike[str],
    cohort: Cohort,
    uids: list[str],
    folder: Path,
    packages: Iterable[str] = PACKAGES,
) -> Replica:
    """Unpack a submission into `folder` and copy the exams of `uids` beside it, read-only.

    Parameters
    ----------
    zip_path : path
        The submission.
    cohort : Cohort
        Where the exams come from.
    uids : list of str
        Which exams, in the order of the format file.
    folder : Path
        An empty folder.
    packages : iterable of str
        The distributions that the run may import; by default the official runtime's.

    Raises
    ------
    SubmissionError
        If the zip is not safe to unpack.
    """
    folder = folder.resolve()
    code = folder / "code_execution"
    unpack(zip_path, code)
    _copy_exams(cohort, uids, code / "data")
    (folder / "tmp").mkdir()
    _write_guard(folder, hidden_modules(packages))
    return Replica(folder, tuple(uids), _hash_tree(code / "data"))


def choose_uids(uids: list[str], count: int | None, seed: int) -> list[str]:
    """Draw some exams at random, in an order that is surely not the sorted one.

    The order of the format file is the platform's own; a submission that sorts, or lists the
    folder, must not be right by luck.

    Raises
    ------
    SubmissionError
        If there is no exam.

    Examples
    --------
    >>> choose_uids(["a", "b"], None, seed=0)
    ['b', 'a']
    """
    chosen = random.Random(seed).sample(uids, len(uids))[:count]
    if not chosen:
        raise SubmissionError("Expected exams to predict, found none. Give a cohort with exams.")
    return chosen[::-1] if chosen == sorted(chosen) else chosen


def _copy_exams(cohort: Cohort, uids: list[str], data: Path) -> None:
    (data / "niftis").mkdir(parents=True)
    for uid in uids:
        cohort.save_volume(uid, data / "niftis" / f"{uid}.nii.gz")
    rows = [",".join(HEADER), *(f"{uid},0.0" for uid in uids)]
    (data / "submission_format.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    for path in [*data.rglob("*"), data]:
        path.chmod(0o555 if path.is_dir() else 0o444)


def _write_guard(folder: Path, hidden: tuple[str, ...]) -> None:
    code, tmp = folder / "code_execution", folder / "tmp"
    settings = {
        "code": str(code),
        "data": str(code / "data"),
        "writable": [str(code), str(tmp)],
        "hidden": hidden,
        "events": str(folder / "events.jsonl"),
    }
    (folder / "guard").mkdir()
    shutil.copyfile(guard.__file__, folder / "guard" / "sitecustomize.py")
    (folder / "guard" / "guard.json").write_text(json.dumps(settings), encoding="utf-8")


def _hash_tree(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if not path.is_dir())
    return {path.relative_to(folder).as_posix(): _hash(path) for path in files}


def _hash(path: Path) -> str:
    return f"link to {os.readlink(path)}" if path.is_symlink() else sha256_file(path)
