"""`datkit submit …`: problems on standard output, the exit code says how grave."""

import zipfile

from datkit.cli import main
from datkit.replica.sandbox import LEVELS


def test_submit_check_lists_problems(capsys, run_json, tmp_path):
    broken = tmp_path / "submission.zip"
    broken.write_bytes(b"no zip")
    code, problems = run_json("submit", "check", broken)
    assert code == 1 and len(problems) == 1
    assert main(["submit", "check", str(broken)]) == 1
    assert "submission.zip" in capsys.readouterr().out


def test_submit_check_says_how_grave_and_writes_a_page(capsys, run_json, tmp_path):
    packed, page = tmp_path / "submission.zip", tmp_path / "findings.html"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("main.py", "import os\nnames = os.listdir('data/niftis')\n")
    assert main(["submit", "check", str(packed), "--html", str(page)]) == 0, "a warning alone is 0"
    shown = capsys.readouterr().out
    assert "1 warning" in shown and "lists-data" in shown and "look at each warning" in shown
    assert "lists-data" in page.read_text(encoding="utf-8")
    code, [problem] = run_json("submit", "check", packed)
    assert (code, problem["severity"]) == (0, "warning")
    assert main(["submit", "check", str(tmp_path / "absent.zip")]) == 2


def test_submit_check_documents_its_exit_codes(shown_help):
    shown = shown_help("submit", "check")
    assert "exit codes:\n  0    no error" in shown and "--html FILE" in shown


def test_run_offers_every_isolation(shown_help):
    assert f"--isolation {{{','.join(LEVELS)}}}" in shown_help("submit", "run")
