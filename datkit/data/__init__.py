"""Data: which there are and under which terms, fetched and checked, opened as cohorts and split.

``manifest``    what each data set is, who owns it, which bytes it has; ``manifest_reader``
``download``    fetching one: the only code of the kit that uses the network
``store``       where fetched data lie, and whether they are still the promised bytes
``cohort``      exams, labels and volumes in memory
``folder``      the challenge's layout on disk; ``layouts`` has all others
``check``       looking into every volume
``groups``      which exams belong together: centres, families told by geometry
``split``       divisions that are proved not to leak
``card``        data described for people; ``croissant``, for machines

Each name is loaded on first use: opening a cohort needs numpy, pandas and nibabel only.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
