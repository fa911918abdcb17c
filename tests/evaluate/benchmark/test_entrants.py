"""Who takes part: models by their text or as they are, and the oracle that is none."""

import numpy as np
import pandas as pd

from datkit.evaluate.benchmark.entrants import CONTROLS, Entrant, Oracle
from datkit.models import MeasuresClassifier
from datkit.simulate.exam import CENTRE_BIAS
from datkit.simulate.readers import label_probability

FILE = "class Mine:\n    fit = predict_proba = lambda self, *_: None\n"


def test_a_text_is_built_with_its_settings_and_seed_and_a_model_is_cloned():
    built = Entrant("a", "boosting trees=7").build(seed=3)
    assert (built.kind, built.trees, built.seed) == ("boosting", 7, 3)
    model = MeasuresClassifier(C=0.5)
    clone = Entrant("b", model).build(seed=3)
    assert clone is not model and clone.C == 0.5


def test_another_file_is_other_code(tmp_path):
    path = tmp_path / "mine.py"
    mine = Entrant("mine", f"{path}:Mine")
    hashes = []
    for source in (FILE, FILE, FILE + "# changed\n"):
        path.write_text(source)
        hashes.append(mine.code())
    assert hashes[0] == hashes[1] != hashes[2]


def test_the_oracle_says_what_the_readers_would():
    truth = pd.DataFrame({"weaker_posterior_putamen": [0.1, 0.7, 1.2]})
    p = Oracle().fit(truth, np.array([0, 1, 1])).predict_proba(truth)[:, 1]
    expected = label_probability(truth["weaker_posterior_putamen"], spread=CENTRE_BIAS)
    np.testing.assert_allclose(p, expected)


def test_each_control_has_a_name_of_its_own_and_only_the_leak_leaks():
    assert len({one.name for one in CONTROLS}) == len(CONTROLS)
    assert [one.name for one in CONTROLS if one.leaks] == ["leak"]
    assert all(one.reads and one.role != "model" for one in CONTROLS)
