"""Simulated cohorts: the same bytes always, resumed where they stopped, like real exams."""

from __future__ import annotations

import json
import os
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from datkit import open_cohort
from datkit.errors import CohortError, DatkitError, UsageError
from datkit.files import locked, read_sealed, sha256_file, write_sealed
from datkit.simulate import cohort as made
from datkit.simulate.cohort import open_simulated, simulate_cohort, simulate_volume
from datkit.simulate.exam import draw_exam, exam_uid
from datkit.simulate.patient.anatomy import AFFINE, axes_mm, standard_anatomy
from datkit.simulate.set_folder import INFO, UNFINISHED

KINDS = ("caudate", "putamen")
SEEN = [f"{kind}_{side}" for kind in KINDS for side in ("left", "right")]
SEEN += ["occipital", "thalamus", "cerebellum"]
TABLES = {"train_labels.csv", "exams.csv", "truth.csv"}


def quick_exam(seed, index, added=()):
    """An exam of 8 x 8 x 8 voxels that depends on seed and index, as a simulated one does."""
    uid = exam_uid(seed, index)
    volume = np.random.default_rng([seed, index]).integers(0, 900, (8, 8, 8), dtype=np.uint16)
    return SimpleNamespace(
        uid=uid,
        volume=volume,
        acquisition=SimpleNamespace(affine=np.diag([4.0, 4.0, 4.0, 1.0])),
        reading=SimpleNamespace(label=index % 2),
        exam={"uid": uid, "sex": "F"},
        truth={"uid": uid, "votes": "3"},
    )


@pytest.fixture
def quick(monkeypatch):
    """Exams of 8 x 8 x 8 voxels, sizes of a few; returns the indices made, in order."""
    calls = []

    def simulate(seed, index, added):
        calls.append(index)
        return quick_exam(seed, index)

    monkeypatch.setattr(made, "simulate_exam", simulate)
    monkeypatch.setattr("datkit.simulate.set_folder.draw_exam", quick_exam)
    monkeypatch.setattr("joblib.cpu_count", lambda: 1)  # a process of its own would not be patched
    monkeypatch.setattr(made, "SIZES", {"few": 3, "full": 3})
    monkeypatch.setattr(made, "TEST_SETS", {"public": 2, "private": 2})
    return calls


@pytest.fixture
def start(quick, tmp_path):
    """Make a cohort of few exams, or finish it: start(size)."""
    return lambda size="few", seed=5: simulate_cohort(tmp_path / "c", size, seed, 1, False)


@pytest.fixture
def stop_after(quick, start, monkeypatch):
    """Interrupt the making of a cohort: stop_after(number of exams, size)."""

    def interrupted(count, size="few"):
        with monkeypatch.context() as patch:
            patch.setattr(made, "simulate_exam", stopping(count))
            with pytest.raises(KeyboardInterrupt):
                start(size)

    def stopping(count):
        def simulate(seed, index, added):
            if len(quick) == count:
                raise KeyboardInterrupt
            quick.append(index)
            return quick_exam(seed, index)

        return simulate

    return interrupted


def hashes(folder):
    return {
        path.relative_to(folder).as_posix(): sha256_file(path)
        for path in folder.rglob("*")
        if path.is_file()
    }


# ---------------------------------------------------------------- real exams


def test_the_folder_has_the_challenges_layout(tiny_cohort):
    names = {path.name for path in tiny_cohort.folder.iterdir()}
    assert names == {"niftis", "cohort.json", *TABLES}
    assert len(tiny_cohort) == 24
    columns = ["is_pathologic", "centre", "camera", "reconstruction", "age", "sex"]
    assert list(tiny_cohort.exams) == columns
    assert tiny_cohort.truth["votes"].between(0, 5).all()


def test_a_tiny_cohort_has_many_centres_and_both_labels(tiny_cohort):
    assert tiny_cohort.exams["centre"].nunique() >= 8
    assert 0.35 < tiny_cohort.labels.mean() < 0.75


