"""Preparing cohorts: the same bytes on any number of cores, kept on disk, never stopped by one."""

from __future__ import annotations

import json
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from exams import save_series, save_small, small

from datkit.data import Cohort, open_folder, open_path
from datkit.errors import PrepareError, ScanError, UsageError
from datkit.files import data_folder, locked
from datkit.io.scan import save_scan
from datkit.prepare import Prepared, PrepareSettings, prepare_cohort
from datkit.prepare import cohort as module
from datkit.prepare.journal import ARRAY, TABLE


@pytest.fixture
def three(tiny_cohort, tmp_path: Path) -> Cohort:
    """Three exams in a folder of their own, without checksums: the second one can be spoilt."""
    folder = tmp_path / "three"
    (folder / "niftis").mkdir(parents=True)
    uids = tiny_cohort.uids[:3]
    for uid in uids:
        shutil.copy(tiny_cohort.path_of(uid), folder / "niftis")
    rows = [f"{uid},{tiny_cohort.labels[uid]}" for uid in uids]
    (folder / "train_labels.csv").write_text("\n".join(["uid,is_pathologic", *rows]) + "\n")
    return open_folder(folder)


def test_one_or_two_processes_give_the_same_bytes(three, monkeypatch, tmp_path):
    volumes = {}
    for n_jobs in (1, 2):
        monkeypatch.setenv("DATKIT_DATA", str(tmp_path / f"data-{n_jobs}"))
        prepared = prepare_cohort(three, n_jobs=n_jobs, progress=False)
        volumes[n_jobs] = prepared.volumes.tobytes()
        table = prepared.table.to_csv()
    assert volumes[1] == volumes[2]
    assert prepare_cohort(three, n_jobs=1, progress=False).table.to_csv() == table


def test_table_holds_exams_and_quality(three):
    prepared = prepare_cohort(three, n_jobs=1, progress=False)
    assert prepared.uids == three.uids and len(prepared) == 3
    assert prepared.labels.equals(three.labels)
    assert {"is_pathologic", "similarity", "scale", "verdict"} <= set(prepared.table)
    assert prepared.volumes.shape == (3, 64, 80, 48)
    assert isinstance(prepared.volumes, np.memmap) and not prepared.volumes.flags.writeable
    assert repr(prepared) == "<PreparedCohort: 3 exams, 0 to look at, 0 failed>"


def test_a_second_process_waits_and_reads_what_the_first_made(three):
    """Two notebooks that prepare one cohort at once must not write into the same files."""
    settings = PrepareSettings()
    with ThreadPoolExecutor(1) as other:
        with locked(data_folder() / "prepared" / module._key(three, settings)):
            waiting = other.submit(prepare_cohort, three, settings, n_jobs=1, progress=False)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
        assert len(waiting.result(timeout=120)) == 3


def test_second_time_reads_it_back(three, monkeypatch):
    first = prepare_cohort(three, n_jobs=1, progress=False)
    monkeypatch.setattr(module, "prepare_scan", lambda *_: pytest.fail("prepared again"))
    second = prepare_cohort(three, n_jobs=1, progress=False)
    np.testing.assert_array_equal(first.volumes, second.volumes)
    assert first.table.equals(second.table)


def test_other_settings_or_volumes_are_kept_apart(three):
    prepare_cohort(three, n_jobs=1, progress=False)
    prepare_cohort(three, PrepareSettings(order=1), n_jobs=1, progress=False)
    scan = three.load(three.uids[0])
    save_scan(scan.data * 2, scan.affine, three.path_of(three.uids[0]), dtype="uint16")
    prepare_cohort(three, n_jobs=1, progress=False)
    assert len(list((data_folder() / "prepared").iterdir())) == 3


def test_one_bad_file_is_listed_with_its_reason(three):
    whole = prepare_cohort(three, n_jobs=1, progress=False)
    bad = three.uids[1]
    three.path_of(bad).write_bytes(three.path_of(bad).read_bytes()[:2000])
    prepared = prepare_cohort(three, n_jobs=2, progress=False)
    assert prepared.uids == [three.uids[0], three.uids[2]]
    np.testing.assert_array_equal(prepared.volumes, whole.volumes[[0, 2]])
    assert list(prepared.failures) == [bad] and bad in prepared.failures[bad]


def test_nothing_but_bad_files_is_an_error_and_leaves_nothing(three):
    for uid in three.uids:
        save_scan(np.eye(16)[..., None] * np.ones(16), np.diag([2.0, 2, 2, 1]), three.path_of(uid))
    with pytest.raises(PrepareError, match="three: expected exams that can be prepared"):
        prepare_cohort(three, n_jobs=1, progress=False)
    assert not [path for path in (data_folder() / "prepared").rglob("*") if path.is_file()]


