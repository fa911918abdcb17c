"""From a scan to the canonical grid: the same place, the same voxels, non-specific uptake 1.

``grid``       the canonical grid, the template and the region masks
``align``      where the head lies: registration by regression
``striatum``   where each striatum lies: a small shift from its mask
``reference``  what non-specific uptake is
``exam``       one exam: reorient, align, resample once, scale by the reference
``quality``    what may be wrong with an exam, and the verdict
``journal``    rows on disk, one by one: an interrupted run goes on
``cohort``     many exams: over cores or a cluster, one bad file never stops the others
"""

from datkit.prepare.cohort import PreparedCohort, prepare_cohort
from datkit.prepare.exam import Prepared, PrepareSettings, prepare_scan
from datkit.prepare.grid import GRID, load_regions
from datkit.prepare.reference import find_reference, reference_level
from datkit.prepare.sampling import blur
from datkit.prepare.striatum import SHIFTS, locate_striata

__all__ = [
    "GRID",
    "SHIFTS",
    "PrepareSettings",
    "Prepared",
    "PreparedCohort",
    "blur",
    "find_reference",
    "load_regions",
    "locate_striata",
    "prepare_cohort",
    "prepare_scan",
    "reference_level",
]
