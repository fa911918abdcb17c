"""Harmonisation across centres by ComBat: each centre's offset and spread, taken off.

Written here, since the maintained package (neuroHarmonize) pins NumPy below 2 and brings
statsmodels, which prediction in the challenge's runtime does not have; a fit gives neuroCombat's
numbers.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from datkit.errors import UsageError
from datkit.files import read_sealed, write_sealed
from datkit.problems import Problem

__all__ = ["Combat", "Sums", "pool_sums", "shrink", "sums_of"]

Features = pd.DataFrame | np.ndarray
_ARRAYS = ("mean_", "usual_", "slopes_", "sd_", "offsets_", "variances_")
FORETOLD = 1e-10  # share of a covariate's squares: what is left by centres and others is rounding
STILL = 1e-6  # standard deviations: what moves less between two rounds has settled


class Combat(TransformerMixin, BaseEstimator):
    """ComBat with empirical Bayes, learnt from training exams and applied to others.

    After Johnson 2007 (10.1093/biostatistics/kxj037) and Fortin 2018
    (10.1016/j.neuroimage.2017.11.024).

    Measure g of an exam at centre i is ``α_g + x·β_g + σ_g (γ_ig + √δ_ig ε)``. Offsets γ and
    variances δ of a centre are shrunk towards those of all its measures, since a centre may have
    few exams. What is returned is ``α_g + x·β_g + σ_g (z − γ_ig) / √δ_ig``, in the measure's unit,
    with ``z = (value − α_g − x·β_g) / σ_g``.

    Covariates x (age, sex, label) hold what differs between centres' patients and shall stay.
    Without them a centre with more ill patients is taken for a camera that reads low. They count
    from their mean in training, so that they may be left out of ``transform`` where new exams lack
    one, as the label: z then counts from α, the usual exam.

    Parameters
    ----------
    unseen : str
        What to do with a centre that was not in training: ``"raise"``, or ``"keep"`` its values as
        they are. ComBat can say nothing of a scanner of which it has seen no exam.

    Attributes
    ----------
    centres_ : list of str
    mean_, sd_ : arrays (m,)
        α and σ of the m measures.
    usual_, slopes_ : arrays (c,), (c, m)
        Training mean and β of the c covariates.
    offsets_, variances_ : arrays (centres, m)
        γ and δ.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> centres = np.repeat(["a", "b"], 50)
    >>> sbr = rng.normal(2, 0.3, (100, 3)) + np.where(centres == "b", 1.0, 0.0)[:, None]
    >>> even = Combat().fit(sbr, centres).transform(sbr, centres)
    >>> bool(np.abs(even[:50].mean(0) - even[50:].mean(0)).max() < 0.05)
    True
    """

    def __init__(self, unseen: str = "raise") -> None:
        self.unseen = unseen

    def fit(self, X: Features, centres: ArrayLike, covariates: ArrayLike | None = None) -> Self:
        """Learn from measures X (n, m), centres (n,) and numeric covariates (n, c).

        Raises
        ------
        UsageError
            If there are fewer than two measures, two centres or two exams at a centre; if lengths
            differ, a number is not finite, or covariates are the same as centres.
        """
        values, where, x = _check(X, centres, covariates)
        names, place, counts = np.unique(where, return_inverse=True, return_counts=True)
        _check_training(values, names, counts)
        rows = place == np.arange(len(names))[:, None]
        self.centres_, self.n_features_in_ = names.tolist(), values.shape[1]
        found = pool_sums([sums_of(values[at], x[at]) for at in rows])
        self.usual_, self.mean_, self.slopes_, self.sd_ = found
        x = x - self.usual_
        z = (values - self.mean_ - x @ self.slopes_) / self.sd_
        own = [shrink(z[at]) for at in rows]
        self.offsets_, self.variances_ = map(np.array, zip(*own, strict=True))
        return self

    def transform(
        self, X: Features, centres: ArrayLike, covariates: ArrayLike | None = None
    ) -> Features:
        """Return X without what centres add, as an array or, like X, as a table.

        Raises
        ------
        UsageError
            If a centre was not in training and `unseen` is ``"raise"``, or X or the covariates
            have other columns than in training.
        """
        check_is_fitted(self)
        values, where, x = _check(X, centres, covariates)
        found = values.shape[1], x.shape[1] if covariates is not None else len(self.slopes_)
        if found != (self.n_features_in_, len(self.slopes_)):
            raise UsageError(
                f"Expected {self.n_features_in_} measures and {len(self.slopes_)} covariates (or "
                f"none), as in training, found {values.shape[1]} and {x.shape[1]}."
            )
        place = self._places(where)
        usual = self.mean_ + ((x - self.usual_) @ self.slopes_ if covariates is not None else 0)
        z = (values - usual) / self.sd_
        even = usual + self.sd_ * (z - self.offsets_[place]) / np.sqrt(self.variances_[place])
        even = np.where((place >= 0)[:, None], even, values)
        return pd.DataFrame(even, X.index, X.columns) if isinstance(X, pd.DataFrame) else even

    def fit_transform(
        self, X: Features, centres: ArrayLike, covariates: ArrayLike | None = None
    ) -> Features:
        """Fit, and transform the same exams."""
        return self.fit(X, centres, covariates).transform(X, centres, covariates)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fit as plain JSON."""
        check_is_fitted(self)
        document = {name: getattr(self, name).tolist() for name in _ARRAYS}
        write_sealed(path, document | {"centres": self.centres_, "unseen": self.unseen})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Combat:
        """Read what :meth:`save` wrote.

        Raises
        ------
        UsageError
            If the file is absent or holds something else.
        """
        try:
            document = read_sealed(Path(path), needed=False)
            combat = cls(document["unseen"])
            combat.centres_ = list(document["centres"])
            for name in _ARRAYS:
                setattr(combat, name, np.array(document[name], float))
            combat.n_features_in_ = len(combat.mean_)
            combat.slopes_ = combat.slopes_.reshape(-1, combat.n_features_in_)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{path}: expected a stored ComBat fit, found {error!r}.") from error
        return combat

    def _places(self, centres: np.ndarray) -> np.ndarray:
        """Return each exam's centre by its place in training, −1 for one that is kept."""
        if self.unseen not in ("raise", "keep"):
            raise UsageError(f'Expected unseen="raise" or "keep", found {self.unseen!r}.')
        place = pd.Index(self.centres_).get_indexer(centres)
        if self.unseen == "raise" and (place < 0).any():
            strange = sorted(set(centres[place < 0].tolist()))
            raise UsageError(
                f"Expected centres of the training exams, found {', '.join(strange)}; train with "
                'some of their exams, or use unseen="keep" to leave them as they are.'
            )
        return place


