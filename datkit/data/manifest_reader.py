"""Reading `data_manifest.yaml`, and other YAML like it: every problem at once, told in words."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from datkit.data.manifest import WORDS, Manifest, Model
from datkit.errors import DatkitError, ManifestError, UsageError
from datkit.problems import Problem, repeated

__all__ = ["FILE_NAME", "load_manifest", "load_plain", "problem_of", "read_checked"]

Kind = TypeVar("Kind", bound=Model)

FILE_NAME = "data_manifest.yaml"
MAX_BYTES = 2**20  # thirty times the shipped one; a manifest is written by hand
MAX_DEPTH = 20  # three times the shipped one's
MAX_DIGITS = 30  # what is told fits a line, and 1:1:1:…, to base 60, is read in no time
_EXPECTED = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))


def load_manifest(path: str | os.PathLike[str] | None = None) -> Manifest:
    """Read and check a manifest, by default ``$DATKIT_MANIFEST``, else the one of the kit.

    Raises
    ------
    UsageError
        If there is no such file.
    ManifestError
        If it is no plain YAML or breaks a rule; every problem is listed.

    Examples
    --------
    >>> list(load_manifest().entries)[:2]
    ['simulated', 'fpcit-hc174']
    """
    path = Path(path or os.environ.get("DATKIT_MANIFEST") or _shipped_manifest())
    return read_checked(path, Manifest, ManifestError, "a data manifest")


def read_checked(path: Path, model: type[Kind], error: type[DatkitError], what: str) -> Kind:
    """Read a YAML file that people write, and check it against a model.

    Parameters
    ----------
    path : Path
    model : class
        What the file must say, a :class:`datkit.data.manifest.Model`.
    error : class
        What is raised.
    what : str
        What the file is, for messages, such as ``"a data manifest"``.

    Raises
    ------
    UsageError
        If there is no such file.
    DatkitError
        As `error`, if it is no plain YAML or breaks a rule; every problem is listed.
    """
    try:
        raw, twice = load_plain(path.read_bytes())
        if twice:
            raise ValueError(f"the key {twice[0]}")
        return model.model_validate(raw)
    except ValidationError as broken:
        # A list counts as too short for what is wrong in it as well, which is told by itself.
        details = [one for one in broken.errors() if one["type"] != "too_short" or not one["input"]]
        problems = [problem_of(detail, raw) for detail in details]
        raise error.of(problems, where=path) from None
    except OSError as fault:
        found = f"Expected {what} at {path}, found {fault.strerror}"
        raise UsageError(f"{found}; check the path.") from fault
    except ValueError as fault:
        raise error(f"{path}: expected plain YAML in UTF-8, found an error: {fault}.") from fault


def _shipped_manifest() -> Path:
    """In an installed wheel it lies inside the package, in a checkout at the repository's root."""
    package = Path(__file__).parent.parent
    installed = package / FILE_NAME
    return installed if installed.is_file() else package.parent / FILE_NAME


def load_plain(content: bytes) -> tuple[Any, tuple[str, ...]]:
    r"""Return what plain YAML holds, and which keys stand twice in a block, told in words.

    Raises
    ------
    ValueError
        If it is no plain YAML, with the reason on one line.

    Examples
    --------
    >>> load_plain(b"a: 1\na: 2")
    ({'a': 2}, ("'a' twice in the block of line 1",))
    """
    try:
        if len(content) > MAX_BYTES:
            raise ValueError(f"{len(content)} bytes, more than {MAX_BYTES}")
        loader = _PlainLoader(content.decode("utf-8-sig"))
        return loader.get_single_data(), loader.twice
    except (ValueError, yaml.YAMLError) as fault:
        mark = getattr(fault, "problem_mark", None)
        at = f" in line {mark.line + 1}" if mark else ""
        reason = " ".join(str(getattr(fault, "problem", None) or fault).split())
        raise ValueError(f"{reason[:200]}{at}") from fault


class _PlainLoader(yaml.SafeLoader):
    """YAML as a person reads it: no aliases (they explode), few levels, no endless numbers."""

    depth = 0
    twice: tuple[str, ...] = ()

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.depth += 1
        event = self.peek_event()
        alias = isinstance(event, yaml.AliasEvent)
        if alias or self.depth > MAX_DEPTH:
            fault = "an alias, to be written out," if alias else f"more than {MAX_DEPTH} levels"
            raise yaml.MarkedYAMLError(None, None, fault, event.start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: ANN401
        """Tell what PyYAML's own readers of scalars stumble over, and what they take hours for."""
        try:
            if isinstance(node, yaml.ScalarNode):
                node.value.encode()  # no halves of characters
                if node.tag.endswith((":int", ":float")) and len(node.value) > MAX_DIGITS:
                    raise ValueError
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError) as fault:
            kind = node.tag.rpartition(":")[2]
            text = f"{node.value!r:.80}, which cannot be read as {kind},"
            raise yaml.MarkedYAMLError(None, None, text, node.start_mark) from fault

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        block = f"twice in the block of line {node.start_mark.line + 1}"
        twice = repeated(str(key.value) for key, _ in node.value)
        self.twice = (*self.twice, *(f"{key:.80} {block}" for key in twice))
        return super().construct_mapping(node, deep)


def problem_of(detail: ErrorDetails, raw: Any, words: Mapping[str, str] = _EXPECTED) -> Problem:  # noqa: ANN401
    """Turn one pydantic error into a problem; what has a name in a list is told by it.

    Parameters
    ----------
    detail : dict
        Of :meth:`pydantic.ValidationError.errors`.
    raw : object
        What was checked: a list, or a mapping of lists and others.
    words : mapping
        What each kind of error expects, where pydantic's own words are for programmers.
    """
    where, kind = [str(step) for step in detail["loc"] if step != "[key]"], detail["type"]
    at = 1 - isinstance(raw, list)  # where on the way a list's item may be
    if len(where) > at and isinstance(entries := raw[where[0]] if at else raw, list):
        entry = entries[int(where[at])]  # pydantic has been there
        name = entry.get("name") if isinstance(entry, dict) else None
        if name or not at:
            where[: at + 1] = [str(name or f"row {int(where[0]) + 1}")]
    told, context = detail["msg"].removeprefix("Input should be "), detail.get("ctx", {})
    told = re.split(", (?:unable|got) ", told.removeprefix("Value error, expected "))[0]
    told = WORDS.get(context.get("pattern", ""), words.get(kind, told))
    expected, _, found = told.partition(", found ")  # a rule of the kit tells it in its own words
    other = {"missing": "none", "extra_forbidden": f"the key {where[-1]!r}" if where else ""}
    found = found or context.get("found") or other.get(kind) or f"{detail['input']!r:.80}"
    code, place = kind.replace("_", "-"), ".".join(where) or words.get("root", "the file")
    return Problem(code, place, expected, found, "Correct it.")
