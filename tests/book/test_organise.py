"""The guide for organisers says what the kit does, and its search finds what it looks for."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from datkit.challenge import bias_form, load_challenge
from datkit.challenge.bias import ITEMS

PAGE = Path(__file__).resolve().parents[2] / "book" / "chapters" / "organise.md"


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_the_form_on_the_page_is_what_the_kit_writes(page: str) -> None:
    form, left = bias_form(load_challenge("dat-park"))
    assert f"bias.md: {len(ITEMS) - len(left)} of {len(ITEMS)} items are filled in\n" in page
    assert f"{len(left)} are left to you, under design: {', '.join(left[:10])}, …\n" in page
    quoted = re.findall(r"^> (.+)$", page, re.M)
    assert len(quoted) == 6 and {*quoted} <= {*form.splitlines()}


def test_the_answers_that_the_page_proposes_are_taken(page: str) -> None:
    numbers = re.findall(r"^  (\d+[a-f]?): ", page, re.M)
    assert len(numbers) == 3 and {*numbers} <= {*ITEMS}


def test_the_budget_adds_up_to_what_the_page_says(page: str) -> None:
    items = re.findall(r"^\| [a-z ]+ \| ([\d,]+) \|$", page, re.M)
    assert f"add up to {sum(int(item.replace(',', '')) for item in items):,};" in page


def test_the_search_finds_traces_in_files_and_small_cells(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("exams", "niftis")
    folder.mkdir(parents=True)
    image = nib.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4))
    folder.joinpath("clean.nii.gz").write_bytes(gzip.compress(image.to_bytes(), mtime=0))
    with gzip.GzipFile(
        "PD-012.nii", "wb", fileobj=folder.joinpath("named.nii.gz").open("wb")
    ) as out:
        out.write(image.to_bytes())
    image.header["descrip"] = b"DOE^JANE"
    folder.joinpath("told.nii.gz").write_bytes(gzip.compress(image.to_bytes(), mtime=0))
    ages = pd.DataFrame({"centre": "a", "sex": ["F"] * 6 + ["M"], "age": [65] * 7})
    ages.to_csv("exams/exams.csv", index=False)
    [code] = re.findall(r"^```python\n(.+?)^```", page, re.M | re.S)
    exec(code, {})
    said = capsys.readouterr().out
    assert "named.nii.gz" in said and "DOE^JANE" in said and "clean" not in said
    assert re.search(r"M +\(60, 70\] +1", said) and not re.search(r"F +\(60, 70\]", said)
