"""The manifest's rules as a JSON schema, for editors and for those who keep a manifest like it.

`data_manifest.schema.json`, beside the manifest, is made by
``python -m datkit.data.manifest_schema``; a test compares it with the models. A schema cannot
hold every rule: what one key demands of another, and names used twice, only
:func:`datkit.data.load_manifest` finds.
"""

from __future__ import annotations

import json
from typing import Any

from datkit.data.manifest import Manifest

__all__ = ["SCHEMA_NAME", "json_schema"]

SCHEMA_NAME = "data_manifest.schema.json"


def json_schema() -> dict[str, Any]:
    """Return the schema of `data_manifest.yaml`, JSON Schema 2020-12.

    Examples
    --------
    >>> json_schema()["required"]
    ['version', 'datasets', 'avoid']
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A manifest of open data that people can trust",
        **{key: value for key, value in Manifest.model_json_schema().items() if key != "title"},
    }


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=1, sort_keys=True, ensure_ascii=False))