def test_cohort_json_says_what_defines_the_cohort(tiny_cohort):
    info, settings = tiny_cohort.info, tiny_cohort.info["settings"]
    assert (info["version"], info["seed"], info["licence"]) == ("7", 2026, "CC0-1.0")
    assert (settings["size"], settings["set"], settings["exams"]) == ("tiny", "train", 24)
    assert set(tiny_cohort.exams["centre"]) <= set(settings["centre_shares"])
    assert sum(settings["centre_shares"].values()) == pytest.approx(1, abs=1e-3)


def test_every_file_but_cohort_json_is_hashed(tiny_cohort):
    found = hashes(tiny_cohort.folder)
    del found["cohort.json"]
    assert found == tiny_cohort.info["sha256"] and len(found) == 24 + 3


def test_a_volume_made_alone_is_the_cohorts_to_the_byte(tiny_cohort, tmp_path):
    uid = tiny_cohort.uids[7]
    path, exam = simulate_volume(uid, tmp_path)
    assert path.read_bytes() == tiny_cohort.path_of(uid).read_bytes()
    assert exam.reading.label == tiny_cohort.labels[uid]
    np.testing.assert_array_equal(tiny_cohort.load(uid).data, exam.volume)


def test_the_number_of_processes_and_threads_changes_no_byte(monkeypatch, tmp_path):
    import torch

    monkeypatch.setitem(made.SIZES, "two", 2)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    folders = [simulate_cohort(tmp_path / str(n), "two", 5, n, False).folder for n in (1, 2)]
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)
    assert hashes(folders[0]) == hashes(folders[1])


def test_another_seed_gives_another_exam():
    one, two = (draw_exam(seed, 0) for seed in (1, 2))
    assert one.uid != two.uid and one.patient.age != two.patient.age
    assert one.acquisition.noise_seed != two.acquisition.noise_seed


# ---------------------------------------------------------------- resumed, mended, refused


def test_every_exam_is_made_on_one_thread(monkeypatch):
    import torch

    from datkit.simulate.exam import simulate_exam

    threads = []
    monkeypatch.setattr(
        "datkit.simulate.camera.imaging.acquire", lambda *_: threads.append(torch.get_num_threads())
    )
    simulate_exam(1, 0)
    assert threads == [1]


def test_an_interrupted_run_goes_on_where_it_stopped(start, stop_after, quick, tmp_path):
    stop_after(2)
    folder, records = tmp_path / "c", tmp_path / "c" / UNFINISHED
    assert (records / INFO).exists() and not (folder / INFO).exists()
    (records / "sim-5-0001.json").write_text('{"niftis/si')  # as a power cut would leave it
    resumed = hashes(start().folder)
    assert quick == [0, 1, 1, 2] and not records.exists()
    assert resumed == hashes(simulate_cohort(tmp_path / "new", "few", 5, 1, False).folder)


def test_two_at_once_wait_for_each_other(start, quick, tmp_path):
    with ThreadPoolExecutor(1) as other:
        with locked(tmp_path / "c"):
            waiting = other.submit(start)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.3)
        assert len(waiting.result(timeout=60)) == 3


def test_who_waited_finds_it_made(start, quick, monkeypatch):
    """The other process is through between the first look and the lock."""
    whole = hashes(start().folder)
    first, looks = made.SetFolder.verify, iter([1])
    late = lambda one: first(one) and not next(looks, 0)  # noqa: E731
    monkeypatch.setattr(made.SetFolder, "verify", late)
    del quick[:]
    assert hashes(start().folder) == whole and not quick


def test_a_whole_cohort_needs_no_lock(start, monkeypatch):
    """As on a disk that is read-only."""
    whole = hashes(start("full").folder)
    monkeypatch.setattr(made, "locked", lambda _: pytest.fail("locked"))
    assert hashes(start("full").folder) == whole


def test_what_a_killed_process_left_half_written_is_swept_away(start, stop_after, tmp_path):
    stop_after(2)
    for place in ("niftis", UNFINISHED):
        (tmp_path / "c" / place / ".part-1.nii.gz").write_bytes(b"half")
    folder = start().folder
    assert not list(folder.rglob(".part-*"))


