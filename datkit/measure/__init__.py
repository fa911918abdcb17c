"""Semi-quantification: what a prepared volume says in numbers, and how far that is from normal.

``regions``      binding ratios of caudate, putamen and their parts
``shape``        length, volume above half maximum, elongation
``southampton``  the binding ratio of the whole striatum, free of partial volume
``exam``         all measures of an exam or a cohort
``normals``      z-scores against healthy people of the same age and sex
``combat``       harmonisation across centres; imported by its own name, since it brings
                 scikit-learn
"""

from datkit.measure.exam import (
    MEASURES,
    SBR_MEASURES,
    UNITS,
    asymmetry,
    measure_cohort,
    measure_prepared,
    measure_scan,
    measure_volume,
)
from datkit.measure.normals import compare_with_normals

__all__ = [
    "MEASURES",
    "SBR_MEASURES",
    "UNITS",
    "asymmetry",
    "compare_with_normals",
    "measure_cohort",
    "measure_prepared",
    "measure_scan",
    "measure_volume",
]
