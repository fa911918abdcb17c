"""nilearn and MONAI beside the kit's networks: what they learn, when they stop, who is better."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from benchmarks.common.run import RESULTS
from benchmarks.models.peers import (
    KIT,
    MODELS,
    PEERS,
    MonaiDenseNet,
    NilearnDecoder,
    judge,
    peer_lines,
)
from datkit.data.split import Fold


@pytest.fixture(scope="module")
def exams():
    """Noise, and bright striata in every second exam."""
    y = np.arange(12) % 2
    X = np.random.default_rng(0).normal(1, 0.1, (12, 64, 80, 48)).astype(np.float32)
    X[y == 0, 20:44, 46:66, 14:24] += 2
    return X, y


def test_the_decoder_predicts_each_exam_alone(exams):
    X, y = exams
    model = NilearnDecoder(cv=2).fit(X, y, np.arange(12) // 2)
    p = model.predict_proba(X)
    assert ((p[:, 1] > 0.5) == y).all()
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_allclose(model.predict_proba(X[3:4]), p[3:4], rtol=1e-6)


def test_monai_trains_until_its_time_is_up_and_from_a_seed(exams):
    pytest.importorskip(
        "monai", reason="MONAI is not installed: pip install 'dat-spect-kit[monai]'"
    )
    X, y = exams
    brief = [MonaiDenseNet(seconds=0.0, side=32).fit(X, y) for _ in range(2)]
    assert [one.shown_ for one in brief] == [2, 2]  # the batch that it began
    p, again = (one.predict_proba(X[:2]) for one in brief)
    np.testing.assert_array_equal(p, again)
    assert MonaiDenseNet(seconds=1.0, side=32).fit(X, y).shown_ > 2


def test_differences_are_paired_and_the_best_model_stands_first():
    y = np.array([0, 1] * 20)
    uids = tuple(f"exam-{i}" for i in range(40))
    table = pd.DataFrame({"label": y, "centre": "one"}, index=uids)
    fold = Fold("fold 1", ("another",), uids)
    good, bad = np.where(y, 0.8, 0.2).tolist(), np.where(y, 0.6, 0.4).tolist()
    fits = {f"{name} | fold 1": {"p": good if name in KIT else bad, "seconds": 2.0}
            for name in MODELS}  # fmt: skip
    results = judge(table, [fold], fits)
    assert len(results["differences"]) == len(KIT) * 2
    for gap in results["differences"]:
        assert gap["log_loss"][0] == pytest.approx(np.log(0.6 / 0.8), abs=1e-4)
    lines = list(peer_lines(results))
    assert lines[4].startswith("| projection |") and "−0.288" in lines[4]
    assert lines[-3].split("|")[1].strip() in PEERS
    assert lines[-1].endswith("was shown 0 exams in all.")


def test_the_table_in_the_checkout_is_that_of_its_results():
    results = json.loads((RESULTS / "peers-2026.json").read_text(encoding="utf-8"))
    held = (RESULTS / "peers-2026.md").read_text(encoding="utf-8")
    assert held == "\n".join(peer_lines(results)) + "\n"