@pytest.mark.parametrize("name", ["niftis/sim-5-0001.nii.gz", INFO, "exams.csv"])
def test_twenty_random_changes_in_each_file_are_noticed_or_change_nothing(start, name, capsys):
    """`benchmarks/damage.py` makes 500 in each file that the kit stores."""
    folder, random = start().folder, np.random.default_rng(17)
    path, whole = folder / name, hashes(folder)
    before = path.read_bytes()
    for _ in range(20):
        changed = bytearray(before)
        changed[random.integers(len(before))] ^= random.integers(1, 256)
        path.write_bytes(changed)
        try:
            found = open_cohort(folder)
            voxels = [found.load(uid).data.tobytes() for uid in found.uids]
        except DatkitError:
            with suppress(CohortError):  # no longer known for this cohort: nothing is overwritten
                assert hashes(start().folder) == whole
                assert (
                    "are as they were written, the others are made now" in capsys.readouterr().err
                )
        else:
            assert name == INFO and json.loads(changed)  # white space, or a key that nothing reads
            assert len(voxels) == 3
        path.write_bytes(before)


def test_a_second_call_makes_nothing(start, quick):
    start("full")
    assert len(start("full")) == 3 and len(quick) == 7


@pytest.mark.parametrize("place", ["", "private_test"])
@pytest.mark.parametrize("damage", ["volume", "missing", "table"])
def test_damage_is_found_and_mended(start, quick, place, damage):
    whole = start("full").folder
    before = hashes(whole)
    folder = whole / place
    volume = sorted((folder / "niftis").iterdir())[1]
    if damage == "missing":
        volume.unlink()
    else:
        (volume if damage == "volume" else folder / "truth.csv").write_bytes(b"broken")
    del quick[:]
    assert hashes(start("full").folder) == before
    first = 20_000 if place else 0
    assert quick == ([] if damage == "table" else [first + 1])  # nothing else is made again


def test_full_brings_two_test_sets_of_other_exams(start, quick):
    cohort = start("full")
    tests = [open_cohort(cohort.folder / f"{name}_test") for name in ("public", "private")]
    assert [one.uids for one in tests] == [
        [f"sim-5-{first + i}" for i in range(2)] for first in (10_000, 20_000)
    ]
    assert [one.name for one in tests] == [f"simulated-full-5-{n}-test" for n in made.TEST_SETS]
    assert quick == [0, 1, 2, 10_000, 10_001, 20_000, 20_001]
    shares = [one.info["settings"]["centre_shares"] for one in (cohort, *tests)]
    assert shares[0] == shares[1] and set(shares[2]) - set(shares[0]) == {"centre-14"}


@pytest.mark.parametrize("count", [1, 4, 6])
def test_an_interruption_in_any_set_is_made_up_for(start, stop_after, quick, tmp_path, count):
    stop_after(count, "full")
    resumed = hashes(start("full").folder)
    assert len(quick) == 7
    assert resumed == hashes(simulate_cohort(tmp_path / "new", "full", 5, 1, False).folder)


def test_a_folder_that_holds_anything_else_is_left_alone(quick, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "train_labels.csv").write_text("uid,is_pathologic\nmine,1.0\n")
    before = hashes(folder)
    with pytest.raises(CohortError, match="expected a new folder.*found other files.*choose"):
        simulate_cohort(folder, "few", 5, progress=False)
    assert hashes(folder) == before and not quick


@pytest.mark.parametrize("change", [{"version": "1"}, {"name": "simulated-few-6"}])
def test_another_cohort_is_not_overwritten(start, change):
    folder = start().folder
    info = read_sealed(folder / "cohort.json") | change
    write_sealed(folder / "cohort.json", info)
    found = f"{info['name']} version {info['version']}, where {next(iter(change))} differ; choose"
    with pytest.raises(CohortError, match=found):
        start()


@pytest.mark.parametrize("other", ["seed", "files", "neighbour"])
def test_a_folder_may_hold_its_own_test_sets_and_no_other(start, quick, tmp_path, other):
    folder = tmp_path / "c"
    if other == "seed":  # a test set of another cohort
        start("full", 6).folder.joinpath("public_test").rename(tmp_path / "public_test")
        folder.rename(tmp_path / "six")
        folder.mkdir()
        (tmp_path / "public_test").rename(folder / "public_test")
    else:
        name = "public_test" if other == "files" else "shadow_test"
        (folder / name).mkdir(parents=True)
        (folder / name / "notes.txt").write_text("mine")
    before = hashes(folder)
    del quick[:]
    with pytest.raises(CohortError, match="expected a new folder"):
        start("full")
    assert hashes(folder) == before and not quick


