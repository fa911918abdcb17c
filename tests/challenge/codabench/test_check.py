"""Each fault of a Codabench bundle is found by its own code, all of them at once."""

from __future__ import annotations

import copy
import os
import stat
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from bundles import PNG, bundle_of, code_bundle, results_bundle
from zips import entry, patched, zip_of

from datkit.challenge.codabench import check
from datkit.challenge.codabench.check import FIELDS, MOST, TABLE, check_bundle
from datkit.errors import UsageError
from datkit.rules import RULES

Members = dict[Any, Any]
GONE = object()  # a value that takes a key or a member away


def put(path: str, value: object) -> Callable[[Members], None]:
    """Return a mutation of the settings: ``"phases.0.name"`` is a key in the first of a list."""

    def mutate(members: Members) -> None:
        holder: Any = members["competition.yaml"]
        *steps, last = [int(one) if one.isdigit() else one for one in path.split(".")]
        for step in steps:
            holder = holder[step]
        if value is GONE:
            del holder[last]
        elif isinstance(last, int) and last == len(holder):
            holder.append(value)
        else:
            holder[last] = copy.deepcopy(value)

    return mutate


def member(name: object, content: object) -> Callable[[Members], None]:
    """Return a mutation of the files."""

    def mutate(members: Members) -> None:
        if content is GONE:
            del members[name]
        else:
            members[name] = content

    return mutate


def text(change: Callable[[str], str | bytes]) -> Callable[[Members], None]:
    """Return a mutation of the settings as they stand in the file."""

    def mutate(members: Members) -> None:
        members["competition.yaml"] = change(yaml.safe_dump(members["competition.yaml"]))

    return mutate


def both(*mutations: Callable[[Members], None]) -> Callable[[Members], None]:
    """Return several mutations as one."""
    return lambda members: [mutate(members) for mutate in mutations] and None


def moved(members: Members) -> None:
    """Zip the folder, not what is in it."""
    for name in [*members]:
        members[f"beans/{name}"] = members.pop(name)


def in_the_singular(members: Members) -> None:
    settings = members["competition.yaml"]
    settings["leaderboard"] = settings.pop("leaderboards")


def of_version_15(members: Members) -> None:
    members["competition.yaml"] = {
        "title": "Beans",
        "html": {"overview": "pages/overview.md"},
        "phases": {1: {"phasenumber": 1, "label": "First", "start_date": "2026-01-01"}},
        "leaderboard": {"leaderboards": {"Results": {"label": "Results", "rank": 1}}},
    }


COLUMN = {"title": "Third", "key": "accuracy", "index": 3}
KEY = "0d8b9b4e-3f2c-4c55-9d5a-1a4f0f1c2b3d"
FACT = code_bundle()["competition.yaml"]["fact_sheet"]["method"]

