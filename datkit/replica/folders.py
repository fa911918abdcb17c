"""A replica of the platform's folders for one run: the code, read-only data, a place to write.

<folder>/code_execution/                          the unpacked zip; a plain run's working directory
<folder>/code_execution/data/submission_format.csv
<folder>/code_execution/data/niftis/<uid>.nii.gz
<folder>/tmp/                                     a plain run's TMPDIR and HOME
<folder>/hooks/                                   sitecustomize.py, launcher.py and settings.json
<folder>/report.json, submission.csv              how the run ended, what it wrote

In a sandbox the code is copied to /code_execution, in memory and of limited size, so that a run
cannot change or fill anything of this machine; `datkit.replica.sandbox` says how.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

from datkit.inspect.runtime import PACKAGES, hidden_modules
from datkit.inspect.submission import Submission
from datkit.replica import hooks
from datkit.replica.sandbox import ENVIRONMENT, Limits
from datkit.replica.seccomp import CALLS, filter_for
from datkit.submit.predictions import HEADER

__all__ = ["Exams", "Replica", "Settings", "build_replica"]

# Not imported: it needs a system with processes of Unix, which a check of a zip does not.
_LAUNCHER = Path(__file__).with_name("launcher.py")


class Exams(Protocol):
    """Where a replica's exams come from, such as a cohort."""

    def save_volume(self, uid: str, path: Path) -> object:
        """Write the exam as NIfTI."""


@dataclass(frozen=True)
class Settings:
    """What holds for a run, and for every other one of the same submission.

    Attributes
    ----------
    level : str
        The isolation: see :mod:`datkit.replica.sandbox`.
    seconds : float
        After which it is stopped.
    smoke : bool
        Whether to set IS_SMOKE_TEST.
    limits : Limits
        Of memory, processes and disk.
    packages : iterable of str
        The distributions that the run may import; by default the official runtime's.
    column, grades : str, int
        What it predicts: see :func:`datkit.submit.predictions.check_predictions`.
    """

    level: str = "plain"
    seconds: float = 360
    smoke: bool = True
    limits: Limits = field(default_factory=Limits)
    packages: Iterable[str] = field(default_factory=lambda: PACKAGES)
    column: str = HEADER[1]
    grades: int = 0


class Replica:
    """Where the parts of a replica lie, and what they hold.

    Attributes
    ----------
    folder, code, data : Path
        All of it, the unpacked zip with main.py, the read-only data.
    written : Path
        The submission.csv that it wrote, once it has ended.
    uids : list of str
        The exams, in the order of the format file.
    settings : Settings
    built : dict
        {file below data: (its time in ns, its bytes)} as they were built.
    """

    def __init__(self, folder: Path, uids: list[str], settings: Settings) -> None:
        self.folder, self.uids, self.settings = folder, uids, settings
        self.code, self.data = folder / "code_execution", folder / "code_execution" / "data"
        self.written = folder / "submission.csv"
        self.built: dict[str, tuple[int, int]] = {}

    def changed_data(self) -> list[str]:
        """Name every file under data that is new, gone or different since the replica was built."""
        return sorted({name for name, _ in self.built.items() ^ _list_files(self.data).items()})


def build_replica(
    submission: Submission,
    exams: Exams,
    uids: list[str],
    folder: Path,
    settings: Settings | None = None,
) -> Replica:
    """Unpack a submission into `folder` and copy the exams of `uids` beside it, read-only.

    Parameters
    ----------
    submission : Submission
        The open zip.
    exams : Exams
        Where the exams come from, such as a cohort.
    uids : list of str
        Which exams, in the order of the format file.
    folder : Path
        An empty folder.
    settings : Settings, optional
        By default those of a plain process.

    Raises
    ------
    SubmissionError
        If the zip is not safe to unpack.
    """
    replica = Replica(folder.resolve(), uids, settings or Settings())
    submission.unpack(replica.code)
    if replica.data.is_dir():  # the platform mounts the exams over it
        shutil.rmtree(replica.data)
    replica.data.unlink(missing_ok=True)
    (replica.data / "niftis").mkdir(parents=True)
    for uid in uids:
        exams.save_volume(uid, replica.data / "niftis" / f"{uid}.nii.gz")
    rows = [f"{HEADER[0]},{replica.settings.column}", *(f"{uid},0.0" for uid in uids), ""]
    (replica.data / "submission_format.csv").write_text("\n".join(rows), encoding="utf-8")
    for path in [replica.code, *replica.code.rglob("*")]:  # to be read by the sandbox's user
        kept = 0 if path.is_relative_to(replica.data) else path.stat().st_mode
        path.chmod(kept | (0o555 if path.is_dir() else 0o444))
    for name in ("tmp", "hooks", "events"):
        (replica.folder / name).mkdir()
    shutil.copyfile(hooks.__file__, replica.folder / "hooks" / "sitecustomize.py")
    shutil.copyfile(_LAUNCHER, replica.folder / "hooks" / "launcher.py")
    _write_settings(replica)
    replica.built |= _list_files(replica.data)
    return replica


def _write_settings(replica: Replica) -> None:
    """Tell the launcher and the hooks what holds for the run."""
    settings = replica.settings
    root = str(replica.folder) if settings.level == "plain" else ""  # of what the run itself sees
    code, tmp, events = f"{root}/code_execution", f"{root}/tmp", f"{root}/events"
    smoke = {"IS_SMOKE_TEST": "1"} if settings.smoke else {}
    told = {
        "code": code,
        "writable": [code, tmp, events],
        "hidden": () if settings.level == "docker" else hidden_modules(settings.packages),
        "events": f"{events}/events.jsonl",
        "environment": {name: text.format(root) for name, text in ENVIRONMENT.items()} | smoke,
        "seconds": settings.seconds,
        "sandboxed": settings.level != "plain",
        "filter": filter_for().hex() if settings.level == "bubblewrap" else "",
        "keyctl": CALLS.get("keyctl"),
        **asdict(settings.limits),
    }
    path = replica.folder / "hooks" / "settings.json"
    path.write_text(json.dumps(told), encoding="utf-8")


def _list_files(folder: Path) -> dict[str, tuple[int, int]]:
    paths = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    found = {path.relative_to(folder).as_posix(): path.lstat() for path in paths}
    return {name: (one.st_mtime_ns, one.st_size) for name, one in found.items()}
