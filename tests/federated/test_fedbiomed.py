"""The plan for Fed-BioMed that the kit writes: its network is the kit's, its files as they say."""

from __future__ import annotations

import ast
import json

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from datkit.cli import main
from datkit.errors import UsageError
from datkit.federated.fedbiomed import export_fed_biomed
from datkit.federated.plan_rules import check_plan
from datkit.models import crop_striata
from datkit.models.volume import CompactCNN
from datkit.prepare.cohort import PreparedCohort


def prepared(centres, labels=None):
    n = len(centres)
    volumes = np.random.default_rng(0).random((n, 64, 80, 48), dtype=np.float32)
    table = pd.DataFrame({"is_pathologic": labels or [0.0, 1.0] * (n // 2), "centre": centres})
    table.index = pd.Index([f"e{row}" for row in range(n)], name="uid")
    return PreparedCohort(volumes, table)


@pytest.fixture
def plan(tmp_path):
    export_fed_biomed(tmp_path / "plan")
    return ast.parse((tmp_path / "plan" / "plan.py").read_bytes()).body[-1]


def test_its_network_is_the_kit_s(plan):
    [network] = [one for one in plan.body if getattr(one, "name", "") == "Network"]
    names = {"nn": nn}
    exec(compile(ast.Module([network], []), "plan.py", "exec"), names)
    ours, theirs = CompactCNN(4).eval(), names["Network"](4).eval()
    theirs.load_state_dict(ours.state_dict())
    boxes = torch.rand(3, 24, 16, 16)
    assert torch.equal(theirs(boxes), ours(boxes))


def test_what_fed_biomed_sends_a_node_passes_too(plan, tmp_path):
    """The class alone, below the imports of Fed-BioMed's own and those that the plan asks for."""
    [listed] = [part for one in plan.body if getattr(one, "name", "") == "init_dependencies"
                for part in ast.walk(one) if isinstance(part, ast.List)]  # fmt: skip
    given = [
        "import torch.nn as nn",
        "from fedbiomed.common.training_plans import TorchTrainingPlan",
    ]
    lines = [*given, *ast.literal_eval(listed), ast.unparse(plan)]
    (tmp_path / "sent.py").write_text("\n".join(lines), encoding="utf-8")
    assert check_plan(tmp_path / "sent.py") == []


def test_each_hospital_gets_its_labelled_exams_and_no_other_s(tmp_path):
    exams = prepared(["a", "b", "b", "a", "a", "b"], [0.0, 1.0, 0.0, np.nan, 1.0, 1.0])
    written = export_fed_biomed(tmp_path / "plan", exams)
    names = ["README.md", "experiment.py", "plan.py", "hospitals/a", "hospitals/b"]
    assert written == [tmp_path / "plan" / name for name in names]
    for name, rows in {"a": [0, 4], "b": [1, 2, 5]}.items():
        folder = tmp_path / "plan" / "hospitals" / name
        boxes = np.load(folder / "boxes.npy", allow_pickle=False)
        np.testing.assert_array_equal(boxes, crop_striata(exams.volumes[rows]))
        labels = pd.read_csv(folder / "labels.csv", index_col="uid")
        assert labels.index.tolist() == [f"e{row}" for row in rows]
        told = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        assert told["data_type"] == "custom" and told["path"] == str(folder)
        assert {"tags", "name", "description"} < told.keys()


def test_a_centre_s_name_leads_to_no_other_place(tmp_path):
    written = export_fed_biomed(tmp_path / "plan", prepared(["..", "/etc/x", "a/../../b", "é"]))
    places = [path.resolve().parent for path in written[3:]]
    assert places == [(tmp_path / "plan" / "hospitals").resolve()] * 4


def test_without_centres_all_is_one_hospital(tmp_path):
    exams = prepared(["a", "b"])
    alone = PreparedCohort(exams.volumes, exams.table[["is_pathologic"]])
    assert (
        export_fed_biomed(tmp_path / "plan", alone)[-1] == tmp_path / "plan" / "hospitals" / "all"
    )


def test_what_is_there_is_not_overwritten(tmp_path, capsys):
    call = ["federated", "export", "fed-biomed", "--out", str(tmp_path / "plan")]
    assert main(call) == 0 and "README.md" in capsys.readouterr().out
    (tmp_path / "plan" / "plan.py").write_text("mine", encoding="utf-8")
    assert main(call) == 2 and "Expected a new or an empty folder" in capsys.readouterr().err
    assert (tmp_path / "plan" / "plan.py").read_text(encoding="utf-8") == "mine"
    with pytest.raises(UsageError, match="name another"):
        export_fed_biomed(tmp_path / "plan")