# What each broken bundle differs in from the sound one that runs code, and the code of its fault.
BROKEN: dict[str, tuple[str, Callable[[Members], None]]] = {
    # ---- the zip
    "a_zip_of_the_folder": ("yaml-missing", moved),
    "a_parent": ("unsafe-path", member("a/../../outside.md", "")),
    "a_link": ("link", member(entry("a", external_attr=(stat.S_IFLNK | 0o777) << 16), "/etc")),
    "a_bomb": ("bomb", member("zeros.bin", bytes(2**22))),
    "two_of_a_name": ("duplicate", member(entry("logo.png"), PNG)),
    "a_clash_of_case": ("case-clash", member("LOGO.png", PNG)),
    "an_odd_method": ("method", member(entry("a", compress_type=zipfile.ZIP_LZMA), "a")),
    "a_link_in_a_program": (
        "link",
        member(
            "scoring_program.zip",
            zip_of(
                ("metadata", "command: python3 score.py"),
                ("score.py", "accuracy seconds"),
                (entry("a", external_attr=(stat.S_IFLNK | 0o777) << 16), "/etc/passwd"),
            ),
        ),
    ),
    "a_program_cut_short": (
        "not-a-zip",
        member("scoring_program.zip", code_bundle()["scoring_program.zip"][:-30]),
    ),
    # ---- the settings
    "no_settings": ("yaml-missing", member("competition.yaml", GONE)),
    "another_suffix": (
        "yaml-missing",
        lambda members: members.update({"competition.yml": members.pop("competition.yaml")}),
    ),
    "a_tab": ("yaml-unreadable", text(lambda said: said + "rules:\n\t- one\n")),
    "a_tag_of_python": ("yaml-unreadable", text(lambda said: said + "a: !!python/name:os.sep\n")),
    "another_encoding": ("yaml-unreadable", text(lambda said: f"{said}reward: 5".encode("utf-16"))),
    "a_list": ("yaml-unreadable", member("competition.yaml", "- version: 2\n")),
    "nothing_at_all": ("yaml-unreadable", member("competition.yaml", "")),
    "a_day_that_is_none": ("yaml-unreadable", text(lambda said: said + "end: 2026-02-31\n")),
    "phases_twice": ("yaml-repeated-key", text(lambda said: said + said[said.index("phases:") :])),
    "no_version": ("version-missing", put("version", GONE)),
    "an_old_version": ("version-15", of_version_15),
    "a_version_with_a_point": ("version-unknown", put("version", 2.0)),
    # ---- fields
    "no_title": ("field-missing", put("title", GONE)),
    "no_terms": ("field-missing", put("terms", GONE)),
    "no_image": ("field-missing", put("image", GONE)),
    "no_pages": ("field-missing", put("pages", GONE)),
    "no_tasks": ("field-missing", put("tasks", GONE)),
    "no_phases": ("field-missing", put("phases", GONE)),
    "no_leaderboards": ("field-missing", put("leaderboards", GONE)),
    "a_page_without_a_file": ("field-missing", put("pages.0.file", GONE)),
    "a_task_without_an_index": ("field-missing", put("tasks.0.index", GONE)),
    "a_task_without_a_scoring_program": ("field-missing", put("tasks.0.scoring_program", GONE)),
    "a_phase_without_a_start": ("field-missing", put("phases.0.start", GONE)),
    "a_phase_without_tasks": ("field-missing", put("phases.0.tasks", GONE)),
    "a_solution_without_tasks": ("field-missing", put("solutions.0.tasks", GONE)),
    "a_solution_without_a_path": ("field-missing", put("solutions.0.path", GONE)),
    "a_column_without_an_index": ("field-missing", put("leaderboards.0.columns.2.index", GONE)),
    "a_question_without_a_type": ("field-missing", put("fact_sheet.method.type", GONE)),
    "a_title_that_is_yes": ("field-type", put("title", True)),
    "a_blank_title": ("field-type", put("title", "  ")),
    "no_page_in_the_list": ("field-type", put("pages", [])),
    "phases_by_name": ("field-type", put("phases", {"first": {"start": "2026-01-01"}})),
    "no_task_in_a_phase": ("field-type", put("phases.0.tasks", [])),
    "a_start_that_is_a_year": ("field-type", put("phases.0.start", 2026)),
    "a_start_that_is_a_word": ("field-type", put("phases.0.start", "in spring")),
    "a_start_that_pandas_alone_knows": ("field-type", put("phases.0.start", "today")),
    "a_flag_that_is_a_word": ("field-type", put("phases.0.hide_output", "maybe")),
    "a_flag_that_is_empty": ("field-type", put("registration_auto_approve", None)),
    "a_negative_limit": ("field-type", put("phases.0.max_submissions", -1)),
    "a_number_without_an_end": (
        "yaml-unreadable",
        text(lambda said: said.replace("max_submissions: 50", f"max_submissions: 0x{'f' * 5000}")),
    ),
    "indexes_in_a_text": (
        "field-type",
        put("leaderboards.0.columns.2.computation_indexes", "0,1"),
    ),
    "an_address_without_an_at": ("field-type", put("contact_email", "beans")),
    "a_key_that_is_none": ("field-type", put("tasks.1", {"index": 1, "key": "beans"})),
    "a_program_without_a_name": ("field-type", put("tasks.0.ingestion_program", None)),
    "a_long_title": ("field-long", put("title", "b" * 257)),
    "a_long_key": ("field-long", put("leaderboards.0.columns.0.key", "accuracy" * 5)),
    "a_long_board": ("field-long", put("leaderboards.0.title", "b" * 65)),
    "a_rule_as_the_web_page_has_it": (
        "field-choice",
        put("leaderboards.0.submission_rule", "Add And Delete Multiple"),
    ),
    "an_order_that_is_none": ("field-choice", put("leaderboards.0.columns.0.sorting", "down")),
    "a_computation_that_is_none": (
        "field-choice",
        put("leaderboards.0.columns.2.computation", "median"),
    ),
    "a_question_of_another_kind": ("field-choice", put("fact_sheet.method.type", "number")),
    "a_dash_too_many": ("item-type", put("phases.2", "tasks")),
    "a_key_spelt_otherwise": ("key-unknown", put("phases.0.max_submission_per_day", 3)),
    "a_key_of_older_servers": ("key-unknown", put("phases.0.execution_time_limit_ms", 500)),
    "a_field_more_in_a_question": ("key-unknown", put("fact_sheet.method", FACT | {"help": "h"})),
    # ---- pages, terms and logo
    "a_page_that_is_not_there": ("file-missing", put("pages.0.file", "overview.md")),
    "terms_that_are_a_folder": ("file-missing", put("terms", "pages")),
    "a_page_outside": ("file-missing", put("pages.0.file", "/etc/hostname")),
    "a_logo_that_is_not_there": ("file-missing", put("image", "Logo.png")),
    "an_empty_page": ("text-empty", member("pages/overview.md", "")),
    "empty_terms": ("text-empty", member("pages/terms.md", "\n")),
    "a_page_in_another_encoding": ("text-encoding", member("pages/data.html", b"50 \x80")),
    "a_drawing_as_logo": ("image-format", member("logo.png", "<svg/>")),
    # ---- data and programs
    "data_that_are_not_there": ("data-missing", put("tasks.0.input_data", "shelf_3/input")),
    "data_outside": ("data-missing", put("tasks.0.reference_data", "../../etc")),
    "data_by_an_absolute_path": ("data-missing", put("tasks.0.reference_data", "/etc")),
    "data_that_are_the_bundle": ("data-missing", put("tasks.0.input_data", ".")),
    "a_kit_that_is_not_there": ("data-missing", put("phases.0.starting_kit", "kit")),
    "a_solution_that_is_not_there": ("data-missing", put("solutions.0.path", "beans.zip")),
    "data_by_key": ("data-by-key", put("tasks.0.reference_data", KEY)),
    "data_in_one_file": ("data-unzipped", put("tasks.0.input_data", "shelf_1/input/jars.csv")),
    "truth_in_the_input": ("reference-visible", put("tasks.0.reference_data", "shelf_1/input")),
    "truth_in_the_kit": (
        "reference-visible",
        both(
            put("tasks.0.reference_data", "starting_kit/truth"),
            member("starting_kit/truth/truth.csv", "jar,beans\n1,312\n"),
        ),
    ),
    "no_metadata": ("program-no-metadata", member("programs/ingestion/metadata.yaml", GONE)),
    "metadata_in_a_folder": (
        "program-no-metadata",
        member(
            "scoring_program.zip",
            zip_of(("s/metadata", "command: python3 s.py"), ("s/s.py", "accuracy seconds")),
        ),
    ),
    "no_command": ("program-no-command", member("programs/ingestion/metadata.yaml", "cmd: a\n")),
    "metadata_that_are_no_yaml": (
        "program-no-command",
        member("programs/ingestion/metadata.yaml", "command: [python3\n"),
    ),
    "a_command_for_another_file": (
        "command-file",
        member("programs/ingestion/metadata.yaml", "command: python3 /app/program/run.py\n"),
    ),
    "a_score_that_is_never_written": (
        "column-not-written",
        put("leaderboards.0.columns.0.key", "precision"),
    ),
    "ingestion_without_a_program": (
        "ingestion-absent",
        both(
            put("tasks.0.ingestion_program", GONE),
            put("tasks.0.ingestion_only_during_scoring", True),
        ),
    ),
    # ---- tasks, solutions, phases
    "two_tasks_of_an_index": ("task-index-repeated", put("tasks.1.index", 0)),
    "two_solutions_of_an_index": (
        "solution-index-repeated",
        put("solutions.1", {"index": 0, "path": "solution.zip", "tasks": [1]}),
    ),
    "two_phases_of_an_index": ("phase-index-repeated", put("phases.1.index", 0)),
    "a_phase_of_no_task": ("task-unknown", put("phases.1.tasks", [2])),
    "a_phase_of_a_task_in_quotes": ("task-unknown", put("phases.1.tasks", ["1"])),
    "a_solution_of_no_task": ("task-unknown", put("solutions.0.tasks", [0, 7])),
    "a_first_phase_without_an_end": ("phase-no-end", put("phases.0.end", GONE)),
    "phases_that_overlap": ("phase-order", put("phases.1.start", "2026-01-20 08:00:00")),
    "phases_in_the_wrong_order": ("phase-no-end", put("phases.0.index", 2)),
    "phases_that_touch": ("phase-touches", put("phases.1.start", "2026-02-01 20:00:00")),
    "phases_that_meet_in_a_day": ("phase-same-day", put("phases.1.start", "2026-02-01 21:00:00")),
    "a_phase_from_end_to_start": ("phase-reversed", put("phases.0.start", "2026-02-02")),
    "a_start_in_a_zone": ("phase-zone", put("phases.1.start", "2026-02-03T08:00:00+02:00")),
    "migration_to_the_first": ("phase-migrates", put("phases.0.auto_migrate_to_this_phase", True)),
    "twenty_minutes": ("phase-time-limit", put("phases.0.execution_time_limit", 1200)),
    "no_submission_at_all": ("limit-zero", put("phases.0.max_submissions_per_day", 0)),
    # ---- leaderboards
    "a_board_in_the_singular": ("leaderboard-key", in_the_singular),
    "two_boards": ("leaderboards-more", put("leaderboards.1", {
        "title": "More", "key": "more", "columns": [COLUMN | {"index": 0}],
    })),
    "two_columns_of_an_index": ("column-index-repeated", put("leaderboards.0.columns.1.index", 0)),
    "two_columns_of_a_key": ("column-key-repeated", put("leaderboards.0.columns.3", COLUMN)),
    "columns_from_1": ("column-no-primary", put("leaderboards.0.columns.0.index", 3)),
    "another_primary": ("column-no-primary", put("leaderboards.0.primary_index", 9)),
    "a_computation_of_nothing": (
        "computation-half",
        put("leaderboards.0.columns.2.computation_indexes", GONE),
    ),
    "indexes_without_a_computation": (
        "computation-half",
        put("leaderboards.0.columns.2.computation", GONE),
    ),
    "a_column_of_itself": (
        "computation-index",
        put("leaderboards.0.columns.2.computation_indexes", [2]),
    ),
    "a_column_of_none": (
        "computation-index",
        put("leaderboards.0.columns.2.computation_indexes", [0, 7]),
    ),
}  # fmt: skip
# Those of which a second fault follows by itself.
MORE = {
    "a_long_key": {"column-not-written"},
    "a_task_without_an_index": {"task-unknown"},
    "another_primary": set(),
    "columns_from_1": {"computation-index"},
    "indexes_without_a_computation": {"column-not-written"},
    "no_tasks": {"task-unknown"},
    "phases_by_name": {"field-missing"},
    "phases_in_the_wrong_order": {"phase-migrates"},
    "two_columns_of_an_index": {"computation-index"},
    "two_tasks_of_an_index": {"task-unknown"},
}


