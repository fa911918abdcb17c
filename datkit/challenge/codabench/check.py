"""Every problem of a Codabench bundle at once, where Codabench itself stops at the first.

An entry of ``rules.toml`` says of each fault what is wrong, what was expected and what to do; those
of ``fields.toml``, what each field holds. A walk looks at one part of a competition, and yields a
problem for each that it meets. The rules are those of codalab/codabench's code:
``src/apps/competitions/unpackers/{v2,base_unpacker}.py``, the serializers and models behind them,
and ``compute_worker/compute_worker.py``. Where its documentation says otherwise, the remedy tells.
"""

from __future__ import annotations

import os
import re
import reprlib
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from difflib import get_close_matches
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

from datkit.challenge.codabench.bundle import Bundle, Competition, as_moment, head
from datkit.data.manifest_reader import load_plain
from datkit.problems import Problem, repeated
from datkit.rules import RuleGroup, finding

__all__ = ["check_bundle"]

NAME = "competition.yaml"
MOST = 1000  # problems that are listed: a file of hostile size may have millions
QUEUE_SECONDS = 600  # MAX_EXECUTION_TIME_LIMIT of the default queue, in competitions/tasks.py
IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8")
PROGRAMS = ("scoring_program", "ingestion_program")
OPEN_DATA = ("input_data", "public_data", "starting_kit")
UNZIPPED = ("reference_data", "input_data", "path")  # what workers unzip, beside programs
UUID = r"[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}"  # the key of an earlier upload
SOURCES, MOST_SOURCES = (".py", ".R", ".sh", ".json", ".yaml", ".toml", ".txt"), 100
FIELDS = tomllib.loads(Path(__file__).with_name("fields.toml").read_text(encoding="utf-8"))
TABLE = tomllib.loads(Path(__file__).with_name("rules.toml").read_text(encoding="utf-8"))
_GROUP: RuleGroup[Competition] = RuleGroup("A Codabench bundle")
for _code, _rule in TABLE.items():
    _GROUP.declare(_code, _rule["title"], _rule["remedy"], _rule.get("severity", "error"))
FLAG = r"(?i)'?(true|false|t|f|yes|no|y|n|on|off|0|1)'?"
KINDS: dict[str, tuple[str, Callable[[Any], object]]] = {
    "any": ("a value", lambda _: True),
    "email": ("an address", lambda value: isinstance(value, str) and "@" in value),
    "flag": ("true or false", lambda value: re.fullmatch(FLAG, said(value))),
    "list": ("a list with something in it", lambda value: isinstance(value, list) and value),
    "moment": ("a date, or a date and time", as_moment),
    "table": ("a mapping", lambda value: isinstance(value, dict)),
    "text": ("a text", lambda value: type(value) in (int, float, str) and said(value).strip("' ")),
    "uuid": ("a UUID", lambda value: isinstance(value, str) and re.fullmatch(UUID, value)),
    "whole": ("a whole number", lambda value: re.fullmatch(r"'?\d+'?", said(value))),
}


def check_bundle(path: str | os.PathLike[str]) -> list[Problem]:
    """Return every problem of a Codabench bundle, a thousand at most; nothing in it is run.

    Parameters
    ----------
    path : path
        A zip, or the folder that is to be zipped.

    Raises
    ------
    UsageError
        If there is neither.
    """
    with Bundle(path) as bundle:
        if bundle.problems and not any(bundle.root.iterdir()):
            return bundle.problems  # it cannot be read
        problems = [*islice(_faults(bundle), MOST)]
        return [*bundle.problems, *problems]


def _faults(bundle: Bundle) -> Iterator[Problem]:
    if not (bundle.root / NAME).is_file():
        paths = [one.relative_to(bundle.root).as_posix() for one in bundle.root.rglob("*")]
        others = sorted(said(one) for one in paths if re.search(r"competition\.ya?ml$", one, re.I))
        yield _fault("yaml-missing", "the bundle", f"only {others[0]}" if others else "none")
        return
    try:
        data, again = load_plain(head(bundle.root / NAME) or b"")
    except ValueError as error:
        yield _fault("yaml-unreadable", NAME, error)
        return
    for key in again:
        yield _fault("yaml-repeated-key", NAME, key)
    if not isinstance(data, dict):
        yield _fault("yaml-unreadable", NAME, said(data))
        return
    version = said(data.get("version", "none")).strip("'")
    old = "tasks" not in data and version in ("none", "1", "1.5")
    if version != "2":
        kind = "15" if old else "missing" if version == "none" else "unknown"
        yield _fault(f"version-{kind}", NAME, version)
    for walk in () if old else WALKS:
        yield from walk(Competition(data, bundle))


def _fault(code: str, where: str, found: object, expected: str = "", remedy: str = "") -> Problem:
    """Return what a walk meets; what is expected, and the remedy, unless the table says it."""
    return finding(code, where, expected or TABLE[code]["expected"], str(found), remedy)


