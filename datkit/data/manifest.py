"""What an entry of the manifest must say, as pydantic models, and the JSON schema made of them.

A file that is not pinned to a hash, a data set without a licence, or one whose facts nobody checked
cannot be written down. What could not be verified is said in words, never filled in.

``python -m datkit.data.manifest > data_manifest.schema.json`` writes the schema, for editors and
for those who keep a manifest like it; a test compares the two. A schema cannot hold every rule:
what one key demands of another, and names used twice, only :func:`datkit.data.load_manifest` finds.
"""

from __future__ import annotations

import difflib
import json
import re
from datetime import date
from importlib.metadata import metadata
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo
from pydantic.fields import FieldInfo
from pydantic.functional_validators import AfterValidator, field_validator, model_validator

from datkit.errors import UsageError
from datkit.problems import list_some, repeated

__all__ = ["Avoided", "Checked", "Citation", "Entry", "File", "Licence", "Manifest", "Uses"]

Access = Literal["built-in", "open", "registration", "agreement", "planned"]
Loader = Literal["datkit.open_cohort", "datkit.load_scan", "datkit.data.load_folder"]


KIT = "datspectkit"  # its key in the bibliography
WORDS: dict[str, str] = {}  # what each pattern asks for, for messages


def like(pattern: str, words: str) -> FieldInfo:
    """Ask for text that matches a pattern, told in words in the messages and the schema."""
    WORDS[pattern] = words
    return Field(pattern=pattern, description=words)


# Over https, or plain http from this machine.
SAFE = r"^(https://[^/\s\[\]]+|http://(127\.0\.0\.1|\[::1\]|localhost)(:\d+)?)(/|$)"
Text = Annotated[str, like(r"\S", "some text")]
Address = Annotated[str, like(SAFE, "an https:// address")]
# Names become folders and files on every system, so separators, a leading dot and colons are out.
Name = Annotated[str, like("^[a-z0-9]+(-[a-z0-9]+)*$", "lower-case words joined by '-'")]
FileName = Annotated[str, like("^[A-Za-z0-9_][A-Za-z0-9._-]*$", "a plain file name")]
Sha256 = Annotated[str, like("^[0-9a-f]{64}$", "64 lower-case hexadecimal digits in quotes")]
Md5 = Annotated[str, like("^[0-9a-f]{32}$", "32 lower-case hexadecimal digits in quotes")]
Doi = Annotated[str, like(r"^10\.\d{4,9}/\S+$", "a DOI such as 10.1038/s41598-018-22444-0")]
BibKey = Annotated[str, like("^[A-Za-z][A-Za-z0-9_-]*$", "a BibTeX key such as dukart2018")]
# A list in YAML, a tuple in memory: strict mode alone would refuse the list.
Many, AtLeastOne = Field(strict=False), Field(strict=False, min_length=1)
Texts = Annotated[tuple[Text, ...], Many]


def repository() -> str:
    """Return the address of the kit's repository: pyproject.toml states it, pip keeps it."""
    return metadata("dat-spect-kit")["Project-URL"].partition(", ")[2]


def is_safe_address(url: str) -> bool:
    """Tell whether data may come from `url`: over https, or plain http from this machine.

    Examples
    --------
    >>> is_safe_address("https://example.org/map.nii"), is_safe_address("http://127.0.0.1:8000/")
    (True, True)
    >>> is_safe_address("http://example.org/map.nii"), is_safe_address("ftp://example.org/map.nii")
    (False, False)
    """
    return re.match(SAFE, url) is not None


_Named = TypeVar("_Named", bound=tuple[Any, ...])  # of names, or of things that have one


def distinct(named: _Named) -> _Named:
    """Refuse a name that is used twice.

    Raises
    ------
    ValueError
        With the names.
    """
    if twice := repeated(getattr(one, "name", one) for one in named):
        raise ValueError(f"expected each name once, found {list_some(twice)} twice")
    return named


