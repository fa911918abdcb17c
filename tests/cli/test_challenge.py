"""`datkit class …`: from a cohort to a board, without a server."""

from __future__ import annotations

import sys

import pandas as pd
import pytest
from exams import save_small

from datkit.challenge import Classroom
from datkit.challenge.description import EXAMPLES
from datkit.cli import main


@pytest.fixture
def cohort(tmp_path):
    folder = tmp_path / "cohort"
    rows = [(f"e{n}", n % 2, f"c{n // 2 % 4}") for n in range(16)]
    for number, (uid, *_) in enumerate(rows):
        save_small(folder / "niftis" / f"{uid}.nii.gz", seed=number)
    table = pd.DataFrame(rows, columns=["uid", "is_pathologic", "centre"]).set_index("uid")
    table[["is_pathologic"]].to_csv(folder / "train_labels.csv")
    table[["centre"]].to_csv(folder / "exams.csv")
    return folder


def test_a_challenge_from_beginning_to_end(cohort, tmp_path, run_json, capsys):
    folder, zips = tmp_path / "class", tmp_path / "handed_in"
    code, made = run_json("class", "init", folder, "--cohort", cohort)
    assert code == 0 and made["exams"] == {"train": 8, "public": 4, "private": 4}
    zips.mkdir()
    for part in ("public", "private"):
        rows = (folder / part / "submission_format.csv").read_text().splitlines()
        for team, p in (("alpha", 0.6), ("beta", 0.3)):
            lines = [rows[0], *(row.replace(",0", f",{p}") for row in rows[1:]), ""]
            (zips / f"{team}.csv").write_text("\n".join(lines))
        words = ["class", "submit", zips / "alpha.csv", zips / "beta.csv", "--folder", folder]
        code, marked = run_json(*words)
        assert code == 0 and [one["found"] for one in marked] == [0, 0]
        assert run_json("class", "close", folder)[0] == 0
    page = tmp_path / "board.html"
    code, board = run_json("class", "board", folder, "--html", page)
    names = [row["name"] for row in board["rows"]["private"] if row["rank"]]
    assert sorted(names) == ["alpha", "beta"] and board["head"] in page.read_text()
    assert main(["class", "board", str(folder)]) == 0
    assert "private: 4 exams" in capsys.readouterr().out
    assert main(["class", "submit", str(zips / "beta.csv"), "--folder", str(folder)]) == 1
    assert "expected an open phase" in capsys.readouterr().err


def test_what_is_wrong_is_told_at_once(cohort, tmp_path, capsys):
    folder, bad = tmp_path / "class", tmp_path / "bad.csv"
    assert main(["class", "init", str(folder), "--cohort", str(cohort)]) == 0
    bad.write_text("uid,p\n")
    assert main(["class", "submit", str(bad), "--team", "alpha", "--folder", str(folder)]) == 1
    shown = capsys.readouterr().out
    assert "header" in shown and "uid-missing" in shown
    assert main(["class", "init", str(folder), "--cohort", str(cohort)]) == 2


def test_a_file_that_is_refused_holds_no_other_up(cohort, tmp_path, run_json, capsys):
    folder = tmp_path / "class"
    run_json("class", "init", folder, "--cohort", cohort)
    fine, nameless = folder / "public" / "submission_format.csv", tmp_path / f"{'a' * 41}.csv"
    nameless.write_bytes(fine.read_bytes())
    others = [str(nameless), str(tmp_path), str(tmp_path / "gone.csv")]
    assert main(["class", "submit", *others, str(fine), "--folder", str(folder)]) == 1
    shown = capsys.readouterr()
    assert "submission_format" in shown.out and "letters that can be seen" in shown.err
    assert shown.err.count("expected a file, found") == 2


