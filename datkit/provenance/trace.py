"""The chain behind a file: what it was made of, back to exams and readers, and where it breaks.

Every file that a record names is looked for by what it holds, near the file, in folders that are
named and in the data folder, and hashed. A submission brings its models along, with their records.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datkit.errors import UsageError
from datkit.files import data_folder, read_sealed
from datkit.io.scan import sha256_scan
from datkit.provenance.record import (
    RECORD,
    Input,
    Listed,
    Record,
    exam_marks,
    read_record,
    record_place,
)

__all__ = ["Part", "Step", "trace"]

SOUND, CHANGED, MISSING, UNKNOWN = "sound", "changed", "missing", "unknown"
NO_RECORD = "It has no record: nothing beside it says what it was made of"
Inside = dict[Any, Record]  # folders of models in a zip
DEPTH = 3  # where inputs are looked for: each root, and two folders below it


@dataclass(frozen=True)
class Part:
    """A file of a step, or an exam.

    Attributes
    ----------
    name, sha256 : str
        The file's name, or the exam's uid where this machine holds it; the hash on record, of an
        exam its mark.
    state : {"sound", "changed", "missing", "unknown"}
    reader : str
        Who gave the label of an exam.
    """

    name: str
    sha256: str
    state: str
    reader: str = ""


@dataclass(frozen=True)
class Step:
    """A product or an input, and what that was made of.

    Attributes
    ----------
    kind, name : str
        Such as "model", and the name of its file or folder here.
    parts : tuple of Part
        Its files, and of a cohort its exams.
    inputs : tuple of Step
    record : Record or None
    note : str
        What is to be said of it.
    """

    kind: str
    name: str
    parts: tuple[Part, ...]
    inputs: tuple[Step, ...] = ()
    record: Record | None = None
    note: str = ""

    @property
    def state(self) -> str:
        """That of the part in the worst one; inputs have their own."""
        found = {part.state for part in self.parts}
        return next((one for one in (CHANGED, MISSING, UNKNOWN) if one in found), SOUND)

    def walk(self) -> Iterator[Step]:
        """Yield this step and all behind it."""
        yield self
        for one in self.inputs:
            yield from one.walk()

    @property
    def breaks(self) -> list[tuple[Step, Part]]:
        """What is not sound, with the step that it belongs to."""
        return [(one, part) for one in self.walk() for part in one.parts if part.state != SOUND]


def trace(path: str | os.PathLike[str], places: Iterable[str | os.PathLike[str]] = ()) -> Step:
    """Follow a file back to the exams and readers that it comes from, hashing all on the way.

    Parameters
    ----------
    path : path
        A submission, predictions, a report or a benchmark, the folder of a model, or its
        ``model.json``.
    places : iterable of paths
        Folders in which to look for inputs too, and two folders below them.

    Raises
    ------
    UsageError
        If there is no such file, or records name each other in a circle.
    """
    path = Path(path).resolve()
    path = path.parent if path.name in ("model.json", "cohort.json") else path
    if not path.exists():
        raise UsageError(f"Expected a file to trace, found none at {path}; name what was made.")
    roots = [path.parent, *map(Path, places), data_folder()]
    if (path / "cohort.json").is_file():
        return _trace_cohort(path)
    found, own = _read(record_place(path))
    inside = _models_in(path) if path.suffix == ".zip" else {}
    inputs = found.inputs if found else [Input("model", one.files) for one in inside.values()]
    files = found.files if found else {"": ""}
    parts = [_check(path / name if name else path, name or path.name, sha256)
             for name, sha256 in files.items()]  # fmt: skip
    try:
        behind = tuple(_follow(one, roots, inside, bool(found)) for one in inputs)
    except RecursionError as error:
        expected = f"{path}: Expected records that lead to exams, found ones that lead in a circle"
        raise UsageError(f"{expected}; somebody wrote them anew.") from error
    note = "" if found else NO_RECORD + ("; its models bring theirs." if inside else ".")
    kind = found.kind if found else "submission" if inside else "file"
    return Step(kind, path.name, (*parts, *own), behind, found, note)


def _trace_cohort(folder: Path) -> Step:
    """Check a cohort's files against cohort.json, which is its record."""
    try:
        hashes, own = read_sealed(folder / "cohort.json")["sha256"], SOUND
    except (OSError, ValueError, LookupError, TypeError):
        hashes, own = {}, CHANGED
    parts = [_check(folder / name, name, sha256) for name, sha256 in hashes.items()]
    return Step("cohort", folder.name, (Part("cohort.json", "", own), *parts))