class Model(BaseModel):
    """Keys and values of a file that people write: of exact types, no key that is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Licence(Model):
    """A licence or named terms: the full name, the SPDX identifier if there is one, the address."""

    name: Text
    spdx: Text | None
    url: Address


class Uses(Model):
    """What the terms allow, a sentence each: teaching, publishing, competing, commercial use."""

    teach: Text
    publish: Text
    compete: Text
    commercial: Text


class Citation(Model):
    """What to cite: its BibTeX key in the book's bibliography, the reference as printed, its place.

    `doi` is written without ``https://doi.org/``; what has none has an address in `url`. The kit
    itself needs neither.
    """

    key: BibKey
    text: Text
    doi: Doi | None = None
    url: Address | None = None

    @model_validator(mode="after")
    def _can_be_found(self) -> Citation:
        if self.doi is None and self.url is None and self.key != KIT:
            raise ValueError("expected a doi, or a url where there is none")
        return self

    @property
    def link(self) -> str:
        """An address that leads to it."""
        return f"https://doi.org/{self.doi}" if self.doi else self.url or repository()


class Checked(Model):
    """When and how the facts were verified, and which of them could not be."""

    date: Annotated[date, Field(strict=False)]
    how: Text
    not_verified: Texts


class File(Model):
    """One file: its name on disk, its addresses (tried in order), its hash and its bytes.

    `md5` stands where no sha256 is published, and `size` is null where nobody tells it; `why` then
    says so.
    """

    name: FileName
    urls: Annotated[tuple[Address, ...], AtLeastOne]
    sha256: Sha256 | None
    md5: Md5 | None = None
    size: Annotated[int, Field(gt=0)] | None
    why: Text | None = None

    @model_validator(mode="after")
    def _explains_its_gaps(self) -> File:
        if self.sha256 is None and self.md5 is None:
            raise ValueError("expected a sha256, or an md5 where only that is published")
        if (self.sha256 is None or self.size is None) != (self.why is not None):
            raise ValueError("expected a reason in 'why' if sha256 or size is null, and only then")
        return self

    @property
    def digest(self) -> tuple[str, str]:
        """The name of the hash that the bytes must have, and its digits."""
        return ("sha256", self.sha256) if self.sha256 else ("md5", str(self.md5))


class Avoided(Model):
    """A data set that others offer and that the kit stays away from."""

    name: Text
    where: Text
    reason: Text


class Entry(Model):
    """One data set.

    Attributes
    ----------
    name, title, summary : str
        The name used on the command line, a heading, and what it is in a sentence or two.
    modality, tracer : str
        As printed, such as ``"SPECT"`` and ``"[123I]FP-CIT"``.
    n : int or None
        The number of people behind it; None where you choose, or where nobody tells.
    subjects, format, space, resolution, orientation : str
        Who they are; file format; coordinate space; voxel size and sharpness; axes as stored.
    access : str
        ``"built-in"`` (made by the kit), ``"open"`` (anybody may download it), ``"registration"``,
        ``"agreement"`` (you obtain it, the kit opens it) or ``"planned"`` (not there yet).
    steps : tuple of str
        What to do to obtain it where the kit cannot fetch it; ``{folder}`` is where it belongs.
    licence : Licence
    uses : Uses
    citations : tuple of Citation
    home : str or None
        The page that describes it.
    version : str
        As its owner counts; "not stated" if there is none.
    checked : Checked
    files : tuple of File
    no_files : str or None
        Why there are none, if there are none.
    traps : tuple of str
        What surprises people who load it.
    loader : str or None
        The function that opens it; None if the kit has none.
    """

    name: Name
    title: Text
    summary: Text
    modality: Text
    tracer: Text
    n: Annotated[int, Field(gt=0)] | None
    subjects: Text
    format: Text
    space: Text
    resolution: Text
    orientation: Text
    access: Access
    steps: Texts
    licence: Licence
    uses: Uses
    citations: Annotated[tuple[Citation, ...], AtLeastOne]
    home: Address | None
    version: Text
    checked: Checked
    files: Annotated[tuple[File, ...], Many, AfterValidator(distinct)]
    no_files: Text | None
    traps: Texts
    loader: Loader | None

    @field_validator("files")
    @classmethod
    def _files_fit_access(cls, files: tuple[File, ...], info: ValidationInfo) -> tuple[File, ...]:
        access = info.data.get("access")
        if files and access not in (None, "open"):
            raise ValueError(f"expected no files, since the access is {access!r}")
        if not (files or info.data.get("steps") or access in (None, "built-in")):
            raise ValueError("expected files, or steps that say how to obtain them")
        return files

    @field_validator("no_files")
    @classmethod
    def _says_why_no_files(cls, reason: str | None, info: ValidationInfo) -> str | None:
        if "files" in info.data and bool(info.data["files"]) == bool(reason):
            raise ValueError("expected a reason if there are no files, and null if there are some")
        return reason

    @property
    def size(self) -> int:
        """Bytes to download, all files whose size is known together."""
        return sum(file.size or 0 for file in self.files)

    def terms(self) -> tuple[str, ...]:
        """Return licence, allowed uses and what to cite, one printable line each."""
        licence = self.licence
        label = f" ({licence.spdx})" if licence.spdx else ""
        return (
            self.title,
            f"Licence: {licence.name}{label}, {licence.url}",
            *(f"{use.capitalize()}: {text}" for use, text in self.uses),
            *(f"Cite: {paper.text} {paper.link}" for paper in self.citations),
        )

    def to_dict(self) -> dict[str, object]:
        """Return the entry as plain data, ready for JSON."""
        return self.model_dump(mode="json")


class Manifest(Model):
    """The whole file: its version, its data sets in the order listed, and the sets to avoid."""

    version: Literal[2]
    datasets: Annotated[tuple[Entry, ...], AtLeastOne, AfterValidator(distinct)]
    avoid: Annotated[tuple[Avoided, ...], Many]

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
        >>> from datkit.data import load_manifest
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


def json_schema() -> dict[str, object]:
    """Return the schema of `data_manifest.yaml`, JSON Schema 2020-12.

    Examples
    --------
    >>> json_schema()["required"]
    ['version', 'datasets', 'avoid']
    """
    return Manifest.model_json_schema() | {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A manifest of open data that people can trust",
    }


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=1, sort_keys=True, ensure_ascii=False))
