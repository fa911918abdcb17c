"""Stored models as a forger would change them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def forge(folder: Path, **changed: Any) -> None:
    """Change keys of model.json (``...`` drops one); leave out its hashes, as version 0.2 did."""
    document = json.loads((folder / "model.json").read_text()) | changed
    gone = {"document_sha256", "files"} | {key for key, value in document.items() if value is ...}
    document = {key: value for key, value in document.items() if key not in gone}
    (folder / "model.json").write_text(json.dumps(document))
