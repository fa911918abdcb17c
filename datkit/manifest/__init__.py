"""`data_manifest.yaml`, read strictly: what each data set is, who owns it and which bytes it has.

`fields` holds the rules of single values, `model` those of an entry, `read` finds every problem of
a file at once, `schema` publishes the rules as JSON Schema.
"""

from datkit.manifest.fields import is_safe_address
from datkit.manifest.model import (
    Avoided,
    Checked,
    Citation,
    Entry,
    File,
    Licence,
    Manifest,
    Uses,
)
from datkit.manifest.read import load_manifest

__all__ = [
    "Avoided",
    "Checked",
    "Citation",
    "Entry",
    "File",
    "Licence",
    "Manifest",
    "Uses",
    "is_safe_address",
    "load_manifest",
]
