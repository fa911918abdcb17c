"""From a scan to the canonical grid: the same place, the same voxels, non-specific uptake 1.

``grid``    the canonical grid, the template and the region masks
``align``   where the head lies: registration by regression
``exam``    one exam: reorient, align, resample once, scale by the occipital uptake
``cohort``  many exams: over cores, kept on disk, one bad file never stops the others
"""

from datkit.prepare.cohort import PreparedCohort, prepare_cohort
from datkit.prepare.exam import Prepared, PrepareSettings, prepare_scan
from datkit.prepare.grid import GRID, load_regions, reference_level

__all__ = [
    "GRID",
    "PrepareSettings",
    "Prepared",
    "PreparedCohort",
    "load_regions",
    "prepare_cohort",
    "prepare_scan",
    "reference_level",
]
