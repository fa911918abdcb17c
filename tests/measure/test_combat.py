"""ComBat: checked against numbers of neuroCombat 0.2.12, and in the words of the clinic."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from datkit.errors import UsageError
from datkit.measure.combat import Combat

# Six exams of two measures at two centres. By hand: α = (1.75, 3.25), σ² = mean squared distance to
# the centre's own mean.
SBR = np.array([[1.0, 2.0], [1.2, 2.6], [1.4, 2.9], [2.0, 3.8], [2.2, 3.9], [2.7, 4.3]])
CENTRES = ["a", "a", "a", "b", "b", "b"]
AGES = [70, 60, 65, 50, 70, 55]
# neuroCombat(SBR.T, covars, "batch")["data"].T of neuroCombat 0.2.12, without and with AGES
GOLDEN = [[1.5777, 2.8223], [1.7657, 3.3143], [1.9538, 3.5603],
          [1.4935, 3.0856], [1.6554, 3.1777], [2.0601, 3.5461]]  # fmt: skip
GOLDEN_AGE = [[1.5568, 2.7498], [1.7539, 3.2839], [1.9500, 3.5325],
              [1.5213, 3.1561], [1.6617, 3.2034], [2.0656, 3.5739]]  # fmt: skip


def exams(n: int = 60, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Centre b reads 0.6 higher with twice the spread; age takes 0.02 a year."""
    rng = np.random.default_rng(seed)
    centres = np.repeat(["a", "b"], n // 2)
    high = (centres == "b").astype(float)
    age = rng.normal(65, 10, n) + 5 * high
    noise = 0.1 * rng.normal(size=(n, 3)) * (1 + high[:, None])
    values = 2 + 0.6 * high[:, None] - 0.02 * (age[:, None] - 65) + noise
    columns = ["caudate_left", "putamen_left", "putamen_right"]
    return pd.DataFrame(values, columns=columns), centres, age


def test_mean_and_spread_by_pencil():
    fit = Combat().fit(SBR, CENTRES)
    assert fit.mean_ == pytest.approx([1.75, 3.25])
    assert fit.sd_[0] ** 2 == pytest.approx((0.2**2 + 0.2**2 + 0.3**2 + 0.1**2 + 0.4**2) / 6)
    assert fit.centres_ == ["a", "b"] and fit.slopes_.shape == (0, 2)


def test_it_gives_the_numbers_of_neurocombat():
    np.testing.assert_allclose(Combat().fit_transform(SBR, CENTRES), GOLDEN, atol=2e-4)
    np.testing.assert_allclose(Combat().fit_transform(SBR, CENTRES, AGES), GOLDEN_AGE, atol=2e-4)


def test_centres_agree_afterwards_and_age_stays():
    table, centres, age = exams()
    even = Combat().fit_transform(table, centres, age)
    rest = even.to_numpy() + 0.02 * (age[:, None] - 65)
    assert np.abs(rest[centres == "a"].mean(0) - rest[centres == "b"].mean(0)).max() < 0.1
    slopes = np.polyfit(age, even.to_numpy(), 1)[0]
    assert slopes == pytest.approx(-0.02, abs=0.004)


def test_equal_centres_are_left_nearly_alone():
    table = pd.concat([exams(40)[0].iloc[:20]] * 2, ignore_index=True)
    even = Combat().fit_transform(table, np.repeat(["a", "b"], 20))
    np.testing.assert_allclose(even, table, atol=0.05)


def test_what_is_learnt_does_not_depend_on_the_exams_it_is_applied_to():
    table, centres, age = exams()
    fit = Combat().fit(table, centres, age)
    together = fit.transform(table, centres, age)
    alone = fit.transform(table.iloc[[7]], centres[[7]], age[[7]])
    np.testing.assert_array_equal(alone, together.iloc[[7]])


def test_a_covariate_unknown_at_prediction_may_be_left_out():
    """The offset goes all the same; the spread about the usual exam is evened, age and all."""
    table, centres, age = exams()
    fit = Combat().fit(table, centres, age)
    usual = np.full(len(age), age.mean())
    without = fit.transform(table, centres)
    pd.testing.assert_frame_equal(without, fit.transform(table, centres, usual))
    middle = np.abs(age - age.mean()) < 3
    apart = fit.transform(table, centres, age) - without
    assert np.abs(apart[middle]).to_numpy().max() < 0.1


def test_a_table_stays_a_table():
    table, centres, _ = exams()
    even = Combat().fit_transform(table, centres)
    assert list(even.columns) == list(table.columns) and even.index.equals(table.index)
    np.testing.assert_array_equal(even, Combat().fit_transform(table.to_numpy(), centres))


def test_an_unseen_centre_is_refused_or_kept():
    table, centres, _ = exams()
    strange = np.where(centres == "b", "c", centres)
    with pytest.raises(UsageError, match="found c; train with"):
        Combat().fit(table, centres).transform(table, strange)
    kept = Combat(unseen="keep").fit(table, centres).transform(table, strange)
    pd.testing.assert_frame_equal(kept[strange == "c"], table[strange == "c"])
    assert not np.allclose(kept[strange == "a"], table[strange == "a"])
    with pytest.raises(UsageError, match='"raise" or "keep"'):
        Combat(unseen="guess").fit(table, centres).transform(table, centres)


def test_it_is_stored_as_plain_json_and_read_back(tmp_path):
    table, centres, age = exams()
    for fit in (Combat().fit(table, centres), Combat(unseen="keep").fit(table, centres, age)):
        fit.save(tmp_path / "combat.json")
        loaded = Combat.load(tmp_path / "combat.json")
        assert loaded.get_params() == fit.get_params()
        pd.testing.assert_frame_equal(
            loaded.transform(table, centres), fit.transform(table, centres)
        )
    assert isinstance(json.loads((tmp_path / "combat.json").read_text()), dict)
    (tmp_path / "combat.json").write_text("[1]")
    with pytest.raises(UsageError, match="expected a stored ComBat fit"):
        Combat.load(tmp_path / "combat.json")


def test_scikit_learn_can_clone_it():
    assert clone(Combat(unseen="keep")).unseen == "keep"


@pytest.mark.parametrize(
    ("values", "centres", "covariates", "words"),
    [
        (SBR[:, :1], CENTRES, None, "at least two measures"),
        (SBR, ["a"] * 6, None, "at least two centres"),
        (SBR, ["a"] * 5 + ["b"], None, r"one at \['b'\]"),
        (SBR, CENTRES[:5], None, "as many centres"),
        (SBR, CENTRES, [1, 2], "rows of covariates"),
        (SBR, CENTRES, [0, 0, 0, 1, 1, 1], "vary within centres"),
        (SBR * np.nan, CENTRES, None, "finite"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(values, centres, covariates, words):
    with pytest.raises(UsageError, match=words):
        Combat().fit(values, centres, covariates)


def test_other_columns_than_in_training_are_refused():
    with pytest.raises(UsageError, match="2 measures and 0 covariates"):
        Combat().fit(SBR, CENTRES).transform(SBR[:, [0, 0, 1]], CENTRES)
