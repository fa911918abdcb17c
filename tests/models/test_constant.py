"""The prior: the same answer to everything."""

import numpy as np
import pytest
from stored import forge

from datkit.errors import ModelError
from datkit.models import ConstantClassifier, load_model, save_model


def test_it_says_how_many_were_abnormal_and_is_stored(tmp_path):
    model = ConstantClassifier().fit(np.zeros((4, 2)), [0, 1, 1, 1])
    assert (model.reads, model.cost) == ("volumes", 0)
    save_model(model, tmp_path)
    np.testing.assert_allclose(load_model(tmp_path).predict_proba(np.ones((2, 9)))[:, 1], 0.75)


@pytest.mark.parametrize("prior", [0, 1, -1, "NaN"])
def test_a_stored_prior_of_no_sense_is_refused(prior, tmp_path):
    save_model(ConstantClassifier().fit(np.zeros((2, 1)), [0, 1]), tmp_path)
    forge(tmp_path, prior=prior)
    with pytest.raises(ModelError, match="damaged. Expected a prior between 0 and 1"):
        load_model(tmp_path)
