"""What a product was made of: a sealed record beside it, of hashes and settings, and of no person.

A model's record is ``record.json`` in its folder, and travels with it into a submission; that of a
file is ``<file>.record.json``. What was made says by sha256 which files it is, and each input which
files that was; a cohort also its exams, with who read them.

No uid stands in a record, no folder's name and no sha256 of one exam: with that alone, whoever
holds an exam could ask of any published model whether this patient was in it. Exams have a *mark*:
HMAC-SHA256 of the file's sha256, whose key is made of those of all exams together. Whoever holds
the whole cohort can make the marks again and check them, whoever holds one patient's file cannot.
With all but one of the exams one can still try the last; of a single exam the mark hides nothing
from who has the file. The list that leads from marks to files stays in the data folder of the
machine that wrote it (``exams/``), and is never packed or published.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import platform
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from pydantic import TypeAdapter

from datkit import __version__
from datkit.data.cohort import Cohort
from datkit.errors import UsageError
from datkit.files import data_folder, read_sealed, sha256_file, write_sealed
from datkit.io.scan import sha256_scan

__all__ = ["RECORD", "Input", "Record", "exam_marks", "folder_files", "read_record", "record",
           "record_place", "texts_in"]  # fmt: skip

RECORD = "record.json"  #: the name of the record in a model's folder
TABLES = ("cohort.json", "train_labels.csv", "exams.csv", "truth.csv", "readings.csv",
          "participants.tsv")  # fmt: skip
PARTS = ("numpy", "scipy", "scikit-learn", "nibabel", "torch")
PACKAGE = Path(__file__).parents[1]
IDENTIFIER = re.compile(r"[\w.:/-]{1,64}", re.ASCII)  # an ORCID's address, no e-mail's
Listed = dict[str, dict[str, str]]  # uid: "path" in the cohort's folder, and "sha256"


@dataclass(frozen=True)
class Input:
    """What a product was made of.

    Attributes
    ----------
    kind : str
        ``"model"``, ``"prepared"`` or ``"cohort"``.
    files : dict
        The sha256 of each by its name in their folder; of a cohort the tables.
    exams : list of (mark, reader)
        Of a cohort, sorted: who gave the label of each exam.
    exam_list : str
        The name of the private list that leads from marks to files.
    """

    kind: str
    files: dict[str, str]
    exams: list[tuple[str, str]] = field(default_factory=list)
    exam_list: str = ""


@dataclass(frozen=True)
class Record:
    """What is known of how a product was made.

    Attributes
    ----------
    kind : str
        ``"model"``, ``"submission"``, ``"predictions"``, ``"report"`` or ``"benchmark"``.
    files : dict
        The sha256 of each file by its name in the folder; of a single file by no name.
    inputs : list of Input
    settings, versions, machine : dict
        What was chosen; of datkit, of its code (sha256) and of libraries; system, not its name.
    when : str
        UTC, to the second.
    who : str
        An id that its user gave as ``$DATKIT_WHO``, such as an ORCID; empty if none. Never a login.
    """

    kind: str
    files: dict[str, str]
    inputs: list[Input]
    settings: dict[str, Any]
    versions: dict[str, str]
    machine: dict[str, str]
    when: str
    who: str = ""


def record(
    product: str | os.PathLike[str],
    kind: str,
    *,
    inputs: Iterable[str | os.PathLike[str]] = (),
    cohort: Cohort | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Record:
    """Write the record of a product that is complete beside it, and return it.

    Parameters
    ----------
    product : path
        A file, or the folder of a model.
    kind : str
        See :class:`Record`.
    inputs : iterable of paths
        Folders of models and prepared exams that it was made of.
    cohort : Cohort, optional
        The exams that it was made of, and only those.
    settings : mapping, optional
        What was chosen, as JSON can hold it.

    Raises
    ------
    UsageError
        If a text is a path, which may name a person, or ``$DATKIT_WHO`` is no id.
    OSError
        If a file cannot be read or written.
    """
    product, who = Path(product), os.environ.get("DATKIT_WHO", "")
    if who and not IDENTIFIER.fullmatch(who):
        expected = "Expected an id in DATKIT_WHO, such as an ORCID's address"
        raise UsageError(f"{expected}, found {who!r}.")
    made_of = [Input(_kind_of(Path(one)), folder_files(Path(one))) for one in inputs]
    told = Record(
        kind=kind,
        files=folder_files(product, own=True) if product.is_dir() else {"": sha256_file(product)},
        inputs=made_of + ([_exams_of(cohort)] if cohort else []),
        settings=dict(settings or {}) | (cohort.reading if cohort else {}),
        versions={name: version(name) for name in PARTS} | {
            "datkit": __version__, "code": _code_hash()},
        machine={"system": platform.system(), "processor": platform.machine(),
                 "python": platform.python_version(), "cores": f"{os.cpu_count()}"},
        when=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        who=who,
    )  # fmt: skip
    for text in texts_in(told.settings):
        if PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute() or (
            f"{Path.home()}" in text or text.startswith("~")
        ):  # fmt: skip
            expected = "Expected settings without paths, which may name a person"
            raise UsageError(f"{expected}, found {text!r}; leave it out.")
    write_sealed(record_place(product), asdict(told))
    return told


def record_place(product: Path) -> Path:
    """Return where the record of a product lies.

    Examples
    --------
    >>> record_place(Path("submission.zip")).name
    'submission.zip.record.json'
    """
    return product / RECORD if product.is_dir() else product.with_name(f"{product.name}.{RECORD}")


def read_record(place: Any) -> Record:  # noqa: ANN401 - a Path, or one in a zip
    """Read a record as it was written.

    Raises
    ------
    OSError
        If there is none.
    ValueError
        If a byte of it was changed, or it names files outside their folder.
    """
    found = TypeAdapter(Record).validate_python(read_sealed(place))
    content = place.read_bytes()
    text = json.dumps(json.loads(content), indent=1, sort_keys=True, ensure_ascii=False)
    if content != f"{text}\n".encode():  # blanks: the seal is of what it says
        raise ValueError("its bytes are not as they were written")
    for name in [*found.files, *(name for one in found.inputs for name in one.files)]:
        if ":" in name or (name and {"..", ""} & {*re.split(r"[/\\]", name)}):
            raise ValueError(f"it names {name!r}, outside a folder")
    return found


def folder_files(folder: Path, *, own: bool = False) -> dict[str, str]:
    """Return the sha256 of each file in a folder by its name there; `own`: not of the record."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in files}
    kept = {name: path for name, path in names.items() if ".part-" not in name}
    return {name: sha256_file(path) for name, path in kept.items() if not (own and name == RECORD)}