@pytest.fixture
def found(tmp_path):
    """Break the sound bundle, and return the problems that are found."""

    def check(*mutations: Callable[[Members], None]):
        members = code_bundle()
        for mutate in mutations:
            mutate(members)
        path = tmp_path / "bundle.zip"
        path.write_bytes(bundle_of(members))
        return check_bundle(path)

    return check


def test_sound_bundles_pass(tmp_path, found):
    assert found() == []
    path = tmp_path / "results.zip"
    path.write_bytes(bundle_of(results_bundle()))
    assert check_bundle(path) == []


@pytest.mark.parametrize("name", BROKEN)
def test_each_fault_has_its_own_code(name, found):
    code, mutate = BROKEN[name]
    problems = found(mutate)
    codes = {problem.code for problem in problems}
    assert code in codes
    assert codes - {code} <= MORE.get(name, set()), codes
    assert all(len(str(problem)) < 600 and problem.remedy for problem in problems)


def test_they_are_many_and_show_every_entry_of_the_table():
    assert len(BROKEN) >= 60
    assert {code for code, _ in BROKEN.values()} >= TABLE.keys()


def test_all_are_listed_at_once(found):
    names = ("no_title", "empty_terms", "data_outside", "phases_that_touch", "a_column_of_none")
    wrong = [BROKEN[name] for name in names]
    assert [one.code for one in found(*(mutate for _, mutate in wrong))] == [c for c, _ in wrong]


