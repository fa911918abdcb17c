"""Data described for machines: an entry or a cohort as MLCommons Croissant 1.0, JSON-LD.

It is made from the manifest's entry, or the cohort's own tables, and says nothing that stands in
neither. https://docs.mlcommons.org/croissant/docs/croissant-spec.html
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd

from datkit import NOT_CLINICAL
from datkit.data import Cohort, Entry, File
from datkit.data.problems import Problems
from datkit.data.tables import read_table, typed
from datkit.errors import CohortError
from datkit.files import sha256_file

__all__ = ["croissant_of_cohort", "croissant_of_entry"]

_TYPES = {
    ".nii": "application/x-nifti",
    ".gz": "application/gzip",
    ".zip": "application/zip",
    ".whl": "application/zip",
    ".csv": "text/csv",
}
# The context of the specification, section "Croissant in JSON-LD"; every file carries it whole.
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def croissant_of_entry(entry: Entry) -> dict[str, Any]:
    """Describe an entry of the manifest: its terms, and each file with addresses and hash.

    An entry without files, such as one under an agreement, is described without a distribution.

    Examples
    --------
    >>> from datkit.data import load_manifest
    >>> croissant_of_entry(load_manifest().entry("fpcit-hc174"))["distribution"][0]["contentSize"]
    '1086884 B'
    """
    papers = " ".join(f"{paper.text} {paper.link}" for paper in entry.citations)
    return _dataset(
        entry.name,
        f"{entry.summary} {NOT_CLINICAL}",
        entry.licence.url,
        entry.home or entry.licence.url,
        entry.version,
        papers,
        [_file_object(file) for file in entry.files],
    ) | {"keywords": [entry.modality, entry.tracer, entry.access]}


def croissant_of_cohort(cohort: Cohort) -> dict[str, Any]:
    """Describe a cohort in the challenge's layout: its tables by column, its volumes as a set.

    Paths are relative to the cohort's folder, where the file belongs. No uid and no label is in it.

    Raises
    ------
    CohortError
        If the cohort has no ``train_labels.csv``, as those in other layouts.
    """
    tables = [cohort.folder / name for name in ("train_labels.csv", "exams.csv", "truth.csv")]
    tables = [path for path in tables if path.is_file()]
    if not tables or tables[0].name != "train_labels.csv":
        raise CohortError(
            f"{cohort.folder}: expected train_labels.csv, found none; Croissant describes cohorts "
            "in the challenge's layout."
        )
    info = cohort.info
    return _dataset(
        cohort.name,
        f"{info.get('source', 'DaT SPECT exams.')} {len(cohort)} exams. {NOT_CLINICAL}",
        _licence_address(info.get("licence")),
        "https://github.com/dat-spect-kit/dat-spect-kit",
        str(info.get("version", "not stated")),
        "",
        [*(_table_object(path) for path in tables), *_volumes()],
    ) | {"recordSet": [_record_set(path) for path in tables]}


def _dataset(
    name: str,
    description: str,
    licence: str,
    url: str,
    version: str,
    citation: str,
    distribution: list[dict[str, Any]],
) -> dict[str, Any]:
    described = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": description,
        "license": licence,
        "url": url,
        "version": _semantic(version),
        "citeAs": citation,
        "distribution": distribution,
    }
    return {key: value for key, value in described.items() if value not in (None, "", [])}


def _semantic(version: str) -> str | None:
    """Croissant wants MAJOR.MINOR.PATCH; a commit or 'not stated' is none."""
    parts = version.split(".")
    if not all(part.isdigit() for part in parts) or len(parts) > 3:
        return None
    return ".".join([*parts, "0", "0"][:3])


def _file_object(file: File) -> dict[str, Any]:
    algorithm, digest = file.digest
    size = {"contentSize": f"{file.size} B"} if file.size else {}
    return {
        "@type": "cr:FileObject",
        "@id": file.name,
        "name": file.name,
        "contentUrl": file.urls[0],
        "encodingFormat": _TYPES.get(Path(file.name).suffix, "application/octet-stream"),
        algorithm: digest,
        **size,
    }


def _table_object(path: Path) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "contentUrl": path.name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": "text/csv",
        "sha256": sha256_file(path),
    }


def _volumes() -> list[dict[str, Any]]:
    """Volumes as a set of files; in Croissant a set lies in a container, here the folder."""
    return [
        {
            "@type": "cr:FileSet",
            "@id": "volumes",
            "name": "volumes",
            "description": "One reconstructed volume for each exam, named by its uid.",
            "encodingFormat": "application/gzip",
            "includes": "niftis/*.nii.gz",
        }
    ]


def _record_set(path: Path) -> dict[str, Any]:
    table = read_table(path, ("uid",), Problems())
    name = path.stem
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{name}/{_identifier(column, number)}",
                "name": f"{name}/{column}",
                "dataType": _data_type(column, typed(table[column])),
                "source": {"fileObject": {"@id": path.name}, "extract": {"column": column}},
            }
            for number, column in enumerate(table, start=1)
        ],
    }


def _identifier(column: str, number: int) -> str:
    """Return a column's name, or its number where the name has letters that no identifier may."""
    return column if re.fullmatch(r"[\w.-]+", column) else f"column-{number}"


def _data_type(column: str, values: pd.Series) -> str:
    is_number = column != "uid" and pd.api.types.is_numeric_dtype(values)
    return "sc:Float" if is_number else "sc:Text"


def _licence_address(licence: Any) -> str | None:
    if not licence:
        return None
    known = {"CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/"}
    return known.get(str(licence), str(licence))
