"""Models: scikit-learn classifiers of DaT SPECT exams, normal (0) against abnormal (1).

=========================  ==========================================================
``MeasuresClassifier``     logistic regression on SBRs and asymmetries, X = (n, m)
``ProjectionClassifier``   compact 2-D CNN on their projections, X = (n, 64, 80, 48)
``VolumeClassifier``       3-D CNN of three sizes on prepared volumes, X = (n, 64, 80, 48)
``TemperatureCalibrated``  any of them, its confidence set right out of fold
``OwnModel``               a class from a file of one's own, in the same place
=========================  ==========================================================

``registry``  which models there are: make one by its name, add one with ``register``
``store``     models on disk
``base``      what all share; ``network``, what the networks share
``training``  the loop, its settings and checkpoints, and random changes of the exams

Each name is loaded when it is first used: importing this package does not import torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
