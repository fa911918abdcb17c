"""Data cards: all that a reader should know first, and nothing of single exams."""

from __future__ import annotations

import json

import pytest
from exams import save_small

from datkit.cli import main
from datkit.data import load_manifest, open_path
from datkit.data.card import card_of_cohort, card_of_entry


@pytest.mark.parametrize("entry", load_manifest().datasets, ids=lambda entry: entry.name)
def test_a_card_holds_terms_traps_and_what_is_not_known(entry):
    card = str(card_of_entry(entry))
    assert card.startswith(f"# {entry.title}\n") and "not for diagnosis" in card
    assert entry.licence.url in card and f"- **commercial**: {entry.uses.commercial}" in card
    for item in (*entry.traps, *entry.checked.not_verified, *entry.steps):
        assert " ".join(item.split()) in card
    for file in entry.files:
        assert file.digest[1] in card


def test_a_card_of_a_cohort_counts_groups(tiny_cohort):
    card = str(card_of_cohort(tiny_cohort))
    assert f"| exams | {len(tiny_cohort)}: " in card and "## Acquisition families" in card
    assert all(f"- **{centre}**: " in card for centre in set(tiny_cohort.exams["centre"]))
    assert not any(uid in card for uid in tiny_cohort.uids)
    assert card == str(card_of_cohort(tiny_cohort))


def test_a_card_without_labels_or_centres_says_so(tmp_path):
    save_small(tmp_path / "a.nii.gz")
    card = str(card_of_cohort(open_path(tmp_path)))
    assert "0 normal, 0 abnormal, 1 unknown" in card and "unknown share abnormal" in card
    assert "## Centres" not in card


def test_the_command_prints_a_card_or_writes_it(capsys, tmp_path):
    assert main(["data", "card", "auer-dat-phantom"]) == 0
    assert "# Digital DaT phantom" in capsys.readouterr().out
    assert main(["data", "card", "ppmi", "--out", str(tmp_path / "card.md")]) == 0
    assert "SWEDD" in (tmp_path / "card.md").read_text()


def test_the_command_gives_a_card_as_data(capsys, tmp_path, tiny_cohort):
    assert main(["data", "card", "ppmi", "--json"]) == 0
    card = json.loads(capsys.readouterr().out)
    entry = load_manifest().entry("ppmi")
    assert card == card_of_entry(entry).to_dict()
    assert card["title"] == entry.title and card["notice"].endswith("not for diagnosis.")
    assert card["sections"]["What it may be used for"]["commercial"] == entry.uses.commercial
    out = tmp_path / "card.json"
    assert main(["data", "card", str(tiny_cohort.folder), "--json", "--out", str(out)]) == 0
    assert json.loads(out.read_text())["facts"]["exams"].startswith("24: ")


def test_check_lists_problems_of_a_folder_or_none(capsys, tmp_path):
    save_small(tmp_path / "good" / "a.nii.gz", 1)
    assert main(["data", "check", str(tmp_path / "good")]) == 0
    assert "good: no problem found in 1 exam\n" in capsys.readouterr().out
    save_small(tmp_path / "good" / "b.nii.gz", 1)
    assert main(["data", "check", str(tmp_path / "good")]) == 1
    assert "found the same one under 'a', 'b'" in capsys.readouterr().out
    (tmp_path / "none").mkdir()
    assert main(["data", "check", str(tmp_path / "none"), "--json"]) == 1
    assert main(["data", "check", str(tmp_path / "nowhere")]) == 2
