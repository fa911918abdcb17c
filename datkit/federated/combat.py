"""ComBat over hospitals: sums cross the network, and no exam's measure does.

Each hospital sends one message of sums, the server answers all with the pooled fit, and each then
takes off its own offset and spread, which it tells nobody. The result is that of
:class:`datkit.measure.Combat` on all exams together; after distributed ComBat (Chen 2022,
10.1016/j.neuroimage.2021.118822).
"""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import ArrayLike

from datkit.errors import UsageError
from datkit.measure.combat import Combat, Sums, pool_sums, shrink, sums_of

__all__ = ["harmonise_here", "message_of_sums", "pool_messages"]

LEAST = 10  # exams: the sums of two exams give both away, but for their order
_POOLED = ("usual_", "mean_", "slopes_", "sd_")


def message_of_sums(values: ArrayLike, covariates: ArrayLike | None = None) -> bytes:
    """Return what a hospital sends of its measures (n, m) and covariates (n, c), as JSON.

    Number of exams, means, and sums of squares and products: see
    :class:`datkit.measure.combat.Sums`. Its size does not depend on the number of exams.

    Raises
    ------
    UsageError
        If there are fewer than ten exams, or a number is not finite.

    Examples
    --------
    >>> sorted(json.loads(message_of_sums(np.ones((10, 2)))))
    ['n', 'x', 'xx', 'xy', 'y', 'yy']
    """
    y = np.asarray(values, float)
    x = np.zeros((len(y), 0)) if covariates is None else np.asarray(covariates, float)
    x = x.reshape(len(y), -1)
    if len(y) < LEAST or not (np.isfinite(y).all() and np.isfinite(x).all()):
        expected = f"Expected {LEAST} exams or more of finite measures and covariates"
        raise UsageError(f"{expected}, found {len(y)} exams; sums of few, or NaN, are not sent.")
    sums = sums_of(y, x)._asdict()
    return json.dumps({name: np.asarray(part).tolist() for name, part in sums.items()}).encode()


def pool_messages(messages: list[bytes]) -> bytes:
    """Return the server's answer to all hospitals: the pooled fit.

    Raises
    ------
    UsageError
        If a message holds other than finite sums of ten exams or more, or a covariate follows from
        hospitals and the others.
    """
    sums = []
    for place, message in enumerate(messages, start=1):
        try:
            sums.append(Sums(**json.loads(message)))
            finite = all(np.isfinite(np.array(part, float)).all() for part in sums[-1])
            shapes = [np.shape(part) for part in sums[-1]] == [np.shape(part) for part in sums[0]]
        except (TypeError, ValueError):
            finite = shapes = False
        if not finite or not shapes or sums[-1].n < LEAST:
            expected = f"Expected finite sums of {LEAST} exams or more, alike in all hospitals"
            raise UsageError(f"{expected}; found others in message {place}: leave it out.")
    parts = (np.asarray(part).tolist() for part in pool_sums(sums))
    return json.dumps(dict(zip(_POOLED, parts, strict=True))).encode()


def harmonise_here(values: ArrayLike, covariates: ArrayLike | None, answer: bytes) -> np.ndarray:
    """Return a hospital's measures (n, m) without what its scanner adds, by the server's answer."""
    combat, here = Combat(), np.full(len(np.asarray(values)), "here")
    for name, part in json.loads(answer).items():
        setattr(combat, name, np.array(part, float))
    combat.n_features_in_, combat.centres_ = len(combat.mean_), ["here"]
    combat.slopes_ = combat.slopes_.reshape(-1, len(combat.mean_))
    x = np.asarray(covariates, float).reshape(len(here), -1) if covariates is not None else None
    usual = combat.mean_ + (0 if x is None else (x - combat.usual_) @ combat.slopes_)
    own = shrink((np.asarray(values, float) - usual) / combat.sd_)
    combat.offsets_, combat.variances_ = (part[None] for part in own)
    return np.asarray(combat.transform(np.asarray(values, float), here, x))
