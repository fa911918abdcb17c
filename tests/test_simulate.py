"""Simulated cohorts: the same bytes always, resumed where they stopped, like real exams."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from datkit import open_cohort
from datkit.errors import CohortError, UsageError
from datkit.files import sha256_file
from datkit.simulate import cohort as made
from datkit.simulate.anatomy import AFFINE, axes_mm, standard_anatomy
from datkit.simulate.cohort import JOURNAL, open_simulated, simulate_cohort, simulate_exam

KINDS = ("caudate", "putamen")
SEEN = [f"{kind}_{side}" for kind in KINDS for side in ("left", "right")]
SEEN += ["occipital", "thalamus", "cerebellum"]


@pytest.fixture
def few(monkeypatch):
    """A size of three exams."""
    monkeypatch.setitem(made.SIZES, "few", 3)
    return "few"


@pytest.fixture
def start(few, tmp_path):
    """Make the cohort of three exams, or finish it: start(n_jobs)."""
    return lambda n_jobs=1: simulate_cohort(tmp_path / "c", few, 5, n_jobs, progress=False)


def hashes(folder):
    return {p.relative_to(folder): sha256_file(p) for p in folder.rglob("*") if p.is_file()}


def test_the_folder_has_the_challenges_layout(tiny_cohort):
    names = {path.name for path in tiny_cohort.folder.iterdir()}
    assert names == {"niftis", "train_labels.csv", "exams.csv", "truth.csv", "cohort.json"}
    assert len(tiny_cohort) == 24
    assert list(tiny_cohort.exams) == ["is_pathologic", "centre", "camera", "age", "sex"]
    assert tiny_cohort.info["licence"] == "CC0-1.0"
    assert tiny_cohort.truth["votes"].between(0, 5).all()


def test_every_file_but_cohort_json_is_hashed(tiny_cohort):
    listed = tiny_cohort.info["sha256"]
    assert len(listed) == 24 + 3
    for name, sha256 in listed.items():
        assert sha256_file(tiny_cohort.folder / name) == sha256


def test_all_centres_and_both_labels_are_there(tiny_cohort):
    counts = pd.crosstab(tiny_cohort.exams["centre"], tiny_cohort.labels)
    assert counts.shape == (4, 2)
    assert 0.35 < tiny_cohort.labels.mean() < 0.75


def test_an_exam_made_alone_equals_the_one_in_the_cohort(tiny_cohort):
    uid = tiny_cohort.uids[7]
    exam = simulate_exam(2026, 7)
    scan = tiny_cohort.load(uid)
    assert exam.uid == uid and exam.label == tiny_cohort.labels[uid]
    np.testing.assert_array_equal(scan.data, exam.volume)
    np.testing.assert_allclose(scan.affine, exam.affine, atol=1e-4)


def test_another_seed_gives_another_exam():
    one, two = (simulate_exam(seed, 0) for seed in (1, 2))
    assert one.uid != two.uid
    assert one.volume.shape != two.volume.shape or (one.volume != two.volume).any()


def test_the_number_of_processes_changes_no_byte(few, tmp_path):
    one, two = (
        simulate_cohort(tmp_path / str(n), few, 5, n_jobs=n, progress=False).folder for n in (1, 2)
    )
    assert hashes(one) == hashes(two)


def test_an_interrupted_run_goes_on_where_it_stopped(start, monkeypatch, tmp_path):
    whole = hashes(start().folder)
    for path in sorted((tmp_path / "c").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    simulate, calls = made.simulate_exam, []

    def stop_at_the_third(seed, index):
        calls.append(index)
        if calls == [0, 1, 2]:
            raise KeyboardInterrupt
        return simulate(seed, index)

    monkeypatch.setattr(made, "simulate_exam", stop_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        start()
    assert (tmp_path / "c" / JOURNAL).exists() and not (tmp_path / "c" / "cohort.json").exists()
    with (tmp_path / "c" / JOURNAL).open("a") as journal:
        journal.write('{"sha256": "cut sh')  # as a power cut would leave it
    assert hashes(start().folder) == whole
    assert calls == [0, 1, 2, 2]


def test_a_second_call_makes_nothing(start, monkeypatch):
    start()
    monkeypatch.setattr(made, "simulate_exam", None)
    assert len(start()) == 3


@pytest.mark.parametrize("damage", ["volume", "missing", "table"])
def test_damage_is_found_and_mended(start, damage):
    cohort = start()
    whole = hashes(cohort.folder)
    volume, table = cohort.path_of(cohort.uids[1]), cohort.folder / "truth.csv"
    if damage == "missing":
        volume.unlink()
    else:
        (volume if damage == "volume" else table).write_bytes(b"broken")
    assert hashes(start().folder) == whole


def test_a_folder_that_holds_anything_else_is_left_alone(few, tmp_path):
    (tmp_path / "train_labels.csv").write_text("uid,is_pathologic\nmine,1.0\n")
    before = hashes(tmp_path)
    with pytest.raises(CohortError, match="expected a new folder.*found files.*choose another"):
        simulate_cohort(tmp_path, few, 5, progress=False)
    assert hashes(tmp_path) == before


def test_another_cohort_is_not_overwritten(start, tmp_path):
    folder = start().folder
    info = json.loads((folder / "cohort.json").read_text())
    (folder / "cohort.json").write_text(json.dumps(info | {"version": "0"}))
    with pytest.raises(CohortError, match="found cohort simulated-few-5 version 0"):
        start()


@pytest.mark.parametrize(("size", "seed"), [("huge", 1), ("tiny", -1), ("tiny", 1.5)])
def test_a_wrong_size_or_seed_is_refused_before_anything_is_written(size, seed, tmp_path):
    with pytest.raises(UsageError, match="found"):
        simulate_cohort(tmp_path / "new", size, seed)
    assert not (tmp_path / "new").exists()


def test_open_cohort_makes_the_simulated_one_on_first_use(few):
    cohort = open_cohort("simulated", size=few, seed=5)
    assert cohort.uids == open_simulated(few, 5).uids == [f"sim-5-{i:04d}" for i in range(3)]


@pytest.fixture(scope="module")
def mean_normal():
    """The mean of eight normal exams in the standard head, aligned by their known poses."""
    from scipy.ndimage import affine_transform, gaussian_filter

    from datkit.simulate.acquisition import draw_acquisition
    from datkit.simulate.camera import acquire
    from datkit.simulate.centres import CENTRES
    from datkit.simulate.patient import draw_patient
    from datkit.simulate.uptake import paint

    total = 0
    for index in range(8):
        rng = np.random.default_rng([31, index])
        patient = draw_patient(rng, "normal")
        exam = draw_acquisition(rng, CENTRES[index % 4])
        volume = np.float32(acquire(paint(patient)[0], exam)) / exam.gain
        scale = np.diag([*patient.shape.scale, 1])
        matrix = np.linalg.inv(exam.affine) @ exam.head_to_scanner @ scale @ AFFINE
        shape = standard_anatomy().tissue["grey"].shape
        total = total + affine_transform(volume, matrix[:3, :3], matrix[:3, 3], shape, order=1) / 8
    return gaussian_filter(total, 10 / 2.3548 / 2)  # about 14 mm with the exams' own blur


def test_the_mean_of_normals_lies_in_the_bands_of_real_controls(mean_normal):
    """The bands that a real group map of 174 controls supports, at a like resolution."""
    head = standard_anatomy()
    brain = sum(head.tissue[kind] for kind in ("grey", "white", "csf"))
    brain = brain + sum(head.regions[f"{k}_{s}"] for k in KINDS for s in ("left", "right")) > 0.5
    brain &= axes_mm()[2] > -40  # what every centre's field of view holds
    means = {n: mean_normal[brain & (w > 0.5)].mean() for n, w in head.regions.items() if n in SEEN}
    ratio = {name: float(mean / means["occipital"]) for name, mean in means.items()}
    sbr = {kind: (ratio[f"{kind}_left"] + ratio[f"{kind}_right"]) / 2 - 1 for kind in KINDS}
    assert 0.9 < sbr["caudate"] < 1.5
    assert 1.3 < sbr["putamen"] < 2.0
    assert 0.60 < sbr["caudate"] / sbr["putamen"] < 0.85
    assert 1.25 < ratio["thalamus"] < 1.45
    assert 0.90 < ratio["cerebellum"] < 1.0
    assert abs(ratio["putamen_left"] - ratio["putamen_right"]) < 0.08 * sbr["putamen"]