def _follow(one: Input, roots: list[Path], inside: Inside, search: bool = True) -> Step:
    """Find an input, check its files, and follow its own record."""
    listed, damaged = _list_of(one, roots) if one.exams else ({}, [])
    names = one.files or {its["path"]: its["sha256"] for its in listed.values()}
    place: Any = (search and _find(names, roots)) or _find_inside(names, inside)
    left = {"prior.json"} if isinstance(place, zipfile.Path) else set()  # a submission has its own
    parts = [_check(place and place / name, name, sha256)
             for name, sha256 in one.files.items() if name not in left]  # fmt: skip
    parts += [*damaged, *_check_exams(one, listed, place)]
    found, own = _read(place / RECORD) if place and one.kind == "model" else (None, [])
    own = [] if RECORD in one.files else own
    behind = tuple(_follow(each, roots, inside) for each in found.inputs) if found else ()
    said = "" if found or one.kind != "model" else "It has no record: its exams are not known."
    said = said if place else "It is not here; name folders to look in."
    return Step(one.kind, place.name if place else "not here", (*parts, *own), behind, found, said)


def _read(place: Any) -> tuple[Record | None, list[Part]]:  # noqa: ANN401 - or one in a zip
    """Return a record, and what is to be said of its file."""
    try:
        return read_record(place), [Part(place.name, "", SOUND)]
    except FileNotFoundError:
        return None, [Part(place.name, "", MISSING)]
    except (OSError, ValueError, TypeError, zipfile.BadZipFile):
        return None, [Part(place.name, "", CHANGED)]


def _check(path: Any, name: str, sha256: str) -> Part:  # noqa: ANN401 - or one in a zip
    found = _hash(path) if path else None
    state = SOUND if found == sha256 else CHANGED if found else MISSING
    return Part(name, sha256 or found or "", UNKNOWN if found and not sha256 else state)


def _hash(path: Any) -> str | None:  # noqa: ANN401 - or one in a zip
    with suppress(FileNotFoundError, IsADirectoryError, KeyError):
        try:
            with path.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()
        except zipfile.BadZipFile as error:
            return f"unreadable: {error}"
    return None


def _find(files: dict[str, str], roots: list[Path]) -> Path | None:
    """Return the folder with most of the files; the first that matches wholly by one decides."""
    seen: list[Path] = []
    for name, sha256 in files.items():
        patterns = ["*/" * depth + glob.escape(name) for depth in range(DEPTH)]
        for path in (path for root in roots for one in patterns for path in root.glob(one)):
            folder = path.parents[name.count("/")]
            if _hash(path) == sha256:
                return folder
            seen.append(folder)
    return seen[0] if len({*seen}) == 1 else None


def _find_inside(files: dict[str, str], inside: Inside) -> Any:  # noqa: ANN401 - in a zip
    """Return the folder in a submission whose record names those files."""
    return next((it for it, found in inside.items() if found.files.items() <= files.items()), None)


def _models_in(path: Path) -> Inside:
    """Return the folders of models in a submission, with their records."""
    with suppress(OSError, zipfile.BadZipFile, ValueError):
        names = zipfile.ZipFile(path).namelist()
        places = [zipfile.Path(path, name) for name in names if name.endswith(f"/{RECORD}")]
        read = {zipfile.Path(path, one.at.removesuffix(RECORD)): _read(one)[0] for one in places}
        return {place: found for place, found in read.items() if found}
    return {}


def _list_of(one: Input, roots: list[Path]) -> tuple[Listed, list[Part]]:
    """Return the private list of a cohort's exams, or that which cohort.json gives."""
    listed: Listed = {}
    damaged: list[Part] = []
    try:
        listed = read_sealed(data_folder() / "exams" / f"{one.exam_list}.json")
    except ValueError:
        damaged.append(Part("list of exams", one.exam_list, CHANGED))
    except OSError:
        place = _find(one.files, roots)
        with suppress(OSError, ValueError, LookupError, AttributeError, TypeError):
            hashes = json.loads((place / "cohort.json").read_bytes())["sha256"].items()  # type: ignore[operator]
            names = {Path(name).name: its for name, its in hashes if name.startswith("niftis/")}
            listed = {name.removesuffix(".nii.gz"): {"path": f"niftis/{name}", "sha256": its}
                      for name, its in names.items()}  # fmt: skip
    return listed if exam_marks(listed)[0] == one.exam_list else {}, damaged


def _check_exams(one: Input, listed: Listed, place: Any) -> Iterator[Part]:  # noqa: ANN401 - zip
    """Yield every exam: by its uid and hashed where its list is here, else by its mark alone."""
    uids = {mark: uid for uid, mark in exam_marks(listed)[1].items()} if listed else {}
    for mark, reader in one.exams:
        uid = uids.get(mark, "")
        state = MISSING if uid else UNKNOWN
        if uid and place and (path := place / listed[uid]["path"]).exists():
            state = SOUND if sha256_scan(path) == listed[uid]["sha256"] else CHANGED
        yield Part(uid or "an exam", mark, state, reader)