def test_its_own_test_sets_are_kept_when_the_rest_is_gone(start, quick):
    folder = start("full").folder
    before = hashes(folder)
    for path in [*(folder / "niftis").iterdir(), *folder.glob("*.*")]:
        path.unlink()
    (folder / "niftis").rmdir()
    del quick[:]
    assert hashes(start("full").folder) == before and quick == [0, 1, 2]


def test_too_little_disk_is_seen_before_anything_is_written(quick, monkeypatch, tmp_path):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(made.shutil, "disk_usage", lambda path: usage(9e9, 9e9, 5e6))
    with pytest.raises(CohortError, match="0.01 GB of free disk for 7 exams, found 0.01 GB; free"):
        simulate_cohort(tmp_path / "new", "full", 5, progress=False)
    assert len(simulate_cohort(tmp_path / "few", "few", 5, 1, False)) == 3
    assert not (tmp_path / "new").exists()


def test_a_killed_process_is_a_sentence_and_the_next_call_goes_on(start, monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        patch.setattr(made, "_make_exam", lambda *_: os._exit(9))
        with pytest.raises(CohortError, match="was killed.*the same command goes on"):
            simulate_cohort(tmp_path / "c", "few", 5, n_jobs=2, progress=False)
    assert len(start()) == 3


@pytest.mark.parametrize(
    ("size", "seed", "n_jobs"),
    [("huge", 1, 1), ("tiny", -1, 1), ("tiny", 1.5, 1), ("tiny", 1, 0), ("tiny", 1, -1)],
)
def test_an_impossible_setting_is_refused_before_anything_is_written(size, seed, n_jobs, tmp_path):
    with pytest.raises(UsageError, match="found"):
        simulate_cohort(tmp_path / "new", size, seed, n_jobs)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("uid", ["007", "sim-2026-3", "sim--1-0003", "../sim-2026-0003", ""])
def test_a_uid_of_no_simulated_exam_is_refused(uid, tmp_path):
    with pytest.raises(UsageError, match="such as sim-2026-0003; found"):
        simulate_volume(uid, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_open_cohort_makes_the_simulated_one_on_first_use(quick):
    cohort = open_cohort("simulated", size="full", seed=5)
    assert cohort.uids == open_simulated("full", 5).uids == [f"sim-5-{i:04d}" for i in range(3)]
    assert len(quick) == 7


# ---------------------------------------------------------------- like real exams


@pytest.fixture(scope="module")
def mean_normal():
    """The mean of eight normal exams in the standard head, aligned by their known poses.

    Their centres correct attenuation, as those of the real controls did.
    """
    from scipy.ndimage import affine_transform, gaussian_filter

    from datkit.simulate.camera.acquisition import draw_acquisition
    from datkit.simulate.camera.centres import usual_centres
    from datkit.simulate.camera.imaging import acquire
    from datkit.simulate.patient.person import draw_patient, standard_normal
    from datkit.simulate.patient.uptake import paint

    corrected = [
        c for c in usual_centres() if all(p.recipe.attenuation != "none" for p in c.protocols)
    ]
    total = 0
    for index in range(8):
        rng = np.random.default_rng([31, index])
        patient = draw_patient(rng, "normal")  # with a head of its own, and mean binding
        patient = replace(patient, healthy=standard_normal().healthy, ssri=False)
        exam = draw_acquisition(rng, corrected[index])
        assert exam.protocol.recipe.attenuation != "none"
        volume = np.float32(acquire(paint(patient)[0], patient.shape, exam)) / exam.gain
        scale = np.diag([*patient.shape.scale, 1])
        matrix = np.linalg.inv(exam.affine) @ exam.head_to_scanner @ scale @ AFFINE
        shape = standard_anatomy().tissue["grey"].shape
        total = total + affine_transform(volume, matrix[:3, :3], matrix[:3, 3], shape, order=1) / 8
    return gaussian_filter(total, 12 / 2.3548 / 2)  # 14-15 mm with the exams' own blur


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