def test_a_cohort_that_can_be_simulated_again_is_told(cohort, tmp_path, capsys):
    (cohort / "cohort.json").write_text('{"name": "simulated", "seed": 2026}')
    assert main(["class", "init", str(tmp_path / "class"), "--cohort", str(cohort)]) == 0
    assert "seed (2026) can simulate the labels" in capsys.readouterr().err


def test_a_challenge_is_exported_and_checked(cohort, tmp_path, run_json, capsys):
    folder, zipped = tmp_path / "class", tmp_path / "bundle.zip"
    assert main(["class", "init", str(folder), "--cohort", str(cohort)]) == 0
    words = ["class", "export", "codabench", folder, "--out", zipped]
    assert main([*map(str, words)]) == 2 and "give --start" in capsys.readouterr().err
    assert main([*map(str, words), "--start", "tomorrow"]) == 2
    assert "a date such as 2026-12-01" in capsys.readouterr().err
    for late in (["9999-12-30"], ["2026-12-01", "--days", str(10**9)]):
        assert main([*map(str, words), "--start", *late]) == 2 and not zipped.exists()
        assert "phases before the year 10000" in capsys.readouterr().err
    assert run_json(*words, "--start", "2026-12-01") == (0, [])
    assert run_json("class", "check", zipped) == (0, [])
    more = ["--cohort", cohort, "--challenge", EXAMPLES / "class.yaml", "--start", "2026-12-01"]
    new = ["class", "export", "codabench", tmp_path / "new", "--out", zipped, *more]
    assert main([*map(str, new)]) == 2 and not (tmp_path / "new").exists()
    assert run_json(*new, "--overwrite")[0] == 0
    assert run_json("class", "check", zipped) == (0, [])
    assert main(["class", "check", str(cohort)]) == 1
    assert "yaml-missing      the bundle: expected a file" in capsys.readouterr().out


def test_a_design_is_exported_and_what_is_left_is_counted(cohort, tmp_path, run_json, capsys):
    form, folder = tmp_path / "bias.md", tmp_path / "class"
    assert main(["class", "export", "bias", "dat-park", "--out", str(form)]) == 0
    said = capsys.readouterr().out
    assert f"{form}: 32 of 57 items are filled in\n25 are left to you, under design: 3, 4b" in said
    assert '# Design of the challenge "DaT Parkinson' in form.read_text(encoding="utf-8")
    form.write_text("mine", encoding="utf-8")
    assert main(["class", "export", "bias", "dat-park", "--out", str(form)]) == 2
    assert "replace it with --overwrite" in capsys.readouterr().err
    assert form.read_text(encoding="utf-8") == "mine"
    run_json("class", "init", folder, "--cohort", cohort)
    assert run_json("class", "export", "bias", folder, "--out", form, "--overwrite")[0] == 0
    assert "train: 8 exams; public: 4 exams; private: 4 exams." in form.read_text(encoding="utf-8")
    assert main(["class", "export", "bias", str(tmp_path / "none.yaml")]) == 2


