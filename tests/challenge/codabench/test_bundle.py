"""A bundle is unpacked within bounds, and nothing outside it is looked at."""

from __future__ import annotations

import datetime as dt

import pytest
from bundles import bundle_of, code_bundle

from datkit.challenge.codabench.bundle import Bundle, Competition, as_moment, head


@pytest.fixture
def bundle(tmp_path):
    path = tmp_path / "bundle.zip"
    path.write_bytes(bundle_of(code_bundle()))
    with Bundle(path) as opened:
        yield opened


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../../etc", ".", "", "nothing", "a\0b", "b" * 999]
)
def test_only_what_lies_in_it_is_found(bundle, path):
    assert bundle.find(path) is None


def test_paths_are_read_as_codabench_reads_them(bundle):
    assert bundle.find("programs/ingestion/") == bundle.root / "programs" / "ingestion"
    assert bundle.find("./pages//terms.md") == bundle.root / "pages" / "terms.md"
    assert head(bundle.find("pages")) is None and head(None) is None


def test_a_zip_of_a_program_is_opened_once_and_all_is_gone_at_the_end(tmp_path):
    (tmp_path / "bundle.zip").write_bytes(bundle_of(code_bundle()))
    with Bundle(tmp_path / "bundle.zip") as opened:
        path = opened.find("scoring_program.zip")
        folder = opened.open_part(path)
        assert sorted(one.name for one in folder.iterdir()) == ["metadata", "score.py"]
        assert opened.open_part(path) == folder
        root = opened.root
    assert not folder.exists() and not root.exists()


def test_what_is_under_a_key_has_its_place(bundle):
    board = {"columns": [{"key": "a"}, "no mapping", {"key": "b"}]}
    sheet = {"first": {"key": "first"}}
    competition = Competition({"leaderboards": [board], "fact_sheet": sheet, "tasks": None}, bundle)
    wanted = ["leaderboards[0].columns[0]", "leaderboards[0].columns[2]"]
    assert [where for where, _ in competition.places("leaderboards", "columns")] == wanted
    assert competition.places("fact_sheet") == [("fact_sheet.first", {"key": "first"})]
    assert competition.places("tasks") == [] and competition.places() == [("", competition.data)]


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-03-01", dt.datetime(2026, 3, 1)),
        ("1 March 2026, 13:00", dt.datetime(2026, 3, 1, 13)),
        (dt.datetime(2026, 3, 1, 13, tzinfo=dt.UTC), dt.datetime(2026, 3, 1, 13)),
        ("", None),
        ("never", None),
        ("nat", None),
        ("9" * 1_000_000, None),  # pandas would read for half a minute
        (20260301, None),
        (None, None),
    ],
)
def test_dates_are_read_as_people_write_them(value, moment):
    assert as_moment(value) == moment
