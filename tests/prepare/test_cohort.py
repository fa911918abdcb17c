"""Preparing cohorts: the same bytes on any number of cores, kept on disk, never stopped by one."""

from __future__ import annotations

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from exams import save_series, small

from datkit.data import Cohort, open_folder, open_path
from datkit.errors import PrepareError, UsageError
from datkit.files import data_folder
from datkit.io.scan import save_scan
from datkit.prepare import PrepareSettings, prepare_cohort
from datkit.prepare import cohort as module


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
        with module._lock(data_folder() / "prepared" / module._key(three, settings)):
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