def test_of_one_bad_exam_its_own_reason_is_the_sentence(few):
    one = few.subset(["b"])
    one.path_of("b").write_bytes(b"no scan")
    with pytest.raises(ScanError) as told:
        one.load("b")
    with pytest.raises(PrepareError) as found:
        prepare_cohort(one, n_jobs=1, progress=False)
    assert str(found.value) == str(told.value)


def test_progress_counts_exams(three, capsys):
    prepare_cohort(three, n_jobs=1)
    assert "3/3" in capsys.readouterr().err


# ---------------------------------------------------------------- interrupted, damaged, unforeseen


def interrupted_after(monkeypatch, count: int) -> None:
    """Let preparation stop as Ctrl-C does, before one more exam than `count`."""
    whole, calls = module.prepare_scan, iter(range(count))

    def stopping(*arguments):
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return whole(*arguments)

    monkeypatch.setattr(module, "prepare_scan", stopping)


def test_interrupted_run_goes_on_with_the_next_exam(three, monkeypatch, tmp_path):
    whole = prepare_cohort(three, n_jobs=1, progress=False)
    expected, table = whole.volumes.tobytes(), whole.table.to_csv()
    monkeypatch.setenv("DATKIT_DATA", str(tmp_path / "again"))
    with monkeypatch.context() as patch:
        interrupted_after(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            prepare_cohort(three, n_jobs=1, progress=False)
    interrupted_after(monkeypatch, 1)  # one exam is left to do
    resumed = prepare_cohort(three, n_jobs=1, progress=False)
    assert resumed.volumes.tobytes() == expected and resumed.table.to_csv() == table
    names = {path.name for path in Path(resumed.volumes.filename).parent.iterdir()}
    assert names == {"volumes.npy", "prepared.json"}


def test_half_written_row_and_table_are_made_again(three):
    whole = prepare_cohort(three, n_jobs=1, progress=False)
    expected, folder = whole.volumes.tobytes(), Path(whole.volumes.filename).parent
    for damage in ("table gone", "array cut short"):
        if damage == "table gone":
            (folder / "prepared.json").unlink()
        else:
            (folder / "volumes.npy").write_bytes((folder / "volumes.npy").read_bytes()[:-9])
        assert prepare_cohort(three, n_jobs=1, progress=False).volumes.tobytes() == expected


SIZE = 4 * 5 * 6 * 4  # bytes of a row of the stand-in below; 128 are the header's
DAMAGE = {
    "a flipped byte": lambda array, table: (array[:-50] + b"!" + array[-49:], table),
    "rows swapped": lambda array, table: (array[:128] + rows(array, 1, 0, 2), table),
    "a row doubled": lambda array, table: (array[:128] + rows(array, 0, 0, 2), table),
    "a dropped exam": lambda array, table: (array, without_first(table)),
    "a table half written": lambda array, table: (array, table[: len(table) // 2]),
    "a table of zeros": lambda array, table: (array, bytes(len(table))),
    "the other byte order": lambda array, table: (array.replace(b"<f4", b">f4"), table),
    "no header": lambda array, table: (array[:9] + array[20:], table),
}


def rows(array: bytes, *order: int) -> bytes:
    return b"".join(array[128 + row * SIZE :][:SIZE] for row in order)


def without_first(table: bytes) -> bytes:
    document = json.loads(table)
    document["quality"].pop(min(document["quality"]))
    return json.dumps(document).encode()


def array_and_table() -> list[Path]:
    return [next((data_folder() / "prepared").glob(f"*/{one}")) for one in (ARRAY, TABLE)]


@pytest.fixture
def few(tmp_path, monkeypatch):
    """Three exams on disk, prepared by a quick stand-in."""

    def quick(scan, settings):
        volume = scan.data[:4, :5, :6].astype(np.float32)
        return Prepared(volume, np.eye(4), {"similarity": float(scan.data.std())})

    monkeypatch.setattr(module, "prepare_scan", quick)
    monkeypatch.setattr(module, "GRID", SimpleNamespace(shape=(4, 5, 6)))
    for seed, uid in enumerate("abc"):
        save_small(tmp_path / "few" / "niftis" / f"{uid}.nii.gz", seed)
    (tmp_path / "few" / "train_labels.csv").write_text("uid,is_pathologic\na,0\nb,1\nc,0\n")
    return open_folder(tmp_path / "few")


def content_of(cohort: Cohort) -> tuple[bytes, str]:
    prepared = prepare_cohort(cohort, n_jobs=1, progress=False)
    return prepared.volumes.tobytes(), prepared.table.to_csv()


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_told_in_a_line_and_mended(few, name, capsys):
    """What is on disk of an earlier run is believed by its hash, not by its shape."""
    expected = content_of(few)
    before = [path.read_bytes() for path in array_and_table()]
    assert content_of(few) == expected and capsys.readouterr().err == ""
    for path, content in zip(array_and_table(), DAMAGE[name](*before), strict=True):
        path.write_bytes(content)
    assert content_of(few) == expected
    told = capsys.readouterr().err
    assert "of 3 exams are as they were written, the others are made now.\n" in told
    assert [path.read_bytes() for path in array_and_table()] == before


@pytest.mark.filterwarnings("ignore:Reading .npy")
def test_twenty_random_changes_in_each_file_change_no_result(few):
    """`benchmarks/damage.py` makes 500 in each file that the kit stores."""
    expected, random = content_of(few), np.random.default_rng(17)
    for path in array_and_table():
        before = path.read_bytes()
        for _ in range(20):
            changed = bytearray(before)
            changed[random.integers(len(before))] ^= random.integers(1, 256)
            path.write_bytes(changed)
            assert content_of(few) == expected
            path.write_bytes(before)


def test_a_whole_result_needs_no_lock(few, monkeypatch):
    """As on a disk that is read-only."""
    expected = content_of(few)
    monkeypatch.setattr(module, "locked", lambda _: pytest.fail("locked"))
    assert content_of(few) == expected


def test_what_a_killed_process_left_half_written_is_swept_away(few):
    content_of(few)
    array, table = array_and_table()
    table.unlink()
    (array.parent / ".part-x1.json").write_text("{")
    content_of(few)
    assert {path.name for path in array.parent.iterdir()} == {ARRAY, TABLE}


@pytest.mark.parametrize("changed", ["io/scan.py", "io/dicom.py", "data/cohort.py", "files.py"])
def test_other_code_is_another_result(few, changed, monkeypatch):
    first, whole = module._key(few, PrepareSettings()), module.sha256_file
    hashes = lambda path: "0" if str(path).endswith(changed) else whole(path)  # noqa: E731
    monkeypatch.setattr(module, "sha256_file", hashes)
    assert module._key(few, PrepareSettings()) != first


@pytest.mark.parametrize("name", ["numpy", "scipy", "nibabel", "pydicom", "pylibjpeg-libjpeg"])
def test_another_release_of_a_library_is_another_result(few, name, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda _: True)  # as if those of DICOM were there
    keys = []
    for release in ("1.0", "1.1"):
        monkeypatch.setattr(module, "version", lambda one, v=release: v if one == name else "2.0")
        keys.append(module._key(few, PrepareSettings()))
    assert keys[0] != keys[1]


def test_an_extra_that_came_is_another_result(few, monkeypatch):
    """An exam that failed for want of it may be read now."""
    first, whole = module._key(few, PrepareSettings()), module.find_spec
    monkeypatch.setattr(module, "version", lambda _: "1.0")
    monkeypatch.setattr(module, "find_spec", lambda one: one == "libjpeg" or whole(one))
    assert module._key(few, PrepareSettings()) != first


def test_what_nobody_foresaw_stops_one_exam_only(three, monkeypatch):
    whole, bad = module.prepare_scan, three.uids[0]

    def failing(scan, settings):
        if bad in scan.path.name:
            raise ZeroDivisionError("by a mouse")
        return whole(scan, settings)

    monkeypatch.setattr(module, "prepare_scan", failing)
    prepared = prepare_cohort(three, n_jobs=1, progress=False)
    assert prepared.uids == three.uids[1:]
    assert "found ZeroDivisionError: by a mouse; please report it" in prepared.failures[bad]


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a file that cannot be read: Linux")
def test_a_file_that_the_disk_does_not_give_stops_one_exam_only(three):
    bad = three.uids[1]
    three.path_of(bad).unlink()
    three.path_of(bad).symlink_to("/proc/self/mem")  # its first bytes: input/output error
    prepared = prepare_cohort(three, n_jobs=1, progress=False)
    assert prepared.uids == [uid for uid in three.uids if uid != bad]
    assert "Input/output error" in prepared.failures[bad]


def test_a_cluster_prepares_the_same_bytes(three, scheduler, monkeypatch, tmp_path):
    volumes = []
    for place in (None, scheduler):
        monkeypatch.setenv("DATKIT_DATA", str(tmp_path / f"there-{place is None}"))
        prepared = prepare_cohort(three, n_jobs=1, scheduler=place, progress=False)
        volumes.append(prepared.volumes.tobytes())
    assert volumes[0] == volumes[1]


def test_cluster_without_dask_says_what_to_install(three, monkeypatch):
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    with pytest.raises(UsageError, match="cluster"):
        prepare_cohort(three, scheduler="tcp://localhost:8786", progress=False)


def test_a_slice_that_was_missing_and_came_is_another_cohort(tmp_path, pydicom):
    folder = save_series(tmp_path / "a", small(), np.diag([5.0, 5.0, 6.0, 1.0]))
    away = (folder / "IM0014").rename(tmp_path / "IM0014")
    first = module._key(open_path(folder), PrepareSettings())
    away.rename(folder / "IM0014")
    assert module._key(open_path(folder), PrepareSettings()) != first
