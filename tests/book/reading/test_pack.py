"""The files that the reading pages load."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datkit.book.reading import pack
from datkit.book.reading.chosen import choose_exams
from datkit.models import MeasuresClassifier
from datkit.prepare import GRID, PreparedCohort


def test_what_comes_after_an_answer_is_apart_and_encoded() -> None:
    exams = dict(list(choose_exams().items())[:2])
    volume = np.ones(GRID.shape, np.float32)
    content = pack.pack_set(exams, dict.fromkeys(exams, pack.Seen(volume, {"resolution": 40.0})))
    assert content["exams"].keys() == content["key"].keys() == exams.keys()
    assert all(set(person) == {"age", "sex"} for person in content["exams"].values())
    shown = json.dumps({name: value for name, value in content.items() if name != "key"})
    assert "label" not in shown and "votes" not in shown
    after = json.loads(base64.b64decode(content["key"]["e01"]))
    one = exams["e01"]
    assert (after["label"], after["side"], after["uid"]) == (one.label, one.side, one.drawn.uid)
    assert len(after["measures"]) == len(pack.MEASURES)
    assert {row["z"] for row in after["measures"]} == {None}, "40 mm are beyond all normals"


def test_a_set_is_named_after_its_exams(monkeypatch: pytest.MonkeyPatch) -> None:
    exams = dict(list(choose_exams().items())[:3])
    seen = dict.fromkeys(exams, pack.Seen(np.ones(GRID.shape, np.float32), {"resolution": 40.0}))

    def name(names: list[str], said: list[dict]) -> str:
        chosen = {one: exams[one] for one in names}
        return pack.pack_set(chosen, seen, dict.fromkeys(names, said))["name"]

    every = [*exams]
    first = name(every, [])
    assert re.fullmatch(r"dat-48-2026-[0-9a-f]{8}", first)
    assert name(every, [{"name": "another model", "p": 0.5}]) == first
    assert name(every[:2], []) != first != name(every[::-1], [])
    monkeypatch.setattr(pack, "VERSION", "another simulator")
    assert name(every, []) != first


def test_a_model_has_met_neither_the_patient_nor_the_centre(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exams = {name: one for name, one in choose_exams().items() if one.index == 7}
    twin = next(name for name, one in exams.items() if one.centre)
    uids = [f"sim-2026-{number:04d}" for number in range(40)]
    centres = np.where(np.arange(40) % 4 == 2, exams[twin].centre, "centre-01")
    rng = np.random.default_rng(0)
    volumes = rng.normal(2, 0.1, (40, *GRID.shape)).astype(np.float32)
    table = pd.DataFrame({"centre": centres, "is_pathologic": np.arange(40) % 2}, index=uids)
    prepared = PreparedCohort(volumes, table)
    learnt = []
    fit = MeasuresClassifier.fit
    monkeypatch.setattr(
        MeasuresClassifier, "fit", lambda self, X, y: learnt.append([*X.index]) or fit(self, X, y)
    )
    seen = {twin: pack.Seen(volumes[0], {})}
    said = pack.judge_exams({twin: exams[twin]}, seen, prepared)[twin]
    assert [*map(len, learnt)] == [29] and "sim-2026-0007" not in learnt[0]
    assert all(centres[uids.index(uid)] != exams[twin].centre for uid in learnt[0])
    assert len(said) == 2 and all(0 <= one["p"] <= 1 for one in said)


def test_files_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def see(exams: dict, prepared: str) -> dict:
        assert prepared == "prepared"
        return dict.fromkeys(exams, pack.Seen(np.ones(GRID.shape, np.float32), {}))

    monkeypatch.setattr(pack, "choose_exams", lambda: dict(list(choose_exams().items())[:2]))
    monkeypatch.setattr(pack, "open_cohort", lambda *_, **how: asked.append(how))
    monkeypatch.setattr(pack, "prepare_cohort", lambda *_, **__: "prepared")
    monkeypatch.setattr(pack, "see_exams", see)
    monkeypatch.setattr(pack, "judge_exams", lambda *_: {})
    for _ in range(2):
        assert pack.main(["--size", "tiny", "--out", str(tmp_path)]) == 0
    assert asked == [{"size": "tiny", "seed": 2026}]
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["key.txt", "set.js", "volumes-1.js", "volumes-2.js"]
    text = (tmp_path / "volumes-1.js").read_text(encoding="utf-8")
    assert text.startswith("window.datReadingVolumes = ") and text.endswith(");\n")


def test_exams_of_the_cohort_are_read_back_and_the_others_simulated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exams = {name: one for name, one in choose_exams().items() if one.index == 7}
    here = next(name for name, one in exams.items() if not one.centre)
    volumes = np.full((1, *GRID.shape), 2.0, np.float32)
    table = pd.DataFrame({"resolution": [9.5]}, index=["sim-2026-0007"])
    prepared = PreparedCohort(volumes, table)
    monkeypatch.setattr(pack, "_simulate", lambda one: pack.Seen(np.zeros(1), {"made": one.name}))
    seen = pack.see_exams(exams, prepared)
    assert seen.pop(here).quality == {"resolution": 9.5}
    [(_, other)] = seen.items()
    assert other.quality == {"made": "0007 centre-10"}
