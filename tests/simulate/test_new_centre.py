"""A centre from a scratch file and nothing else: simulated, and no other exam's bytes change."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from datkit.data.card import card_of_cohort
from datkit.errors import CohortError
from datkit.simulate import cohort as made
from datkit.simulate.camera.centres import load_added_centres, share_of_exams
from datkit.simulate.cohort import simulate_cohort, simulate_volume
from datkit.simulate.exam import SETS, draw_exam, exam_uid

SCRATCH = """
- name: my-clinic
  camera: my camera
  joins: {train: 0.2, private: 0.1}
  prevalence: 0.5
  radius_mm: [125, 140]
  counts: [800_000, 1_500_000]
  gain: 300
  head_at: [0, 10, 5]
  protocols:
  - name: A
    weight: 1
    collimator: short
    matrix: {columns: 64, slices: [50, 60], pixel: 5.0}
    recipe: {method: fbp, attenuation: none, scatter: false, cutoff: 0.5}
"""
SECOND = SCRATCH.replace("my-clinic", "elsewhere").replace("train: 0.2", "public: 0.3")


@pytest.fixture
def scratch(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(SCRATCH)
    return path


def centre_of(drawn):
    return drawn.acquisition.centre.name


def test_a_new_centre_takes_its_share_and_leaves_every_other_exam_alone(scratch):
    added = load_added_centres(scratch)
    before = [draw_exam(7, index) for index in range(480)]
    after = [draw_exam(7, index, added) for index in range(480)]
    counts = Counter(map(centre_of, after))
    assert counts["my-clinic"] / 480 == pytest.approx(0.2, abs=0.05)
    share = share_of_exams("train", added)["centre-01"]
    assert counts["centre-01"] / 480 == pytest.approx(share, abs=0.05)
    for old, new in zip(before, after, strict=True):
        if centre_of(new) != "my-clinic":
            assert (old.exam, old.truth, old.reading) == (new.exam, new.truth, new.reading)
            assert old.acquisition.noise_seed == new.acquisition.noise_seed


def test_only_the_sets_that_it_joins_hold_it(scratch):
    added = load_added_centres(scratch)
    names = {
        name: {centre_of(draw_exam(7, first + i, added)) for i in range(120)}
        for name, first in SETS.items()
    }
    assert "my-clinic" not in names["public"]
    assert "my-clinic" in names["train"] and {"my-clinic", "centre-14"} <= names["private"]


def test_neither_a_second_centre_nor_the_order_of_rows_moves_the_first(scratch):
    def all_of(text):
        scratch.write_text(text)
        added = load_added_centres(scratch)
        return [draw_exam(7, index, added).exam for index in range(96)]

    assert all_of(SCRATCH) == all_of(SCRATCH + SECOND) == all_of(SECOND + SCRATCH)


def test_volumes_of_other_centres_keep_their_bytes(scratch, tmp_path):
    added = load_added_centres(scratch)
    names = [centre_of(draw_exam(7, index, added)) for index in range(48)]
    taken = names.index("my-clinic")
    kept = next(index for index, name in enumerate(names) if name in ("centre-04", "centre-05"))
    for index, same in ((taken, False), (kept, True)):
        uid = exam_uid(7, index)
        old, _ = simulate_volume(uid, tmp_path / "old")
        new, exam = simulate_volume(uid, tmp_path / "new", added)
        assert (old.read_bytes() == new.read_bytes()) is same
        assert (exam.exam["centre"] == "my-clinic") is not same


def test_a_cohort_with_a_new_centre_says_so_and_is_not_taken_for_another(
    scratch, tmp_path, monkeypatch
):
    monkeypatch.setitem(made.SIZES, "few", 3)
    folder = tmp_path / "c"
    cohort = simulate_cohort(folder, "few", 11, 1, False, centres=scratch)
    settings = json.loads((folder / "cohort.json").read_text())["settings"]
    assert settings["centre_shares"]["my-clinic"] == 0.2
    assert [centre["name"] for centre in settings["added_centres"]] == ["my-clinic"]
    assert len(simulate_cohort(folder, "few", 11, 1, False, centres=scratch)) == len(cohort) == 3
    assert "| centres added by its maker | my-clinic |" in str(card_of_cohort(cohort))
    with pytest.raises(CohortError, match="same settings, found .*, where centre_shares differ;"):
        simulate_cohort(folder, "few", 11, 1, False)
