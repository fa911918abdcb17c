"""What the members' names tell: where main.py lies, and what does not belong there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from datkit.rules import Found, RuleGroup

__all__ = ["MAIN", "MAX_VOLUMES", "NAMES", "is_mac_note"]

# One volume may be a template; a folder of them is a data set, which no submission may carry.
MAX_VOLUMES = 5
_VOLUMES = (".nii", ".nii.gz", ".dcm", ".mha", ".mhd", ".nrrd", ".hdr", ".img")
_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".7z", ".rar")
_LITTER = (".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX", "__pycache__")
_ENVIRONMENTS = ("site-packages", "pyvenv.cfg", "node_modules", "conda-meta")
_LOGS = ("lightning_logs", "mlruns", "wandb", "tensorboard")
_SECRETS = (".env", ".netrc", ".pypirc", "kaggle.json", "id_rsa", "id_ed25519")
_MAIN = "a file main.py at its root"
_REPACK = "Pack again with ``datkit submit pack``, or zip the files themselves, not their folder."

# ---- The list of all members, folders too.
MAIN: RuleGroup[list[str]] = RuleGroup("Where `main.py` lies")


@MAIN.rule("main-folder", expected=_MAIN)
def is_a_folder(names: list[str]) -> Iterator[Found]:
    """`main.py` is the name of a folder.

    Put the code into a file of that name.
    """
    if _is_taken(names) and "main.py" not in names:
        yield Found("the archive", "a folder of that name")


@MAIN.rule("main-case", expected=_MAIN)
def is_in_capitals(names: list[str]) -> Iterator[Found]:
    """`main.py` is spelt with capitals.

    Rename it to `main.py`: the platform's file system tells them apart.
    """
    others = _misplaced(names)
    if any(map(_is_at_root, others)):
        yield Found("the archive", f"only {', '.join(map(repr, others[:3]))}")


@MAIN.rule("main-nested", expected=_MAIN, remedy=_REPACK)
def is_in_a_folder(names: list[str]) -> Iterator[Found]:
    """`main.py` lies in a folder of the archive, not at its root."""
    others = _misplaced(names)
    if others and not any(map(_is_at_root, others)):
        found = f"only {', '.join(map(repr, others[:3]))}; the platform's own check lets it pass"
        yield Found("the archive", found)


@MAIN.rule("main-missing", expected=_MAIN, remedy=_REPACK)
def is_missing(names: list[str]) -> Iterator[Found]:
    """There is no `main.py` in the archive."""
    if not (_is_taken(names) or _misplaced(names)):
        yield Found("the archive", "none")


def _is_taken(names: list[str]) -> bool:
    """Whether main.py is the name of a file or of a folder at the root."""
    return any(name.partition("/")[0] == "main.py" for name in names)


def _misplaced(names: list[str]) -> list[str]:
    """Return what is called main.py in capitals or in a folder, if nothing is at the root."""
    named = [name for name in names if PurePosixPath(name).name.lower() == "main.py"]
    return [] if _is_taken(names) else named


def _is_at_root(name: str) -> bool:
    return "/" not in name.rstrip("/")


# ---- The files alone.
NAMES: RuleGroup[list[str]] = RuleGroup("What does not belong there")


@NAMES.rule("volumes", expected=f"no exams, and at most {MAX_VOLUMES} volumes")
def volumes(names: list[str]) -> Iterator[Found]:
    """The archive holds exams, or more volumes than templates explain.

    Leave exams out: the rules forbid to share them. A template may stay.
    """
    there = [name for name in names if name.lower().endswith(_VOLUMES)]
    exams = [name for name in there if name.lower().endswith(".dcm") or "niftis/" in name]
    if exams or len(there) > MAX_VOLUMES:
        yield Found("the archive", f"{len(there)}, such as {(exams or there)[0]!r}")


@NAMES.rule("notebook", expected="no notebook")
def notebook(names: list[str]) -> Iterator[Found]:
    """A notebook is in the archive.

    Leave it out: notebooks carry outputs, and outputs carry exams.
    """
    return _first([name for name in names if name.endswith(".ipynb")])


@NAMES.rule("old-predictions", expected="no predictions")
def old_predictions(names: list[str]) -> Iterator[Found]:
    """A `submission.csv` is in the archive already.

    Leave it out: `main.py` writes it, and an old one would hide that it did not.
    """
    return _first([name for name in names if name == "submission.csv"])


@NAMES.rule("data-folder", expected="nothing under data/")
def data_folder(names: list[str]) -> Iterator[Found]:
    """Members lie in a folder `data`.

    Move them: the platform mounts the exams at `data/`, over whatever is there.
    """
    return _first([name for name in names if name.startswith("data/")])


@NAMES.rule("version-control", expected="no history")
def version_control(names: list[str]) -> Iterator[Found]:
    """The history of a repository is in the archive.

    Leave `.git` out: it holds all that was ever deleted.
    """
    return _first(_within(names, (".git", ".svn", ".hg")))


@NAMES.rule("secret", expected="no secrets")
def secret(names: list[str]) -> Iterator[Found]:
    """A member is named like a file of passwords or keys.

    Leave it out, and change what it held if the archive was uploaded.
    """
    return _first(_within(names, _SECRETS))


@NAMES.rule("run-logs", expected="no logs", severity="warning")
def run_logs(names: list[str]) -> Iterator[Found]:
    """Logs of a training are in the archive.

    Leave them out: they often name exams.
    """
    within = _within(names, _LOGS)
    events = [n for n in names if PurePosixPath(n).name.startswith("events.out.tfevents")]
    return _first(within + events + [name for name in names if name.endswith(".log")])


@NAMES.rule("litter", expected="no litter", severity="warning")
def litter(names: list[str]) -> Iterator[Found]:
    """What a desktop or Python leaves behind was packed: `__MACOSX`, `.DS_Store`, `__pycache__`.

    Leave it out: it does no work.
    """
    within = _within(names, _LITTER)
    return _first(within + [n for n in names if is_mac_note(n) and n not in within])


@NAMES.rule("environment", expected="sources only", severity="warning")
def environment(names: list[str]) -> Iterator[Found]:
    """A virtual environment or installed packages were packed.

    Leave it out: it was built for another machine. Vendor the sources that you need.
    """
    return _first(_within(names, _ENVIRONMENTS))


@NAMES.rule("nested-archive", expected="unpacked files", severity="warning")
def nested_archive(names: list[str]) -> Iterator[Found]:
    """An archive lies in the archive.

    Unpack it first: the platform unpacks the outer one only.
    """
    return _first([name for name in names if name.lower().endswith(_ARCHIVES)])


def is_mac_note(name: str) -> bool:
    """Whether a member is what macOS notes about another file: ``._main.py`` is no Python.

    Examples
    --------
    >>> is_mac_note("__MACOSX/._main.py"), is_mac_note("main.py")
    (True, False)
    """
    return PurePosixPath(name).name.startswith("._")


def _within(names: list[str], parts: tuple[str, ...]) -> list[str]:
    """Return the names of which one part is among `parts`."""
    return [name for name in names if not set(parts).isdisjoint(PurePosixPath(name).parts)]


def _first(names: list[str]) -> Iterator[Found]:
    """Yield one finding for all names."""
    if names:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield Found(f"member {names[0]!r}", f"it{more}")