def said(value: object) -> str:
    """Write a value in few words, however large or deep it is.

    Examples
    --------
    >>> said([[[[[[[[1]]]]]]]])
    '[[[[[[[...]]]]]]]'
    """
    return reprlib.repr(value)[:100]


def _walk_fields(competition: Competition) -> Iterator[Problem]:
    """Meet the faults of fields, one by one, and keys that nobody reads."""
    for part, specs in FIELDS.items():
        for where, one in competition.places(*part.split(".") if part else ()):
            for key, spec in specs.items():
                yield from _field_faults(where, one, key, spec)
            for key in map(str, one.keys() - specs):
                near = get_close_matches(key, specs, 1)
                wants = f"the key {near[0]!r}" if near else "a key that Codabench reads"
                yield _fault("key-unknown", where or NAME, said(key), wants)


def _field_faults(
    where: str, one: dict[str, Any], key: str, spec: dict[str, Any]
) -> Iterator[Problem]:
    value, (wants, fits) = one.get(key), KINDS[spec["kind"]]
    place = f"{where}.{key}".lstrip(".")
    if key not in one:
        if "need" in spec and spec.get("unless") not in one:
            yield _fault("field-missing", where or NAME, "none", f"the field {key!r}", spec["need"])
    elif not (fits(value) or (value is None and "null" in spec)):
        yield _fault("field-type", place, said(value), wants)
    elif isinstance(value, str) and len(value) > spec.get("most", len(value)):
        yield _fault("field-long", place, len(value), f"at most {spec['most']} characters")
    elif "among" in spec and value not in (*spec["among"], None):
        yield _fault("field-choice", place, said(value), " or ".join(spec["among"]))
    for item in value if isinstance(value, list) and key in FIELDS and not where else ():
        if not isinstance(item, dict):
            yield _fault("item-type", place, said(item))


def _walk_texts(competition: Competition) -> Iterator[Problem]:
    """Meet the faults of pages, terms and logo."""
    named = [(f"{where}.file", page.get("file")) for where, page in competition.places("pages")]
    named += [(key, competition.data.get(key)) for key in ("terms", "image")]
    for where, name in ((where, name) for where, name in named if isinstance(name, str)):
        content = head(competition.bundle.find(name))
        if content is None:
            yield _fault("file-missing", where, said(name))
        elif where == "image":
            if not content.startswith(IMAGES):
                yield _fault("image-format", where, said(content[:8]))
        elif not content.strip():
            yield _fault("text-empty", where, "nothing")
        elif content.decode(errors="ignore").encode() != content:
            yield _fault("text-encoding", where, "bytes that are none of it")


def _walk_data(competition: Competition) -> Iterator[Problem]:
    """Meet the faults of paths to data and programs."""
    find = competition.bundle.find
    shown = {find(value) for _, value in competition.paths(*OPEN_DATA)} - {None}
    for where, value in competition.paths(*PROGRAMS, *OPEN_DATA, "reference_data", "path"):
        path, key = find(value), where.rpartition(".")[2]
        if path is None:
            yield _fault(
                "data-by-key" if re.fullmatch(UUID, value) else "data-missing", where, said(value)
            )
        elif key in UNZIPPED and path.is_file() and not zipfile.is_zipfile(path):
            yield _fault("data-unzipped", where, said(value))
        elif key == "reference_data" and not shown.isdisjoint((path, *path.parents)):
            yield _fault("reference-visible", where, f"{said(value)}, which is given out too")


def _walk_programs(competition: Competition) -> Iterator[Problem]:
    """Meet the faults of scoring and ingestion programs."""
    bundle, named = competition.bundle, competition.paths(*PROGRAMS)
    for path, where in {bundle.find(value): where for where, value in named}.items():
        if path is None:
            continue  # another walk's
        folder = bundle.open_part(path)
        if path.is_file() and not any(folder.iterdir()):
            continue  # a zip that cannot be read, which is told
        command = _command(folder)
        if command is None:
            nested = sorted(said(one.parent.name) for one in folder.glob("*/metadata*"))
            yield _fault("program-no-metadata", where, f"one in {nested[0]}" if nested else "none")
        elif not command:
            yield _fault("program-no-command", where, "none that can be read")
        for word in re.split(r"[\s'\"]+", command or ""):
            name = re.match(r"(?:(?:/app/|\$)(?:ingestion_)?program/)?(.+\.(?:py|sh|R))\b", word)
            # Path.is_file raises an error where a name is too long
            if name and name[1][0] not in "/$" and not os.path.isfile(folder / name[1]):  # noqa: PTH113
                yield _fault("command-file", where, said(name[0]))


def _walk_scores(competition: Competition) -> Iterator[Problem]:
    """Meet the columns whose key no scoring program names."""
    bundle, named = competition.bundle, competition.paths("scoring_program")
    paths = sorted({path for _, value in named if (path := bundle.find(value))})
    files = (one for path in paths for one in sorted(bundle.open_part(path).rglob("*")))
    sources = islice((one for one in files if one.suffix in SOURCES), MOST_SOURCES)
    text = b"".join(head(one) or b"" for one in sources)
    for where, column in competition.places("leaderboards", "columns") if text else ():
        key = str(column.get("key"))
        if not column.get("computation") and key.rstrip("0123456789").encode() not in text:
            yield _fault("column-not-written", where, f"no {said(key)}")