def exam_marks(listed: Listed) -> tuple[str, dict[str, str]]:
    """Return the name of a list of exams, and the mark of each by its uid."""
    hashes = sorted(one["sha256"] for one in listed.values())
    key = hashlib.sha256("\n".join(["exams", *hashes]).encode()).digest()
    marks = {uid: hmac.new(key, one["sha256"].encode(), "sha256").hexdigest()
             for uid, one in listed.items()}  # fmt: skip
    return hashlib.sha256(key).hexdigest(), marks


def _exams_of(cohort: Cohort) -> Input:
    """Return the exams of a cohort as an input, and keep the private list of them."""
    listed = {}
    for uid, path in ((uid, cohort.path_of(uid)) for uid in cohort.uids):
        with suppress(OSError):  # what cannot be read, nothing was made of
            place = os.path.relpath(path, cohort.folder)
            listed[uid] = {"path": place, "sha256": sha256_scan(path)}
    name, marks = exam_marks(listed)
    write_sealed(data_folder() / "exams" / f"{name}.json", listed)
    tables = [path for path in (cohort.folder / one for one in TABLES) if path.is_file()]
    readers = _readers(cohort)
    exams = sorted((mark, readers.get(uid, "unknown")) for uid, mark in marks.items())
    return Input("cohort", {path.name: sha256_file(path) for path in tables}, exams, name)


def _readers(cohort: Cohort) -> dict[str, str]:
    """Return who gave the label of each exam, by id, as far as a table says so."""
    import pandas as pd

    if (table := cohort.folder / "readings.csv").is_file():  # of several, as `readers merge` writes
        readings = pd.read_csv(table, dtype=str)
        named = readings.groupby("uid")["reader"].agg(lambda its: "+".join(sorted({*its})))
    elif "reader" in cohort.exams:
        named = cohort.exams["reader"].astype(str)
    elif cohort.truth is not None and "centre" in cohort.exams:
        named = "simulated-reader-of-" + cohort.exams["centre"].astype(str)
    else:
        return {}
    sound = named[named.map(lambda one: all(map(IDENTIFIER.fullmatch, one.split("+"))))]
    return {str(uid): str(one) for uid, one in sound.items()}  # a name with blanks is a person's


@cache  # a command that makes many products writes as many records
def _code_hash() -> str:
    code = [sha256_file(path) for path in sorted(PACKAGE.rglob("*.py"))]
    return hashlib.sha256("".join(code).encode()).hexdigest()


def _kind_of(folder: Path) -> str:
    return "prepared" if (folder / "prepared.json").is_file() else "model"


def texts_in(value: object) -> Iterable[str]:
    """Yield every text in what JSON can hold: keys, values, items."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for pair in value.items() for one in pair for text in texts_in(one))
    elif isinstance(value, list | tuple):
        yield from (text for one in value for text in texts_in(one))