@pytest.mark.parametrize(
    "mutate",
    [
        put("phases.0.start", "1-31-2026"),  # month, day, year, as public bundles have it
        put("phases.1.end", None),
        put("leaderboards.0.columns.0.computation", None),
        put("leaderboards.0.columns.2.computation", "avg_rank"),
        put("leaderboards.0.columns.0.key", "accuracy1"),  # put together from a number
        put("tasks.1", {"index": 1, "key": KEY}),
        put("solutions", []),
        put("phases.0.max_submissions", "50"),
        put("title", 2026),
    ],
)
def test_what_codabench_takes_passes(mutate, found):
    assert found(mutate) == []


def test_a_folder_is_checked_as_its_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as archive:
        archive.writestr("a", "")
    folder = tmp_path / "bundle"
    (tmp_path / "bundle.zip").write_bytes(bundle_of(code_bundle()))
    zipfile.ZipFile(tmp_path / "bundle.zip").extractall(folder)
    assert check_bundle(folder) == []
    (folder / "pages/terms.md").unlink()
    (folder / "pages/terms.md").symlink_to("/etc/hostname")  # leads out: it will not be there
    os.mkfifo(folder / "starting_kit" / "pipe.py")  # is not waited for
    assert [problem.code for problem in check_bundle(folder)] == ["file-missing"]


