"""The atlas: every entry is sound, a trap does what it says, and a card tells the truth."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from datkit.book.atlas.entries import GROUPS, Entry, load_cases, load_entries
from datkit.book.atlas.exams import acquisition_of, patient_of, show
from datkit.book.atlas.page import card, case
from datkit.book.atlas.pictures import SHAPES, alt_text, draw

BOOK = Path(__file__).resolve().parents[2] / "book"
ENTRIES = load_entries()
SOUND = acquisition_of(ENTRIES["normal-65"])


def test_every_entry_can_be_shown() -> None:
    bibliography = (BOOK / "references.bib").read_text(encoding="utf-8")
    for entry in ENTRIES.values():
        assert entry.group in GROUPS and (entry.beside in ENTRIES or not entry.beside)
        assert bool(entry.beside) == (entry.group == "trap"), entry.key
        assert 20 < len(entry.says) < 400, entry.key
        for given in re.findall(r"\{cite\}`([^`]+)`", entry.says):
            assert all(f"{{{key}," in bibliography for key in given.split(",")), entry.key
    assert {*load_cases(), *SHAPES.values()} <= set(ENTRIES)


def test_every_exam_that_a_chapter_names_is_there() -> None:
    named = {
        key
        for path in (BOOK / "chapters").glob("*.md")
        for key in re.findall(r"\batlas-([a-z0-9-]+)[>`]", path.read_text(encoding="utf-8"))
    }
    assert named and named <= set(ENTRIES)


def test_the_head_is_the_same_and_grows_older() -> None:
    young, old = (patient_of(ENTRIES[key]) for key in ("normal-45", "normal-85"))
    assert np.array_equal(young.shape.warp, old.shape.warp)
    assert young.shape.ventricles < old.shape.ventricles
    assert young.healthy["putamen_left"] > 1.15 * old.healthy["putamen_left"]


def test_a_trap_changes_what_it_says() -> None:
    assert SOUND.motion is None and np.allclose(SOUND.head_to_scanner[:3, :3], np.eye(3))
    tilted = acquisition_of(ENTRIES["tilt"]).head_to_scanner
    assert np.degrees(np.arccos(tilted[2, 2])) == pytest.approx(16)
    uncorrected = acquisition_of(ENTRIES["attenuation"]).protocol.recipe
    assert uncorrected.attenuation == "none" and not uncorrected.scatter
    assert SOUND.protocol.recipe.attenuation == "map" and SOUND.protocol.recipe.scatter
    cut = acquisition_of(ENTRIES["truncation"])
    back = cut.affine[1, 3] - SOUND.head_to_scanner[1, 3]  # the first voxel, from the origin
    assert -50 <= back < -50 + SOUND.affine[1, 1]
    assert cut.shape[1] < SOUND.shape[1] and cut.shape[::2] == SOUND.shape[::2]
    motion = acquisition_of(ENTRIES["motion"]).motion
    assert motion is not None and motion.start == 0.5


def test_a_card_tells_what_was_painted_and_measured(tmp_path: Path) -> None:
    shown = show(ENTRIES["grade-1"])
    assert shown.measures["putamen_right"] < 0.8 * shown.measures["putamen_left"]
    assert shown.normals.z["putamen_right"] < -1.96 < shown.normals.z["putamen_left"]
    text = card(shown)
    assert text.startswith("(atlas-grade-1)=\n### Benamer grade 1")
    assert f"{shown.measures['putamen_right']:.2f} (−" in text
    assert "5 of 5 call it abnormal, Benamer grade 1" in text
    (body,) = re.findall(r'<script type="application/json">(.*?)</script>', text)
    assert json.loads(body)["slice_type"] == "render" and len(body) < 100_000
    assert 30 <= len(alt_text(shown)) <= 300
    assert draw(shown).save(tmp_path / "a.png").stat().st_size < 150_000
    told, _, folded = case(shown).partition("{admonition}")
    assert "Benamer" not in told  # guess first
    for keeps in (shown.seen["fraction"], shown.seen["other"]):  # one truth in card and case
        assert f" {100 * keeps:.0f} %" in folded and f" {100 * keeps:.0f} %" in text


def test_a_wrong_reference_lifts_every_ratio_of_the_same_exam() -> None:
    wrong, right = show(ENTRIES["reference"]), show(ENTRIES["grade-1"])
    assert wrong.scan is right.scan
    over = [
        (1 + wrong.measures[n]) / (1 + right.measures[n]) for n in ("putamen_left", "caudate_right")
    ]
    assert over[0] == pytest.approx(over[1]) and over[0] > 1.05
    assert wrong.measures["putamen_asymmetry"] == right.measures["putamen_asymmetry"]


def test_an_exam_beside_a_trap_is_not_called_healthy() -> None:
    wrong, right = show(ENTRIES["reference"]), show(ENTRIES["grade-1"])
    text = card(wrong, right)
    assert "| right, as it should be (z) |" in text and "sound" not in text
    assert 30 <= len(alt_text(wrong)) <= 300 and "above as it should be" in alt_text(wrong)


def test_another_reference_has_no_normal_range() -> None:
    shown = show(ENTRIES["truncation"])
    assert shown.prepared.quality["reference_region"] == "brain"
    text = card(shown)
    assert text.count("(not compared)") == 6 and "(+" not in text


def test_an_entry_with_an_infarct_has_one() -> None:
    entry: Entry = replace(ENTRIES["normal-65"], defect=[[25.0, -2.0, 1.0], 18.0])
    assert entry.loss.defect is not None and entry.loss.defect.diameter == 18.0
