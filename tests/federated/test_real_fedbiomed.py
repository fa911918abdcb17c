"""The exported plan in the real library's classes, without nodes or network: `make fedbiomed`.

It runs in an environment of its own, where datkit is not installed: a node has none either.
"""

from __future__ import annotations

import ast
import inspect
import os
import sys
import tempfile
from pathlib import Path
from unittest.mock import MagicMock

import pytest

pytest.importorskip(
    "fedbiomed", reason="needs Fed-BioMed, which has an environment of its own: make fedbiomed"
)
# A researcher's component makes a folder as it is imported: not in the checkout.
os.environ.setdefault("FBM_RESEARCHER_COMPONENT_ROOT", tempfile.mkdtemp())
# PyPI's torchvision needs PyTorch's CUDA build. Fed-BioMed imports it for its own image data sets.
for name in ("torchvision", "torchvision.datasets", "torchvision.transforms"):
    sys.modules[name] = MagicMock()

import torch  # noqa: E402
from fedbiomed.common.constants import TrainingPlans  # noqa: E402
from fedbiomed.common.training_args import TrainingArgs  # noqa: E402
from fedbiomed.common.utils import import_class_object_from_file  # noqa: E402
from fedbiomed.researcher.aggregators import FedAverage  # noqa: E402
from fedbiomed.researcher.federated_workflows import Experiment  # noqa: E402

EXPORT = Path(os.environ.get("DATKIT_FEDBIOMED", "build/fedbiomed"))
HOSPITALS = sorted(EXPORT.glob("hospitals/*"), key=lambda one: -(one / "boxes.npy").stat().st_size)
TRAINING = {
    "epochs": 2,
    "loader_args": {"batch_size": 4},
    "optimizer_args": {"lr": 1e-3},
    "random_seed": 2026,
    "share_persistent_buffers": True,
}
ROUNDS = 4


class Losses(list):
    """Stands for what tells the researcher how a node's training goes."""

    def add_scalar(self, metric, **_):
        self.append(metric["Loss"])


def load(file, hospital, *, model_args=None):
    """Do what `fedbiomed.node.round` does before a training: the plan, and its loader of exams."""
    plan = import_class_object_from_file(str(file), "DatPlan")[1]
    plan.post_init(model_args or {"width": 4}, TrainingArgs(TRAINING, only_required=False))
    manager = plan.training_data()
    manager.extend_loader_args(TRAINING["loader_args"])
    manager.load(tp_type=TrainingPlans.TorchTrainingPlan)
    manager.load_dataset(root=str(hospital))
    plan.set_data_loaders(*manager.split(test_ratio=0.0, test_batch_size=None))
    return plan


def log_loss(plan):
    """Return the sum of the log loss over a hospital's exams, and how many these are."""
    plan.model().eval()
    with torch.no_grad():
        losses = [
            (len(y), plan.testing_step(x, y)["log loss"]) for x, y in plan.training_data_loader
        ]
    return sum(n * loss for n, loss in losses), sum(n for n, _ in losses)


def together(file, hospitals, weights):
    """Return the log loss of all hospitals' exams under shared weights."""
    sums = []
    for one in hospitals:
        plan = load(file, one)
        plan.set_model_params(weights)
        sums.append(log_loss(plan))
    return sum(loss for loss, _ in sums) / sum(n for _, n in sums)


def test_it_trains_two_hospitals_and_what_is_sent_is_a_plan_too(tmp_path):
    """Rounds of federated averaging, each on the text that Fed-BioMed would send a node."""
    here = HOSPITALS[:2]
    assert len(here) == 2
    first = load(EXPORT / "plan.py", here[0])
    first.save_code(str(tmp_path / "sent.py"))
    weights = first.get_model_params()
    before = together(tmp_path / "sent.py", here, weights)
    for _ in range(ROUNDS):
        replies, seen = {}, {}
        for one in here:
            plan, told = load(tmp_path / "sent.py", one), Losses()
            plan.set_model_params(weights)
            seen[one.name] = plan.training_routine(history_monitor=told, node_args={})
            replies[one.name] = plan.after_training_params()
            assert told
        shares = {name: n / sum(seen.values()) for name, n in seen.items()}
        weights = FedAverage().aggregate(replies, shares)
    after = together(tmp_path / "sent.py", here, weights)
    print(f"log loss of {seen}: {before:.4f}, after {ROUNDS} rounds {after:.4f}")
    assert after < before


def test_a_folder_that_does_not_fit_is_told(tmp_path):
    from fedbiomed.common.exceptions import FedbiomedError

    for name in ("boxes.npy", "labels.csv"):
        (tmp_path / name).write_bytes((HOSPITALS[0] / name).read_bytes())
    with (tmp_path / "labels.csv").open("a", encoding="utf-8") as table:
        table.write("one-more,1\n")
    with pytest.raises(FedbiomedError, match="Expected a label a box"):
        load(EXPORT / "plan.py", tmp_path)


def test_the_experiment_names_what_fed_biomed_takes():
    """Starting one needs nodes: only the names of its settings are held to the real classes."""
    nodes = ast.walk(ast.parse((EXPORT / "experiment.py").read_bytes()))
    calls = [one for one in nodes if isinstance(one, ast.Call)]
    [call] = [one for one in calls if getattr(one.func, "id", "") == "Experiment"]
    inits = (inspect.signature(one.__init__).parameters for one in Experiment.__mro__[:-1])
    taken = {name for parameters in inits for name in parameters}
    given = {one.arg: one.value for one in call.keywords}
    assert given.keys() <= taken
    TrainingArgs(ast.literal_eval(given["training_args"]), only_required=False)
