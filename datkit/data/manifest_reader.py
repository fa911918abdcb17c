"""Reading `data_manifest.yaml` strictly: every problem is found at once and told in words."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from datkit.data.manifest import Manifest
from datkit.errors import ManifestError, UsageError

__all__ = ["FILE_NAME", "load_manifest"]

FILE_NAME = "data_manifest.yaml"
MAX_BYTES = 2**20  # thirty times the shipped one; a manifest is written by hand
MAX_DEPTH = 20  # three times the shipped one; Python gives up at some hundreds, in its own words


def load_manifest(path: str | os.PathLike[str] | None = None) -> Manifest:
    """Read and check a manifest, by default the one that comes with the kit.

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
    path = Path(path) if path is not None else _shipped_manifest()
    raw = _read_yaml(path)
    problems = _repeated_names(raw)
    try:
        manifest = Manifest.model_validate(raw)
    except ValidationError as error:
        problems += [_sentence(detail, raw) for detail in error.errors(include_url=False)]
    if problems:
        raise ManifestError.of(problems, where=path)
    return manifest


def _shipped_manifest() -> Path:
    """In an installed wheel it lies inside the package, in a checkout at the repository's root."""
    package = Path(__file__).parent.parent
    installed = package / FILE_NAME
    return installed if installed.is_file() else package.parent / FILE_NAME


class _PlainLoader(yaml.SafeLoader):
    """YAML as a person reads it: no tags, no aliases (they explode), no abyss, no key twice."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        line = self.peek_event().start_mark.line + 1
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"an alias in line {line}; write the value out")
        if self.depth == MAX_DEPTH:
            raise yaml.YAMLError(f"values in values, more than {MAX_DEPTH} deep, in line {line}")
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [key.value for key, _ in node.value if isinstance(key.value, Hashable)]
        if repeated := [key for key, count in Counter(keys).items() if count > 1]:
            line = node.start_mark.line + 1
            raise yaml.YAMLError(f"the key {repeated[0]!r} twice in the block at line {line}")
        return super().construct_mapping(node, deep)


def _read_yaml(path: Path) -> Any:
    try:
        content = path.read_bytes()
        if len(content) > MAX_BYTES:
            raise ValueError(f"{len(content)} bytes, more than {MAX_BYTES}")
        return yaml.load(content.decode("utf-8"), Loader=_PlainLoader)
    except OSError as error:
        raise UsageError(
            f"Expected a data manifest at {path}, found {error.strerror}; check the path."
        ) from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: no UTF-8, or the 13th month
        reason = " ".join(str(error).split())
        raise ManifestError(
            f"{path}: expected plain YAML in UTF-8, found an error: {reason}."
        ) from error


def _repeated_names(raw: Any) -> list[str]:
    """Find names used twice, in the raw file, so that no other problem hides them."""
    datasets = _mappings(raw, "datasets")
    problems = [f"datasets: the name {name!r} is used twice." for name in _repeated(datasets)]
    for dataset in datasets:
        problems += [
            f"{dataset.get('name')}: the file name {name!r} is used twice."
            for name in _repeated(_mappings(dataset, "files"))
        ]
    return problems


def _mappings(raw: Any, key: str) -> list[dict]:
    items = raw.get(key) if isinstance(raw, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _repeated(items: list[dict]) -> list[str]:
    counts = Counter(item["name"] for item in items if isinstance(item.get("name"), str))
    return [name for name, count in counts.items() if count > 1]


# pydantic's words for programmers, in the words of somebody who edits a YAML file
_EXPECTED = {
    "date_from_datetime_parsing": "expected a date such as 2026-11-25",
    "date_type": "expected a date such as 2026-11-25",
    "greater_than": "expected a number above {gt}",
    "int_type": "expected a whole number",
    "literal_error": "expected {expected}",
    "missing": "expected a value",
    "model_type": "expected keys and values",
    "string_type": "expected text, in quotes if it looks like a number",
    "tuple_type": "expected a list",
}


def _sentence(detail: ErrorDetails, raw: Any) -> str:
    """Turn one pydantic error into 'data set.key: expected …, found …'."""
    kind = detail["type"]
    where = [str(step) for step in detail["loc"]] or ["the file"]
    if len(where) > 1 and where[0] == "datasets":
        entry = raw["datasets"][int(where[1])]
        if isinstance(entry, dict):
            where[:2] = [str(entry.get("name", f"datasets.{where[1]}"))]
    place = ".".join(where)
    if kind == "extra_forbidden":
        return f"{place}: unknown key; remove it or correct its spelling."
    found = "none" if kind == "missing" else _shown(detail["input"])
    message = detail["msg"].removeprefix("Value error, ")
    if kind in _EXPECTED:
        message = _EXPECTED[kind].format(**detail.get("ctx", {}))
    return f"{place}: {message}, found {found}."


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # an integer of more digits than Python prints
        text = "a number of thousands of digits"
    return text if len(text) <= 80 else text[:79] + "…"
