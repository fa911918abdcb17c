"""Data described for machines: an entry or a cohort as MLCommons Croissant 1.0, JSON-LD.

It is made from the manifest's entry, or the cohort's own tables, and says nothing that stands in
neither. https://docs.mlcommons.org/croissant/docs/croissant-spec.html
"""

from __future__ import annotations

import json
import re
from copy import deepcopy
from pathlib import Path

import pandas as pd

from datkit import NOT_CLINICAL
from datkit.data.cohort import Cohort
from datkit.data.folder import typed
from datkit.data.manifest import Entry, repository
from datkit.errors import CohortError
from datkit.files import sha256_file

__all__ = ["croissant_of_cohort", "croissant_of_entry"]

Json = dict[str, object]
CC0 = "https://creativecommons.org/publicdomain/zero/1.0/"
# The context is the specification's own, section "Croissant in JSON-LD"; every description carries
# it whole. In Croissant a set of files, here the volumes, lies in a container, here the folder.
TEMPLATE = json.loads(Path(__file__).with_name("croissant.json").read_text(encoding="utf-8"))


def croissant_of_entry(entry: Entry) -> Json:
    """Describe an entry of the manifest: its terms, and each file with addresses and hash.

    An entry without files, such as one under an agreement, is described without a distribution.

    Examples
    --------
    >>> from datkit.data import load_manifest
    >>> croissant_of_entry(load_manifest().entry("fpcit-hc174"))["distribution"][0]["contentSize"]
    '1086884 B'
    """
    return _dataset(
        name=entry.name,
        description=f"{entry.summary} {NOT_CLINICAL}",
        license=entry.licence.url,
        url=entry.home or entry.licence.url,
        version=_semantic(entry.version),
        citeAs=" ".join(f"{paper.text} {paper.link}" for paper in entry.citations),
        distribution=[_file(f.name, f.urls[0], f.size, *f.digest) for f in entry.files],
        keywords=[entry.modality, entry.tracer, entry.access],
    )


def croissant_of_cohort(cohort: Cohort) -> Json:
    """Describe a cohort in the challenge's layout: its tables by column, its volumes as a set.

    Paths are relative to the cohort's folder, where the file belongs. No uid and no label is in it.

    Raises
    ------
    CohortError
        If the cohort has no ``train_labels.csv``, as those in other layouts.
    """
    names = ("train_labels.csv", "exams.csv", "truth.csv")
    tables = [path for name in names if (path := cohort.folder / name).is_file()]
    if not tables or tables[0].name != names[0]:
        raise CohortError(
            f"{cohort.folder}: expected train_labels.csv, found none; Croissant describes cohorts "
            "in the challenge's layout."
        )
    info, licence = cohort.info, cohort.info.get("licence")
    files = [_file(t.name, t.name, t.stat().st_size, "sha256", sha256_file(t)) for t in tables]
    return _dataset(
        name=cohort.name,
        description=f"{info.get('source', 'DaT SPECT exams.')} {len(cohort)} exams. {NOT_CLINICAL}",
        license=CC0 if licence == "CC0-1.0" else licence,
        url=repository(),
        version=_semantic(str(info.get("version", "not stated"))),
        distribution=[*files, TEMPLATE["volumes"].copy()],
        recordSet=[_record_set(path) for path in tables],
    )


def _dataset(**facts: object) -> Json:
    known = {key: fact for key, fact in facts.items() if fact not in (None, "", [])}
    return deepcopy(TEMPLATE["dataset"]) | known


def _semantic(version: str) -> str | None:
    """Croissant wants MAJOR.MINOR.PATCH; a commit or 'not stated' is none."""
    if not re.fullmatch(r"\d+(\.\d+){0,2}", version):
        return None
    return ".".join([*version.split("."), "0", "0"][:3])


def _file(name: str, url: str, size: int | None, algorithm: str, digest: str) -> Json:
    described: Json = {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": url,
        "encodingFormat": TEMPLATE["encodings"].get(Path(name).suffix, "application/octet-stream"),
        algorithm: digest,
    }
    return described | ({"contentSize": f"{size} B"} if size else {})


def _record_set(path: Path) -> Json:
    table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    fields = [_field(path, typed(table[name]), number) for number, name in enumerate(table, 1)]
    return {"@type": "cr:RecordSet", "@id": path.stem, "name": path.stem, "field": fields}


def _field(path: Path, column: pd.Series, number: int) -> Json:
    """Describe a column; its number stands in where its name has letters that no @id may have."""
    name = str(column.name)
    identifier = name if re.fullmatch(r"[\w.-]+", name) else f"column-{number}"
    is_number = name != "uid" and pd.api.types.is_numeric_dtype(column)
    return {
        "@type": "cr:Field",
        "@id": f"{path.stem}/{identifier}",
        "name": f"{path.stem}/{name}",
        "dataType": "sc:Float" if is_number else "sc:Text",
        "source": {"fileObject": {"@id": path.name}, "extract": {"column": name}},
    }
