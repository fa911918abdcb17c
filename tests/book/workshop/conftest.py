"""What tests of the workshop share: exams that are simulated and prepared already."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def prepared_data(tiny_cohort, prepared_tiny, monkeypatch, tmp_path) -> Path:
    """A data folder in which the tiny cohort is simulated and prepared."""
    data = tmp_path / "data"
    made = Path(prepared_tiny.volumes.filename).parent
    shutil.copytree(tiny_cohort.folder, data / "simulated" / "tiny-2026")
    shutil.copytree(made, data / "prepared" / made.name)
    monkeypatch.setenv("DATKIT_DATA", str(data))
    return data
