"""`data_manifest.yaml`, read strictly: what each data set is, who owns it and which bytes it has.

An address that is not pinned to a hash, or a data set without a licence, cannot be written down
here: the models below refuse it, and name every problem of the file at once.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails

from datkit.errors import ManifestError, UsageError

__all__ = [
    "Citation",
    "Entry",
    "File",
    "Licence",
    "Manifest",
    "is_safe_address",
    "load_manifest",
]

FILE_NAME = "data_manifest.yaml"


def is_safe_address(url: str) -> bool:
    """Tell whether data may come from `url`: over https, or plain http from this machine.

    Examples
    --------
    >>> is_safe_address("https://example.org/map.nii"), is_safe_address("http://127.0.0.1:8000/")
    (True, True)
    >>> is_safe_address("http://example.org/map.nii"), is_safe_address("ftp://example.org/map.nii")
    (False, False)
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(host)
    return parts.scheme == "http" and _is_this_machine(host)


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _must_match(pattern: str, expected: str) -> AfterValidator:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"expected {expected}")
        return text

    return AfterValidator(check)


def _address(url: str) -> str:
    if not is_safe_address(url):
        raise ValueError("expected an https:// address")
    return url


def _not_empty(items: tuple) -> tuple:
    if not items:
        raise ValueError("expected at least one")
    return items


Text = Annotated[str, _must_match(r"(?s).*\S.*", "some text")]
Address = Annotated[str, AfterValidator(_address)]
# Names become folders and files on every system, so separators, a leading dot and colons are out.
Name = Annotated[str, _must_match(r"[a-z0-9]+(-[a-z0-9]+)*", "lower-case words joined by '-'")]
FileName = Annotated[
    str,
    _must_match(
        r"[A-Za-z0-9_][A-Za-z0-9._-]*", "a plain file name of letters, digits, '.', '_' and '-'"
    ),
]
Sha256 = Annotated[str, _must_match(r"[0-9a-f]{64}", "64 lower-case hexadecimal digits in quotes")]
# A list in YAML, a tuple in memory: strict mode alone would refuse the list.
Many = Field(strict=False)
AtLeastOne = AfterValidator(_not_empty)
Doi = Annotated[str, _must_match(r"10\.\d{4,9}/\S+", "a DOI such as 10.1038/s41598-018-22444-0")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Licence(_Model):
    """A licence: its full name, its SPDX identifier where there is one, and where to read it."""

    name: Text
    spdx: Text | None
    url: Address


class Citation(_Model):
    """A paper to cite: the reference as printed, and its DOI without ``https://doi.org/``."""

    text: Text
    doi: Doi


class File(_Model):
    """One file: its name on disk, where to fetch it (tried in order), its sha256 and its bytes."""

    name: FileName
    urls: Annotated[tuple[Address, ...], Many, AtLeastOne]
    sha256: Sha256
    size: Annotated[int, Field(gt=0)]


class Entry(_Model):
    """One data set.

    Attributes
    ----------
    name, title, summary : str
        The name used on the command line, a heading, and what it is in a sentence or two.
    modality, tracer : str
        As printed, such as ``"SPECT"`` and ``"[123I]FP-CIT"``.
    n : int or None
        The number of people behind it; None where you choose.
    access : str
        ``"built-in"`` (made by the kit, no files) or ``"open"`` (anybody may download it).
    licence : Licence
    uses : tuple of str
        What it may and may not be used for, in plain words.
    citations : tuple of Citation
    files : tuple of File
    traps : tuple of str
        What surprises people who load it.
    checked : str
        How the facts of this entry were verified.
    """

    name: Name
    title: Text
    summary: Text
    modality: Text
    tracer: Text
    n: Annotated[int, Field(gt=0)] | None
    access: Literal["built-in", "open"]
    licence: Licence
    uses: Annotated[tuple[Text, ...], Many, AtLeastOne]
    citations: Annotated[tuple[Citation, ...], Many]
    files: Annotated[tuple[File, ...], Many]
    traps: Annotated[tuple[Text, ...], Many]
    checked: Text

    @field_validator("files")
    @classmethod
    def _files_fit_access(cls, files: tuple[File, ...], info: ValidationInfo) -> tuple[File, ...]:
        access = info.data.get("access")
        if access == "built-in" and files:
            raise ValueError("expected no files, since the access is 'built-in'")
        if access == "open" and not files:
            raise ValueError("expected at least one file, since the access is 'open'")
        return files

    @property
    def size(self) -> int:
        """Bytes to download, all files together."""
        return sum(file.size for file in self.files)

    def terms(self) -> tuple[str, ...]:
        """Return licence, allowed uses and papers to cite, one printable line each."""
        licence = self.licence
        label = f" ({licence.spdx})" if licence.spdx else ""
        return (
            f"{self.title}",
            f"Licence: {licence.name}{label}, {licence.url}",
            *(f"Use: {use}" for use in self.uses),
            *(f"Cite: {paper.text} https://doi.org/{paper.doi}" for paper in self.citations),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as plain data, ready for JSON."""
        return self.model_dump(mode="json")


class Manifest(_Model):
    """The whole file: its version and its data sets, in the order in which they are listed."""

    version: Literal[1]
    datasets: Annotated[tuple[Entry, ...], Many, AtLeastOne]

    @property
    def entries(self) -> dict[str, Entry]:
        """The data sets by name."""
        return {entry.name: entry for entry in self.datasets}

    def entry(self, name: str) -> Entry:
        """Return one data set.

        Raises
        ------
        UsageError
            If the manifest has no data set of that name.

        Examples
        --------
        >>> load_manifest().entry("fpcit-hc174").licence.spdx
        'CC-BY-NC-SA-4.0'
        """
        if name in self.entries:
            return self.entries[name]
        close = difflib.get_close_matches(name, self.entries, n=1)
        hint = f"did you mean {close[0]!r}?" if close else "`datkit data list` describes them."
        raise UsageError(
            f"Expected one of the data sets {', '.join(self.entries)}, found {name!r}; {hint}"
        )


def load_manifest(path: str | os.PathLike[str] | None = None) -> Manifest:
    """Read and check a manifest, by default the one that comes with the kit.

    Raises
    ------
    UsageError
        If there is no such file.
    ManifestError
        If it is no YAML or breaks a rule; every problem is listed.

    Examples
    --------
    >>> list(load_manifest().entries)
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
    package = Path(__file__).parent
    installed = package / FILE_NAME
    return installed if installed.is_file() else package.parent / FILE_NAME


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"Expected a data manifest at {path}, found {error.strerror}; check the path."
        ) from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: no UTF-8, or the 13th month
        reason = " ".join(str(error).split())
        raise ManifestError(f"{path}: expected YAML in UTF-8, found an error: {reason}.") from error


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
    if len(where) > 1 and isinstance(raw["datasets"][int(where[1])], dict):
        where[:2] = [str(raw["datasets"][int(where[1])].get("name", f"datasets.{where[1]}"))]
    place = ".".join(where)
    if kind == "extra_forbidden":
        return f"{place}: unknown key; remove it or correct its spelling."
    found = "none" if kind == "missing" else repr(detail["input"])
    message = detail["msg"].removeprefix("Value error, ")
    if kind in _EXPECTED:
        message = _EXPECTED[kind].format(**detail.get("ctx", {}))
    return f"{place}: {message}, found {found if len(found) <= 80 else found[:79] + '…'}."
