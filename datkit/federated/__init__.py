"""Training over many hospitals without moving an exam.

``training``     hospitals, strategies, and the server's rounds in one process
``combat``       ComBat of all hospitals' measures, of which sums alone leave
``fedbiomed``    a training plan for Fed-BioMed, and hospitals' folders for its nodes
``plan_rules``   what reading such a plan shows, without running it: one decorated rule a fault

Each name is loaded on first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