def test_what_is_not_there_is_wrong_use(tmp_path):
    with pytest.raises(UsageError, match="found no file"):
        check_bundle(tmp_path / "none.zip")


def test_what_cannot_be_read_is_told_once(tmp_path):
    path = tmp_path / "bundle.zip"
    path.write_bytes(patched(bundle_of(code_bundle()), 8, b"\1", most=1))
    assert [problem.code for problem in check_bundle(path)] == ["encrypted"]
    path.write_bytes(b"no zip")
    assert [problem.code for problem in check_bundle(path)] == ["not-a-zip"]


def test_a_hostile_file_is_answered_soon_and_shortly(found):
    assert [one.code for one in found(text(lambda said: "[" * 100_000))] == ["yaml-unreadable"]
    assert len(found(put("pages", [{} for _ in range(5000)]))) == MOST


LAUGHS = "a: &a [ha]\nb: &b [*a, *a]\n"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (LAUGHS, "an alias, to be written out, in line"),
        ('end: !!int ""\n', "'', which cannot be read as int, in line"),
        ('end: !!float ""\n', "'', which cannot be read as float, in line"),
        ("end: !!bool x\n", "'x', which cannot be read as bool, in line"),
        ("end: !!timestamp x\n", "'x', which cannot be read as timestamp, in line"),
        ("end: 2026-02-31\n", "'2026-02-31', which cannot be read as timestamp, in line"),
        ('end: "\\ud800"\n', r"'\ud800', which cannot be read as str, in line"),
        ('"\\udfff": a\n', r"'\udfff', which cannot be read as str, in line"),
        (f"end: {'9' * 5000}\n", "which cannot be read as int, in line"),
        (f"end: 0x{'f' * 5000}\n", "which cannot be read as int, in line"),
        (f"end: 1{':1' * 200_000}\n", "which cannot be read as int, in line"),  # base 60: hours
        (f"end: 1{':1' * 200_000}.0\n", "which cannot be read as float, in line"),
    ],
)
def test_hostile_settings_are_one_sentence_with_their_line(found, line, told):
    problems = found(text(lambda said: line + said))
    assert {one.code for one in problems} == {"yaml-unreadable"}
    assert told in str(problems[0]).replace(r"\\", "\\") and len(str(problems[0])) < 500
    assert f" in line {line.count(chr(10))}. " in str(problems[0])


def test_a_key_that_stands_twice_is_told_with_its_block(found):
    [problem] = found(text(lambda said: said + "fact_sheet: {}\nfact_sheet: {}\n"))[:1]
    assert problem.found == "'fact_sheet' twice in the block of line 1"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("a" * 1_000_000, None),  # a search from each letter to the end takes hours
        (f"python3 {'a' * 300}.py", "command-file"),  # longer than a name may be
        (f"python3 {'a/' * 3000}a.py", "command-file"),
        ("12", None),
        ("!!int 9999999999", None),
    ],
)
def test_a_hostile_command_is_read_soon(found, command, code):
    name = "programs/ingestion/metadata.yaml"
    assert [one.code for one in found(member(name, f"command: {command}\n"))] == [code] * bool(code)


def test_a_program_that_many_tasks_share_is_read_once(found, monkeypatch):
    read = []
    monkeypatch.setattr(check, "_command", lambda folder: read.append(folder) or "python3 score.py")
    task = code_bundle()["competition.yaml"]["tasks"][0]
    found(put("tasks", [task | {"index": n} for n in range(2000)]))
    assert len(read) == len({*read}) == 2


def test_what_documentation_and_code_say_is_told_where_they_differ(found):
    said = {one.code: str(one) for one in found(in_the_singular, put("version", GONE))}
    assert "the documentation" in said["version-missing"]
    assert said["leaderboard-key"] == (
        "competition.yaml: expected the key leaderboards, found leaderboard. Write leaderboards, "
        "and a list under it: the code reads nothing else."
    )
    assert "documentation" in RULES["leaderboard-key"].title


def test_the_table_of_fields_names_what_it_knows_of():
    rows = [row for table in FIELDS.values() for row in table.values()]
    known = {"kind", "most", "need", "unless", "null", "among"}
    assert all(row.keys() <= known for row in rows) and len(rows) > 70
