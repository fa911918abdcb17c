"""A replica of the platform's folders for one run: the code, read-only data, a place to write.

<folder>/code_execution/                          the unpacked zip; a plain run's working directory
<folder>/code_execution/data/submission_format.csv
<folder>/code_execution/data/niftis/<uid>.nii.gz
<folder>/tmp/                                     a plain run's TMPDIR and HOME
<folder>/hooks/                                   sitecustomize.py, launcher.py and settings.json
<folder>/log.txt, report.json, submission.csv     what the run printed, how it ended, what it wrote

In a sandbox the code is copied to /code_execution, in memory and of limited size, so that a run
cannot change or fill anything of this machine; `datkit.replica.sandbox` says how.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from datkit.files import sha256_file
from datkit.inspect.runtime import PACKAGES, hidden_modules
from datkit.inspect.submission import Submission
from datkit.replica import hooks
from datkit.replica.sandbox import Limits
from datkit.submit.predictions import HEADER

__all__ = ["Exams", "Replica", "build_replica"]

# Not imported: it needs a system with processes of Unix, which a check of a zip does not.
_LAUNCHER = Path(__file__).with_name("launcher.py")


class Exams(Protocol):
    """Where a replica's exams come from, such as a cohort."""

    def save_volume(self, uid: str, path: Path) -> object:
        """Write the exam as NIfTI."""


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

    def write_settings(self, seconds: float, smoke: bool, limits: Limits) -> None:
        """Tell the launcher and the hooks what holds for the next run."""
        is_plain = self.level == "plain"
        root = str(self.folder) if is_plain else ""  # of what the run itself sees
        code, tmp, events = f"{root}/code_execution", f"{root}/tmp", f"{root}/events"
        environment = {  # but for PATH; nothing of the caller's own reaches the run
            "HOME": tmp,
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONNOUSERSITE": "1",
            "PYTHONPATH": f"{root}/hooks",
            "TMPDIR": tmp,
            "USER": "submission",
            **({"IS_SMOKE_TEST": "1"} if smoke else {}),
        }
        settings = {
            "code": code,
            "writable": [code, tmp, events],
            "hidden": self.hidden,
            "events": f"{events}/events.jsonl",
            "environment": environment,
            "seconds": seconds,
            "sandboxed": not is_plain,
            **asdict(limits),
        }
        path = self.folder / "hooks" / "settings.json"
        path.write_text(json.dumps(settings), encoding="utf-8")

    def changed_data(self) -> list[str]:
        """Name every file under data that is new, gone or different since the replica was built."""
        now = _hash_tree(self.data)
        names = sorted(now.keys() | self.hashes.keys())
        return [name for name in names if now.get(name) != self.hashes.get(name)]


def build_replica(
    submission: Submission,
    exams: Exams,
    uids: list[str],
    folder: Path,
    packages: Iterable[str] = PACKAGES,
    level: str = "plain",
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
    submission.unpack(code)
    for path in [code, *code.rglob("*")]:  # the sandbox's user must read it, whatever the umask
        path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
    shutil.rmtree(code / "data", ignore_errors=True)  # the platform mounts the exams over it
    _copy_exams(exams, uids, code / "data")
    for name in ("tmp", "hooks", "events"):
        (folder / name).mkdir()
    shutil.copyfile(hooks.__file__, folder / "hooks" / "sitecustomize.py")
    shutil.copyfile(_LAUNCHER, folder / "hooks" / "launcher.py")
    hidden = () if level == "docker" else hidden_modules(packages)
    return Replica(folder, tuple(uids), _hash_tree(code / "data"), level, hidden)


def _copy_exams(exams: Exams, uids: list[str], data: Path) -> None:
    (data / "niftis").mkdir(parents=True)
    for uid in uids:
        exams.save_volume(uid, data / "niftis" / f"{uid}.nii.gz")
    rows = [",".join(HEADER), *(f"{uid},0.0" for uid in uids)]
    (data / "submission_format.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    for path in [*data.rglob("*"), data]:
        path.chmod(0o555 if path.is_dir() else 0o444)


def _hash_tree(folder: Path) -> dict[str, str]:
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    return {name: _hash(path) for name, path in files.items() if not path.is_dir()}


def _hash(path: Path) -> str:
    return f"link to {path.readlink()}" if path.is_symlink() else sha256_file(path)
