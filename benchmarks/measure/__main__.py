"""Do the measures follow the truth: binding, recovery, asymmetry, and z-scores of normal exams.

    python -m benchmarks.measure                        # the full cohort and both test sets
    python -m benchmarks.measure --size small
    python -m benchmarks.measure --cohort FOLDER --out FOLDER

**Within a centre** means within one centre and reconstruction: cameras, filters and corrections
recover other shares of the truth, and mixing them would measure those. Pearson's r between measured
and true SBR, left and right sides together, is computed in each that has at least 12 exams, and
averaged over them by Fisher's z, weighted by n − 3. **Recovery** compares noise-free images that
OSEM makes of expected counts with the same uptake blurred as the collimator's formula says; both
go through the same preparation and measurement. **Best fixed weights** are a bound, not a measure:
see ``linear.py``. Written to ``results/measure-<size>.json`` and
``.md``. The same cohort and code give the same file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pandas as pd

from benchmarks.common.figures import Figure
from benchmarks.common.run import Benchmark
from benchmarks.measure import linear, truth
from datkit.measure.exam import measure_cohort
from datkit.prepare.cohort import prepare_cohort


class MeasureBenchmark(Benchmark):
    """The measures of a cohort and of its test sets, beside their truth."""

    name = "measure"
    title = "Measures against the truth"
    sections: ClassVar[dict[str, str]] = {"measure": "benchmarks.measure.truth"}

    def measure(self, section: str) -> Iterator[Figure]:
        """Yield all figures."""
        del section  # there is one
        prepared = [prepare_cohort(one, n_jobs=self.options.jobs) for one in self.cohorts]
        exams = pd.concat([one.table for one in prepared])
        table = pd.concat([measure_cohort(one) for one in prepared])
        true = pd.concat([one.truth for one in self.cohorts]).loc[exams.index]
        boxes = np.concatenate([linear.side_boxes(one) for one in prepared])
        yield from truth.measure(exams, table, true, boxes)


if __name__ == "__main__":
    sys.exit(MeasureBenchmark.main())