def _walk_tasks(competition: Competition) -> Iterator[Problem]:
    """Meet the faults of indexes by which tasks, solutions and phases hang together."""
    for part in ("task", "solution", "phase"):
        for index in _again(competition.places(f"{part}s"), "index"):
            yield _fault(f"{part}-index-repeated", f"{part}s", index)
    known = {said(task["index"]) for _, task in competition.places("tasks") if "index" in task}
    for where, one in (*competition.places("phases"), *competition.places("solutions")):
        named = one.get("tasks")
        for index in map(said, named if isinstance(named, list) else ()):
            if index not in known:
                yield _fault("task-unknown", where, index)
    for where, task in competition.places("tasks"):
        if task.get("ingestion_only_during_scoring") and "ingestion_program" not in task:
            yield _fault("ingestion-absent", where, "none")


def _walk_phases(competition: Competition) -> Iterator[Problem]:
    """Meet the faults of phases in their order, and of their dates and limits."""
    phases = sorted(competition.places("phases"), key=_index)
    for (_, before), (where, after) in pairwise(phases):
        end, start = as_moment(before.get("end")), as_moment(after.get("start"))
        if not before.get("end"):
            yield _fault("phase-no-end", where, "none")
        elif end and start and start < end:
            yield _fault("phase-order", where, f"{start}, and its end {end}")
        elif end and start == end:
            yield _fault("phase-touches", where, f"{start} for both")
        elif end and start and start.date() == end.date():
            yield _fault("phase-same-day", where, f"{end} and {start}")
    for where, phase in phases[:1]:
        if phase.get("auto_migrate_to_this_phase"):
            yield _fault("phase-migrates", where, "one")


def _walk_limits(competition: Competition) -> Iterator[Problem]:
    """Meet the faults of the dates and limits of single phases."""
    for where, phase in competition.places("phases"):
        start, end = (as_moment(phase.get(key)) for key in ("start", "end"))
        if start and end and end <= start:
            yield _fault("phase-reversed", where, f"{end}")
        for key in ("start", "end"):
            if re.search(r":\d\d(\.\d+)? ?(Z|[+-]\d\d)", str(phase.get(key))):
                yield _fault("phase-zone", f"{where}.{key}", said(str(phase[key])))
        limit, queue = phase.get("execution_time_limit"), competition.data.get("queue")
        if isinstance(limit, int) and limit > QUEUE_SECONDS and not queue:
            yield _fault("phase-time-limit", where, said(limit))
        for key in ("max_submissions", "max_submissions_per_day"):
            if phase.get(key) == 0:
                yield _fault("limit-zero", f"{where}.{key}", "0")


def _walk_boards(competition: Competition) -> Iterator[Problem]:
    """Meet the faults of leaderboards and their columns."""
    if "leaderboard" in competition.data:
        yield _fault("leaderboard-key", "competition.yaml", "leaderboard")
    boards = competition.places("leaderboards")
    if len(boards) > 1:
        yield _fault("leaderboards-more", "leaderboards", len(boards))
    for where, board in boards:
        columns = competition.places("columns", start=(where, board))
        indexes = [said(column["index"]) for _, column in columns if "index" in column]
        for key in ("index", "key"):
            for value in _again(columns, key):
                yield _fault(f"column-{key}-repeated", where, value)
        if indexes and said(board.get("primary_index", 0)) not in indexes:
            yield _fault("column-no-primary", where, ", ".join(indexes[:9]))
        for place, column in columns:
            yield from _computation(place, column, {*indexes} - {said(column.get("index"))})


def _computation(where: str, column: dict[str, Any], others: set[str]) -> Iterator[Problem]:
    named = column.get("computation_indexes")
    if bool(column.get("computation")) != bool(named):
        yield _fault("computation-half", where, "one alone")
    for one in map(said, named if isinstance(named, list) else ()):
        if one.strip("'") not in others:
            yield _fault("computation-index", where, one)


def _command(folder: Path) -> str | None:
    """Return how a program is run; '' if its metadata do not say, None if it has none."""
    for path in filter(Path.is_file, (folder / "metadata.yaml", folder / "metadata")):
        with suppress(ValueError):
            metadata, _ = load_plain(head(path) or b"")
            return str(metadata.get("command") or "") if isinstance(metadata, dict) else ""
        return ""
    return None


def _index(phase: tuple[str, dict[str, Any]]) -> float:
    index = phase[1].get("index", 0)
    return index if isinstance(index, int | float) else 0


def _again(places: list[tuple[str, dict[str, Any]]], key: str) -> list[str]:
    return repeated(said(one[key]).strip("'") for _, one in places if key in one)


WALKS = (_walk_fields, _walk_texts, _walk_data, _walk_programs, _walk_scores, _walk_tasks,
         _walk_phases, _walk_limits, _walk_boards)  # fmt: skip