def test_a_description_is_checked_before_it_is_used(tmp_path, capsys):
    path = tmp_path / "challenge.yaml"
    path.write_text((EXAMPLES / "class.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    assert main(["class", "check", str(path)]) == 0
    assert "no problem found" in capsys.readouterr().out
    path.write_text("version: 1\n", encoding="utf-8")
    assert main(["class", "check", str(path)]) == 1


def test_help_says_what_may_stand_for_a_challenge_and_what_teams_are(shown_help):
    for command in ("init", "serve", "export"):
        said = "".join(shown_help("class", command).split())
        assert "yourchallenge.yaml;oranexample:class,grades,dat-park" in said
    assert "each gets a token, printed once" in " ".join(shown_help("class", "serve").split())


def test_check_says_what_its_exit_codes_mean(shown_help):
    assert "exit codes:\n  0    no error" in shown_help("class", "check")


def test_plan_says_how_many_exams_it_takes(capsys, run_json):
    assert main(["class", "plan", "--gap", "0.02"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert "exams with 1, 3, 5 readers" in head and rows[0].split() == ["5", "–", "–", "–"]
    code, needed = run_json("class", "plan", "--teams", "2", "--gap", "0.05")
    assert code == 0 and needed["5"] == sorted(needed["5"], reverse=True)
    assert needed["80"][0] < needed["5"][0] < 100


def test_without_the_extra_it_says_what_to_install(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "datkit.challenge.server", raising=False)
    assert main(["class", "serve", str(tmp_path)]) == 2
    assert "pip install 'dat-spect-kit[class]'" in capsys.readouterr().err


def test_from_a_cohort_to_a_running_challenge_in_one_command(cohort, tmp_path, monkeypatch, capsys):
    served = []
    monkeypatch.setattr("datkit.challenge.server.serve", lambda *how: served.append(how))
    folder = tmp_path / "class"
    words = ["class", "serve", str(folder), "--cohort", str(cohort), "--teams", "alpha", "beta"]
    assert main(words) == main(words) == 0
    [first, again] = [how[0] for how in served]
    assert first.folder == again.folder == folder and served[0][1:] == ("127.0.0.1", 8000, None)
    teams = [one["name"] for one in again.record.of("team")]
    assert sorted(teams) == ["alpha", "beta"], "the second time they had tokens"
    assert capsys.readouterr().err.count("alpha  ") == 1


def test_teams_get_tokens_and_read_what_is_said(cohort, tmp_path, run_json, capsys):
    folder = tmp_path / "class"
    run_json("class", "init", folder, "--cohort", cohort)
    code, tokens = run_json("class", "team", folder, "alpha", "beta")
    assert code == 0 and [*tokens] == ["alpha", "beta"] and len({*tokens.values()}) == 2
    assert main(["class", "say", str(folder), "Friday.", "--answer", "4"]) == 2
    assert "Expected a question's number (none yet), found 4" in capsys.readouterr().err
    asked = Classroom.open(folder).record.add("asked", team="alpha", text="When?")["number"]
    answer = run_json("class", "say", folder, "Friday.", "--answer", asked)
    assert answer[1]["answers"] == asked
    assert main(["class", "say", str(folder), "Friday.", "--answer", str(asked + 1)]) == 2
    assert main(["class", "check", str(folder)]) == 0  # the challenge.yaml in it


def test_of_a_name_that_is_none_nobody_loses_a_token(cohort, tmp_path, run_json, capsys):
    folder = tmp_path / "class"
    run_json("class", "init", folder, "--cohort", cohort)
    for names in (["delta", "oracle"], ["delta", "a" * 41]):
        assert main(["class", "team", str(folder), *names]) == 1
    assert "found that of a control" in capsys.readouterr().err
    assert not [*Classroom.open(folder).record.of("team")]


def test_a_new_token_is_told_and_a_name_has_one_spelling(cohort, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("datkit.challenge.server.serve", lambda *_: None)
    folder = tmp_path / "class"
    words = ["class", "serve", str(folder), "--cohort", str(cohort), "--teams", "alpha"]
    assert main(words) == main([*words[:-1], " alpha"]) == 0
    assert len([*Classroom.open(folder).record.of("team")]) == 1
    assert main(["class", "team", str(folder), " alpha", "beta"]) == 0
    said = capsys.readouterr().err
    assert "older token of alpha is worth nothing" in said and "of beta" not in said


def test_a_changed_description_is_put_on_record(cohort, tmp_path, run_json, capsys):
    folder = tmp_path / "class"
    run_json("class", "init", folder, "--cohort", cohort)
    path = folder / "challenge.yaml"
    path.write_text(path.read_text().replace("a_day: 10", "a_day: 3"))
    assert main(["class", "board", str(folder)]) == 1
    assert "datkit class amend" in capsys.readouterr().err
    code, said = run_json("class", "amend", folder)
    assert code == 0 and main(["class", "board", str(folder)]) == 0
    assert said["described"] in capsys.readouterr().out
