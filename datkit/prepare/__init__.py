"""From a scan to the canonical grid: the same place, the same voxels, non-specific uptake 1.

``grid``      the canonical grid, the template and the region masks
``align``     where the head lies: registration by regression
``striatum``  where each striatum lies: a small shift from its mask
``uptake``    what non-specific uptake is, and what only an exam of the transporter shows
``geometry``  the head's size along each axis, and how sharp the image is
``exam``      one exam: reorient, align, resample once, scale by the reference
``quality``   what may be wrong with an exam: its figures, and the reasons to look at it
``journal``   exams on disk, one by one: an interrupted run goes on
``cohort``    many exams: over cores or a cluster, one bad file never stops the others

Each name is loaded when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