class Sums(NamedTuple):
    """What ComBat's regression needs of one centre's n exams, covariates (c) and measures (m).

    Number and means, then sums of products of what is left over the centre's own means: of
    covariates (c, c), of covariates and measures (c, m), squares of measures (m,).
    """

    n: int
    x: np.ndarray
    y: np.ndarray
    xx: np.ndarray
    xy: np.ndarray
    yy: np.ndarray


def sums_of(values: np.ndarray, x: np.ndarray) -> Sums:
    """Return the sums of one centre's measures (n, m) and covariates (n, c)."""
    y, mean, usual = values - values.mean(0), values.mean(0), x.mean(0)
    x = x - usual
    return Sums(len(values), usual, mean, x.T @ x, x.T @ y, (y**2).sum(0))


def pool_sums(centres: list[Sums]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the training mean of covariates (c,), and α (m,), β (c, m) and σ (m,) of all centres.

    They are those of least squares on all exams with an intercept for each centre
    (Frisch-Waugh-Lovell), so that no exam need leave its centre for them; after distributed ComBat
    (Chen 2022, 10.1016/j.neuroimage.2021.118822).

    Raises
    ------
    UsageError
        If a covariate follows from centres and the others.
    """
    n, x, y, xx, xy, yy = (np.array(part, float) for part in zip(*centres, strict=True))
    usual, covariates = n @ x / n.sum(), x.shape[1]
    products = xx.sum(0).reshape(covariates, covariates)  # empty ones lose it in JSON
    with_y = xy.sum(0).reshape(covariates, y.shape[1])
    scale = np.sqrt(np.diag(products) + n @ x**2)  # of the covariates' own size, about zero
    scale[scale == 0] = 1
    if np.linalg.matrix_rank(products / np.outer(scale, scale), tol=FORETOLD) < len(scale):
        expected = "Expected covariates that vary within centres"
        one = "one that centres and the others foretell"
        raise UsageError(f"{expected}, found {one}; leave it out.")
    slopes = np.linalg.solve(products, with_y)
    mean = n @ (y - (x - usual) @ slopes) / n.sum()
    rest = yy.sum(0) - (slopes * with_y).sum(0)
    sd = np.sqrt(rest.clip(0) / n.sum())
    return usual, mean, slopes, np.where(sd > 0, sd, 1)  # what never varies is left where it is


def shrink(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the offsets and variances (m,) of one centre's standardised measures (n, m).

    Each is the mean of its posterior, given the other; the two are iterated until they settle. The
    priors, a normal and an inverse gamma distribution, have the moments of the centre's measures.
    """
    n, mean, variance = len(z), z.mean(0), z.var(0, ddof=1)
    variance = np.where(variance > 0, variance, 1)
    centre, between = mean.mean(), mean.var(ddof=1)
    level, spread = variance.mean(), max(variance.var(ddof=1), 1e-12)
    shape, scale = 2 + level**2 / spread, level + level**3 / spread
    offset, change = mean, np.inf
    while change > STILL:
        new_offset = (n * between * mean + variance * centre) / (n * between + variance)
        rest = ((z - new_offset) ** 2).sum(0)
        new_variance = (rest / 2 + scale) / (n / 2 + shape - 1)
        change = max(np.abs(new_offset - offset).max(), np.abs(new_variance - variance).max())
        offset, variance = new_offset, new_variance
    return offset, variance


def _check(
    X: Features, centres: ArrayLike, covariates: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return float (n, m), text (n,) and float (n, c); c is 0 without covariates."""
    values, where = np.asarray(X, float), np.asarray(centres).astype(str)
    x = np.zeros((len(values), 0)) if covariates is None else np.asarray(covariates, float)
    x = x.reshape(len(x), -1)
    if values.ndim != 2 or where.ndim != 1 or not len(values) == len(where) == len(x):
        expected = "Expected as many centres and rows of covariates as exams"
        raise UsageError(f"{expected}, found {values.shape}, {where.shape} and {x.shape}.")
    if not (np.isfinite(values).all() and np.isfinite(x).all()):
        raise UsageError("Expected finite measures and covariates, found NaN or infinity.")
    return values, where, x


def _check_training(values: np.ndarray, names: np.ndarray, counts: np.ndarray) -> None:
    where, few = "the training exams of ComBat", names[counts < 2].tolist()
    problems = [
        Problem(code, where, f"at least two {expected}", found, remedy)
        for is_wrong, code, expected, found, remedy in (
            (values.shape[1] < 2, "measures-few", "measures", "fewer", "They inform each other."),
            (len(names) < 2, "centres-few", "centres", f"{len(names)}", "Add a centre."),
            (few, "exams-few", "exams at each centre", f"one at {few}", "Leave it out."),
        )
        if is_wrong
    ]
    UsageError.raise_any(problems, where=where)
