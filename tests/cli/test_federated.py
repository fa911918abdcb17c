"""`datkit federated …`: a plan is written, and passes the check that comes next."""

from __future__ import annotations


def test_what_export_writes_passes_check(run_json, tmp_path):
    code, written = run_json("federated", "export", "fed-biomed", "--out", tmp_path / "plan")
    assert code == 0 and str(tmp_path / "plan" / "plan.py") in written
    assert run_json("federated", "check", tmp_path / "plan" / "plan.py") == (0, [])
