"""Reading `data_manifest.yaml`, and other YAML like it: every problem at once, told in words."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from datkit.data.manifest import WORDS, Manifest, Model
from datkit.errors import DatkitError, ManifestError, UsageError
from datkit.problems import Problem, repeated

__all__ = ["FILE_NAME", "load_manifest", "read_checked"]

Kind = TypeVar("Kind", bound=Model)

FILE_NAME = "data_manifest.yaml"
MAX_BYTES = 2**20  # thirty times the shipped one; a manifest is written by hand
MAX_DEPTH = 20  # three times the shipped one's
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
    raw = _read_yaml(path, error, what)
    try:
        return model.model_validate(raw)
    except ValidationError as broken:
        # A list counts as too short for what is wrong in it as well, which is told by itself.
        details = [one for one in broken.errors() if one["type"] != "too_short" or not one["input"]]
        problems = [_problem(detail, raw) for detail in details]
        raise error.of(problems, where=path) from None


def _shipped_manifest() -> Path:
    """In an installed wheel it lies inside the package, in a checkout at the repository's root."""
    package = Path(__file__).parent.parent
    installed = package / FILE_NAME
    return installed if installed.is_file() else package.parent / FILE_NAME


class _PlainLoader(yaml.SafeLoader):
    """YAML as a person reads it: no aliases (they explode), no key twice, few levels."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise yaml.YAMLError(f"more than {MAX_DEPTH} levels{self.peek_event().start_mark}")
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"an alias{self.peek_event().start_mark}; write the value out")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        if twice := repeated(str(key.value) for key, _ in node.value):
            raise yaml.YAMLError(f"the key {twice[0]} twice in the block{node.start_mark}")
        return super().construct_mapping(node, deep)


def _read_yaml(path: Path, error: type[DatkitError], what: str) -> object:
    try:
        content = path.read_bytes()
        if len(content) > MAX_BYTES:
            raise ValueError(f"{len(content)} bytes, more than {MAX_BYTES}")
        return yaml.load(content.decode("utf-8"), Loader=_PlainLoader)
    except OSError as fault:
        raise UsageError(
            f"Expected {what} at {path}, found {fault.strerror}; check the path."
        ) from fault
    except (yaml.YAMLError, ValueError) as fault:  # ValueError: no UTF-8, or the 13th month
        reason = " ".join(str(fault).split())
        raise error(f"{path}: expected plain YAML in UTF-8, found an error: {reason}.") from fault


def _problem(detail: ErrorDetails, raw: object) -> Problem:
    """Turn one pydantic error into a problem; what has a name in a list is told by it."""
    where, kind = [str(step) for step in detail["loc"] if step != "[key]"], detail["type"]
    if len(where) > 1 and isinstance(entries := raw[where[0]], list):  # type: ignore[index]
        entry = entries[int(where[1])]  # pydantic has been there
        if isinstance(entry, dict) and "name" in entry:
            where[:2] = [str(entry["name"])]
    expected = detail["msg"].removeprefix("Input should be ").removeprefix("Value error, expected ")
    expected = WORDS.get(detail.get("ctx", {}).get("pattern", ""), _EXPECTED.get(kind, expected))
    found = "none" if kind == "missing" else _shown(detail["input"])
    code, place = kind.replace("_", "-"), ".".join(where) or "the file"
    return Problem(code, place, expected, found, "Correct it.")


def _shown(value: object) -> str:
    try:
        return f"{value!r:.80}"
    except ValueError:  # an integer of more digits than Python prints
        return "a number of thousands of digits"
