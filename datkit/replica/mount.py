"""How the data appear to a run: at once, or as on a platform whose mount is late."""

from __future__ import annotations

import os
from dataclasses import dataclass

from datkit.replica.folders import Replica

__all__ = ["LateMount", "Mount", "VeiledMount"]


@dataclass(frozen=True)
class Mount:
    """Data that are there from the beginning.

    Attributes
    ----------
    seconds : float
        When :meth:`finish` is due, counted from the start of the run.
    """

    seconds: float = 0.0

    def begin(self, replica: Replica) -> None:
        """Change the replica's data before the run starts."""

    def finish(self, replica: Replica) -> None:
        """Leave the data as they were; once more changes nothing."""


class LateMount(Mount):
    """The folder of data is empty at first, and whole after `seconds`."""

    def begin(self, replica: Replica) -> None:
        """Take everything out of the folder."""
        self._move(replica, away=True)

    def finish(self, replica: Replica) -> None:
        """Put it back, the format file last: when that is there, all is there."""
        self._move(replica, away=False)

    def _move(self, replica: Replica, away: bool) -> None:
        waiting = replica.folder / "waiting"
        waiting.mkdir(exist_ok=True)
        source, target = (replica.data, waiting) if away else (waiting, replica.data)
        replica.data.chmod(0o755)
        for path in sorted(source.iterdir()):
            moved, mode = target / path.name, path.stat().st_mode
            path.chmod(mode | 0o200)  # a folder is moved only by who may write to it
            os.replace(path, moved)
            moved.chmod(mode)
        replica.data.chmod(0o555)


class VeiledMount(Mount):
    """Every exam opens by its name, but the folder of exams cannot be listed.

    So the challenge's mount behaved in its first seconds: a listing was empty, direct paths worked.
    Root may list any folder: as root this shows something in a sandbox only.
    """

    def begin(self, replica: Replica) -> None:
        """Take away the right to list."""
        (replica.data / "niftis").chmod(0o311)

    def finish(self, replica: Replica) -> None:
        """Give it back."""
        (replica.data / "niftis").chmod(0o555)
