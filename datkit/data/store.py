"""Where fetched data lie on this machine, and whether they are still the promised bytes."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

from datkit.data.manifest import Entry, File, Manifest
from datkit.data.manifest_reader import load_manifest
from datkit.errors import ChecksumError, FetchError, UsageError
from datkit.files import data_folder, hash_file
from datkit.io.archive import changed_members, unpack

__all__ = ["Check", "Folder", "check_file", "load_folder", "load_path", "verify", "where"]

Folder = str | os.PathLike[str] | None


@dataclass(frozen=True)
class Check:
    """The state of one file on this machine.

    Attributes
    ----------
    name, file : str
        The data set and its file.
    path : Path
        Where the file lies, or belongs.
    state : str
        ``"ok"``, ``"missing"`` or ``"damaged"``.
    algorithm : str
        ``"sha256"``, or ``"md5"`` where nothing better is published.
    expected, found : str
        That hash in the manifest and of the bytes on disk; `found` is None if they cannot be read.
    """

    name: str
    file: str
    path: Path
    state: str
    algorithm: str
    expected: str
    found: str | None

    def to_dict(self) -> dict[str, str | None]:
        """Return the record as plain data, ready for JSON."""
        return asdict(self) | {"path": str(self.path)}


def where(name: str, *, folder: Folder = None, manifest: Manifest | None = None) -> Path:
    """Return the folder where a data set lies, or belongs; it need not be there.

    Parameters
    ----------
    name : str
        A data set of the manifest.
    folder : path, optional
        Where data sets are kept, one folder each; by default ``open`` in the kit's data folder,
        which ``$DATKIT_DATA`` moves.
    manifest : Manifest, optional
        By default the one that comes with the kit.

    Raises
    ------
    UsageError
        If there is no such data set.

    Examples
    --------
    >>> where("ppmi", folder="mine").as_posix()
    'mine/ppmi'
    """
    return _folder_of((manifest or load_manifest()).entry(name), folder)


def load_path(
    name: str, file: str | None = None, *, folder: Folder = None, manifest: Manifest | None = None
) -> Path:
    """Return the path of a fetched file after hashing it, at this and at every call.

    Parameters
    ----------
    name : str
        A data set of the manifest.
    file : str, optional
        One of its files; may be left out if it has only one.
    folder, manifest
        As for :func:`where`.

    Raises
    ------
    UsageError
        If there is no such data set or file.
    FetchError
        If the file has not been fetched yet.
    ChecksumError
        If its bytes are not the ones promised. The file stays where it is for inspection;
        ``datkit data fetch NAME`` replaces it.

    Examples
    --------
    >>> load_path("fpcit-hc174", folder="no_such_folder")
    Traceback (most recent call last):
    datkit.errors.FetchError: Expected no_such_folder..., found no file; run `datkit ...`.
    """
    entry = (manifest or load_manifest()).entry(name)
    check = check_file(entry, _choose_file(entry, file), folder)
    if check.state == "missing":
        raise FetchError(f"Expected {check.path}, found no file; run `datkit data fetch {name}`.")
    if check.state == "damaged":
        raise ChecksumError(
            f"{check.path}: expected {check.algorithm} {check.expected}, found "
            f"{check.found or 'no access'}; run `datkit data fetch {name}` to replace the file."
        )
    return check.path


def load_folder(
    name: str, file: str | None = None, *, folder: Folder = None, manifest: Manifest | None = None
) -> Path:
    """Return the folder of an unpacked archive, compared with the hashed archive at every call.

    The first call unpacks it, beside the archive, if that is safe.

    Parameters
    ----------
    name, file, folder, manifest
        As for :func:`load_path`; the file is a zip.

    Raises
    ------
    UsageError, FetchError, ChecksumError
        As :func:`load_path`; ChecksumError too if an unpacked file has changed.
    ArchiveError
        If the archive is not safe to unpack; nothing is written.
    """
    archive = load_path(name, file, folder=folder, manifest=manifest)
    unpacked = archive.with_name(f"{archive.stem}-unpacked")
    if not unpacked.is_dir():
        unpack(archive, unpacked)
    if changed := changed_members(archive, unpacked):
        raise ChecksumError(
            f"{unpacked}: expected the files of {archive.name}, found {len(changed)} changed or "
            f"missing, {changed[0]!r} first; delete that folder, it is unpacked again."
        )
    return unpacked


def verify(
    name: str | None = None, *, folder: Folder = None, manifest: Manifest | None = None
) -> list[Check]:
    """Hash the files of a data set, or of all of them, and tell the state of each.

    Raises
    ------
    UsageError
        If there is no such data set.

    Examples
    --------
    >>> verify("simulated")
    []
    >>> [check.state for check in verify("fpcit-hc174", folder="no_such_folder")]
    ['missing']
    """
    manifest = manifest or load_manifest()
    entries = manifest.datasets if name is None else (manifest.entry(name),)
    return [check_file(entry, file, folder) for entry in entries for file in entry.files]


def check_file(entry: Entry, file: File, folder: Folder = None) -> Check:
    """Hash one file of an entry and tell its state; nothing is raised."""
    path = _folder_of(entry, folder) / file.name
    algorithm, expected = file.digest
    try:
        found = hash_file(path, algorithm)
        state = "ok" if found == expected else "damaged"
    except OSError:  # a folder, or no permission: there, but not to be trusted
        found, state = None, "damaged" if path.exists() else "missing"
    return Check(entry.name, file.name, path, state, algorithm, expected, found)


def _folder_of(entry: Entry, folder: Folder) -> Path:
    return (Path(folder) if folder is not None else data_folder() / "open") / entry.name


def _choose_file(entry: Entry, name: str | None) -> File:
    chosen = [file for file in entry.files if name in (file.name, None)]
    if len(chosen) == 1:
        return chosen[0]
    reason = "it is built in" if entry.access == "built-in" else f"its access is {entry.access}"
    names = ", ".join(file.name for file in entry.files) or f"none, since {reason}"
    raise UsageError(f"Expected one of the files of {entry.name} ({names}), found {name!r}.")
