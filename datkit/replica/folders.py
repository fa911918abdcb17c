"""A replica of the platform's folders for one run: the code, read-only data, a place to write.

<folder>/code_execution/                          the unpacked zip; a plain run's working directory
<folder>/code_execution/data/submission_format.csv
<folder>/code_execution/data/niftis/<uid>.nii.gz
<folder>/tmp/                                     a plain run's TMPDIR and HOME
<folder>/guard/                                   sitecustomize.py, launch.py and their settings
<folder>/log.txt, report.json, submission.csv     what the run printed, how it ended, what it wrote

In a sandbox the code is copied to /code_execution, in memory and of limited size, so that a run
cannot change or fill anything of this machine; `datkit.replica.sandbox` says how.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datkit.errors import SubmissionError
from datkit.files import sha256_file
from datkit.inspect.runtime import PACKAGES, hidden_modules
from datkit.inspect.zip_file import unpack
from datkit.replica import hooks as guard
from datkit.replica.sandbox import Limits
from datkit.submit.predictions import HEADER

if TYPE_CHECKING:
    from datkit.data import Cohort

__all__ = ["Replica", "build_replica", "choose_uids"]

# Not imported: it needs a system with processes of Unix, which a check of a zip does not.
_LAUNCHER = Path(__file__).with_name("launcher.py")


@dataclass(frozen=True)
class Replica:
    """Where the parts of a replica lie, which exams it holds, and the sha256 of its data.

    `level` is the isolation that it was built for, `hidden` the modules that it must not find.
    """

    folder: Path
    uids: tuple[str, ...]
    hashes: dict[str, str]
    level: str = "plain"
    hidden: tuple[str, ...] = ()

    @property
    def code(self) -> Path:
        """The unpacked zip, with main.py."""
        return self.folder / "code_execution"

    @property
    def data(self) -> Path:
        """The read-only data."""
        return self.code / "data"

    @property
    def log(self) -> Path:
        """What the run prints."""
        return self.folder / "log.txt"

    @property
    def written(self) -> Path:
        """The submission.csv that the run wrote, once it has ended."""
        return self.folder / "submission.csv"

    def inside(self, name: str) -> str:
        """Return where "code_execution", "tmp", "guard" or "events" lies for the run itself."""
        return str(self.folder / name) if self.level == "plain" else f"/{name}"

    def environment(self, smoke: bool) -> dict[str, str]:
        """Return the run's environment but for PATH: nothing of the caller's own reaches it."""
        tmp = self.inside("tmp")
        return {
            "HOME": tmp,
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONNOUSERSITE": "1",
            "PYTHONPATH": self.inside("guard"),
            "TMPDIR": tmp,
            "USER": "submission",
            **({"IS_SMOKE_TEST": "1"} if smoke else {}),
        }

    def write_settings(self, seconds: float, smoke: bool, limits: Limits) -> None:
        """Tell the guards and the launcher what holds for the next run."""
        code, events = self.inside("code_execution"), self.inside("events") + "/events.jsonl"
        guards = {
            "code": code,
            "data": f"{code}/data",
            "writable": [code, self.inside("tmp"), self.inside("events")],
            "readable": ["/submission"],
            "hidden": self.hidden,
            "events": events,
        }
        launcher = {
            "code": code,
            "source": "" if self.level == "plain" else "/submission",
            "environment": self.environment(smoke),
            "events": events,
            "seconds": seconds,
            "own_user": self.level != "plain",
            **asdict(limits),
        }
        for name, settings in (("guard", guards), ("launch", launcher)):
            path = self.folder / "guard" / f"{name}.json"
            path.write_text(json.dumps(settings), encoding="utf-8")

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
    level: str = "plain",
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
    level : str
        The isolation that it will run in: see :mod:`datkit.replica.sandbox`.

    Raises
    ------
    SubmissionError
        If the zip is not safe to unpack.
    """
    folder = folder.resolve()
    code = folder / "code_execution"
    unpack(zip_path, code)
    shutil.rmtree(code / "data", ignore_errors=True)  # the platform mounts the exams over it
    _copy_exams(cohort, uids, code / "data")
    for name in ("tmp", "guard", "events"):
        (folder / name).mkdir()
    shutil.copyfile(guard.__file__, folder / "guard" / "sitecustomize.py")
    shutil.copyfile(_LAUNCHER, folder / "guard" / "launch.py")
    _open_to_all(code)
    hidden = () if level == "docker" else hidden_modules(packages)
    return Replica(folder, tuple(uids), _hash_tree(code / "data"), level, hidden)


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


def _open_to_all(folder: Path) -> None:
    """Let the sandbox's user read all of a folder, whatever the umask was."""
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))


def _hash_tree(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if not path.is_dir())
    return {path.relative_to(folder).as_posix(): _hash(path) for path in files}


def _hash(path: Path) -> str:
    return f"link to {os.readlink(path)}" if path.is_symlink() else sha256_file(path)
