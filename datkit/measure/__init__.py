"""Semi-quantification: what a prepared volume says in numbers, and how far that is from normal.

``regions``      binding ratios of caudate, putamen and their parts
``shape``        length, volume above half maximum, elongation
``southampton``  the binding ratio of the whole striatum, free of partial volume
``definitions``  the registry: what each measure is, and where it is shown
``exam``         all measures of an exam or a cohort
``normals``      z-scores against healthy people of the same age and sex
``combat``       harmonisation across centres; imported by its own name, since it brings
                 scikit-learn
"""

from datkit.measure.definitions import (
    DEFINITIONS,
    MEASURES,
    SBR_MEASURES,
    UNITS,
    Kind,
    Measure,
    asymmetry,
)
from datkit.measure.exam import measure_cohort, measure_prepared, measure_scan, measure_volume
from datkit.measure.normals import compare_with_normals, load_normals, reconstruction_type
from datkit.measure.regions import shifts_of, take_side

__all__ = [
    "DEFINITIONS",
    "MEASURES",
    "SBR_MEASURES",
    "UNITS",
    "Kind",
    "Measure",
    "asymmetry",
    "compare_with_normals",
    "load_normals",
    "measure_cohort",
    "measure_prepared",
    "measure_scan",
    "measure_volume",
    "reconstruction_type",
    "shifts_of",
    "take_side",
]
