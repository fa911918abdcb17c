"""Semi-quantification: what a prepared volume says in numbers, and how far that is from normal.

``regions``      binding ratios of caudate, putamen and their parts
``shape``        length, volume above half maximum, elongation
``southampton``  the binding ratio of the whole striatum, free of partial volume
``definitions``  the registry: what each measure is, and where it is shown
``exam``         all measures of an exam or a cohort
``normals``      z-scores against healthy people of the same age and sex
``combat``       harmonisation across centres

Each name is loaded when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
